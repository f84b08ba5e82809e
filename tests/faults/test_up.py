"""`manage.py up` restarts killed processes, and leaves nothing behind when it is stopped."""

import http.client
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from annotator_site import embedded_postgres, environment, running
from annotator_site.postgres_cluster import Place

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


@pytest.fixture
def var() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="nowait-up-"))
    environment.make_var(folder / "var")
    yield folder / "var"
    embedded_postgres.stop(folder / "var")
    shutil.rmtree(folder)


def up(var: Path, *options: str) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.Popen(
        [sys.executable, "manage.py", "up", *options],
        cwd=ROOT,
        env={**env, "NOWAIT_VAR": str(var), "NOWAIT_ROLE": ""},
        stderr=subprocess.PIPE,
        text=True,
    )


def await_line(process: subprocess.Popen[str], part: str) -> str:
    """The next line on stderr that contains `part`."""
    assert process.stderr is not None
    for line in process.stderr:
        if part in line:
            return line
    raise AssertionError(f"it ended without saying {part!r}")


def status(port: int, path: str) -> int:
    with closing(http.client.HTTPConnection("localhost", port, timeout=30.0)) as client:
        client.request("GET", path)
        return client.getresponse().status


def await_service(port: int) -> None:
    """Return once a page that needs the database is served; no connection may be refused."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if status(port, "/readyz") == 200:
                return
        except (http.client.HTTPException, ConnectionResetError):
            pass  # the killed process had accepted this request
        assert time.monotonic() < deadline
        time.sleep(0.05)


def await_end(process: psutil.Process) -> None:
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], PATIENCE_S)[0], "it lives on"
    finally:
        os.close(descriptor)


def the_web_of(pid: int) -> psutil.Process:
    """The web process of an `up` with this process id."""
    (web,) = (
        child
        for child in psutil.Process(pid).children()
        if running.ASGI_APPLICATION in child.cmdline()
    )
    return web


def postmaster(var: Path) -> psutil.Process:
    return psutil.Process(int((Place(var).data / "postmaster.pid").read_text().split()[0]))


@pytest.mark.skipif(sys.platform != "linux", reason="children end with a killed parent on Linux")
@pytest.mark.parametrize("asgi_server", running.ASGI_SERVERS)
def test_up_comes_back_from_every_kill_and_stops_cleanly(var: Path, asgi_server: str) -> None:
    with up(var, "--port=0", f"--asgi-server={asgi_server}") as first:
        port = int(await_line(first, "Nowait is ready: ").rpartition(":")[2].strip(" /\n"))
        await_service(port)

        web = the_web_of(first.pid)
        web.kill()
        await_line(first, "web-1 was killed by SIGKILL; it is started again")
        await_service(port)

        server = postmaster(var)
        for process in [server, *server.children()]:
            process.kill()
        await_line(first, "PostgreSQL answers again")
        await_service(port)

        web = the_web_of(first.pid)
        first.kill()
        first.wait(PATIENCE_S)
        await_end(web)

    with up(var, f"--port={port}", f"--asgi-server={asgi_server}") as second:
        await_line(second, f"Nowait is ready: http://localhost:{port}/")
        await_service(port)
        with up(var, "--port=0") as third:
            _, told = third.communicate(timeout=PATIENCE_S)
        assert third.returncode == 1
        assert told.startswith("CommandError: Another `up` or `demo` runs")
        children = psutil.Process(second.pid).children(recursive=True)
        assert children
        second.terminate()
        assert second.wait(PATIENCE_S) == 0
        assert second.stderr is not None
        assert second.stderr.read() == ""
        assert not any(child.is_running() for child in children)
    assert not embedded_postgres.is_answering(var)


def test_a_port_in_use_is_told_with_the_remedy(var: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with up(var, f"--port={port}") as refused:
            _, told = refused.communicate(timeout=PATIENCE_S)
    assert refused.returncode == 1
    assert told.startswith(f"CommandError: Port {port} cannot be had (Address already in use)")
    assert told.count("\n") == 1
