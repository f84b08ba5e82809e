"""`partition = clusters`: a cell has images that look alike, and nothing in S changes its cell."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from al_engine.pools import unlabeled
from al_engine.pools.models import Campaign, Image, Query
from al_engine.roles import partition
from al_engine.roles.partition import NotEmbedded, move_into_clusters, start_clustering

from .conftest import MakeCampaign
from .people import ask
from .roles import CPU, embedding, working

pytestmark = pytest.mark.django_db(transaction=True)


def purity(campaign: Campaign) -> float:
    """Of the images of D, the share that has the commonest class of its cell."""
    rows = Image.objects.filter(campaign=campaign, state="unlabeled")
    counts: dict[int, Counter[int | None]] = {}
    for cell, choice in rows.values_list("cell", "known_choice_id"):
        counts.setdefault(cell, Counter())[choice] += 1
    return sum(max(each.values()) for each in counts.values()) / rows.count()


def test_a_cell_has_images_that_look_alike(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=1_000)
    by_hash = purity(campaign)
    assert move_into_clusters(campaign, CPU) > 900
    assert purity(campaign) > 0.8 > by_hash
    assert move_into_clusters(campaign, CPU) == 0, "it is done once"


def test_what_is_asked_keeps_its_cell(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=300)
    ask(campaign, range(40))
    before = dict(Query.objects.values_list("image__position", "image__cell"))
    move_into_clusters(campaign, CPU)
    assert dict(Query.objects.values_list("image__position", "image__cell")) == before


def test_many_new_images_are_a_reason_to_do_it_again(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=400)
    move_into_clusters(campaign, CPU)
    for image in Image.objects.filter(campaign=campaign, position__gte=300):
        Image.objects.filter(pk=image.pk).update(cell=unlabeled.cell_of(image.sha256))
    assert move_into_clusters(campaign, CPU) > 50


def test_people_are_served_while_the_clusters_are_made(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=600, partition="clusters")
    with working(campaign, "margin", "random") as workers:
        thread = start_clustering(campaign, CPU)
        workers.step()
        thread.join()
        workers.step()
        assert Query.objects.filter(campaign=campaign, state="open").count() == 100
    assert purity(campaign) > 0.8


def test_with_a_frozen_backbone_images_are_alike_once_they_are_embedded(
    make_campaign: MakeCampaign, published_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "ASK_AGAIN_SECONDS", 0.01)
    campaign = make_campaign(pool=300, architectures=["probe:resnet18"], partition="clusters")
    by_hash = purity(campaign)
    with embedding(campaign) as embedder:
        embedder.images.available(np.arange(200))
        with pytest.raises(NotEmbedded, match="200 of 300"):
            move_into_clusters(campaign, CPU)
        thread = start_clustering(campaign, CPU)
        embedder.images.available(np.arange(290))
    thread.join()
    rows = Image.objects.filter(campaign=campaign).values_list("position", "sha256", "cell")
    stay = [place for place, sha256, cell in rows if cell == unlabeled.cell_of(sha256)]
    assert {*range(290, 300)} <= {*stay}
    assert len(stay) < 40
    assert purity(campaign) > 1.5 * by_hash


def test_without_its_backbone_images_stay_where_they_are(
    make_campaign: MakeCampaign, weights_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = make_campaign(pool=20, architectures=["probe:resnet18"], partition="clusters")
    start_clustering(campaign, CPU).join()
    assert "No clusters for now" in caplog.text
