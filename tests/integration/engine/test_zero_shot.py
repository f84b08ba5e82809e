"""Before any label a model is made of the names of the classes; labels bring a trained one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stand_in_open_clip as clip

from al_engine.architectures import text_tower
from al_engine.pools import versions
from al_engine.pools.models import Campaign, Choice, ModelVersion, Query
from al_engine.roles.campaign_embeddings import CampaignEmbeddings
from al_engine.roles.life import Ending
from al_engine.roles.serving import serve
from al_engine.roles.zero_shot import ZeroShot
from al_engine.training import checkpoint

from .conftest import MakeCampaign
from .digits import true_choices
from .people import join
from .roles import CPU, serving, working

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = [
    "nothing", "one stroke", "swan", "two bows", "chair", "five_ends", "cherry", "cliff",
    "snow man", "balloon",
]  # fmt: skip


@pytest.fixture
def clip_weights(weights_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights of both towers; open_clip is there."""
    clip.install(monkeypatch)
    clip.write_weights(weights_folder)
    return weights_folder


def make(make_campaign: MakeCampaign, pool: int = 40) -> Campaign:
    """A campaign of digits whose classes are called by words."""
    campaign = make_campaign(pool=pool, architectures=[clip.FROZEN])
    for choice, word in zip(campaign.choices.order_by("position"), WORDS, strict=True):
        Choice.objects.filter(pk=choice.pk).update(name=word)
    return campaign


def embed(campaign: Campaign, count: int) -> CampaignEmbeddings:
    images = CampaignEmbeddings(campaign, clip.FROZEN, CPU)
    images.available(np.arange(count))
    return images


def test_the_names_of_the_classes_choose_until_labels_do(
    make_campaign: MakeCampaign, clip_weights: Path
) -> None:
    campaign = make(make_campaign)
    with serving(campaign) as server, working(campaign, "margin") as workers:
        first = ZeroShot(campaign, server.server.part.id, CPU)
        embed(campaign, 20)
        assert first.publish_once() is None, "too few are embedded"
        images = embed(campaign, 40)
        version = first.publish_once()
        assert version is not None
        assert (version.labels_seen, version.trained_on, version.accuracy) == (0, 0, None)
        assert first.publish_once() is None
        model, metadata = checkpoint.from_bytes(versions.read_weights(version), device=CPU)
        assert metadata.classes == list(campaign.choices.values_list("pk", flat=True))
        logits = model.head(images.rows(np.arange(40)))
        assert logits.std(dim=1).min() > 0.1, "some names are closer than others"

        workers.step()
        chosen = Query.objects.filter(campaign=campaign, model_version=version)
        assert chosen.filter(strategy="margin").exists()
        person = join(campaign)
        person.answer(person.take(25), true_choices(campaign))
        trained = server.step()
        assert trained is not None
        workers.step()
        assert workers.loop.model.version_number == trained.version == 2


def test_a_version_that_is_there_is_not_followed_by_one_from_names(
    make_campaign: MakeCampaign, clip_weights: Path
) -> None:
    campaign = make(make_campaign, pool=4)
    embed(campaign, 4)
    with serving(campaign) as server:
        part = server.server.part.id
        assert ZeroShot(campaign, part, CPU).publish_once() is not None
        assert ZeroShot(campaign, part, CPU).publish_once() is None


class Once(Ending):
    """Ends after one step."""

    def repeat(self, step: Callable[[], None]) -> None:
        step()


@pytest.mark.parametrize(
    ("role", "index", "published"),
    [("selection", 0, 1), ("selection", 1, 0), ("delivery", 0, 0)],
)
def test_the_first_server_that_selects_publishes_it(
    make_campaign: MakeCampaign, clip_weights: Path, role: str, index: int, published: int
) -> None:
    campaign = make(make_campaign, pool=4)
    embed(campaign, 4)
    serve(
        campaign=campaign, name="server-1", role=role, device_name="cpu", architecture=None,
        index=index, servers=2, ending=Once(),
    )  # fmt: skip
    assert ModelVersion.objects.filter(campaign=campaign).count() == published


@pytest.mark.parametrize("why", ["numbers", "no text tower", "no open_clip", "another network"])
def test_without_words_or_a_tower_for_them_there_is_none(
    make_campaign: MakeCampaign,
    weights_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    why: str,
) -> None:
    clip.write_weights(weights_folder, texts=why != "no text tower")
    if why == "no open_clip":
        monkeypatch.setattr(text_tower, "find_spec", lambda _: None)
    else:
        clip.install(monkeypatch)
    campaign = make(make_campaign, pool=4)
    if why == "numbers":
        campaign.choices.filter(name="swan").update(name="class 2")
    elif why == "another network":
        Campaign.objects.filter(pk=campaign.pk).update(architectures=["small_cnn"])
        campaign.refresh_from_db()
    else:
        embed(campaign, 4)
    with serving(campaign) as server:
        assert ZeroShot(campaign, server.server.part.id, CPU).publish_once() is None
    assert not ModelVersion.objects.filter(campaign=campaign).exists()
    told = {"no text tower": "have no text tower", "no open_clip": "requirements-clip.txt"}
    assert told.get(why, "") in caplog.text


def test_weights_that_cannot_be_had_are_asked_for_again(
    make_campaign: MakeCampaign,
    weights_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clip.install(monkeypatch)
    campaign = make(make_campaign, pool=4)
    (weights_folder / f"{clip.NETWORK}.safetensors").write_bytes(b"no weights")
    with serving(campaign) as server:
        first = ZeroShot(campaign, server.server.part.id, CPU)
        assert first.publish_once() is None
        assert "not read for now" in caplog.text
        clip.write_weights(weights_folder)
        embed(campaign, 4)
        assert first.publish_once() is None, "not at once"
        first._again_at = 0.0
        assert first.publish_once() is not None
