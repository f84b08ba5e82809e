"""Real digits as gold images: for the examples and the practice."""

from itertools import islice

from stock import add_pictures

from al_engine.pools.models import Campaign
from annotator_site.simulation.demo_data import digits


def add_gold_digits(campaign: Campaign, count: int) -> None:
    """Add `count` digits that no campaign of the tests asks for as its gold images."""
    kept_back = (picture for picture in digits() if picture.split != "pool")
    add_pictures(campaign, list(islice(kept_back, count)), split="gold")
