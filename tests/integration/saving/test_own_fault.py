"""Only what proves a message wrong refuses it; whatever else keeps one message keeps no other."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import psycopg
import pytest
from django.db import connection

from al_engine.pools import signals
from al_engine.pools.models import Choice
from annotator_site.labeling import caretaker

from .conftest import Sit, Table
from .test_injected_errors import CLASSES

POISON: Final = 666
_OF_VALUES: Final = [*CLASSES["22 data"], *CLASSES["23 integrity"]]
OWN: Final = sorted(set(_OF_VALUES) - {"23505"})
"""What a label's values can be: two of the same are none of it."""
OTHERS: Final = [
    *("08006", "0A000", "25006", "42P01", "53100", "55P03", "57014", "58030", "P0001", "XX001"),
    *("23505", "40P01"),
]
Failing = Callable[[str, str], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def told_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """People are told of delays sooner than in life."""
    monkeypatch.setattr(caretaker, "DELAYED_SECONDS", 0.5)


@pytest.fixture
def failing(transactional_db: None) -> Failing:
    """Lets PostgreSQL refuse rows of labels for which a condition holds, with a SQLSTATE."""

    @contextmanager
    def fail(condition: str, code: str) -> Iterator[None]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""CREATE OR REPLACE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END $$;
                    CREATE TRIGGER refused BEFORE INSERT ON pools_label FOR EACH ROW
                    WHEN ({condition}) EXECUTE FUNCTION refused()"""
            )
            try:
                yield
            finally:
                cursor.execute("DROP TRIGGER refused ON pools_label; DROP FUNCTION refused()")

    return fail


def say_with_poison(table: Table) -> str:
    """Everybody answers, one of them with what may not be stored, in the midst; its message."""
    ann, ben, cem = table.people
    poison = ""

    def say() -> None:
        nonlocal poison
        ben.label()
        ann.label()
        poison = ann.label(shown_ms=POISON)
        ann.label(choice=1)
        cem.label()

    table.act(say)
    return poison


def test_what_a_message_itself_is_at_fault_for_refuses_that_message_alone(
    sit: Sit, failing: Failing
) -> None:
    table = sit(6 * len(OWN) + 20)
    for code in OWN:
        with failing(f"new.shown_ms = {POISON}", code):
            poison = say_with_poison(table)
            table.settle()
        ((message, nack),) = table.people[0].nacked
        assert (message["id"], nack) == (
            poison,
            "unknown_choice" if code == "23503" else "bad_message",
        )
        table.people[0].nacked.clear()
    table.check()


@pytest.mark.parametrize(
    ("condition", "codes"),
    [
        (f"new.shown_ms = {POISON}", OTHERS),
        # Whose rows are all refused has said nothing wrong, whatever the error is.
        ("new.annotator_id = {}", OWN),
    ],
)
def test_what_keeps_one_persons_answers_keeps_nobody_elses(
    sit: Sit, failing: Failing, condition: str, codes: list[str]
) -> None:
    table = sit(8 * len(codes) + 20)
    ann, *others = table.people
    condition = condition.format(ann.annotator_id)
    for nth, code in enumerate(codes):
        with failing(condition, code):
            said = say_with_poison(table)
            table.until(lambda: not any(person.open for person in others))
            assert said in ann.open
            if nth == 0:
                table.until(lambda: ann.notices == ["saving_delayed"])
            # Nor does it keep the others from going on.
            table.act(lambda: [other.label() for other in others])
            table.until(lambda: not any(person.open for person in others))
            assert said in ann.open
        table.settle()
    table.check()
    assert ann.notices[:2] == ["saving_delayed", "saving_again"]
    assert ann.sent == ann.order, "what was said later waited for what was said before"


def test_a_class_that_is_gone_refuses_the_answers_that_name_it(sit: Sit) -> None:
    table = sit(20)
    # The desk does not know of it yet.
    gone = Choice.objects.create(campaign=table.campaign, name="fox", position=9)
    table.web.run(table.web.desks._reload(table.desk))
    ann, *_ = table.people
    ann.choices.append(gone.pk)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pools_choice WHERE id = %s", [gone.pk])
    table.act(lambda: [person.label() for person in table.people] + [ann.label(choice=2)])
    table.settle()
    ((message, code),) = ann.nacked
    assert (message["choice"], code) == (gone.pk, "unknown_choice")
    ann.nacked.clear()
    table.check()


def test_an_image_that_somebody_locks_for_long_keeps_its_answer_alone(sit: Sit) -> None:
    table = sit(30)
    ann, *others = table.people
    (query, *_) = ann.held
    with psycopg.connect(**signals.connection_info()) as admin:
        admin.execute(
            "SELECT FROM pools_image WHERE id = (SELECT image_id FROM pools_turn"
            " WHERE id = %s) FOR UPDATE",
            [query],
        )
        table.act(lambda: [person.label() for person in table.people])
        for _ in range(3):
            table.until(lambda: not any(person.open for person in others))
            table.act(lambda: [other.label() for other in others])
        table.until(lambda: not any(person.open for person in others))
        assert len(ann.open) == 1
    table.settle()
    table.check()
