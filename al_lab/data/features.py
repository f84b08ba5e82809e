"""Feature files: a data set as the embeddings of its images, which a head learns from in no time.

`python -m al_lab embed` writes `NAME.safetensors`, which processes map into shared memory: for each
part, train and test, `PART_features` float16 (n, d), `PART_truth` and `PART_original` int64 (n,);
and metadata `classes` (names as JSON), `backbone` and `source`.

An npz with `features`, float (n, d), and `targets` is read as well, into memory. `split` (n,) says
by the names of `formats.PART_NAMES` in which part a row is; without it a fifth is the test part.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from al_lab.data.files import DAMAGE_ERRORS, NoData
from al_lab.data.formats import PART_NAMES, is_held_out

SUFFIX: Final = ".safetensors"
PARTS: Final = ("train", "test")
KINDS: Final = ("features", "truth", "original")


@dataclass(frozen=True, slots=True)
class Features:
    """By part, "train" and "test": `features` float16 (n, d), `truth` and `original` int64 (n,)."""

    parts: Mapping[str, Mapping[str, Tensor]]
    classes: tuple[str, ...]


def holds_features(path: Path) -> bool:
    """Whether a file is a feature file; an npz that cannot be read is none."""
    if path.suffix == SUFFIX:
        return True
    if path.suffix != ".npz" or not path.is_file():
        return False
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return "features" in file.files
    except (TypeError, *DAMAGE_ERRORS):
        return False


def read(path: Path) -> Features:
    """The contents of a feature file. Raises NoData."""
    try:
        found = _of_safetensors(path) if path.suffix == SUFFIX else _of_npz(path)
        for part in PARTS:
            _check(part, **found.parts[part], classes=len(found.classes))
    except (KeyError, TypeError, *DAMAGE_ERRORS) as error:
        raise NoData(
            f"{path} cannot be used as a feature file ({error}). `python -m al_lab embed` writes "
            "one; an npz holds features (n, d), targets (n,) and, if parts are given, split (n,)."
        ) from error
    return found


def write(
    path: Path,
    parts: Mapping[str, Mapping[str, Tensor]],
    *,
    classes: tuple[str, ...],
    about: Mapping[str, str],
) -> None:
    """Write a feature file; it gets its name when it is complete."""
    from safetensors.torch import save_file

    half = path.with_name(f".{path.name}.half")
    tensors = {f"{part}_{kind}": parts[part][kind] for part in PARTS for kind in KINDS}
    save_file(tensors, half, metadata={**about, "classes": json.dumps(classes)})
    half.rename(path)


def _of_safetensors(path: Path) -> Features:
    # Imported here, since experiments on images do without it.
    from safetensors import SafetensorError, safe_open

    try:
        # Tensors of the file are views of its memory map: nothing is read before it is needed.
        with safe_open(path, framework="pt") as file:
            names = json.loads((file.metadata() or {})["classes"])
            parts = {
                part: {kind: file.get_tensor(f"{part}_{kind}") for kind in KINDS} for part in PARTS
            }
    except SafetensorError as error:
        raise ValueError(error) from error
    return Features(parts, tuple(str(name) for name in names))


def _of_npz(path: Path) -> Features:
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    features, truth = arrays["features"], arrays["targets"].ravel().astype(np.int64)
    in_test = _in_test(arrays.get("split"), len(features))
    if not len(features) == len(truth) == len(in_test):
        raise ValueError(f"{len(features):,} features have {len(truth):,} targets")
    names = arrays["classes"].tolist() if "classes" in arrays else range(int(truth.max()) + 1)
    rows = {"train": np.flatnonzero(~in_test), "test": np.flatnonzero(in_test)}
    parts = {
        part: {
            "features": torch.from_numpy(features[mine].astype(np.float16)),
            "truth": torch.from_numpy(truth[mine]),
            "original": torch.from_numpy(mine),
        }
        for part, mine in rows.items()
    }
    return Features(parts, tuple(str(name) for name in names))


def _in_test(split: npt.NDArray[Any] | None, count: int) -> npt.NDArray[np.bool_]:
    """Which rows are in the test part: bool (n,). Where a split has no such rows, a fifth."""
    names = [PART_NAMES.get(str(name).lower(), "") for name in ([] if split is None else split)]
    in_test = np.array([name in ("test", "val") for name in names], dtype=np.bool_)
    if in_test.any():
        return in_test
    return np.array([is_held_out(f"row {row}") for row in range(count)], dtype=np.bool_)


def _check(part: str, *, features: Tensor, truth: Tensor, original: Tensor, classes: int) -> None:
    """Raise ValueError where the tensors of a part do not fit together."""
    count = len(truth)
    if features.ndim != 2 or len(features) != count or len(original) != count or not count:
        raise ValueError(
            f"the {part} part has features {tuple(features.shape)} and {count:,} classes"
        )
    if int(truth.min()) < 0 or int(truth.max()) >= classes or classes < 2:
        raise ValueError(f"the {part} part has classes up to {int(truth.max())} of {classes}")
    if not bool(features.isfinite().all()):
        raise ValueError(f"the {part} part has features that are not finite")
