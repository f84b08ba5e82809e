"""An installation is safe as it comes, and a wrong setting is answered in one line."""

import logging
import os
import subprocess
import sys
import threading
from itertools import product
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.test import Client
from pytest_django import Settings

from annotator_site import environment
from annotator_site.accounts.models import User
from annotator_site.checks import check_privileges, check_ways_to_other_machines
from annotator_site.log_lines import LineFormatter
from annotator_site.postgres_cluster import SUPERUSER

ROOT = Path(__file__).resolve().parents[2]


def manage(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A management command in an environment with exactly these settings."""
    plain = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=plain | env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({}, id="this machine only"),
        pytest.param({"ALLOWED_HOSTS": "label.example.org"}, id="a public name"),
        pytest.param({"ALLOWED_HOSTS": "label.example.org", "BEHIND_PROXY": "1"}, id="a proxy"),
    ],
)
def test_the_deployment_checks_are_clean_as_it_comes(tmp_path: Path, env: dict[str, str]) -> None:
    arguments = ("check", "--deploy", "--fail-level", "WARNING")
    result = manage(*arguments, NOWAIT_VAR=str(tmp_path / "var"), **env)
    assert (result.returncode, result.stderr.count("\n")) == (0, 0), result.stderr
    assert (tmp_path / "var" / "secret_key").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "var" / "postgres").exists(), "a check needs no server"


def test_plain_http_over_a_network_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    env = {"ALLOWED_HOSTS": "label.example.org", "HTTPS": "0", "NOWAIT_VAR": str(tmp_path / "var")}
    result = manage("check", "--deploy", "--fail-level", "WARNING", **env)
    assert result.returncode == 1
    for number in ("004", "008", "012", "016"):
        assert f"security.W{number}" in result.stderr


@pytest.mark.parametrize(
    ("env", "cause"),
    [
        ({"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}, "Connection refused"),
        ({"DATABASE_URL": "mysql://u:secret@host/x"}, "is not PostgreSQL"),
        ({"DEBUG": "perhaps"}, "neither on nor off"),
        ({"SECURITY_CONTACT": "security@example.org"}, "mailto:security@example.org"),
        ({"ALLOWED_HOSTS": "label.example.org/labels"}, "does not work below a path"),
        ({"NOWAIT_VAR": "/proc/nowhere"}, "make its parent writable"),
    ],
)
def test_a_wrong_setting_ends_a_command_with_one_line(
    tmp_path: Path, env: dict[str, str], cause: str
) -> None:
    result = manage("migrate", **{"NOWAIT_VAR": str(tmp_path), **env})
    assert result.returncode == 1
    assert cause in result.stderr
    assert result.stderr.startswith("nowait: ")
    assert result.stderr.count("\n") == 1
    assert "secret" not in result.stderr


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("nonsense", "scheme 'none'"),
        ("postgresql://user:secret@[host/x", "cannot be read as an address"),
        ("postgresql://user:secret@host:port/x", "cannot be read as an address"),
        ("postgresql://user:secret@host", "names no database"),
        ("sqlite:///x", "is not PostgreSQL"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_with_an_example(url: str, cause: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=cause) as refusal:
        environment.database(url, {}, role="web", application_name="test")
    assert environment.EXAMPLE_DATABASE_URL in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_only_the_web_has_a_pool_and_a_limit_on_statements() -> None:
    url = "postgresql://u@h/x?options=-c%20work_mem=8MB&sslmode=require"
    web = environment.database(url, {}, role="web", application_name="web")
    other = environment.database(url, {}, role="migrate", application_name="migrate")
    assert web["OPTIONS"]["pool"]["max_size"] > 1
    assert web["CONN_MAX_AGE"] == 0
    assert "statement_timeout" in web["OPTIONS"]["options"]
    assert "pool" not in other["OPTIONS"]
    assert "statement_timeout" not in other["OPTIONS"]["options"]
    for settings in (web, other):
        assert settings["CONN_HEALTH_CHECKS"]
        assert "idle_in_transaction_session_timeout=30000" in settings["OPTIONS"]["options"]
        assert settings["OPTIONS"]["options"].endswith("-c work_mem=8MB")
        assert settings["OPTIONS"]["sslmode"] == "require"


def test_processes_that_start_together_make_one_secret_key(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    keys: list[str] = []

    def start() -> None:
        together.wait()
        keys.append(environment.secret_key({}, tmp_path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert len(keys) == 8
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
    assert environment.secret_key({"SECRET_KEY": "given"}, tmp_path) == "given"
    (tmp_path / "secret_key").write_text("")
    with pytest.raises(ImproperlyConfigured, match="is damaged"):
        environment.secret_key({}, tmp_path)


@pytest.mark.django_db
def test_a_server_that_may_lose_acknowledged_labels_is_refused() -> None:
    assert run_checks(databases=["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
    errors = run_checks(databases=["default"])
    assert [error.id for error in errors] == ["nowait.E001"]
    assert "synchronous_commit" in errors[0].msg


@pytest.mark.django_db
def test_a_site_that_connects_as_a_superuser_is_warned_of() -> None:
    boss = connection.copy()
    boss.settings_dict["USER"] = SUPERUSER
    connections["boss"] = boss
    try:
        (warning,) = check_privileges(None, ["boss"])
    finally:
        boss.close()
        del connections["boss"]
    assert warning.id == "nowait.W001"
    assert "superuser postgres" in warning.msg


HERE = ["", "/run/postgresql", "localhost", "127.0.0.1", "::1"]
ELSEWHERE = ["db.example.org", "10.1.2.3", "2001:db8::1"]


@pytest.mark.parametrize("endpoint", ["", "https://s3.example.org", "http://s3.example.org"])
def test_a_way_to_another_machine_that_is_open_is_warned_of(
    endpoint: str, settings: Settings
) -> None:
    settings.STORAGES = {"default": {"OPTIONS": {"endpoint_url": endpoint or None}}}
    modes = (None, "disable", "require", "verify-ca", "verify-full")
    for host, mode in product([*HERE, *ELSEWHERE], modes):
        other = connection.copy()
        options = {**other.settings_dict["OPTIONS"], **({"sslmode": mode} if mode else {})}
        other.settings_dict.update(HOST=host, OPTIONS=options)
        connections["other"] = other
        try:
            warned = check_ways_to_other_machines(None, ["other"])
        finally:
            del connections["other"]
        expected = ["nowait.W002"] if host in ELSEWHERE and mode != "verify-full" else []
        expected += ["nowait.W003"] if endpoint.startswith("http:") else []
        assert [each.id for each in warned] == expected, (host, mode)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "an hour", "100001", "²"])
def test_a_count_that_cannot_be_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="is no number from 1 to 100,000"):
        environment.count({"STAFF_IDLE_MINUTES": value}, "STAFF_IDLE_MINUTES", default=60)


@pytest.mark.parametrize(("value", "meant"), [("", 60), (" 5 ", 5), ("100000", 100_000)])
def test_a_count_is_read_and_has_a_default(value: str, meant: int) -> None:
    assert environment.count({"X": value}, "X", default=60) == meant


@pytest.mark.django_db
def test_pages_run_no_inline_scripts_except_the_admin(client: Client) -> None:
    page = client.get("/accounts/login/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in page
    assert "unsafe" not in page
    for part in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in page
    client.force_login(User.objects.create_user("owner", is_staff=True))
    admin = client.get("/admin/").headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-inline' 'unsafe-eval'" in admin
    assert "frame-ancestors 'none'" in admin


def test_a_log_record_is_one_line_whatever_a_visitor_sends() -> None:
    formatter = LineFormatter("{asctime} {levelname} web {name}: {message}", style="{")
    message = "Not Found: /x\n2026-01-01 00:00:00,000Z ERROR web forged"
    record = logging.LogRecord("django", logging.WARNING, "", 0, message, None, None)
    line = formatter.format(record)
    assert "\n" not in line
    assert "Z WARNING web django: Not Found: /x\\n2026" in line


COOKIES = """
from django.conf import settings
print(settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS)
for kind in ("SESSION", "CSRF", "LANGUAGE"):
    what = ("NAME", "SECURE", "PATH", "DOMAIN", "HTTPONLY", "SAMESITE")
    print(*(getattr(settings, f"{kind}_COOKIE_{each}") for each in what))
print(settings.MESSAGE_STORAGE.rpartition(".")[2])  # never a cookie
"""


def cookies(prefix: str, secure: bool) -> str:
    names = ("sessionid", "csrftoken", "language")
    lines = [f"{prefix}{name} {secure} / None True Lax\n" for name in names]
    return "".join([*lines, "SessionStorage\n"])


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "0 False\n" + cookies("", False)),
        (
            {"ALLOWED_HOSTS": "label.example.org"},
            "31536000 False\n" + cookies("__Host-", True),
        ),
        (
            {"ALLOWED_HOSTS": "label.example.org", "HSTS_SUBDOMAINS": "1"},
            "31536000 True\n" + cookies("__Host-", True),
        ),
        (
            {"ALLOWED_HOSTS": "label.example.org", "HTTPS": "0"},
            "0 False\n" + cookies("", False),
        ),
    ],
)
def test_under_https_cookies_are_of_this_host_alone(
    tmp_path: Path, env: dict[str, str], said: str
) -> None:
    code = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'annotator_site.settings'\n" + COOKIES
    own = {"PATH": os.environ["PATH"], "NOWAIT_VAR": str(tmp_path / "var"), **env}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=own, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (said, "")


@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("before", [None, 0o700, 0o711, 0o750, 0o755, 0o770, 0o777, 0o2775])
def test_the_folder_of_state_is_private_whatever_it_was(
    before: int | None, root: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    var = tmp_path / "deep" / "var"
    if before is not None:
        var.mkdir(parents=True)
        var.chmod(before)

    for _ in range(2):
        environment.make_var(var)

        mode = var.stat().st_mode & 0o7777
        widest = 0o711 if root else 0o700
        assert mode & ~widest == 0, oct(mode)
        assert mode & 0o700 == 0o700


def test_a_folder_that_is_everybodys_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(ImproperlyConfigured, match="a folder of its own") as caught:
        environment.make_var(tmp_path)
    assert "\n" not in str(caught.value)
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777
