"""Wrong input is answered with one line and an exit status, and starts nothing."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from al_engine.pools.models import Campaign

from .site import ROOT, Site, a_site

COMMANDS = ["run_server", "run_worker", "run_engine", "campaign_status"]


def manage(*arguments: str, env: dict[str, str]) -> tuple[int, str, str]:
    """The exit status of a command, and what it wrote to stdout and stderr."""
    ended = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env={**env, "NOWAIT_ROLE": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


def refused(*arguments: str, env: dict[str, str]) -> str:
    """The single line on stderr with which a command refuses its input."""
    status, out, err = manage(*arguments, env=env)
    assert (status, out, err.count("\n")) == (1, "", 1), err
    return err


def with_database(env: dict[str, str], name: str) -> dict[str, str]:
    """The environment with another database of the same server."""
    parts = urlsplit(env["DATABASE_URL"])
    return {**env, "DATABASE_URL": parts._replace(path=f"/{name}").geturl()}


@pytest.fixture
def site() -> Iterator[Site]:
    with a_site() as site:
        yield site
        assert site.all_processes() == [], "it was refused and yet something runs"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_that_is_not_there_is_named(
    test_environment: dict[str, str], command: str
) -> None:
    said = refused(command, "digits", env=with_database(test_environment, "nowhere"))
    assert said.startswith("nowait: PostgreSQL cannot be used:")
    assert 'database "nowhere" does not exist Is the address in DATABASE_URL right' in said


def test_a_site_on_a_database_that_is_not_there_does_not_begin(
    test_environment: dict[str, str], site: Site
) -> None:
    env = {**with_database(test_environment, "nowhere"), "NOWAIT_VAR": str(site.var)}
    for arguments in (["up", "--port=0"], ["demo", "--port=0"]):
        status, out, err = manage(*arguments, env=env)
        assert (status, out) == (1, "")
        assert 'database "nowhere" does not exist' in err
        assert "Traceback" not in err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_database_is_answered_with_what_fills_it(
    test_environment: dict[str, str], command: str
) -> None:
    said = refused(command, "digits", env=with_database(test_environment, "postgres"))
    assert "The database is not up to date:" in said
    assert "Run `manage.py migrate`." in said


@pytest.mark.django_db(transaction=True)
def test_an_engine_command_exits_with_one_line(test_environment: dict[str, str]) -> None:
    Campaign.objects.create(slug="pets", title="Pets")
    for arguments, said in (
        (["run_server", "dogs"], "There is no campaign “dogs”. Campaigns: pets."),
        (["run_worker", "pets", "--device=abacus"], "There is no device named 'abacus'; use auto"),
        (["run_server", "pets", "--index=3"], "--index is from 0 to one less than --servers."),
        (["run_worker", "pets", "--strategies=,"], "--strategies names none"),
        (["run_worker", "pets", "--first=0"], "--first is 1 or more."),
        (["run_engine", "pets", "--workers=-1"], "--servers and --workers are 0 or more."),
    ):
        assert refused(*arguments, env=test_environment).startswith(f"CommandError: {said}")


@pytest.mark.parametrize(
    "arguments",
    [["up", "--port=99999"], ["up", "--workers=none"], ["demo", "--bots=0"], ["run_server"]],
)
def test_an_option_that_cannot_be_meant_ends_with_the_usage(
    test_environment: dict[str, str], arguments: list[str]
) -> None:
    status, out, err = manage(*arguments, env=test_environment)
    assert (status, out) == (2, "")
    assert err.startswith(f"usage: manage.py {arguments[0]}")
    assert err.splitlines()[-1].startswith(f"manage.py {arguments[0]}: error: ")


def test_a_demo_whose_port_is_taken_says_so_and_leaves_nothing_running(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        site.port = other.getsockname()[1]
        process = site.popen(
            *("demo", f"--port={site.port}", "--images=20"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = process.communicate()
    assert (process.returncode, out) == (1, b"")
    last = err.decode().splitlines()[-1]
    assert last.startswith(f"CommandError: Port {site.port} cannot be had (Address already in use)")


def test_a_folder_that_cannot_hold_a_database_is_named(site: Site) -> None:
    (site.var / "postgres").write_text("a file where a folder belongs")
    process = site.popen("up", "--port=0", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    assert (process.returncode, out, err.count(b"\n")) == (1, b"", 1), err.decode()
    assert err.startswith(b"nowait: The bundled PostgreSQL cannot be prepared")
    assert str(Path(site.var, "postgres")).encode() in err
