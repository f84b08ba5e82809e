"""A frozen backbone's model alone has several opinions: samples of its head, not dropout."""

import pytest
import torch
from torch import Tensor, nn

from al_engine.architectures import Classifier
from al_engine.strategies import Evidence
from al_engine.training.embedding_cache import Positions
from al_engine.training.head import train_head
from al_engine.training.scoring import OPINIONS_OF_ONE, Scorer

CPU = torch.device("cpu")
FAR = 40.0


def not_read(positions: Positions) -> Tensor:
    raise AssertionError("no image is read for it")


def fitted() -> tuple[Classifier, Tensor]:
    """A frozen model, and the embeddings of its labels: two clouds."""
    generator = torch.Generator().manual_seed(1)
    targets = torch.arange(40) % 2
    labeled = torch.randn(40, 12, generator=generator) + 4.0 * targets[:, None]
    model = Classifier(nn.Flatten(), width=12, classes=2)
    model.freeze_backbone()
    model.head.load_state_dict(train_head(labeled, targets, classes=2, device=CPU).state)
    return model, labeled


@pytest.mark.parametrize("strategy", ["bald", "committee"])
def test_opinions_differ_where_labels_are_not(strategy: str) -> None:
    model, labeled = fitted()
    across = torch.tensor([1.0, -1.0] * 6)
    asked = torch.stack([labeled[0], labeled[1], labeled.mean(dim=0) + FAR * across])
    probabilities = model.head(asked).softmax(dim=1).detach()
    scorer = Scorer(not_read, device=CPU, generator=torch.Generator().manual_seed(2))
    evidence = scorer.complete(
        Evidence(probabilities, embeddings=asked),
        strategy,
        model,
        torch.arange(3).numpy(),
        members=lambda _: None,
        labeled=lambda: labeled,
    )
    assert evidence.members is not None
    assert evidence.members.shape == (OPINIONS_OF_ONE, 3, 2)
    near, _, far = evidence.members.std(dim=0)[:, 0]
    assert float(far) > 3 * float(near) > 0
