"""Samples of a head scatter as Laplace's approximation says, with the whole Hessian."""

import torch
from torch import Tensor

from al_engine.training.head import train_head
from al_engine.training.posterior import sample_heads

CPU = torch.device("cpu")


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def few(count: int, width: int, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Overlapping classes in correlated features."""
    generator = torch.Generator().manual_seed(3)
    targets = torch.arange(count) % classes
    points = torch.randn(count, width, generator=generator)
    points[:, 0] += targets
    return points @ torch.randn(width, width, generator=generator) + 2, targets


def exact_covariance(head: dict[str, Tensor], features: Tensor, penalty: float) -> Tensor:
    """Of the logits of the features, (n C, n C): J H^-1 J' with the Hessian written out."""
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
    points = torch.cat([(features - mean) / deviation, torch.ones(len(features), 1)], dim=1)
    points = points.double()
    said = torch.nn.functional.linear(features, head["weight"], head["bias"]).softmax(1).double()
    classes = said.shape[1]
    each = [
        torch.kron(p.diag() - p.outer(p), x.outer(x)) for p, x in zip(said, points, strict=True)
    ]
    hessian = torch.stack(each).sum(dim=0)
    hessian.diagonal().add_(penalty)
    jacobian = torch.stack([torch.kron(torch.eye(classes).double(), x[None]) for x in points])
    jacobian = jacobian.flatten(0, 1)
    covariance: Tensor = jacobian @ torch.linalg.solve(hessian, jacobian.T)
    return covariance


def check_against_exact(count: int, width: int) -> None:
    features, targets = few(count, width)
    head = train_head(features, targets, classes=3, device=CPU, penalty=2.0)
    weight, bias = head.state["weight"], head.state["bias"]
    heads, biases = sample_heads(
        weight, bias, features, draws=8_000, generator=seeded(), penalty=2.0, tolerance=1e-3
    )
    logits = (heads @ features.T + biases[..., None]).mT.flatten(1).double()
    center = torch.nn.functional.linear(features, weight, bias).flatten().double()
    exact = exact_covariance(head.state, features, 2.0)
    deviation = exact.diagonal().sqrt()
    scale = deviation.outer(deviation)
    assert float(((torch.cov(logits.T) - exact) / scale).abs().max()) < 0.06
    assert float(((logits.mean(dim=0) - center) / deviation).abs().max()) < 0.05


def test_samples_scatter_as_the_exact_hessian_says_with_more_labels_than_features() -> None:
    check_against_exact(12, 4)


def test_samples_scatter_as_the_exact_hessian_says_with_fewer_labels_than_features() -> None:
    check_against_exact(5, 9)


def test_where_no_label_is_the_spread_is_that_of_the_penalty() -> None:
    features, targets = few(6, 40)
    head = train_head(features, targets, classes=3, device=CPU, penalty=4.0)
    heads, _ = sample_heads(
        head.state["weight"],
        head.state["bias"],
        features,
        draws=3_000,
        generator=seeded(),
        penalty=4.0,
    )
    centered = (features - features.mean(dim=0)) / features.std(dim=0, correction=0)
    outside = torch.linalg.svd(centered, full_matrices=True).Vh[-1]
    along = (heads * features.std(dim=0, correction=0)) @ outside
    assert torch.allclose(along.std(dim=0), torch.full((3,), 0.5), rtol=0.06)


def test_more_labels_leave_less_spread_and_equal_generators_draw_the_same() -> None:
    features, targets = few(300, 6)
    head = train_head(features, targets, classes=3, device=CPU, penalty=1.0).state

    def drawn(count: int) -> Tensor:
        heads, biases = sample_heads(
            head["weight"],
            head["bias"],
            features[:count],
            draws=50,
            generator=seeded(),
            penalty=1.0,
        )
        said: Tensor = heads @ features.T + biases[..., None]
        return said - said.mean(dim=1, keepdim=True)

    assert float(drawn(300).std(dim=0).mean()) < 0.4 * float(drawn(10).std(dim=0).mean())
    assert torch.equal(drawn(300), drawn(300))
    assert bool(torch.isfinite(drawn(0)).all())
