"""Which runs of an experiment belong together, and how that is said."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from made_up import THREE, run, runs, setting

from al_lab.config.settings import People, Setting
from al_lab.report.arm_styles import (
    baseline,
    line_styles,
    partners,
    place_title,
    rows_of,
)
from al_lab.report.layout import Layout, lay_out, shared
from al_lab.report.naming import (
    data_name,
    file_name,
    method_name,
    place_name,
    value_name,
)

CURVE = (0.5, 0.6, 0.7, 0.8, 0.9)


def lying(settings: Sequence[Setting]) -> Layout:
    return lay_out(settings, runs(settings, lambda *_: CURVE, seeds=2))


def test_what_the_grid_varies_is_an_axis_and_what_makes_the_arms_is_none() -> None:
    found = lying(
        [
            setting(arm, [arm], batch_size=size, refresh=arm == "margin")
            for size in (50, 250)
            for arm in ("random", "margin")
        ]
    )
    assert found.axes == ("arrangement.batch_size",)
    assert found.places == ({"arrangement.batch_size": 50}, {"arrangement.batch_size": 250})
    assert [cell.arm for cell in found.at(found.places[1])] == ["random", "margin"]
    assert [cell.setting.arrangement.batch_size for cell in found.at(found.places[1])] == [250, 250]


def test_an_arm_that_does_not_vary_stands_at_every_place() -> None:
    found = lying(
        [
            setting("random", ["random"], batch_size=50),
            *(setting("margin", batch_size=size) for size in (50, 250)),
        ]
    )
    assert len(found.cells) == 3
    assert len(found.places) == 2
    assert [cell.arm for cell in found.at(found.places[1])] == ["random", "margin"]


def test_other_data_and_another_budget_are_other_places_even_of_other_arms() -> None:
    found = lying([setting("one"), setting("other", data="cifar10.npz"), setting("more", budget=9)])
    assert found.axes == ("data.name", "labels.budget")
    assert [[cell.arm for cell in found.at(place)] for place in found.places] == [
        ["one"],
        ["other"],
        ["more"],
    ]


def test_what_follows_from_the_data_is_no_axis_of_its_own() -> None:
    small = setting("margin")
    large = setting("margin", data="cifar10.npz", budget=1_000)
    large = replace(large, data=replace(large.data, image_size=32))
    assert lying([small, large]).axes == ("data.name",)


def test_settings_without_runs_and_runs_of_other_settings_are_left_out() -> None:
    wanted, missing, other = setting("wanted"), setting("missing"), setting("other")
    found = lay_out([wanted, missing], [run(wanted, 0, CURVE), run(other, 0, CURVE)])
    assert [cell.arm for cell in found.cells] == ["wanted"]


def test_places_that_differ_in_one_axis_lie_along_it() -> None:
    found = lying(
        [
            setting("margin", servers=servers, batch_size=size)
            for size in (50, 250)
            for servers in (1, 2)
        ]
    )
    along = found.along("arrangement.servers")
    assert [rest for rest, _ in along] == [
        {"arrangement.batch_size": 50},
        {"arrangement.batch_size": 250},
    ]
    assert [[own["arrangement.servers"] for own, _ in places] for _, places in along] == [
        [1, 2],
        [1, 2],
    ]


def test_runs_are_paired_by_their_seeds() -> None:
    ours, theirs = setting("ours"), setting("theirs")
    found = lay_out(
        [ours, theirs],
        [run(ours, seed, CURVE) for seed in (2, 0)] + [run(theirs, seed, CURVE) for seed in (2, 3)],
    )
    assert [run.seed for run in found.cells[0].runs] == [0, 2]
    assert [(one.seed, other.seed) for one, other in shared(*found.cells)] == [(2, 2)]


def test_random_is_told_by_its_strategy_and_the_asynchronous_one_is_preferred() -> None:
    cells = lying(
        [
            setting("dice, synchronous", ["random"], mode="synchronous"),
            setting("dice", ["random"]),
            setting("margin"),
        ]
    ).cells
    found = baseline(cells)
    assert found is not None
    assert found.arm == "dice"
    assert baseline(cells[2:]) is None


def test_the_papers_method_is_told_by_its_strategies() -> None:
    cells = lying([setting("any name", THREE), setting("waits", THREE, mode="synchronous")]).cells
    assert [cell.is_aal for cell in cells] == [True, False]


def test_partners_share_strategies_and_a_color_and_the_synchronous_one_is_dashed() -> None:
    found = lying(
        [
            setting("margin, synchronous", mode="synchronous"),
            setting("margin, asynchronous"),
            setting("entropy", ["entropy"]),
            setting("random", ["random"]),
        ]
    )
    assert [[cell.arm for cell in pair] for pair in partners(found.cells)] == [
        ["margin, synchronous", "margin, asynchronous"]
    ]
    look = line_styles(found)
    assert look["margin, synchronous"].color == look["margin, asynchronous"].color
    assert look["margin, synchronous"].dashed
    assert not look["margin, asynchronous"].dashed
    assert look["entropy"].color != look["margin, asynchronous"].color
    assert look["random"].color == "#000000"


def test_arms_of_the_same_strategy_that_are_no_partners_differ_in_color() -> None:
    look = line_styles(
        lying([setting("off", refresh=False), setting("on"), setting("best", take="best")])
    )
    assert len({each.color for each in look.values()}) == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cifar10_jpeg92.tar.xz", "CIFAR-10"),
        ("cifar100_jpeg92.tar.xz", "CIFAR-100"),
        ("torchvision:CIFAR10", "CIFAR-10"),
        ("torchvision:FashionMNIST", "Fashion-MNIST"),
        ("cifar10_jpeg92.tar.xz#cifar10s.csv", "CIFAR-10 (cifar10s.csv)"),
        ("cifar10_jpeg92.tar.xz#train", "CIFAR-10"),
        ("imagenette_224_subset.zip", "Imagenette"),
        ("sklearn:digits", "digits"),
        ("birds/photos.zip", "photos"),
    ],
)
def test_data_sets_have_the_names_that_people_know(name: str, words: str) -> None:
    assert data_name(name) == words


def test_settings_are_told_in_words() -> None:
    assert value_name("arrangement.batch_size", 0) == "adaptive"
    assert value_name("arrangement.batch_size", 2_500) == "2,500"
    assert value_name("arrangement.refresh", True) == "on"
    assert value_name("clock.training", None) == "measured"
    assert method_name(THREE) == "AAL"
    assert method_name(["badge", "margin"]) == "badge + margin"
    assert method_name(["least_confidence"]) == "least confidence"
    assert file_name("clock", "CIFAR-10 (cifar10s.csv)") == "clock_cifar-10_cifar10s.csv"


def test_of_peoples_answers_only_what_makes_them_err_is_told() -> None:
    right = {"people.error_rate": 0.0, "people.crowd": "", "people.answers_per_image": 1}
    assert place_name(right) == "right answers"
    assert place_name(right | {"people.error_rate": 0.17}) == "error rate 0.17"
    assert place_name({"arrangement.servers": 2}) == "servers 2"
    assert place_name({}) == ""


def test_a_place_names_its_data_whether_or_not_that_varies() -> None:
    one = lying([setting("margin", people=People(count=count)) for count in (1, 5)])
    assert place_title(one, one.places[1]) == "Fashion-MNIST, people 5"


def test_what_makes_no_difference_to_a_table_has_no_rows_of_its_own() -> None:
    settings = [
        setting(arm, [arm], data=data, batch_size=size)
        for data in ("fashion_mnist.npz", "cifar10.npz")
        for size in (50, 250)
        for arm in ("random", "margin")
    ]
    found = lying(settings)
    by_size = rows_of(found, lambda cell: [str(cell.setting.arrangement.batch_size)])
    assert by_size == [["all arms, batch size 50", "50"], ["all arms, batch size 250", "250"]]
    by_arm = rows_of(found, lambda cell: [str(cell.is_random)])
    assert by_arm == [["random", "True"], ["margin", "False"]]
    assert rows_of(found, lambda _: ["same"]) == [["all arms", "same"]]
    each = rows_of(found, lambda cell: [str(settings.index(cell.setting))])
    assert [row[1] for row in each] == [str(number) for number in range(8)]
    assert each[0][0] == "random, Fashion-MNIST, batch size 50"


def test_one_arm_keeps_its_name_in_a_table() -> None:
    found = lying([setting("margin", batch_size=size) for size in (50, 250)])
    assert rows_of(found, lambda _: ["same"]) == [["margin", "same"]]
