"""A server with several architectures, and workers that select with whichever is g*."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
import torch
from django.core.management import call_command
from django.db import connection

from al_engine.pools import classes, processes, versions
from al_engine.pools.learners import learner_words, read_learners
from al_engine.pools.models import Choice, EngineProcess, ModelVersion, Query
from al_engine.pools.signals import listening
from al_engine.roles.life import Ending
from al_engine.roles.server import Server
from al_engine.training import checkpoint, recipe
from al_engine.training.devices import resolve

from .conftest import MakeCampaign
from .digits import true_choices
from .people import join, label
from .roles import Serving, serving, working

pytestmark = pytest.mark.django_db(transaction=True)

PROBE: Final = "probe:resnet18"
HEADS: Final = [PROBE, f"{PROBE}+means", f"{PROBE}+kernel"]


def trained(server: Serving, count: int) -> list[ModelVersion]:
    """The versions of the next trainings, after which there is nothing to train."""
    made = [version for _ in range(count) if (version := server.step()) is not None]
    assert len(made) == count
    return made


def test_a_server_trains_its_architectures_in_turn_and_workers_follow_from_one_to_the_next(
    make_campaign: MakeCampaign, published_weights: Path, tmp_path: Path
) -> None:
    campaign = make_campaign(pool=150, holdout=20, architectures=HEADS)
    person = join(campaign)
    label(person, range(40))
    with serving(campaign) as server, working(campaign, "margin", "committee", "bald") as workers:
        for name in HEADS:
            (version,) = trained(server, 1)
            assert (version.architecture, version.trained_on) == (name, 40)
            workers.step()
            assert workers.loop.model.version_number == version.version
        assert len(workers.loop.model.committee) == 3
        assert server.server.has_news() is False
        person.answer(person.take(1), true_choices(campaign))
        assert [each.architecture for each in trained(server, 3)] == HEADS
    assert set(Query.objects.filter(campaign=campaign).values_list("strategy", flat=True)) >= {
        *("margin", "committee", "bald"),
    }
    with serving(campaign) as server:
        assert server.server.has_news() is False, "a restart trains nothing again"
    kernel = ModelVersion.objects.get(campaign=campaign, version=6)
    output = tmp_path / "model.safetensors"
    call_command("export_model", campaign.slug, output=output, model=6)
    pictures = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    own, whole = (
        checkpoint.from_bytes(data, device=resolve("cpu"))[0]
        for data in (versions.read_weights(kernel), output.read_bytes())
    )
    with torch.inference_mode():
        assert torch.allclose(own(pictures / 255), whole(pictures / 255), atol=1e-5)


def test_servers_share_the_architectures_and_one_that_is_added_is_trained_next(
    make_campaign: MakeCampaign, published_weights: Path
) -> None:
    campaign = make_campaign(pool=60, architectures=["small_cnn", f"{PROBE}+means"], image_size=8)
    label(join(campaign), range(30))
    with serving(campaign) as server, working(campaign, "committee") as workers:
        assert [each.architecture for each in trained(server, 2)] == campaign.architectures
        workers.step()
        assert workers.loop.model.version_number == 2
        workers.loop.model._sights[PROBE].available(torch.arange(60).numpy(), seconds=30.0)
        campaign.architectures = ["small_cnn", f"{PROBE}+kernel"]
        campaign.save()
        assert trained(server, 1)[0].architecture == f"{PROBE}+kernel"
        there = list(campaign.choices.order_by("position"))
        classes.save_choices(campaign=campaign, choices=[*there, Choice(name="ten")])
        person = join(campaign)
        person.answer(person.take(1), true_choices(campaign))
        added = trained(server, 2)
        workers.step()
        assert workers.loop.model.version_number == added[-1].version
    model, metadata = checkpoint.from_bytes(versions.read_weights(added[-1]), device=resolve("cpu"))
    assert model.classes == len(metadata.classes) == 11


def test_an_architecture_that_cannot_be_trained_does_not_hold_up_the_others(
    make_campaign: MakeCampaign, weights_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    campaign = make_campaign(pool=60, architectures=[f"{PROBE}+means", "small_cnn"], image_size=8)
    label(join(campaign), range(30))
    with serving(campaign) as server:
        assert server.step() is None
        told = EngineProcess.objects.get(campaign=campaign, role="server")
        assert str(weights_folder) in told.last_error
        assert trained(server, 1)[0].architecture == "small_cnn"


def test_a_network_for_delivery_learns_on_while_nobody_needs_the_processor(
    make_campaign: MakeCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "_FINETUNING_STEPS", 2)
    campaign = make_campaign(
        pool=60,
        holdout=20,
        architectures=["small_cnn"],
        delivery_architecture="finetuned:tf_efficientnet_lite0",
    )
    label(join(campaign), range(20))
    with serving(campaign) as selecting:
        trained(selecting, 1)
    busy = processes.register(campaign_id=campaign.pk, role="server", name="server-7")
    part = processes.register(campaign_id=campaign.pk, role="server", name="delivery-1")
    processes.report(process_id=busy.id, state="training small_cnn on 20 labels: 10%")
    with ThreadPoolExecutor(1) as beside, listening(campaign.pk) as listener:
        waited = beside.submit(let_go_once_it_waits, part.id, busy.id)
        delivering = Serving(
            Server(
                campaign, part, resolve("cpu"), campaign.delivery_architecture, Ending(), "delivery"
            ),
            listener,
        )
        (version,) = trained(delivering, 1)
        assert waited.result() == (
            "finetuned:tf_efficientnet_lite0 waits for the processor: a server trains"
        )
        assert (version.role, version.trained_on) == ("delivery", 20)
        person = join(campaign)
        label(person, range(20, 21))
        assert delivering.step() is None, "a single label is no reason for minutes of training"
    selection, delivery = read_learners(campaign)
    assert (selection["role"], selection["gain"]) == ("selection", None)
    more = delivery["gain"]
    assert more is not None
    assert (more["on"], more["over"]) == ("holdout", "small_cnn")
    assert more["low"] < more["accuracy"] < more["high"]
    assert "for delivery: " in learner_words(delivery)
    model, _ = checkpoint.from_bytes(versions.read_weights(version), device=resolve("cpu"))
    assert not model.frozen_backbone


def let_go_once_it_waits(waiting: int, busy: int) -> str:
    """What a process says while it waits for another one, which then has done."""
    ends = time.monotonic() + 20
    try:
        while "waits" not in (state := EngineProcess.objects.get(pk=waiting).state):
            assert time.monotonic() < ends, state
            processes.report(process_id=busy)  # its heart beats
            time.sleep(0.05)
        processes.report(process_id=busy, state="waiting for new labels")
        return state
    finally:
        connection.close()
