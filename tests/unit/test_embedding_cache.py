"""What a frozen backbone sees of an image is computed once."""

import numpy as np
import torch

from al_engine.architectures import Classifier, build
from al_engine.training.embedding_cache import EmbeddingCache, Positions, predict_from_embeddings
from al_engine.training.evaluate import predict_with_features

CPU = torch.device("cpu")
PIXELS = torch.randint(
    0, 256, (30, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
)


def network(seed: int) -> Classifier:
    """A small network whose backbone counts as frozen."""
    torch.manual_seed(seed)
    model = build("small_cnn", classes=4, image_size=8)
    model.freeze_backbone()
    return model.eval()


class Reader:
    """Gives images and remembers which were asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, positions: Positions) -> torch.Tensor:
        self.asked += positions.tolist()
        return PIXELS[torch.from_numpy(positions)]


def at(*positions: int) -> Positions:
    """Positions as an array."""
    return np.array(positions, dtype=np.int64)


def test_embeddings_are_those_of_the_backbone_and_each_image_is_read_once() -> None:
    cache, read, model = EmbeddingCache(), Reader(), network(1)
    _, expected = predict_with_features(model, PIXELS, device=CPU)
    first = cache.of(model, at(3, 1, 3), read, device=CPU)
    assert torch.allclose(first, expected[[3, 1, 3]], atol=2e-3, rtol=2e-3)
    cache.of(model, at(1, 29, 3), read, device=CPU)
    assert sorted(read.asked) == [1, 3, 29]


def test_another_backbone_begins_anew() -> None:
    cache, read = EmbeddingCache(), Reader()
    cache.of(network(1), at(5), read, device=CPU)
    other = network(2)
    _, expected = predict_with_features(other, PIXELS, device=CPU)
    assert torch.allclose(
        cache.of(other, at(5), read, device=CPU), expected[[5]], atol=2e-3, rtol=2e-3
    )
    assert read.asked == [5, 5]


def test_another_head_on_the_same_backbone_finds_everything_there() -> None:
    cache, read, model = EmbeddingCache(), Reader(), network(1)
    cache.of(model, at(5, 6), read, device=CPU)
    with torch.no_grad():
        model.head.weight.mul_(2)
    cache.of(model, at(6, 5), read, device=CPU)
    assert read.asked == [5, 6]


def test_nothing_asked_gives_nothing() -> None:
    assert EmbeddingCache().of(network(1), at(), Reader(), device=CPU).shape == (0, 128)


def test_the_head_says_of_embeddings_what_the_model_says_of_images() -> None:
    model = network(1)
    whole, embeddings = predict_with_features(model, PIXELS, device=CPU)
    assert torch.allclose(predict_from_embeddings(model, embeddings, device=CPU), whole, atol=1e-6)
    softer = predict_from_embeddings(model, embeddings, device=CPU, temperature=5.0)
    assert (softer.amax(dim=1) <= whole.amax(dim=1) + 1e-6).all()
