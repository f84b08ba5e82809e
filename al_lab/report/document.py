"""`report.md` and its figures, from the runs of an experiment: what was run, and what came of it.

The same results give the same bytes. The figures are SVG and PNG beside it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import matplotlib

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown, protocol
from al_lab.report.layout import layout
from al_lab.report.sections import ALWAYS, SECTIONS, known, section
from al_lab.results import Run

__all__ = ["FILE", "SECTIONS", "known", "text", "write"]

FILE: Final = "report.md"


def write(folder: Path, experiment: Experiment, runs: Sequence[Run]) -> None:
    """Write the report on these runs, at least one, and its figures into an existing folder."""
    (folder / FILE).write_text(text(folder, experiment, runs), encoding="utf-8")


def text(folder: Path, experiment: Experiment, runs: Sequence[Run]) -> str:
    """The report; its figures are written. Raises ValueError where no run is of the experiment."""
    runs = [run for run in runs if run.setting in set(experiment.settings)]
    if not runs:
        raise ValueError("There is no finished run of this experiment to report on.")
    lying = layout(experiment.settings, runs)
    settings = [cell.setting for cell in lying.cells]
    parts = [
        f"# {experiment.title}",
        experiment.about,
        _origin(experiment, runs),
        "## What was run",
        protocol.configuration(settings, on_gpu=_on_gpu(runs)),
        protocol.arms(settings),
        protocol.varied(lying),
        "### Where it differs from the paper",
        protocol.differences(settings),
    ]
    for name in dict.fromkeys([*experiment.report, *ALWAYS]):
        heading, function = section(name)
        parts += [f"## {heading}", function(lying, experiment, folder)]
    return "\n\n".join(part for part in parts if part) + "\n"


_SEVERAL: Final = (
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
        *([_SEVERAL] if len(programs) > 1 else []),
    ]
    return "\n\n".join(lines)


def command(experiment: Experiment) -> str:
    """What makes these results again, in words of a shell; folders are left to the reader."""
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
    """The device, and how it was shared."""
    told = str(run.started.get("device", "an unknown device"))
    processes = run.started.get("processes", 1)
    return told if processes == 1 else f"{told}, {processes} runs at a time"


def _on_gpu(runs: Sequence[Run]) -> bool:
    """Recipes suit the kind of device."""
    return not all(str(run.started.get("device", "CPU")).startswith("CPU") for run in runs)


def _once(words: Iterable[str]) -> str:
    """Each once: runs of several sittings may differ."""
    return "; ".join(dict.fromkeys(words))


def _times(runs: Sequence[Run]) -> str:
    real = sum(float(run.finished.get("wall_seconds", 0)) for run in runs)
    processor = sum(float(run.finished.get("cpu_seconds", 0)) for run in runs)
    took = f"The runs took {markdown.seconds(real)} one after the other, " if real else ""
    return f"{took}{markdown.seconds(processor)} of processor time."
