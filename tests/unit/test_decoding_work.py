"""A file that would keep a decoder busy for seconds is refused before, with a reason."""

import random
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hostile_pictures import chunk, jpeg, png, riff, scanned

from annotator_site.importing.decoding_work import MAX_PARTS, MAX_SCANS
from annotator_site.importing.image_files import BrokenImageError, inspect_image

SECONDS = 3.0
"""For all of a hostile file, on a busy machine; decoding these would take 5 to 60."""


COMMENT = b"\xff\xfe\0\x02"
SCANS, PARTS, SIDE = "save it anew, as an ordinary", "parts in one file", "a side of more than"
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "thousands of scans": (lambda: scanned((3000, 3000), 5000), SCANS),
    "thousands of scans of little": (lambda: scanned((16, 16), 5000), SCANS),
    "one scan too many": (lambda: scanned((16, 16), MAX_SCANS), SCANS),
    "scans of gray": (lambda: scanned((4000, 4000), 3000, mode="L"), SCANS),
    "scans of CMYK": (lambda: scanned((2000, 2000), 3000, mode="CMYK"), SCANS),
    "few scans of many pixels": (lambda: scanned((5000, 5000), 60), SCANS),
    "scans behind garbage": (lambda: scanned((3000, 3000), 500, between=bytes(9)), SCANS),
    "scans behind comments": (lambda: scanned((3000, 3000), 500, between=COMMENT), SCANS),
    "scans behind restarts": (lambda: scanned((3000, 3000), 500, between=b"\xff\xd0"), SCANS),
    "scans behind filling": (lambda: scanned((3000, 3000), 500, between=b"\xff" * 5), SCANS),
    "scans that are cut off": (lambda: scanned((3000, 3000), 5000)[:-9], SCANS),
    "scans without an end": (lambda: scanned((3000, 3000), 5000)[:-2], SCANS),
    "millions of comments": (
        lambda: jpeg((8, 8))[:2] + COMMENT * 3_000_000 + jpeg((8, 8))[2:], PARTS),
    "millions of applications": (
        lambda: jpeg((8, 8))[:2] + b"\xff\xef\0\x02" * 3_000_000 + jpeg((8, 8))[2:], PARTS),
    "comments between scans": (
        lambda: scanned((8, 8), 50, between=COMMENT * 10_000), PARTS),
    "millions of PNG chunks": (
        lambda: png(8, 8, behind_header=chunk(b"prIv") * 1_000_000), PARTS),
    "millions of PNG texts": (
        lambda: png(8, 8, behind_header=chunk(b"tEXt", b"a\0b") * 1_000_000), PARTS),
    "millions of WebP chunks": (lambda: riff(chunks=3_000_000), PARTS),
    "a row of pixels": (lambda: png(20_000_000, 1), SIDE),
    "a column of pixels": (lambda: png(1, 5_000_000), SIDE),
    "two rows": (lambda: png(70_000, 2), SIDE),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_takes_seconds_to_decode_is_refused_before(name: str) -> None:
    make, reason = HOSTILE[name]
    data = make()
    began = time.perf_counter()
    with pytest.raises(BrokenImageError, match=reason):
        inspect_image(data)
    assert time.perf_counter() - began < SECONDS


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(8, 6), (5000, 4999)])
def test_a_usual_jpeg_of_any_size_passes(
    size: tuple[int, int], mode: str, progressive: bool
) -> None:
    facts = inspect_image(jpeg(size, mode, progressive=progressive))
    assert (facts.width, facts.height) == size


@pytest.mark.parametrize(
    "data",
    [
        scanned((64, 64), 80),
        jpeg((64, 64)) + bytes(range(256)) * 9 + b"\xff\xda\0\x02" * 9000,  # a film behind it
        png(8, 8, behind_header=chunk(b"prIv") * 1000),
        riff(chunks=1000),
        png(60_000, 3),
    ],
)
def test_what_is_odd_and_quick_passes(data: bytes) -> None:
    inspect_image(data)


def test_any_damage_is_judged_within_its_time() -> None:
    chance = random.Random(5)
    sound = [scanned((40, 40), 99), png(40, 40), riff(chunks=30)]
    began = time.perf_counter()
    for _ in range(300):
        data = bytearray(chance.choice(sound))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(BrokenImageError):
            inspect_image(bytes(data[: chance.randrange(1, len(data))]))
    assert time.perf_counter() - began < 10 * SECONDS
    assert MAX_PARTS > 64 * 1024 * 1024 // 8192
