"""The accuracy benchmark: its figures, the results that it keeps, the curves that it draws."""

from dataclasses import replace
from math import inf
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from al_lab.data.files import NoData
from benchmarks.learning import results
from benchmarks.learning.course import Arm, Course
from benchmarks.learning.drawing import Line, chart, ticks
from benchmarks.learning.pool import Split, load, sampled
from benchmarks.learning.report import rows, summary, table

CONDITIONS = {"sizes": {"batch": 10}, "recipe": {"epochs": 20}}


def course(strategy: str, seed: int, *accuracy: float, pool: str = "clean") -> Course:
    labels = [10 * (n + 1) for n in range(len(accuracy))]
    arm = Arm(pool=pool, filtered=False, strategy=strategy)
    return Course(arm, seed, labels, list(accuracy), distinct=7, seconds=2.0)


def test_a_strategy_is_compared_over_the_seeds_that_it_shares_with_random() -> None:
    random = [course("random", seed, 0.2, 0.4) for seed in (0, 1)]
    ours = [course("margin", seed, 0.2, 0.6) for seed in (1, 2)]
    (row,) = rows(ours, random)
    assert row.mean_gain.mean == pytest.approx(0.1)
    assert row.mean_gain.half_width == inf
    assert row.end_gain.mean == pytest.approx(0.2)
    assert row.enough == pytest.approx(15)


def test_the_best_curve_stands_first_and_a_clear_difference_is_bold() -> None:
    courses = [course("random", seed, 0.2, 0.40 + 0.01 * seed) for seed in range(3)]
    courses += [course("margin", seed, 0.2, 0.60 + 0.01 * seed) for seed in range(3)]
    lines = table(rows(courses, courses[:3]), labels=20).splitlines()
    assert lines[2:] == [
        "| `margin` | 40.50 | **+10.00 ± 0.00** | 61.00 | **+20.00 ± 0.00** | 15 | 7 |",
        "| `random` | 30.50 | – | 41.00 | – | 20 | 7 |",
    ]


def test_what_gains_most_where_it_gains_least_stands_first() -> None:
    random = [course("random", 0, 0.2, 0.4)]
    clean = rows([*random, course("safe", 0, 0.3, 0.4), course("bold", 0, 0.5, 0.6)], random)
    copied = rows([course("safe", 0, 0.2, 0.38), course("bold", 0, 0.1, 0.2)], random)
    assert summary({"clean": clean, "copied": copied}).splitlines() == [
        "| mean of the curve to random ± | clean | copied |",
        "|---|---|---|",
        "| `random` | +0.00 |  |",
        "| `safe` | +5.00 | -1.00 |",
        "| `bold` | +25.00 | -15.00 |",
    ]


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    assert results.read(file, CONDITIONS) == []
    done = course("margin", 0, 0.2, 0.4)
    results.add(file, done, CONDITIONS)
    assert results.read(file, CONDITIONS) == [done]
    other = replace(done.arm, filtered=True)
    assert results.missing([done], arms=[done.arm, other], seeds=2) == [
        (other, 0),
        (done.arm, 1),
        (other, 1),
    ]


def test_results_of_other_conditions_are_not_mixed_in(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    results.add(file, course("margin", 0, 0.2, 0.4), CONDITIONS)
    with pytest.raises(results.OtherConditions, match=r"'epochs': 20.* there, .*'epochs': 30"):
        results.read(file, CONDITIONS | {"recipe": {"epochs": 30}})


def test_results_from_before_a_recipe_had_a_field_are_still_those_of_its_default(
    tmp_path: Path,
) -> None:
    file = tmp_path / "results.jsonl"
    done = course("margin", 0, 0.2, 0.4)
    results.add(file, done, CONDITIONS)
    smoother = {"recipe": CONDITIONS["recipe"] | {"label_smoothing": 0.1}}
    assert results.read(file, CONDITIONS | {"recipe": {"epochs": 20, "label_smoothing": 0.0}})
    with pytest.raises(results.OtherConditions, match="label_smoothing"):
        results.read(file, CONDITIONS | smoother)


def test_a_copied_pool_holds_every_image_as_often_and_a_seed_draws_the_same() -> None:
    data = Split(
        torch.arange(50, dtype=torch.uint8).view(50, 1, 1, 1).expand(-1, 3, 14, 14),
        torch.arange(50) % 10,
    )
    pool, again = (
        sampled(data, images=8, copies=3, generator=torch.Generator().manual_seed(5))
        for _ in range(2)
    )
    assert len(pool) == 24
    assert pool.shows.bincount().tolist() == [3] * 8
    assert len(set(pool.of.images[:, 0, 0, 0].tolist())) == 8
    assert torch.equal(pool.of.truth, pool.of.images[:, 0, 0, 0].long() % 10)
    assert torch.equal(pool.of.images, again.of.images)


def test_images_are_halved_by_the_mean_of_four_pixels(tmp_path: Path) -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, :2, :2] = [[10, 20], [30, 44]]
    truth = np.array([3], np.uint8)
    np.savez(
        tmp_path / "fashion_mnist.npz", x_train=image, y_train=truth, x_test=image, y_test=truth
    )
    train, _ = load(tmp_path)
    assert train.images.shape == (1, 3, 14, 14)
    assert train.images[0, :, 0, 0].tolist() == [26, 26, 26]
    assert train.images.sum() == 78
    assert train.truth.tolist() == [3]


def test_a_folder_without_the_data_is_told_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(NoData, match=r"fashion_mnist\.npz cannot be read.*x_train"):
        load(tmp_path)


def test_ticks_are_round_and_enclose_the_values() -> None:
    assert ticks(68.3, 81.9) == [65, 70, 75, 80, 85]
    assert ticks(0, 1_000) == [0, 200, 400, 600, 800, 1_000]


def test_a_drawing_is_an_svg_with_a_line_for_each_series() -> None:
    lines = [Line("a < b", [(10, 0.5), (20, 0.7)]), Line("flat", [(10, 0.5), (20, 0.5)])]
    drawn = chart("Curves", lines, across="labels", up="%")
    drawing = ElementTree.fromstring(drawn)  # noqa: S314 - it is our own
    words = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Curves", "labels", "%", "a < b", "flat", "10", "20"} <= set(words)
