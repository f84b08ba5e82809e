"""A site whose processes are killed while people label comes back and loses nothing.

All tests of this file share one site, so that each fault meets the state that earlier faults left.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from .checker import violations
from .site import ENGINE, SERVER, WEB, WORKER, Site, a_site, kill_all, people, until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="children end with a killed parent on Linux only"
)
SLUG = "digits"
# Labels before a fault: everybody then has a full buffer, and a training may be under way.
BEFORE = 40


@dataclass
class Course:
    """The site, and all labels acknowledged so far."""

    site: Site
    journal: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
def course() -> Iterator[Course]:
    with a_site() as site:
        site.start("demo", "--servers=1", "--workers=4")
        yield Course(site)
        until(lambda: is_settled(site), "everybody to be at work")
        told = site.stop(signal.SIGUSR1)
        assert site.all_processes() == [], "they were left behind"
        assert "Traceback" not in (text := "\n".join(told)), text
        for drained in ("engine", "server-digits-1"):
            assert f"{drained} finishes what it is at, and ends" in text, text


def is_settled(site: Site) -> bool:
    """Whether the server and the four workers have begun work in the present processes."""
    pids = [process.pid for process in (*site.find(WORKER), *site.find(SERVER))]
    rows = site.rows(
        """SELECT 1 FROM pools_engineprocess
           WHERE pid = ANY(%(pids)s) AND state NOT IN ('starting', 'stopped')""",
        pids=pids,
    )
    return len(rows) == 5


def label_through(
    course: Course, fault: Callable[[], None], report: Callable[[str], None], *, after: int = 100
) -> None:
    """Let people label through a fault to their end, then check all invariants."""
    site = course.site
    with people(site, SLUG, labels=BEFORE + after) as crowd:
        crowd.until_labels(BEFORE)
        began, version = time.monotonic(), site.newest_version()
        fault()
        course.journal += crowd.end()
        report(f"back after {crowd.longest_pause_s(began):.2f} s")
    assert violations(site, course.journal) == []
    until(lambda: site.newest_version() > version, "a newer model")


@pytest.fixture
def report(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], None]:
    """Prints a measured figure, whether the test passes or not."""

    def tell(figure: str) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {figure}", flush=True)

    return tell


def test_the_web_process_is_killed(course: Course, report: Callable[[str], None]) -> None:
    def fault() -> None:
        kill_all([course.site.until_there(WEB)])

    label_through(course, fault, report)


def test_a_worker_process_is_killed(course: Course, report: Callable[[str], None]) -> None:
    def fault() -> None:
        kill_all([course.site.until_there(WORKER)])

    # More labels than S and people's buffers held, so S must have been refilled.
    label_through(course, fault, report, after=250)


def test_the_server_is_killed_in_a_training(course: Course, report: Callable[[str], None]) -> None:
    site = course.site

    def is_training() -> bool:
        return site.rows(
            "SELECT 1 FROM pools_engineprocess WHERE role = 'server' AND state LIKE 'training %%'"
        ) == [(1,)]

    def fault() -> None:
        while True:
            until(is_training, "a training")
            server = site.until_there(SERVER)
            server.suspend()
            if is_training():
                kill_all([server])
                return
            server.resume()

    label_through(course, fault, report)


def test_the_database_is_killed(course: Course, report: Callable[[str], None]) -> None:
    def fault() -> None:
        kill_all(course.site.postgres())

    label_through(course, fault, report)


def test_everything_is_killed_and_started_again(
    course: Course, report: Callable[[str], None]
) -> None:
    site = course.site

    def fault() -> None:
        assert site.process is not None
        up = psutil.Process(site.process.pid)
        kill_all([up, *up.children(recursive=True), *site.postgres()])
        site.process.wait()
        site.start("up", "--servers=1", "--workers=4")

    label_through(course, fault, report)
    assert len(site.find(ENGINE)) == len(site.find(WEB)) == 1
