"""Which images embeddings call copies, what cells they make, what a look for similar ones takes.

    OMP_NUM_THREADS=1 python benchmarks/similar.py --set NAME=FEATURES.npz,PICTURES.zip ... \\
        [--copies 150] [--rows 1000000]

An NPZ file has `features` by frozen:tf_efficientnet_lite0, float (n, 1280), and `targets`, integers
(n,), of the pictures of the zip in the order of their names. Prints the tables and writes them to
docs/benchmarks/similar.md. For a million rows it takes 2.6 GB of disk and memory.
"""

import argparse
import io
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.nn.functional import normalize

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from al_engine import embedded  # noqa: E402
from al_engine.decisions.refill import share  # noqa: E402
from al_engine.decisions.rules import CELLS  # noqa: E402
from al_engine.training import backbones  # noqa: E402
from al_engine.training.decoding import decode, decode_all  # noqa: E402
from al_engine.training.raw_features import average_to_grid, group_alike  # noqa: E402
from benchmarks.figures import machine  # noqa: E402

PAGE: Final = ROOT / "docs" / "benchmarks" / "similar.md"
FROZEN: Final = "frozen:tf_efficientnet_lite0"
NEAR: Final = embedded.NEAR_COPY_COSINES[FROZEN]
WORKERS: Final = 10
SHOWN: Final = 12
_ROWS_A_WRITE: Final = 20_000
Targets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Set:
    """Pictures with their embeddings, (n, 1280), and classes, (n,)."""

    name: str
    features: Tensor
    targets: Targets
    archive: zipfile.ZipFile
    names: list[str]

    @classmethod
    def read(cls, given: str) -> "Set":
        """From NAME=FEATURES.npz,PICTURES.zip."""
        name, _, paths = given.partition("=")
        features, pictures = paths.split(",")
        stored, archive = np.load(features), zipfile.ZipFile(pictures)
        names = sorted(
            n for n in archive.namelist() if n.lower().endswith((".jpg", ".jpeg", ".png"))
        )
        rows = torch.from_numpy(stored["features"]).float()
        if len(rows) != len(names):
            raise SystemExit(f"{features} has {len(rows)} rows, {pictures} {len(names)} pictures.")
        return cls(name, rows, stored["targets"].astype(np.int64), archive, names)


def _jpeg(picture: Image.Image, quality: int = 95) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _scaled(picture: Image.Image, factor: float) -> bytes:
    width, height = picture.size
    return _jpeg(picture.resize((round(width * factor), round(height * factor))))


def _cropped(picture: Image.Image, part: float) -> bytes:
    width, height = picture.size
    x, y = round(width * part), round(height * part)
    return _jpeg(picture.crop((x, y, width - x, height - y)))


COPIES: Final[dict[str, Callable[[Image.Image], bytes]]] = {
    "JPEG at quality 75": lambda each: _jpeg(each, 75),
    "JPEG at quality 40": lambda each: _jpeg(each, 40),
    "1.5 times as large": lambda each: _scaled(each, 1.5),
    "half as large": lambda each: _scaled(each, 0.5),
    "15 % brighter": lambda each: _jpeg(ImageEnhance.Brightness(each).enhance(1.15)),
    "3 % cut off each side": lambda each: _cropped(each, 0.03),
    "6 % cut off each side": lambda each: _cropped(each, 0.06),
}


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description="Measure what embeddings call similar.")
    parser.add_argument("--set", action="append", required=True, metavar="NAME=NPZ,ZIP")
    parser.add_argument("--copies", type=int, default=150)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    torch.set_num_threads(1)
    sets, lines = [Set.read(each) for each in given.set], []
    for part in (_head(), _copies(sets, given.copies), _cells(sets), _neighbors(sets, given.rows)):
        for line in part:
            print(line, flush=True)
            lines.append(line)
    given.page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _head() -> Iterator[str]:
    yield "# What embeddings call similar"
    yield ""
    yield f"`python benchmarks/similar.py`, `{FROZEN}` at 224 px, one thread, on {machine()}."


def _copies(sets: list[Set], count: int) -> Iterator[str]:
    yield from ["", "## Near-copies", ""]
    yield (
        f"Of each set {count} pictures were stored anew, and their embeddings compared with the "
        f"picture's. Found: the share with a cosine of {NEAR} or more, from which on the product "
        "calls them near-copies. What was made smaller is missed: this network sees texture, which "
        "is lost."
    )
    yield ""
    yield "| stored anew | " + " | ".join(f"{s.name}: median cosine | found" for s in sets) + " |"
    yield "|---|" + "---|---|" * len(sets)
    cosines = [_cosines_of_copies(each, count) for each in sets]
    for kind in COPIES:
        cells = [
            f"{of[kind].median():.3f} | {(of[kind] >= NEAR).float().mean():.0%}" for of in cosines
        ]
        yield f"| {kind} | {' | '.join(cells)} |"
    yield ""
    yield (
        "Different pictures: how many have another one in their set at or above a cosine. Students "
        "of one class photographed their hands one after another, which is as alike as different "
        "pictures get. A lower bound would find more copies and take more of these for copies; at "
        "this one, what is taken for a copy by mistake is asked last, not never."
    )
    yield ""
    bounds = (0.92, 0.94, 0.95, NEAR, 0.97)
    yield "| set | pictures | " + " | ".join(f"≥ {bound}" for bound in bounds) + " | closest two |"
    yield "|---|" + "---|" * (len(bounds) + 2)
    for each in sets:
        closest = _closest(each.features)
        shares = [f"{(closest >= bound).float().mean():.2%}" for bound in bounds]
        yield f"| {each.name} | {len(closest):,} | {' | '.join(shares)} | {closest.max():.3f} |"


def _cosines_of_copies(of: Set, count: int) -> dict[str, Tensor]:
    """By kind of copy: cosines, (count,), with the pictures that were stored anew."""
    backbone = backbones.published(FROZEN, image_size=224, device=torch.device("cpu"))
    chosen = np.random.default_rng(0).choice(len(of.names), count, replace=False).tolist()
    originals = [of.archive.read(of.names[place]) for place in chosen]
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in originals]

    def seen(files: list[bytes]) -> Tensor:
        with ThreadPoolExecutor(1) as pool:
            decoded = decode_all([*range(len(files))], files.__getitem__, pool, image_size=224)
            squares = [each for each in decoded if isinstance(each, np.ndarray)]
        parts = [backbone.embed(some) for some in torch.split(_tensor(squares), 16)]
        return normalize(torch.cat(parts), dim=1)

    known = seen(originals)
    return {
        kind: (seen([make(each) for each in pictures]) * known).sum(dim=1)
        for kind, make in COPIES.items()
    }


def _tensor(squares: list[npt.NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(squares))


def _closest(features: Tensor) -> Tensor:
    """The cosine of each row with its closest other row: (n,)."""
    units = normalize(features, dim=1)
    cosines = units @ units.T
    return cosines.fill_diagonal_(-1).max(dim=1).values


def _cells(sets: list[Set]) -> Iterator[str]:
    yield from ["", "## Cells of D by what images show", ""]
    yield (
        f"`partition = clusters`: the share of images that have the commonest class of their cell "
        f"(of {CELLS}), and of their worker's D_j (of {WORKERS}). Means of three seeds."
    )
    yield ""
    yield "| set | cells by | of the cell | of D_j |"
    yield "|---|---|---|---|"
    for each in sets:
        squares = [decode(each.archive.read(name), image_size=32) for name in each.names]
        pixels = average_to_grid(_tensor(squares))
        for how, points in (
            ("chance", None),
            ("8 × 8 averages", pixels),
            ("embeddings", each.features),
        ):
            purities = [_purities(points, each.targets, seed) for seed in range(3)]
            cell, part = np.mean(purities, axis=0)
            yield f"| {each.name} | {how} | {cell:.3f} | {part:.3f} |"


def _purities(points: Tensor | None, targets: Targets, seed: int) -> tuple[float, float]:
    """Of cells and of workers' parts."""
    generator = torch.Generator().manual_seed(seed)
    if points is None:
        cells = torch.randint(CELLS, (len(targets),), generator=generator)
    else:
        cells = group_alike(points, CELLS, generator=generator)
    held = [share(CELLS, workers=WORKERS, index=worker) for worker in range(WORKERS)]
    owners = np.repeat(np.arange(WORKERS), held)[cells.numpy()]
    return _purity(cells.numpy(), targets), _purity(owners, targets)


def _purity(groups: Targets, targets: Targets) -> float:
    commonest = [
        Counter(targets[groups == each].tolist()).most_common(1)[0][1]
        for each in {*groups.tolist()}
    ]
    return sum(commonest) / len(targets)


def _neighbors(sets: list[Set], rows: int) -> Iterator[str]:
    yield from ["", "## Similar images", ""]
    yield (
        f"The {SHOWN} images that the administration shows as similar to one, for 200 images of "
        f"each set. All are compared by {embedded.COARSE_NUMBERS} of the {1_280:,} numbers, the "
        "best 1,000 by all."
    )
    yield ""
    yield f"| set | of its class | of the {SHOWN} closest by all numbers |"
    yield "|---|---|---|"
    for each in sets:
        alike, found = _quality(each)
        yield f"| {each.name} | {alike:.1%} | {found:.1%} |"
    yield ""
    seconds, compared = _look(rows)
    yield (
        f"Among {rows:,} random embeddings, from a file in memory, a look takes "
        f"{seconds:.2f} s of a core. The page stops after 0.8 s on the clock and says how many it "
        f"has compared; without that it compared {compared:,}."
    )


def _quality(of: Set) -> tuple[float, float]:
    """Of the images found: the share of their image's class, and of the truly closest."""
    chosen = np.random.default_rng(0).choice(len(of.targets), 200, replace=False).tolist()
    units = normalize(of.features, dim=1)
    alike, found = [], []
    with tempfile.TemporaryDirectory() as folder:
        rows = _written(Path(folder), of.features.numpy())
        for place in chosen:
            got = rows.most_similar(place, SHOWN, seconds=60).positions
            cosines = units @ units[place]
            cosines[place] = -1
            alike.append((of.targets[got] == of.targets[place]).mean())
            found.append(np.isin(cosines.topk(SHOWN).indices.numpy(), got).mean())
    return float(np.mean(alike)), float(np.mean(found))


def _look(rows: int) -> tuple[float, int]:
    """Seconds of a core for a look among so many, and how many were compared."""
    some = np.random.default_rng(0).random((_ROWS_A_WRITE, 1_280), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        file = _written(Path(folder), some, times=rows // _ROWS_A_WRITE)
        file.most_similar(7, SHOWN, seconds=600)  # reads the file into memory
        began = time.process_time()
        found = file.most_similar(7, SHOWN, seconds=600)
        return time.process_time() - began, found.compared


def _written(folder: Path, rows: npt.NDArray[np.float32], times: int = 1) -> embedded.EmbeddedRows:
    """A file of embeddings with these rows, so many times."""
    half = rows.astype(np.float16).tobytes()
    with (folder / embedded.DATA).open("wb") as data:
        for _ in range(times):
            data.write(half)
    (folder / embedded.STATES).write_bytes(bytes([embedded.FILLED]) * (len(rows) * times))
    (folder / embedded.WIDTH).write_text(str(rows.shape[1]))
    return embedded.EmbeddedRows(folder)


if __name__ == "__main__":
    main()
