"""A server trains on L whenever L has news, and publishes what it learned with an honest score."""

import pytest
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from torch import Tensor

from al_engine.pools import campaigns, versions
from al_engine.pools.models import Campaign, Consensus, EngineProcess, Image, ModelVersion
from al_engine.roles.labeled_set import LabeledSet
from al_engine.training import checkpoint
from al_engine.training.evaluate import wilson
from al_engine.training.loop import train
from al_engine.training.recipe import WarmStart, default_recipe

from .conftest import MakeCampaign
from .digits import as_the_models_see, replace_file
from .people import join, label
from .roles import (
    CPU,
    probabilities_by,
    publish_model,
    serving,
    share_right,
)

pytestmark = pytest.mark.django_db(transaction=True)


def state_of_server(campaign: Campaign) -> str:
    return EngineProcess.objects.get(campaign=campaign, role="server").state


def test_every_change_of_the_labels_brings_one_version(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=60, holdout=100)
    person = join(campaign)
    with serving(campaign) as server:
        assert server.step() is None
        assert state_of_server(campaign) == "waiting for 20 labels before the first model"

        labels = label(person, range(30))
        first = server.step()
        assert first is not None
        assert (first.version, first.labels_seen, first.trained_on) == (1, 30, 30)
        assert server.step() is None, "nothing changed"
        assert state_of_server(campaign) == "waiting for new labels"

        labels |= label(person, range(30, 60))
        second = server.step()
        assert second is not None
        assert (second.version, second.labels_seen) == (2, 60)
        assert server.step() is None

        person.undo(next(iter(labels.values())))
        third = server.step()
        assert third is not None
        assert (third.version, third.labels_seen) == (3, 59)
        assert server.step() is None


def test_what_a_killed_database_lost_is_lost_to_the_server_too(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=60, holdout=100)
    label(join(campaign), range(30))
    labels = LabeledSet(campaign.pk)
    labels.read_changes()
    changes = labels.changes
    assert len(labels) == 30
    # As after a crash: the newest are gone, and transactions are counted from an earlier one on.
    consensus = Consensus.objects.filter(campaign=campaign).order_by("pk")
    consensus.filter(pk__in=list(consensus.values_list("pk", flat=True)[:2])).delete()
    consensus.update(changed_in=1)
    labels.read_changes()
    assert len(labels) == 30, "over the same connection nothing can be lost"
    connection.close()
    labels.read_changes()
    assert len(labels) == 28
    assert labels.changes == changes + 2


def test_the_score_of_a_version_is_its_accuracy_on_the_holdout(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=200, holdout=150)
    with serving(campaign) as server:
        label(join(campaign), range(200))
        version = server.step()
    assert version is not None
    images, targets = as_the_models_see(range(200, 350))
    measured = share_right(probabilities_by(version, images), targets)
    assert version.accuracy == pytest.approx(measured)
    assert measured > 0.6, "it learned"
    low, high = wilson(round(measured * 150), 150)
    assert (version.accuracy_low, version.accuracy_high) == pytest.approx((low, high))
    assert version.audit_accuracy is None
    assert version.train_seconds > 0


def test_audit_labels_are_measured_on_and_never_trained_on(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=60)
    person = join(campaign)
    label(person, range(40))
    label(person, range(40, 60), purpose="audit")
    with serving(campaign) as server:
        version = server.step()
    assert version is not None
    assert (version.labels_seen, version.trained_on, version.audit_count) == (60, 40, 20)
    images, targets = as_the_models_see(range(40, 60))
    measured = share_right(probabilities_by(version, images), targets)
    assert version.audit_accuracy == pytest.approx(measured)
    assert version.audit_low is not None
    assert version.audit_high is not None
    assert version.audit_low <= measured <= version.audit_high
    assert version.accuracy is None, "there is no holdout"


def test_audit_labels_alone_train_nothing(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=40)
    label(join(campaign), range(40), purpose="audit")
    with serving(campaign) as server:
        assert server.step() is None
        assert server.step() is None


def test_a_campaign_of_which_only_one_class_was_seen_gets_a_model(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=30, holdout=30)
    choices = list(campaign.choices.all())
    label(join(campaign), range(30), choice=choices[3].pk)
    with serving(campaign) as server:
        version = server.step()
    assert version is not None
    images, _ = as_the_models_see(range(30, 60))
    said = probabilities_by(version, images)
    assert said.shape == (30, 10)
    assert set(said.argmax(dim=1).tolist()) == {3}


def test_a_class_that_nobody_chose_keeps_its_place_in_the_model(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=200)
    _, targets = as_the_models_see(range(200))
    without_zero = [position for position in range(200) if targets[position] != 0]
    label(join(campaign), without_zero)
    with serving(campaign) as server:
        version = server.step()
    assert version is not None
    _, metadata = checkpoint.from_bytes(versions.read_weights(version), device=CPU)
    assert metadata.classes == list(campaign.choices.values_list("pk", flat=True))
    images, truth = as_the_models_see(without_zero)
    assert share_right(probabilities_by(version, images), truth) > 0.6


def test_broken_and_vanished_images_are_left_out_and_the_rest_goes_on(
    make_campaign: MakeCampaign, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = make_campaign(pool=40, holdout=20)
    label(join(campaign), range(40))
    replace_file(campaign, 5, b"this is no image")
    replace_file(campaign, 6, None)
    replace_file(campaign, 45, b"\x89PNG\r\n\x1a\n cut short")
    replace_file(campaign, 46, None)
    with serving(campaign) as server:
        version = server.step()
    assert version is not None
    assert (version.labels_seen, version.trained_on) == (40, 38)
    images, targets = as_the_models_see([n for n in range(40, 60) if n not in (45, 46)])
    measured = share_right(probabilities_by(version, images), targets)
    assert version.accuracy == pytest.approx(measured)
    for place, kind in ((45, "damaged"), (46, "gone")):
        image = Image.objects.get(campaign=campaign, position=place)
        assert (image.state, image.excluded_for) == (Image.State.EXCLUDED, kind)
        assert image.problem
    assert Image.objects.get(campaign=campaign, position=6).state == Image.State.LABELED
    assert "2 images are set aside" in caplog.text


@pytest.mark.parametrize("warm_start", ["scratch", "shrink_perturb"])
def test_a_training_starts_from_where_the_campaign_says(
    make_campaign: MakeCampaign, warm_start: WarmStart
) -> None:
    campaign = make_campaign(pool=61, warm_start=warm_start)
    person = join(campaign)
    with serving(campaign) as server:
        label(person, range(30))
        first = server.step()
        label(person, range(30, 60))
        second = server.step()
    with serving(campaign) as server:
        assert server.step() is None, "the process before this one trained on all of it"
        label(person, range(60, 61))
        third = server.step()
    assert first is not None
    assert second is not None
    assert third is not None
    # Another process carries on from what is published.
    for version, labels, after, former in ((second, 60, 1, first), (third, 61, 0, second)):
        initial = former if warm_start == "shrink_perturb" else None
        by_hand = trained_by_hand(version, labels, after=after, initial=initial)
        assert same(weights_of(version), by_hand)


def test_a_warm_start_takes_only_weights_that_fit_and_are_whole(
    make_campaign: MakeCampaign, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = make_campaign(pool=30, warm_start="shrink_perturb")
    label(join(campaign), range(30))
    damaged = publish_model(campaign, seed=1)
    default_storage.delete(damaged.key)
    default_storage.save(damaged.key, ContentFile(b"not what was published"))
    publish_model(campaign, seed=2, architecture="resnet18")
    with serving(campaign) as server:
        version = server.step()
    assert version is not None
    assert same(weights_of(version), trained_by_hand(version, 30, after=0, initial=None))
    assert "This training starts from scratch" in caplog.text


def trained_by_hand(
    version: ModelVersion, labels: int, *, after: int, initial: ModelVersion | None
) -> dict[str, Tensor]:
    """The weights that the server of `version` makes of the first labels.

    `after` so many trainings of its process, and from `initial` if the campaign starts warm.
    """
    assert version.server_id is not None
    trained = train(
        *as_the_models_see(range(labels)),
        classes=10,
        recipe=default_recipe(
            "small_cnn",
            image_size=8,
            labels=labels,
            device=CPU,
            warm_start="scratch" if initial is None else "shrink_perturb",
        ),
        device=CPU,
        seed=version.server_id * 1_000_003 + after,
        initial=None if initial is None else weights_of(initial),
    )
    return trained.model.state_dict()


def weights_of(version: ModelVersion) -> dict[str, Tensor]:
    model, _ = checkpoint.from_bytes(versions.read_weights(version), device=CPU)
    return model.state_dict()


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(
        torch.equal(tensor, right[name]) for name, tensor in left.items()
    )


def test_nothing_is_trained_while_the_campaign_is_paused(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=30)
    label(join(campaign), range(30))
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.PAUSED)
    with serving(campaign) as server:
        assert server.step() is None
        assert state_of_server(campaign) == "the campaign is paused"
        campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.RUNNING)
        assert server.step() is not None


def test_a_training_waits_for_as_many_new_labels_as_the_campaign_wants(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=80, min_new_labels=25)
    person = join(campaign)
    with serving(campaign) as server:
        label(person, range(24))
        assert server.step() is None
        label(person, range(24, 25))
        assert server.step() is not None
        label(person, range(25, 49))
        assert server.step() is None
        label(person, range(49, 50))
        version = server.step()
    assert version is not None
    assert version.labels_seen == 50


def test_weights_that_no_row_names_are_in_nobodys_way(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=30)
    default_storage.save(f"models/{campaign.pk}/left-behind.safetensors", ContentFile(b"half"))
    label(join(campaign), range(30))
    with serving(campaign) as server:
        version = server.step()
    assert version is not None
    assert versions.newest(campaign=campaign) == version
    assert weights_of(version)
