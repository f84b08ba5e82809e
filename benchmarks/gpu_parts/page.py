"""The results as JSON and as a Markdown page."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path

from benchmarks.gpu_parts.work import Row


@dataclass(slots=True)
class Outcome:
    """A part's section: `state` is `not begun`, `running`, `done` or `not all`."""

    name: str
    title: str
    said: str
    state: str = "not begun"
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def write(folder: Path, head: dict[str, str], outcomes: list[Outcome]) -> None:
    """`gpu.json` and `gpu.md` in the folder, anew."""
    whole = {**head, "parts": [asdict(each) for each in outcomes]}
    (folder / "gpu.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "gpu.md").write_text("\n".join(_lines(head, outcomes)) + "\n", encoding="utf-8")


def _lines(head: dict[str, str], outcomes: list[Outcome]) -> Iterator[str]:
    yield "# The engine on a GPU"
    yield ""
    yield f"`{head['command']}` on {head['machine']}. {head['size']}."
    for each in outcomes:
        yield from ["", f"## {each.title}", "", each.said, ""]
        yield f"{each.state.capitalize()}, {each.seconds:.0f} s."
        for heads, rows in groupby(each.rows, key=tuple):
            yield from ["", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
            yield from (f"| {' | '.join(map(shown, row.values()))} |" for row in rows)
        for problem in each.problems:
            yield from ["", "```", problem.strip(), "```"]


def shown(value: str | int | float | None) -> str:
    """A cell as text: floats with four digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    return value
