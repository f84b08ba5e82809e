"""Rights on one campaign open nothing of another."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoDbBlocker
from stock import committing, make_annotator, make_campaign, make_user, stock
from websockets.sync.client import connect

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Assignment, Campaign, Image
from annotator_site.accounts.models import Token, User
from annotator_site.accounts.power import people_within
from annotator_site.accounts.tokens import create_token

MIGRATION = import_module("al_engine.pools.migrations.0008_owners")
IN_ALL = "pools.all_campaigns"


def staff(*codenames: str, own: Campaign | None = None) -> User:
    """Staff with these permissions; all of the pools and of people but `all_campaigns` if none."""
    user = make_user(is_staff=True)
    chosen = Q(codename__in=codenames) if codenames else ~Q(codename="all_campaigns")
    user.user_permissions.set(Permission.objects.filter(chosen))
    if own:
        campaigns.add_owners(campaign_id=own.pk, user_ids=[user.pk])
    return user


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


def membership(campaign: Campaign, user: User) -> dict[str, Any]:
    """The form of a user with a campaign more."""
    return {
        "username": user.username, "first_name": "", "last_name": "", "email": "",
        "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00:00",
        "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0,
        "memberships-0-campaign": campaign.pk, "memberships-0-active": "on",
        "memberships-0-user": user.pk,
    }  # fmt: skip


def settings_of(campaign: Campaign, **fields: Any) -> dict[str, Any]:
    """The form of a campaign as it is, with these fields."""
    values = {
        "title": campaign.title, "instructions": "", "answers_per_image": 1, "max_answers": "",
        "confidence": 0.5, "lease_seconds": 120, "resume_seconds": 30, "messages_per_second": 20,
        "strategies": "entropy", "architecture": "small_cnn", "image_size": 32, "servers": 1,
        "workers": 2, "batch_size": 0, "refresh": "on", "model_choice": "latest",
        "warm_start": "scratch", "min_new_labels": 1, "partition": "random", "audit_rate": 0.05,
        "budget": 0, "examples_per_class": 4, "practice_images": 0,
        "owners": list(campaign.owners.values_list("pk", flat=True)), **fields,
        "choices-TOTAL_FORMS": 2, "choices-INITIAL_FORMS": 2,
    }  # fmt: skip
    for place, choice in enumerate(campaign.choices.all()):
        for name in ("id", "name", "hotkey", "color", "campaign_id"):
            values[f"choices-{place}-{name.removesuffix('_id')}"] = getattr(choice, name)
    return values


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
    "a token of its owner": lambda b: b.post("accounts_token_add", {"user": b.owner.pk}),
    "its owner deleted": lambda b: b.post("accounts_user_delete", {"post": "yes"}, b.owner.pk),
    "the password of somebody who labels in it": lambda b: b.post(
        "auth_user_password_change",
        {"password1": "another long one", "password2": "another long one",
         "usable_password": "true"},
        b.annotator.user_id,
    ),
    "a token of somebody who labels in it": lambda b: b.post(
        "accounts_token_add", {"user": b.annotator.user_id}
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


@pytest.mark.django_db
def test_whoever_makes_a_campaign_is_its_owner_and_cannot_shut_themselves_out(
    client: Client,
) -> None:
    maker, colleague = staff(), staff()
    client.force_login(maker)
    draft = settings_of(make_campaign(), slug="cats", owners=[])
    draft.update({name: "" for name in draft if name.endswith(("-id", "-campaign"))})
    draft["choices-INITIAL_FORMS"] = 0
    assert client.post(reverse("admin:pools_campaign_add"), draft).status_code == 302
    campaign = Campaign.objects.get(slug="cats")
    assert list(campaign.owners.all()) == [maker]
    page = reverse("admin:pools_campaign_change", args=[campaign.pk])
    values = settings_of(campaign, owners=[colleague.pk])
    assert client.post(page, values).status_code == 302
    assert set(campaign.owners.all()) == {maker, colleague}
    client.force_login(colleague)
    assert client.post(page, values).status_code == 302
    assert list(campaign.owners.all()) == [colleague], "another owner can"


@pytest.mark.django_db
def test_nobody_but_staff_can_be_named_and_by_those_alone_who_may_see_people(
    client: Client,
) -> None:
    campaign, annotator = make_campaign(), make_user()
    blind = staff("change_campaign", own=campaign)
    page = reverse("admin:pools_campaign_change", args=[campaign.pk])
    colleague = make_user(is_staff=True)
    for user, named, status in ((blind, colleague, 302), (staff(own=campaign), annotator, 200)):
        client.force_login(user)
        values = settings_of(campaign, owners=[user.pk, named.pk])
        assert client.post(page, values).status_code == status
        assert named not in campaign.owners.all()
        assert blind in campaign.owners.all()


@pytest.mark.django_db
def test_the_shell_names_owners() -> None:
    ann = make_user(is_staff=True)
    shell = ["create_campaign", "pets", "--classes", "cat,dog", "--owner"]
    call_command(*shell, ann.username)
    assert list(Campaign.objects.get(slug="pets").owners.all()) == [ann]
    with pytest.raises(CommandError, match="nobody of that name is staff"):
        call_command("create_campaign", "more", *shell[2:], make_user().username)
    assert not Campaign.objects.filter(slug="more").exists()


@pytest.mark.django_db
def test_who_looks_after_people_does_not_look_after_those_of_other_campaigns() -> None:
    mine, other = make_campaign(), make_campaign()
    officer, helper, peer = staff(own=mine), staff("view_image"), staff("view_image", own=mine)
    strangers = {staff("view_image", own=other), make_annotator(other).user}
    campaigns.join(campaign_id=other.pk, user_id=officer.pk)
    near = {officer, helper, peer, make_annotator(mine).user}
    assert set(people_within(officer)) == near
    officer.user_permissions.add(Permission.objects.get(codename="all_campaigns"))
    assert set(people_within(User.objects.get(pk=officer.pk))) == near | strangers


HELD_BEFORE = {
    "campaigns": ("view_campaign", True),
    "changing campaigns": ("change_campaign", True),
    "images alone": ("view_image", True),
    "a model of the engine": ("view_modelversion", True),
    "people": ("change_user", True),
    "tokens": ("add_token", True),
    "groups": ("view_group", True),
    "sessions": ("view_session", False),
}


@pytest.mark.django_db
@pytest.mark.parametrize("by_group", [False, True])
@pytest.mark.parametrize("what", HELD_BEFORE)
def test_staff_of_an_earlier_version_keep_what_they_had(what: str, by_group: bool) -> None:
    codename, kept = HELD_BEFORE[what]
    user, group = make_user(is_staff=True), Group.objects.create(name=uuid4().hex)
    permission = Permission.objects.get(codename=codename)
    if by_group:
        group.permissions.add(permission)
        user.groups.add(group)
    else:
        user.user_permissions.add(permission)
    other = make_user(is_staff=True)
    # As Django has it while migrations run.
    Permission.objects.filter(codename="all_campaigns").delete()
    MIGRATION.keep_all_campaigns(apps, connection.schema_editor())
    assert User.objects.get(pk=user.pk).has_perm(IN_ALL) is kept
    assert not User.objects.get(pk=other.pk).has_perm(IN_ALL)


# The live page.


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once for all tests of this module."""
    with committing(django_db_blocker):
        yield


PICTURES = {
    "may view images": (("view_campaign", "view_image"), True),
    "may change images": (("view_campaign", "change_image"), True),
    "may view the campaign alone": (("view_campaign",), False),
    "may change the campaign alone": (("change_campaign", "view_label"), False),
}


def test_pictures_are_sent_to_those_alone_who_may_view_images(
    live_site: str, transactional_db: None
) -> None:
    campaign = make_campaign()
    stock(campaign, 2)
    person = make_annotator(campaign)
    Assignment.objects.filter(campaign=campaign).update(
        state="leased", annotator=person.annotator_id, session=uuid4(),
        lease_expires=Now() + timedelta(hours=1),
    )  # fmt: skip
    sent = {}
    with ExitStack() as stack:
        for what, (codenames, _) in PICTURES.items():
            token = create_token(user=staff(*codenames, own=campaign))
            socket = stack.enter_context(
                connect(
                    f"{live_site.replace('http', 'ws', 1)}/ws/campaigns/{campaign.slug}/monitor/",
                    additional_headers={"Authorization": f"Token {token}"},
                    compression=None,
                    proxy=None,
                )
            )
            frames = [str(socket.recv(timeout=15)), str(socket.recv(timeout=15))]
            sent[what] = frames
    for what, (_, expected) in PICTURES.items():
        asking = orjson.loads(sent[what][1])["state"]["asking"]
        assert len(asking) == 2
        assert all((row["url"] is not None) is expected for row in asking), what
        assert all(bool(row["name"]) is expected for row in asking), what
        assert any("/i/" in frame for frame in sent[what]) is expected, what
