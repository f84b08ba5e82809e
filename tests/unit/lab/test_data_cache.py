"""Data sets are unpacked once, whole or not at all, whoever else does so or is killed."""

import os
import subprocess
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from pictures import write_zip
from stored_data import corners, indexed, loaded, write_npz

from al_lab.data.datasets import NoData
from al_lab.data.formats import Source, part_in_memory
from al_lab.data.unpacked import Unpacked, load_unpacked

ROOT = Path(__file__).resolve().parents[3]
# Says when it has read half of the images, and reads on when it is told to.
HALF_WAY = """
import sys
from contextlib import nullcontext
from pathlib import Path
import numpy as np
from al_lab.data.formats import Part, Source, part_in_memory
from al_lab.data.unpacked import load_unpacked

def slowly(part):
    for number, item in enumerate(part.items):
        if number == part.count // 2:
            print("half", flush=True)
            sys.stdin.readline()
        yield item

images = np.full((40, 4, 4), 5, np.uint8)
part = part_in_memory(images, np.arange(40) % 2, "x")
source = Source(("a", "b"), Part(40, slowly(part)), part_in_memory(images, np.arange(40) % 2, "x"))
load_unpacked(
    Path(sys.argv[1]), name="x", stamp="1", image_size=4, source=lambda _: nullcontext(source)
)
"""


def half_way(cache: Path) -> subprocess.Popen[str]:
    """A process that has unpacked a half."""
    process = subprocess.Popen(
        [sys.executable, "-c", HALF_WAY, str(cache)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


def whole(_: Path) -> AbstractContextManager[Source]:
    images, truth = np.full((40, 4, 4), 7, np.uint8), np.arange(40) % 2
    part = part_in_memory(images, truth, "x")
    return nullcontext(Source(("a", "b"), part, part_in_memory(images, truth, "x")))


def never(_: Path) -> NoReturn:
    raise AssertionError("unpacked twice")


def shades(found: Unpacked) -> set[int]:
    return set(np.unique(found.parts["train"]["pixels"]).tolist())


def test_a_killed_process_leaves_nothing_half(tmp_path: Path) -> None:
    with half_way(tmp_path) as process:
        process.kill()
    found = load_unpacked(tmp_path, name="x", stamp="1", image_size=4, source=whole)
    assert shades(found) == {7}
    assert found.parts["train"]["pixels"].shape == (40, 3, 4, 4)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == ["", ".lock"]


def test_who_comes_second_waits_and_finds_what_the_first_unpacked(tmp_path: Path) -> None:
    found: list[Unpacked] = []

    def second() -> None:
        found.append(load_unpacked(tmp_path, name="x", stamp="1", image_size=4, source=never))

    with half_way(tmp_path) as process:
        waiting = threading.Thread(target=second)
        waiting.start()
        process.communicate("go on\n")
    waiting.join()
    assert process.returncode == 0
    assert shades(found[0]) == {5}


def test_a_data_set_is_read_once_and_again_when_its_file_is_another(tmp_path: Path) -> None:
    file = write_npz(tmp_path / "gray.npz")
    loaded(tmp_path, "gray.npz")
    status, size = file.stat(), file.stat().st_size
    file.write_bytes(b"x" * size)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert corners(loaded(tmp_path, "gray.npz"))["test"] == list(range(10))
    with pytest.raises(NoData, match="cannot be read"):
        loaded(tmp_path, "gray.npz", image_size=4)
    write_npz(file, test=6)
    assert corners(loaded(tmp_path, "gray.npz"))["test"] == list(range(6))


def test_a_folder_is_read_again_when_a_file_in_it_is_another(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "p" / "pets"
    for name, data in indexed(train=6, test=2).items():
        (folder.parent / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.parent / name).write_bytes(data)
    assert corners(loaded(tmp_path / "data", "p"))["test"] == [1, 0]
    (folder / "test" / "cat" / "0.png").write_bytes(
        (folder / "train" / "cat" / "4.png").read_bytes()
    )
    assert corners(loaded(tmp_path / "data", "p"))["test"] == [1, 4]


def test_what_is_written_to_the_images_stays_with_the_writer(tmp_path: Path) -> None:
    write_npz(tmp_path / "gray.npz")
    mine, others = loaded(tmp_path, "gray.npz"), loaded(tmp_path, "gray.npz")
    mine.train.pixels.fill_(200)
    assert corners(others)["train"] == corners(loaded(tmp_path, "gray.npz"))["train"]


def test_a_failure_leaves_nothing_but_its_lock(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_zip(data / "p.zip", {"pets/cat/1.png": b"no picture"})
    with pytest.raises(NoData):
        loaded(data, "p.zip")
    assert [path.name for path in (tmp_path / "data-cache").iterdir()] == ["p.zip.lock"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_npz(tmp_path / "gray.npz")
    (tmp_path / "no_folder").write_text("")
    with pytest.raises(NoData, match=r"gray\.npz could not be unpacked to .*no_folder"):
        load_unpacked(tmp_path / "no_folder", name="gray.npz", stamp="", image_size=4, source=whole)
