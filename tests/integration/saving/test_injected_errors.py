"""Whatever PostgreSQL raises, at whatever step: every answer is kept, stored once, and nobody is
told otherwise.

CLASSES has members of every class of PostgreSQL's errors. Each class is raised at each step of the
path, other members at other steps; then the database works again, as it does in life.
"""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Final
from uuid import uuid4

import pytest
from stock import make_annotator, stock

from al_engine.pools.models import Turn

from .conftest import Sit, Table
from .injector import Injector

CLASSES: Final = {
    "02 no data": ["02000"],
    "03 statement not complete": ["03000"],
    "08 connection": ["08000", "08003", "08006", "08001", "08P01"],
    "09 triggered action": ["09000"],
    "0A not supported": ["0A000"],
    "0B transaction initiation": ["0B000"],
    "0L grantor": ["0L000"],
    "20 case": ["20000"],
    "21 cardinality": ["21000"],
    "22 data": ["22001", "22003", "22012", "22021", "2200H", "22P02", "22P04", "22008", "22004"],
    "23 integrity": ["23502", "23503", "23505", "23514", "23P01", "23001", "23000"],
    "24 cursor": ["24000"],
    "25 transaction state": ["25006", "25P02", "25P03", "25001", "25P01"],
    "26 statement name": ["26000"],
    "27 trigger": ["27000"],
    "28 authorization": ["28000", "28P01"],
    "2B dependent objects": ["2B000", "2BP01"],
    "2D termination": ["2D000"],
    "2F routine": ["2F002", "2F005"],
    "34 cursor name": ["34000"],
    "38 external routine": ["38000"],
    "39 external invocation": ["39000", "39P01"],
    "3B savepoint": ["3B001"],
    "3D catalog": ["3D000"],
    "3F schema": ["3F000"],
    "40 rollback": ["40001", "40P01", "40002", "40003"],
    "42 access rule": ["42501", "42P01", "42703", "42883", "42P18", "42601", "42804"],
    "44 check option": ["44000"],
    "53 resources": ["53000", "53100", "53200", "53300", "53400"],
    "54 program limit": ["54000", "54001"],
    "55 prerequisite state": ["55000", "55006", "55P03", "55P04"],
    "57 intervention": ["57000", "57014", "57P01", "57P02", "57P03", "57P04"],
    "58 system": ["58000", "58030", "58P01"],
    "72 snapshot": ["72000"],
    "F0 configuration": ["F0000", "F0001"],
    "HV foreign data": ["HV000", "HV00R"],
    "P0 procedure": ["P0000", "P0001", "P0004"],
    "XX internal": ["XX000", "XX001", "XX002"],
    "of the connection itself": ["crash"],
}
# Steps by the names of their statements, but for the call of the usual transaction's function, the
# commit, and the flush that acknowledgements wait for.
USUAL: Final = ["call", "lock", "answer", "settle", "claim", "progress", "commit", "flush"]
EVERYTHING: Final = [
    *("lock_labels", "answer", "settle", "skip", "skip_receipts", "known_labels", "retract"),
    *("unsettle", "renew", "resume", "claim", "progress", "answer_receipts", "mine", "commit"),
    "flush",
]
ROUNDS: Final = 3
_NTH = count()
Act = Callable[[Table], None]


def members(every: int = 1) -> list[list[str]]:
    """One of each class (of every third one), the next one at the next step, in so many parts."""
    nth = next(_NTH)
    codes = [codes[nth % len(codes)] for codes in CLASSES.values()][nth % every :: every]
    return [codes[part::ROUNDS] for part in range(ROUNDS)]


def labels(table: Table) -> None:
    """The usual transaction: answers in, queries out."""
    for person in table.people:
        person.label()
        person.label(choice=1)


def everything(table: Table) -> None:
    """All that people can do in a moment, in an order that matters: what was said is taken back."""
    ann, ben, cem = table.people
    taken_back = ann.label()
    ann.say("undo", label=taken_back)
    ann.label(choice=1)
    ben.skip()
    ben.label()
    cem.label()
    cem.reconnect(5)


def fail_through(
    table: Table, injector: Injector, step: str, codes: Sequence[str], act: Act
) -> None:
    """People act while a step fails with one error after the other; then all works again."""
    with injector.failing(step, codes[0]):
        table.act(lambda: act(table))
        for code in codes:
            injector.change(code)
            # Together, the half of it, alone: what is kept is tried in several ways.
            injector.await_failures(2)
    table.settle(held=3)


@pytest.mark.parametrize("step", USUAL)
def test_at_a_step_of_the_usual_transaction(sit: Sit, injector: Injector, step: str) -> None:
    table = sit(6 * ROUNDS + 20)
    for codes in members():
        fail_through(table, injector, step, codes, labels)
    table.check()
    assert not any(person.idle for person in table.people), "there is something for everybody"


@pytest.mark.parametrize("step", EVERYTHING)
def test_at_a_step_of_a_transaction_with_everything(
    sit: Sit, injector: Injector, step: str
) -> None:
    table = sit(5 * ROUNDS + 20)
    # Each class was raised at the steps of the usual transaction already.
    for codes in members(every=3 if step in USUAL else 1):
        fail_through(table, injector, step, codes, everything)
    table.check()


@pytest.mark.parametrize("step", ["vouch", "answer_receipts"])
def test_at_a_step_of_what_a_crash_took(sit: Sit, injector: Injector, step: str) -> None:
    table = sit(6 * ROUNDS + 20)
    somebody = make_annotator(table.campaign).annotator_id
    for codes in members():
        # The claims are lost, and somebody at another process has the turns by now.
        lost = [next(iter(person.held)) for person in table.people]
        Turn.objects.filter(pk__in=lost).update(annotator_id=somebody, session=uuid4())
        fail_through(table, injector, step, codes, labels)
    table.check()


@pytest.mark.parametrize("step", ["claim_for", "shortage"])
def test_at_a_step_of_a_claim_from_an_empty_pool(sit: Sit, injector: Injector, step: str) -> None:
    table = sit(15)  # which is what three people hold
    ann, *_ = table.people
    for codes in members():
        told = [list(person.idle) for person in table.people]
        with injector.failing(step, codes[0]):
            table.act(lambda: ann.label())
            for code in codes:
                injector.change(code)
                injector.await_failures(2)
            table.until(lambda: not ann.open)
            assert [person.idle for person in table.people] == told, "nobody knows whether it is so"
        stock(table.campaign, 1)
        table.settle(held=5)
    stock(table.campaign, 1)
    for _ in range(6):
        table.act(lambda: [person.label() for person in table.people if person.held])
        table.until(lambda: not any(person.open for person in table.people))
    table.until(lambda: all(person.idle[-1:] == ["finished"] for person in table.people))
    table.check()
