"""One thread for torch, and campaigns of digits on a real database."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from al_engine.pools.models import Campaign

from . import digits


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Networks of 8 × 8 pixels gain nothing by more, and other processes use the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class MakeCampaign:
    """Makes campaigns of digits, each with a name of its own."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)

    def __call__(self, *, pool: int, holdout: int = 0, **settings: Any) -> Campaign:
        return digits.make_campaign(
            f"digits-{next(self.numbers)}", pool=pool, holdout=holdout, settings=settings
        )


@pytest.fixture
def make_campaign(transactional_db: None) -> MakeCampaign:
    return MakeCampaign()
