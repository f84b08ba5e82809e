"""What a log-out leaves in the browser: nothing of the person but answers that wait to be sent."""

import pytest
from playwright.sync_api import expect
from stock import make_annotator

from al_engine.pools.models import Campaign

from .conftest import MakeDigits, OpenPage
from .labeler import Labeler


@pytest.mark.parametrize("leaving", ["the labeling page", "the list of campaigns"])
def test_a_log_out_takes_along_what_the_tab_kept(
    make_digits: MakeDigits, open_page: OpenPage, leaving: str
) -> None:
    campaign: Campaign = make_digits()
    person = make_annotator(campaign)
    page = open_page(person)
    address = f"/c/{campaign.slug}/"
    page.goto(address)
    ann = Labeler(page, campaign, person.annotator_id)
    ann.press("4")
    ann.await_pending(0)
    page.goto("/")
    assert page.evaluate("sessionStorage.length") > 0  # for a way back
    if leaving == "the labeling page":
        page.goto(address)
        expect(page.locator("#strip li")).to_have_count(1)

    page.locator(".menu-open").click()
    page.get_by_role("button", name="Log out").click()

    expect(page).to_have_title("Log in · Nowait")
    assert page.evaluate("sessionStorage.length") == 0
