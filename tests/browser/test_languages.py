"""The labeling page in German from end to end, and the switch between the languages."""

import re

import pytest
import translations
from playwright.sync_api import Page, expect
from stock import make_annotator

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Campaign

from .conftest import Console, MakeDigits, OpenPage, Start
from .labeler import Labeler

GERMAN = {"locale": "de-DE"}
SEEN = """() => {
  const said = [...document.querySelectorAll("[aria-label], [title], [alt], [placeholder]")]
    .flatMap((each) => ["aria-label", "title", "alt", "placeholder"]
      .map((name) => each.getAttribute(name)));
  return [document.body.innerText, document.title, ...said].filter(Boolean).join("\\n");
}"""


def english() -> list[str]:
    """What the site says in English where that is told from German."""
    german = {str(message.string) for message in translations.read("de")}
    ids = [message.id for message in translations.gathered() if message.id]
    plain = [text for text in ids if isinstance(text, str) and " " in text]
    return [text for text in plain if text not in german and not re.search(r"[%{<]", text)]


def assert_german(page: Page) -> None:
    """Nothing that can be read or heard on the page is English."""
    seen = page.evaluate(SEEN)
    assert [text for text in english() if text in seen] == []


def test_the_labeling_page_is_german_in_every_state(start: Start, console: Console) -> None:
    console.allow_refusals()
    ann = start(GERMAN, images=12)
    expect(ann.at("#spoken")).to_have_text("Bild 1. Wählen Sie eine von 10 Klassen.")
    expect(ann.at("#link")).to_have_text("Verbunden")
    assert_german(ann.page)
    ann.press("1")
    expect(ann.at("#strip button")).to_have_attribute("title", "1: dieses Bild neu beantworten")
    expect(ann.at("#session-done")).to_have_text("1 Antwort")
    ann.shown()
    ann.page.keyboard.press("u")
    expect(ann.at("#strip")).to_contain_text("Übersprungen")
    ann.page.keyboard.press("?")
    assert_german(ann.page)
    ann.page.keyboard.press("Escape")
    ann.at("#session-open").click()
    assert_german(ann.page)
    ann.page.keyboard.press("Escape")
    ann.await_pending(0)
    ann.page.keyboard.press("p")
    expect(ann.at("#panel-title")).to_have_text("Sie machen Pause")
    assert_german(ann.page)
    ann.page.keyboard.press("Enter")
    ann.shown()
    campaigns.set_state(campaign_id=ann.campaign.pk, state=Campaign.State.PAUSED)
    expect(ann.at("#panel-title")).to_have_text("Diese Kampagne macht Pause")
    ann.page.keyboard.press("Backspace")  # refused by the server, which speaks English alone
    expect(ann.at("#toasts")).to_contain_text(
        "Die Kampagne läuft nicht: Jetzt lässt sich nichts zurücknehmen."
    )
    assert_german(ann.page)
    Annotator.objects.filter(pk=ann.annotator_id).update(active=False)
    expect(ann.at("#panel-title")).to_have_text("Sie gehören nicht zu dieser Kampagne")
    assert_german(ann.page)


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/nowhere"])
def test_the_other_pages_are_german(
    make_digits: MakeDigits, open_page: OpenPage, console: Console, path: str
) -> None:
    person = None if "login" in path else make_annotator(make_digits())
    console.allow("status of 404")
    page = open_page(person, **GERMAN)
    page.goto(path)
    assert page.locator("html").get_attribute("lang") == "de"
    assert_german(page)


def test_numbers_are_written_as_the_language_has_them(start: Start) -> None:
    ann = start(GERMAN, images=12)
    words = ann.page.evaluate(
        """async () => {
          const { number, word } = await import("/static/labeling/words.js");
          return [number(1234567), word("saving", { n: 1 }), word("saving", { n: 1200 })];
        }"""
    )
    assert words == [
        "1.234.567",
        "1 Antwort wird gespeichert",
        "1.200 Antworten werden gespeichert",
    ]


def test_the_language_is_switched_on_the_labeling_page_and_kept(start: Start) -> None:
    ann = start(images=12)
    expect(ann.at("#help-open")).to_contain_text("Help")
    ann.at(".menu-open").click()
    ann.page.get_by_role("button", name="Deutsch").click()
    expect(ann.at("#help-open")).to_contain_text("Hilfe")
    ann.press("1")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    again = Labeler(ann.page.context.new_page(), ann.campaign, ann.annotator_id).open()
    expect(again.at("#help-open")).to_contain_text("Hilfe")
    again.at(".menu-open").click()
    again.page.get_by_role("button", name="English").click()
    expect(again.at("#help-open")).to_contain_text("Help")
