"""What runs beside what: each side is imported in a fresh interpreter, and what came along is seen.

The import contracts of pyproject.toml read the source; this is what an interpreter really loads,
libraries of libraries included.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import importlib, json, pkgutil, sys

if sys.argv[1] == "web":
    importlib.import_module("annotator_site.asgi")
elif sys.argv[1] == "engine":
    import django
    from django.conf import settings
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "al_engine.pools", "al_engine"]
    settings.configure(INSTALLED_APPS=apps, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
    django.setup()
for name in sys.argv[2:]:
    package = importlib.import_module(name)
    for each in pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}."):
        if "__main__" not in each.name:
            importlib.import_module(each.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded_by(tmp_path: Path, kind: str, *packages: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after importing these, all of them."""
    environment = {**os.environ, "NOWAIT_VAR": str(tmp_path), "NOWAIT_ROLE": "web"}
    environment["DJANGO_SETTINGS_MODULE"] = "annotator_site.settings" if kind == "web" else ""
    # No server is asked for anything: importing must not need one.
    environment["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:9/none"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, kind, *packages],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_a_web_process_never_loads_torch(tmp_path: Path) -> None:
    loaded = loaded_by(
        tmp_path, "web", "annotator_site", "al_engine.pools", "al_engine.supervision"
    )
    assert {"django", "channels", "psycopg"} <= loaded
    assert not loaded & {"torch", "torchvision", "sklearn", "scipy", "safetensors", "matplotlib"}


def test_what_computes_never_loads_django(tmp_path: Path) -> None:
    packages = [f"al_engine.{name}" for name in ("strategies", "architectures", "training")]
    loaded = loaded_by(tmp_path, "torch", *packages)
    assert "torch" in loaded
    assert not loaded & {"django", "psycopg", "channels", "annotator_site"}


def test_the_lab_needs_neither_django_nor_a_database(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "torch", "al_lab")
    assert "torch" in loaded
    assert not loaded & {"django", "psycopg", "channels", "annotator_site"}


def test_what_decides_and_what_supervises_is_plain_python(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "plain", "al_engine.decisions", "al_engine.supervision")
    assert not loaded & {"django", "psycopg", "torch", "numpy", "annotator_site"}


def test_the_whole_engine_loads_without_the_web(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "engine", "al_engine")
    assert {"django", "psycopg", "torch"} <= loaded
    assert not loaded & {"annotator_site", "channels", "daphne", "uvicorn", "al_lab", "matplotlib"}
