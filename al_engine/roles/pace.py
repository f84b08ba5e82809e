"""How fast people answer now, as a process measures it."""

import time

from al_engine.decisions.refill import AnswerRate
from al_engine.pools.sizes import sizes


class Pace:
    """Answers per second in one campaign, from the counters of the pools."""

    def __init__(self, campaign_id: int) -> None:
        self._campaign_id = campaign_id
        self._rate = AnswerRate(started=time.monotonic())
        self._answers = sizes(campaign_id=campaign_id).answers

    def observe(self) -> None:
        """Count the answers since the last call."""
        answers = sizes(campaign_id=self._campaign_id).answers
        self._rate.observe(max(answers - self._answers, 0), at=time.monotonic())
        self._answers = answers

    @property
    def per_second(self) -> float:
        """The present rate, in answers per second."""
        return self._rate.per_second(at=time.monotonic())
