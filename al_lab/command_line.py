"""The command line: what it takes, and what is done with it."""

import argparse
import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from al_lab import results
from al_lab.config import experiment_file
from al_lab.config.checking import BadConfig, suggest
from al_lab.config.experiment_file import Experiment
from al_lab.runs import session
from al_lab.runs.child import Slot
from al_lab.runs.processes import StopRequest
from al_lab.runs.session import Refused, say

ROOT: Final = Path(__file__).resolve().parents[1]
PROGRAM: Final = "python -m al_lab"
_DESCRIPTION: Final = (
    "Simulates labeling campaigns with real training and selection on a virtual clock, as an "
    "experiment file says, and writes results.jsonl, report.md and figures."
)
# Options of the stopped command that the command to resume it repeats.
_REPEATED_OPTIONS: Final = (
    "output",
    "data",
    "device",
    "preset",
    "processes",
    "threads",
    "seeds",
    "only",
    "cache",
)


def main() -> int:
    """Do what the arguments of the process say; returns the exit status."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=_DESCRIPTION)
    add_arguments(parser)
    return run(vars(parser.parse_args()))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser all that the command takes."""
    add = parser.add_argument
    add("config", type=Path, metavar="CONFIG.toml", help="see experiments/")
    add("--output", type=Path, required=True, metavar="DIR", help="for results and the report")
    add("--data", type=Path, metavar="DIR", help="the folder of the data sets' files")
    add("--device", default="auto", help="auto, cpu, cuda, mps, or several: cuda:0,cuda:1")
    add("--preset", metavar="NAME", help="of the experiment file: small (the default) or paper")
    add("--processes", type=int, metavar="N", help="runs at once; else one a device")
    add(
        "--threads",
        type=int,
        metavar="N",
        help="of each, else the cores divided among them; the same number repeats a run exactly",
    )
    add("--seeds", type=int, metavar="N", help="instead of the file's number of seeds")
    add("--only", action="append", metavar="ARM", help="run this arm alone (may be repeated)")
    add("--resume", action="store_true", help="do what is missing in the results of --output")
    add(
        "--reuse",
        action="append",
        type=Path,
        metavar="DIR",
        help="take runs that are the same from this experiment's output (may be repeated)",
    )
    add("--report-only", action="store_true", help="write the report of the results again")
    add("--cache", type=Path, metavar="DIR", help="for unpacked images; else var/experiments")


def run(options: Mapping[str, Any]) -> int:
    """Do what the options say; returns the exit status. Messages for people go to stderr.

    0: all runs are there and the report is written; 1: something failed; 130 and 143: ended by
    SIGINT or SIGTERM.
    """
    from al_lab.data.datasets import NoData

    try:
        return _run(options)
    except (Refused, BadConfig, NoData, results.Unusable) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130


def _run(options: Mapping[str, Any]) -> int:
    experiment = _read_experiment(options)
    output: Path = options["output"]
    file = output / results.FILE
    if options["report_only"]:
        if not file.exists():
            raise Refused(f"There is no {file} to report on.")
        return session.report_on(experiment, output)
    if file.exists() and file.stat().st_size and not options["resume"]:
        raise Refused(
            f"{file} is there: --resume does what is missing in it, --report-only writes its "
            "report again; or choose another --output."
        )
    slots = _slots(options)
    _warn_of_shared_devices(experiment, slots)
    session.check_data(experiment, slots[0])
    wanted = session.tasks_of(experiment, options["only"])
    with results.Writer(file) as writer, StopRequest() as stop:
        missing = session.missing_tasks(wanted, results.read(file))
        for folder in options["reuse"] or ():
            missing = session.reuse(missing, folder, writer)
        errors = session.run_tasks(
            missing,
            experiment=experiment,
            already=len(wanted) - len(missing),
            slots=slots,
            output=output,
            writer=writer,
            stop=stop,
        )
    if stop.signal_number is not None:
        there = len(wanted) - len(session.missing_tasks(wanted, results.read(file)))
        say(f"Stopped: {there} of {len(wanted)} runs are in {file}. To go on:")
        say(f"  {_resume_command(options)}")
        return 128 + stop.signal_number
    status = session.report_on(experiment, output)
    if errors:
        say(f"{len(errors)} of {len(wanted)} runs failed; more in {output / session.ERRORS}:")
        for error in errors:
            say(f"  {error}")
        say(f"To try them again:\n  {_resume_command(options)}")
        return 1
    return status


def _read_experiment(options: Mapping[str, Any]) -> Experiment:
    """The experiment of the file, with what other options override.

    Raises BadConfig and Refused.
    """
    from al_lab.report import sections

    path: Path = options["config"]
    experiment = experiment_file.read(path, preset=options["preset"])
    for name in experiment.report:
        if not sections.known(name):
            raise BadConfig(
                f'{path}, report: there is no section "{name}"; {suggest(name, sections.SECTIONS)}'
            )
    for name in options["only"] or ():
        if name not in experiment.arms:
            raise Refused(f'--only: there is no arm "{name}"; {suggest(name, experiment.arms)}')
    seeds: int | None = options["seeds"]
    if seeds is None:
        return experiment
    if seeds < 1:
        raise Refused("--seeds is 1 or more.")
    return replace(experiment, seeds=tuple(range(seeds)))


def _slots(options: Mapping[str, Any]) -> list[Slot]:
    """A slot for each process; devices are assigned in turn."""
    from al_engine.training import devices

    try:
        names = [str(devices.resolve(name.strip())) for name in options["device"].split(",")]
    except ValueError as error:
        raise Refused(str(error)) from error
    processes, threads = options["processes"], options["threads"]
    for option, number in (("--processes", processes), ("--threads", threads)):
        if number is not None and number < 1:
            raise Refused(f"{option} is 1 or more.")
    processes = processes or len(names)
    var = Path(os.environ.get("NOWAIT_VAR") or ROOT / "var")
    slot = Slot(
        device="",
        threads=threads or max(1, _count_cores() // processes),
        processes=processes,
        data=options["data"],
        cache=options["cache"] or var / "experiments",
        nowait=_version(),
    )
    return [replace(slot, device=names[index % len(names)]) for index in range(processes)]


def _count_cores() -> int:
    """The cores that this process may use, where the system tells; else all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _warn_of_shared_devices(experiment: Experiment, slots: Sequence[Slot]) -> None:
    clocks = [setting.clock for setting in experiment.settings]
    measured = any(clock.training is None or clock.scoring is None for clock in clocks)
    if measured and len(slots) > len({slot.device for slot in slots}):
        say(
            "This experiment measures how long trainings and passes take, and several processes "
            "on a device make them longer: --processes 1 measures what a device can do."
        )


def _resume_command(options: Mapping[str, Any]) -> str:
    """The command that does what is missing."""
    words = [*PROGRAM.split(), str(options["config"])]
    for name in _REPEATED_OPTIONS:
        given = options[name]
        for value in given if isinstance(given, list) else [given]:
            if value not in (None, "auto"):  # the defaults
                words += [f"--{name}", str(value)]
    return shlex.join([*words, "--resume"])


def _version() -> str:
    """The version of this program, with the commit where it is in a git repository."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = str(tomllib.load(file)["project"]["version"])
    git = shutil.which("git")
    if git is None:
        return version
    asked = [git, "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return f"{version}+{done.stdout.strip()}" if done.returncode == 0 else version
