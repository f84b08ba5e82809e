"""Runs as if somebody had simulated them, with the accuracies that a test wants."""

from collections.abc import Callable, Sequence
from typing import Any

from al_lab.config.experiment_file import Experiment
from al_lab.config.settings import (
    Arrangement,
    Clock,
    Data,
    Labels,
    Model,
    People,
    Setting,
)
from al_lab.report.figure_choice import Figure, Part
from al_lab.results import Run

LABELS = (100, 200, 300, 400, 500)
THREE = ("entropy", "least_confidence", "margin")


def setting(
    arm: str,
    strategies: Sequence[str] = ("margin",),
    *,
    data: str = "fashion_mnist.npz",
    budget: int = LABELS[-1],
    people: People | None = None,
    clock: Clock | None = None,
    bound: bool = False,
    **arrangement: Any,
) -> Setting:
    """An arm as a configuration has it."""
    return Setting(
        arm=arm,
        data=Data(data, image_size=14, train=8_000, test=5_000),
        labels=Labels(initial=100, budget=budget, evaluate_every=100, bound=bound),
        people=people or People(count=5, seconds_per_label=5.0),
        clock=clock or Clock(training=60.0, scoring=1.0),
        model=Model(),
        arrangement=Arrangement(strategies=tuple(strategies), **arrangement),
    )


def run(
    of: Setting,
    seed: int,
    accuracy: Sequence[float],
    *,
    labels: Sequence[int] = LABELS,
    newest: Sequence[float | None] | None = None,
    wait: float = 0.0,
    staleness: float = 40.0,
    versions: int = 8,
    bounds: Sequence[dict[str, Any]] = (),
    asked: Sequence[int] = (),
    seconds: float = 500.0,
) -> Run:
    """A run with these accuracies at these numbers of labels."""
    at = [seconds * number / labels[-1] for number in labels]
    newest = list(newest) if newest is not None else [None, *accuracy[:-1]]
    size = of.arrangement.batch_size
    # Behind each whole batch but the last people waited, where they wait for the model.
    synchronous = of.arrangement.mode == "synchronous"
    batches = -(-(labels[-1] - of.labels.initial) // (size or 1))
    answers = (batches - 1) * size if synchronous else 3
    # What is drawn at random has no model behind it.
    told = None if set(of.arrangement.strategies) == {"random"} else staleness
    return Run(
        setting=of,
        seed=seed,
        versions=[
            {"at": 60.0 * n, "version": n, "labels_seen": 50 * n, "labels_now": 50 * n + 30}
            | {"server": 0, "train_seconds": 60.0}
            for n in range(1, versions + 1)
        ],
        evaluated=[
            {"at": t, "labels": n, "accuracy": a, "newest_accuracy": g, "staleness_mean": told}
            for t, n, a, g in zip(at, labels, accuracy, newest, strict=True)
        ],
        bounds=list(bounds),
        asked=[
            {"at": float(n), "number": n + 1, "version": version} for n, version in enumerate(asked)
        ],
        finished={
            "at": seconds,
            "labels": labels[-1],
            "versions": versions,
            "staleness": {"mean": told, "p50": told, "p99": told and 3 * told},
            "age_seconds": {"mean": 70.0, "p50": 70.0, "p99": 120.0},
            "newest_share": 0.875,
            "waits": {"count": 3, "seconds": answers * wait, "mean": wait, "p99": wait},
            "between_queries": {"mean": wait, "p99": wait},
            "chosen_by": dict.fromkeys(of.arrangement.strategies, 100) | {"random": 50},
            "distinct": labels[-1],
            "wrong": 0,
            "trainings": versions,
            "cpu_seconds": 30.0,
            "wall_seconds": 40.0,
        },
        started={
            "seed": seed,
            "versions": {"nowait": "0.1.0", "torch": "2.0", "numpy": "2.0", "python": "3.11"},
            "device": "CPU, 1 thread",
            "processes": 2,
            "at_wall": "2021-08-19T00:00:00+00:00",
        },
    )


def runs(
    settings: Sequence[Setting],
    accuracy: Callable[[Setting, int], Sequence[float]],
    *,
    seeds: int = 3,
    **told: Any,
) -> list[Run]:
    """Each setting with each seed."""
    return [run(of, seed, accuracy(of, seed), **told) for seed in range(seeds) for of in settings]


def text_of(parts: Sequence[Part]) -> str:
    """What a section says, without its figures."""
    return "\n\n".join(part for part in parts if isinstance(part, str))


def figures_of(parts: Sequence[Part]) -> list[str]:
    """The names of a section's figures, each of which is drawn."""
    figures = [part for part in parts if isinstance(part, Figure)]
    for figure in figures:
        figure.draw()
    return [figure.name for figure in figures]


def experiment(
    settings: Sequence[Setting], *report: str, seeds: int = 3, **paper: Any
) -> Experiment:
    """A configuration of these settings."""
    return Experiment(
        title="An experiment",
        about="What it is about.",
        report=report,
        preset="small",
        seeds=tuple(range(seeds)),
        settings=tuple(settings),
        paper=paper,
        source="experiments/made_up.toml",
    )
