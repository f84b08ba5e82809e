"""The network that a training starts from."""

import torch
from torch import Tensor

from al_engine.architectures import Classifier, build, starts_published
from al_engine.training.recipe import Recipe

# Ash & Adams 2020, 'On Warm-Starting Neural Network Training': theta <- shrink * theta + noise.
SHRINK = 0.6
NOISE_STD = 0.01


def new_model(
    recipe: Recipe, *, classes: int, seed: int, former: dict[str, Tensor] | None
) -> Classifier:
    """The network to start from, on the CPU; torch's global generator is left unchanged.

    `former`: the state dict of an earlier model. With `shrink_perturb` its parameters are shrunk
    and perturbed, except for a head of another number of classes. Where the backbone has published
    weights, frozen ones or such that learn on, it alone is taken, unchanged; they are then not read
    again. Raises ValueError if `former` belongs to another network.
    """
    if recipe.warm_start == "scratch" and not starts_published(recipe.architecture):
        former = None
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        model = build(
            recipe.architecture,
            classes=classes,
            image_size=recipe.image_size,
            weights_path=recipe.weights_path if former is None else None,
            pretrained=recipe.pretrained and former is None,
        )
    if former is None:
        return model
    if starts_published(recipe.architecture):
        _take_backbone(model, former)
    else:
        _shrink_perturb(model, former, generator=torch.Generator().manual_seed(seed))
    return model


@torch.no_grad()
def _take_backbone(model: Classifier, former: dict[str, Tensor]) -> None:
    for name, tensor in model.backbone.state_dict().items():
        given = former.get(f"backbone.{name}")
        if given is None or given.shape != tensor.shape:
            raise _misfit(f"backbone.{name}")
        tensor.copy_(given)


@torch.no_grad()
def _shrink_perturb(
    model: Classifier, former: dict[str, Tensor], *, generator: torch.Generator
) -> None:
    """Set the parameters to the former ones, shrunk, plus noise (Ash & Adams 2020).

    Running statistics of batch norm start anew; they follow the data within a few dozen steps.
    """
    for name, parameter in model.named_parameters():
        given = former.get(name)
        if given is not None and given.shape == parameter.shape:
            noise = torch.randn(parameter.shape, generator=generator) * NOISE_STD
            parameter.copy_(given.cpu() * SHRINK + noise)
        elif not name.startswith("head."):
            raise _misfit(name)


def _misfit(name: str) -> ValueError:
    return ValueError(
        f"The former model does not fit this architecture at {name}. "
        "Start from scratch after a change of architecture or image size."
    )
