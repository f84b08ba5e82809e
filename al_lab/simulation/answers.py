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

# Beyond this share of other truths, a file of labels is about other images, or another order.
_MOST_OTHER_TRUTHS: Final = 0.05
_TOLD: Final = 5


class Answers(Protocol):
    """Somebody to be asked."""

    def answer(
        self,
        row_original: int,
        truth: int,
        person: int,
        generator: torch.Generator,
        before: Sequence[int] = (),
    ) -> int:
        """One person's answer about an image, a class.

        `row_original`: its `Images.original`. `before`: what others answered about it already.
        """


@dataclass(frozen=True, slots=True)
class Erring:
    """People who are wrong with chance `error_rate`: then each of the other classes is as likely.

    Answers do not depend on each other, nor on the person.
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
class Recorded:
    """Each answer is drawn from those that real people gave about the same image.

    Answers given before are not drawn again as long as there are others: who asks as many people
    as were recorded gets just their answers. Who is asked makes no difference: the files say
    little of single people.
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
        """One of the recorded answers; raises KeyError for an image of which there is none."""
        all_of_them = self.counts[self.rows[row_original]]
        if not before:
            return int(torch.multinomial(all_of_them, 1, generator=generator))
        given = torch.bincount(torch.tensor(before), minlength=len(all_of_them))
        left = (all_of_them - given).clamp(min=0)
        return int(torch.multinomial(left if left.any() else all_of_them, 1, generator=generator))


def answers_of(people: People, data_set: DataSet, folder: Path | None) -> Answers:
    """Who answers about the images of `data_set.train`; `folder` is what --data names.

    Raises NoData, also where an image of them has no recorded label.
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
    return Recorded(labels.counts.float(), rows)


def _check(labels: recorded_labels.Recorded, data_set: DataSet) -> None:
    images = data_set.train
    if lacking := sorted(set(images.original.tolist()) - set(labels.original.tolist())):
        some = ", ".join(str(original) for original in lacking[:_TOLD])
        raise NoData(
            f"{labels.file} has no label of {len(lacking):,} of the {len(images):,} images of "
            f"{data_set.name} (original_index {some}{', …' if len(lacking) > _TOLD else ''}): "
            f"{_hint(labels, data_set)}"
        )
    where = torch.searchsorted(labels.original, images.original)
    others = int((labels.truth[where] != images.truth).sum())
    if others > _MOST_OTHER_TRUTHS * len(images):
        raise NoData(
            f"{labels.file} is about other images than {data_set.name}, or about the same in "
            f"another order: {others:,} of {len(images):,} are of another class there."
        )


def _hint(labels: recorded_labels.Recorded, data_set: DataSet) -> str:
    name = data_set.name.partition("#")[0]
    return f'with data.name = "{name}#{labels.file}" the pool is the images that it is about.'
