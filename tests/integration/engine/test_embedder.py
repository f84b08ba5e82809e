"""A frozen backbone sees every image once, in the background, and all processes use that."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from al_engine.pools import versions
from al_engine.pools.models import Campaign, EngineProcess, Image, Query
from al_engine.roles import embedder as embedder_role
from al_engine.roles.campaign_embeddings import CampaignEmbeddings
from al_engine.roles.embedder import BLOCK_IMAGES, Embedder, span
from al_engine.training import checkpoint
from al_engine.training.devices import resolve

from .conftest import MakeCampaign
from .digits import replace_file, true_choices
from .people import ask, join, label
from .roles import CPU, embedding, serving, working

pytestmark = pytest.mark.django_db(transaction=True)
PROBE = "probe:resnet18"


@pytest.fixture(autouse=True)
def all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embedders report all that they do."""
    monkeypatch.setattr(embedder_role, "_SAY_EVERY_SECONDS", 0.0)


def row(campaign: Campaign) -> EngineProcess:
    return EngineProcess.objects.get(campaign=campaign, role="embedder")


def embedded(embedder: Embedder, count: int) -> list[int]:
    return [int(place) for place in embedder.images.ready(np.arange(count))]


def finish(embedder: Embedder) -> None:
    """Steps until nothing is missing."""
    while not row(embedder.campaign).state.startswith("all "):
        embedder.step()
        assert not row(embedder.campaign).last_error


def test_what_somebody_waits_for_comes_first_then_all_in_order_with_progress(
    make_campaign: MakeCampaign, published_weights: Path
) -> None:
    campaign = make_campaign(pool=190, holdout=10, architectures=[PROBE])
    label(join(campaign), range(100, 130))
    ask(campaign, [150])
    with embedding(campaign) as embedder:
        embedder.step()
        first = [*range(100, 130), 150, *range(190, 200)]
        assert embedded(embedder, 200) == first
        assert row(campaign).state == "embedding images: 41 of 200"
        embedder.step()
        assert embedded(embedder, 200) == sorted([*first, *range(BLOCK_IMAGES)])
        assert row(campaign).state.startswith(f"embedding images: {41 + BLOCK_IMAGES} of 200, ")
        assert row(campaign).state.endswith(" s left")
        finish(embedder)
        assert row(campaign).state == "all 200 images are embedded"
        assert embedded(embedder, 200) == list(range(200))
        # Another process of this machine finds them there.
        assert CampaignEmbeddings(campaign, PROBE, CPU).file.count_filled() == 200


def test_an_image_that_cannot_be_read_is_set_aside_and_keeps_no_other(
    make_campaign: MakeCampaign, published_weights: Path
) -> None:
    campaign = make_campaign(pool=40, architectures=[PROBE])
    replace_file(campaign, 3, None)
    replace_file(campaign, 5, b"no picture")
    with embedding(campaign) as embedder:
        finish(embedder)
        assert embedded(embedder, 40) == [p for p in range(40) if p not in (3, 5)]
    aside = Image.objects.filter(campaign=campaign, state="excluded")
    assert sorted(aside.values_list("position", flat=True)) == [3, 5]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_with_a_full_disk_it_says_what_to_do_and_labels_are_trained_on(
    make_campaign: MakeCampaign,
    published_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedder_role, "ASK_STORAGE_AGAIN_SECONDS", 0.0)
    campaign = make_campaign(pool=150, architectures=[PROBE])
    person = join(campaign)
    label(person, range(40))
    with embedding(campaign) as embedder:
        embedder.step()
        assert embedded(embedder, 150) == list(range(40))
        label(person, range(40, 50))
        embedder._urgent_read_at = float("-inf")
        with full_disk():
            embedder.step()
        assert row(campaign).state == "waiting for the storage"
        assert "Make room on that disk" in row(campaign).last_error
        with serving(campaign) as server, monkeypatch.context() as patch:
            # Only the embeddings' disk is full: the models are stored elsewhere.
            patch.setattr(os, "pwrite", _refuse)
            version = server.step()
        assert version is not None
        assert (version.labels_seen, version.trained_on) == (50, 40)
        monkeypatch.setattr(embedder.images, "_later", {})
        embedder._urgent_read_at = float("-inf")
        embedder.step()
        assert embedded(embedder, 50) == list(range(50))


def _refuse(*_: object) -> int:
    raise OSError(28, os.strerror(28))


def test_workers_choose_only_from_what_is_embedded_and_servers_judge_by_it(
    make_campaign: MakeCampaign, published_weights: Path
) -> None:
    campaign = make_campaign(pool=240, holdout=20, architectures=[PROBE], strategies=["margin"])
    person = join(campaign)
    with (
        embedding(campaign) as embedder,
        serving(campaign) as server,
        working(campaign, "margin") as workers,
    ):
        workers.step()
        drawn = Query.objects.filter(campaign=campaign)
        assert set(drawn.values_list("strategy", flat=True)) == {"random"}
        truth = true_choices(campaign)
        person.answer(person.take(40), truth)
        first = server.step()
        while first is not None and first.trained_on < 40:
            first = server.step()
        assert first is not None
        assert (first.trained_on, first.accuracy) == (40, None), "the holdout is not embedded"
        there = set(embedded(embedder, 240))
        workers.step()
        assert workers.loop.model.version_number == first.version
        assert not _chosen(campaign) - there
        finish(embedder)
        person.answer(person.take(5), truth)
        second = server.step()
        assert second is not None
        assert second.accuracy is not None
        workers.step()
        assert _chosen(campaign) - there
    data = versions.read_weights(second)
    assert len(data) < 50_000, "the head alone"
    model, metadata = checkpoint.from_bytes(data, device=resolve("cpu"))
    assert metadata.backbone == embedder.images.backbone.sha256
    assert model.backbone is embedder.images.backbone.with_head(1).backbone


def _chosen(campaign: Campaign) -> set[int]:
    """Positions of the images that a model chose."""
    queries = Query.objects.filter(campaign=campaign, strategy="margin", state="open")
    return set(queries.values_list("image__position", flat=True))


def test_times_are_said_as_people_say_them() -> None:
    assert [span(seconds) for seconds in (3.4, 99, 720, 7200)] == ["3 s", "99 s", "12 min", "2 h"]
