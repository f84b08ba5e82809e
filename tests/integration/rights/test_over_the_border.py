"""Whoever has every right on one campaign changes nothing of another, by no form and no list."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db.models import Q
from django.test import Client
from django.urls import reverse
from stock import make_annotator, make_campaign, make_user, stock

from al_engine.pools.models import Annotator, Campaign, Image
from annotator_site.accounts.models import Token, User
from annotator_site.accounts.tokens import create_token

from .staff import membership, settings_of, staff, token_of

IN_ALL = "pools.all_campaigns"


@dataclass(frozen=True, slots=True)
class Border:
    """Somebody with every right in their campaign, and the campaign of somebody else."""

    browser: Client
    actor: User
    mine: Campaign
    other: Campaign
    owner: User
    """The owner of the other one, with the same permissions."""
    person: User

    def post(self, page: str, values: dict[str, Any], *args: Any) -> Any:
        return self.browser.post(reverse(f"admin:{page}", args=args), values)

    def act(self, model: str, action: str, row: int) -> None:
        self.post(f"pools_{model}_changelist", {"action": action, "_selected_action": row})

    @property
    def image(self) -> Image:
        return self.other.images.order_by("pk")[0]

    @property
    def annotator(self) -> Annotator:
        return self.other.annotators.get()


@pytest.fixture
def border(client: Client, db: None) -> Border:
    mine, other = make_campaign(), make_campaign()
    for campaign in (mine, other):
        stock(campaign, 2)
        make_annotator(campaign)
    Image.objects.filter(campaign=other).update(state="excluded", excluded_for="verdict")
    actor, owner = staff(own=mine), staff(own=other)
    create_token(user=owner)
    client.force_login(actor)
    return Border(client, actor, mine, other, owner, make_user())


ATTEMPTS: dict[str, Callable[[Border], object]] = {
    "its settings": lambda b: b.post(
        "pools_campaign_change", settings_of(b.other, title="Mine now"), b.other.pk
    ),
    "its ownership": lambda b: b.post(
        "pools_campaign_change", settings_of(b.other, owners=[b.actor.pk]), b.other.pk
    ),
    "its state by the button": lambda b: b.post(
        "pools_campaign_state", {"state": "paused"}, b.other.pk
    ),
    "its state by the list": lambda b: b.act("campaign", "pause", b.other.pk),
    "its end by the list": lambda b: b.act("campaign", "finish", b.other.pk),
    "its images put back": lambda b: b.act("image", "put_back", b.image.pk),
    "its people switched off": lambda b: b.act("annotator", "switch_off", b.annotator.pk),
    "its people one by one": lambda b: b.post(
        "pools_annotator_change", {"active": ""}, b.annotator.pk
    ),
    "a part in it": lambda b: b.post(
        "pools_annotator_add", {"campaign": b.other.pk, "user": b.actor.pk, "active": "on"}
    ),
    "a part in it for another": lambda b: b.post(
        "accounts_user_change", membership(b.other, b.person), b.person.pk
    ),
    "a part moved into it": lambda b: b.post(
        "pools_annotator_change",
        {"campaign": b.other.pk, "active": "on"},
        b.mine.annotators.get().pk,
    ),
    "its owner's password": lambda b: b.post(
        "auth_user_password_change",
        {"password1": "another long one", "password2": "another long one",
         "usable_password": "true"},
        b.owner.pk,
    ),
    "a token of its owner": lambda b: b.post("accounts_token_add", token_of(b.owner.pk)),
    "its owner deleted": lambda b: b.post("accounts_user_delete", {"post": "yes"}, b.owner.pk),
    "the password of somebody who labels in it": lambda b: b.post(
        "auth_user_password_change",
        {"password1": "another long one", "password2": "another long one",
         "usable_password": "true"},
        b.annotator.user_id,
    ),
    "a token of somebody who labels in it": lambda b: b.post(
        "accounts_token_add", token_of(b.annotator.user_id)
    ),
    "another name for somebody who labels in it": lambda b: b.post(
        "accounts_user_change",
        {**membership(b.mine, b.person), "username": "mine"},
        b.annotator.user_id,
    ),
    "somebody who labels in it deleted": lambda b: b.post(
        "accounts_user_delete", {"post": "yes"}, b.annotator.user_id
    ),
    "all campaigns for oneself": lambda b: b.post(
        "accounts_user_change",
        {**membership(b.mine, b.actor), "is_staff": "on",
         "user_permissions": [Permission.objects.get(codename="all_campaigns").pk]},
        b.actor.pk,
    ),
}  # fmt: skip


def of_others(border: Border) -> dict[str, Any]:
    """All of the other campaign that an attempt could change, and what its owner logs in by."""
    mine = {"campaign": border.other}
    theirs = Q(pk=border.owner.pk) | Q(memberships__campaign=border.other)
    return {
        "campaign": Campaign.objects.filter(pk=border.other.pk).values().get(),
        "owners": list(border.other.owners.values_list("pk", flat=True)),
        "choices": list(border.other.choices.values()),
        "people": list(Annotator.objects.filter(**mine).order_by("pk").values()),
        "images": list(Image.objects.filter(**mine).order_by("pk").values()),
        "users": list(User.objects.filter(theirs).order_by("pk").values()),
        "tokens": Token.objects.filter(user__in=User.objects.filter(theirs)).count(),
        "everywhere": User.objects.get(pk=border.actor.pk).has_perm(IN_ALL),
    }


@pytest.mark.parametrize("what", ATTEMPTS)
def test_nobody_reaches_over_the_border(border: Border, what: str) -> None:
    before = of_others(border)
    ATTEMPTS[what](border)
    assert of_others(border) == before


def test_an_owner_does_all_of_it_at_home(border: Border) -> None:
    """The same attempts, so that none is refused for another reason."""
    home = Border(
        border.browser, border.actor, border.mine, border.mine, border.actor, border.person
    )
    Image.objects.filter(campaign=border.mine).update(state="excluded", excluded_for="verdict")
    colleague = make_user(is_staff=True)
    owners = [border.actor.pk, colleague.pk]
    home.post(
        "pools_campaign_change",
        settings_of(home.mine, title="Mine now", owners=owners),
        home.mine.pk,
    )
    home.act("campaign", "pause", home.mine.pk)
    home.act("image", "put_back", home.image.pk)
    home.act("annotator", "switch_off", home.annotator.pk)
    home.post("pools_annotator_add", {"campaign": home.mine.pk, "user": home.actor.pk})
    home.post("accounts_user_change", membership(home.mine, home.person), home.person.pk)
    home.mine.refresh_from_db()
    assert (home.mine.title, home.mine.state) == ("Mine now", "paused")
    assert set(home.mine.owners.all()) == {border.actor, colleague}
    assert home.mine.images.filter(put_back_at=None).count() == 1
    users = set(home.mine.annotators.values_list("user", flat=True))
    assert {home.actor.pk, home.person.pk} < users
    assert home.mine.annotators.filter(active=False).count() == 2
