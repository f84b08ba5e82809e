"""A probe: published weights, frozen, and a head that is trained on embeddings made once."""

from pathlib import Path

import pytest
import torch

from al_engine.pools import classes, versions
from al_engine.pools.models import Choice, EngineProcess, Query
from al_engine.training import checkpoint
from al_engine.training.devices import resolve

from .conftest import MakeCampaign
from .digits import true_choices
from .people import join, label
from .roles import serving, working

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_probe_keeps_its_backbone_and_learns_with_every_label(
    make_campaign: MakeCampaign, published_weights: Path
) -> None:
    campaign = make_campaign(pool=150, holdout=20, architectures=["probe:resnet18"])
    person = join(campaign)
    label(person, range(40))
    with serving(campaign) as server:
        first = server.step()
        label(person, range(40, 60))
        second = server.step()
    assert first is not None
    assert second is not None
    assert (first.trained_on, second.trained_on) == (40, 60)
    before, after = (
        checkpoint.from_bytes(versions.read_weights(version), device=resolve("cpu"))[0]
        for version in (first, second)
    )
    pairs = zip(before.backbone.parameters(), after.backbone.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert not torch.equal(before.head.weight, after.head.weight)
    with working(campaign, "margin") as workers:
        workers.step()
        assert workers.loop.model.version_number == second.version


def test_a_class_that_is_added_has_an_output_from_the_next_training_on(
    make_campaign: MakeCampaign, published_weights: Path
) -> None:
    campaign = make_campaign(pool=60, architectures=["probe:resnet18"])
    person = join(campaign)
    label(person, range(30))
    with serving(campaign) as server, working(campaign, "margin") as workers:
        assert server.step() is not None
        workers.step()
        there = list(campaign.choices.order_by("position"))
        classes.save_choices(campaign=campaign, choices=[*there, Choice(name="ten")])
        person.answer(person.take(1), true_choices(campaign))
        second = server.step()
        assert second is not None
        workers.step()
        assert workers.loop.model.version_number == second.version
    model, metadata = checkpoint.from_bytes(versions.read_weights(second), device=resolve("cpu"))
    assert model.classes == len(metadata.classes) == 11


def test_without_published_weights_a_server_says_what_to_do_and_goes_on(
    make_campaign: MakeCampaign, weights_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing answers there.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    campaign = make_campaign(pool=100, architectures=["probe:resnet18"])
    label(join(campaign), range(40))
    with serving(campaign) as server:
        assert server.step() is None
        told = EngineProcess.objects.get(campaign=campaign, role="server")
    with working(campaign, "margin") as workers:
        workers.step()
        drawn = Query.objects.filter(campaign=campaign, state="open")
        assert set(drawn.values_list("strategy", flat=True)) == {"random"}, "people go on"
    assert told.state == "training failed"
    assert str(weights_folder) in told.last_error
