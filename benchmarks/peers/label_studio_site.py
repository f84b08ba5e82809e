"""Label Studio as its Docker image serves it, on the PostgreSQL that Nowait bundles.

Sets up a fresh cluster with Nowait's own settings, Label Studio's migrations, users of one
organization, uWSGI with two workers on loopback, a project and its tasks, and removes all of it at
the end. Label Studio's outgoing requests are switched off, and the proxy settings point to a closed
port for any that remain.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from annotator_site import embedded_postgres
from annotator_site.postgres_cluster import EmbeddedPostgresError
from benchmarks.peers.label_studio_install import Installed, PeerError

HOST: Final = "127.0.0.1"
WORKERS: Final = 2
CHOICES: Final = tuple(f"class {n}" for n in range(10))
_SETUP_TIMEOUT_S: Final = 240.0
_START_TIMEOUT_S: Final = 60.0
_REQUEST_TIMEOUT_S: Final = 120.0
_TASKS_A_REQUEST: Final = 2_000

# The options in Label Studio's deploy/uwsgi.ini, except for the address, the log and `cheaper`, so
# that both workers run from the beginning.
_UWSGI_OPTIONS: Final = (
    "--module=core.wsgi:application",
    "--master",
    "--single-interpreter",
    f"--processes={WORKERS}",
    "--threads=1",
    "--die-on-term",
    "--buffer-size=65535",
    "--http-timeout=300",
    "--need-app",
    "--ignore-sigpipe",
    "--ignore-write-errors",
    "--disable-write-exception",
    "--harakiri=120",
    "--post-buffering=4096",
    "--disable-logging",
    "--enable-threads",
    "--thunder-lock",
    "--lazy-apps",
    "--max-requests=5000",
    "--reload-on-rss=2048",
)

_MAKE_PEOPLE: Final = """
import json, sys
import django
django.setup()
from organizations.models import Organization
from rest_framework.authtoken.models import Token
from users.models import User
users = [User.objects.create_user(email=f"person-{n}@localhost") for n in range(int(sys.argv[1]))]
organization = Organization.create_organization(
    created_by=users[0], title="Peer", legacy_api_tokens_enabled=True)
for user in users[1:]:
    organization.add_user(user)
User.objects.update(active_organization=organization)
print(json.dumps([Token.objects.get_or_create(user=user)[0].key for user in users]))
"""


@dataclass(frozen=True, slots=True)
class LabelStudio:
    """A running Label Studio with one project full of tasks, and its annotators' tokens."""

    port: int
    project: int
    tokens: tuple[str, ...]


@contextmanager
def serving(
    installed: Installed, *, people: int, tasks: int, say: Callable[[str], None]
) -> Iterator[LabelStudio]:
    """Label Studio with `tasks` unlabeled tasks and `people` users, until the end of the block.

    Raises PeerError if it cannot be set up or does not start.
    """
    var = Path(tempfile.mkdtemp(prefix="nowait-label-studio-"))
    var.chmod(0o711)  # run as root, PostgreSQL uses another account, which must pass through
    try:
        say("Starting PostgreSQL ...")
        embedded_postgres.ensure_running(var)
        env = _environment(var)
        say("Label Studio's migrations ...")
        _manage(installed, env, ["manage.py", "migrate", "--no-color", "--verbosity=0"])
        answer = _manage(installed, env, ["-c", _MAKE_PEOPLE, str(people)])
        tokens: list[str] = json.loads(answer.splitlines()[-1])
        with _uwsgi(installed, env, var / "uwsgi.log") as port:
            say(f"Importing {tasks:,} tasks ...")
            yield LabelStudio(port, _make_project(port, tokens[0], tasks), tuple(tokens))
    except EmbeddedPostgresError as error:
        raise PeerError(str(error)) from error
    finally:
        with suppress(EmbeddedPostgresError):
            embedded_postgres.stop(var)
        shutil.rmtree(var, ignore_errors=True)


def call(port: int, method: str, path: str, token: str, body: object = None) -> tuple[int, Any]:
    """One request to the JSON API: status and decoded answer (None if it is not JSON).

    Each request uses a new connection, because uWSGI's HTTP router closes connections after each
    answer. Raises OSError and HTTPException.
    """
    with closing(http.client.HTTPConnection(HOST, port, timeout=_REQUEST_TIMEOUT_S)) as client:
        client.request(
            method,
            path,
            body=None if body is None else json.dumps(body),
            headers={
                "Authorization": f"Token {token}",
                "Content-Type": "application/json",
                "Connection": "close",
            },
        )
        response = client.getresponse()
        data = response.read()
    with suppress(ValueError):
        return response.status, json.loads(data)
    return response.status, None


def _environment(var: Path) -> dict[str, str]:
    """Label Studio's environment, without our variables: it reads HOST, DEBUG, SECRET_KEY etc."""
    database = embedded_postgres.connection_settings(var)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(var),
        "DJANGO_SETTINGS_MODULE": "core.settings.label_studio",
        "LABEL_STUDIO_BASE_DATA_DIR": str(var / "label-studio"),
        "DJANGO_DB": "default",
        "POSTGRE_NAME": database["NAME"],
        "POSTGRE_USER": database["USER"],
        "POSTGRE_PASSWORD": "",
        "POSTGRE_HOST": database["HOST"],
        "POSTGRE_PORT": database["PORT"],
        # The bundled PostgreSQL has no contrib modules. Without their indexes, which serve text
        # search, Label Studio writes a little less.
        "SKIP_TRIGRAM_EXTENSION": "full",
        "SKIP_BTREE_GIN_EXTENSION": "full",
        "APP_WEBSERVER": "uwsgi",
        "LOG_LEVEL": "WARNING",
        "COLLECT_ANALYTICS": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LATEST_VERSION_CHECK": "False",
        "FEATURE_FLAGS_OFFLINE": "True",
        "HTTP_PROXY": f"http://{HOST}:9",
        "HTTPS_PROXY": f"http://{HOST}:9",
        "NO_PROXY": f"{HOST},localhost",
    }


def _manage(installed: Installed, env: dict[str, str], arguments: Sequence[str]) -> str:
    try:
        return subprocess.run(
            [str(installed.python), *arguments],
            cwd=installed.package,
            env=env,
            capture_output=True,
            check=True,
            text=True,
            timeout=_SETUP_TIMEOUT_S,
        ).stdout
    except subprocess.CalledProcessError as error:
        raise PeerError(f"Label Studio cannot be set up: {error.stderr[-500:]}") from error
    except subprocess.TimeoutExpired as error:
        raise PeerError(
            f"Label Studio was not set up within {_SETUP_TIMEOUT_S:.0f} s: is the machine busy?"
        ) from error


@contextmanager
def _uwsgi(installed: Installed, env: dict[str, str], log: Path) -> Iterator[int]:
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    command = [str(installed.environment / "bin" / "uwsgi"), f"--http={HOST}:{port}"]
    with log.open("wb") as output:
        # A new session, so that Ctrl-C reaches only this program, which then stops uWSGI.
        server = subprocess.Popen(
            [*command, *_UWSGI_OPTIONS],
            cwd=installed.package,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_answer(port, server, log)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(timeout=15.0)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _await_answer(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            if call(port, "GET", "/health", token="")[0] == http.client.OK:
                return
        time.sleep(0.2)
    told = log.read_text(encoding="utf-8", errors="replace")[-500:]
    raise PeerError(f"Label Studio did not answer within {_START_TIMEOUT_S:.0f} s: {told}")


def _make_project(port: int, token: str, tasks: int) -> int:
    """Create a project with ten image classes, `tasks` tasks and default settings."""
    choices = "".join(f'<Choice value="{name}"/>' for name in CHOICES)
    config = (
        '<View><Image name="image" value="$image"/>'
        f'<Choices name="choice" toName="image" choice="single">{choices}</Choices></View>'
    )

    def must(method: str, path: str, body: object = None) -> Any:
        try:
            status, answer = call(port, method, path, token, body)
        except (OSError, http.client.HTTPException) as error:
            raise PeerError(f"Label Studio broke off {method} {path}: {error}") from error
        if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
            raise PeerError(f"Label Studio answered {status} to {method} {path}: {answer}")
        return answer

    project = must("POST", "/api/projects/", {"title": "Peer", "label_config": config})["id"]
    for first in range(0, tasks, _TASKS_A_REQUEST):
        last = min(first + _TASKS_A_REQUEST, tasks)
        images = [{"image": f"/data/upload/{n}.png"} for n in range(first, last)]
        must("POST", f"/api/projects/{project}/import?return_task_ids=false", images)
    there = must("GET", f"/api/projects/{project}/")["task_number"]
    if there != tasks:
        raise PeerError(f"Label Studio has {there} tasks instead of {tasks}.")
    return int(project)
