"""The whole site on one machine, supervised by one process: what `up` and `demo` run.

This process owns the listening socket, which the web processes share: while a web process is
restarted, connection attempts wait in the socket's backlog instead of being refused.
"""

import errno
import fcntl
import http.client
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from al_engine.supervision.child import Child
from al_engine.supervision.child_output import say
from al_engine.supervision.supervisor import Supervisor
from al_engine.supervision.watch import Watch
from annotator_site import embedded_postgres

ASGI_APPLICATION = "annotator_site.asgi:application"
UVICORN = "annotator_site.network.with_uvicorn"  # uvicorn's protocols with this site's limits
ASGI_SERVERS = ("daphne", "uvicorn")
THIS_MACHINE = "127.0.0.1"
EVERY_NETWORK = "0.0.0.0"  # noqa: S104 - intended and documented
MAX_MESSAGE_BYTES = 131_072  # of a WebSocket; the largest message of the protocol is far smaller
PING_INTERVAL_S = 20
# Connections that may wait to be accepted, for example while a web process restarts.
BACKLOG = 4096
# daphne drops a pending handshake after this; the site admits or refuses it before.
HANDSHAKE_TIMEOUT_S = 20
WEB_STOP_TIMEOUT_S = 10.0
ENGINE_STOP_TIMEOUT_S = 20.0  # a server may be writing a checkpoint
# Key of the advisory lock that a migrating process holds; no other program locks on this number.
MIGRATION_LOCK = 0x4E6F7761_69740001


@dataclass(frozen=True)
class SiteOptions:
    """The options of `up`. `servers` and `workers`: None takes the campaign's settings.

    `bind`: an IPv4 address of this machine; None: the default of `listen`.
    """

    port: int = 8000
    bind: str | None = None
    web: int = 1
    asgi_server: str = "daphne"
    servers: int | None = None
    workers: int | None = None


@dataclass(frozen=True)
class RunningSite:
    """A site whose web processes answer. `supervisor` adds children, and its `stop` ends the site.

    `address` is for people, `host` and `port` for programs of this machine.
    """

    address: str
    host: str
    port: int
    supervisor: Supervisor


def prepare_database() -> None:
    """Applies pending migrations; refuses a server that could lose acknowledged labels.

    Processes that call it at the same time take turns. Raises CommandError (SystemCheckError).
    """
    with connection.cursor() as cursor:
        # Another process's migration may take longer than the usual lock_timeout.
        cursor.execute("SET lock_timeout = '10min'")
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
    try:
        call_command("migrate", interactive=False, verbosity=0, skip_checks=False)
    finally:
        connection.close()  # releases the lock and resets lock_timeout


def listen(port: int, bind: str | None = None) -> socket.socket:
    """A socket that listens on `port` (0: any free port) of the address `bind`.

    Without `bind` it listens on all networks, but only on the loopback address if the site is for
    this machine only (`THIS_MACHINE_ONLY`) or behind a proxy, which must not be bypassed. Raises
    CommandError if the address or the port cannot be used.
    """
    if bind is None:
        from_here = settings.THIS_MACHINE_ONLY or settings.BEHIND_PROXY
        bind = THIS_MACHINE if from_here else EVERY_NETWORK
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit this option, and uvicorn does not set it for an inherited
        # socket. Without it the second of two frames waits 40 ms for the client's delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((bind, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise CommandError(f"{bind} is no address of this machine: see `ip addr`.") from error
        raise CommandError(
            f"Port {port} cannot be had ({error.strerror}): end the program that uses it, or "
            f"choose another one, like --port {port + 1 if port >= 1024 else 8000}."
        ) from error
    return listener


def run_site(
    options: SiteOptions,
    *,
    on_ready: Callable[[RunningSite], None] | None = None,
    more_children: Sequence[Child] = (),
) -> None:
    """Runs web and engine until SIGTERM or Ctrl-C, or until the supervisor's `stop`.

    Call it in the main thread, with the database running. `on_ready` is called in a separate
    thread once the web answers. Raises CommandError if the port cannot be used, or if another site
    uses the same folder of state.
    """
    with _only_one(), closing(listen(options.port, options.bind)) as listener:
        say("Preparing the database …")
        prepare_database()
        supervisor = Supervisor(
            [*_web_children(listener, options), _engine_child(options), *more_children],
            watches=_watches(),
            log_dir=settings.VAR / "logs",
        )
        host, port = listener.getsockname()
        waiter = threading.Thread(
            target=_await_web, args=(supervisor, host, port, on_ready), daemon=True
        )
        waiter.start()
        supervisor.run()
        waiter.join(timeout=5.0)


@contextmanager
def _only_one() -> Iterator[None]:
    """Lock the folder of state: two sites on it would give every campaign two engines.

    Raises CommandError if another site holds the lock.
    """
    with (settings.VAR / "up.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"Another `up` or `demo` runs with the state in {settings.VAR}: stop it first, or "
                "set NOWAIT_VAR to another folder."
            ) from error
        yield


def _watches() -> list[Watch]:
    if not settings.USES_BUNDLED_POSTGRES:
        return []
    return [
        Watch(
            "PostgreSQL",
            is_alive=lambda: embedded_postgres.is_answering(settings.VAR),
            revive=lambda: embedded_postgres.ensure_running(settings.VAR),
        )
    ]


def _web_children(listener: socket.socket, options: SiteOptions) -> list[Child]:
    descriptor = listener.fileno()
    return [
        Child(
            f"web-{number}",
            web_argv(options.asgi_server, descriptor),
            env={"NOWAIT_ROLE": "web"},
            cwd=settings.BASE_DIR,
            pass_fds=(descriptor,),
            stop_timeout_s=WEB_STOP_TIMEOUT_S,
        )
        for number in range(1, options.web + 1)
    ]


def web_argv(asgi_server: str, descriptor: int) -> list[str]:
    """The command of a web process that serves on an inherited listening socket."""
    argv = [sys.executable, "-m", asgi_server, f"--fd={descriptor}"]
    if asgi_server == "daphne":
        argv += ["--verbosity=0", "--no-server-name", f"--ping-interval={PING_INTERVAL_S}"]
        argv += [f"--websocket-max-message-size={MAX_MESSAGE_BYTES}"]
        argv += [f"--websocket-max-frame-size={MAX_MESSAGE_BYTES}"]
        argv += [f"--websocket_connect_timeout={HANDSHAKE_TIMEOUT_S}"]
    else:
        argv += [f"--http={UVICORN}:Http", f"--ws={UVICORN}:Socket"]
        argv += ["--log-level=warning", "--no-access-log", "--no-server-header", "--lifespan=off"]
        argv += [f"--backlog={BACKLOG}"]
        argv += [f"--ws-ping-interval={PING_INTERVAL_S}", f"--ws-max-size={MAX_MESSAGE_BYTES}"]
        argv += [f"--timeout-graceful-shutdown={int(WEB_STOP_TIMEOUT_S) - 2}"]
        argv += ["--no-proxy-headers"]  # `network/proxies.py` reads them
    return [*argv, ASGI_APPLICATION]


def _engine_child(options: SiteOptions) -> Child:
    """The engine of all campaigns."""
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "run_engine"]
    if options.servers is not None:
        argv.append(f"--servers={options.servers}")
    if options.workers is not None:
        argv.append(f"--workers={options.workers}")
    return Child(
        "engine",
        argv,
        env={"NOWAIT_ROLE": "engine"},
        cwd=settings.BASE_DIR,
        stop_timeout_s=ENGINE_STOP_TIMEOUT_S,
        drains=True,
    )


def _await_web(
    supervisor: Supervisor, bound: str, port: int, on_ready: Callable[[RunningSite], None] | None
) -> None:
    host = THIS_MACHINE if bound == EVERY_NETWORK else bound
    while not _answers(host, port):
        if supervisor.stopping.wait(0.1):
            return
    address = _address(port)
    say(f"Nowait is ready: {address}")
    if settings.HTTPS and not settings.BEHIND_PROXY:
        say(
            "HTTPS is on, so every page sends browsers to https://. Set BEHIND_PROXY=1 once a "
            "proxy in front does that part, or HTTPS=0 for plain http."
        )
    if settings.BEHIND_PROXY and not ip_address(bound).is_loopback:
        say(
            f"Whoever reaches port {port} past the proxy can name any address as theirs: let a "
            "firewall close it to all but the proxy."
        )
    if on_ready is not None:
        on_ready(RunningSite(address, host, port, supervisor))


def _answers(host: str, port: int) -> bool:
    """Whether a web process answers without a server error; a redirect counts as an answer."""
    client = http.client.HTTPConnection(host, port, timeout=2.0)
    with suppress(OSError, http.client.HTTPException), closing(client):
        client.request("GET", "/healthz", headers={"Host": _host()})
        return client.getresponse().status < 500
    return False


def _host() -> str:
    """A host name that this site accepts."""
    name: str = settings.ALLOWED_HOSTS[0].lstrip(".")
    return "localhost" if name == "*" else name


def _address(port: int) -> str:
    if settings.BEHIND_PROXY:
        return f"{'https' if settings.HTTPS else 'http'}://{_host()}/ (port {port} here)"
    return f"http://{_host()}:{port}/"
