"""A head from the names of classes says what the two towers of a CLIP network say."""

from pathlib import Path

import pytest
import stand_in_open_clip as clip
import torch
from torch.nn.functional import normalize

from al_engine.architectures import text_tower
from al_engine.architectures.text_tower import NoTextTower
from al_engine.decisions.class_words import are_words

NAMES = ["cat", "golden_retriever", "teapot"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a site's own weights are; open_clip is there."""
    clip.install(monkeypatch)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    made = tmp_path / "hub" / "checkpoints"
    made.mkdir(parents=True)
    return made


def test_the_most_likely_class_is_that_of_the_closest_name(folder: Path) -> None:
    weights = clip.write_weights(folder)
    embeddings = torch.randn(200, 256, generator=torch.Generator().manual_seed(1))
    weight = text_tower.head_of_names(clip.FROZEN, NAMES, embeddings)
    assert weight.shape == (3, 256)

    tower = clip.TextTransformer(
        context_length=clip.LENGTH, vocab_size=clip.WORDS, width=8, output_dim=clip.COMMON
    )
    tower.load_state_dict({name: weights[name] for name in tower.state_dict()})
    prompts = ["a photo of a cat.", "a photo of a golden retriever.", "a photo of a teapot."]
    texts = normalize(tower(clip.SimpleTokenizer(clip.LENGTH)(prompts)), dim=1)
    images = normalize(embeddings @ weights["visual.proj"], dim=1)
    wanted = weights["logit_scale"].exp() * images @ texts.T
    found = embeddings @ weight.T
    assert torch.equal(found.argmax(dim=1), wanted.argmax(dim=1))
    # Up to the length of each image's own vector.
    assert (found / wanted).min() > 0.5
    assert (found / wanted).max() < 2


def test_what_is_missing_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ones = torch.ones(1, 256)
    clip.write_weights(folder, texts=False)
    with pytest.raises(NoTextTower, match="no text tower"):
        text_tower.head_of_names(clip.FROZEN, NAMES, ones)
    clip.write_weights(folder)
    monkeypatch.setattr(clip, "WORDS", 65)
    with pytest.raises(NoTextTower, match="pieces of words"):
        text_tower.head_of_names(clip.FROZEN, NAMES, ones)
    monkeypatch.setattr(text_tower, "find_spec", lambda _: None)
    with pytest.raises(NoTextTower, match="pip install"):
        text_tower.head_of_names(clip.FROZEN, NAMES, ones)


def test_only_frozen_networks_for_captions_may_have_one() -> None:
    assert text_tower.may_read("frozen:vit_base_patch32_clip_224.laion2b_s34b_b79k")
    for name in ("frozen:tf_efficientnet_lite0", "small_cnn", "probe:resnet18", "auto", ""):
        assert not text_tower.may_read(name)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["cat", "dog"], True),
        (["Katze", "Hund 2", "ящерица"], True),
        (["class cat"], True),
        (["cat", "3"], False),
        (["class_1", "class_2"], False),
        (["a", "b"], False),
        (["Label A", "Type-3"], False),
        ([], False),
    ],
)
def test_names_that_say_what_images_show(names: list[str], words: bool) -> None:
    assert are_words(names) is words
