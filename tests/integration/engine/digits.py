"""Campaigns of scikit-learn's handwritten digits: 8 × 8 pixels, ten classes, in no order."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image as Pillow
from sklearn.datasets import load_digits
from torch import Tensor

from al_engine.pools import campaigns, images
from al_engine.pools.images import NewImage
from al_engine.pools.models import Campaign, Image

SIZE = 8


@cache
def _pixels_and_targets() -> tuple[npt.NDArray[np.uint8], list[int]]:
    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    return pixels, [int(target) for target in bunch.target]


def make_campaign(
    slug: str, *, pool: int, holdout: int = 0, settings: Mapping[str, Any] | None = None
) -> Campaign:
    """The first `pool` digits in D, the next `holdout` reserved; position n is digit n."""
    campaign = campaigns.create_campaign(
        slug=slug,
        choices=[campaigns.NewChoice(str(digit)) for digit in range(10)],
        settings={"image_size": SIZE, "audit_rate": 0.0, **(settings or {})},
    )
    _add(campaign, "pool", range(pool))
    _add(campaign, "holdout", range(pool, pool + holdout))
    return campaign


def true_choices(campaign: Campaign) -> dict[int, int]:
    """The right answer by image id."""
    rows = Image.objects.filter(campaign=campaign).values_list("id", "known_choice_id")
    return {image_id: choice_id for image_id, choice_id in rows if choice_id is not None}


def image_ids(campaign: Campaign, positions: Sequence[int]) -> list[int]:
    """Ids by position, in the order given."""
    rows = Image.objects.filter(campaign=campaign, position__in=positions)
    by_position = dict(rows.values_list("position", "id"))
    return [by_position[position] for position in positions]


def as_the_models_see(positions: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Pixels uint8 (n, 3, 8, 8) and classes int64 (n,) at these positions, past the cache."""
    pixels, targets = _pixels_and_targets()
    chosen = torch.from_numpy(pixels[np.array(positions, dtype=np.int64)])
    return (
        chosen[:, None].expand(-1, 3, -1, -1).contiguous(),
        torch.tensor([targets[position] for position in positions]),
    )


def replace_file(campaign: Campaign, position: int, data: bytes | None) -> None:
    """Puts other bytes in place of an image's file, or removes it."""
    key = f"tests/{campaign.slug}/{position}.png"
    if data is not None:
        # Under another name where a former test has left one.
        key = default_storage.save(key, ContentFile(data))
    elif default_storage.exists(key):
        default_storage.delete(key)
    Image.objects.filter(campaign=campaign, position=position).update(key=key)


@cache
def _file(number: int) -> tuple[str, bytes]:
    """Where the storage has a digit, for all campaigns of a run, and its bytes."""
    pixels, _ = _pixels_and_targets()
    file = io.BytesIO()
    Pillow.fromarray(pixels[number]).save(file, "PNG")
    data = file.getvalue()
    return default_storage.save(f"tests/digits/{number}.png", ContentFile(data)), data


def _add(campaign: Campaign, split: str, numbers: range) -> None:
    _, targets = _pixels_and_targets()
    choices = list(campaign.choices.values_list("id", flat=True))
    rows = []
    for number in numbers:
        key, data = _file(number)
        rows.append(
            NewImage(
                sha256=hashlib.sha256(f"digit {number}".encode()).hexdigest(),
                name=f"{number}.png",
                key=key,
                width=SIZE,
                height=SIZE,
                size=len(data),
                known_choice_id=choices[targets[number]],
            )
        )
    with images.adding(campaign_id=campaign.pk):
        images.add_images(campaign_id=campaign.pk, split=split, images=rows)
