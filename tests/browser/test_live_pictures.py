"""The live page shows pictures to those alone who may view images, and for as long as they may."""

from datetime import timedelta
from uuid import uuid4

from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from playwright.sync_api import expect
from stock import Person, make_annotator, make_user

from al_engine.pools import campaigns
from al_engine.pools.models import Turn

from .conftest import MakeDigits, OpenPage


def test_pictures_go_with_the_right_to_view_images(
    make_digits: MakeDigits, open_page: OpenPage
) -> None:
    campaign = make_digits(images=4)
    Turn.objects.filter(campaign=campaign).update(
        state="leased", annotator=make_annotator(campaign).annotator_id, session=uuid4(),
        lease_expires=Now() + timedelta(hours=1),
    )  # fmt: skip
    owner = make_user(is_staff=True)
    owner.user_permissions.set(
        Permission.objects.filter(codename__in=["view_campaign", "view_image"])
    )
    campaigns.add_owners(campaign_id=campaign.pk, user_ids=[owner.pk])
    page = open_page(Person(owner, 0, ""))
    page.goto(f"/admin/pools/campaign/{campaign.pk}/live/")
    asking = page.locator("#asking")
    expect(asking.locator("img")).to_have_count(4)

    owner.user_permissions.remove(Permission.objects.get(codename="view_image"))

    expect(asking.get_by_text("not shown")).to_have_count(4)
    expect(asking.locator("img")).to_have_count(0)
    assert "/i/" not in asking.inner_html()
