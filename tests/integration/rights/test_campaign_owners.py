"""Who owns a campaign, and what that gives."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from importlib import import_module
from uuid import uuid4

import orjson
import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoDbBlocker
from stock import committing, make_annotator, make_campaign, make_user, stock
from websockets.sync.client import connect

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Turn
from annotator_site.accounts.models import User
from annotator_site.accounts.power import people_within
from annotator_site.accounts.tokens import create_token

from .staff import settings_of, staff

MIGRATION = import_module("al_engine.pools.migrations.0008_owners")
IN_ALL = "pools.all_campaigns"


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
    Turn.objects.filter(campaign=campaign).update(
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
