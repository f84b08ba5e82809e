"""What people answer: the truth, the truth with errors, or what real people answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import torch
from torch import Tensor

from al_lab.config.settings import People
from al_lab.data import recorded_labels
from al_lab.data.datasets import DataSet, NoData

# A file in which a larger share of images has another class is about other images, or in another
# order.
_MAX_OTHER_CLASS_SHARE: Final = 0.05
_INDEXES_NAMED: Final = 5


class Answers(Protocol):
    """Where answers come from."""

    def answer(
        self,
        row_original: int,
        truth: int,
        person: int,
        generator: torch.Generator,
        before: Sequence[int] = (),
    ) -> int:
        """One person's answer about an image: a class.

        `row_original`: the image's `Images.original`. `before`: earlier answers about it.
        """


@dataclass(frozen=True, slots=True)
class Erring:
    """People who err with probability `error_rate`; then every other class is equally likely.

    Answers are independent of each other and of the person.
    """

    classes: int
    error_rate: float = 0.0

    def answer(
        self,
        row_original: int,
        truth: int,
        person: int,
        generator: torch.Generator,
        before: Sequence[int] = (),
    ) -> int:
        """The truth, or another class."""
        if not self.error_rate or torch.rand((), generator=generator) >= self.error_rate:
            return truth
        step = int(torch.randint(1, self.classes, (), generator=generator))
        return (truth + step) % self.classes


@dataclass(frozen=True, slots=True)
class RecordedAnswers:
    """Each answer is drawn from those that real people gave about the same image.

    They are drawn without replacement as long as some are left: asking as many people as were
    recorded gives exactly their answers. The person makes no difference, since the files hardly
    tell people apart.
    """

    counts: Tensor  # float32 (n, classes)
    rows: dict[int, int]  # by original index

    def answer(
        self,
        row_original: int,
        truth: int,
        person: int,
        generator: torch.Generator,
        before: Sequence[int] = (),
    ) -> int:
        """One of the recorded answers; raises KeyError for an image without any."""
        all_of_them = self.counts[self.rows[row_original]]
        if not before:
            return int(torch.multinomial(all_of_them, 1, generator=generator))
        given = torch.bincount(torch.tensor(before), minlength=len(all_of_them))
        left = (all_of_them - given).clamp(min=0)
        return int(torch.multinomial(left if left.any() else all_of_them, 1, generator=generator))


def answers_of(people: People, data_set: DataSet, folder: Path | None) -> Answers:
    """The source of answers about the images of `data_set.train`; `folder` is that of --data.

    Raises NoData, also where one of the images has no recorded label.
    """
    if people.crowd and people.error_rate:
        raise NoData(
            f"people.crowd is {people.crowd}, real people with errors of their own: leave "
            "people.error_rate out."
        )
    if not 0 <= people.error_rate <= 1:
        raise NoData(f"people.error_rate is {people.error_rate}; it is a chance, from 0 to 1.")
    if not people.crowd:
        return Erring(len(data_set.classes), people.error_rate)
    labels = recorded_labels.read(people.crowd, folder, data_set.classes)
    if labels.part != data_set.part:
        raise NoData(
            f"{labels.file} has labels of {labels.part} images, and the pool is made of "
            f"{data_set.part} images: {_hint(labels, data_set)}"
        )
    _check(labels, data_set)
    rows = {original: row for row, original in enumerate(labels.original.tolist())}
    return RecordedAnswers(labels.counts.float(), rows)


def _check(labels: recorded_labels.RecordedLabels, data_set: DataSet) -> None:
    images = data_set.train
    if lacking := sorted(set(images.original.tolist()) - set(labels.original.tolist())):
        more = ", …" if len(lacking) > _INDEXES_NAMED else ""
        some = ", ".join(str(original) for original in lacking[:_INDEXES_NAMED])
        raise NoData(
            f"{labels.file} has no label of {len(lacking):,} of the {len(images):,} images of "
            f"{data_set.name} (original_index {some}{more}): {_hint(labels, data_set)}"
        )
    where = torch.searchsorted(labels.original, images.original)
    others = int((labels.truth[where] != images.truth).sum())
    if others > _MAX_OTHER_CLASS_SHARE * len(images):
        raise NoData(
            f"{labels.file} is about other images than {data_set.name}, or about the same in "
            f"another order: {others:,} of {len(images):,} are of another class there."
        )


def _hint(labels: recorded_labels.RecordedLabels, data_set: DataSet) -> str:
    name = data_set.name.partition("#")[0]
    return f'with data.name = "{name}#{labels.file}" the pool is the images that it is about.'
