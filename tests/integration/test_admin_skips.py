"""The admin shows what was not answered, with who and when, and puts it back for everybody."""

from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from stock import make_annotator, make_campaign, make_user, shut_out, stock

from al_engine.pools.excluded import UNUSABLE
from al_engine.pools.models import Annotator, Campaign, Image, Query, Turn

pytestmark = pytest.mark.django_db
IMAGES = "/admin/pools/image/"


@pytest.fixture
def owner(client: Client) -> Client:
    """A browser in which an owner of the installation is logged in."""
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def skip(
    image: Image, *people: int, reason: str = "unsure", sender: str = "person", detail: str = ""
) -> None:
    """As people do, one after another."""
    for person in people:
        turn = Turn.objects.filter(image=image).first()
        assert turn is not None
        Turn.objects.create(
            campaign_id=image.campaign_id, query_id=turn.query_id, image=image, state="skipped",
            annotator_id=person, skip_reason=reason, skip_sender=sender, skip_detail=detail,
            skipped_at=timezone.now(),
        )  # fmt: skip


def exclude(image: Image, kind: str = "verdict", problem: str = UNUSABLE) -> None:
    rows = Image.objects.filter(pk=image.pk)
    rows.update(state="excluded", excluded_for=kind, problem=problem)


def listed(client: Client, campaign: Campaign, said: str) -> set[int]:
    """The images that the list shows under a filter."""
    answer = client.get(f"{IMAGES}?campaign={campaign.pk}&said={said}")
    assert answer.status_code == 200
    return {image.pk for image in answer.context["cl"].result_list}


def test_images_are_found_by_how_many_people_skipped_them(owner: Client) -> None:
    campaign = make_campaign()
    stock(campaign, 4)
    people = [make_annotator(campaign).annotator_id for _ in range(3)]
    none, one, two, everybody = Image.objects.filter(campaign=campaign).order_by("pk")
    skip(one, *people[:1])
    skip(two, *people[:2])
    skip(everybody, *people)
    assert listed(owner, campaign, "1") == {one.pk, two.pk, everybody.pk}
    assert listed(owner, campaign, "2") == {two.pk, everybody.pk}
    assert listed(owner, campaign, "5") == set()
    assert listed(owner, campaign, "everybody") == {everybody.pk}
    assert none.pk in listed(owner, campaign, "nonsense")
    make_annotator(campaign)
    assert listed(owner, campaign, "everybody") == set(), "somebody new may be asked"


@pytest.mark.parametrize("campaign", ["", "-1", "1.5", "٣", "9" * 19, "9" * 5_000, "x"])
@pytest.mark.parametrize("said", ["everybody", "1", "unshown", "aside", "unusable"])
def test_an_address_that_somebody_changed_is_no_error(
    owner: Client, campaign: str, said: str
) -> None:
    answer = owner.get(IMAGES, {"campaign": campaign, "said": said}, follow=True)
    assert answer.status_code == 200


def test_who_left_and_who_holds_an_image_are_told_from_who_skipped_it(owner: Client) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    ann, ben = make_annotator(campaign), make_annotator(campaign)
    image = Image.objects.get(campaign=campaign)
    skip(image, ann.annotator_id)
    assert listed(owner, campaign, "everybody") == set(), "Ben may be asked"
    held = Turn.objects.filter(image=image, state="open")
    assert held.update(
        state="leased", annotator_id=ben.annotator_id, session=uuid4(), lease_expires=timezone.now()
    )
    assert listed(owner, campaign, "everybody") == set(), "Ben looks at it now"
    shut_out(ben)
    assert listed(owner, campaign, "everybody") == {image.pk}, "Ben is not asked any more"
    shut_out(ann)
    assert listed(owner, campaign, "everybody") == set(), "there is nobody at all"


def test_the_list_and_the_page_say_who_called_it_unusable_and_when(owner: Client) -> None:
    campaign = make_campaign()
    stock(campaign, 2)
    people = [make_annotator(campaign).annotator_id for _ in range(2)]
    image, other = Image.objects.filter(campaign=campaign)
    skip(image, *people, reason="bad_image")
    exclude(image)
    exclude(other, "gone", "The storage has no such file.")
    assert listed(owner, campaign, "unusable") == {image.pk}
    assert listed(owner, campaign, "aside") == {other.pk}
    html = owner.get(f"{IMAGES}?campaign={campaign.pk}&said=aside").content.decode()
    assert "The storage has no such file." in html
    at = Turn.objects.filter(image=image, state="skipped").latest("pk").skipped_at
    for page in (
        f"{IMAGES}?said=unusable", reverse("admin:pools_image_change", args=[image.pk]),
    ):  # fmt: skip
        html = owner.get(page).content.decode()
        for person in Annotator.objects.filter(pk__in=people):
            assert f"{person.pseudonym}: bad image, {at:%Y-%m-%d %H:%M}" in html


def test_the_campaign_says_what_there_is_to_look_at(owner: Client) -> None:
    campaign = make_campaign()
    stock(campaign, 3)
    ann = make_annotator(campaign).annotator_id
    first, second, third = Image.objects.filter(campaign=campaign)
    for image in (first, second):
        exclude(image)
    skip(third, ann)
    html = owner.get(reverse("admin:pools_campaign_change", args=[campaign.pk])).content.decode()
    assert f"?campaign={campaign.pk}&amp;said=unusable" in html
    assert "2 images called unusable by two people" in html
    assert "1 images skipped by everybody" in html
    assert "0 images that did not show in a browser" in html
    assert "0 images whose files are missing or damaged" in html
    assert owner.get(reverse("admin:pools_campaign_add")).status_code == 200


def put_back(client: Client, *images: Image) -> None:
    answer = client.post(
        IMAGES, {"action": "put_back", "_selected_action": [image.pk for image in images]}
    )
    assert answer.status_code in (200, 302)


def test_pictures_that_did_not_show_are_a_list_of_their_own(owner: Client) -> None:
    campaign = make_campaign()
    stock(campaign, 3)
    ann, ben = (make_annotator(campaign).annotator_id for _ in range(2))
    unseen, unsure, _ = Image.objects.filter(campaign=campaign).order_by("pk")
    skip(unseen, ann, reason="not_decodable", sender="machine", detail="HTTP 200, Firefox 130")
    skip(unsure, ann, ben)
    assert listed(owner, campaign, "unshown") == {unseen.pk}
    assert listed(owner, campaign, "1") == {unsure.pk}, "a machine is nobody"
    html = owner.get(f"{IMAGES}?campaign={campaign.pk}&said=unshown").content.decode()
    name = Annotator.objects.get(pk=ann).pseudonym
    words = "picture not decodable (said by a machine: HTTP 200, Firefox 130)"
    assert f"{name}: {words}" in html
    put_back(owner, unseen)
    assert listed(owner, campaign, "unshown") == set()
    page = owner.get(reverse("admin:pools_image_change", args=[unseen.pk])).content.decode()
    assert f"{name}: {words}" in page
    assert "before it was put back" in page


@pytest.mark.parametrize("kind", ["verdict", "gone", "damaged", "undecodable"])
def test_the_owner_puts_an_image_back_and_it_is_written_down(owner: Client, kind: str) -> None:
    campaign = make_campaign()
    stock(campaign, 2)
    image, other = Image.objects.filter(campaign=campaign).order_by("pk")
    exclude(image, kind)
    Query.objects.filter(image=image).update(state="closed")
    put_back(owner, image, other)
    image.refresh_from_db()
    other.refresh_from_db()
    assert (image.state, image.problem, image.excluded_for) == ("unlabeled", "", "")
    assert (other.state, other.put_back_at) == ("queried", None)
    assert image.put_back_at is not None
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(image.pk), "Put back, for everybody.")


def test_who_may_only_look_puts_nothing_back(client: Client) -> None:
    viewer = make_user(is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_image"]))
    client.force_login(viewer)
    campaign = make_campaign()
    stock(campaign, 1)
    image = Image.objects.get(campaign=campaign)
    exclude(image)
    put_back(client, image)
    image.refresh_from_db()
    assert image.state == "excluded"
