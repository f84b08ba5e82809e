"""The state machines: every state is reachable, and the words are those of the tables."""

import pytest

from al_engine.pools import lifecycle
from al_engine.pools.lifecycle import Arrow
from al_engine.pools.models import Image, Query, Turn

MACHINES = [
    (lifecycle.IMAGE, {"unlabeled", "reserved"}, set(Image.State.values)),
    (lifecycle.QUERY, {"open"}, set(Query.State.values)),
    (lifecycle.TURN, {"open"}, set(Turn.State.values)),
]
machines = pytest.mark.parametrize(
    ("arrows", "births", "states"), MACHINES, ids=["image", "query", "turn"]
)


@machines
def test_the_states_are_those_of_the_table(
    arrows: dict[Arrow, str], births: set[str], states: set[str]
) -> None:
    assert {state for arrow in arrows for state in arrow} | births == states


@machines
def test_every_state_is_reached_from_a_birth(
    arrows: dict[Arrow, str], births: set[str], states: set[str]
) -> None:
    reached: set[str] = set()
    ahead = set(births)
    while ahead:
        reached |= ahead
        ahead = {end for start, end in arrows if start in reached} - reached
    assert reached == states


@machines
def test_every_arrow_leads_elsewhere_and_says_why(
    arrows: dict[Arrow, str], births: set[str], states: set[str]
) -> None:
    assert all(start != end and why for (start, end), why in arrows.items())


def test_what_is_cancelled_stays_so_and_what_was_skipped_is_only_ever_put_back() -> None:
    ends = {start: {end for from_, end in lifecycle.TURN if from_ == start}
            for start in ("skipped", "cancelled")}  # fmt: skip
    assert ends == {"skipped": {"cancelled"}, "cancelled": set()}


def test_what_is_out_comes_back_and_nowhere_else() -> None:
    back = {end for start, end in lifecycle.IMAGE if start == "excluded"}
    assert back == {"unlabeled", "queried", "reserved"}


def test_a_reserved_image_never_enters_the_pools() -> None:
    assert {end for start, end in lifecycle.IMAGE if start == "reserved"} == {"excluded"}
