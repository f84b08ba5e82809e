"""An import of hostile files among sound ones refuses each by name, and goes on."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest
from hostile_pictures import png, scanned
from pictures import picture, png_header, write_folder

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Image
from annotator_site.importing.decoder import Limits
from annotator_site.importing.image_import import import_images

pytestmark = pytest.mark.django_db(transaction=True)

LIMITS = Limits(memory_bytes=200 * 1024 * 1024)
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "scans.jpg": (lambda: scanned((3000, 3000), 5000), "so many scans"),
    "memory.png": (lambda: png(5000, 5000), "takes more than 200 MiB of memory"),
    "bomb.png": (lambda: png_header(50_000, 50_000), "more than 25 megapixels"),
    "row.png": (lambda: png(5_000_000, 1), "a side of more than"),
    "cut.png": (lambda: picture(size=(90, 90))[:-30], "damaged"),
    "cut.jpg": (lambda: picture("JPEG", (90, 90))[:-200], "damaged"),
    "cut.webp": (lambda: picture("WEBP", (90, 90))[:-20], "damaged"),
    "header.png": (lambda: picture()[:30], "damaged"),
    "empty.png": (lambda: b"", "the file is empty"),
    "text.png": (lambda: b"some text that is no picture", "not a JPEG"),
}


@pytest.fixture
def campaign() -> Campaign:
    return campaigns.create_campaign(
        slug="pets", choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog")]
    )


def children() -> list[int]:
    """The decoders of this process that live, or were not waited for."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, path.read_text().split()):
            with suppress(FileNotFoundError, ProcessLookupError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"decoder_child" in line or not line:
                    found.append(pid)
    return found


def seconds_used(pid: int) -> float:
    """Of a processor."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def test_each_hostile_file_is_refused_by_name_and_its_neighbors_come_in(
    campaign: Campaign, tmp_path: Path
) -> None:
    files = {
        f"{place:02}/{name}": make() for place, (name, (make, _)) in enumerate(HOSTILE.items())
    }
    for place in range(len(files) + 1):
        files[f"{place:02}/sound.png"] = picture(shade=place + 1)

    report = import_images(
        campaign=campaign, source=write_folder(tmp_path, files), known="none", limits=LIMITS
    )

    assert report.added == len(HOSTILE) + 1
    assert Image.objects.exclude(name__endswith="/sound.png").count() == 0
    told = {name.partition("/")[2]: reason for name, reason in report.broken}
    assert set(told) == set(HOSTILE)
    for name, (_, reason) in HOSTILE.items():
        assert reason in told[name]
    assert children() == []


@pytest.mark.parametrize(
    ("number", "always", "limits", "reason"),
    [
        (signal.SIGSTOP, True, Limits(seconds=2.0), "takes more than 2 s to decode"),
        (signal.SIGSEGV, True, Limits(), "ends the program that decodes it (SIGSEGV)"),
        (signal.SIGKILL, False, Limits(), ""),
    ],
    ids=["hangs", "crashes", "is killed"],
)
def test_a_decoder_that_fails_at_a_file_is_replaced_and_the_import_goes_on(
    number: signal.Signals,
    always: bool,
    limits: Limits,
    reason: str,
    campaign: Campaign,
    tmp_path: Path,
) -> None:
    """It fails in the middle of what takes it a second; the others take a thousandth."""
    files = {f"{place}.png": picture(shade=place + 1) for place in range(5)}
    folder = write_folder(
        tmp_path, {**files, "2-large.png": picture(size=(5000, 5000), mode="I;16")}
    )

    over = Event()

    def fail() -> None:
        failed: set[int] = set()
        while not over.wait(0.01):
            for pid in {*children()} - failed:
                if seconds_used(pid) > 0.3 and (always or not failed):
                    os.kill(pid, number)
                    failed.add(pid)

    with ThreadPoolExecutor(1) as threads:
        failing = threads.submit(fail)
        try:
            report = import_images(campaign=campaign, source=folder, limits=limits)
        finally:
            over.set()
        failing.result()

    assert [name for name, _ in report.broken] == (["2-large.png"] if reason else [])
    assert all(reason in told for _, told in report.broken)
    assert set(Image.objects.values_list("name", flat=True)) >= set(files)
    assert report.added == len(files) + (not reason)
    assert children() == []
