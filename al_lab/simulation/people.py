"""People take a query from S, look at it for some time, answer, and take the next one."""

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
    """`held` are the queries that they hold; the first is on the screen.

    `answered_at` is the time of their last answer. Before the first one it is None, and they do not
    count as waiting.
    """

    number: int
    held: deque[Query] = field(default_factory=deque)
    answered_at: float | None = None


class People:
    """All annotators.

    `taken` is called for each query that one takes, `answered` for each answer.
    """

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
        # Those who can take one more, in the order in which they came.
        self._wanting = list(self.all)

    def take(self) -> bool:
        """Everybody takes as many queries as they may hold; returns whether anybody took one."""
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
        """End all waits: the campaign is over."""
        self._tally.gaps += [seconds for seconds in self._waiting() if seconds]

    def waited(self) -> float:
        """The seconds that all people have waited so far, current waits included."""
        return math.fsum([*self._tally.gaps, *self._waiting()])

    def _waiting(self) -> list[float]:
        now = self._timeline.seconds
        return [
            now - person.answered_at
            for person in self.all
            if not person.held and person.answered_at is not None
        ]

    def _show(self, person: Person) -> None:
        """Show a person the first query that they hold."""
        if person.answered_at is not None:
            self._tally.gaps.append(self._timeline.seconds - person.answered_at)
        self._timeline.schedule(self._seconds, Kind.ANSWERED, lambda: self._answer(person))

    def _answer(self, person: Person) -> None:
        query = person.held.popleft()
        person.answered_at = self._timeline.seconds
        if len(person.held) == self._hold - 1:
            self._wanting.append(person)
        self._on_answered(person.number, query)
        if person.held:
            self._show(person)
