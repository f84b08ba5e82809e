"""The bundled PostgreSQL starts, survives kills of every kind, and is left behind by nobody."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from bundled_postgres import connection_url

from annotator_site import embedded_postgres, environment
from annotator_site.postgres_cluster import EmbeddedPostgresError, Place

ROOT = Path(__file__).resolve().parents[2]
# A program that uses the server of the folder in argv[1] and says so, until it is told to end.
USER = """
import pathlib, sys
from annotator_site import embedded_postgres
embedded_postgres.use(pathlib.Path(sys.argv[1]))
print("using it", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def var() -> Iterator[Path]:
    """A folder of state with a short path, and no server yet."""
    folder = Path(tempfile.mkdtemp(prefix="nowait-pg-"))
    environment.make_var(folder / "var")
    yield folder / "var"
    embedded_postgres.stop(folder / "var")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """The data of a server that was made and stopped: to make it takes longer than most tests."""
    folder = Path(tempfile.mkdtemp(prefix="nowait-pg-"))
    environment.make_var(folder / "var")
    embedded_postgres.ensure_running(folder / "var")
    embedded_postgres.stop(folder / "var")
    yield Place(folder / "var").data
    shutil.rmtree(folder)


@pytest.fixture
def made(var: Path, cluster: Path) -> Path:
    """A folder of state with a server that does not run."""
    lay(cluster, var)
    return var


def lay(cluster: Path, var: Path) -> None:
    """A copy of the data, its owner and modes included."""
    Place(var).root.mkdir()
    subprocess.run(["/bin/cp", "-a", cluster, Place(var).data], check=True)


def connect(var: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(connection_url(var), autocommit=True)


def postmaster(var: Path) -> psutil.Process:
    """Read from the pid file, which a test may trust: it has just talked to the server."""
    return psutil.Process(int((Place(var).data / "postmaster.pid").read_text().split()[0]))


def user_of(var: Path) -> subprocess.Popen[str]:
    """A process that uses the server; returns at once."""
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(var)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def await_use(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "using it\n"


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("end\n", timeout=60)
    assert process.returncode == 0


def test_a_new_server_is_durable_private_and_only_on_its_socket(var: Path) -> None:
    assert not embedded_postgres.is_answering(var)
    embedded_postgres.ensure_running(var)
    embedded_postgres.ensure_running(var)
    with connect(var) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            setting = connection.execute("SELECT current_setting(%s)", [name])
            assert setting.fetchone() == ("on",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.info.server_version >= 180_000
    place = Place(var)
    assert place.socket_dir == var / "postgres" / "socket"
    assert {path.stat().st_mode & 0o777 for path in (place.socket_dir, place.data)} == {0o700}
    embedded_postgres.stop(var)
    embedded_postgres.stop(var)
    assert not embedded_postgres.is_answering(var)


BEYOND_THE_SITE = {
    "a program": "COPY (SELECT 1) TO PROGRAM 'cat'",
    "a program's output": "CREATE TEMP TABLE t (x text); COPY t FROM PROGRAM 'id'",
    "a file": "COPY (SELECT 1) TO '/tmp/nowait-never'",
    "reading a file": "SELECT pg_read_file('PG_VERSION')",
    "the server's settings": "ALTER SYSTEM SET fsync = off",
    "another role": "CREATE ROLE intruder SUPERUSER",
    "itself": "ALTER ROLE nowait SUPERUSER",
    "code of the server": "CREATE FUNCTION f() RETURNS int AS 'libc', 'getpid' LANGUAGE c",
    "large objects of files": "SELECT lo_import('/etc/hostname')",
    "the catalog": "DELETE FROM pg_statistic",
}


def test_the_site_is_no_superuser(made: Path) -> None:
    embedded_postgres.ensure_running(made)
    with connect(made) as connection:
        for statement in BEYOND_THE_SITE.values():
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        # Its own database is its own.
        connection.execute("CREATE TABLE label (n int)")
        connection.execute("VACUUM (ANALYZE) label")


def test_what_was_committed_survives_every_kind_of_kill(made: Path) -> None:
    embedded_postgres.ensure_running(made)
    with connect(made) as connection:
        connection.execute("CREATE TABLE label (n int)")
        connection.execute("INSERT INTO label VALUES (1)")
    # The postmaster alone, with a child that is deep in a query and does not see it die.
    busy = connect(made)
    busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000000)")
    postmaster(made).kill()
    embedded_postgres.ensure_running(made)
    busy.close()
    with connect(made) as connection:
        connection.execute("INSERT INTO label VALUES (2)")
    # All of it.
    first = postmaster(made)
    for process in [first, *first.children()]:
        with suppress(psutil.NoSuchProcess):  # one of them may have ended with another
            process.kill()
    embedded_postgres.ensure_running(made)
    with connect(made) as connection:
        assert connection.execute("SELECT n FROM label ORDER BY n").fetchall() == [(1,), (2,)]


def test_a_pid_file_that_names_another_process_misleads_nobody(made: Path) -> None:
    embedded_postgres.ensure_running(made)
    owner = pwd.getpwuid(Place(made).data.stat().st_uid).pw_name
    pid_file = Place(made).data / "postmaster.pid"
    written = pid_file.read_text()
    embedded_postgres.stop(made)
    # As after a reboot: the same number is now a process of the same user, but no server.
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"] if os.geteuid() else ["cat"],
        stdin=subprocess.PIPE,
        user=owner if os.geteuid() == 0 else None,
        cwd="/",
    )
    try:
        pid_file.write_text(written.replace(written.split()[0], str(stranger.pid), 1))
        shutil.chown(pid_file, owner)
        embedded_postgres.ensure_running(made)
        assert embedded_postgres.is_answering(made)
        assert stranger.poll() is None
    finally:
        stranger.communicate()


def test_processes_that_start_together_share_one_server_and_the_last_stops_it(var: Path) -> None:
    users = [user_of(var) for _ in range(3)]
    for user in users:
        await_use(user)
    server = postmaster(var)
    for user in users:
        assert embedded_postgres.is_answering(var)
        assert postmaster(var) == server
        end(user)
    assert not embedded_postgres.is_answering(var)


def test_a_killed_user_leaves_a_server_that_the_next_one_finds_and_stops(made: Path) -> None:
    killed = user_of(made)
    await_use(killed)
    server = postmaster(made)
    killed.kill()
    killed.communicate()
    assert embedded_postgres.is_answering(made)
    following = user_of(made)
    await_use(following)
    assert postmaster(made) == server
    end(following)
    assert not embedded_postgres.is_answering(made)


def test_a_cluster_whose_making_was_killed_is_made_anew(var: Path) -> None:
    unfinished = var / "postgres" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    embedded_postgres.ensure_running(var)
    assert not unfinished.exists()


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(var: Path, cluster: Path) -> None:
    long = var / ("a" * 100)
    environment.make_var(long)
    lay(cluster, long)
    folder = Place(long).socket_dir
    assert len(str(folder)) < 40
    try:
        embedded_postgres.ensure_running(long)
        assert embedded_postgres.is_answering(long)
        assert folder.stat().st_mode & 0o777 == 0o700
        embedded_postgres.stop(long)
        folder.chmod(0o755)
        with pytest.raises(EmbeddedPostgresError, match="is not private to the user"):
            embedded_postgres.ensure_running(long)
    finally:
        shutil.rmtree(folder)


def test_a_cluster_of_another_version_is_refused_with_the_remedy(made: Path) -> None:
    (Place(made).data / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 16.*pg_upgrade"):
        embedded_postgres.ensure_running(made)


def test_a_server_that_cannot_start_says_why(made: Path) -> None:
    with (Place(made).data / "postgresql.conf").open("a") as file:
        file.write("max_connections = many\n")
    with pytest.raises(EmbeddedPostgresError, match=r"does not start: .*See the end of .*\.log"):
        embedded_postgres.ensure_running(made)
