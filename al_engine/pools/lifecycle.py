"""The state machines of the pools as data: which arrows exist, and what walks them.

The statements in `sql/` carry the conditions; the test suite installs a trigger made from
these tables into its database, so that an arrow that is not drawn here fails every test
that walks it.
"""

from typing import Final

Arrow = tuple[str, str]

IMAGE: Final[dict[Arrow, str]] = {
    ("unlabeled", "queried"): "a worker put it into S",
    ("queried", "unlabeled"): "its query was withdrawn",
    ("queried", "labeled"): "its answers add up to a consensus",
    ("unlabeled", "labeled"): "an answer came after its query had been withdrawn",
    ("labeled", "queried"): "an answer was undone",
    ("unlabeled", "excluded"): "it cannot be read",
    ("queried", "excluded"): "two people called it unusable, or it cannot be read",
    ("reserved", "excluded"): "a holdout or gold image cannot be read",
    ("excluded", "unlabeled"): "somebody looked at what people called unusable and put it back",
}

QUERY: Final[dict[Arrow, str]] = {
    ("open", "closed"): "it has enough answers, or its image was excluded",
    ("open", "withdrawn"): "a fresher selection replaced it before anybody held it",
    ("closed", "open"): "an answer was undone",
    ("withdrawn", "open"): "an answer that came after the withdrawal was undone",
}

ASSIGNMENT: Final[dict[Arrow, str]] = {
    ("open", "leased"): "claimed: it is in somebody's buffer",
    ("leased", "open"): "the lease ended or was given back",
    ("leased", "answered"): "answered",
    ("open", "answered"): "answered late by somebody whose lease had run out",
    ("leased", "skipped"): "skipped: another turn is opened for somebody else",
    (
        "leased",
        "cancelled",
    ): "its query was closed before the lease ended, or a newer model asks something else",
    ("open", "cancelled"): "its query was closed or withdrawn",
    ("answered", "leased"): "undone: the same person holds it again",
}
