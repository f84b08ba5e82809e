"""D, S and L of a simulated campaign: every image is in exactly one of them.

Images are rows of the pool. As in the product (`al_engine/pools`), a query that somebody holds or
held is neither withdrawn nor changed.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from al_lab.config.settings import Take

Rows = npt.NDArray[np.int64]

_RANDOM_DRAWS: Final = 20
"""How often a person draws a random query before all of S is searched."""


@dataclass(slots=True, eq=False)
class Query:
    """One image in S: who chose it, why and when, and what people answered.

    `version` is the number of the model that chose it, None without a model. While nobody has taken
    the query, a newer model that would choose it too becomes its model, and updates `chosen_at`.
    """

    row: int
    worker: int
    strategy: str
    score: float | None
    version: int | None
    chosen_at: float
    turns: int  # how many more people may take it
    people: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    place: int = -1  # in the list of those that may be taken


@dataclass(frozen=True, slots=True)
class Label:
    """One image of L: the most frequent answer, and its share of the answers."""

    row: int
    answer: int
    confidence: float
    strategy: str | None


class World:
    """The three pools; `owner` (N,) has the worker of each image."""

    def __init__(
        self,
        owner: Rows,
        *,
        workers: int,
        answers_per_image: int,
        take: Take,
        comparable: bool,
        chance: random.Random,
    ) -> None:
        self.labels: list[Label] = []
        self.queries: dict[int, Query] = {}
        # For each worker, its queries that nobody has taken, by row: they make up the depth of S.
        self.untouched: list[dict[int, Query]] = [{} for _ in range(workers)]
        self.owner = owner
        self._in_d = np.ones(len(owner), dtype=np.bool_)
        self._rows_of = [np.flatnonzero(owner == worker) for worker in range(workers)]
        self._answers_per_image = answers_per_image
        self._take = take
        self._comparable = comparable
        self._chance = chance
        self._open: list[Query] = []

    @property
    def unlabeled(self) -> Rows:
        """D: rows in order."""
        return np.flatnonzero(self._in_d)

    def unlabeled_of(self, worker: int) -> Rows:
        """D_j: rows in order."""
        rows = self._rows_of[worker]
        return rows[self._in_d[rows]]

    def label(self, row: int, answers: Sequence[int], strategy: str | None) -> Label:
        """Put an image of D or S into L. Among equally frequent answers the first one counts."""
        (answer, votes), *_ = Counter(answers).most_common(1)
        label = Label(row, answer, votes / len(answers), strategy)
        self._in_d[row] = False
        self.labels.append(label)
        return label

    def put(
        self,
        row: int,
        *,
        worker: int,
        strategy: str,
        score: float | None,
        version: int | None,
        at: float,
    ) -> None:
        """Put an image of D into S."""
        if not self._in_d[row]:
            raise ValueError(f"Image {row} is not in D.")
        query = Query(row, worker, strategy, score, version, at, self._answers_per_image)
        self._in_d[row] = False
        self.queries[row] = self.untouched[worker][row] = query
        query.place = len(self._open)
        self._open.append(query)

    def withdraw(self, row: int, worker: int) -> None:
        """Put an image back into D, unless somebody has taken its query."""
        query = self.untouched[worker].pop(row, None)
        if query is not None:
            del self.queries[row]
            self._close(query)
            self._in_d[row] = True

    def confirm(
        self, row: int, worker: int, *, strategy: str, score: float, version: int | None, at: float
    ) -> None:
        """Assign a query to a newer model that would choose it too."""
        query = self.untouched[worker].get(row)
        if query is not None:
            query.strategy, query.score, query.version, query.chosen_at = (
                strategy,
                score,
                version,
                at,
            )

    def take(self, person: int) -> Query | None:
        """A query that this person has not had; None where S has none."""
        query = self._best(person) if self._take == "best" else self._any(person)
        if query is not None:
            self.untouched[query.worker].pop(query.row, None)
            query.people.append(person)
            query.turns -= 1
            if not query.turns:
                self._close(query)
        return query

    def answer(self, query: Query, answer: int) -> bool:
        """Store an answer; returns whether the image is in L now."""
        query.answers.append(answer)
        if len(query.answers) < self._answers_per_image:
            return False
        del self.queries[query.row]
        self.label(query.row, query.answers, query.strategy)
        return True

    def _any(self, person: int) -> Query | None:
        """A random query, with a probability proportional to its remaining turns."""
        for _ in range(_RANDOM_DRAWS if self._open else 0):
            query = self._open[self._chance.randrange(len(self._open))]
            drawn = query.turns == self._answers_per_image or (
                self._chance.random() * self._answers_per_image < query.turns
            )
            if drawn and person not in query.people:
                return query
        left = [query for query in self._open if person not in query.people]
        turns = [query.turns for query in left]
        return self._chance.choices(left, turns)[0] if left else None

    def _best(self, person: int) -> Query | None:
        """The query with the highest score.

        Scores of different strategies cannot be compared: then it is that of a random worker.
        """
        left = [query for query in self._open if person not in query.people]
        if not left:
            return None
        if not self._comparable:
            worker = left[self._chance.randrange(len(left))].worker
            left = [query for query in left if query.worker == worker]
        return max(left, key=lambda query: -np.inf if query.score is None else query.score)

    def _close(self, query: Query) -> None:
        """Remove a query from the open ones; the last of them moves to its place."""
        last = self._open.pop()
        if last is not query:
            self._open[query.place] = last
            last.place = query.place
        query.place = -1
