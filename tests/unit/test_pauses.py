"""Which failures make a name or a network rest, and until when."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator_site.accounts.pauses import (
    CALM,
    SPRAYED,
    WHILE_SPRAYED,
    WINDOW,
    Failures,
    Limits,
    is_spraying,
    pause_of,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

failures = st.lists(
    st.builds(
        Failures,
        name=st.sampled_from(["ada", "bob", "cy", "dee"]),
        times=st.integers(1, 12),
        at=st.integers(1, int(WINDOW.total_seconds())).map(
            lambda seconds: NOON - WINDOW + timedelta(seconds=seconds)
        ),
    ),
    max_size=12,
)


def counts(recent: list[Failures], moment: datetime) -> tuple[int, int]:
    """What is remembered at a moment: of ada, and of all."""
    kept = [failed for failed in recent if failed.at + WINDOW > moment]
    return sum(failed.times for failed in kept if failed.name == "ada"), sum(
        failed.times for failed in kept
    )


@given(failures, st.sampled_from([CALM, WHILE_SPRAYED]), st.integers(0, 40))
def test_a_pause_lasts_exactly_as_long_as_a_limit_is_reached(
    recent: list[Failures], limits: Limits, got_in: int
) -> None:
    def rests(moment: datetime) -> bool:
        own, all_names = counts(recent, moment)
        return own >= limits.of_pair or all_names >= max(limits.of_network, 2 * got_in)

    pause = pause_of("ada", recent, limits=limits, got_in=got_in)
    if pause is None:
        assert not rests(NOON)
    else:
        assert NOON < pause.until <= NOON + WINDOW
        assert rests(pause.until - timedelta(microseconds=1))
        assert not rests(pause.until)


@given(failures, st.integers(0, 40))
def test_others_can_keep_a_name_out_by_the_limit_of_the_network_alone(
    recent: list[Failures], got_in: int
) -> None:
    pause = pause_of("somebody else", recent, limits=CALM, got_in=got_in)
    assert pause is None or pause.of_network


@pytest.mark.parametrize("people", [5, 50, 200, 1000])
def test_an_office_behind_one_address_may_mistype_as_often_as_people_do(people: int) -> None:
    """When half have got in, of all others each has failed twice and is about to try again."""
    failing = [Failures(f"person {n}", 2, NOON) for n in range(people // 3)]
    assert pause_of("person 0", failing, limits=CALM, got_in=people // 2) is None
    assert not is_spraying(len(failing), people // 2)


@pytest.mark.parametrize(
    ("pairs", "got_in", "noticed"),
    [
        (SPRAYED - 1, 0, False),
        (SPRAYED, 0, True),
        (SPRAYED, 9, True),
        (SPRAYED, 10, False),
        (300, 200, False),
        (300, 149, True),
        (100_000, 1_000, True),
    ],
)
def test_spraying_is_told_from_a_morning_on_which_everybody_comes(
    pairs: int, got_in: int, noticed: bool
) -> None:
    assert is_spraying(pairs, got_in) is noticed
