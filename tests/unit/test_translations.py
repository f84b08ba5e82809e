"""Every language says all that the code says, and what is compiled is what is written."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import translations
from babel.messages import Catalog, Message
from django.utils import translation

from annotator_site.labeling.page.words import words

LANGUAGES = translations.languages()
PLACES = re.compile(r"%\(\w+\)s|\{\w+\}|<[^>]+>")


def texts(message: Message) -> Iterator[tuple[str, str]]:
    """The singular and the plural of a message, each with its translations."""
    if isinstance(message.id, str):
        yield message.id, str(message.string)
        return
    for number, string in enumerate(message.string or ()):
        yield message.id[0 if number == 0 else -1], string


def keys(catalog: Catalog) -> set[tuple[str | None, object]]:
    """What tells messages apart."""
    return {(message.context, message.id) for message in catalog if message.id}


def test_there_is_a_language_beside_that_of_the_code() -> None:
    assert LANGUAGES == ["de"]
    assert len(keys(translations.gathered())) > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalog_has_what_the_code_says_and_nothing_else(language: str) -> None:
    catalog = translations.read(language)
    assert keys(catalog) == keys(translations.gathered()), "run `make words`"
    assert not catalog.obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_with_all_its_places(language: str) -> None:
    for message in translations.read(language):
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        for said, translated in texts(message):
            assert translated.strip(), said
            assert sorted(PLACES.findall(translated)) == sorted(PLACES.findall(said)), said


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    path = translations.path_of(language)
    catalog = translations.read(language)
    assert path.with_suffix(".mo").read_bytes() == translations.compiled(catalog)
    assert path.read_text(encoding="utf-8") == translations.written(catalog)


def test_a_word_depends_on_its_number_as_its_language_has_it() -> None:
    with translation.override("de"):
        saving = words()["saving"]
    assert saving["one"] == "{n} Antwort wird gespeichert"
    assert saving["other"] == saving["few"] == "{n} Antworten werden gespeichert"


def test_the_page_asks_for_the_words_that_there_are() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in sorted((translations.ROOT / "static" / "labeling").glob("*.js"))
    )
    known = set(words()) - {"states", "refusals"}
    calls = re.findall(r"\bword\(([^;]*?)[,)]", re.sub(r'=== "\w+"', "", code))
    asked = {name for call in calls for name in re.findall(r'"(\w+)"', call)}
    assert asked <= known
    said = {name for name in known if re.search(rf'"{name}"', code)}
    assert said == known, "words that nobody says"


PAGES = [path for path in translations.sources() if path.suffix == ".html"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_has_words_that_cannot_be_translated(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    page = re.sub(r"{% blocktranslate.*?endblocktranslate %}", "", page, flags=re.DOTALL)
    page = re.sub(r"{% block body_attributes %}.*?{% endblock %}", "", page)
    page = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}|<title>.*?</title>", "", page)
    spoken = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]+)"', page)
    left = re.sub(r"<[^>]*>|<!doctype html>", " ", page).split()
    assert [word for word in left if re.search(r"[a-z]{2}", word) and word != "Nowait"] == []
    assert [text for text in spoken if re.search(r"[a-z]{2}", text)] == []
