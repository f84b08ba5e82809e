"""The trigger that watches this folder's tests, and what the database refuses by itself."""

from itertools import permutations
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models.functions import Now

from al_engine.pools.models import Image, Label, Turn

from .arrows import WATCHED
from .conftest import MakePools, OpenDesk, Run

PAIRS = [
    pytest.param(table, start, end, id=f"{table}: {start} to {end}")
    for table, arrows in WATCHED.items()
    for start, end in permutations(sorted({state for arrow in arrows for state in arrow}), 2)
]


@pytest.mark.parametrize(("table", "start", "end"), PAIRS)
def test_a_state_changes_along_an_arrow_or_not_at_all(table: str, start: str, end: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # A table of states alone, with the same trigger.
        cursor.execute(
            f"""CREATE TEMPORARY TABLE one (state text) ON COMMIT DROP;
                CREATE TRIGGER one BEFORE UPDATE ON one FOR EACH ROW
                WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION {table}_arrow();
                INSERT INTO one VALUES ('{start}')"""
        )
        cursor.execute("UPDATE one SET state = state")
        if (start, end) in WATCHED[table]:
            cursor.execute("UPDATE one SET state = %s", [end])
        else:
            words = f"no arrow of {table} leads from {start} to {end}"
            with pytest.raises(DatabaseError, match=words), transaction.atomic():
                cursor.execute("UPDATE one SET state = %s", [end])


def test_the_tables_themselves_are_watched(make_pools: MakePools) -> None:
    make_pools(1)
    with pytest.raises(DatabaseError, match="no arrow of pools_image"):
        Image.objects.update(state="reserved")


# What the database refuses, whoever writes.


def test_an_open_turn_is_nobodys_and_a_leased_one_is_somebodys_until_a_time(
    make_pools: MakePools,
) -> None:
    pools = make_pools(1)
    ann = pools.people[0]
    leased = {"state": "leased", "annotator_id": ann, "lease_expires": Now()}
    for wrong in (
        {"annotator_id": ann},
        {"lease_expires": Now()},
        leased | {"annotator_id": None},
        leased | {"lease_expires": None},
    ):
        with pytest.raises(IntegrityError, match="turn_lease"):
            Turn.objects.update(**wrong)
    assert Turn.objects.update(**leased) == 1


def test_one_person_has_one_turn_an_image(make_pools: MakePools) -> None:
    pools = make_pools(1, answers_per_image=2)
    with pytest.raises(IntegrityError, match="turn_once"):
        Turn.objects.update(state="leased", annotator_id=pools.people[0], lease_expires=Now())


def test_one_person_counts_once_on_an_image_and_a_message_once_at_all(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    run(desk.answer(ann, run(desk.claim_one(ann)).turn_id, pools.choices[0]))
    again = Label.objects.get()
    again.pk = None
    with pytest.raises(IntegrityError, match="label_message_once"):
        again.save()
    again.client_id = uuid4()
    with pytest.raises(IntegrityError, match="label_person_once"):
        again.save()
    again.retracted_at = again.answered_at
    again.save()


def test_an_image_outside_the_pool_never_enters_it(make_pools: MakePools) -> None:
    make_pools(1, asked=0)
    with pytest.raises(IntegrityError, match="image_split_state"):
        Image.objects.update(split="holdout")
