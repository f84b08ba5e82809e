"""The runs of an experiment: find those that are missing, run them, report on the finished ones."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from al_lab import results
from al_lab.config import experiment_file
from al_lab.config.experiment_file import Experiment
from al_lab.results import Run
from al_lab.runs import child, processes
from al_lab.runs.child import Failed, Slot, Task
from al_lab.runs.progress import Progress

ERRORS: Final = "errors.log"


class Refused(ValueError):
    """The command cannot do what it was asked; the message says why and what to do."""


def say(text: str) -> None:
    """Print a line for people."""
    print(text, file=sys.stderr, flush=True)


def tasks_of(experiment: Experiment, only: Sequence[str] | None = None) -> list[Task]:
    """All runs, seed by seed, so that an experiment that was stopped has whole seeds to compare."""
    return [
        Task(setting, seed)
        for seed in experiment.seeds
        for setting in experiment.settings
        if not only or setting.arm in only
    ]


def missing_tasks(tasks: Sequence[Task], runs: Sequence[Run]) -> list[Task]:
    """The tasks that have no finished run."""
    there = {Task(run.setting, run.seed) for run in runs}
    return [task for task in tasks if task not in there]


def reuse(tasks: Sequence[Task], folder: Path, writer: results.Writer) -> list[Task]:
    """Copy runs of another output that differ in the arm's name alone; returns the tasks left."""
    file = folder / results.FILE
    if not file.exists():
        raise Refused(f"--reuse: there is no {file}.")
    found = {(replace(run.setting, arm=""), run.seed): run for run in results.read(file)}
    left = []
    for task in tasks:
        if run := found.get((replace(task.setting, arm=""), task.seed)):
            writer.append(results.copied(run, task.setting))
        else:
            left.append(task)
    say(f"{len(tasks) - len(left)} runs are taken from {file}.")
    return left


def check_data(experiment: Experiment, slot: Slot) -> None:
    """Unpack the data sets, and raise NoData for what is missing before anything runs."""
    from al_lab.data.datasets import draw
    from al_lab.simulation.answers import answers_of

    notes: dict[str, None] = {}
    for data, people in dict.fromkeys((each.data, each.people) for each in experiment.settings):
        data_set = child.load(data, slot.data, slot.cache)
        draw(data_set, data, seed=experiment.seeds[0])
        answers_of(people, data_set, slot.data)
        notes.update(dict.fromkeys(data_set.notes))
    for note in notes:
        say(note)


def run_tasks(
    tasks: Sequence[Task],
    *,
    experiment: Experiment,
    already: int,
    slots: Sequence[Slot],
    output: Path,
    writer: results.Writer,
    stop: processes.StopRequest,
) -> list[str]:
    """Run the tasks, beside `already` finished ones; returns a line for each that failed."""
    errors: list[str] = []
    labels = experiment_file.name_settings(experiment.settings)
    total = already + len(tasks)
    progress = Progress(
        total=total, already=already, weight=sum(map(processes.work_in_labels, tasks))
    )

    def failed(task: Task, failure: Failed) -> None:
        words = f"{labels[task.setting]}, seed {task.seed}: {failure.reason}"
        errors.append(words)
        progress.say(f"Failed: {words}")
        try:
            with (output / ERRORS).open("a", encoding="utf-8") as log:
                log.write(f"{words}\n{failure.trace}\n")
        except OSError as error:
            progress.say(f"{output / ERRORS} cannot be written ({error.strerror}).")

    if already:
        say(f"{already} of {total} runs are there.")
    processes.run_all(
        tasks,
        slots,
        stop=stop,
        done=writer.append,
        failed=failed,
        show=lambda runs, done: progress.show(runs=runs, done=done),
    )
    progress.close()
    return errors


def report_on(experiment: Experiment, output: Path) -> int:
    """Write the report on the finished runs; returns the exit status."""
    from al_lab.report import document

    file, wanted = output / results.FILE, {*tasks_of(experiment)}
    read = results.read(file)
    runs = [run for run in read if Task(run.setting, run.seed) in wanted]
    if others := len(read) - len(runs):
        say(f"{others} runs are of other settings than the experiment has now, and left out.")
    if not runs:
        say(f"{file} has no finished run of this experiment: no report.")
        return 1
    try:
        document.write(output, experiment, runs)
    except OSError as error:
        raise Refused(
            f"The report cannot be written into {output} ({error.strerror}): mend that, then "
            "--report-only writes it."
        ) from error
    print(output / "report.md")
    return 0
