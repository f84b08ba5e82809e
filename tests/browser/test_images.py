"""Images that cannot be shown are passed over, and only those that are bad are called so."""

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from playwright.sync_api import Route, expect
from stock import make_annotator

from al_engine.pools.models import Assignment, Campaign, Image

from .conftest import Console, MakeDigits, OpenPage
from .labeler import Labeler


def skipped(campaign: Campaign) -> dict[int, str]:
    """Reason by image of what was skipped."""
    turns = Assignment.objects.filter(campaign=campaign, state="skipped")
    return dict(turns.values_list("image_id", "skip_reason"))


def test_a_broken_and_a_missing_image_are_reported_and_passed_over(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow("404 (Not Found)")
    campaign = make_digits(images=4)
    broken, missing = Image.objects.filter(campaign=campaign)[:2]
    for image in (broken, missing):
        default_storage.delete(image.key)
    default_storage.save(broken.key, ContentFile(b"\x89PNG\r\n\x1a\n and then nothing"))
    person = make_annotator(campaign)
    ann = Labeler(open_page(person), campaign, person.annotator_id).open()
    shown = ann.at("#frame .now")
    expect(shown).to_have_css("image-rendering", "pixelated")
    expect(shown).to_have_attribute("alt", "The image to label")
    for key in "12":
        ann.press(key)
    ann.await_state("idle", "pool_empty")  # the other two are for somebody else's eyes
    ann.await_pending(0)
    expect(ann.at("#toasts .toast")).to_have_text(
        "An image could not be opened. It was reported and passed over."
    )
    assert ann.stored() == ann.pressed
    assert skipped(campaign) == {broken.pk: "bad_image", missing.pk: "bad_image"}


def test_an_image_that_the_network_lost_is_fetched_again(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow("net::ERR_CONNECTION_RESET")
    campaign = make_digits(images=3)
    person = make_annotator(campaign)
    page = open_page(person)
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if lost.count(route.request.url) < 2:
            lost.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/i/**", lose_first)
    ann = Labeler(page, campaign, person.annotator_id).open()
    for key in "123":
        ann.press(key)
    ann.await_state("idle", "finished")
    assert len(lost) == 6
    assert ann.stored() == ann.pressed
    assert skipped(campaign) == {}


def test_a_network_that_is_away_for_long_costs_no_image(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow_lost_links()
    console.allow("net::ERR_CONNECTION_RESET")
    campaign = make_digits(images=3)
    person = make_annotator(campaign)
    page = open_page(person)
    page.clock.install()
    page.route("**/i/**", lambda route: route.abort("connectionreset"))
    ann = Labeler(page, campaign, person.annotator_id)
    ann.go()
    ann.await_state("connecting", "waiting")
    page.context.set_offline(True)
    ann.await_link("reconnecting")
    # Longer than it takes to give an image up while there is a connection.
    for _ in range(10):
        with page.expect_event("requestfailed", lambda request: "/i/" in request.url):
            page.clock.fast_forward(6_000)
    ann.await_pending(0)
    page.unroute("**/i/**")
    page.context.set_offline(False)
    for key in "123":
        ann.press(key)
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert skipped(campaign) == {}
