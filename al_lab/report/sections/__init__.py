"""The sections of a report: each a function of the runs that returns Markdown and draws figures.

A configuration names those that it wants; `ALWAYS` come at the end of every report. Read
`layout.py` first (what belongs together), then `measures.py` (what is read from a run) and one
section. A new section is a function entered here.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from al_lab.config.experiment_file import Experiment
from al_lab.report.layout import Layout
from al_lab.report.sections.bound import bound
from al_lab.report.sections.comparison import against
from al_lab.report.sections.curves import curves
from al_lab.report.sections.example import example
from al_lab.report.sections.pairs import pairs
from al_lab.report.sections.run_summaries import chosen, staleness, versions
from al_lab.report.sections.servers import table
from al_lab.report.sections.waits import waits

Section = Callable[[Layout, Experiment, Path], str]

SECTIONS: Final[dict[str, tuple[str, Section]]] = {
    "example": ("Which version chose each query", example),
    "curves": ("Accuracy over labels and over time", curves),
    "pairs": ("Synchronous against asynchronous", pairs),
    "waits": ("Time between two queries", waits),
    "table": ("Average accuracy by servers", table),
    "bound": ("The terms of Theorem 1", bound),
    "against": ("One against the other", against),
    "staleness": ("Staleness", staleness),
    "versions": ("Versions per minute", versions),
    "chosen": ("Who chose what", chosen),
}
"""Headings and functions by the names that a configuration uses."""

ALWAYS: Final = ("staleness", "versions", "chosen")


def known(name: str) -> bool:
    """Whether a configuration may name this: a section, or `against:` and a key or `arm`."""
    return name in SECTIONS or name.startswith("against:")


def section(name: str) -> tuple[str, Section]:
    """Heading and function of a section that is known."""
    plain, _, key = name.partition(":")
    heading, function = SECTIONS[plain]
    return heading, partial(against, key=key) if key else function
