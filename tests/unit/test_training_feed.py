"""Images that do not fit on the device come in time, and teach the same as those that do."""

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from al_engine.architectures import build
from al_engine.training.evaluate import predict_with_features
from al_engine.training.feed import CachedImages, fits_on_device, stream_batches
from al_engine.training.image_cache import ImageCache, NotFilled
from al_engine.training.loop import Stopped, train
from al_engine.training.pixels import Augment
from al_engine.training.recipe import default_recipe

CPU = torch.device("cpu")
COUNT = 60


@pytest.fixture
def cached(tmp_path: Path) -> CachedImages:
    """Rows of a cache in another order than they lie there."""
    cache = ImageCache(tmp_path, image_size=8)
    cache.fill(range(COUNT), png)
    return CachedImages(cache, np.random.default_rng(0).permutation(COUNT))


def png(position: int) -> bytes:
    pixels = np.random.default_rng(position).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def feeding() -> bool:
    return any(thread.name.startswith("feed") for thread in threading.enumerate())


@pytest.mark.parametrize("augment", ["none", "shift", "shift_flip"])
def test_a_model_is_the_same_wherever_its_images_lie(
    cached: CachedImages, augment: Augment
) -> None:
    targets = torch.arange(COUNT) % 3
    recipe = default_recipe("small_cnn", image_size=8, labels=COUNT, device=CPU)
    recipe = replace(recipe, min_steps=9, max_steps=9, augment=augment)

    def weights(images: Tensor | CachedImages, *, keep: bool | None) -> Tensor:
        done = train(
            images,
            targets,
            classes=3,
            recipe=recipe,
            device=CPU,
            seed=4,
            keep_on_device=keep,
        )
        return torch.cat([each.detach().flatten() for each in done.model.parameters()])

    resident = weights(cached[:], keep=True)
    assert torch.equal(weights(cached, keep=False), resident)
    assert torch.equal(weights(cached, keep=None), resident)
    assert torch.equal(weights(cached[:], keep=False), resident)
    assert not feeding()


def test_a_pass_over_the_cache_says_what_a_pass_over_a_tensor_says(cached: CachedImages) -> None:
    model = build("small_cnn", classes=3, image_size=8)
    seen, meant = (
        predict_with_features(model, images, device=CPU, batch_size=16)
        for images in (cached, cached[:])
    )
    assert all(torch.equal(one, other) for one, other in zip(seen, meant, strict=True))
    assert cached.shape == (COUNT, 3, 8, 8)


def test_a_few_batches_are_read_ahead_and_no_more(cached: CachedImages) -> None:
    asked: list[int] = []

    def parts() -> Iterator[slice]:
        for start in count():
            asked.append(start)
            yield slice(start, start + 1)

    batches = stream_batches(cached, parts(), CPU)
    got = [int(part.start) for part, _ in islice(batches, 5)]
    assert got == [0, 1, 2, 3, 4]
    assert len(asked) <= 5 + 4
    batches.close()
    assert not feeding()


def test_an_image_that_is_not_there_ends_a_pass_with_its_reason(cached: CachedImages) -> None:
    absent = CachedImages(cached.cache, np.arange(COUNT + 1))
    with pytest.raises(NotFilled, match=f"position {COUNT}"):
        predict_with_features(
            build("small_cnn", classes=3, image_size=8), absent, device=CPU, batch_size=16
        )
    assert not feeding()


def test_a_training_that_is_stopped_reads_no_further(cached: CachedImages) -> None:
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        train(
            cached,
            torch.zeros(COUNT, dtype=torch.int64),
            classes=3,
            recipe=default_recipe("small_cnn", image_size=8, labels=COUNT, device=CPU),
            device=CPU,
            seed=0,
            keep_on_device=False,
            should_stop=lambda: next(asked),
        )
    assert not feeding()


def test_what_is_larger_than_a_share_of_the_memory_is_not_kept(cached: CachedImages) -> None:
    assert fits_on_device(cached, CPU)
    endless = CachedImages(cached.cache, np.broadcast_to(np.int64(0), (10**13,)))
    assert not fits_on_device(endless, CPU)
