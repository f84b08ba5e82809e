"""One process embeds the images of all campaigns of a machine, and loads each backbone once."""

from pathlib import Path

import pytest

from al_engine.pools.lookup import unfinished
from al_engine.pools.models import Campaign, EngineProcess
from al_engine.roles import embedder as embedder_role
from al_engine.roles.embedder import BLOCK_IMAGES
from al_engine.roles.embedders import Embedders
from al_engine.roles.life import Ending

from .conftest import MakeCampaign
from .people import ask, join
from .roles import CPU

pytestmark = pytest.mark.django_db(transaction=True)
PROBE = "probe:resnet18"
POOL = BLOCK_IMAGES + 10


def row(campaign: Campaign) -> EngineProcess:
    return EngineProcess.objects.get(campaign=campaign, role="embedder")


def done(embedders: Embedders) -> dict[int, int]:
    """How many images are embedded, by campaign."""
    return {
        campaign_id: embedder.images.file.count_filled()
        for (campaign_id, _, _), embedder in embedders._embedders.items()
    }


def test_campaigns_with_people_come_first_and_share_one_backbone(
    make_campaign: MakeCampaign, published_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedder_role, "_SAY_EVERY_SECONDS", 0.0)
    quiet, busy = (make_campaign(pool=POOL, architectures=[PROBE]) for _ in range(2))
    make_campaign(pool=4, architectures=["small_cnn"])
    ask(busy, [1, 2])
    assert join(busy).take(1)
    embedders = Embedders(lambda: unfinished(()), CPU, Ending())
    embedders.find()
    assert embedders.embed()
    assert set(done(embedders)) == {quiet.pk, busy.pk}
    assert done(embedders)[quiet.pk] == 0
    assert done(embedders)[busy.pk] > 0
    while embedders.embed():
        pass
    # What somebody looks at is neither in D nor labeled yet.
    assert done(embedders) == {quiet.pk: POOL, busy.pk: POOL - 1}
    assert row(quiet).idle
    assert row(busy).idle
    backbones = {embedder.images.backbone for embedder in embedders._embedders.values()}
    assert len(backbones) == 1


def test_a_backbone_that_cannot_be_had_keeps_no_other_campaign(
    make_campaign: MakeCampaign, published_weights: Path
) -> None:
    lost, there = (
        make_campaign(pool=4, architectures=[name]) for name in ("probe:no_such_network", PROBE)
    )
    embedders = Embedders(lambda: unfinished([lost.slug, there.slug]), CPU, Ending())
    embedders.find()
    while embedders.embed():
        pass
    assert done(embedders) == {there.pk: 4}
    assert (row(lost).state, row(lost).idle) == ("waiting for the backbone", False)
    assert row(lost).last_error
    Campaign.objects.filter(pk=lost.pk).update(state=Campaign.State.FINISHED)
    embedders.find()
    assert row(lost).state == "stopped"
    assert [part.id for part in embedders.parts] == [row(there).pk]
