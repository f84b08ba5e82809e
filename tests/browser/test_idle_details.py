"""Why there is nothing to label is said as plainly as the server knows it."""

import json

import pytest
from playwright.sync_api import WebSocketRoute, expect
from stock import make_annotator

from .conftest import MakeDigits, OpenPage
from .labeler import Labeler


@pytest.mark.parametrize(
    ("detail", "title"),
    [
        (None, "The next images are being chosen"),
        ("choosing", "The next images are being chosen"),
        ("no_workers", "Nobody is choosing images at the moment"),
        ("nothing_left_for_you", "Nothing is left for you at the moment"),
        ("no_images", "This campaign has no images yet"),
        ("storage_away", "Images cannot be loaded now"),
        ("of a later version", "The next images are being chosen"),
        ("constructor", "The next images are being chosen"),
    ],
)
def test_the_page_says_what_the_server_knows(
    make_digits: MakeDigits, open_page: OpenPage, detail: str | None, title: str
) -> None:
    campaign = make_digits(images=2, asked=0)
    person = make_annotator(campaign)
    page = open_page(person)

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def told(frame: str | bytes) -> None:
            message = json.loads(frame)
            if message["type"] == "idle":
                message = {"type": "idle", "reason": message["reason"]}
                message |= {} if detail is None else {"detail": detail}
            socket.send(json.dumps(message))

        server.on_message(told)

    page.route_web_socket("**/label/", between)
    ann = Labeler(page, campaign, person.annotator_id)
    ann.go()
    expect(ann.at("#panel-title")).to_have_text(title)
    expect(ann.at("body")).to_have_attribute("data-state", "idle")
