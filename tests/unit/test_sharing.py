"""Which campaigns are awake, and how those that are share a machine."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_engine.decisions import sharing
from al_engine.decisions.sharing import (
    REST_AFTER_SECONDS,
    TURN_SECONDS,
    Claim,
    Standing,
    is_awake,
    room_of,
    share_out,
)

CLAIMS = st.lists(
    st.builds(
        Claim,
        campaign=st.integers(0, 99),
        processes=st.integers(1, 6),
        people=st.booleans(),
        held_s=st.none() | st.floats(0, 1_000),
        waited_s=st.just(0.0),
    ).flatmap(
        lambda claim: (
            st.just(claim)
            if claim.held_s is not None
            else st.floats(0, 1_000).map(lambda waited: replace(claim, waited_s=waited))
        )
    ),
    unique_by=lambda claim: claim.campaign,
    max_size=12,
)


@pytest.mark.parametrize(
    ("standing", "awake"),
    [
        (Standing(people=False, quiet_s=math.inf, untrained=False), False),
        (Standing(people=False, quiet_s=REST_AFTER_SECONDS, untrained=False), False),
        (Standing(people=False, quiet_s=REST_AFTER_SECONDS - 1, untrained=False), True),
        (Standing(people=True, quiet_s=math.inf, untrained=False), True),
        (Standing(people=False, quiet_s=math.inf, untrained=True), True),
    ],
)
def test_a_campaign_rests_once_nobody_is_there_and_its_labels_are_learned(
    standing: Standing, awake: bool
) -> None:
    assert is_awake(standing) is awake


def test_the_room_of_a_machine_follows_from_its_memory_and_cores() -> None:
    assert room_of(memory_mb=24_000, cores=2) == 16
    assert room_of(memory_mb=4_000, cores=2) == 5
    assert room_of(memory_mb=1_000, cores=64) == 2


@settings(max_examples=60, deadline=None)
@given(CLAIMS, st.integers(0, 30))
def test_room_is_never_given_twice_and_never_kept_from_who_fits(
    claims: list[Claim], room: int
) -> None:
    granted = share_out(claims, room=room)
    need = {claim.campaign: claim.processes for claim in claims}
    assert bool(granted) is bool(claims)
    assert sum(need[each] for each in granted) <= max(room, max(need.values(), default=0))
    if sum(need.values()) <= room:
        assert granted == need.keys()


@settings(max_examples=60, deadline=None)
@given(CLAIMS, st.integers(0, 30))
def test_people_come_first_and_then_who_waited_longest(claims: list[Claim], room: int) -> None:
    granted = share_out(claims, room=room)
    for has in claims:
        for lacks in claims:
            if has.campaign in granted and lacks.campaign not in granted:
                assert has.people >= lacks.people
                in_turn = has.held_s is not None and has.held_s < TURN_SECONDS
                if has.people == lacks.people and not in_turn:
                    assert has.waited_s >= lacks.waited_s


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.integers(1, 8))
def test_everybody_has_a_turn(sizes: list[int], room: int) -> None:
    since: dict[int, float] = {}
    waiting = dict.fromkeys(range(len(sizes)), 0.0)
    served: set[int] = set()
    now = 0.0
    while now <= len(sizes) * (TURN_SECONDS + 10):
        claims = [
            Claim(
                number,
                size,
                people=True,
                held_s=now - since[number] if number in since else None,
                waited_s=0.0 if number in since else now - waiting[number],
            )
            for number, size in enumerate(sizes)
        ]
        granted = share_out(claims, room=room)
        served |= granted
        for number in range(len(sizes)):
            if number in granted:
                since.setdefault(number, now)
            elif since.pop(number, None) is not None:
                waiting[number] = now
        now += 10
    assert served == set(range(len(sizes)))


def test_who_holds_room_keeps_it_for_a_turn() -> None:
    early = Claim(1, 2, people=True, held_s=TURN_SECONDS - 1)
    late = Claim(2, 2, people=True, waited_s=1_000)
    assert share_out([early, late], room=2) == {1}
    assert share_out([replace(early, held_s=TURN_SECONDS), late], room=2) == {2}
    assert share_out([replace(early, people=False), late], room=2) == {2}
    assert sharing.TURN_SECONDS < sharing.REST_AFTER_SECONDS
