"""People: they take a query from S, look at it for a while, answer, and take the next one."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from al_lab.config import settings
from al_lab.simulation.tally import Tally
from al_lab.simulation.timeline import Kind, Timeline
from al_lab.simulation.world import Query, World


@dataclass(slots=True)
class Person:
    """`held` are queries in their hands, the first before their eyes.

    `answered_at` is when they answered last, None before: until then nobody counts as waiting.
    """

    number: int
    held: deque[Query] = field(default_factory=deque)
    answered_at: float | None = None


class People:
    """All annotators. `taken` hears of each query that one takes, `answered` of each answer."""

    def __init__(
        self,
        setting: settings.People,
        *,
        world: World,
        timeline: Timeline,
        tally: Tally,
        taken: Callable[[int, Query], None],
        answered: Callable[[int, Query], None],
    ) -> None:
        self._seconds = setting.seconds_per_label
        self._hold = 1 + setting.ahead
        self._world = world
        self._timeline = timeline
        self._tally = tally
        self._on_taken = taken
        self._on_answered = answered
        self.all = [Person(number) for number in range(setting.count)]
        # Who could take one more, who came first before the others.
        self._wanting = list(self.all)

    def take(self) -> bool:
        """Everybody takes what they can have; whether anybody could."""
        took, wanting, self._wanting = False, self._wanting, []
        # All get a first one before anybody gets a second.
        while wanting:
            again: list[Person] = []
            for person in wanting:
                query = self._world.take(person.number)
                if query is None:
                    self._wanting.append(person)
                    continue
                took = True
                self._on_taken(person.number, query)
                person.held.append(query)
                if len(person.held) == 1:
                    self._show(person)
                if len(person.held) < self._hold:
                    again.append(person)
            wanting = again
        return took

    def end(self) -> None:
        """The campaign is over: waits that still last end here."""
        self._tally.gaps += [seconds for seconds in self._waiting() if seconds]

    def waited(self) -> float:
        """Seconds that all have waited so far, those who wait now included."""
        return math.fsum([*self._tally.gaps, *self._waiting()])

    def _waiting(self) -> list[float]:
        now = self._timeline.seconds
        return [
            now - person.answered_at
            for person in self.all
            if not person.held and person.answered_at is not None
        ]

    def _show(self, person: Person) -> None:
        """They look at the first query that they hold."""
        if person.answered_at is not None:
            self._tally.gaps.append(self._timeline.seconds - person.answered_at)
        self._timeline.after(self._seconds, Kind.ANSWERED, lambda: self._answer(person))

    def _answer(self, person: Person) -> None:
        query = person.held.popleft()
        person.answered_at = self._timeline.seconds
        if len(person.held) == self._hold - 1:
            self._wanting.append(person)
        self._on_answered(person.number, query)
        if person.held:
            self._show(person)
