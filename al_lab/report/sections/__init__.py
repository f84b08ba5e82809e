"""The sections of a report: each a function of the runs that returns text and figures.

A configuration names those that it wants; `ALWAYS` come at the end of every report. A new section
is a function entered here.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from al_lab.config.experiment_file import Experiment
from al_lab.report.figure_choice import Part
from al_lab.report.layout import Layout
from al_lab.report.sections.bound import report_bound
from al_lab.report.sections.comparison import report_comparison
from al_lab.report.sections.curves import report_curves
from al_lab.report.sections.example import report_example
from al_lab.report.sections.pairs import report_pairs
from al_lab.report.sections.run_summaries import report_choices, report_staleness, report_versions
from al_lab.report.sections.servers import report_servers
from al_lab.report.sections.servers_map import report_servers_map
from al_lab.report.sections.waits import report_waits

Section = Callable[[Layout, Experiment], list[Part]]

SECTIONS: Final[dict[str, tuple[str, Section]]] = {
    "example": ("Which version chose each query", report_example),
    "curves": ("Accuracy over labels and over time", report_curves),
    "pairs": ("Synchronous against asynchronous", report_pairs),
    "waits": ("Time between two queries", report_waits),
    "table": ("Average accuracy by servers", report_servers),
    "map": ("Where more servers help", report_servers_map),
    "bound": ("The terms of Theorem 1", report_bound),
    "against": ("One against the other", report_comparison),
    "staleness": ("Staleness", report_staleness),
    "versions": ("Versions per minute", report_versions),
    "chosen": ("Who chose what", report_choices),
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
    return heading, partial(report_comparison, key=key) if key else function
