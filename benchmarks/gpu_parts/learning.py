"""VGG-16 on CIFAR-10 within a given time, and the paper's Table 1 by simulation."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from al_engine.training.evaluate import evaluate
from al_engine.training.loop import train
from al_engine.training.recipe import Recipe, default_recipe
from al_lab.config import experiment_file
from al_lab.config.settings import Labels, Model, Setting
from al_lab.data.datasets import DataSet
from al_lab.report.statistics import curve_mean
from al_lab.simulation.answers import Erring
from al_lab.simulation.campaign import simulate
from benchmarks.gpu_parts import sheets
from benchmarks.gpu_parts.work import Tell, Work

TABLE: Final = Path(__file__).resolve().parents[2] / "experiments" / "paper" / "table_1.toml"
SET: Final = "CIFAR-10"
SHARE_OF_TIME: Final = 0.5
"""What trainings get of a part's time; the rest is for compiling, reading and evaluating."""
WITHOUT_END: Final = 10**6
TOY_S: Final = 1.0
SGD_RATE: Final = 0.1
SGD_DECAY: Final = 5e-4
SMOOTHING: Final = 0.1


def data_of(work: Work) -> DataSet:
    """CIFAR-10, or at toy size without it something drawn; raises FileNotFoundError."""
    if work.data is not None:
        return sheets.read(work.data)
    if work.toy:
        return sheets.drawn()
    raise FileNotFoundError(
        "There is no CIFAR-10: give --data FOLDER, which --prepare TAR FOLDER makes."
    )


def vgg16(work: Work, tell: Tell) -> None:
    """All labels; each recipe gets the same time, in which its schedule ends."""
    data_set, device = data_of(work), work.device
    count = len(data_set.train)
    recipes = _recipes(count, device, work.toy)
    budget = TOY_S if work.toy else SHARE_OF_TIME * work.seconds / len(recipes)
    for said, recipe in recipes.items():
        short = replace(recipe, min_steps=2, max_steps=2)
        long = replace(recipe, time_budget_s=budget)
        for each in (short, short, long):  # the second training of a shape compiles it
            done = train(
                data_set.train.pixels,
                data_set.train.truth,
                classes=10,
                recipe=each,
                device=device,
                seed=0,
            )
        found = evaluate(done.model, data_set.test.pixels, data_set.test.truth, device=device)
        tell(
            {
                "VGG-16": said,
                "labels": count,
                "s": done.seconds,
                "epochs": done.epochs,
                "images/s": done.steps * recipe.batch_size / done.seconds,
                "test accuracy %": 100 * found.accuracy,
                "from": 100 * found.low,
                "to": 100 * found.high,
            }
        )


def _recipes(labels: int, device: torch.device, toy: bool) -> dict[str, Recipe]:
    """Without an end of their own: the time ends them."""

    def timed(name: str) -> Recipe:
        recipe = default_recipe(name, image_size=sheets.SIDE, labels=labels, device=device)
        return replace(recipe, augment="shift_flip", min_steps=WITHOUT_END, max_steps=WITHOUT_END)

    if toy:
        return {"small_cnn in its place": timed("small_cnn")}
    normed = timed("vgg16_bn")
    by_hand = replace(
        normed,
        optimizer="sgd",
        learning_rate=SGD_RATE,
        weight_decay=SGD_DECAY,
        label_smoothing=SMOOTHING,
    )
    return {
        "with batch norm, SGD, smoothed labels": by_hand,
        "with batch norm, the product's recipe": normed,
        "without, the product's recipe": timed("vgg16"),
    }


def table_as_product(work: Work, tell: Tell) -> None:
    """Table 1's rows with VGG-16 with batch norm and the product's recipe."""
    _table("product", work, tell)


def table_as_paper(work: Work, tell: Tell) -> None:
    """Table 1's rows with a recipe of the paper's time."""
    _table("paper", work, tell)


def _table(preset: str, work: Work, tell: Tell) -> None:
    """One campaign after another, a row for each point of its curve, until the time ends."""
    experiment = experiment_file.read(TABLE, preset=preset)
    theirs: dict[str, Any] = experiment.paper["table1"][SET]
    settings = [each for each in experiment.settings if each.data.name.startswith("cifar10_")]
    settings.sort(key=lambda setting: setting.arrangement.servers)
    data_set = data_of(work)
    for setting in [_toy(settings[0])] if work.toy else settings:
        place = experiment.paper["servers"].index(setting.arrangement.servers)
        _campaign(preset, setting, theirs[setting.arm][place], data_set, work, tell)


def _toy(setting: Setting) -> Setting:
    return replace(
        setting,
        data=replace(setting.data, train=200, test=200),
        labels=Labels(initial=40, budget=80, evaluate_every=40),
        model=Model(),
        arrangement=replace(setting.arrangement, batch_size=20),
    )


def _campaign(
    preset: str, setting: Setting, theirs: float, data_set: DataSet, work: Work, tell: Tell
) -> None:
    labels, accuracies = list[int](), list[float]()

    def record(event: dict[str, Any]) -> None:
        if event["event"] != "evaluated":
            return
        labels.append(event["labels"])
        accuracies.append(100 * event["accuracy"])
        ended = labels[-1] == setting.labels.budget
        tell(
            {
                "preset": preset,
                "strategy": setting.arm,
                "servers": setting.arrangement.servers,
                "labels": labels[-1],
                "accuracy %": accuracies[-1],
                "whole curve's average %": curve_mean(labels, accuracies) if ended else None,
                "the paper's %": 100 * theirs if ended and not work.toy else None,
            }
        )

    simulate(
        setting,
        seed=0,
        data_set=data_set,
        answers=Erring(len(data_set.classes)),
        device=work.device,
        record=record,
        progress=lambda _: None,
    )
