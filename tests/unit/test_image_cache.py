"""Pictures become rows of pixels once, whoever fills the cache and whenever a filler dies."""

import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from al_engine.training.decoding import UndecodableImage, decode
from al_engine.training.image_cache import CHUNK_IMAGES, ImageCache, NotFilled

ROOT = Path(__file__).parents[2]
SIDE = 8

# A filling process: says so at its first read of a position from `hold` on, goes on when it is
# told to, and prints how many rows it filled.
FILLER = """
import sys, threading
from pathlib import Path
from al_engine.training.image_cache import ImageCache
folder, pictures = Path(sys.argv[1]), Path(sys.argv[2])
count, hold = int(sys.argv[3]), int(sys.argv[4])
gate = threading.Lock()
held = False
def read(position):
    global held
    with gate:
        if position >= hold and not held:
            held = True
            print("holding", flush=True)
            sys.stdin.readline()
    return (pictures / f"{position}.png").read_bytes()
print(ImageCache(folder, image_size=8).fill(range(count), read).filled, flush=True)
"""


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def color(position: int) -> tuple[int, int, int]:
    return position % 256, position // 256, 7


def picture(position: int) -> bytes:
    return encoded(Image.new("RGB", (SIDE, SIDE), color(position)))


def start_filler(tmp_path: Path, *, count: int, hold: int) -> subprocess.Popen[str]:
    """A filling process, brought to the point where it holds a chunk and waits."""
    pictures = tmp_path / "pictures"
    if not pictures.exists():
        pictures.mkdir()
        for position in range(count):
            (pictures / f"{position}.png").write_bytes(picture(position))
    filler = subprocess.Popen(
        [sys.executable, "-c", FILLER, tmp_path / "cache", pictures, str(count), str(hold)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert filler.stdout is not None
    assert filler.stdout.readline() == "holding\n"
    return filler


def assert_holds(cache: ImageCache, count: int) -> None:
    rows = cache.rows(np.arange(count))
    assert rows[:, :, 3, 3].tolist() == [list(color(position)) for position in range(count)]


def test_rows_come_back_as_they_were_decoded(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, image_size=SIDE)
    done: list[int] = []
    report = cache.fill([300, 2, 7], picture, progress=done.append)
    assert (report.filled, report.broken) == (3, [])
    assert done == [2, 3]
    rows = cache.rows(np.array([7, 300, 7]))
    assert rows.shape == (3, 3, SIDE, SIDE)
    assert rows.dtype == torch.uint8
    assert rows[1, :, 0, 0].tolist() == [44, 1, 7]
    rows.zero_()  # a copy: the cache does not change
    assert cache.rows([7])[0, 0, 0, 0] == 7


def test_rows_that_are_not_there_are_never_given_out(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, image_size=SIDE)
    cache.fill([1], picture)
    assert cache.is_filled(np.array([0, 1, 10_000])).tolist() == [False, True, False]
    assert cache.missing(np.array([10_000, 1, 0])).tolist() == [10_000, 0]
    with pytest.raises(NotFilled, match="2 of 3 images are not in the cache, the first at pos"):
        cache.rows([1, 0, 10_000])
    with pytest.raises(ValueError, match="numbered from 0"):
        cache.rows([-1])
    assert cache.rows([]).shape == (0, 3, SIDE, SIDE)


def test_filled_rows_are_not_read_again(tmp_path: Path) -> None:
    ImageCache(tmp_path, image_size=SIDE).fill(range(5), picture)
    seen: list[int] = []

    def read(position: int) -> bytes:
        seen.append(position)
        return picture(position)

    report = ImageCache(tmp_path, image_size=SIDE).fill(range(8), read)
    assert report.filled == 3
    assert sorted(seen) == [5, 6, 7]


def test_a_picture_that_cannot_be_decoded_is_broken_for_good(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, image_size=SIDE)
    report = cache.fill(range(3), lambda p: b"GIF89a" if p == 1 else picture(p))
    assert report.filled == 2
    assert report.broken == [(1, "not a JPEG, PNG or WebP picture")]
    assert cache.is_filled([0, 1, 2]).tolist() == [True, False, True]
    assert cache.missing([0, 1, 2]).tolist() == []
    assert cache.fill(range(3), picture).filled == 0


def test_a_file_that_is_not_there_is_reported_and_tried_again(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "cache", image_size=SIDE)
    report = cache.fill([0], lambda p: (tmp_path / str(p)).read_bytes())
    assert report.broken == [(0, "the file is not there")]
    assert cache.missing([0]).tolist() == [0]
    (tmp_path / "0").write_bytes(picture(0))
    assert cache.fill([0], lambda p: (tmp_path / str(p)).read_bytes()).filled == 1


def test_an_error_of_the_storage_ends_the_call_and_breaks_no_image(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, image_size=SIDE)

    def read(position: int) -> bytes:
        if position == CHUNK_IMAGES + 3:
            raise ConnectionResetError("the storage went away")
        return picture(position)

    with pytest.raises(ConnectionResetError):
        cache.fill(range(2 * CHUNK_IMAGES), read)
    assert cache.missing(np.arange(2 * CHUNK_IMAGES)).tolist() == list(
        range(CHUNK_IMAGES, 2 * CHUNK_IMAGES)
    )
    assert cache.fill(range(2 * CHUNK_IMAGES), picture).filled == CHUNK_IMAGES
    assert_holds(cache, 2 * CHUNK_IMAGES)


def test_a_cache_grows_under_those_who_map_it(tmp_path: Path) -> None:
    first, second = (ImageCache(tmp_path, image_size=SIDE) for _ in range(2))
    first.fill([0], picture)
    assert second.is_filled([0]).tolist() == [True]
    second.fill([5000], picture)
    first.grow(10)  # never smaller
    assert first.is_filled([0, 5000]).tolist() == [True, True]
    assert first.rows([5000])[0, :, 0, 0].tolist() == list(color(5000))
    assert (tmp_path / "filled.u8").stat().st_size == 5001


def test_room_that_is_not_filled_takes_no_disk(tmp_path: Path) -> None:
    ImageCache(tmp_path, image_size=64).grow(100_000)
    file = (tmp_path / "images.u8").stat()
    assert file.st_size == 100_000 * 3 * 64 * 64
    assert file.st_blocks * 512 < 1_000_000


def test_a_folder_made_for_another_size_is_refused(tmp_path: Path) -> None:
    ImageCache(tmp_path, image_size=32)
    with pytest.raises(ValueError, match="made for image_size 32, not for 64"):
        ImageCache(tmp_path, image_size=64)


def test_a_filler_killed_in_the_middle_leaves_whole_rows_and_is_carried_on(tmp_path: Path) -> None:
    count = 3 * CHUNK_IMAGES
    filler = start_filler(tmp_path, count=count, hold=2 * CHUNK_IMAGES + 40)
    with filler:
        filler.send_signal(signal.SIGKILL)
    cache = ImageCache(tmp_path / "cache", image_size=SIDE)
    assert_holds(cache, 2 * CHUNK_IMAGES)
    assert cache.missing(np.arange(count)).tolist() == list(range(2 * CHUNK_IMAGES, count))
    assert cache.fill(range(count), picture).filled == CHUNK_IMAGES
    assert_holds(cache, count)


def test_a_chunk_is_taken_over_from_a_filler_that_dies(tmp_path: Path) -> None:
    count = 2 * CHUNK_IMAGES
    filler = start_filler(tmp_path, count=count, hold=0)  # holds the first chunk
    cache = ImageCache(tmp_path / "cache", image_size=SIDE)

    def kill_when_the_second_chunk_is_done(done: int) -> None:
        if done == CHUNK_IMAGES:
            assert cache.missing(np.arange(count)).tolist() == list(range(CHUNK_IMAGES))
            filler.send_signal(signal.SIGKILL)

    with filler:
        report = cache.fill(range(count), picture, progress=kill_when_the_second_chunk_is_done)
    assert report.filled == count
    assert_holds(cache, count)


def test_two_fillers_share_the_work_and_do_none_twice(tmp_path: Path) -> None:
    count = 6 * CHUNK_IMAGES
    fillers = [start_filler(tmp_path, count=count, hold=0) for _ in range(2)]
    for filler in fillers:
        assert filler.stdin is not None
        filler.stdin.write("go\n")
        filler.stdin.flush()
    # Only now waited for: each may wait for a chunk that the other holds.
    filled = [int(filler.communicate(timeout=60)[0]) for filler in fillers]
    assert [filler.returncode for filler in fillers] == [0, 0]
    assert sum(filled) == count
    assert min(filled) >= CHUNK_IMAGES
    assert_holds(ImageCache(tmp_path / "cache", image_size=SIDE), count)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *[("PNG", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1")],
        *[("JPEG", mode) for mode in ("RGB", "L", "CMYK")],
        *[("WEBP", mode) for mode in ("RGB", "RGBA")],
    ],
)
def test_every_kind_of_picture_becomes_rgb(kind: str, mode: str) -> None:
    data = encoded(Image.new("RGB", (40, 40), (255, 255, 255)).convert(mode), kind)
    pixels = decode(data, image_size=16)
    assert pixels.shape == (3, 16, 16)
    assert pixels.min() >= 250


def test_sixteen_bits_of_gray_keep_their_range() -> None:
    gray = Image.fromarray(np.full((8, 8), 128 << 8, np.uint16))
    assert (decode(encoded(gray), image_size=8) == 128).all()


def test_the_whole_of_a_long_picture_is_kept_on_black() -> None:
    image = Image.new("RGB", (80, 40), (255, 0, 0))
    pixels = decode(encoded(image), image_size=16)
    assert pixels[:, 4:12].reshape(3, -1).min(axis=1).tolist() == [255, 0, 0]
    assert pixels[:, :3].max() == 0
    assert pixels[:, 13:].max() == 0


def test_a_nearly_square_picture_fills_the_square() -> None:
    pixels = decode(encoded(Image.new("RGB", (44, 40), (9, 9, 9))), image_size=16)
    assert (pixels == 9).all()


def test_a_picture_of_the_right_size_keeps_every_pixel() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = decode(encoded(Image.fromarray(noise)), image_size=8)
    assert np.array_equal(pixels.transpose(1, 2, 0), noise)


def test_a_picture_is_turned_as_the_browser_turns_it() -> None:
    image = Image.new("RGB", (8, 8))
    image.paste((255, 255, 255), (0, 0, 8, 4))  # the upper half is white
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    pixels = decode(encoded(image, exif=turned), image_size=8)
    assert pixels[:, :4].max() == 0
    assert pixels[:, 4:].min() == 255


def test_a_large_jpeg_is_decoded_small() -> None:
    image = Image.new("RGB", (1600, 1600), (200, 100, 50))
    pixels = decode(encoded(image, "JPEG"), image_size=32)
    assert np.abs(pixels.reshape(3, -1).mean(axis=1) - [200, 100, 50]).max() < 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JPEG, PNG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG, PNG or WebP"),
        (encoded(Image.new("RGB", (8, 8)), "GIF"), "not a JPEG, PNG or WebP"),
        (encoded(Image.effect_noise((64, 64), 50))[:900], "damaged picture"),
        (encoded(Image.effect_noise((64, 64), 50), "JPEG")[:700], "damaged picture"),
        (encoded(Image.new("1", (20_000, 20_000))), "too many pixels"),
    ],
)
def test_what_is_no_usable_picture_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UndecodableImage, match=reason):
        decode(data, image_size=8)
