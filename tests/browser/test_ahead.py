"""The labeling page holds as many queries ahead as its person's pace and network ask for."""

import json
import random

from playwright.sync_api import Page, WebSocketRoute
from stock import make_annotator

from annotator_site.simulation.ahead import ahead

from .conftest import MakeDigits, OpenPage
from .labeler import Labeler


def test_the_page_and_the_simulated_annotators_keep_one_rule(page: Page) -> None:
    dice = random.Random(11)
    cases = [
        (
            dice.randint(2, 20),
            [dice.lognormvariate(-1.5, 1.2) for _ in range(dice.randint(0, 20))],
            [dice.choice((0.0, dice.lognormvariate(-1, 1))) for _ in range(dice.randint(0, 20))],
        )
        for _ in range(2_000)
    ]
    page.goto("/accounts/login/")
    sizes = page.evaluate(
        """async (cases) => {
          const { ahead } = await import("/static/labeling/ahead.js");
          return cases.map(([current, delays, gaps]) => ahead(current, delays, gaps));
        }""",
        cases,
    )
    expected = [ahead(current, delays, gaps) for current, delays, gaps in cases]
    assert sizes == expected
    assert len(set(expected)) == 19  # from 2 to 20


def test_who_is_slow_at_a_near_server_holds_less_and_it_is_said_once(
    make_digits: MakeDigits, open_page: OpenPage
) -> None:
    campaign = make_digits(images=40)
    person = make_annotator(campaign)
    page = open_page(person)
    sizes: list[int] = []

    def connect(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def hear(text: str | bytes) -> None:
            message = json.loads(text)
            if message["type"] == "ready":
                sizes.append(message["buffer"])
                assert message["resume"] is None
            server.send(text)

        route.on_message(hear)

    page.route_web_socket("**/label/", connect)
    page.clock.install()
    ann = Labeler(page, campaign, person.annotator_id).open()
    for number in range(16):
        ann.shown()
        page.clock.run_for(2_000)
        ann.press(str(number % 10))
        ann.await_pending(0)
    assert sizes == [5, 3]
    assert ann.stored() == ann.pressed
