"""The classes of a campaign: changes of the list, and the default hotkeys and colors."""

from collections.abc import Collection, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Cast, Concat

from al_engine.pools.models import Campaign, Choice

# Okabe and Ito's palette, safe for color blindness, without black and with a darker yellow.
PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F6000")

AUTOMATIC_KEYS: Final = "1234567890abcdefghijklmnopqrstuvwxyz"
"""Default hotkeys, in the order in which they are given: keys that every keyboard can type."""

_UNIQUE_PLACEHOLDER: Final = "\x7f"
"""Prefix of the temporary names of changed classes, which may swap names. No valid name has it."""


@transaction.atomic
def save_choices(
    *, campaign: Campaign, choices: Sequence[Choice], removed: Collection[Choice] = ()
) -> None:
    """Make `choices` the classes of a campaign: new ones at the end, `removed` ones deleted.

    Classes without a hotkey or color get one. Raises ValidationError for an invalid class.
    """
    for choice in removed:
        choice.delete()
    place = max((choice.position for choice in choices if not choice._state.adding), default=-1)
    for choice in choices:
        if choice._state.adding:
            place += 1
            choice.campaign, choice.position = campaign, place
    fill_in_choices(choices)
    known = {choice.pk: choice for choice in campaign.choices.all()}
    changed = [choice for choice in choices if _differs(choice, known.get(choice.pk))]
    # Two classes may swap names or hotkeys, and the constraints are checked row by row.
    stored = Choice.objects.filter(
        pk__in=[choice.pk for choice in changed if not choice._state.adding]
    )
    placeholder = Concat(Value(_UNIQUE_PLACEHOLDER), Cast("pk", Choice._meta.get_field("name")))
    stored.update(hotkey="", name=placeholder)
    for choice in changed:
        choice.full_clean()
        choice.save()


def fill_in_choices(rows: Sequence[Choice]) -> None:
    """Give classes without a hotkey or color one; a class named “7” gets the key 7."""
    taken = {row.hotkey.lower() for row in rows if row.hotkey}
    for row in rows:
        own = row.name.lower()
        # Only these: other characters may have a lower case of more than one character.
        if not row.hotkey and len(own) == 1 and own in AUTOMATIC_KEYS and own not in taken:
            row.hotkey = own
            taken.add(own)
    keys = [key for key in AUTOMATIC_KEYS if key not in taken]
    for row in rows:
        if not row.hotkey and keys:
            row.hotkey = keys.pop(0)
        if not row.color:
            row.color = PALETTE[row.position % len(PALETTE)]


def _differs(choice: Choice, known: Choice | None) -> bool:
    """Whether a class must be saved: an unchanged list must not start a new version of the list."""
    fields = ("name", "hotkey", "color", "position")
    return known is None or any(getattr(choice, each) != getattr(known, each) for each in fields)
