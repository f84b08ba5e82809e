"""D, S and L of a simulated campaign: every image is in exactly one of them.

Images are rows of the pool. What may be changed, and what is left alone because somebody has it in
hand, is as in the product (`al_engine/pools`).
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

_TRIES: Final = 20
"""Queries of S that a person draws before the whole of S is looked through."""


@dataclass(slots=True, eq=False)
class Query:
    """One image in S: who chose it, why and when, and what people said.

    `version` is the number of the model behind it, None where no model was asked. A newer model
    that would choose it again makes it its own, `chosen_at` included, while nobody has touched it.
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
    place: int = -1  # among those that may be taken


@dataclass(frozen=True, slots=True)
class Label:
    """One image of L: the most frequent answer, and which part of the answers it was."""

    row: int
    said: int
    trust: float
    strategy: str | None


class World:
    """The three pools; `owner` (N,) says which worker looks after each image."""

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
        # Of each worker the queries that nobody has touched, by row: its part of the depth of S.
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
        """Put an image of D or S into L. Of equally frequent answers the first one counts."""
        (said, votes), *_ = Counter(answers).most_common(1)
        label = Label(row, said, votes / len(answers), strategy)
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
        """Put an image back into D, unless somebody has it in hand or had."""
        query = self.untouched[worker].pop(row, None)
        if query is not None:
            del self.queries[row]
            self._close(query)
            self._in_d[row] = True

    def confirm(
        self, row: int, worker: int, *, strategy: str, score: float, version: int | None, at: float
    ) -> None:
        """A query that a newer model would choose as well is its choice from now on."""
        query = self.untouched[worker].get(row)
        if query is not None:
            query.strategy, query.score, query.version, query.chosen_at = (
                strategy,
                score,
                version,
                at,
            )

    def take(self, person: int) -> Query | None:
        """A query for a person, none twice for the same; None where S has none for them."""
        query = self._best(person) if self._take == "best" else self._any(person)
        if query is not None:
            self.untouched[query.worker].pop(query.row, None)
            query.people.append(person)
            query.turns -= 1
            if not query.turns:
                self._close(query)
        return query

    def answer(self, query: Query, said: int) -> bool:
        """Take in an answer; whether the image is in L now."""
        query.answers.append(said)
        if len(query.answers) < self._answers_per_image:
            return False
        del self.queries[query.row]
        self.label(query.row, query.answers, query.strategy)
        return True

    def _any(self, person: int) -> Query | None:
        """One at random, as likely as there are turns left of it."""
        for _ in range(_TRIES if self._open else 0):
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
        """The best scored one; scores of several strategies do not compare: of one, at random."""
        left = [query for query in self._open if person not in query.people]
        if not left:
            return None
        if not self._comparable:
            worker = left[self._chance.randrange(len(left))].worker
            left = [query for query in left if query.worker == worker]
        return max(left, key=lambda query: -np.inf if query.score is None else query.score)

    def _close(self, query: Query) -> None:
        """No more turns of it: the last of the open ones comes into its place."""
        last = self._open.pop()
        if last is not query:
            self._open[query.place] = last
            last.place = query.place
        query.place = -1
