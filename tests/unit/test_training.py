"""Training learns real digits within seconds, repeatably, and ends in words when it cannot."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from al_engine.architectures import build
from al_engine.training import devices, loop, start
from al_engine.training.batches import shuffle_without_end
from al_engine.training.evaluate import evaluate, predict
from al_engine.training.loop import Stopped, Trained, TrainingFailed, train
from al_engine.training.pixels import cut_batch, lay_out, normalize
from al_engine.training.recipe import Recipe, default_recipe

torch.set_num_threads(2)

CPU = torch.device("cpu")
QUICK = Recipe(
    architecture="small_cnn",
    image_size=8,
    batch_size=16,
    epochs=1,
    min_steps=6,
    max_steps=6,
    learning_rate=5e-3,
    weight_decay=5e-2,
    augment="shift",
    warm_start="scratch",
    time_budget_s=None,
)


@cache
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Real digits, 8 px: two thirds to learn from, a third to test on."""
    found = load_digits()
    gray = np.round(found.images * 255 / 16).astype(np.uint8)
    images = torch.from_numpy(gray)[:, None].expand(-1, 3, -1, -1).contiguous()
    targets = torch.from_numpy(found.target.astype(np.int64))
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    pool, holdout = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]
    return images[pool], targets[pool], images[holdout], targets[holdout]


def train_digits(count: int, *, seed: int = 0, recipe: Recipe = QUICK) -> Trained:
    images, targets, _, _ = digits()
    return train(images[:count], targets[:count], classes=10, recipe=recipe, device=CPU, seed=seed)


def weights_of(trained: Trained) -> Tensor:
    return torch.cat([weights.detach().flatten() for weights in trained.model.parameters()])


@pytest.mark.parametrize(("labels", "at_least"), [(100, 0.85), (300, 0.95)])
def test_few_real_digits_are_enough(labels: int, at_least: float) -> None:
    recipe = default_recipe("small_cnn", image_size=8, labels=labels, device=CPU)
    trained = train_digits(labels, recipe=recipe)
    _, _, images, targets = digits()
    result = evaluate(trained.model, images, targets, device=CPU)
    assert result.count == 599
    assert result.accuracy > at_least
    assert result.low < result.accuracy < result.high
    assert result.loss < 0.6
    assert trained.steps == recipe.steps(labels)
    assert trained.epochs == pytest.approx(trained.steps * recipe.batch_size / labels)
    assert trained.loss < 0.8


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, second, other = (weights_of(train_digits(50, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    train_digits(20)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("count", [1, 2, 15, 17])
def test_any_number_of_labels_trains(count: int) -> None:
    trained = train_digits(count)
    assert math.isfinite(trained.loss)
    probabilities = predict(trained.model, digits()[0][:5], device=CPU)
    assert bool(torch.isfinite(probabilities).all())


def test_batches_are_full_and_every_image_is_seen_equally_often() -> None:
    batches = shuffle_without_end(5, 16, torch.Generator().manual_seed(0))
    drawn = [next(batches) for _ in range(5)]
    assert all(len(batch) == 16 for batch in drawn)
    assert torch.cat(drawn).bincount().tolist() == [16] * 5
    assert drawn[0].bincount(minlength=5).max() - drawn[0].bincount(minlength=5).min() <= 1


def test_classes_without_an_image_and_a_single_class_are_fine() -> None:
    images, targets, _, _ = digits()
    zeros = images[targets == 0][:20]
    for classes in (1, 25):
        trained = train(
            zeros,
            torch.zeros(20, dtype=torch.int64),
            classes=classes,
            recipe=replace(QUICK, min_steps=40, max_steps=40),
            device=CPU,
            seed=0,
        )
        assert predict(trained.model, zeros, device=CPU).argmax(dim=1).tolist() == [0] * 20


def test_labels_of_no_weight_teach_nothing() -> None:
    images, targets, held_images, held_targets = digits()
    wrong = torch.arange(300) % 2 == 0
    noisy = torch.where(wrong, (targets[:300] + 1) % 10, targets[:300])
    recipe = default_recipe("small_cnn", image_size=8, labels=300, device=CPU)
    trained = train(
        images[:300],
        noisy,
        weights=(~wrong).double(),
        classes=10,
        recipe=recipe,
        device=CPU,
        seed=0,
    )
    assert evaluate(trained.model, held_images, held_targets, device=CPU).accuracy > 0.9


def test_a_training_stops_when_it_is_asked_to_before_the_next_step() -> None:
    asked = iter([False, False, True])
    with pytest.raises(Stopped, match="after 2 of 6 steps"):
        train(
            *digits()[:2],
            classes=10,
            recipe=QUICK,
            device=CPU,
            seed=0,
            should_stop=lambda: next(asked),
        )


def test_progress_rises_from_nothing_to_all() -> None:
    seen: list[float] = []
    recipe = replace(QUICK, min_steps=50, max_steps=50)
    train(*digits()[:2], classes=10, recipe=recipe, device=CPU, seed=0, progress=seen.append)
    assert seen[0] == 0
    assert seen[-1] == 1
    assert seen == sorted(seen)
    assert 20 <= len(seen) <= 30


def test_a_time_budget_ends_a_training_with_at_least_one_step() -> None:
    endless = replace(QUICK, min_steps=10**6, max_steps=10**6, time_budget_s=0.2)
    trained = train_digits(50, recipe=endless)
    assert 1 <= trained.steps < 10**6
    assert train_digits(50, recipe=replace(endless, time_budget_s=0.0)).steps == 1


def test_a_training_that_diverges_says_what_to_do() -> None:
    wild = replace(QUICK, learning_rate=1e38, min_steps=30, max_steps=30)
    with pytest.raises(TrainingFailed, match="Lower the learning rate"):
        train_digits(50, recipe=wild)


def test_a_warm_start_shrinks_the_former_weights_and_adds_noise() -> None:
    warm = replace(QUICK, warm_start="shrink_perturb", min_steps=1, max_steps=1, learning_rate=0)
    former = build("small_cnn", classes=10, image_size=8)
    trained = train(
        *digits()[:2],
        classes=10,
        recipe=warm,
        device=CPU,
        seed=0,
        initial=former.state_dict(),
    )
    before = torch.cat([weights.detach().flatten() for weights in former.parameters()])
    noise = weights_of(trained) - start.SHRINK * before
    assert float(noise.mean()) == pytest.approx(0, abs=1e-3)
    assert float(noise.std()) == pytest.approx(start.NOISE_STD, rel=0.05)


def test_a_warm_start_takes_a_new_class_and_refuses_another_network() -> None:
    warm = replace(QUICK, warm_start="shrink_perturb")
    former = build("small_cnn", classes=9, image_size=8).state_dict()
    images, targets, _, _ = digits()
    trained = train(images, targets, classes=10, recipe=warm, device=CPU, seed=0, initial=former)
    assert trained.model.classes == 10
    former["backbone.0.weight"] = torch.zeros(1)
    with pytest.raises(ValueError, match="Start from scratch"):
        train(images, targets, classes=10, recipe=warm, device=CPU, seed=0, initial=former)


def test_a_recipe_from_scratch_ignores_the_former_model() -> None:
    images, targets, _, _ = digits()
    former = build("small_cnn", classes=10, image_size=8).state_dict()
    trained = train(
        images[:50], targets[:50], classes=10, recipe=QUICK, device=CPU, seed=3, initial=former
    )
    assert torch.equal(weights_of(trained), weights_of(train_digits(50, seed=3)))


def test_data_that_no_model_can_come_from_is_refused_in_words() -> None:
    images, targets, _, _ = digits()

    def refused(
        match: str, pictures: Tensor, labels: Tensor, weights: Tensor | None = None
    ) -> None:
        with pytest.raises(ValueError, match=match):
            train(
                pictures,
                labels,
                weights=weights,
                classes=10,
                recipe=QUICK,
                device=CPU,
                seed=0,
            )

    refused("no labeled images", images[:0], targets[:0])
    refused("uint8", images[:4].float(), targets[:4])
    refused("shape", images[:4, :, :7], targets[:4])
    refused("int64", images[:4], targets[:4].int())
    refused("int64", images[:4], targets[:5])
    refused("from 0 to 9", images[:4], targets[:4] + 10)
    refused("Weights", images[:4], targets[:4], torch.tensor([1.0, 1.0, -1.0, 1.0]))
    refused("Weights", images[:4], targets[:4], torch.tensor([1.0, 1.0, math.nan, 1.0]))
    refused("Weights", images[:4], targets[:4], torch.zeros(4))


def test_default_recipes_follow_the_number_of_labels() -> None:
    few, many = (
        default_recipe("small_cnn", image_size=8, labels=n, device=CPU) for n in (5, 50_000)
    )
    assert few.batch_size < many.batch_size
    assert few.steps(5) == few.min_steps
    assert many.steps(50_000) == many.max_steps
    assert few.augment == "shift"  # a mirrored digit is another one
    gpu = default_recipe("vgg16", image_size=32, labels=50_000, device=torch.device("cuda"))
    assert gpu.batch_size > many.batch_size
    hurried = default_recipe("small_cnn", image_size=8, labels=5, device=CPU, time_budget_s=1.0)
    assert (few.warm_start, hurried.warm_start) == ("scratch", "shrink_perturb")
    assert few.label_smoothing == 0  # probabilities select
    with pytest.raises(ValueError, match="2 or more"):
        replace(few, batch_size=1)
    with pytest.raises(ValueError, match="min_steps"):
        replace(few, min_steps=9, max_steps=8)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    curve = [loop.one_cycle(step / 100) for step in range(101)]
    peak = curve.index(max(curve))
    assert curve[peak] == pytest.approx(1)
    assert curve[:peak] == sorted(curve[:peak])
    assert curve[peak:] == sorted(curve[peak:], reverse=True)
    assert curve[-1] == pytest.approx(0, abs=1e-9)


def test_shifts_move_an_image_by_an_eighth_at_most_and_repeat_its_edge() -> None:
    ramp = torch.arange(8, dtype=torch.uint8).expand(1, 3, 8, 8)  # by column
    generator = torch.Generator().manual_seed(0)
    chosen = torch.zeros(200, dtype=torch.int64)
    pixels = lay_out(ramp, augment="shift")
    batch = cut_batch(pixels, chosen, image_size=8, augment="shift", generator=generator)
    plain = normalize(ramp)
    assert batch.shape == (200, 3, 8, 8)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    columns = {tuple(image[0, 0].tolist()) for image in batch}
    value = plain[0, 0, 0].tolist()
    assert columns == {
        tuple(value),
        (value[0], *value[:-1]),
        (*value[1:], value[-1]),
    }


def test_mirroring_happens_to_half_of_the_images_and_only_when_asked_for() -> None:
    picture = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    picture[..., :4] = 255
    pixels = lay_out(picture, augment="shift_flip")
    chosen = torch.zeros(400, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    batch = cut_batch(pixels, chosen, image_size=8, augment="shift_flip", generator=generator)
    mirrored = batch[:, 0, 4, 0] < batch[:, 0, 4, 7]
    assert 150 < int(mirrored.sum()) < 250
    unmirrored = cut_batch(pixels, chosen, image_size=8, augment="shift", generator=generator)
    assert bool((unmirrored[:, 0, 4, 0] > unmirrored[:, 0, 4, 7]).all())


def test_devices_are_named_as_people_name_them() -> None:
    assert devices.resolve("cpu") == CPU
    assert devices.resolve("auto").type in {"cpu", "cuda", "mps"}
    assert "thread" in devices.describe(CPU)
    for wrong in ("gpu", "", "cuda:x", "meta"):
        with pytest.raises(ValueError, match="no device named"):
            devices.resolve(wrong)
    with pytest.raises(ValueError, match="Use auto or cpu"):
        devices.resolve("cuda:99")
