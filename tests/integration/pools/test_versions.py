"""g*: published once and whole, found by the campaign's rule, damaged weights never used."""

import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import IntegrityError
from stock import make_campaign

from al_engine.pools import versions
from al_engine.pools.models import Campaign, EngineProcess, ModelVersion
from al_engine.pools.versions import Publication, Score, WeightsDamaged

from .conftest import in_background

WEIGHTS = bytes(range(256)) * 40


@pytest.fixture
def campaign() -> Campaign:
    """A campaign with two servers."""
    campaign = make_campaign()
    for name in ("server-1", "server-2"):
        EngineProcess.objects.create(campaign=campaign, role="server", name=name)
    return campaign


def publish(
    campaign: Campaign,
    weights: bytes = WEIGHTS,
    *,
    labels: int = 10,
    accuracy: float | None = None,
    server: int = 0,
    role: str = "selection",
    architecture: str = "small_cnn",
    audit: Score | None = None,
) -> ModelVersion:
    """Publish a model that saw so many labels."""
    servers = list(EngineProcess.objects.filter(campaign=campaign).order_by("name"))
    score = None if accuracy is None else Score(accuracy, accuracy - 0.1, accuracy + 0.1, 50)
    return versions.publish(
        campaign_id=campaign.pk,
        weights=weights,
        publication=Publication(
            server_id=servers[server].pk,
            architecture=architecture,
            labels_seen=labels,
            trained_on=labels - 1,
            train_seconds=1.5,
            holdout=score,
            audit=audit or score,
            role=role,
        ),
    )


def stored(version: ModelVersion) -> Path:
    """The file of a version's weights."""
    return settings.MEDIA_ROOT / version.key


def test_what_was_published_is_read_back_and_recorded(campaign: Campaign) -> None:
    version = publish(campaign, accuracy=0.75)
    version.refresh_from_db()
    assert versions.read_weights(version) == WEIGHTS
    assert (version.version, version.size, version.labels_seen, version.trained_on) == (
        *(1, len(WEIGHTS), 10, 9),
    )
    assert (version.accuracy, version.accuracy_low, version.accuracy_high) == (0.75, 0.65, 0.85)
    assert (version.audit_accuracy, version.audit_count) == (0.75, 50)
    assert version.server is not None
    assert version.server.name == "server-1"


def test_versions_are_numbered_within_their_campaign(campaign: Campaign) -> None:
    assert [publish(campaign).version for _ in range(3)] == [1, 2, 3]
    assert ModelVersion.objects.values("key").distinct().count() == 3, "the same bytes, too"
    other = make_campaign()
    EngineProcess.objects.create(campaign=other, role="server", name="server-1")
    assert publish(other).version == 1


def test_servers_that_publish_at_once_take_different_numbers(campaign: Campaign) -> None:
    ready = threading.Barrier(4)

    def publish_some(server: int) -> list[int]:
        ready.wait()
        return [publish(campaign, bytes([server]), server=server % 2).version for _ in range(5)]

    publishing = [in_background(publish_some, server) for server in range(4)]
    numbers = [number for each in publishing for number in each.result()]
    assert sorted(numbers) == list(range(1, 21))
    for version in ModelVersion.objects.all():
        assert len(versions.read_weights(version)) == 1


def test_a_publication_that_cannot_be_recorded_is_refused_instead_of_tried_for_ever(
    campaign: Campaign,
) -> None:
    server = EngineProcess.objects.all()[0].pk
    missing = Publication(server, None, 1, 1, 1.0, holdout=None, audit=None)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="architecture"):
        versions.publish(campaign_id=campaign.pk, weights=WEIGHTS, publication=missing)
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    ("choice", "newest"), [("latest", 4), ("most_labels", 3), ("best_validation", 2)]
)
def test_g_star_is_found_by_the_campaigns_rule(
    campaign: Campaign, choice: str, newest: int
) -> None:
    campaign.model_choice = choice
    assert versions.newest(campaign=campaign) is None
    for labels, accuracy in ((20, 0.5), (10, 0.9), (30, 0.7), (25, None)):
        publish(campaign, labels=labels, accuracy=accuracy)
    found = versions.newest(campaign=campaign)
    assert found is not None
    assert found.version == newest


@pytest.mark.parametrize("choice", Campaign.ModelChoice.values)
def test_among_equals_the_newer_is_g_star(campaign: Campaign, choice: str) -> None:
    campaign.model_choice = choice
    for _ in range(3):
        publish(campaign, labels=20, accuracy=0.5)
    found = versions.newest(campaign=campaign)
    assert found is not None
    assert found.version == 3


@pytest.mark.parametrize("choice", Campaign.ModelChoice.values)
def test_without_any_holdout_there_is_a_g_star_all_the_same(
    campaign: Campaign, choice: str
) -> None:
    campaign.model_choice = choice
    publish(campaign)
    publish(campaign)
    found = versions.newest(campaign=campaign)
    assert found is not None
    assert found.version == 2


@pytest.mark.parametrize("damage", ["truncated", "emptied", "one bit", "longer", "deleted"])
def test_damaged_weights_are_never_used(campaign: Campaign, damage: str) -> None:
    version = publish(campaign)
    file = stored(version)
    if damage == "truncated":
        file.write_bytes(WEIGHTS[:-1])
    elif damage == "emptied":
        file.write_bytes(b"")
    elif damage == "one bit":
        file.write_bytes(WEIGHTS[:5_000] + bytes([WEIGHTS[5_000] ^ 1]) + WEIGHTS[5_001:])
    elif damage == "longer":
        file.write_bytes(WEIGHTS + b"\0")
    else:
        file.unlink()
    with pytest.raises(WeightsDamaged, match=r"version 1 .*next published version replaces it"):
        versions.read_weights(version)


def test_pruning_keeps_the_newest_and_the_most_accurate(campaign: Campaign) -> None:
    made = [
        publish(campaign, bytes([place]), accuracy=accuracy)
        for place, accuracy in enumerate((0.1, 0.9, 0.2, None, 0.3, 0.4))
    ]
    assert versions.prune(campaign_id=campaign.pk, keep=2) == 3
    kept = {1, 4, 5}
    for place, version in enumerate(made):
        assert default_storage.exists(version.key) is (place in kept)
        version.refresh_from_db()
        assert bool(version.key) is (place in kept)
    assert ModelVersion.objects.count() == 6, "the history stays"
    assert versions.prune(campaign_id=campaign.pk, keep=2) == 0


@pytest.mark.parametrize("choice", Campaign.ModelChoice.values)
def test_what_is_pruned_is_not_g_star(campaign: Campaign, choice: str) -> None:
    campaign.model_choice = choice
    publish(campaign, labels=99)
    publish(campaign, labels=1, accuracy=0.1)
    versions.prune(campaign_id=campaign.pk, keep=1)
    found = versions.newest(campaign=campaign)
    assert found is not None
    assert found.version == 2


def test_there_is_nothing_to_prune_of_nothing(campaign: Campaign) -> None:
    assert versions.prune(campaign_id=campaign.pk) == 0


def test_workers_never_select_with_what_is_trained_for_delivery(campaign: Campaign) -> None:
    publish(campaign, accuracy=0.6)
    publish(campaign, accuracy=0.9, role="delivery")
    for choice in ("latest", "most_labels", "best_validation"):
        campaign.model_choice = choice
        found = versions.newest(campaign=campaign)
        assert found is not None
        assert found.version == 1


def test_taken_home_is_the_newest_for_delivery_else_the_most_accurate(campaign: Campaign) -> None:
    assert versions.deliverable(campaign=campaign) is None
    for accuracy in (0.7, 0.8, 0.6):
        publish(campaign, accuracy=accuracy)
    assert versions.deliverable(campaign=campaign) == ModelVersion.objects.get(version=2)
    for accuracy in (0.75, 0.72):
        publish(campaign, accuracy=accuracy, role="delivery")
    assert versions.deliverable(campaign=campaign) == ModelVersion.objects.get(version=5)
    for _ in range(5):
        publish(campaign)
    versions.prune(campaign_id=campaign.pk, keep=2)
    assert versions.deliverable(campaign=campaign) == ModelVersion.objects.get(version=5)


def test_best_audit_takes_the_newest_version_of_the_architecture_that_is_best_on_audits(
    campaign: Campaign,
) -> None:
    campaign.architectures, campaign.model_choice = ["auto", "vgg16", "resnet18"], "best_audit"
    campaign.chosen_architecture = "small_cnn"

    def of(name: str, *numbers: float) -> int:
        low, count = numbers
        score = Score(low + 0.05, low, low + 0.1, int(count))
        return publish(campaign, architecture=name, audit=score if count else None).version

    def chosen() -> int:
        found = versions.newest(campaign=campaign)
        assert found is not None
        return found.version

    of("vgg16", 0, 0)
    assert of("small_cnn", 0, 0) == chosen(), "the latest, without audits"
    lucky = of("vgg16", 0.95, 5)
    assert chosen() == lucky
    of("vgg16", 0.6, 40)
    assert of("small_cnn", 0.7, 41) == chosen(), "only the newest of each is compared"
    of("resnet18", 0.69, 400)
    assert of("small_cnn", 0.7, 42) == chosen()
    of("convnext_tiny", 0.99, 42)
    assert of("small_cnn", 0.7, 43) == chosen(), "no architecture of this campaign"
    publish(campaign, architecture="vgg16", role="delivery", audit=Score(1, 0.99, 1, 43))
    assert of("small_cnn", 0.7, 44) == chosen(), "not for selection"


def test_the_newest_of_each_architecture_outlives_many_versions_of_another(
    campaign: Campaign,
) -> None:
    slow = publish(campaign, architecture="resnet18")
    for _ in range(5):
        publish(campaign)
    assert versions.prune(campaign_id=campaign.pk, keep=2) == 3
    assert versions.stored(campaign_id=campaign.pk).filter(pk=slow.pk).exists()


def test_one_server_with_two_architectures_is_a_committee_of_these(campaign: Campaign) -> None:
    for name in ("small_cnn", "vgg16", "small_cnn"):
        publish(campaign, architecture=name)
    assert [v.version for v in versions.committee(campaign=campaign, size=3)] == [3, 2]


def test_a_committee_has_the_newest_of_each_server(campaign: Campaign) -> None:
    assert versions.committee(campaign=campaign, size=3) == []
    for server in (0, 0, 1, 0):
        publish(campaign, server=server)
    publish(campaign, server=1, role="delivery")
    numbers = [each.version for each in versions.committee(campaign=campaign, size=3)]
    assert numbers == [4, 3]


def test_a_single_servers_newest_versions_are_a_committee(campaign: Campaign) -> None:
    for _ in range(5):
        publish(campaign)
    numbers = [each.version for each in versions.committee(campaign=campaign, size=3)]
    assert numbers == [5, 4, 3]
