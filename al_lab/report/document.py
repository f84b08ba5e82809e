"""`report.md` and its figures: what was run in an experiment, and the results.

The same results give the same bytes. `figure_choice.py` says which figures there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown, protocol
from al_lab.report.figure_choice import Figure, Part, choose_figures
from al_lab.report.figures import SUFFIX
from al_lab.report.layout import lay_out
from al_lab.report.sections import ALWAYS, section
from al_lab.results import Run

FILE: Final = "report.md"


@dataclass(frozen=True, slots=True)
class Report:
    """A report in Markdown, and the figures that it shows."""

    text: str
    figures: Sequence[Figure]


def write(folder: Path, experiment: Experiment, runs: Sequence[Run]) -> None:
    """Write the report on these runs, at least one, and its figures into an existing folder."""
    report = compose(experiment, runs)
    for figure in report.figures:
        figure.draw().save(folder, figure.name)
    (folder / FILE).write_text(report.text, encoding="utf-8")


def compose(experiment: Experiment, runs: Sequence[Run]) -> Report:
    """The report on these runs. Raises ValueError where no run is of the experiment."""
    runs = [run for run in runs if run.setting in set(experiment.settings)]
    if not runs:
        raise ValueError("There is no finished run of this experiment to report on.")
    layout = lay_out(experiment.settings, runs)
    settings = [cell.setting for cell in layout.cells]
    parts: list[Part] = [
        f"# {experiment.title}",
        experiment.about,
        _origin(experiment, runs),
        "## What was run",
        protocol.configuration(settings, on_gpu=_on_gpu(runs)),
        protocol.arms(settings),
        protocol.varied(layout),
        "### Where it differs from the paper",
        protocol.differences(settings),
    ]
    by_name: dict[str, list[Part]] = {}
    for name in dict.fromkeys([*experiment.report, *ALWAYS]):
        heading, function = section(name)
        by_name[name] = function(layout, experiment)
        parts += [f"## {heading}", *by_name[name]]
    figures = choose_figures(
        named=[own for name, own in by_name.items() if name in experiment.report],
        always=[own for name, own in by_name.items() if name not in experiment.report],
    )
    return Report(_join(parts, figures), figures)


def _join(parts: Iterable[Part], figures: Sequence[Figure]) -> str:
    """All text, and of the figures those that were chosen."""
    paragraphs: list[str] = []
    for part in parts:
        if isinstance(part, str):
            paragraphs.append(part)
        elif part in figures:
            paragraphs += [part.caption, f"![{part.alt}]({part.name}{SUFFIX})"]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


_SEVERAL_VERSIONS: Final = (
    "**The runs are of several versions of the program, so that what they differ in may be due to "
    "that.**"
)


def _origin(experiment: Experiment, runs: Sequence[Run]) -> str:
    """The command, the number of runs, versions, devices and times."""
    wanted = len(experiment.settings) * len(experiment.seeds)
    seeds = len({run.seed for run in runs})
    counted = markdown.counted(len(runs), "run")
    programs = {run.started.get("versions", {}).get("nowait") for run in runs}
    lines = [
        f"`{command(experiment)}`",
        f"{counted} with {markdown.counted(seeds, 'seed')}; runs of the same seed have the same "
        "images, first labels and networks' seeds, whatever their arm."
        + (f" {wanted - len(runs)} more are not finished." if len(runs) < wanted else ""),
        f"{_once(_versions(run) for run in runs)}; report: matplotlib {matplotlib.__version__}.",
        f"{_once(_device(run) for run in runs)}. {_times(runs)}",
        *([_SEVERAL_VERSIONS] if len(programs) > 1 else []),
    ]
    return "\n\n".join(lines)


def command(experiment: Experiment) -> str:
    """The shell command that produces these results; folders are left to the reader."""
    words = ["python -m al_lab", experiment.source or "CONFIG.toml"]
    if experiment.preset:
        words.append(f"--preset {experiment.preset}")
    if experiment.seeds == tuple(range(len(experiment.seeds))):
        words.append(f"--seeds {len(experiment.seeds)}")
    return " ".join([*words, "--data FOLDER --output FOLDER"])


def _versions(run: Run) -> str:
    told = run.started.get("versions", {})
    return ", ".join(f"{name} {version}" for name, version in told.items())


def _device(run: Run) -> str:
    """The device of a run, and how many runs shared it."""
    told = str(run.started.get("device", "an unknown device"))
    processes = run.started.get("processes", 1)
    return told if processes == 1 else f"{told}, {processes} runs at a time"


def _on_gpu(runs: Sequence[Run]) -> bool:
    """Whether runs used a GPU, for which recipes differ."""
    return not all(str(run.started.get("device", "CPU")).startswith("CPU") for run in runs)


def _once(words: Iterable[str]) -> str:
    """Each once: runs that were resumed may differ."""
    return "; ".join(dict.fromkeys(words))


def _times(runs: Sequence[Run]) -> str:
    real = sum(float(run.finished.get("wall_seconds", 0)) for run in runs)
    processor = sum(float(run.finished.get("cpu_seconds", 0)) for run in runs)
    took = f"The runs took {markdown.seconds(real)} one after the other, " if real else ""
    return f"{took}{markdown.seconds(processor)} of processor time."
