"""What an export is written to: every kind of target, and every way in which it can fail."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from al_engine.outputs import OutputError, ReaderGone, is_plain_file, open_output

NOBODY = 65_534
WORDS = "Bär\r\n".encode()


def written(target: Path | str, data: bytes = WORDS) -> None:
    with open_output(str(target)) as file:
        file.write(data)


def half_of(target: Path) -> None:
    with open_output(str(target)) as file:
        file.write(b"half of")
        file.flush()
        raise RuntimeError


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def nothing(place: Path) -> Path:
    return place / "out"


def file(place: Path) -> Path:
    (place / "out").write_bytes(b"what was there before, and longer than what comes")
    (place / "out").chmod(0o640)
    return place / "out"


def longest_name(place: Path) -> Path:
    return place / ("n" * 255)


def link(place: Path) -> Path:
    (place / "deep").mkdir()
    (place / "deep" / "real").write_bytes(b"before")
    (place / "out").symlink_to("deep/real")
    return place / "out"


def link_to_link(place: Path) -> Path:
    link(place)
    (place / "other").symlink_to(place / "out")
    return place / "other"


def link_to_nothing(place: Path) -> Path:
    (place / "out").symlink_to(place / "not yet")
    return place / "out"


def link_as_folder(place: Path) -> Path:
    (place / "real").mkdir()
    (place / "folder").symlink_to("real")
    return place / "folder" / "out"


FILES = [nothing, file, longest_name, link, link_to_link, link_to_nothing, link_as_folder]


@pytest.mark.parametrize("make", FILES, ids=lambda make: str(make.__name__))
@pytest.mark.parametrize("fails", [False, True])
def test_a_file_is_whole_or_as_before_and_links_stay_links(
    make: Callable[[Path], Path], fails: bool, tmp_path: Path
) -> None:
    target = make(tmp_path)
    before = target.read_bytes() if target.exists() else None
    mode = target.stat().st_mode if before is not None else None
    links = [each for each in tmp_path.iterdir() if each.is_symlink()]
    assert is_plain_file(str(target))

    if fails:
        with pytest.raises(RuntimeError):
            half_of(target)
        assert (target.read_bytes() if target.exists() else None) == before
    else:
        written(target)
        assert target.read_bytes() == WORDS
        assert mode in (None, target.stat().st_mode)
    assert all(each.is_symlink() for each in links)
    assert not list(tmp_path.rglob(".*.part"))


@pytest.mark.parametrize("by_link", [False, True])
def test_a_pipe_stays_a_pipe_and_gets_everything(by_link: bool, tmp_path: Path) -> None:
    pipe = target = tmp_path / "fifo"
    os.mkfifo(pipe)
    if by_link:
        target = tmp_path / "link"
        target.symlink_to("fifo")
    got: list[bytes] = []
    reader = Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()

    written(target, WORDS * 50_000)

    reader.join()
    assert got == [WORDS * 50_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert target.is_symlink() == by_link


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/null")
    for target in ("/dev/null", str(tmp_path / "link")):
        assert not is_plain_file(target)
        written(target)
        assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert (tmp_path / "link").is_symlink()


PROGRAM = """
import sys
from al_engine.outputs import OutputError, open_output
try:
    with open_output(sys.argv[1]) as file:
        file.write("Bär".encode() * 3)
except OutputError as error:
    sys.exit(str(error))
"""
OWN = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1"]


def program(target: str, redirection: str, cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    shell = f'exec "$0" -c "$1" "$2" {redirection}'
    return subprocess.run(
        ["/bin/sh", "-c", shell, sys.executable, PROGRAM, target],
        cwd=cwd, capture_output=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "LC_ALL": "C"},
    )  # fmt: skip


@pytest.mark.parametrize("target", OWN)
def test_a_descriptor_is_written_where_it_stands(target: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before,")

    appended = program(target, ">> log", tmp_path)

    assert (appended.returncode, appended.stderr) == (0, b"")
    assert (tmp_path / "log").read_text(encoding="utf-8") == "before,BärBärBär"
    assert program(target, "| cat", tmp_path).stdout.decode() == "BärBärBär"
    assert names_in(tmp_path) == ["log"]


@pytest.mark.parametrize(
    ("target", "redirection"),
    [*((target, ">&-") for target in OWN), ("/dev/fd/9", ""), ("/dev/stdin", "< /dev/null")],
)
def test_a_descriptor_that_is_closed_or_read_only_ends_in_a_line(
    target: str, redirection: str, tmp_path: Path
) -> None:
    done = program(target, redirection, tmp_path)

    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1, done.stderr
    assert b"cannot be written (Bad file descriptor)" in done.stderr


def full(place: Path) -> str:
    return "/dev/full"


def folder(place: Path) -> str:
    return str(place)


def folder_by_link(place: Path) -> str:
    (place / "link").symlink_to(place)
    return str(place / "link")


def folder_not_there(place: Path) -> str:
    return str(place / "nowhere" / "out")


def folder_to_be(place: Path) -> str:
    return f"{place}/out/"


def below_a_file(place: Path) -> str:
    return str(file(place) / "out")


def link_in_a_circle(place: Path) -> str:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    return str(place / "a")


def name_too_long(place: Path) -> str:
    return str(place / ("n" * 256))


def server(place: Path) -> str:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place / "s"))
    return str(place / "s")


def no_name(place: Path) -> str:
    return ""


FAILURES = [
    (full, "No space left on device"),
    (folder, "is a folder: name a file"),
    (folder_by_link, "is a folder: name a file"),
    (folder_to_be, "is a folder: name a file"),
    (no_name, "is a folder: name a file"),
    (folder_not_there, "No such file or directory"),
    (below_a_file, "Not a directory"),
    (link_in_a_circle, "Too many levels of symbolic links"),
    (name_too_long, "File name too long"),
    (server, "No such device or address"),
]


@pytest.mark.parametrize(("make", "reason"), FAILURES)
def test_what_cannot_be_written_says_so_in_a_line(
    make: Callable[[Path], str], reason: str, tmp_path: Path
) -> None:
    target = make(tmp_path)
    before = names_in(tmp_path)

    with pytest.raises(OutputError, match=reason) as caught:
        written(target)

    assert "\n" not in str(caught.value)
    assert target in str(caught.value)
    assert names_in(tmp_path) == before


@pytest.mark.parametrize("size", [3, 1_000_000])
def test_a_pipe_that_nobody_reads_any_more_says_so(size: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = Thread(target=lambda: os.close(os.open(tmp_path / "fifo", os.O_RDONLY)))
    reader.start()

    with pytest.raises(ReaderGone, match="fifo: nobody reads it any more") as caught:
        written_once_alone(tmp_path / "fifo", reader, b"x" * size)

    assert "\n" not in str(caught.value)


def written_once_alone(target: Path, reader: Thread, data: bytes) -> None:
    with open_output(str(target)) as file:
        reader.join()
        file.write(data)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else for a moment")
@pytest.mark.parametrize("what", ["folder", "file", "closed folder"])
def test_what_may_not_be_written_says_so(what: str) -> None:
    # Not below tmp_path, which nobody else may enter.
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "out").write_text("before")
        place.chmod({"folder": 0o755, "file": 0o777, "closed folder": 0o700}[what])
        (place / "out").chmod(0o444)
        target = place / ("new" if what == "folder" else "out")
        os.seteuid(NOBODY)
        try:
            with pytest.raises(OutputError, match="Permission denied") as caught:
                written(target)
        finally:
            os.seteuid(0)
        assert "\n" not in str(caught.value)
        assert names_in(place) == ["out"]
        assert (place / "out").read_text() == "before"
