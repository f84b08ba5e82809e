"""Several opinions on the same images: of several networks, or of one without parts of it."""

import random

import pytest
import torch

from al_engine.architectures import build
from al_engine.training.evaluate import predict, predict_with_features
from al_engine.training.opinions import align_classes, ask_committee, ask_with_dropout

CPU = torch.device("cpu")


def images(count: int = 20) -> torch.Tensor:
    """Noise."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=generator)


def test_a_committee_says_what_its_members_say() -> None:
    models = [build("small_cnn", classes=3, image_size=8) for _ in range(2)]
    said = ask_committee(models, images(), device=CPU)
    assert said.shape == (2, 20, 3)
    for model, opinion in zip(models, said, strict=True):
        assert torch.equal(opinion, predict(model, images(), device=CPU))
    with pytest.raises(ValueError, match="at least one model"):
        ask_committee([], images(), device=CPU)


@pytest.mark.parametrize("seed", range(40))
def test_models_of_any_lists_of_classes_are_compared_class_by_class(seed: int) -> None:
    chance = random.Random(seed)
    ids = chance.sample(range(100, 130), 12)
    has = chance.sample(ids, chance.randint(2, 9))
    wanted = chance.choice(
        [
            [*has, *(each for each in ids if each not in has)][: len(has) + chance.randint(1, 3)],
            chance.sample(has, len(has)),
            has[: chance.randint(1, len(has))],
            chance.sample(ids, chance.randint(2, 9)),
            [each for each in ids if each not in has],
        ]
    )
    model = build("small_cnn", classes=len(has), image_size=8)
    said = predict(model, images(), device=CPU)
    member = align_classes(model, has=has, wanted=wanted)
    common = [each for each in wanted if each in has]
    if not common:
        assert member is None
        return
    assert member is not None
    opinion = predict(member, images(), device=CPU)
    known = said[:, [has.index(each) for each in common]]
    there = [wanted.index(each) for each in common]
    assert opinion.shape == (20, len(wanted))
    assert torch.allclose(opinion[:, there], known / known.sum(dim=1, keepdim=True), atol=1e-5)
    assert torch.allclose(opinion.sum(dim=1), torch.ones(20), atol=1e-5)
    assert torch.equal(predict(model, images(), device=CPU), said)  # as it was


def test_opinions_by_dropout_scatter_around_what_the_whole_network_says() -> None:
    model = build("small_cnn", classes=3, image_size=8)
    whole, embeddings = predict_with_features(model, images(), device=CPU)
    said = ask_with_dropout(
        model.head, embeddings, count=400, generator=torch.Generator().manual_seed(2)
    )
    assert said.shape == (400, 20, 3)
    assert torch.allclose(said.sum(dim=2), torch.ones(400, 20), atol=1e-5)
    assert said.std(dim=0).min() > 1e-4
    assert torch.allclose(said.mean(dim=0), whole, atol=0.05)


def test_the_same_generator_gives_the_same_opinions() -> None:
    model = build("small_cnn", classes=3, image_size=8)
    _, embeddings = predict_with_features(model, images(), device=CPU)
    first, second = (
        ask_with_dropout(
            model.head, embeddings, count=3, generator=torch.Generator().manual_seed(3)
        )
        for _ in range(2)
    )
    assert torch.equal(first, second)
