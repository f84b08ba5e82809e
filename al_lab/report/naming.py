"""Names of data sets, settings and methods for reports."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, Final

from al_lab.report.layout import PAPERS_THREE, Place

# By the beginning of a file's or a torchvision data set's name, reduced to letters and digits.
# Longer beginnings come first.
_DATA_NAMES: Final = {
    "cifar100": "CIFAR-100",
    "cifar10": "CIFAR-10",
    "fashionmnist": "Fashion-MNIST",
    "miniimagenet": "mini-ImageNet",
    "imagenette": "Imagenette",
    "signdigits": "sign digits",
    "digits": "digits",
}
_KEY_NAMES: Final = {
    "data.name": "data",
    "data.copies": "copies of each image",
    "data.train": "images in the pool",
    "labels.initial": "initial labels",
    "labels.budget": "labels",
    "people.count": "people",
    "people.seconds_per_label": "seconds per label",
    "people.error_rate": "error rate",
    "people.crowd": "answers from",
    "people.answers_per_image": "answers per image",
    "clock.training": "training time",
    "clock.scoring": "scoring time",
    "model.architecture": "network",
    "model.recipe": "recipe",
    "model.warm_start": "start of a training",
    "arrangement.mode": "mode",
    "arrangement.servers": "servers",
    "arrangement.devices": "devices of the servers",
    "arrangement.workers": "workers",
    "arrangement.strategies": "strategies",
    "arrangement.batch_size": "batch size",
    "arrangement.depth_floor": "least depth of S",
    "arrangement.refresh": "re-ranking of S",
    "arrangement.take": "query that a person gets",
    "arrangement.partition": "partition of D",
    "arrangement.model_choice": "choice of g*",
    "arrangement.min_new_labels": "least new labels for a training",
    "arrangement.imposed_staleness": "imposed staleness",
    "arrangement.filtered": "filter of near-duplicates",
    "arrangement.offset": "servers offset in time",
}
_RIGHT_ANSWERS: Final = {
    "people.error_rate": 0.0,
    "people.crowd": "",
    "people.answers_per_image": 1,
}
_UNNAMED_ANSWERS: Final = frozenset(_RIGHT_ANSWERS.items())
_VALUE_NAMES: Final[dict[tuple[str, Any], str]] = {
    ("arrangement.batch_size", 0): "adaptive",
    ("arrangement.devices", 0): "one each",
    ("people.crowd", ""): "as truth has it",
    ("clock.training", None): "measured",
    ("clock.scoring", None): "measured",
    ("data.train", 0): "all",
}


def data_name(name: str) -> str:
    """`CIFAR-10` for `cifar10_jpeg92.tar.xz` and `torchvision:CIFAR10`; else the file's stem.

    A suffix after # follows in parentheses.
    """
    whole, _, part = name.partition("#")
    stem = PurePosixPath(whole.rpartition(":")[2]).name.partition(".")[0]
    plain = "".join(letter for letter in stem.lower() if letter.isalnum())
    words = next((words for start, words in _DATA_NAMES.items() if plain.startswith(start)), stem)
    return f"{words} ({part})" if part and part != "train" else words


def key_name(key: str) -> str:
    """A key of the settings in words."""
    return _KEY_NAMES.get(key, (key.partition(".")[2] or key).replace("_", " "))


def value_name(key: str, value: Any) -> str:
    """A value of that key in words."""
    if key == "data.name":
        return data_name(value)
    if key == "arrangement.strategies":
        return method_name(value)
    if key == "model.architecture":
        return f"`{value}`"
    if (key, value) in _VALUE_NAMES:
        return _VALUE_NAMES[key, value]
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value:,}"
    return str(value).replace("_", " ")


def method_name(strategies: Iterable[str]) -> str:
    """`margin`; `AAL` for the paper's three together; other mixtures with a plus."""
    names = set(strategies)
    return "AAL" if names == PAPERS_THREE else " + ".join(sorted(names)).replace("_", " ")


def place_name(place: Place) -> str:
    """`CIFAR-10, batch size 1,000`; empty where nothing varies.

    Settings of people's answers are named where they cause errors; where none does, it says
    `right answers`.
    """
    told = {key: value for key, value in place.items() if (key, value) not in _UNNAMED_ANSWERS}
    words = [
        value_name(key, value)
        if key == "data.name"
        else f"{key_name(key)} {value_name(key, value)}"
        for key, value in told.items()
    ]
    if len(told) < len(place) and not _RIGHT_ANSWERS.keys() & told.keys():
        words.append("right answers")
    return ", ".join(words)


def file_name(*words: str) -> str:
    """Words as the name of a file: lower case, underscores instead of blanks."""
    text = "_".join(word for word in words if word).lower()
    plain = "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in text)
    return "_".join(part for part in plain.split("_") if part)
