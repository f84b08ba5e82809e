"""The bundled PostgreSQL under var/: created and started on demand, stopped by its last user.

    var/postgres/data     the cluster, mode 0700
    var/postgres/socket   its Unix socket, the only way in, mode 0700
    var/postgres.lock     held by the process that creates, starts or stops the server
    var/postgres.users    held (shared) by every process that needs the server, until it exits
    var/logs/postgres.log

The server itself is asked whether it runs, never a pid file: after a `kill -9` the pid file names
a process that is gone, or a different process with the same id. A client killed with -9 leaves a
healthy server behind, which the next start finds and uses; a server killed with -9 recovers from
its log when it is started again.
"""

import atexit
import fcntl
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from annotator_site.postgres_cluster import (
    DATABASE,
    OTHER_SERVER,
    PORT,
    USER,
    EmbeddedPostgresError,
    Place,
    data_owner,
    last_line,
    pg_ctl,
    prepare,
)

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.1


def connection_settings(var: Path) -> dict[str, str]:
    """NAME, USER, HOST and PORT of the bundled server, for Django; starts nothing."""
    host = str(Place(var.resolve()).socket_dir)
    return {"NAME": DATABASE, "USER": USER, "HOST": host, "PORT": str(PORT)}


def is_answering(var: Path) -> bool:
    """Whether the server answers a query, or refuses it but accepts connections.

    Connecting and the query may take 2 s each.
    """
    conninfo = _conninfo(var)
    try:
        with psycopg.connect(conninfo, options="-c statement_timeout=2000") as connection:
            connection.execute("SELECT 1")
            return True
    except psycopg.OperationalError:
        # 'too many clients already' is an answer as well: starting a server would not help.
        return _ping(conninfo) == psycopg.pq.Ping.OK


def ensure_running(var: Path, *, timeout_s: float = START_TIMEOUT_S) -> None:
    """Creates the cluster if there is none, starts it if needed; returns when the server answers.

    Safe to call from any number of processes at once, and again at any time. Raises
    EmbeddedPostgresError when the server does not answer within `timeout_s`.
    """
    place = Place(var.resolve())
    deadline = time.monotonic() + timeout_s
    with _locked(place, deadline):
        if is_answering(place.var):
            return
        system_user = prepare(place)
        while not is_answering(place.var):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"The bundled PostgreSQL did not answer within {timeout_s:.0f} s: "
                    f"see the end of {place.log}."
                )
            # REJECT: the server is starting up or recovering, so only wait.
            if _ping(_conninfo(place.var)) != psycopg.pq.Ping.REJECT:
                started = _start(place, system_user, deadline)
                if not started:
                    _clear_the_way(place)
            time.sleep(POLL_S)


def stop(var: Path) -> None:
    """Stops the server if it runs; open transactions are rolled back, committed data is on disk.

    Raises EmbeddedPostgresError when the server does not stop within STOP_TIMEOUT_S.
    """
    place = Place(var.resolve())
    with _locked(place, time.monotonic() + STOP_TIMEOUT_S):
        if not (place.data / "postmaster.pid").exists():
            return
        result = pg_ctl(
            place, data_owner(place), "stop", "-m", "fast", "-t", str(int(STOP_TIMEOUT_S))
        )
        if result.returncode != 0 and is_answering(place.var):
            raise EmbeddedPostgresError(
                f"The bundled PostgreSQL did not stop ({last_line(result.stderr)}): "
                f"see the end of {place.log}."
            )


def use(var: Path) -> None:
    """Starts the server for this process; the last process that used it stops it on exit."""
    place = Place(var.resolve())
    users = _open(place.var / "postgres.users")
    # Shared, for the life of the process. Waits while the last user is stopping the server.
    fcntl.flock(users, fcntl.LOCK_SH)
    atexit.register(_leave, place, users, os.getpid())
    ensure_running(place.var)


def _leave(place: Place, users: int, user_pid: int) -> None:
    if os.getpid() != user_pid:  # a fork of a user is not a user
        return
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    # The lock is held while the server stops: a new user waits, then starts the server again.
    with suppress(EmbeddedPostgresError):
        stop(place.var)
    os.close(users)


# --- starting ------------------------------------------------------------------------------------


def _start(place: Place, system_user: str | None, deadline: float) -> bool:
    """Starts the server once; False if another try may help. Raises EmbeddedPostgresError."""
    log_size = place.log.stat().st_size
    ours = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(place.socket_dir),
        "unix_socket_permissions": "0700",
    }
    options = " ".join(shlex.quote(f"--{name}={value}") for name, value in ours.items())
    wait_s = max(1, int(deadline - time.monotonic()))
    result = pg_ctl(
        place, system_user, "start", "-o", options, "-l", str(place.log), "-t", str(wait_s)
    )
    if result.returncode == 0:
        return True
    with place.log.open("rb") as log:
        log.seek(log_size)
        told = log.read().decode(errors="replace")
    # A killed postmaster leaves behind its children's shared memory and its lock files.
    if "pre-existing shared memory block" in told or "FATAL:  lock file" in told:
        return False
    reasons = [line for line in told.splitlines() if "FATAL:" in line or "PANIC:" in line]
    reason = reasons[-1] if reasons else last_line(told) or last_line(result.stderr)
    raise EmbeddedPostgresError(
        f"The bundled PostgreSQL does not start: {reason.strip()}. See the end of {place.log}."
    )


def _clear_the_way(place: Place) -> None:
    """Kills the children of a killed postmaster; without any, removes its misleading lock files.

    The children notice its death and exit, but a busy child only at the end of its query. All
    processes of the server have the cluster's folder as working directory; a process with
    children among them is a living postmaster, and then nothing is touched.
    """
    servers: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "postgres" and Path(process.cwd()) == place.data:
                servers[process.pid] = process
    for process in servers.values():
        with suppress(psutil.Error):
            if any(child.pid in servers for child in process.children()):
                return
    for process in servers.values():
        with suppress(psutil.Error):
            process.kill()
    if not servers:
        # The files name a process id that is reused (after a reboot, in a new container) or a
        # zombie's; PostgreSQL would take either for a living server.
        (place.data / "postmaster.pid").unlink(missing_ok=True)
        (place.socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


# --- small tools ---------------------------------------------------------------------------------


def _conninfo(var: Path) -> str:
    host = Place(var.resolve()).socket_dir
    return psycopg.conninfo.make_conninfo(
        host=str(host), port=PORT, user=USER, dbname=DATABASE, connect_timeout=2
    )


def _ping(conninfo: str) -> int:
    return psycopg.pq.PGconn.ping(conninfo.encode())


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"{path} cannot be opened ({error.strerror}): run as the user who owns {path.parent}, "
            f"set NOWAIT_VAR to another folder, or {OTHER_SERVER}."
        ) from error


@contextmanager
def _locked(place: Place, deadline: float) -> Iterator[None]:
    """Only one process at a time creates, starts or stops the server of a place.

    Raises EmbeddedPostgresError when the lock is not free before `deadline`.
    """
    descriptor = _open(place.var / "postgres.lock")
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"Another process has been starting or stopping the bundled PostgreSQL "
                        f"for too long: see the end of {place.log}."
                    ) from None
                time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)
