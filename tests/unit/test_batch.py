"""What goes into one transaction: everybody's messages in their order, no message twice."""

from collections import deque
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator_site.labeling import batch
from annotator_site.labeling.batch import Act, Submission, take
from annotator_site.labeling.protocol import LabelMessage, SkipMessage, UndoMessage
from annotator_site.labeling.session import Bucket, Session

ORDER = {LabelMessage: 0, SkipMessage: 1, UndoMessage: 2}


async def _send(_: Any) -> None:
    """Nobody is there."""


def person(number: int) -> Session:
    """A connection of somebody; people may have several."""
    return Session(
        session_id=uuid4(),
        annotator_id=number,
        mine=0,
        bucket=Bucket(0, 0.0),
        send=_send,
        now=0.0,
    )


def label(session: Session, id_: UUID | None = None) -> Submission:
    return Submission(session, LabelMessage(id_ or uuid4(), 1, 1, 1))


def skip(session: Session) -> Submission:
    return Submission(session, SkipMessage(uuid4(), 1, "unsure"))


def undo(session: Session) -> Submission:
    return Submission(session, UndoMessage(uuid4(), uuid4()))


def rounds(messages: list[Submission]) -> list[list[Submission]]:
    """What each transaction takes until nothing waits."""
    pending = deque(messages)
    taken = []
    while pending:
        taken.append(take(pending))
        assert taken[-1], "every transaction takes something"
    return taken


def test_what_everybody_said_goes_together() -> None:
    ann, ben = person(1), person(2)
    messages = [label(ann), undo(ben), skip(ann), label(person(3))]
    assert rounds(messages) == [messages]


def test_labels_skips_and_undos_in_this_order_are_one_transaction() -> None:
    ann = person(1)
    messages = [label(ann), label(ann), skip(ann), undo(ann), undo(ann)]
    assert rounds(messages) == [messages]


@pytest.mark.parametrize(("first", "then"), [(undo, label), (undo, skip), (skip, label)])
def test_what_a_transaction_would_do_before_it_waits_for_the_next(first: Any, then: Any) -> None:
    ann = person(1)
    messages = [first(ann), then(ann), undo(ann)]
    assert rounds(messages) == [messages[:1], messages[1:]]


def test_nobody_waits_for_somebody_elses_order() -> None:
    ann, ben = person(1), person(2)
    held_up = [undo(ann), label(ann), skip(ann)]
    others = [undo(ben), undo(ben)]
    mixed = [held_up[0], held_up[1], others[0], held_up[2], others[1]]
    assert rounds(mixed) == [[held_up[0], *others], held_up[1:]]


def test_the_same_message_waits_for_the_next_transaction_and_all_after_it() -> None:
    ann, id_ = person(1), uuid4()
    first, again, after = label(ann, id_), label(ann, id_), skip(ann)
    assert rounds([first, again, after]) == [[first], [again, after]]


def test_the_same_message_over_two_connections_of_one_person_is_the_same() -> None:
    id_ = uuid4()
    first, again = label(person(1), id_), label(person(1), id_)
    assert rounds([first, again]) == [[first], [again]]


def test_the_same_id_of_two_people_is_two_messages() -> None:
    id_ = uuid4()
    messages = [label(person(1), id_), label(person(2), id_)]
    assert rounds(messages) == [messages]


def test_a_transaction_is_not_too_large() -> None:
    messages = [label(person(number)) for number in range(batch.MAX_MESSAGES + 5)]
    assert [len(each) for each in rounds(messages)] == [batch.MAX_MESSAGES, 5]


def test_where_nothing_waits_nothing_is_taken() -> None:
    assert take(deque()) == []


_ids = st.sampled_from([UUID(int=number) for number in range(4)])
_acts = st.one_of(
    st.builds(LabelMessage, _ids, st.just(1), st.just(1), st.just(1)),
    st.builds(SkipMessage, _ids, st.just(1), st.just("unsure")),
    st.builds(UndoMessage, _ids, st.just(UUID(int=9))),
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), _acts), max_size=25))
def test_every_message_is_taken_once_and_everybody_keeps_their_order(
    said: list[tuple[int, Act]],
) -> None:
    people = {number: person(number) for number in (1, 2, 3)}
    messages = [Submission(people[number], act) for number, act in said]
    done = rounds(messages)
    for number, session in people.items():
        theirs = [each for each in messages if each.session is session]
        # A transaction does labels, then skips, then undos; each kind as it came.
        in_effect = [
            each
            for transaction in done
            for each in sorted(transaction, key=lambda each: ORDER[type(each.message)])
            if each.session is session
        ]
        assert [id(each) for each in in_effect] == [id(each) for each in theirs], number
    for transaction in done:
        identities = [(each.session.annotator_id, each.message.id) for each in transaction]
        assert len(set(identities)) == len(identities)
