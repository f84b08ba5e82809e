"""Fills S of a campaign that rests, so that the first person who comes does not wait.

Its workers do not run, so the engine's own process takes their places for a moment, without torch:
from their rankings while these last, else at random.
"""

import math
from typing import Final

from al_engine.decisions import refill
from al_engine.decisions.dealing import deal
from al_engine.pools import processes, unlabeled
from al_engine.pools.models import Campaign
from al_engine.pools.survey import Glance, people_before
from al_engine.roles.crew import Crew
from al_engine.roles.filler import Filler

_MOST_ROUNDS: Final = 5
"""An image may have left D between the draw and its query: another round replaces it."""


def low_water(campaign: Campaign) -> int:
    """The number of open turns below which S of a campaign at rest is filled."""
    depth = campaign.batch_size or refill.DEPTH_FLOOR
    return math.ceil(depth * refill.LOW_WATER_SHARE)


def is_low(campaign: Campaign, glance: Glance) -> bool:
    """Whether S needs filling, and D has something to fill it with."""
    return glance.unlabeled > 0 and glance.open_turns < low_water(campaign)


def stock_up(campaign: Campaign, *, workers: int) -> None:
    """Fill S: to its usual least, or for as many people as came before."""
    parts = [
        processes.register(
            campaign_id=campaign.pk, role="worker", name=f"worker-{number}", strategy=strategy
        )
        for number, strategy in enumerate(deal(campaign.strategies, workers, campaign.pk), 1)
    ]
    crew = Crew(campaign, parts)
    try:
        crew.hold_cells()
        people = people_before(campaign_id=campaign.pk)
        filler = Filler(crew, stock_up=refill.ceiling_for(people, floor=refill.DEPTH_FLOOR))
        for _ in range(_MOST_ROUNDS):
            if not filler.fill():
                break
    finally:
        for part in parts:
            unlabeled.release_cells(worker_id=part.id)
        processes.retire(parts=parts)
