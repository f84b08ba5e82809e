"""Campaigns on the digits, trained in a few steps: what matters is who does what and when."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from al_engine.training.recipe import Recipe
from al_lab.config.settings import (
    Arrangement,
    Clock,
    Data,
    Labels,
    Model,
    People,
    Setting,
)
from al_lab.data.datasets import DataSet, Images
from al_lab.simulation import campaign, learner
from al_lab.simulation.answers import Answers, Erring
from al_lab.simulation.campaign import Asked, simulate
from al_lab.simulation.world import World

CPU = torch.device("cpu")
SIDE = 8
POOL = 200
CLASSES = 10


def quick_recipe(*_: object, **__: object) -> Recipe:
    """A training of a few hundredths of a second, which leaves a model that knows something."""
    return Recipe(
        architecture="small_cnn",
        image_size=SIDE,
        batch_size=16,
        epochs=1,
        min_steps=12,
        max_steps=12,
        learning_rate=5e-3,
        weight_decay=5e-2,
        augment="none",
        warm_start="scratch",
        time_budget_s=None,
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Where there is so little to compute, threads would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def digits() -> DataSet:
    """The digits as the lab reads a data set: three channels of 8 px."""
    found = load_digits()
    gray = torch.from_numpy(found.images * 255 / 16).to(torch.uint8)
    pixels = gray[:, None].expand(-1, 3, -1, -1).contiguous()
    truth = torch.from_numpy(found.target).long()

    def part(rows: Tensor) -> Images:
        return Images(pixels[rows], truth[rows], rows)

    rows = torch.arange(len(truth))
    return DataSet(part(rows[:1_200]), part(rows[1_200:]), tuple("0123456789"))


def setting(
    *,
    initial: int = 10,
    budget: int = 40,
    evaluate_every: int = 1_000,
    people: People | None = None,
    clock: Clock | None = None,
    model: Model | None = None,
    data: Data | None = None,
    bound: bool = False,
    **arrangement: Any,
) -> Setting:
    """One worker, one server, one person; a training takes 3 s, an answer 1 s, a pass none."""
    usual: dict[str, Any] = {"workers": 1, "strategies": ("margin",), "depth_floor": 1}
    return Setting(
        arm="arm",
        data=data or Data("digits", SIDE, train=POOL, test=100),
        labels=Labels(initial, budget, evaluate_every, bound),
        people=people or People(),
        clock=clock or Clock(training=3.0, scoring=0.0),
        model=model or Model(),
        arrangement=Arrangement(**usual | arrangement),
    )


@dataclass
class Course:
    """What came of a campaign: its events, and the queries that were taken, in order."""

    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    progress: list[float] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind."""
        return [event for event in self.events if event["event"] == kind]

    @property
    def finished(self) -> dict[str, Any]:
        """The last event."""
        assert self.events[-1]["event"] == "finished"
        return self.events[-1]

    @property
    def repeatable(self) -> list[dict[str, Any]]:
        """The events without what a clock on the wall says."""
        left_out = {"cpu_seconds"}
        return [{k: v for k, v in event.items() if k not in left_out} for event in self.events]


def run(
    of: Setting,
    *,
    seed: int = 0,
    answers: Answers | None = None,
    eager: bool = False,
    world: type[World] = World,
) -> Course:
    """Simulate it, with trainings of a few steps."""
    course = Course()
    with (
        one_thread(),
        patch.object(learner, "recipe_for", quick_recipe),
        patch.object(campaign, "World", world),
    ):
        simulate(
            of,
            seed=seed,
            data_set=digits(),
            answers=answers or Erring(CLASSES, of.people.error_rate),
            device=CPU,
            record=course.events.append,
            progress=course.progress.append,
            watch=course.asked.append,
            eager=eager,
        )
    return course
