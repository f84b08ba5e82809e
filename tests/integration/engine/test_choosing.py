"""What `auto` comes to: chosen once there are images, once for all processes, and said."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image as Pillow

from al_engine.architectures import hub
from al_engine.decisions.architecture import PUBLISHED
from al_engine.pools import campaigns, images, readings, status
from al_engine.pools.images import NewImage
from al_engine.pools.models import Campaign, EngineProcess
from al_engine.roles.choosing import settle, wait_for_choice
from al_engine.roles.life import Ending
from al_engine.roles.worker import work
from al_engine.strategies import UnknownStrategy
from annotator_site.monitor.selectors import read_state

from .conftest import MakeCampaign
from .people import join, label
from .roles import hosting, serving

pytestmark = pytest.mark.django_db(transaction=True)
CPU, GPU = torch.device("cpu"), torch.device("cuda")


def add_photographs(campaign: Campaign, count: int, *, side: int) -> None:
    """Colored noise, of the campaign's classes in turn: dark, bright."""
    noise = np.random.default_rng(0)
    choices = list(campaign.choices.all())
    new = []
    for number in range(count):
        bright = number % len(choices) * 20
        pixels = noise.integers(bright, bright + 60, (side, side, 3), dtype=np.uint8)
        out = io.BytesIO()
        Pillow.fromarray(pixels).save(out, "PNG")
        digest = hashlib.sha256(out.getvalue()).hexdigest()
        key = default_storage.save(
            f"images/{campaign.pk}/{digest}.png", ContentFile(out.getvalue())
        )
        known = choices[number % len(choices)].pk
        new.append(NewImage(digest, f"{number}.png", key, side, side // 2, 1, known))
    with images.adding(campaign_id=campaign.pk):
        images.add_images(campaign_id=campaign.pk, split="pool", images=new)


def test_nothing_is_chosen_before_the_first_image_and_all_take_what_the_first_chose(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=0, image_size=0)
    other = Campaign.objects.get(pk=campaign.pk)
    assert not settle(campaign, CPU)
    said: list[str] = []

    def say(what: str) -> None:
        said.append(what)
        add_photographs(campaign, 3, side=96)

    with Ending() as ending:
        ending.sleep = lambda seconds: None  # type: ignore[method-assign]
        wait_for_choice(campaign, CPU, ending=ending, say=say)
    assert said == ["waiting for images"]
    assert (campaign.model_architecture, campaign.model_image_size) == (PUBLISHED, 96)
    assert settle(other, GPU)
    assert other.chosen_because == campaign.chosen_because
    assert (other.architectures, other.model_architecture) == (["auto"], PUBLISHED)


def test_an_unknown_strategy_is_told_before_the_wait_for_images(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=0, image_size=0)
    with hosting(campaign, "instinct") as crew, pytest.raises(UnknownStrategy, match="instinct"):
        work(crew, "cpu", Ending())


def test_workers_say_what_auto_came_to(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=4)
    with hosting(campaign, "auto", "margin") as crew:
        crew.settle_strategies(published=True)
        assert [part.strategy for part in crew.parts] == ["uherding", "margin"]
        rows = EngineProcess.objects.filter(campaign=campaign).order_by("pk")
        assert list(rows.values_list("strategy", flat=True)) == ["uherding", "margin"]


def test_a_gpu_says_why_it_does_without_its_own_network(
    make_campaign: MakeCampaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(hub, "_downloads", {})
    campaign = make_campaign(pool=0, image_size=0)
    add_photographs(campaign, 2, side=96)
    assert settle(campaign, GPU)
    assert campaign.model_architecture == PUBLISHED
    assert "The GPU could use frozen:vit_small_patch14_dinov2" in campaign.chosen_because
    assert "http://127.0.0.1:9 did not send" in campaign.chosen_because


def test_a_server_learns_photographs_with_a_published_network(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=0, image_size=0)
    add_photographs(campaign, 40, side=64)
    settle(campaign, CPU)
    label(join(campaign), range(20))
    with serving(campaign) as server:
        version = server.step()
        assert version is not None, EngineProcess.objects.get(campaign=campaign).last_error
    assert version.architecture == PUBLISHED


def test_a_change_of_what_is_left_open_is_chosen_anew(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=4, image_size=0)
    assert settle(campaign, CPU)
    assert (campaign.model_architecture, campaign.model_image_size) == ("small_cnn", 8)
    campaign.title = "Other words"
    campaigns.save_settings(campaign=campaign)
    assert Campaign.objects.get(pk=campaign.pk).is_settled
    campaign.architectures = [PUBLISHED]
    campaigns.save_settings(campaign=campaign)
    assert not Campaign.objects.get(pk=campaign.pk).is_settled
    with serving(Campaign.objects.get(pk=campaign.pk)) as server:
        server.step()
    campaign.refresh_from_db()
    assert campaign.chosen_because == "images have 8 px on their longer side; it was set by hand."


def test_the_choice_and_what_does_not_fit_are_said(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=0, image_size=0)
    waiting = status.status(campaign)["network"]
    assert status.network_words(waiting) == "chosen automatically, once there are images"
    add_photographs(campaign, 3, side=300)
    settle(campaign, CPU)
    words = status.network_words(readings.read_network(campaign))
    assert words.startswith(f"{PUBLISHED} at 224 px, chosen automatically: images have 300 px")
    assert read_state(campaign.pk).campaign.network == words
    campaign.image_size = 32
    campaign.architectures = [PUBLISHED]
    campaigns.save_settings(campaign=campaign)
    found = [each for each in read_state(campaign.pk).findings if each.part == "servers"]
    assert any("Images of 300 px are reduced to 32 px" in each.words for each in found)
    assert status.network_words(readings.read_network(campaign)) == f"{PUBLISHED} at 32 px"
