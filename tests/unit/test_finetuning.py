"""A published network that learns on as a whole: early stop, restarts, and who may interrupt it."""

from typing import Final

import numpy as np
import pytest
import torch
from torch import Tensor

from al_engine.architectures import UnfitWeights, from_timm
from al_engine.training import finetuning
from al_engine.training.evaluate import evaluate
from al_engine.training.finetuning import (
    PATIENCE,
    RESTARTS,
    Finetuned,
    finetune,
    held_out,
)
from al_engine.training.layer_rates import FIRST_LAYER_SHARE, layered_optimizer
from al_engine.training.loop import TrainingFailed
from al_engine.training.recipe import Recipe, default_recipe
from al_engine.training.start import new_model

CPU: Final = torch.device("cpu")
SIDE: Final = 32
# One of timm's smallest; its weights are drawn by chance, as no hub is asked here.
NETWORK: Final = "finetuned:mobilenetv3_small_050"


@pytest.fixture(autouse=True)
def _small_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not enlarged: the cost of a step goes with the square of the side."""
    monkeypatch.setattr(from_timm, "LEARNING_SIDE", SIDE)
    monkeypatch.setattr(finetuning, "ROUND_STEPS", 3)


def recipe(**changes: object) -> Recipe:
    given = {
        "architecture": NETWORK, "image_size": SIDE, "batch_size": 8, "epochs": 1, "min_steps": 12,
        "max_steps": 12, "learning_rate": 1e-3, "weight_decay": 0.05, "augment": "shift",
        "warm_start": "scratch", "time_budget_s": None,
    }  # fmt: skip
    return Recipe(**(given | changes))  # type: ignore[arg-type]


def pictures(count: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Dark and light ones, uint8 (n, 3, S, S)."""
    chance = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    noise = torch.randint(0, 100, (count, 3, SIDE, SIDE), generator=chance)
    return (noise + targets[:, None, None, None] * 60).to(torch.uint8), targets


def trained(given: Recipe, **more: object) -> Finetuned:
    images, targets = pictures(32, seed=1)
    held = torch.arange(32) % 3 == 2 if "held" not in more else more.pop("held")
    return finetune(
        images, targets, held=held, classes=2, recipe=given, device=CPU, seed=1, **more  # type: ignore[arg-type]
    )  # fmt: skip


def test_it_ends_with_its_best_round_and_keeps_the_published_statistics() -> None:
    said: list[str] = []
    before = torch.get_rng_state()
    found = trained(recipe(), tell=said.append)
    assert torch.equal(torch.get_rng_state(), before)
    assert found.head_loss is not None
    assert found.loss is not None
    assert found.loss <= found.head_loss
    assert found.steps == 12
    assert said[0] == "fitting a head to begin with"
    assert said[-1].startswith("12 of 12 steps, loss ")
    images, targets = pictures(40, seed=2)
    assert evaluate(found.model, images, targets, device=CPU).accuracy > 0.9
    fresh = new_model(recipe(), classes=2, seed=1, former=None)
    kept = [
        torch.equal(dict(fresh.named_buffers())[name], each)
        for name, each in found.model.named_buffers()
        if "running" in name
    ]
    assert kept
    assert all(kept)
    moved = dict(fresh.backbone.named_parameters())
    assert any(not torch.equal(moved[n], p) for n, p in found.model.backbone.named_parameters())


def test_what_becomes_no_better_begins_anew_from_the_head_and_ends_early() -> None:
    images, targets = pictures(32, seed=1)
    steps = 24  # at rates that break the network, so that the head stays the best
    found = finetune(
        images, targets, held=torch.arange(32) % 4 > 1, classes=2, seed=1, device=CPU,
        recipe=recipe(learning_rate=3.0, min_steps=steps, max_steps=steps),
    )  # fmt: skip
    assert found.loss == found.head_loss
    ends_at = steps // 2 + (PATIENCE - 1) * 3
    assert found.steps == (1 + RESTARTS) * ends_at


def test_with_too_few_labels_to_judge_by_the_end_of_the_schedule_counts() -> None:
    found = trained(recipe(), held=torch.zeros(32, dtype=torch.bool))
    assert (found.head_loss, found.loss, found.steps) == (None, None, 12)
    with pytest.raises(TrainingFailed, match="no longer numbers"):
        trained(recipe(learning_rate=float("inf")), held=torch.zeros(32, dtype=torch.bool))
    everything = trained(recipe(min_steps=1, max_steps=1), held=torch.ones(32, dtype=torch.bool))
    assert everything.loss is None, "nothing is held out where nothing else would be left"


def test_a_training_may_be_ended_before_any_step() -> None:
    def end() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        trained(recipe(), before_step=end)


def test_it_goes_on_from_a_former_model_with_another_number_of_classes() -> None:
    former = trained(recipe(min_steps=4, max_steps=4)).model.state_dict()
    images, targets = pictures(32, seed=1)
    found = finetune(
        images, targets, held=torch.arange(32) % 3 == 2, classes=3,
        recipe=recipe(min_steps=4, max_steps=4), device=CPU, seed=1, initial=former,
        weights=torch.rand(32),
    )  # fmt: skip
    assert found.model.classes == 3
    assert found.head_loss is not None


def test_the_earlier_a_layer_the_less_it_learns() -> None:
    model = new_model(recipe(), classes=2, seed=1, former=None)
    groups = layered_optimizer(model, recipe()).param_groups
    rates = [group["full_lr"] for group in groups]
    assert rates == sorted(rates)
    assert rates[-1] == 1e-3
    assert rates[0] < 1.5 * FIRST_LAYER_SHARE * rates[-1]
    learned = sum(len(group["params"]) for group in groups)
    assert learned == len(list(model.parameters()))


def test_an_image_that_is_held_out_was_held_out_before() -> None:
    positions = np.random.default_rng(1).permutation(20_000).astype(np.int64)
    few, many = held_out(positions[:2_000]), held_out(positions)
    assert 260 < int(few.sum()) < 340
    assert 260 < int(many.sum()) < 340
    assert bool(few[many[:2_000]].all()), "those of many are among those of few"


def test_the_usual_recipe_starts_from_published_weights_and_is_bounded() -> None:
    usual = default_recipe(NETWORK, image_size=SIDE, labels=5_000, device=CPU)
    assert usual.pretrained
    assert usual.max_steps <= 1_000


def test_weights_of_another_network_are_refused(tmp_path: object) -> None:
    from pathlib import Path

    from safetensors.torch import save_file

    file = Path(str(tmp_path)) / "other.safetensors"
    save_file({"conv.weight": torch.ones(3)}, file)
    with pytest.raises(UnfitWeights):
        trained(recipe(weights_path=file))
