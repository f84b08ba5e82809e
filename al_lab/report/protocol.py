"""What was run, and how it differs from the paper."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch

from al_lab.config.settings import HEAD, Clock, Setting
from al_lab.report import markdown
from al_lab.report.layout import PAPERS_THREE, Layout, flat_setting
from al_lab.report.naming import (
    data_name,
    key_name,
    value_name,
)
from al_lab.simulation.recipes import recipe_for

_PAPERS_DATA: Final = {"CIFAR-10": 32, "CIFAR-100": 32, "mini-ImageNet": 84}
"""The paper's data sets, with the side of their images in pixels."""

_PAPERS_BATCHES: Final = frozenset({1_000, 2_500, 5_000})
_NOT_IN_THE_PAPER: Final = (
    "The paper does not say, or says it in a supplement that is not public: how many labels there "
    "are at the start and at the end, when accuracy is measured, how its network is trained "
    "(epochs, optimizer, learning rate, augmentation), how many people label at which pace, how "
    "long a training takes against a label, and how often a run was repeated. What was chosen "
    "here is in the table above."
)

Words = Callable[[Setting], str]


def configuration(settings: Sequence[Setting], *, on_gpu: bool) -> str:
    """A table of settings; of one that varies, all values, by data set where these differ in it."""
    rows: list[tuple[str, Words]] = [
        ("data", lambda each: f"`{each.data.name}`"),
        ("images in the pool", _pool),
        ("test images", lambda each: value_name("data.train", each.data.test)),
        ("image side, px", lambda each: f"{each.data.image_size or 'none: features'}"),
        ("labels at the start, at random", lambda each: markdown.number(each.labels.initial)),
        ("labels at the end", lambda each: markdown.number(each.labels.budget)),
        ("accuracy is measured every", lambda each: f"{each.labels.evaluate_every:,} labels"),
        (
            "people",
            lambda each: f"{each.people.count:,}, {each.people.seconds_per_label:g} s a label",
        ),
        ("answers", _answers),
        ("a training takes", lambda each: _training(each.clock)),
        ("a pass over D_j takes", lambda each: _scoring(each.clock)),
        ("network", lambda each: f"`{each.model.architecture}`"),
        ("trained", lambda each: _recipe(each, on_gpu=on_gpu)),
        ("each training starts", lambda each: _start(each)),
        *(
            (key_name(f"arrangement.{key}"), _value(f"arrangement.{key}"))
            for key in ("mode", "servers", "devices", "workers", "batch_size")
        ),
        *(
            (key_name(f"arrangement.{key}"), _value(f"arrangement.{key}"))
            for key in ("refresh", "filtered", "take", "partition", "model_choice")
        ),
        *(
            [("least depth of S, where it is adaptive", _value("arrangement.depth_floor"))]
            if any(not each.arrangement.batch_size for each in settings)
            else []
        ),
    ]
    return markdown.table(
        ["", "here"], [[name, _told(words, settings)] for name, words in rows], figures=False
    )


def arms(settings: Sequence[Setting]) -> str:
    """A table of the arms with the settings in which they differ."""
    flat = {setting: flat_setting(setting) for setting in settings}
    names = list(dict.fromkeys(setting.arm for setting in settings))
    told: dict[str, dict[str, str]] = {name: {} for name in names}
    keys = list(next(iter(flat.values())))
    for name in names:
        for key in keys:
            values = [value_name(key, flat[each][key]) for each in settings if each.arm == name]
            told[name][key] = _alternatives(values)
    shown = [key for key in keys if len({each[key] for each in told.values()}) > 1]
    if not shown:
        return ""
    return markdown.table(
        ["arm", *(key_name(key) for key in shown)],
        [[name, *(told[name][key] for key in shown)] for name in names],
        figures=False,
    )


def varied(layout: Layout) -> str:
    """A sentence on the axes and their values; empty without any."""
    parts = []
    for axis in layout.axes:
        values = [value_name(axis, place[axis]) for place in layout.places if axis in place]
        parts.append(f"{key_name(axis)} ({_alternatives(values)})")
    return f"Each arm is run with each {markdown.listed(parts)}." if parts else ""


def differences(settings: Sequence[Setting]) -> str:
    """A list of differences to the paper, and what the paper does not say."""
    found: list[str] = []
    for words, differs in _DIFFERENCES:
        these = [each for each in settings if differs(each)]
        if these:
            which = "" if len(these) == len(settings) else _which(these, settings)
            found.append(f"- {which}{_filled(words, these)}")
    return "\n".join([*found, "", _NOT_IN_THE_PAPER] if found else [_NOT_IN_THE_PAPER])


_DIFFERENCES: Final[tuple[tuple[str, Callable[[Setting], bool]], ...]] = (
    (
        "The data is {data.name}, which the paper does not use.",
        lambda each: data_name(each.data.name) not in _PAPERS_DATA,
    ),
    (
        "Images are {data.image_size} px wide, not as they come.",
        lambda each: (
            each.data.image_size
            not in (0, _PAPERS_DATA.get(data_name(each.data.name), each.data.image_size))
        ),
    ),
    (
        "The pool is a random sample of {data.train} images, not all 50,000.",
        lambda each: each.data.train not in (0, 50_000),
    ),
    ("Each image is in the pool {data.copies} times.", lambda each: each.data.copies != 1),
    (
        "The network is {model.architecture}, not VGG-16.",
        lambda each: each.model.architecture != "vgg16",
    ),
    (
        "Trainings go on from the model before, shrunken and perturbed.",
        lambda each: each.model.warm_start != "scratch",
    ),
    (
        "The number of workers is {arrangement.workers}, not 10.",
        lambda each: each.arrangement.workers != 10,
    ),
    (
        "Batches are {arrangement.batch_size}, not 1,000, 2,500 or 5,000.",
        lambda each: each.arrangement.batch_size not in _PAPERS_BATCHES,
    ),
    (
        "Workers choose by {arrangement.strategies}.",
        lambda each: (
            set(each.arrangement.strategies) != {"random"}
            and not set(each.arrangement.strategies) <= PAPERS_THREE
        ),
    ),
    (
        "Servers share {arrangement.devices} device(s).",
        lambda each: 0 < each.arrangement.devices < each.arrangement.servers,
    ),
    (
        "What waits in S is chosen anew by each new model.",
        lambda each: each.arrangement.refresh and each.arrangement.mode == "asynchronous",
    ),
    ("Copies are asked last.", lambda each: each.arrangement.filtered),
    (
        "People get the best query of S, not a random one.",
        lambda each: each.arrangement.take == "best",
    ),
    (
        "Workers have clusters of D, not random parts.",
        lambda each: each.arrangement.partition != "random",
    ),
    (
        "g* is chosen by {arrangement.model_choice}, not the latest model.",
        lambda each: each.arrangement.model_choice != "latest",
    ),
    (
        "Models are held back until they lack {arrangement.imposed_staleness} labels.",
        lambda each: each.arrangement.imposed_staleness > 0,
    ),
    (
        "A training waits for {arrangement.min_new_labels} new labels.",
        lambda each: each.arrangement.min_new_labels > 1,
    ),
    (
        "Answers can be wrong ({people.error_rate} at random; crowd: {people.crowd}).",
        lambda each: bool(each.people.error_rate or each.people.crowd),
    ),
)


def _filled(words: str, settings: Sequence[Setting]) -> str:
    """The words with the settings' values in place of keys in braces."""
    for key, values in _all_values(settings).items():
        words = words.replace("{" + key + "}", values)
    return words


def _all_values(settings: Sequence[Setting]) -> Mapping[str, str]:
    flat = [flat_setting(each) for each in settings]
    return {key: _alternatives([value_name(key, each[key]) for each in flat]) for key in flat[0]}


def _which(these: Sequence[Setting], settings: Sequence[Setting]) -> str:
    """The data sets or arms for which something holds that does not hold for all."""
    for read in (lambda each: data_name(each.data.name), lambda each: each.arm):
        inside = list(dict.fromkeys(read(each) for each in these))
        if not {read(each) for each in settings if each not in these} & set(inside):
            return f"{', '.join(inside)}: "
    return "In some runs: "


def _value(key: str) -> Words:
    def words(setting: Setting) -> str:
        return value_name(key, flat_setting(setting)[key])

    return words


def _told(words: Words, settings: Sequence[Setting]) -> str:
    """`100`, or `16 (CIFAR-10); 14 (Fashion-MNIST)`."""
    by_data: dict[str, list[str]] = {}
    for each in settings:
        by_data.setdefault(data_name(each.data.name), []).append(words(each))
    told: dict[str, list[str]] = {}
    for name, values in by_data.items():
        told.setdefault(_alternatives(values), []).append(name)
    if len(told) == 1:
        return next(iter(told))
    return "; ".join(f"{values} ({', '.join(names)})" for values, names in told.items())


def _alternatives(values: Sequence[Any]) -> str:
    """`1, 2 or 4`, each once."""
    distinct = [str(value) for value in dict.fromkeys(values)]
    if len(distinct) < 2:
        return "".join(distinct)
    return f"{', '.join(distinct[:-1])} or {distinct[-1]}"


def _pool(setting: Setting) -> str:
    data = setting.data
    copies = f", {data.copies} copies of each" if data.copies > 1 else ""
    return f"{value_name('data.train', data.train)}{copies}"


def _answers(setting: Setting) -> str:
    people = setting.people
    if people.crowd:
        told = f"drawn from `{people.crowd}`"
    else:
        told = f"wrong at random, {100 * people.error_rate:g} %" if people.error_rate else "right"
    if people.answers_per_image > 1:
        told += f", the most frequent of {people.answers_per_image}"
    return told


def _training(clock: Clock) -> str:
    if clock.training is None:
        return "as long as it was measured to take"
    each = f" + {clock.training_per_label:g} s a label" if clock.training_per_label else ""
    return f"{clock.training:g} s{each}"


def _scoring(clock: Clock) -> str:
    if clock.scoring is None:
        return "as long as it was measured to take"
    each = f" + {clock.scoring_per_image:g} s an image" if clock.scoring_per_image else ""
    return f"{clock.scoring:g} s{each}"


def _recipe(setting: Setting, *, on_gpu: bool) -> str:
    """The numbers of the recipe for all labels."""
    if setting.model.architecture == HEAD:
        return "as in the product: logistic regression on the features"
    recipe = recipe_for(
        setting.model,
        image_size=setting.data.image_size,
        labels=setting.labels.budget,
        device=torch.device("cuda" if on_gpu else "cpu"),
    )
    by = {"product": "as in the product", "plain": "as in the paper's time"}[setting.model.recipe]
    return (
        f"{by}: {recipe.optimizer}, {recipe.steps(setting.labels.budget):,} steps of "
        f"{recipe.batch_size} images with all labels ({recipe.epochs} epochs, {recipe.min_steps} "
        f"to {recipe.max_steps:,} steps), learning rate {recipe.learning_rate:g} "
        f"({recipe.schedule.replace('_', ' ')}), weight decay {recipe.weight_decay:g}, "
        f"{recipe.augment.replace('_', ' and ')}"
    )


def _start(setting: Setting) -> str:
    return "from scratch" if setting.model.warm_start == "scratch" else "from the model before"
