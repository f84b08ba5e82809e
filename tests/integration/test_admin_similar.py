"""The images most similar to one, on its page in the admin, or why there are none."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client
from stock import add_images, make_campaign, make_user

from al_engine import embedded
from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Consensus, Image
from al_engine.training.embedding_file import EmbeddingFile
from annotator_site.campaigns.admin import similar

pytestmark = pytest.mark.django_db
FROZEN = "frozen:tf_efficientnet_lite0"


@pytest.fixture
def owner(client: Client) -> Client:
    """A browser in which an owner of the installation is logged in."""
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def make(count: int, *, architecture: str = FROZEN) -> tuple[Campaign, list[Image]]:
    """A campaign on a frozen backbone, with images in the order of their positions."""
    campaign = make_campaign(architectures=[architecture], image_size=224)
    add_images(campaign, count)
    return campaign, list(Image.objects.filter(campaign=campaign).order_by("position"))


def embed(campaign: Campaign, rows: torch.Tensor, *, digest: str = "a" * 64) -> Path:
    """Store embeddings (n, d) of the first n images, as the engine does."""
    folder = Path(settings.VAR) / "cache" / embedded.folder_name(
        campaign_id=campaign.pk, architecture=FROZEN, image_size=224, sha256=digest
    )  # fmt: skip
    EmbeddingFile(folder, rows.shape[1]).write(range(len(rows)), rows)
    return folder


def fan(*degrees: float) -> torch.Tensor:
    """Embeddings (n, 2) at these angles."""
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def row(client: Client, image: Image) -> dict[str, Any]:
    answer = client.get(f"/admin/pools/image/{image.pk}/similar/")
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def words(client: Client, image: Image) -> str:
    """Why there is no row."""
    told = row(client, image)
    assert told["images"] == []
    return str(told["words"])


def test_the_closest_come_first_with_what_is_known_of_them_and_near_copies_marked(
    owner: Client,
) -> None:
    campaign, images = make(15)
    embed(campaign, fan(0, 80, 10, 20, 40, 30, *range(100, 180, 10)))
    cat = campaign.choices.get(name="cat")
    Image.objects.filter(pk=images[2].pk).update(state="labeled")
    Consensus.objects.create(
        image=images[2], campaign=campaign, choice=cat, query_id=0, confidence=1, answers=1,
        changed_in=0,
    )  # fmt: skip
    Image.objects.filter(pk=images[3].pk).update(state="excluded")
    told = row(owner, images[0])
    assert "The closest of 13 other images," in told["words"], "one of 15 is not embedded"
    found = told["images"]
    assert [each["id"] for each in found[:5]] == [images[place].pk for place in (2, 3, 5, 4, 1)]
    assert len(found) == 12
    assert [each["cosine"] for each in found[:2]] == [0.985, 0.94]
    assert [each["near_copy"] for each in found] == [True] + 11 * [False]
    assert found[0]["words"] == "labeled cat"
    assert found[1]["words"] == "excluded, known as dog"
    assert found[0]["address"] == f"/admin/pools/image/{images[2].pk}/change/"
    assert found[0]["url"].startswith("/i/")


def test_a_large_campaign_is_sampled_and_says_so(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(embedded, "_BLOCK_ROWS", 10)
    campaign, images = make(30)
    embed(campaign, torch.rand(30, 3))
    told = row(owner, images[0])
    assert "The closest of 10 images, drawn at random from 30 embedded ones," in told["words"]
    assert 9 <= len(told["images"]) <= 10


def test_without_embeddings_it_says_why(owner: Client) -> None:
    campaign, images = make(3)
    assert "not embedded yet" in words(owner, images[0])
    assert "has embedded 0 images" in words(owner, images[0])
    # Half-filled, and by a backbone of other weights than the file beside it.
    embed(campaign, fan(0, 10))
    assert "has embedded 2 images" in words(owner, images[2])
    Image.objects.filter(pk=images[2].pk).update(state="excluded")
    assert "excluded and was not embedded" in words(owner, images[2])
    newer = embed(campaign, fan(0), digest="b" * 64)
    os.utime(newer / embedded.STATES, (2e9, 2e9))
    assert "No other image of this campaign is embedded yet" in words(owner, images[0])
    (newer / embedded.DATA).unlink()
    assert "Delete that folder" in words(owner, images[0])


@pytest.mark.parametrize(
    ("architecture", "why"),
    [("small_cnn", "small_cnn, learns from nothing"), ("auto", "No network is chosen")],
)
def test_a_network_without_fixed_embeddings_is_named(
    owner: Client, architecture: str, why: str
) -> None:
    _, images = make(1, architecture=architecture)
    assert why in words(owner, images[0])


def test_images_of_other_campaigns_are_nobody_elses(client: Client) -> None:
    (mine, images), (_, others) = make(2), make(2)
    staff = make_user(is_staff=True)
    client.force_login(staff)
    campaigns.add_owners(campaign_id=mine.pk, user_ids=[staff.pk])
    for image in (images[0], others[0]):
        answer = client.get(f"/admin/pools/image/{image.pk}/similar/")
        assert answer.status_code == 403, "without the right to view images"
    assert client.get("/admin/pools/image/999999999/similar/").status_code == 404
    embed(mine, fan(0, 10))
    staff.user_permissions.set(Permission.objects.filter(codename="view_image"))
    assert [each["id"] for each in row(client, images[0])["images"]] == [images[1].pk]
    assert client.get(f"/admin/pools/image/{others[0].pk}/similar/").status_code == 403
    assert client.post(f"/admin/pools/image/{images[0].pk}/similar/").status_code == 405
