"""Which version chose each query, as in the example of the paper's section 3.2."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import Final

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown
from al_lab.report.arm_styles import row_name
from al_lab.report.figure_choice import Figure, Part
from al_lab.report.figures import Drawing
from al_lab.report.layout import Cell, Layout
from al_lab.report.plots import strips

# For trainings that take three times as long as a query, section 3.2 tells by the number of
# servers: how many queries version 0 chose, and how many each later version.
_PAPERS_QUERIES: Final = {1: (4, 3), 3: (4, 1)}


Row = tuple[str, list[int], Cell]
"""A cell's name in a table, the version behind each of its queries, and the cell."""


def report_example(layout: Layout, _: Experiment) -> list[Part]:
    """A strip of queries with the version behind each, and what the paper says of it."""
    rows = [(row_name(layout, cell), versions_of(cell), cell) for cell in layout.cells]
    rows = [row for row in rows if row[1]]
    if not rows:
        return ["No run kept the versions behind its queries: they are kept up to 100 labels."]
    names = [name for name, _, _ in rows]
    return [
        Figure(
            "example",
            f"The version that chose each query, a strip for each of {markdown.listed(names)}",
            partial(_draw, rows),
        ),
        markdown.table(
            ["arm", "queries by each version"],
            [[name, _runs(versions)] for name, versions, _ in rows],
        ),
        " ".join(_verdict(name, versions, cell) for name, versions, cell in rows),
    ]


def _draw(rows: Sequence[Row]) -> Drawing:
    longest = max(len(name) for name, _, _ in rows)
    drawing = Drawing(
        1, width=6.5, height=0.4 + 0.42 * len(rows), top=0.1, left=0.3 + 0.08 * longest
    )
    across = "query; the number is the version that chose it"
    strips(drawing, [(name, versions) for name, versions, _ in rows], across=across)
    return drawing


def versions_of(cell: Cell) -> list[int]:
    """The version behind each query in the order in which they were taken, of the first seed."""
    asked = sorted(cell.runs[0].asked, key=lambda event: event["number"])
    return [int(event["version"] or 0) for event in asked]


def expected(servers: int, queries: int) -> list[int] | None:
    """The versions that section 3.2 tells for so many servers; None where it tells none."""
    if servers not in _PAPERS_QUERIES:
        return None
    first, each = _PAPERS_QUERIES[servers]
    return [0 if n < first else 1 + (n - first) // each for n in range(queries)]


def _runs(versions: Sequence[int]) -> str:
    """`version 0: 4, version 1: 3, …`."""
    counts = [(version, len(list(same))) for version, same in groupby(versions)]
    told = ", ".join(f"version {version}: {count}" for version, count in counts[:6])
    return told + (", …" if len(counts) > 6 else "")


def _verdict(words: str, versions: Sequence[int], cell: Cell) -> str:
    servers = cell.setting.arrangement.servers
    wanted = expected(servers, len(versions))
    seconds = cell.setting.people.seconds_per_label
    if wanted is None or cell.setting.clock.training != 3 * seconds:
        return f"Of an arrangement as {words}'s the paper says nothing."
    same = list(versions) == wanted
    counted = markdown.counted(servers, "server")
    return (
        f"**With {counted} all {len(versions)} queries are by the versions that section 3.2 "
        "tells.**"
        if same
        else f"**With {counted} the queries are not by the versions that section 3.2 tells: "
        f"{', '.join(map(str, wanted[:12]))} and so on.**"
    )
