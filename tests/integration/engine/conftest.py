"""One thread for torch, and campaigns of digits on a real database."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from al_engine import architectures
from al_engine.pools.models import Campaign
from al_engine.training import backbones

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


@pytest.fixture
def weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torch looks for published weights; empty, and no backbone is built yet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(backbones, "_built", {})
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def published_weights(weights_folder: Path) -> Path:
    """Weights of resnet18, drawn by chance, where its published ones would be."""
    torch.manual_seed(1)
    drawn = architectures.build("resnet18", classes=2, image_size=224).backbone
    file = weights_folder / "resnet18.safetensors"
    save_file(drawn.state_dict(), file)
    return file
