"""Files are decoded in children that may die: what ends one is refused, and nothing else is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hostile_pictures import png, scanned
from pictures import picture

from annotator_site.importing.decoder import DecoderNotStarted, Limits
from annotator_site.importing.decoders import Decoders
from annotator_site.importing.image_files import BrokenImageError, inspect_image

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as made:
        yield made


def state_of(pid: int) -> str:
    """As Linux has it; "" for a process that is no more."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return told.rpartition(") ")[2][0].replace("Z", "")


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    "data",
    [
        picture(),
        picture("WEBP", (300, 200)),
        picture("JPEG", (3000, 2500), mode="CMYK"),
        png(4000, 3000),
        picture()[:40],
        b"",
        b"\x89PNG",
        scanned((16, 16), 5000),
        png(20_000_000, 1),
    ],
    ids=["small", "webp", "large", "largest", "cut", "empty", "head", "scans", "row"],
)
def test_a_child_says_what_this_process_would(data: bytes, decoders: Decoders) -> None:
    said: list[object] = []
    for inspect in (inspect_image, decoders.inspect):
        try:
            said.append(inspect(data))
        except BrokenImageError as error:
            said.append(str(error))
    assert said[0] == said[1]


def test_many_threads_share_few_children(decoders: Decoders) -> None:
    pictures = [picture(size=(9 + n % 5, 7), shade=n) for n in range(200)]
    pictures[50] = png(3000, 3000)
    pictures[70] = png(3001, 3000)
    with ThreadPoolExecutor(8) as threads:
        widths = [facts.width for facts in threads.map(decoders.inspect, pictures)]
    assert widths[:50] == [9 + n % 5 for n in range(50)]
    assert (widths[50], widths[70]) == (3000, 3001)
    assert 1 <= len(decoders.pids()) <= 4


def test_a_child_has_limits_and_none_of_its_parent_s_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_KEY", "s-e-c-r-e-t")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:s-e-c-r-e-t@h/d")
    with Decoders(Limits(cpu_seconds=7, memory_bytes=999 * MIB)) as decoders:
        for shade in range(3):
            decoders.inspect(picture(shade=shade))
        (pid,) = decoders.pids()
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    soft = {line[:25].strip(): line[25:46].strip() for line in limits}
    assert soft["Max cpu time"] == "8"  # and what the start took
    assert soft["Max address space"] == str(999 * MIB)
    assert (soft["Max file size"], soft["Max core file size"]) == ("0", "0")
    assert b"s-e-c-r-e-t" not in environment


def test_a_file_that_takes_too_much_memory_is_refused_and_its_child_replaced() -> None:
    with Decoders(Limits(memory_bytes=200 * MIB)) as decoders:
        decoders.inspect(picture())
        (first,) = decoders.pids()
        with pytest.raises(BrokenImageError, match="takes more than 200 MiB of memory to decode"):
            decoders.inspect(png(5000, 5000))
        assert decoders.inspect(picture()).width == 8
        assert first not in decoders.pids()
    assert state_of(first) == ""


@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGSTOP, "takes more than 1 s to decode"), (signal.SIGXCPU, "more than 30 s to")],
)
def test_a_child_that_takes_too_long_is_replaced(number: signal.Signals, reason: str) -> None:
    with Decoders(Limits(seconds=1.0)) as decoders, ThreadPoolExecutor(1) as threads:
        decoders.inspect(picture())
        (pid,) = decoders.pids()
        os.kill(pid, signal.SIGSTOP)
        until(lambda: state_of(pid) == "T")
        asked = threads.submit(decoders.inspect, picture())
        os.kill(pid, number)
        if number != signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)
        with pytest.raises(BrokenImageError, match=reason):
            asked.result()
        assert decoders.inspect(picture()).width == 8
        assert pid not in decoders.pids()
    assert state_of(pid) == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_dies_once_was_not_ended_by_its_file(number: signal.Signals) -> None:
    with Decoders() as decoders, ThreadPoolExecutor(1) as threads:
        decoders.inspect(picture())
        (pid,) = decoders.pids()
        os.kill(pid, signal.SIGSTOP)
        until(lambda: state_of(pid) == "T")
        asked = threads.submit(decoders.inspect, picture(size=(5, 5)))
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
        assert asked.result().width == 5
        assert pid not in decoders.pids()


def test_the_end_waits_for_nobody_and_leaves_nobody() -> None:
    with ThreadPoolExecutor(1) as threads, Decoders() as decoders:
        decoders.inspect(picture())
        pids = decoders.pids()
        os.kill(pids[0], signal.SIGSTOP)
        asked = threads.submit(decoders.inspect, picture())
        until(lambda: decoders.pids() == pids and asked.running())
    with pytest.raises(DecoderNotStarted):
        asked.result()
    assert [state_of(pid) for pid in pids] == [""]


def test_who_is_in_line_at_the_end_or_comes_after_it_is_told_the_same() -> None:
    with ThreadPoolExecutor(2) as threads, Decoders(files=1) as decoders:
        decoders.inspect(picture())
        (pid,) = decoders.pids()
        os.kill(pid, signal.SIGSTOP)
        asked = [threads.submit(decoders.inspect, picture()) for _ in range(2)]
        until(lambda: decoders._threads._work_queue.qsize() == 1)
    for each in asked:
        with pytest.raises(DecoderNotStarted):
            each.result()
    with pytest.raises(DecoderNotStarted):
        decoders.inspect(picture())


PROGRAM = """
import os, sys, time
sys.path.insert(0, "tests")
from pictures import picture
from annotator_site.importing.decoders import Decoders
with Decoders() as decoders:
    decoders.inspect(picture())
    print(*decoders.pids(), flush=True)
    time.sleep(60)
"""


def test_children_end_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert state_of(pid)
        parent.kill()
    until(lambda: state_of(pid) == "")


def test_a_child_that_does_not_start_is_no_fault_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Decoders() as decoders, pytest.raises(DecoderNotStarted, match="does not start"):
        decoders.inspect(picture())
