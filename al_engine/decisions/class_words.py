"""Whether the names of classes say what their images show."""

import re
from collections.abc import Sequence
from typing import Final

_SAYS_NOTHING: Final = frozenset(
    [
        *("category", "class", "cluster", "code", "group", "id", "item", "kind", "label"),
        *("no", "number", "nr", "option", "set", "type"),
    ]
)


def are_words(names: Sequence[str]) -> bool:
    """Whether every class is named by words for what it shows: `cat`, but not `3` or `class_3`."""
    return bool(names) and all(
        any(word not in _SAYS_NOTHING for word in re.findall(r"[^\W\d_]{2,}", name.casefold()))
        for name in names
    )
