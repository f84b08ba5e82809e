"""Names of classes: which are valid, and which look the same to people.

Pure functions. A list of names is stored exactly as given, or refused with a sentence that says
why: names that people cannot see or tell apart would send their answers to the wrong class.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

MAX_CLASSES: Final = 1_000
MAX_CHARACTERS: Final = 200
# Joiners shape the letters of many scripts and combine the parts of emoji.
_JOINERS: Final = "\u200c\u200d"
# Characters without a glyph: joiners, variation selectors, fillers, the empty Braille cell.
_UNSEEN: Final = re.compile(
    f"[{_JOINERS}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# Controls, surrogates, format characters (such as direction marks), line separators.
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})
_REPLACEMENT: Final = "\ufffd"
_SHOWN_CHARACTERS: Final = 40


def as_compared(name: str) -> str:
    """Normalize a name: names that look the same to people become equal.

    Composed (NFC), without invisible characters, with single spaces; case is kept.
    """
    return " ".join(unicodedata.normalize("NFC", _UNSEEN.sub("", name)).split())


def problem_of_name(name: str) -> str:
    """Why a name cannot be a class's name and what to do, in a sentence; "" if it can."""
    if not name.strip():
        return "A class has no name: write one, or leave it out."
    for character in name:
        if problem := _problem_of_character(character):
            return f"The name “{shown(name)}” {problem}"
    if not as_compared(name):
        return "A class has a name of which nothing can be seen: write another."
    if name != name.strip():
        return f"The name “{shown(name)}” begins or ends with a space: write it without."
    if len(name) > MAX_CHARACTERS:
        return (
            f"The name “{shown(name)}” has {len(name):,} characters: at most {MAX_CHARACTERS} "
            "fit. Describe the class in the instructions."
        )
    return ""


def problem_of_names(names: Sequence[str]) -> str:
    """Why these cannot be the classes of a campaign, in a sentence; "" if they can."""
    if len(names) > MAX_CLASSES:
        return f"There are {len(names):,} classes: a campaign has at most {MAX_CLASSES:,}."
    for name in names:
        if problem := problem_of_name(name):
            return problem
    if len(names) < 2:
        return "A campaign needs two classes at least, for example cat and dog."
    seen: dict[str, str] = {}
    for name in names:
        key = as_compared(name)
        if key in seen:
            return _called_the_same(seen[key], name)
        seen[key] = name
    return ""


def shown(name: str) -> str:
    """A name for a message: shortened, and without characters that control a terminal."""
    text = "".join(_REPLACEMENT if _problem_of_character(each) else each for each in name)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _problem_of_character(character: str) -> str:
    if character == _REPLACEMENT:
        return "holds a character that was lost when the text was read: write the list in UTF-8."
    noncharacter = ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"
    refused = unicodedata.category(character) in _REFUSED_CATEGORIES
    if noncharacter or (refused and character not in _JOINERS):
        called = unicodedata.name(character, "")
        return (
            f"holds a character that people cannot see (U+{ord(character):04X}"
            f"{' ' if called else ''}{called}): write it without."
        )
    return ""


def _called_the_same(one: str, other: str) -> str:
    if one == other:
        return f"Two classes are called “{shown(one)}”: change one."
    return (
        f"Two classes are called “{shown(one)}”: their names are stored differently, but people "
        "see no difference. Change one."
    )
