"""What tests of pictures that do not show have in common."""

import json

from playwright.sync_api import Page, WebSocketRoute
from stock import Person, make_annotator

from al_engine.pools.models import Campaign, Turn

from .conftest import OpenPage
from .labeler import Labeler

AWAY = "Images cannot be loaded now"


def skipped(campaign: Campaign) -> dict[int, tuple[str, str]]:
    """Reason and sender by image of what was not answered."""
    turns = Turn.objects.filter(campaign=campaign, state="skipped")
    return {
        image_id: (reason, sender)
        for image_id, reason, sender in turns.values_list("image_id", "skip_reason", "skip_sender")
    }


def sent_by(page: Page) -> list[str]:
    """The types of what the page sends, from now on."""
    types: list[str] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def said(frame: str | bytes) -> None:
            types.append(json.loads(frame)["type"])
            server.send(frame)

        socket.on_message(said)

    page.route_web_socket("**/label/", between)
    return types


def labeler(open_page: OpenPage, campaign: Campaign, person: Person | None = None) -> Labeler:
    person = person or make_annotator(campaign)
    return Labeler(open_page(person), campaign, person.annotator_id)
