"""The whole report: what it states, what it leaves out, and that the same runs give the same."""

import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from made_up import THREE, experiment, run, runs, setting
from PIL import Image

from al_lab.config.settings import Clock, Model, People, Setting
from al_lab.report import document
from al_lab.report.figure_choice import FIGURES_PER_REPORT, Figure, Part, choose_figures
from al_lab.report.protocol import configuration, differences
from al_lab.report.sections import ALWAYS, SECTIONS, known
from al_lab.report.webp import FIGURE_BYTES, compress
from al_lab.results import Run

EVERY = (*SECTIONS, "against:arm", "against:arrangement.batch_size")


def settings() -> list[Setting]:
    """Random, and the paper's strategy in both modes, with two batch sizes."""
    return [
        setting(arm, strategies, mode=mode, batch_size=size)
        for size in (50, 250)
        for arm, strategies, mode in (
            ("random", ["random"], "asynchronous"),
            ("AAL", THREE, "asynchronous"),
            ("AAL, synchronous", THREE, "synchronous"),
        )
    ]


def accuracy(of: Setting, seed: int) -> list[float]:
    gain = 0.0 if of.arm == "random" else 0.02
    return [0.5 + 0.1 * n + gain * (n > 0) + 0.003 * seed * (n + len(of.arm)) for n in range(5)]


def made() -> list[Run]:
    return runs(settings(), accuracy, wait=1.0)


def test_every_section_can_be_asked_for_and_four_figures_are_there(tmp_path: Path) -> None:
    document.write(tmp_path, experiment(settings(), *EVERY), made())
    text = (tmp_path / document.FILE).read_text()
    for heading, _ in SECTIONS.values():
        assert f"\n## {heading}\n" in text
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(shown) == FIGURES_PER_REPORT
    assert {file.name for file in tmp_path.iterdir()} == {document.FILE, *shown}
    assert all((tmp_path / name).stat().st_size <= FIGURE_BYTES for name in shown)


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        document.write(tmp_path / name, experiment(settings(), *EVERY), made())
    files = sorted(file.name for file in (tmp_path / "once").iterdir())
    assert len(files) == 1 + FIGURES_PER_REPORT
    for name in files:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_figures_are_on_white_and_large_enough_to_be_sharp(
    tmp_path: Path,
) -> None:
    document.write(tmp_path, experiment(settings(), "curves"), made())
    with Image.open(tmp_path / "accuracy.webp") as picture:
        assert picture.format == "WEBP"
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        assert picture.width >= 1_400


def figure(name: str, rank: int = 0) -> Figure:
    return Figure(name, f"What {name} shows", lambda: pytest.fail("drawn"), rank=rank)


def test_the_first_figures_of_each_named_section_come_before_any_second_one() -> None:
    curves: list[Part] = [figure("accuracy"), "words", figure("clock", 2), figure("above", 1)]
    staleness = [figure("staleness")]
    chosen = choose_figures([curves, [figure("against")]], [staleness])
    assert [each.name for each in chosen] == ["accuracy", "against", "above", "clock"]
    chosen = choose_figures([[figure("waits")]], [staleness])
    assert [each.name for each in chosen] == ["waits", "staleness"]


def test_a_figure_that_is_not_chosen_is_not_named() -> None:
    report = document.compose(experiment(settings(), "curves", "against:arm"), made())
    assert [each.name for each in report.figures] == [
        *("accuracy", "against_arm", "above_random", "clock")
    ]
    assert "staleness.webp" not in report.text
    assert "Over the clock" in report.text
    fewer = document.compose(experiment(settings(), "curves", "pairs", "waits"), made())
    assert "clock" not in [each.name for each in fewer.figures]
    assert "Over the clock" not in fewer.text


def test_a_figure_that_is_too_large_gets_fewer_colors_and_then_fewer_pixels() -> None:
    noise = Image.effect_noise((400, 300), 80).convert("RGB")
    small = noise.resize((100, 75))
    plain = compress([noise], limit=10**9)
    fewer_colors = compress([noise], limit=len(plain) - 1)
    assert len(fewer_colors) < len(plain)
    fewer_pixels = compress([noise, small], limit=len(compress([small], limit=10**9)))
    with Image.open(BytesIO(fewer_pixels)) as picture:
        assert picture.size == (100, 75)


def test_it_says_what_made_it() -> None:
    text = document.compose(experiment(settings()), made()).text
    assert text.startswith("# An experiment\n\nWhat it is about.\n")
    assert (
        "`python -m al_lab experiments/made_up.toml --preset small --seeds 3 "
        "--data FOLDER --output FOLDER`" in text
    )
    assert "18 runs with 3 seeds;" in text
    assert "nowait 0.1.0, torch 2.0, numpy 2.0, python 3.11" in text
    # 18 runs of 40 s, of 30 s of processor time each.
    assert "The runs took 12 min one after the other, 9 min of processor time." in text
    for name in ALWAYS:
        assert f"## {SECTIONS[name][0]}" in text


def test_seeds_that_are_not_the_first_ones_are_no_option_of_the_command() -> None:
    assert "--seeds" not in document.command(replace(experiment([]), seeds=(3, 5)))


def test_runs_that_are_missing_are_counted_and_others_left_out() -> None:
    other = run(setting("other"), 0, [0.5] * 5)
    text = document.compose(experiment(settings()), [*made()[:-2], other]).text
    assert "16 runs with 3 seeds;" in text
    assert "2 more are not finished." in text
    assert "other" not in text.partition("## What was run")[2].partition("### Where")[0]


def test_without_any_run_there_is_no_report() -> None:
    with pytest.raises(ValueError, match="no finished run"):
        document.compose(experiment(settings()), [])


def test_sections_are_known_by_name_and_by_key() -> None:
    assert known("curves")
    assert known("against:arrangement.batch_size")
    assert not known("curve")


def test_what_varies_between_data_sets_is_told_by_data_set() -> None:
    small = setting("margin")
    large = setting("margin", data="cifar10.npz")
    large = replace(large, data=replace(large.data, image_size=32))
    text = configuration([small, large], on_gpu=False)
    assert "| image side, px | 14 (Fashion-MNIST); 32 (CIFAR-10) |" in text
    assert "| people | 5, 5 s a label |" in text


def test_the_recipe_is_told_with_its_numbers() -> None:
    text = configuration([setting("margin")], on_gpu=False)
    # 20 epochs of 500 labels in batches of 32.
    assert "20 epochs" in text
    assert "learning rate 0.005" in text


def test_an_arrangement_as_in_the_paper_differs_in_nothing_but_what_it_does_not_say() -> None:
    as_told = setting(
        "AAL", THREE, data="cifar10.npz", batch_size=2_500, refresh=False, filtered=False
    )
    as_told = replace(
        as_told,
        data=replace(as_told.data, train=0, test=0, image_size=32),
        model=Model(architecture="vgg16"),
    )
    assert differences([as_told]).strip().startswith("The paper does not say")


def test_every_difference_to_the_paper_is_named_with_its_values() -> None:
    ours = setting(
        "ours",
        ["badge"],
        batch_size=0,
        workers=4,
        servers=2,
        devices=1,
        take="best",
        imposed_staleness=500,
        people=People(error_rate=0.17),
        clock=Clock(),
    )
    text = differences([ours])
    for words in (
        "The data is Fashion-MNIST, which the paper does not use.",
        "a random sample of 8,000 images",
        "The network is `small_cnn`, not VGG-16.",
        "The number of workers is 4, not 10.",
        "Batches are adaptive",
        "Workers choose by badge.",
        "Servers share 1 device",
        "chosen anew by each new model",
        "Copies are asked last.",
        "the best query of S",
        "until they lack 500 labels",
        "Answers can be wrong (0.17 at random",
    ):
        assert words in text


def test_what_differs_in_some_arms_or_data_alone_is_said_of_those() -> None:
    text = differences([setting("paper", refresh=False), setting("ours", workers=5)])
    assert "- ours: What waits in S is chosen anew by each new model." in text
    assert "- The data is Fashion-MNIST" in text
