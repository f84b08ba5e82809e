"""Workers give every strategy what it needs, hand over by themselves, and ask no image twice."""

import pytest
import torch
from django.core.files.storage import default_storage

from al_engine import strategies
from al_engine.decisions.refill import COLD_FLOOR, DEPTH_FLOOR
from al_engine.pools.classes import save_choices
from al_engine.pools.models import Campaign, Choice, EngineProcess, Image, ModelVersion, Query
from al_engine.roles.campaign_embeddings import CampaignEmbeddings

from .conftest import MakeCampaign
from .digits import replace_file
from .people import join, label
from .roles import CPU, filling, publish_model, working

pytestmark = pytest.mark.django_db(transaction=True)


def chosen_by(campaign: Campaign) -> dict[str, int]:
    """How many open queries each strategy chose."""
    counts: dict[str, int] = {}
    for name in Query.objects.filter(campaign=campaign, state="open").values_list(
        "strategy", flat=True
    ):
        counts[name] = counts.get(name, 0) + 1
    return counts


@pytest.mark.parametrize("name", sorted({*strategies.names()} - {"typiclust", "herding"}))
def test_every_strategy_fills_s_with_a_model(make_campaign: MakeCampaign, name: str) -> None:
    campaign = make_campaign(pool=300)
    label(join(campaign), range(5))
    publish_model(campaign, seed=1)
    with working(campaign, name) as workers:
        workers.step()
    assert chosen_by(campaign)[name] >= DEPTH_FLOOR - 5
    images = Query.objects.filter(campaign=campaign, state="open").values_list("image", flat=True)
    assert len(set(images)) == len(images)


def test_typical_images_are_asked_first_and_doubtful_ones_once_there_is_a_model(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=COLD_FLOOR + 100)
    # Before anybody is ready to look.
    with filling(campaign, "typiclust") as filler:
        filler.fill()
        assert chosen_by(campaign) == {"random": COLD_FLOOR}
    with working(campaign, "typiclust") as workers:
        person = join(campaign)
        held = person.take(20)
        workers.step()
        by = chosen_by(campaign)
        assert by["typiclust"] >= 20
        publish_model(campaign, seed=1)
        workers.step()
    # What it would choose as well stays, as somebody else's choice.
    assert chosen_by(campaign)["margin"] >= 20
    still_held = Query.objects.filter(turns__state="leased").count()
    assert still_held == len(held) == 20


def test_between_two_passes_before_the_first_model_typical_images_follow(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=300)
    with working(campaign, "typiclust") as workers:
        workers.step()
        join(campaign).take(40)
        workers.step()
    assert chosen_by(campaign) == {"typiclust": DEPTH_FLOOR + 40}


def test_copies_of_an_image_are_asked_once_whatever_worker_has_them(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=300)
    with default_storage.open(Image.objects.get(campaign=campaign, position=0).key) as file:
        data = file.read()
    for position in range(150):
        replace_file(campaign, position, data)
    publish_model(campaign, seed=1)
    with working(campaign, "entropy", "margin", "badge") as workers:
        workers.step()
    asked = Query.objects.filter(campaign=campaign, state="open", image__position__lt=150)
    assert asked.count() <= 1
    assert Query.objects.filter(campaign=campaign, state="open").count() > 50


def test_pictures_stored_anew_are_asked_once_from_version_to_version(
    make_campaign: MakeCampaign,
) -> None:
    frozen = "frozen:tf_efficientnet_lite0"
    campaign = make_campaign(pool=400, architectures=[frozen], image_size=32)
    seen = CampaignEmbeddings(campaign, frozen, CPU)
    # 100 are one picture stored anew: their embeddings have cosines of about 0.98.
    rows = torch.randn(400, seen.width, generator=torch.Generator().manual_seed(1))
    rows[:100] = rows[0] + 0.14 * rows[:100]
    seen.file.write(range(400), rows)

    def asked() -> int:
        return Query.objects.filter(campaign=campaign, image__position__lt=100).count()

    with working(campaign, "margin", "entropy") as workers:
        publish_model(campaign, seed=1, architecture=frozen)
        workers.step()
        before = asked()
        assert before <= 1
        assert Query.objects.filter(campaign=campaign, state="open").count() > 50
        # A person holds it, so that the next look does not compare it as a choice of its own.
        person = join(campaign)
        while person.take(10):
            pass
        second = publish_model(campaign, seed=2, architecture=frozen)
        workers.step()
        assert Query.objects.filter(campaign=campaign, model_version=second).count() > 50
        assert before <= asked() <= 1


def test_a_committee_is_made_of_the_newest_models_of_the_servers(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=150)
    first = publish_model(campaign, seed=1)
    other = EngineProcess.objects.create(campaign=campaign, role="server", name="server-2")
    ModelVersion.objects.filter(pk=first.pk).update(server=other)
    newest = [publish_model(campaign, seed=seed) for seed in (2, 3)][-1]
    with working(campaign, "committee") as workers:
        workers.step()
        members = set(workers.loop.model.committee)
    assert members == {first.pk, newest.pk}


def add_class(campaign: Campaign, number: int) -> None:
    """One more class, as the administration adds it."""
    old = list(campaign.choices.all())
    save_choices(campaign=campaign, choices=[*old, Choice(name=f"new {number}")])


@pytest.mark.parametrize("model_choice", list(Campaign.ModelChoice))
def test_a_committee_outlives_classes_that_are_added(
    make_campaign: MakeCampaign, model_choice: Campaign.ModelChoice
) -> None:
    campaign = make_campaign(pool=150, model_choice=model_choice)
    servers = [
        EngineProcess.objects.create(campaign=campaign, role="server", name=f"server-{number}")
        for number in range(2, 5)
    ]
    with working(campaign, "committee") as workers:
        for number, server in enumerate(servers):
            version = publish_model(campaign, seed=number)
            ModelVersion.objects.filter(pk=version.pk).update(server=server, accuracy=number / 10)
            workers.step()
            add_class(campaign, number)
        newest = publish_model(campaign, seed=9)
        # Where accuracy chooses, g* knows fewer classes than the newest, else as many.
        ModelVersion.objects.filter(campaign=campaign, server=servers[1]).update(accuracy=0.9)
        workers.step()
        members = workers.loop.model.committee
        sizes = {len(member.classes) for member in members.values()}
    assert newest.pk in members
    assert len(sizes) == len(members) > 1
    assert chosen_by(campaign).get("committee", 0) >= DEPTH_FLOOR - 5
