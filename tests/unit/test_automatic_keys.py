"""A class that has no key gets one that every keyboard can type, or none."""

import pytest

from al_engine.pools.classes import AUTOMATIC_KEYS, fill_in_choices
from al_engine.pools.models import Choice


def keys(*classes: tuple[str, str]) -> list[str]:
    """The keys of classes of these names and keys, once they are filled in."""
    rows = [Choice(name=name, hotkey=key, position=at) for at, (name, key) in enumerate(classes)]
    fill_in_choices(rows)
    return [row.hotkey for row in rows]


@pytest.mark.parametrize("count", [2, 10, 11, 36, 40, 300])
def test_digits_come_first_and_then_letters(count: int) -> None:
    found = keys(*((f"class {number}", "") for number in range(count)))
    assert "".join(found) == "1234567890abcdefghijklmnopqrstuvwxyz"[:count]


@pytest.mark.parametrize("name", [*"éñßжλ中あ+-?/ .ªº²½İ١Å", "e\u0301", "ﬁ"])
def test_a_name_of_one_character_is_a_key_only_where_everybody_can_type_it(name: str) -> None:
    assert keys((name, ""), ("other", "")) == ["1", "2"]


@pytest.mark.parametrize("name", [*"7aZ"])
def test_a_class_called_by_a_key_gets_it(name: str) -> None:
    assert keys(("other", ""), (name, "")) == ["1", name.lower()]


@pytest.mark.parametrize("key", [*"éě+-ß", "ж"])
def test_a_key_that_somebody_chose_stays(key: str) -> None:
    assert keys(("cat", key), ("dog", ""), ("1", "")) == [key, "2", "1"]
    assert key not in AUTOMATIC_KEYS
