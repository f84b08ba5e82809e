"""The owner changes classes and words while a page is open: it shows them, and misreads nothing."""

from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import expect

from al_engine.pools.models import Campaign, Choice, Label
from annotator_site.campaigns.admin.campaign import save_choices

from .conftest import Start
from .labeler import Labeler
from .test_connection import HeldLink


def classes(campaign: Campaign) -> list[Choice]:
    """The classes as they are now."""
    return list(Choice.objects.filter(campaign=campaign))


def swap(field: str) -> Callable[[Campaign], None]:
    """Gives the second and the third class each other's, as the administration does."""

    def act(campaign: Campaign) -> None:
        changed = classes(campaign)
        one, two = (getattr(each, field) for each in changed[1:3])
        setattr(changed[1], field, two)
        setattr(changed[2], field, one)
        save_choices(campaign=campaign, choices=changed)

    return act


CHANGES: Final[dict[str, Callable[[Campaign], Any]]] = {
    "names swapped": swap("name"),
    "keys swapped": swap("hotkey"),
    "added": lambda campaign: Choice.objects.create(
        campaign=campaign, name="blank", position=20, hotkey="b"
    ),
    "renamed": lambda campaign: Choice.objects.filter(campaign=campaign, name="blank").update(
        name="nothing", position=30
    ),
    "removed": lambda campaign: Choice.objects.filter(campaign=campaign, name="nothing").delete(),
    "reordered": lambda campaign: Choice.objects.filter(campaign=campaign, name="0").update(
        position=40
    ),
    "colors": swap("color"),
}


def names(ann: Labeler) -> list[str]:
    """The names on the buttons of the classes."""
    return ann.at("#choices .choice-name").all_inner_texts()


def keys(ann: Labeler) -> list[str]:
    """The keys on the buttons of the classes."""
    return [text.lower() for text in ann.at("#choices .choice kbd").all_inner_texts()]


def test_whatever_changes_is_shown_and_what_was_said_before_is_asked_again(start: Start) -> None:
    ann = start(images=24)
    link = HeldLink(ann)
    ann.open()
    for name, change in CHANGES.items():
        link.holds = True
        query = ann.press("1")
        ann.await_pending(1)
        change(ann.campaign)
        if name == "colors":
            expect(ann.at("#toasts")).to_contain_text("The classes have other colors now.")
        else:
            ann.await_state("changed", "changed")
            expect(ann.at("#frame .now")).to_have_count(0)
        there = classes(ann.campaign)
        assert names(ann) == [each.name for each in there], name
        assert keys(ann) == [each.hotkey for each in there], name
        colors = ann.at("#choices .choice").evaluate_all(
            "all => all.map((one) => one.style.getPropertyValue('--choice'))"
        )
        assert colors == [each.color for each in there], name
        link.let_through()
        ann.await_pending(0)
        expect(ann.at("#toasts")).to_contain_text("The classes changed before an answer of yours")
        if name == "colors":
            ann.press("1")  # the image that was in view stays there
        else:
            ann.page.keyboard.press("2")  # which only says that it was looked at
        ann.await_query(query)
        ann.await_pending(0)
        assert not Label.objects.filter(turn_id=query).exists(), name
        ann.page.keyboard.press("1")
        ann.await_pending(0)
        label = Label.objects.get(turn_id=query)
        assert label.choice.hotkey == "1", name
        strip = ann.at("#strip .past-name").first
        expect(strip).to_have_text(label.choice.name, use_inner_text=True)


def test_the_way_to_a_former_answer_never_leads_to_another_class(start: Start) -> None:
    ann = start()
    query = ann.press("1")
    ann.await_pending(0)
    ann.undo()
    CHANGES["names swapped"](ann.campaign)
    ann.await_state("changed", "changed")
    ann.page.keyboard.press("Enter")
    ann.await_query(query)
    ann.page.keyboard.press("ArrowRight")  # its former answer has another name now
    ann.press("3")
    ann.await_pending(0)
    assert ann.stored() == [(query, "3")]


def test_sheets_that_are_open_and_keys_of_ones_own_follow(start: Start) -> None:
    ann = start()
    ann.page.keyboard.press("?")
    ann.at("#own-keys-open").click()
    sheet = ann.at("#own-keys-list .choice")
    sheet.nth(1).click()
    ann.page.keyboard.press("j")
    expect(ann.at("#own-keys-words")).to_have_text("1 has the key J.")
    CHANGES["names swapped"](ann.campaign)
    expect(sheet.nth(1).locator(".choice-name")).to_have_text("2")
    expect(sheet.nth(1).locator("kbd")).to_have_text("J")  # it is that class's, whatever its name
    expect(ann.at("#help-choices .choice-name").nth(1)).to_have_text("2")
    for _ in range(2):
        ann.page.keyboard.press("Escape")
    ann.page.keyboard.press("Enter")
    query = ann.press("j")
    ann.await_pending(0)
    assert Label.objects.get(turn_id=query).choice.name == "2"


def test_a_class_is_found_by_its_new_name(start: Start) -> None:
    ann = start(classes=[f"species {number}" for number in range(40)])
    assert ann.at("#search").is_hidden()
    query = ann.shown()
    Choice.objects.create(campaign=ann.campaign, name="owl", position=50)
    ann.await_state("changed", "changed")
    ann.page.keyboard.press("Enter")
    ann.await_query(query)
    ann.page.keyboard.press("/")
    ann.page.keyboard.type("ow")
    expect(ann.at("#choices .choice[data-marked] .choice-name")).to_have_text("owl")
    Choice.objects.filter(campaign=ann.campaign, name="owl").update(name="eagle owl")
    ann.await_state("changed", "changed")
    expect(ann.at("#choices .choice[data-marked] .choice-name")).to_have_text("eagle owl")
    ann.at("#panel-button").click()
    ann.await_query(query)
    ann.at("#search").press("Enter")
    ann.await_pending(0)
    assert Label.objects.get(turn_id=query).choice.name == "eagle owl"


def test_new_words_are_shown_and_the_help_says_so(start: Start) -> None:
    ann = start(instructions="Look *once*.")
    query = ann.shown()
    Campaign.objects.filter(pk=ann.campaign.pk).update(instructions="Look **twice**.")
    expect(ann.at("#toasts")).to_contain_text("The instructions have changed")
    help_button = ann.at("#help-open")
    expect(help_button).to_have_attribute("data-news", "true")
    assert ann.shown() == query
    help_button.click()
    expect(ann.at("#help .help-text strong")).to_have_text("twice")
    expect(help_button).not_to_have_attribute("data-news", "true")
    Campaign.objects.filter(pk=ann.campaign.pk).update(title="Digits & more", instructions="")
    expect(ann.at("#title")).to_have_text("Digits & more")
    expect(ann.page).to_have_title("Digits & more · Nowait")
    expect(ann.at("#help .help-text")).to_contain_text("Choose the class that fits")
    ann.page.keyboard.press("Escape")
    ann.open()  # what came with the page is no news
    expect(help_button).not_to_have_attribute("data-news", "true")
