"""Every state of the labeling page says what is and what comes next, and ends by itself."""

from django.contrib.sessions.models import Session
from playwright.sync_api import expect
from stock import ask, make_annotator

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Campaign, Label

from .conftest import Console, MakeDigits, OpenPage, Start
from .labeler import Labeler

KEYS = ["0", "9", "u", "x", "s", "Enter", "Space", "q"]


def press_everything(ann: Labeler) -> None:
    """Press what would answer if there were something to answer."""
    for key in KEYS:
        ann.page.keyboard.press(key)


def test_who_finds_nothing_is_served_as_soon_as_there_is_something(
    make_digits: MakeDigits, open_page: OpenPage
) -> None:
    campaign = make_digits(images=4, asked=0)
    ann = Labeler(open_page(person := make_annotator(campaign)), campaign, person.annotator_id)
    ann.go()
    ann.await_state("idle", "pool_empty")
    expect(ann.at("#panel-title")).to_have_text("The next images are being chosen")
    press_everything(ann)
    ann.await_pending(0)
    ask(campaign, 2)
    for key in "12":
        ann.press(key)
    ann.await_state("idle", "pool_empty")
    ask(campaign, 2)
    for key in "34":
        ann.press(key)
    ann.await_state("idle", "finished")
    expect(ann.at("#panel-title")).to_have_text("This campaign is finished")
    assert ann.stored() == ann.pressed


def test_a_paused_campaign_shows_nothing_and_goes_on_by_itself(start: Start) -> None:
    ann = start()
    ann.press("1")
    ann.await_pending(0)
    campaigns.set_state(campaign_id=ann.campaign.pk, state=Campaign.State.PAUSED)
    ann.await_state("idle", "paused")
    expect(ann.at("#frame .now")).to_have_count(0)
    press_everything(ann)
    ann.await_pending(0)
    campaigns.set_state(campaign_id=ann.campaign.pk, state=Campaign.State.RUNNING)
    ann.press("2")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed


def test_the_last_answer_can_be_undone_on_the_finished_page(start: Start) -> None:
    ann = start(images=2)
    for key in "12":
        ann.press(key)
    ann.await_state("idle", "finished")
    ann.undo()
    ann.press("3")
    ann.await_state("idle", "finished")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed


def test_who_was_away_goes_on_with_any_key_and_that_key_is_no_answer(
    make_digits: MakeDigits, open_page: OpenPage
) -> None:
    campaign = make_digits(images=6)
    # Shorter than the settings allow: the test waits for the end of the leases.
    Campaign.objects.filter(pk=campaign.pk).update(lease_seconds=1)
    ann = Labeler(open_page(person := make_annotator(campaign)), campaign, person.annotator_id)
    ann.go()
    ann.await_state("away", "away")
    expect(ann.at("#panel-button")).to_have_text("Go on")
    ann.page.keyboard.press("5")
    ann.await_state("labeling", "labeling")
    ann.await_pending(0)
    assert ann.stored() == []


def test_who_is_shut_out_is_told_so(start: Start, console: Console) -> None:
    console.allow_refusals()
    ann = start()
    Annotator.objects.filter(pk=ann.annotator_id).update(active=False)
    ann.await_state("closed", "4403")
    expect(ann.at("#panel-title")).to_have_text("You are not in this campaign")
    expect(ann.at("#frame .now")).to_have_count(0)
    expect(ann.at("#undo")).to_be_disabled()
    press_everything(ann)
    ann.await_pending(0)
    assert not Label.objects.filter(annotator_id=ann.annotator_id).exists()


def test_who_logged_out_elsewhere_is_led_back_to_this_page(start: Start, console: Console) -> None:
    console.allow_lost_links()
    console.allow_refusals()
    ann = start()
    # It is told so by itself, and keeps what was said while there was no network.
    ann.page.context.set_offline(True)
    ann.await_link("reconnecting")
    ann.press("1")
    (key,) = [each["value"] for each in ann.page.context.cookies() if each["name"] == "sessionid"]
    Session.objects.get(pk=key).delete()
    ann.page.context.set_offline(False)
    ann.await_state("closed", "4401")
    link = ann.at("#panel-link")
    expect(link).to_have_text("Log in")
    expect(link).to_have_attribute("href", f"/accounts/login/?next=%2Fc%2F{ann.campaign.slug}%2F")
    expect(ann.at("body")).to_have_attribute("data-pending", "1")


def test_a_sixth_tab_is_one_too_many_until_another_is_closed(start: Start) -> None:
    ann = start(images=40)
    tabs = [ann.beside().open() for _ in range(4)]
    last = ann.beside()
    last.go()
    last.await_state("closed", "4409")
    tabs[0].press("1")
    tabs[0].await_pending(0)
    tabs[0].page.close()
    # The server hears of that in its own time, so a first try may still be one too many.
    while not last.at("#stage[data-armed]").count():
        last.at("#panel-button").click()
        last.page.wait_for_selector('#stage[data-armed], #panel[data-scene="4409"]')
    last.press("2")
    last.await_pending(0)
    assert sorted(ann.stored()) == sorted(tabs[0].pressed + last.pressed)
