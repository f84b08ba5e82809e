"""The heads by name, each fitted to all labels at once: what an architecture ends with."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from al_engine.architectures import Classifier
from al_engine.training.head import train_head
from al_engine.training.kernel_ridge import fit_kernel
from al_engine.training.means import fit_means
from al_engine.training.penalty import PenaltyMemory


@dataclass(frozen=True, slots=True)
class FittedHead:
    """A linear head (C, k) and (C,), the kernel before it if there is one, steps and mean loss.

    `loss` in nats: of the logistic head on its labels, of the others on labels that were left out.
    """

    state: dict[str, Tensor]
    kernel: nn.Module
    steps: int
    loss: float


def fit_head(
    head: str,
    features: Tensor,
    targets: Tensor,
    *,
    weights: Tensor,
    classes: int,
    device: torch.device,
    former: dict[str, Tensor] | None = None,
    penalty: PenaltyMemory | None = None,
) -> FittedHead:
    """Fit a head to features, float (n, d), targets int64 (n,), weights float (n,), n >= 1.

    `head`: "" for multinomial logistic regression, which starts from `former`, the state of an
    earlier one, with the penalty that it remembers; `means` or `kernel`. Only if all weights are 0
    do labels of weight 0 count. Raises ValueError for another head.
    """
    if not head:
        found = train_head(
            features,
            targets,
            weights=weights,
            classes=classes,
            device=device,
            former=former,
            penalty=penalty,
        )
        return FittedHead(found.state, nn.Identity(), found.steps, found.loss)
    trust = weights.float().cpu()
    counted = trust > 0 if bool((trust > 0).any()) else trust >= 0
    rows = features[counted.to(features.device)].to(device).float()
    truth = targets[counted.to(targets.device)].to(device)
    trust = trust[counted].clamp_min(torch.finfo(torch.float32).tiny).to(device)
    trust = trust * (len(trust) / trust.sum())
    if head == "means":
        means = fit_means(rows, truth, trust, classes=classes)
        return FittedHead(_state(means.weight, means.bias), nn.Identity(), 1, means.loss)
    if head == "kernel":
        kernel = fit_kernel(rows, truth, trust, classes=classes)
        return FittedHead(_state(kernel.weight, kernel.bias), kernel.kernel, 1, kernel.loss)
    raise ValueError(f"There is no head named {head!r}.")


def put_on(model: Classifier, fitted: FittedHead) -> None:
    """Give a model this head; its backbone stays."""
    weight = fitted.state["weight"]
    if model.head.weight.shape != weight.shape:
        with torch.device("meta"):  # draws no weights
            head = nn.Linear(weight.shape[1], weight.shape[0])
        model.head = head.to_empty(device=model.head.weight.device)
    model.head.load_state_dict(fitted.state)
    model.kernel = fitted.kernel


def _state(weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    return {"weight": weight.cpu(), "bias": bias.cpu()}
