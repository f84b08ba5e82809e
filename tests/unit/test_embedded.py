"""What programs without torch read of a campaign's embeddings, and which images are alike."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from al_engine import embedded
from al_engine.embedded import EmbeddedRows, Unreadable, find_folder, folder_name
from al_engine.training.embedding_file import EmbeddingFile

FROZEN = "frozen:a/net.v1"
Numbers = npt.NDArray[np.float32]


def drawn(count: int, width: int) -> Numbers:
    return np.random.default_rng(1).standard_normal((count, width)).astype(np.float16).astype("f4")


def written(folder: Path, rows: Numbers, positions: list[int]) -> EmbeddedRows:
    """The file as the engine writes it, with room beyond the last row."""
    file = EmbeddingFile(folder, rows.shape[1])
    file.write(positions, torch.from_numpy(rows[positions]))
    file.grow(len(rows) + 10)
    return EmbeddedRows(folder)


def test_the_most_similar_are_those_of_the_largest_cosines_among_what_is_embedded(
    tmp_path: Path,
) -> None:
    rows = drawn(900, 300)
    rows[700] = 3 * rows[5]
    there = [*range(400), *range(600, 900)]
    file = written(tmp_path, rows, there)
    assert file.count_filled() == 700
    assert file.is_filled(5)
    assert not file.is_filled(500)
    assert not any(file.is_filled(place) for place in (-1, 905, 10_000))

    found = file.most_similar(5, 12, seconds=60)

    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = units @ units[5]
    expected = sorted((place for place in there if place != 5), key=lambda each: -cosines[each])
    assert found.positions.tolist() == expected[:12]
    assert found.positions[0] == 700
    np.testing.assert_allclose(found.cosines, cosines[found.positions], atol=1e-5)
    assert (found.compared, found.embedded) == (700, 700)


def test_an_image_alone_and_one_without_a_direction_are_like_nothing(tmp_path: Path) -> None:
    rows = drawn(3, 8)
    assert written(tmp_path / "one", rows, [2]).most_similar(2, 12, seconds=1).positions.size == 0
    rows[1] = 0
    found = written(tmp_path / "zero", rows, [0, 1, 2]).most_similar(1, 12, seconds=1)
    assert found.cosines.tolist() == [0, 0]


def test_when_the_time_is_over_it_tells_how_many_it_compared(tmp_path: Path) -> None:
    rows = drawn(20_000, 2)
    found = written(tmp_path, rows, [*range(20_000)]).most_similar(7, 5, seconds=0)
    assert 0 < found.compared < found.embedded == 20_000
    assert len(found.positions) == 5


def test_a_file_of_another_backbone_size_or_campaign_is_not_taken(tmp_path: Path) -> None:
    def find() -> Path | None:
        return find_folder(tmp_path, campaign_id=1, architecture=FROZEN, image_size=224)

    assert find() is None
    of: dict[str, Any] = {
        "campaign_id": 1, "architecture": FROZEN, "image_size": 224, "sha256": "a" * 64,
    }  # fmt: skip
    for other in (
        {"campaign_id": 11}, {"architecture": "frozen:b"}, {"image_size": 22},
        {"architecture": f"{FROZEN}-224-x"},
    ):  # fmt: skip
        EmbeddingFile(tmp_path / folder_name(**{**of, **other}), 4).grow(1)
    assert find() is None
    (tmp_path / folder_name(**{**of, "sha256": "c" * 64})).mkdir()
    assert find() is None, "an empty folder"
    # Where the weights under a name were replaced, the file that is being filled is the newest.
    for age_s, digit in ((0, "a"), (60, "b")):
        folder = tmp_path / folder_name(**{**of, "sha256": digit * 64})
        EmbeddingFile(folder, 4).grow(1)
        os.utime(folder / embedded.STATES, (1e9 - age_s, 1e9 - age_s))
    assert find() == tmp_path / folder_name(**of)


@pytest.mark.parametrize("harm", ["no data", "short data", "no states", "no width", "no number"])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, harm: str) -> None:
    written(tmp_path, drawn(9, 4), [*range(9)])
    match harm:
        case "no data":
            (tmp_path / embedded.DATA).unlink()
        case "short data":
            os.truncate(tmp_path / embedded.DATA, 9)
        case "no states":
            (tmp_path / embedded.STATES).unlink()
        case "no width":
            (tmp_path / embedded.WIDTH).unlink()
        case "no number":
            (tmp_path / embedded.WIDTH).write_text("wide")
    with pytest.raises(Unreadable, match="Delete that folder"):
        EmbeddedRows(tmp_path)


def test_an_empty_file_has_no_image(tmp_path: Path) -> None:
    EmbeddingFile(tmp_path, 4)
    assert EmbeddedRows(tmp_path).count_filled() == 0
