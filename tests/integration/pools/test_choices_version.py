"""The number of a campaign's list of classes: another one after each change, by whatever hand."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from al_engine.pools.models import Campaign, Choice

from .conftest import MakePools, Pools


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def save(pools: Pools, **fields: Any) -> None:
    row = Choice.objects.get(pk=pools.choices[0])
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()


def version_of(pools: Pools) -> int:
    return Campaign.objects.get(pk=pools.id).choices_version


def bulk_create(pools: Pools) -> None:
    Choice.objects.bulk_create(
        Choice(campaign=pools.campaign, name=name, position=7 + place)
        for place, name in enumerate(("fox", "owl"))
    )


CHANGES: dict[str, Callable[[Pools], Any]] = {
    "a name": lambda pools: save(pools, name="lynx"),
    "a key": lambda pools: save(pools, hotkey="ü"),
    "a color": lambda pools: save(pools, color="#010203"),
    "a place": lambda pools: save(pools, position=9),
    "a class more": lambda pools: Choice.objects.create(
        campaign=pools.campaign, name="fox", position=7
    ),
    "two classes more": bulk_create,
    "a class less": lambda pools: Choice.objects.filter(pk=pools.choices[1]).delete(),
    "all of them, by update()": lambda pools: Choice.objects.update(hotkey=""),
    "by SQL": lambda pools: sql("UPDATE pools_choice SET name = 'fox' WHERE name = 'cat'"),
    "a class given away": lambda pools: sql(
        "UPDATE pools_choice SET campaign_id = %s, position = 50, name = 'x', hotkey = '' "
        "WHERE id = %s", make_other().pk, pools.choices[0],
    ),
}  # fmt: skip


def make_other() -> Campaign:
    return Campaign.objects.create(slug="other", title="Other")


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_the_classes_has_a_number_of_its_own(
    make_pools: MakePools, change: str
) -> None:
    pools, beside = make_pools(0), make_pools(0)
    former, others = version_of(pools), version_of(beside)
    CHANGES[change](pools)
    assert version_of(pools) > former
    if change not in ("all of them, by update()", "by SQL"):
        assert version_of(beside) == others


def test_what_is_written_as_it_was_is_no_change(make_pools: MakePools) -> None:
    pools = make_pools(2)
    former = version_of(pools)
    save(pools)
    Choice.objects.update(name=F("name"))
    Choice.objects.filter(name="nobody").delete()
    Campaign.objects.update(title="Other words")
    assert version_of(pools) == former


def test_whoever_saves_a_campaign_read_long_ago_takes_no_number_back(
    make_pools: MakePools,
) -> None:
    pools = make_pools(0)
    read_long_ago = Campaign.objects.get(pk=pools.id)
    save(pools, name="lynx")
    newest = version_of(pools)
    assert newest > read_long_ago.choices_version
    read_long_ago.title = "Other words"
    read_long_ago.save()
    assert version_of(pools) == newest
    assert Campaign.objects.get(pk=pools.id).title == "Other words"


def test_a_campaign_goes_with_its_classes(make_pools: MakePools) -> None:
    make_other().delete()
    pools = make_pools(0, people=0)
    pools.campaign.delete()
    assert not Choice.objects.filter(campaign_id=pools.id).exists()
