"""The runs of an experiment: which are missing, doing them, reporting on what is there."""

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
from al_lab.runs.child import Failed, Place, Task
from al_lab.runs.progress import Progress

ERRORS: Final = "errors.log"


class Refused(ValueError):
    """The command cannot do what it was asked; the message says why and what to do."""


def say(text: str) -> None:
    """A line for people."""
    print(text, file=sys.stderr, flush=True)


def wanted_of(experiment: Experiment, only: Sequence[str] | None = None) -> list[Task]:
    """A whole seed after the other, so that what was stopped can be looked at."""
    return [
        Task(setting, seed)
        for seed in experiment.seeds
        for setting in experiment.settings
        if not only or setting.arm in only
    ]


def missing_of(tasks: Sequence[Task], runs: Sequence[Run]) -> list[Task]:
    """The tasks of which there is no run."""
    there = {Task(run.setting, run.seed) for run in runs}
    return [task for task in tasks if task not in there]


def reuse(tasks: Sequence[Task], folder: Path, writer: results.Writer) -> list[Task]:
    """Copy runs that are the same but for the arm's name; returns the tasks that are left."""
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


def look_at_data(experiment: Experiment, place: Place) -> None:
    """Unpack what must be, once, and tell what is missing before anything runs."""
    from al_lab.data.datasets import draw
    from al_lab.simulation.answers import answers_of

    notes: dict[str, None] = {}
    for data, people in dict.fromkeys((each.data, each.people) for each in experiment.settings):
        data_set = child.load(data, place.data, place.cache)
        draw(data_set, data, seed=experiment.seeds[0])
        answers_of(people, data_set, place.data)
        notes.update(dict.fromkeys(data_set.notes))
    for note in notes:
        say(note)


def do(
    tasks: Sequence[Task],
    *,
    experiment: Experiment,
    already: int,
    places: Sequence[Place],
    output: Path,
    writer: results.Writer,
    ending: processes.Ending,
) -> list[str]:
    """Do the tasks, where `already` runs are there; returns what is to be said of failures."""
    errors: list[str] = []
    labels = experiment_file.labels_of(experiment.settings)
    total = already + len(tasks)
    progress = Progress(total=total, already=already, weight=sum(map(processes.work_of, tasks)))

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
        places,
        ending=ending,
        done=writer.append,
        failed=failed,
        show=lambda runs, done: progress.show(runs=runs, done=done),
    )
    progress.close()
    return errors


def report_on(experiment: Experiment, output: Path) -> int:
    """Write the report of the runs that are there; returns the exit status."""
    from al_lab.report import document

    file, wanted = output / results.FILE, {*wanted_of(experiment)}
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
