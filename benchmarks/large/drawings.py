"""Many small drawings with known labels: scikit-learn's digits, scaled, shifted and with noise."""

import random
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image as Picture

PIXELS: Final = 16
_AT_ONCE: Final = 5_000


def store_drawings(campaign: Any, count: int) -> None:
    """Put `count` different drawings of 16 × 16 pixels into a campaign of ten classes."""
    from django.conf import settings

    from al_engine.pools import images
    from al_engine.pools.images import NewImage

    choices = list(campaign.choices.values_list("id", flat=True))
    folder = Path(settings.MEDIA_ROOT) / "images" / campaign.slug
    folder.mkdir(parents=True)
    new: list[NewImage] = []
    with images.adding(campaign_id=campaign.pk):
        for number, (data, digit) in enumerate(_drawings(count)):
            name = f"{number}.png"
            (folder / name).write_bytes(data)
            new.append(
                NewImage(
                    sha256=sha256(data).hexdigest(),
                    name=name,
                    key=f"images/{campaign.slug}/{name}",
                    width=PIXELS,
                    height=PIXELS,
                    size=len(data),
                    known_choice_id=choices[digit],
                )
            )
            if len(new) == _AT_ONCE or number == count - 1:
                images.add_images(campaign_id=campaign.pk, split="pool", images=new)
                new = []


def _drawings(count: int) -> Iterator[tuple[bytes, int]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = [
        Picture.fromarray((each * 15).astype(np.uint8)).resize((14, 14), Picture.Resampling.BICUBIC)
        for each in digits.images
    ]
    dice = random.Random(1)  # noqa: S311 - pictures
    noise = np.random.default_rng(1)
    for number in range(count):
        place = number % len(pictures)
        canvas = Picture.new("L", (PIXELS, PIXELS))
        canvas.paste(pictures[place], (dice.randrange(3), dice.randrange(3)))
        drawn = np.asarray(canvas, dtype=np.int16) + noise.integers(-24, 25, (PIXELS, PIXELS))
        data = BytesIO()
        Picture.fromarray(drawn.clip(0, 255).astype(np.uint8)).save(data, "PNG", compress_level=1)
        yield data.getvalue(), int(digits.target[place])
