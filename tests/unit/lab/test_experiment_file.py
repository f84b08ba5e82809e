"""A configuration file becomes settings, or one exact complaint."""

import tomllib
from pathlib import Path

import pytest

from al_lab.config import experiment_file
from al_lab.config.experiment_file import BadConfig, Experiment
from al_lab.report import sections

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "experiments").rglob("*.toml"))

WHOLE = """
title = "Two arms"
about = "  What it is about.  "
report = ["curves"]
seeds = 2
[data]
name = "sklearn:digits"
image_size = 8
[labels]
initial = 20
budget = 60
evaluate_every = 20
[clock]
training = 3
[[arms]]
name = "random"
arrangement.strategies = ["random"]
[[arms]]
name = "margin"
arrangement.strategies = ["margin"]
"""


def read(tmp_path: Path, text: str, preset: str | None = None) -> Experiment:
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    return experiment_file.read(path, preset=preset)


def complaint(tmp_path: Path, text: str, preset: str | None = None) -> str:
    """What is said of it, after the path of the file."""
    with pytest.raises(BadConfig) as caught:
        read(tmp_path, text, preset)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'x.toml'}")
    return said.removeprefix(f"{tmp_path / 'x.toml'}").lstrip(", ")


def test_a_file_becomes_the_settings_of_its_arms(tmp_path: Path) -> None:
    experiment = read(tmp_path, WHOLE)
    assert experiment.title == "Two arms"
    assert experiment.about == "What it is about."
    assert experiment.report == ("curves",)
    assert experiment.seeds == (0, 1)
    assert experiment.preset == ""
    assert experiment.source == str(tmp_path / "x.toml")
    assert experiment.arms == ("random", "margin")
    first, second = experiment.settings
    assert (first.arm, first.arrangement.strategies) == ("random", ("random",))
    assert (second.arm, second.arrangement.strategies) == ("margin", ("margin",))
    assert first.data.name == "sklearn:digits"
    assert (first.clock.training, first.clock.scoring) == (3.0, None)
    assert first.arrangement.workers == 10


def test_a_grid_is_run_with_each_arm(tmp_path: Path) -> None:
    grid = """
    [grid]
    "arrangement.batch_size" = [10, 20]
    sets = [{data.train = 500}, {data.train = 1000, labels.budget = 100}]
    """
    settings = read(tmp_path, WHOLE + grid).settings
    assert [(s.arm, s.arrangement.batch_size, s.data.train, s.labels.budget) for s in settings] == [
        (arm, batch, *each)
        for arm in ("random", "margin")
        for batch in (10, 20)
        for each in ((500, 60), (1000, 100))
    ]
    assert list(experiment_file.name_settings(settings).values())[:4] == [
        "random (train 500, batch_size 10)",
        "random (train 1000, batch_size 10)",
        "random (train 500, batch_size 20)",
        "random (train 1000, batch_size 20)",
    ]


def test_a_dotted_key_of_a_grid_needs_no_quotes(tmp_path: Path) -> None:
    settings = read(tmp_path, WHOLE + "[grid]\narrangement.servers = [1, 2]").settings
    assert [setting.arrangement.servers for setting in settings] == [1, 2, 1, 2]


def test_several_grids_are_run_beside_each_other(tmp_path: Path) -> None:
    grids = """
    [[grid]]
    "arrangement.servers" = [1, 2]
    [[grid]]
    "arrangement.workers" = [1]
    """
    settings = read(tmp_path, WHOLE + grids).settings
    of_margin = [s.arrangement for s in settings if s.arm == "margin"]
    assert [(each.servers, each.workers) for each in of_margin] == [(1, 10), (2, 10), (1, 1)]


def test_what_an_arm_says_of_itself_holds_against_the_grid(tmp_path: Path) -> None:
    arm = '[[arms]]\nname = "one"\narrangement.servers = 1\narrangement.strategies = ["margin"]\n'
    text = WHOLE + arm + '[grid]\n"arrangement.servers" = [2, 4]'
    servers = [(s.arm, s.arrangement.servers) for s in read(tmp_path, text).settings]
    assert servers == [("random", 2), ("random", 4), ("margin", 2), ("margin", 4), ("one", 1)]


def test_a_preset_is_laid_over_the_file(tmp_path: Path) -> None:
    presets = """
    [preset.small]
    seeds = [4, 7]
    labels.budget = 40
    [preset.paper]
    clock.training = "measured"
    [[preset.paper.arms]]
    name = "alone"
    """
    small = read(tmp_path, WHOLE + presets, "small")
    assert (small.preset, small.seeds, len(small.settings)) == ("small", (4, 7), 2)
    assert (small.settings[0].labels.budget, small.settings[0].labels.initial) == (40, 20)
    paper = read(tmp_path, WHOLE + presets, "paper")
    assert paper.arms == ("alone",)
    assert paper.settings[0].clock.training is None
    assert read(tmp_path, WHOLE + presets) == small, "small is the default"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'arrangement.strategies = ["margin"]',
            'arrangement.strategis = ["margin"]',
            (
                '[arms] "margin", arrangement.strategis: there is no such setting; '
                'did you mean "strategies"?'
            ),
        ),
        (
            'arrangement.strategies = ["margin"]',
            'arrangement.strategies = ["margins"]',
            (
                '[arms] "margin", arrangement.strategies: there is no strategy "margins"; '
                'did you mean "margin"?'
            ),
        ),
        (
            'arrangement.strategies = ["margin"]',
            'arrangement.strategies = "margin"',
            '[arms] "margin", arrangement.strategies: "margin" is not a list of names.',
        ),
        (
            "budget = 60",
            'budget = "many"',
            'labels.budget: "many" is not a whole number.',
        ),
        ("budget = 60", "budget = 60.5", "labels.budget: 60.5 is not a whole number."),
        ("budget = 60", "budget = true", "labels.budget: true is not a whole number."),
        ("budget = 60", "budget = -1", "labels.budget: it is 1 or more, not -1."),
        ("budget = 60\n", "", '[arms] "random", labels.budget: this must be given.'),
        (
            "budget = 60",
            "budget = 20",
            '[arms] "random", labels.budget: it is above labels.initial.',
        ),
        (
            "training = 3",
            'training = "long"',
            'clock.training: "long" is not a number or "measured".',
        ),
        ("training = 3", "training = nan", "clock.training: it is 0 or more, not nan."),
        (
            "[clock]",
            "[clocks]",
            'clocks: there is no such entry; did you mean "clock"?',
        ),
        (
            "[clock]",
            '[model]\nrecipe = "plane"\n[clock]',
            'model.recipe: "plane" is not possible; did you mean "plain"?',
        ),
        (
            "[clock]",
            "[arrangement]\nrefresh = 1\n[clock]",
            "arrangement.refresh: 1 is neither true nor false.",
        ),
        (
            "[clock]",
            '[arrangement]\nmode = "synchronous"\n[clock]',
            '[arms] "random", arrangement.mode: synchronous needs an arrangement.batch_size.',
        ),
        (
            'name = "margin"',
            'name = "random"',
            '[arms] "random": there is another arm of this name.',
        ),
        ('name = "margin"', "", "[arms] number 2, name: this must be given."),
        ('title = "Two arms"', "", "title: this must be given."),
        ("seeds = 2", "seeds = 0", "seeds: this is how many, 1 or more, or a list of seeds."),
        (
            'report = ["curves"]',
            'report = "curves"',
            "report: this is a list of names of sections.",
        ),
    ],
)
def test_a_mistake_is_told_by_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in WHOLE
    before, found, after = WHOLE.rpartition(old)
    assert found
    assert complaint(tmp_path, before + new + after) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vgg", "named 'vgg'. Did you mean vgg16?"),
        ("frozen:lcnet_05", "named 'frozen:lcnet_05': timm"),
    ],
)
def test_an_unknown_architecture_is_told_by_its_place(tmp_path: Path, name: str, said: str) -> None:
    text = WHOLE.replace("[clock]", f'[model]\narchitecture = "{name}"\n[clock]')
    told = complaint(tmp_path, text)
    assert told.startswith('[arms] "random", model.architecture: There is no architecture ')
    assert said in told


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (
            '"arrangement.batch_siz" = [1]',
            '[grid], arrangement.batch_siz: there is no such setting; did you mean "batch_size"?',
        ),
        (
            '"arangement.batch_size" = [1]',
            '[grid], arangement: there is no such table of settings; did you mean "arrangement"?',
        ),
        (
            '"arrangement.batch_size" = 1',
            "[grid], arrangement.batch_size: this is a list of at least one value.",
        ),
        (
            '"arrangement.batch_size" = ["a"]',
            '[grid], arrangement.batch_size: "a" is not a whole number.',
        ),
        (
            "batch_size = [1, 2]",
            (
                "[grid], batch_size: a setting is named with its table, like "
                '"arrangement.batch_size"; under another name each value is a table of settings.'
            ),
        ),
        (
            "sets = [{data.trian = 5}]",
            '[grid], sets, data.trian: there is no such setting; did you mean "train"?',
        ),
    ],
)
def test_a_mistake_in_a_grid_is_told_by_its_place(tmp_path: Path, grid: str, said: str) -> None:
    assert complaint(tmp_path, f"{WHOLE}[grid]\n{grid}") == said


def test_a_mistake_in_a_preset_is_told_by_its_place(tmp_path: Path) -> None:
    text = f"{WHOLE}[preset.small]\nlabels.budgets = 5"
    assert complaint(tmp_path, text) == (
        '[preset.small], labels.budgets: there is no such setting; did you mean "budget"?'
    )
    assert complaint(tmp_path, f"{WHOLE}[preset.small]", "smal") == (
        ': it has no preset "smal"; did you mean "small"?'
    )


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"none\.toml cannot be read: No such file"):
        experiment_file.read(tmp_path / "none.toml")
    assert complaint(tmp_path, "title = ").startswith("is not TOML: Invalid value (at ")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_experiment_here_can_be_read_with_its_presets(path: Path) -> None:
    presets = tomllib.loads(path.read_text(encoding="utf-8"))["preset"]
    assert {"small", "paper"} <= set(presets)
    for preset in presets:
        experiment = experiment_file.read(path, preset=preset)
        assert experiment.title
        assert experiment.about
        assert experiment.report
        assert all(map(sections.known, experiment.report))
        assert len(experiment.seeds) >= 3 or path.stem == "section_3_2"
        labels = experiment_file.name_settings(experiment.settings)
        assert len(set(labels.values())) == len(experiment.settings)


def test_what_the_small_presets_run_is_repeatable_except_where_it_is_measured() -> None:
    for path in FILES:
        clocks = [each.clock for each in experiment_file.read(path, preset="small").settings]
        given = [None not in (clock.training, clock.scoring) for clock in clocks]
        assert all(given) is (path.stem != "figure_4"), path
