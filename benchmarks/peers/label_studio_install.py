"""Install Label Studio from PyPI into a virtual environment of its own, kept for later runs."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VERSION: Final = "1.23.2"
UWSGI_VERSION: Final = "2.0.30.post1"
# uWSGI is installed last, so an environment with uWSGI is complete.
REQUIREMENTS: Final = (f"label-studio=={VERSION}", f"pyuwsgi=={UWSGI_VERSION}")
REPORTED: Final = ("label-studio", "Django", "psycopg", "pyuwsgi")
INSTALL_TIMEOUT_S: Final = 900.0

_MEGABYTES: Final = {"kB": 0.001, "MB": 1.0, "GB": 1000.0}
_FETCHED: Final = re.compile(r"(?:Downloading|Using cached) \S+ \(([\d.]+) (kB|MB|GB)\)")

_READ_VERSIONS: Final = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


class PeerError(Exception):
    """The peer cannot be measured; the message says why and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed Label Studio; `seconds` and `megabytes` of its installation, if known."""

    environment: Path
    versions: dict[str, str]
    seconds: float | None = None
    megabytes: float | None = None

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def package(self) -> Path:
        """The folder of Label Studio's own modules, its working directory."""
        (found,) = self.environment.glob("lib/python*/site-packages/label_studio")
        return found


def ensure_installed(cache: Path, say: Callable[[str], None]) -> Installed:
    """Label Studio and uWSGI below `cache`; fetched from PyPI (260 MB, a minute) if missing.

    Raises PeerError if they cannot be installed.
    """
    environment = cache.resolve() / f"label-studio-{VERSION}"
    took = environment / "took.json"
    if (versions := _versions(environment)) is not None:
        known = json.loads(took.read_text(encoding="utf-8")) if took.exists() else {}
        return Installed(environment, versions, **known)
    log = cache / f"label-studio-{VERSION}.log"
    began = time.monotonic()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if environment.exists():  # an interrupted installation, or other versions
            shutil.rmtree(environment)
        with log.open("w", encoding="utf-8") as output:
            say(f"Installing Label Studio {VERSION} from PyPI into {environment} ...")
            _run([sys.executable, "-m", "venv", str(environment)], output.fileno())
            for requirement in REQUIREMENTS:
                _run(_pip_install(environment, requirement), output.fileno())
    except subprocess.CalledProcessError as error:
        told = log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise PeerError(_how_by_hand(environment, log, told[-1] if told else error)) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(_how_by_hand(environment, log, error)) from error
    if (versions := _versions(environment)) is None:
        raise PeerError(_how_by_hand(environment, log, "it lacks modules"))
    known = {
        "seconds": time.monotonic() - began,
        "megabytes": megabytes_fetched(log.read_text(encoding="utf-8", errors="replace")),
    }
    took.write_text(json.dumps(known), encoding="utf-8")
    return Installed(environment, versions, **known)


def megabytes_fetched(pip_output: str) -> float:
    """The megabytes that pip fetched by its own output, from PyPI or its cache."""
    return sum(float(size) * _MEGABYTES[unit] for size, unit in _FETCHED.findall(pip_output))


def _versions(environment: Path) -> dict[str, str] | None:
    """The versions in a complete environment; None if it is incomplete or has other versions."""
    try:
        done = subprocess.run(
            [str(environment / "bin" / "python"), "-c", _READ_VERSIONS, *REPORTED],
            capture_output=True,
            text=True,
            check=True,
            timeout=60.0,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    versions: dict[str, str] = json.loads(done.stdout)
    wanted = (VERSION, UWSGI_VERSION)
    return versions if (versions["label-studio"], versions["pyuwsgi"]) == wanted else None


def _pip_install(environment: Path, requirement: str) -> list[str]:
    python = str(environment / "bin" / "python")
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    return [python, "-m", "pip", "install", *options, requirement]


def _run(command: Sequence[str], output: int) -> None:
    subprocess.run(
        command, stdout=output, stderr=subprocess.STDOUT, check=True, timeout=INSTALL_TIMEOUT_S
    )


def _how_by_hand(environment: Path, log: Path, why: object) -> str:
    return (
        f"Label Studio {VERSION} could not be installed from PyPI ({why}; see {log}). Check the "
        f"network and run this again, or install it by hand: python3 -m venv {environment} && "
        f"{environment}/bin/pip install {' '.join(REQUIREMENTS)}"
    )
