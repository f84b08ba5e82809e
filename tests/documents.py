"""Read the documents: pages, their sections and tables."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def page(name: str) -> str:
    """The text of a page in docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def source(path: str) -> str:
    """The text of a file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """The text from a heading to the next heading of its level or above."""
    level = heading.index(" ")
    end = re.compile(rf"^#{{1,{level}}} ", re.MULTILINE)
    after = text.partition(f"\n{heading}\n")[2]
    assert after, heading
    found = end.search(after)
    return after[: found.start()] if found else after


def table(text: str, header: str) -> list[list[str]]:
    """The cells of the first table whose header row begins with `header`."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {header} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return rows


def names(text: str) -> list[str]:
    """All text in backticks outside blocks of code."""
    return re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def first(rows: list[list[str]]) -> list[str]:
    """All text in backticks in the first column."""
    return [name for row in rows for name in names(row[0])]
