"""The page on strategies lists those that there are, with what they look at."""

import re
from pathlib import Path
from typing import Any

import torch

from al_engine import strategies
from al_engine.strategies.embeddings import candidates_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "strategies.md"


def test_the_table_is_complete_and_says_what_each_looks_at() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("| name | chooses | looks at | merges |\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[1:]]
    assert [row[0].strip("`") for row in rows] == strategies.names()
    for name, _, looks_at, merges in rows:
        name = name.strip("`")
        seen = {part.strip().replace("L", "labeled") for part in looks_at.split(",")} - {"", "p"}
        assert seen == strategies.needs(name), name
        assert (merges == "yes") == strategies.is_separable(name), name


def test_the_number_of_images_that_are_looked_at_is_the_one_of_the_code() -> None:
    assert "max(10 B, 20,000)" in PAGE.read_text(encoding="utf-8")
    assert [candidates_of(budget) for budget in (0, 2_000, 5_000)] == [20_000, 20_000, 50_000]


def test_the_code_on_the_page_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    space: dict[str, Any] = {"print": lambda *_: None}
    exec(compile(code, PAGE.name, "exec"), space)  # noqa: S102 - our own page
    assert isinstance(space["selection"].indices, torch.Tensor)
    assert len(space["selection"].indices) == 50
