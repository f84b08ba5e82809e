"""The state machines of the pools as data: the transitions, and what causes each.

The statements in `sql/` hold the conditions. The test suite installs a trigger made from these
tables into its database, so that a transition that is missing here fails every test that makes it.
"""

from typing import Final

Arrow = tuple[str, str]

IMAGE: Final[dict[Arrow, str]] = {
    ("unlabeled", "queried"): "a worker put it into S",
    ("queried", "unlabeled"): "its query was withdrawn",
    ("queried", "labeled"): "its answers add up to a consensus",
    ("unlabeled", "labeled"): "an answer came after its query had been withdrawn",
    ("labeled", "queried"): "an answer was undone",
    ("unlabeled", "excluded"): "set aside for its file, or excluded by somebody who runs it",
    ("queried", "excluded"): "two people called it unusable, or it was set aside or excluded",
    ("reserved", "excluded"): "a holdout or gold image was set aside or excluded",
    ("excluded", "unlabeled"): "put back by somebody, or because its file is there again",
    ("excluded", "queried"): "the same, where it has answers already",
    ("excluded", "reserved"): "the same for a holdout or gold image",
}

QUERY: Final[dict[Arrow, str]] = {
    ("open", "closed"): "it has enough answers, or its image was excluded",
    ("open", "withdrawn"): "a fresher selection replaced it before anybody held it",
    ("closed", "open"): "an answer was undone, or its image was put back",
    ("withdrawn", "open"): "the same after an answer that came after the withdrawal",
}

TURN: Final[dict[Arrow, str]] = {
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
    ("skipped", "cancelled"): "its image was put back, for its person as for everybody",
    ("answered", "cancelled"): "undone while its image was out, which was put back",
}
