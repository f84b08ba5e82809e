"""docs/security.md: every requirement once, honest counts, and nothing named that is not there."""

import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from documents import ROOT, names, page, source, table

from annotator_site.accounts.passwords import WORDS

HEADER: Final = "number | level | in a few words | status | where, or why"
STATUSES: Final = ("met", "not applicable", "not met")
# OWASP ASVS 5.0.0, levels 1 and 2: of each section the numbers of its requirements, those of level
# 1 before the bar.
SECTIONS: Final = {
    "1.1": "| 1 2", "1.2": "1 2 3 4 5 | 6 7 8 9", "1.3": "1 2 | 3 4 5 6 7 8 9 10 11",
    "1.4": "| 1 2 3", "1.5": "1 | 2",
    "2.1": "1 | 2 3", "2.2": "1 2 | 3", "2.3": "1 | 2 3 4", "2.4": "| 1",
    "3.2": "1 2 |", "3.3": "1 | 2 3 4", "3.4": "1 2 | 3 4 5 6", "3.5": "1 2 3 | 4 5",
    "3.7": "| 1 2",
    "4.1": "1 | 2 3", "4.2": "| 1", "4.3": "| 1 2", "4.4": "1 | 2 3 4",
    "5.1": "| 1", "5.2": "1 2 | 3", "5.3": "1 2 |", "5.4": "| 1 2 3",
    "6.1": "1 | 2 3", "6.2": "1 2 3 4 5 6 7 8 | 9 10 11 12", "6.3": "1 2 | 3 4", "6.4": "1 2 | 3 4",
    "6.5": "| 1 2 3 4 5", "6.6": "| 1 2 3", "6.8": "| 1 2 3 4",
    "7.1": "| 1 2 3", "7.2": "1 2 3 4 |", "7.3": "| 1 2", "7.4": "1 2 | 3 4 5", "7.5": "| 1 2",
    "7.6": "| 1 2",
    "8.1": "1 | 2", "8.2": "1 2 | 3", "8.3": "1 |", "8.4": "| 1",
    "9.1": "1 2 3 |", "9.2": "1 | 2 3 4",
    "10.1": "| 1 2", "10.2": "| 1 2", "10.3": "| 1 2 3 4", "10.4": "1 2 3 4 5 | 6 7 8 9 10 11",
    "10.5": "| 1 2 3 4 5", "10.6": "| 1 2", "10.7": "| 1 2 3",
    "11.1": "| 1 2", "11.2": "| 1 2 3", "11.3": "1 2 | 3", "11.4": "1 | 2 3 4", "11.5": "| 1",
    "11.6": "| 1",
    "12.1": "1 | 2 3", "12.2": "1 2 |", "12.3": "| 1 2 3 4",
    "13.1": "| 1", "13.2": "| 1 2 3 4 5", "13.3": "| 1 2", "13.4": "1 | 2 3 4 5",
    "14.1": "| 1 2", "14.2": "1 | 2 3 4", "14.3": "1 | 2 3",
    "15.1": "1 | 2 3", "15.2": "1 | 2 3", "15.3": "1 | 2 3 4 5 6 7",
    "16.1": "| 1", "16.2": "| 1 2 3 4 5", "16.3": "| 1 2 3 4", "16.4": "| 1 2 3", "16.5": "| 1 2 3",
    "17.1": "| 1", "17.2": "| 1 2 3 4", "17.3": "| 1 2",
}  # fmt: skip
REQUIREMENTS: Final = {
    f"{name}.{number}": level
    for name, numbers in SECTIONS.items()
    for level, part in enumerate(numbers.split("|"), 1)
    for number in part.split()
}
TEXT: Final = page("security.md")
ROWS: Final = [
    row
    for part in re.split(r"\n(?=## )", TEXT)
    if f"| {HEADER} |" in part
    for row in table(part, HEADER)
]
PATH: Final = re.compile(
    r"(?:al_engine|annotator_site|static|templates|tests|docs|benchmarks)/[\w/.-]+"
)


def test_the_standard_has_as_many_requirements_as_it_says() -> None:
    assert Counter(REQUIREMENTS.values()) == {1: 70, 2: 183}


def test_every_requirement_is_there_once_in_its_order_and_with_its_level() -> None:
    listed = [(row[0], int(row[1])) for row in ROWS]
    assert listed == list(REQUIREMENTS.items())


def test_each_row_says_where_or_why() -> None:
    for number, _, words, status, reason in ROWS:
        assert words, number
        assert status in STATUSES, number
        assert len(reason) > 8, number


def test_every_place_and_every_test_that_is_named_exists() -> None:
    for name in names(TEXT):
        path, found, test = name.partition("::")
        if found:
            assert f"def {test}(" in source(path), name
        elif PATH.fullmatch(path):
            assert (ROOT / path).exists(), name


def test_the_counts_are_those_of_the_rows() -> None:
    counted = Counter((row[3], row[1]) for row in ROWS)
    for status, *numbers, _ in table(TEXT, "status | level 1 | level 2"):
        assert [counted[status, level] for level in "12"] == [int(each) for each in numbers], status


def test_the_words_that_make_no_password_are_those_of_the_code() -> None:
    (listed,) = re.findall(r"names in `ALLOWED_HOSTS` and (.*?);", TEXT, re.DOTALL)
    assert tuple(listed.replace("\n", " ").split(", ")) == WORDS


@pytest.mark.parametrize("name", ["docs/README.md", "docs/operators.md", "README.md"])
def test_the_page_is_linked_from_where_people_look(name: str) -> None:
    text = source(name)
    target = "docs/security.md" if Path(name).parent == Path() else "security.md"
    assert f"({target}" in text
