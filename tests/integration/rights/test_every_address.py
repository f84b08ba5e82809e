"""Every address of the site × every kind of person: what they get, and what they learn."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.template.response import TemplateResponse
from django.test import Client

from .addresses import Address, every_address
from .people import NAMES, SECRET, World, make_world
from .table import AUTOCOMPLETES, OUTCOMES, OUTSIDERS, PEOPLE, POSTED, ROWS, letter

BACKEND = "django.contrib.auth.backends.ModelBackend"


def outcome(answer: Any) -> str:
    """The letter of an answer; its status where it has none."""
    match answer.status_code:
        # Refused for its form, and so by no right.
        case 200 | 204 | 400 | 415:
            return "."
        case 302 if "next=" in answer["Location"] and "/login/" in answer["Location"]:
            return "l"
        case 302 if answer["Location"] == "/admin/":
            return "a"
        case 301 | 302:
            return "."
    letters = {401: "u", 403: "f", 404: "n", 405: "m", 409: "c"}
    return letters.get(answer.status_code, str(answer.status_code))


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    names = {address.name for address in every_address()}
    assert sorted(names - set(ROWS)) == [], "say in table.py who may open these"
    assert sorted(set(ROWS) - names) == [], "these addresses are gone"
    offered = {
        f"{model._meta.app_label}_{model._meta.model_name} {field}"
        for model, site in admin.site._registry.items()
        for field in site.autocomplete_fields
    }
    assert offered == set(AUTOCOMPLETES)


class Visit:
    """One person's way through the whole site."""

    def __init__(self, world: World, person: str) -> None:
        self.world = world
        self.person = person
        self.client = Client(raise_request_exception=False)
        self.wrong: list[str] = []
        self._log_in()

    def ask(self, what: str, method: str, path: str, row: str, data: Mapping[str, Any]) -> None:
        """Ask for an address and note where the answer is another than the row says."""
        send = self.client.get if method == "GET" else self.client.post
        answer = send(path, data)
        self._compare(f"{method} {what}", row, outcome(answer))
        self._look_for_secrets(f"{method} {what}", answer)

    def log_in_again(self) -> None:
        """After a log-out."""
        self.client.logout()
        self._log_in()

    def _log_in(self) -> None:
        user = self.world.users[self.person]
        if user is not None:
            self.client.force_login(user, BACKEND)

    def _compare(self, what: str, row: str, came: str) -> None:
        expected = letter(row, self.person)
        if came != expected:
            words = OUTCOMES.get(came, came)
            self.wrong.append(f"{what}: {words}, not {OUTCOMES[expected]}")

    def _look_for_secrets(self, what: str, answer: Any) -> None:
        if self.person not in OUTSIDERS:
            return
        body = answer.content.decode()
        if SECRET in body:
            self.wrong.append(f"{what} tells of another campaign")
        if self.person != "officer" and NAMES in body:
            self.wrong.append(f"{what} names people of another campaign")


def posts(address: Address, world: World) -> Iterator[dict[str, Any]]:
    """What is posted to an address: what the table says, or each action upon a row of A."""
    if not address.name.endswith("_changelist"):
        yield POSTED.get(address.name, {})
        return
    model = next(
        each
        for each in admin.site._registry
        if f"{each._meta.app_label}_{each._meta.model_name}" == address.model
    )
    row = world.rows[str(address.model)]
    for action in admin.site._registry[model].actions or ["delete_selected"]:
        yield {"action": action, "_selected_action": row}


def queries(address: Address, world: World, person: str) -> Iterator[dict[str, Any]]:
    """What is asked of an address: nothing, and by outsiders of lists what belongs to A."""
    yield {}
    if person not in OUTSIDERS:
        return
    if (address.model or "").startswith("pools_") and address.name.endswith("_changelist"):
        row = world.rows[str(address.model)]
        if address.model != "pools_campaign":
            yield {"campaign": world.campaign.pk}
        yield {"q": SECRET[:4]}
        yield {"q": f"#{row}"}
        yield {"q": f"image:{world.rows['pools_image']}"}


@pytest.fixture
def unlogged() -> Iterator[None]:
    """Django logs each refusal with its traceback, which takes longer than the refusal."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.django_db
@pytest.mark.usefixtures("unlogged")
@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_gets_what_the_table_says_and_learns_nothing_more(
    person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if person not in OUTSIDERS:
        # Most of the time goes into pages that nobody reads here.
        monkeypatch.setattr(TemplateResponse, "rendered_content", "")
    world = make_world()
    visit, before = Visit(world, person), world.state()
    for address in every_address():
        get, post = ROWS[address.name]
        path = address.path(world.values(address.model))
        for query in queries(address, world, person):
            visit.ask(f"{address.name} {query or ''}", "GET", path, get, query)
        for data in posts(address, world):
            visit.ask(f"{address.name} {data or ''}", "POST", path, post, data)
        if "logout" in address.name:
            visit.log_in_again()
    for offered, row in AUTOCOMPLETES.items():
        model, field = offered.split()
        app, name = model.split("_")
        query = {"app_label": app, "model_name": name, "field_name": field, "term": ""}
        path = f"/admin/autocomplete/?{urlencode(query)}"
        visit.ask(f"the choices of {offered}", "GET", path, row, {})
    assert not visit.wrong, "\n".join(visit.wrong)
    if person in OUTSIDERS:
        assert world.state() == before
