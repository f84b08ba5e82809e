"""Whatever comes back into the line of messages, each person's order stays that of sending."""

from typing import Any
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from annotator_site.labeling import pending
from annotator_site.labeling.batch import Submission, halves
from annotator_site.labeling.pending import Pending
from annotator_site.labeling.protocol import LabelMessage, UndoMessage
from annotator_site.labeling.session import Bucket, Session


async def _send(_: Any) -> None:
    """Nobody is there."""


def message(person: int, *, undo: bool = False) -> Submission:
    """Something that somebody says."""
    session = Session(
        session_id=uuid4(), annotator_id=person, mine=0, bucket=Bucket(0, 0.0), send=_send, now=0.0
    )
    said = UndoMessage(uuid4(), uuid4()) if undo else LabelMessage(uuid4(), 1, 1, 1)
    return Submission(session, said)


def places(subs: list[Submission]) -> list[int]:
    return [sub.place for sub in subs]


def test_an_undo_never_passes_what_it_is_about() -> None:
    line = Pending()
    label, undo = message(1), message(1, undo=True)
    line.add(label)
    first = line.take()
    line.add(undo)
    second = line.take()
    # Both are committed, one after the other; both are lost, and one is told of before the other.
    line.put_back(first)
    line.put_back(second)
    assert line.take() == [label, undo]
    line.put_back(second)
    line.put_back(first)
    assert line.take() == [label, undo]


def test_what_came_meanwhile_comes_after_it() -> None:
    line = Pending()
    early, late = message(1), message(1)
    line.add(early)
    taken = line.take()
    line.add(late)
    line.put_back(taken)
    line.put_back(taken)
    assert line.take() == [early, late], "and once"


def test_what_is_answered_does_not_come_back() -> None:
    line = Pending()
    line.add(message(1))
    line.add(message(1))
    taken = line.take()
    taken[0].answered = True
    line.put_back(taken)
    assert line.take() == taken[1:]


def test_who_is_set_aside_waits_beside_the_line_and_nobody_else() -> None:
    line = Pending()
    ann, ben = [message(1) for _ in range(3)], [message(2) for _ in range(2)]
    for sub in (ann[0], ben[0], ann[1]):
        line.add(sub)
    taken = line.take()
    line.add(ben[1])
    line.set_aside(taken[:1])
    line.put_back(taken[1:])
    line.add(ann[2])
    assert line.take() == ben
    assert line.aside == {1: ann}
    line.done_aside(ann[0])
    line.done_aside(ann[0])
    assert line.aside == {1: ann[1:]}


def test_the_line_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(pending, "MAX_WAITING_MESSAGES", 3)
    line = Pending()
    for _ in range(3):
        assert not line.is_full
        line.add(message(1))
    assert line.is_full


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "take", "back", "aside"]), st.integers(0, 9))))
def test_everybody_is_taken_in_their_order_whatever_comes_back_when(
    moves: list[tuple[str, int]],
) -> None:
    line = Pending()
    away: list[Submission] = []
    for move, which in moves:
        if move == "add":
            line.add(message(which % 3, undo=which > 6))
        elif move == "take":
            away += line.take()
        elif move == "back":
            # Not all at once, and in another order.
            back = away[which::2][::-1]
            away = [sub for sub in away if sub not in back]
            line.put_back(back)
        elif away:
            line.set_aside([away[which % len(away)]])
            away.remove(away[which % len(away)])
    line.put_back(away)
    for theirs in line.aside.values():
        assert places(theirs) == sorted(places(theirs))
    taken: list[Submission] = []
    while batch := line.take():
        assert not {sub.session.annotator_id for sub in batch} & line.aside.keys()
        taken += batch
    for person in range(3):
        theirs = [sub for sub in taken if sub.session.annotator_id == person]
        assert places(theirs) == sorted(places(theirs))


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1))
def test_halves_part_people_and_lose_nothing(people: list[int]) -> None:
    subs = [message(person) for person in people]
    parts = halves(subs)
    assert sorted(id(sub) for part in parts for sub in part) == sorted(map(id, subs))
    who = [{sub.session.annotator_id for sub in part} for part in parts]
    assert len(parts) == (1 if len(set(people)) == 1 else 2)
    assert len(parts) == 1 or not who[0] & who[1]
    for part in parts:
        assert [sub for sub in subs if sub in part] == part
