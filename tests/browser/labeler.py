"""A person at the labeling page, who remembers what they pressed."""

from typing import Final

from playwright.sync_api import Locator, Page, expect
from stock import choices_of

from al_engine.pools.models import Campaign, Label
from annotator_site.images.addresses import PREFIX

PATIENCE_MS: Final = 15_000


class Labeler:
    """The labeling page of a campaign in one tab."""

    def __init__(self, page: Page, campaign: Campaign, annotator_id: int) -> None:
        self.page = page
        self.campaign = campaign
        self.annotator_id = annotator_id
        # The digit of each class, by its id.
        self.digits = {choice: str(place) for place, choice in enumerate(choices_of(campaign))}
        # (query, digit) in the order in which they were pressed; undone ones are taken out.
        self.pressed: list[tuple[int, str]] = []

    def open(self) -> "Labeler":
        """Open the page, or load it again, and wait for the first image."""
        self.go()
        self.shown()
        return self

    def go(self) -> None:
        """Open the page, or load it again, whatever it will show."""
        self.page.goto(f"/c/{self.campaign.slug}/", wait_until="commit")

    def beside(self) -> "Labeler":
        """The same campaign in another tab of the same browser."""
        return Labeler(self.page.context.new_page(), self.campaign, self.annotator_id)

    # What is there.

    def at(self, selector: str) -> Locator:
        """An element of the page."""
        return self.page.locator(selector)

    def shown(self) -> int:
        """The query on the stage, once it may be answered."""
        self.page.wait_for_selector("#stage[data-armed]", timeout=PATIENCE_MS)
        return int(self.at("#stage").get_attribute("data-query") or 0)

    def await_query(self, query: int) -> None:
        """Wait until this query is on the stage and may be answered."""
        self.page.wait_for_selector(f'#stage[data-query="{query}"][data-armed]')

    def await_state(self, state: str, scene: str) -> None:
        """Wait until the page is in this state and its panel says this."""
        self.page.wait_for_selector(
            f'body[data-state="{state}"]:has(#panel[data-scene="{scene}"])', timeout=PATIENCE_MS
        )

    def await_link(self, link: str) -> None:
        """Wait until the dot of the connection says this."""
        self.page.wait_for_selector(f'#link[data-link="{link}"]', timeout=PATIENCE_MS)

    def await_pending(self, count: int) -> None:
        """Wait until so many messages are unconfirmed."""
        expect(self.at("body")).to_have_attribute("data-pending", str(count), timeout=PATIENCE_MS)

    def await_images(self, count: int) -> None:
        """Wait until the page has fetched so many images since it was opened."""
        self.page.wait_for_function(
            """([prefix, count]) => performance.getEntriesByType("resource")
              .filter(({ name }) => name.includes(prefix)).length >= count""",
            arg=[PREFIX, count],
            timeout=PATIENCE_MS,
        )

    # What is done.

    def press(self, key: str) -> int:
        """Press a key on the image that is shown; returns its query."""
        query = self.shown()
        self.page.keyboard.press(key)
        if key.isdigit():
            self.pressed.append((query, key))
        return query

    def undo(self) -> int:
        """Take the newest answer back, and wait until its image is there again."""
        query, _ = self.pressed.pop()
        self.page.keyboard.press("Backspace")
        self.await_query(query)
        return query

    # What came of it.

    def stored(self) -> list[tuple[int, str]]:
        """(query, digit) of this person's standing answers in the database, oldest first."""
        labels = Label.objects.filter(annotator_id=self.annotator_id, retracted_at=None)
        return [(label.turn_id, self.digits[label.choice_id]) for label in labels.order_by("id")]

    def stored_ever(self) -> int:
        """How many answers of this person were ever stored, undone ones included."""
        return Label.objects.filter(annotator_id=self.annotator_id).count()
