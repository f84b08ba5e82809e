"""A feature file is a data set without images, which a head learns from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_campaigns import CPU, Course, one_thread

from al_lab.config.checking import BadConfig, check_consistency
from al_lab.config.settings import HEAD, Arrangement, Clock, Data, Labels, Model, Setting
from al_lab.data import features
from al_lab.data.datasets import DataSet, NoData, draw, load
from al_lab.simulation.answers import Erring
from al_lab.simulation.campaign import simulate

WIDTH, CLASSES, IMAGES = 12, 3, 300


def arrays(seed: int = 0) -> dict[str, Any]:
    """Embeddings around a center for each class."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, CLASSES, IMAGES)
    centers = random.normal(size=(CLASSES, WIDTH))
    found = centers[targets] + random.normal(size=(IMAGES, WIDTH))
    return {"features": found.astype(np.float16), "targets": targets}


def loaded(folder: Path, name: str) -> DataSet:
    return load(Data(name), folder, folder / "cache")


def test_an_npz_is_read_with_its_parts_or_a_fifth_is_held_out(tmp_path: Path) -> None:
    told = arrays()
    split = np.array(["train"] * 200 + ["test"] * 100)
    np.savez(tmp_path / "parts.npz", **told, split=split, classes=np.array(["a", "b", "c"]))
    np.savez(tmp_path / "whole.npz", **told)
    data_set = loaded(tmp_path, "parts.npz")
    assert data_set.classes == ("a", "b", "c")
    assert (len(data_set.train), len(data_set.test)) == (200, 100)
    assert data_set.test.features is not None
    assert torch.equal(data_set.test.features, torch.from_numpy(told["features"][200:]))
    assert data_set.test.original.tolist() == list(range(200, 300))
    turned = loaded(tmp_path, "parts.npz#test")
    assert (len(turned.train), len(turned.test)) == (100, 200)
    whole = loaded(tmp_path, "whole.npz")
    assert 200 < len(whole.train) < 280
    assert len(whole.train) + len(whole.test) == IMAGES
    pool, _ = draw(whole, Data("whole.npz", train=50, copies=2), seed=0)
    assert pool.images.features is not None
    assert pool.images.features.shape == (50, WIDTH)
    assert pool.images.pixels.numel() == 0


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    part = {
        "features": torch.randn(5, WIDTH).half(),
        "truth": torch.tensor([0, 1, 0, 1, 1]),
        "original": torch.arange(5),
    }
    path = tmp_path / "some.safetensors"
    other = {kind: tensor.clone() for kind, tensor in part.items()}
    features.write(
        path, {"train": part, "test": other}, classes=("x", "ü"), about={"backbone": "b"}
    )
    data_set = loaded(tmp_path, path.name)
    assert data_set.classes == ("x", "ü")
    assert data_set.train.features is not None
    assert torch.equal(data_set.train.features, part["features"])
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": np.zeros(IMAGES, dtype=int)}, "classes up to 0 of 1"),
        ({"targets": np.zeros(7, dtype=int)}, "cannot be used as a feature file"),
        ({"features": np.full((IMAGES, 2), np.nan)}, "not finite"),
        ({"features": np.zeros((IMAGES, 2, 2))}, "cannot be used as a feature file"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays() | change)
    with pytest.raises(NoData, match=words):
        loaded(tmp_path, "bad.npz")


def test_images_and_features_are_not_confused(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", **arrays())
    with pytest.raises(NoData, match=r"features, not images; leave data\.image_size out"):
        load(Data("whole.npz", 8), tmp_path, tmp_path / "cache")
    for wrong in (setting(Data("whole.npz", 8)), setting(model=Model())):
        with pytest.raises(BadConfig, match=r"data\.image_size: .* model\.architecture"):
            check_consistency(wrong, "x.toml")
    check_consistency(setting(), "x.toml")


def setting(data: Data | None = None, model: Model | None = None, **arrangement: Any) -> Setting:
    """A campaign of a few trainings."""
    usual: dict[str, Any] = {"workers": 2, "strategies": ("margin",), "depth_floor": 4}
    return Setting(
        arm="arm",
        data=data or Data("whole.npz"),
        labels=Labels(initial=0, budget=30, evaluate_every=15, bound=True),
        clock=Clock(training=2.0, scoring=0.0),
        model=model or Model(architecture=HEAD),
        arrangement=Arrangement(**usual | arrangement),
    )


def run(of: Setting, data_set: DataSet) -> Course:
    """Simulate it."""
    course = Course()
    with one_thread():
        simulate(
            of,
            seed=0,
            data_set=data_set,
            answers=Erring(CLASSES, 0.0),
            device=CPU,
            record=course.events.append,
            progress=course.progress.append,
            watch=course.asked.append,
        )
    return course


@pytest.mark.parametrize(
    "arrangement",
    [
        {"strategies": ("herding", "uherding")},
        {"strategies": ("committee", "bald"), "servers": 2},
        {"strategies": ("margin",), "mode": "synchronous", "batch_size": 10},
        {"strategies": ("badge", "typiclust"), "partition": "clusters", "filtered": False},
    ],
)
def test_a_campaign_runs_on_features_and_learns(
    tmp_path: Path, arrangement: dict[str, Any]
) -> None:
    np.savez(tmp_path / "whole.npz", **arrays())
    course = run(setting(**arrangement), loaded(tmp_path, "whole.npz"))
    assert course.finished["labels"] == 30
    assert course.of("evaluated")[-1]["accuracy"] > 0.75
    assert course.of("bound")


def test_the_first_queries_are_chosen_by_coverage_and_repeat(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", **arrays())
    data_set = loaded(tmp_path, "whole.npz")
    course = run(setting(strategies=("uherding",)), data_set)
    assert {each.strategy for each in course.asked} == {"uherding"}
    assert course.repeatable == run(setting(strategies=("uherding",)), data_set).repeatable
