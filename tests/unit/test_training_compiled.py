"""A shape's second training compiles it, later ones reuse that, and models stay apart."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from al_engine.training import compiling
from al_engine.training.loop import Stopped, Trained, train
from al_engine.training.recipe import Recipe, default_recipe

CPU = torch.device("cpu")
IMAGES = torch.randint(
    0, 256, (40, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
TARGETS = torch.arange(40) % 3


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Graphs are captured as ever, but run as they are: no compiler is needed."""
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    monkeypatch.setattr(compiling, "_by_shape", {})
    yield
    torch._dynamo.reset()


def recipe(*, compiled: bool) -> Recipe:
    plain = default_recipe("small_cnn", image_size=8, labels=40, device=CPU)
    return replace(plain, min_steps=5, max_steps=5, compiled=compiled)


def trained(seed: int, *, compiled: bool = True) -> Trained:
    return train(
        IMAGES, TARGETS, classes=3, recipe=recipe(compiled=compiled), device=CPU, seed=seed
    )


def numbers(done: Trained) -> Tensor:
    return torch.cat([tensor.flatten().double() for tensor in done.model.state_dict().values()])


def test_a_compiled_training_gives_the_model_of_an_uncompiled_one() -> None:
    for seed in (0, 1, 2):
        assert torch.equal(numbers(trained(seed)), numbers(trained(seed, compiled=False)))


def test_a_later_training_leaves_an_earlier_model_alone() -> None:
    trained(0)
    earlier = trained(1)
    before = numbers(earlier)
    trained(2)
    assert torch.equal(numbers(earlier), before)


def test_the_first_training_of_a_shape_does_not_wait_for_a_compiler() -> None:
    def networks() -> list[object]:
        return [shape.network for shape in compiling._by_shape.values()]

    trained(0)
    assert networks() == [None]
    trained(1)
    second = networks()
    assert second != [None]
    trained(2)
    assert networks() == second


def test_where_nothing_can_be_compiled_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(compiling, "BACKEND", broken)
    trained(0)
    assert torch.equal(numbers(trained(1)), numbers(trained(1, compiled=False)))
    assert "it trains uncompiled" in caplog.text
    caplog.clear()
    trained(2)
    assert not caplog.text


def test_a_training_that_was_stopped_gives_its_compiled_network_back() -> None:
    trained(0)
    with pytest.raises(Stopped):
        train(
            IMAGES,
            TARGETS,
            classes=3,
            recipe=recipe(compiled=True),
            device=CPU,
            seed=1,
            should_stop=lambda: True,
        )
    assert torch.equal(numbers(trained(2)), numbers(trained(2, compiled=False)))
