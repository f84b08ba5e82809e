"""Real digits as gold images: for the examples and the practice."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

from al_engine.pools.models import Campaign
from annotator_site.importing.image_import import import_images
from annotator_site.simulation.demo_data import digits, write_folders


def add_gold_digits(campaign: Campaign, count: int, folder: Path) -> None:
    """Import `count` digits that no campaign of the tests asks for as its gold images."""
    kept_back = (picture for picture in digits() if picture.split != "pool")
    pictures = [replace(picture, split="pool") for picture in islice(kept_back, count)]
    write_folders(pictures, folder / "gold")
    report = import_images(campaign=campaign, source=folder / "gold" / "pool", split="gold")
    assert (report.added, report.with_known_label) == (count, count)
