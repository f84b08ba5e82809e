"""Embeddings are made once, whoever makes them and whenever a maker dies."""

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from al_engine.training.disk import DiskFull
from al_engine.training.embedding_file import CHUNK_IMAGES, EmbeddingFile
from al_engine.training.filled_rows import NotFilled

ROOT = Path(__file__).parents[2]
WIDTH = 6

# An embedding process: says so before it embeds a chunk that begins at `hold` or later, goes on
# when it is told to, and prints how many rows it filled.
EMBEDDER = """
import sys
from pathlib import Path
from io import BytesIO
from PIL import Image
import torch
from al_engine.training.embedding_file import EmbeddingFile
count, hold = int(sys.argv[2]), int(sys.argv[3])
held = False
def read(position):
    file = BytesIO()
    Image.new("RGB", (8, 8), (position % 256, position // 256, 7)).save(file, "PNG")
    return file.getvalue()
def embed(images):
    global held
    seen = images[:, :, 0, 0].float()
    if seen[0, 0] + 256 * seen[0, 1] >= hold and not held:
        held = True
        print("holding", flush=True)
        sys.stdin.readline()
    return torch.cat([seen, seen], dim=1)
file = EmbeddingFile(Path(sys.argv[1]), 6)
print(file.fill(range(count), read, embed, image_size=8).filled, flush=True)
"""


def picture(position: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), (position % 256, position // 256, 7)).save(file, "PNG")
    return file.getvalue()


def embed(images: torch.Tensor) -> torch.Tensor:
    seen = images[:, :, 0, 0].float()
    return torch.cat([seen, seen], dim=1)


def start_embedder(folder: Path, *, count: int, hold: int) -> subprocess.Popen[str]:
    """An embedding process, brought to the point where it holds a chunk and waits."""
    embedder = subprocess.Popen(
        [sys.executable, "-c", EMBEDDER, folder, str(count), str(hold)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert embedder.stdout is not None
    assert embedder.stdout.readline() == "holding\n"
    return embedder


def assert_holds(file: EmbeddingFile, count: int) -> None:
    expected = [[p % 256, p // 256, 7.0] * 2 for p in range(count)]
    assert file.rows(np.arange(count)).tolist() == expected


@contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """A disk that takes no file of more bytes: writes beyond fail as on a full one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_rows_come_back_at_half_precision_and_count_as_filled_once_written(tmp_path: Path) -> None:
    file, other = EmbeddingFile(tmp_path, WIDTH), EmbeddingFile(tmp_path, WIDTH)
    rows = torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1))
    assert file.is_filled([0, 5, 70_000]).tolist() == [False, False, False]
    file.write([5, 70_000], rows)
    assert other.is_filled([0, 5, 70_000]).tolist() == [False, True, True]
    assert torch.equal(other.rows([70_000, 5]), rows.half().float()[[1, 0]])
    assert other.count_filled() == 2
    with pytest.raises(NotFilled, match="the first at position 0"):
        other.rows([5, 0])
    lazy = other.among([70_000, 5])
    assert lazy.shape == (2, WIDTH)
    assert torch.equal(lazy[:], rows.half()[[1, 0]])
    assert torch.equal(lazy[torch.tensor([1])], rows.half()[:1])
    assert torch.equal(lazy.only(np.array([1]))[[0]], rows.half()[:1])
    assert lazy[[]].shape == (0, WIDTH)


def test_numbers_beyond_half_precision_stay_finite(tmp_path: Path) -> None:
    file = EmbeddingFile(tmp_path, WIDTH)
    file.write([0], torch.full((1, WIDTH), 1e6))
    assert file.rows([0]).tolist() == [[65504.0] * WIDTH]


def test_a_file_of_another_width_is_refused(tmp_path: Path) -> None:
    EmbeddingFile(tmp_path, WIDTH)
    with pytest.raises(ValueError, match=r"made for width 6, not for 7\. Delete that folder"):
        EmbeddingFile(tmp_path, 7)


def test_broken_pictures_keep_no_other_from_being_embedded(tmp_path: Path) -> None:
    file = EmbeddingFile(tmp_path, WIDTH)
    data = {0: picture(0), 1: b"GIF89a", 3: picture(3)}

    def read(position: int) -> bytes:
        try:
            return data[position]
        except KeyError as error:
            raise FileNotFoundError from error

    report = file.fill(range(4), read, embed, image_size=8)
    assert report.filled == 2
    assert [place for place, _ in report.broken] == [1, 2]
    assert file.is_filled(range(4)).tolist() == [True, False, False, True]
    assert file.rows([3]).tolist() == [[3.0, 0.0, 7.0] * 2]
    assert file.missing(range(4)).tolist() == [2]
    file.forget([1])
    data |= {1: picture(1), 2: picture(2)}
    assert file.fill(range(4), read, embed, image_size=8).filled == 2
    assert_holds(file, 4)


def test_a_full_disk_says_what_to_do_and_harms_nothing(tmp_path: Path) -> None:
    file = EmbeddingFile(tmp_path, WIDTH)
    file.grow(3 * CHUNK_IMAGES)
    with (
        no_more_than(CHUNK_IMAGES * WIDTH * 2 + 10),
        pytest.raises(DiskFull, match=r"File too large\. Make room on that disk"),
    ):
        file.fill(range(3 * CHUNK_IMAGES), picture, embed, image_size=8)
    assert file.missing(range(3 * CHUNK_IMAGES)).tolist() == list(
        range(CHUNK_IMAGES, 3 * CHUNK_IMAGES)
    )
    assert_holds(file, CHUNK_IMAGES)
    with no_more_than(1000), pytest.raises(DiskFull):
        file.grow(10_000)
    assert file.fill(range(3 * CHUNK_IMAGES), picture, embed, image_size=8).filled == 64
    assert_holds(file, 3 * CHUNK_IMAGES)


def test_two_embedders_share_the_work_and_a_killed_one_is_carried_on(tmp_path: Path) -> None:
    count = 6 * CHUNK_IMAGES
    first = start_embedder(tmp_path, count=count, hold=0)
    second = start_embedder(tmp_path, count=count, hold=3 * CHUNK_IMAGES)
    file = EmbeddingFile(tmp_path, WIDTH)
    whole = range(CHUNK_IMAGES, 3 * CHUNK_IMAGES)
    assert file.is_filled(range(count)).nonzero()[0].tolist() == list(whole)
    with first, second:
        second.send_signal(signal.SIGKILL)
        filled, _ = first.communicate("go\n", timeout=60)
    assert int(filled) == 4 * CHUNK_IMAGES
    assert_holds(file, count)
