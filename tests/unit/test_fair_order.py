"""Whatever part of a source has come in, it is a fair sample of the whole, at every reading."""

import hashlib
import random
import tracemalloc
from collections import Counter
from math import sqrt
from pathlib import Path

import pytest
from pictures import picture, write_folder, write_zip

from annotator_site.importing.fair_order import in_fair_order
from annotator_site.importing.sources import open_source

# Names of files by class, as data sets have them.
LAYOUTS: dict[str, dict[str, list[str]]] = {
    "ten folders of numbers": {
        f"{c}": [f"data/{c}/{n:05}.png" for n in range(500)] for c in range(10)
    },
    "a hundred folders": {
        f"{c}": [f"images/class {c:03}/img_{n}.jpg" for n in range(60)] for c in range(100)
    },
    "folders of unequal sizes": {
        f"{c}": [f"{c}/{n}.jpg" for n in range(30 * 3**c)] for c in range(5)
    },
    "one folder, the class in the name": {
        f"{c}": [f"digit_{c}_{n:04}.png" for n in range(400)] for c in range(10)
    },
    "names that are hashes": {
        f"{c}": [
            f"{c}/{hashlib.blake2b(b'%d %d' % (c, n), digest_size=8).hexdigest()}.png"
            for n in range(500)
        ]
        for c in range(4)
    },
    "one after another": {
        f"{c}": [f"{n}.png" for n in range(300 * c, 300 * (c + 1))] for c in range(9)
    },
}


def mixed(names: list[str]) -> list[str]:
    """The names in the order in which an import takes files of these names."""
    placed = ((name.encode(), place) for place, name in enumerate(names))
    return [names[place] for place in in_fair_order(placed)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_first_part_has_every_class_within_what_chance_allows(layout: str) -> None:
    class_of = {name: each for each, names in LAYOUTS[layout].items() for name in names}
    order = mixed(list(class_of))
    total = len(order)
    assert sorted(order) == sorted(class_of)

    for first in (25, 100, 400, total // 2):
        found = Counter(class_of[name] for name in order[:first])
        for each, names in LAYOUTS[layout].items():
            share = len(names) / total
            # Of a sample without replacement (hypergeometric); five deviations, and one image
            # since counts are whole.
            spread = sqrt(first * share * (1 - share) * (total - first) / (total - 1))
            assert abs(found[each] - first * share) <= 5 * spread + 1


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_source_is_read_in_this_order_every_time_however_it_was_written(
    kind: str, tmp_path: Path
) -> None:
    names = [f"{each}/{number:02}.png" for each in "abc" for number in range(40)]
    files = {name: picture(shade=number) for number, name in enumerate(names)}
    turned = dict(random.Random(0).sample(sorted(files.items()), len(files)))
    write = write_folder if kind == "folder" else write_zip
    source = open_source(write(tmp_path / "one", files))
    other = open_source(write(tmp_path / "other", turned))

    readings = [
        [(entry.name, entry.data) for entry in each.entries()] for each in (source, source, other)
    ]

    assert readings[0] == readings[1] == readings[2]
    assert [name for name, _ in readings[0]] == mixed(names)
    assert dict(readings[0]) == files


def test_files_that_are_added_leave_the_others_in_their_order() -> None:
    names = [f"{number}.png" for number in range(200)]
    more = [f"more/{number}.png" for number in range(100)]

    assert [name for name in mixed([*more, *names]) if name in names] == mixed(names)


def test_files_of_one_name_stay_in_their_order() -> None:
    # A zip may have several.
    assert list(in_fair_order([(b"same", 7), (b"same", 3), (b"same", 5)])) == [7, 3, 5]
    assert list(in_fair_order([])) == []


def test_a_large_source_takes_little_memory() -> None:
    count = 50_000
    tracemalloc.start()
    try:
        order = in_fair_order((b"%d" % number, number) for number in range(count))
        next(order)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 20 * count
    assert peak < 44 * count
