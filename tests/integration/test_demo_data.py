"""The demo campaign: made once, carried on, and begun anew on request."""

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db.models import Count
from pytest_django import Settings

from al_engine.pools import campaigns
from al_engine.pools.campaigns import BadSetting
from al_engine.pools.models import Campaign, Image
from annotator_site.accounts.models import User
from annotator_site.simulation.demo_campaign import ensure_campaign, ensure_logins, new_password
from annotator_site.simulation.demo_data import DATASETS, DataMissing, digits, png

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Thirty images to label and five to measure on: the digits have 599 of those."""
    path = tmp_path / "fashion_mnist.npz"
    pixels = np.arange(30 * 28 * 28).reshape(30, 28, 28) % 251
    labels = np.arange(30) % 10
    np.savez(
        path,
        x_train=pixels.astype(np.uint8), y_train=labels.astype(np.uint8),
        x_test=(pixels[:5] + 1).astype(np.uint8), y_test=labels[:5].astype(np.uint8),
    )  # fmt: skip
    return path


@pytest.fixture
def quick_hashes(settings: Settings) -> None:
    """Passwords of these tests are no secrets."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def demo(data: Path | None, name: str = "fashion_mnist", **options: Any) -> Campaign:
    """The demo campaign of a data set, with twenty images to label."""
    usual: dict[str, Any] = {"images": 20, "fresh": False, "own_settings": {}}
    usual["tell"] = lambda text: None
    return ensure_campaign(dataset=DATASETS[name], data=data, **{**usual, **options})


def test_the_digits_are_all_there_and_a_third_of_each_class_is_held_out() -> None:
    pictures = list(digits())
    assert len(pictures) == len({picture.data for picture in pictures}) == 1797
    for name in DATASETS["digits"].classes:
        splits = [picture.split for picture in pictures if picture.class_name == name]
        assert 0.28 < splits.count("holdout") / len(splits) < 0.39


def test_the_demo_campaign_is_ready_to_be_labeled() -> None:
    campaign = demo(None, "digits")
    assert (campaign.slug, campaign.title) == ("digits", "Handwritten digits")
    assert campaign.state == Campaign.State.RUNNING
    assert (campaign.workers, campaign.servers) == (10, 1)
    assert [(row.name, row.hotkey) for row in campaign.choices.all()] == [
        (digit, digit) for digit in "0123456789"
    ]
    sizes = dict(
        Image.objects.filter(campaign=campaign).values_list("split").annotate(count=Count("id"))
    )
    assert sizes == {"pool": 20, "holdout": 599}
    assert not Image.objects.filter(campaign=campaign, known_choice=None).exists()


def test_a_later_start_finds_the_campaign_as_it_was_left(file: Path) -> None:
    campaign = demo(file)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.FINISHED)
    again = demo(file)
    assert (again.pk, again.state) == (campaign.pk, Campaign.State.FINISHED)
    assert Campaign.objects.count() == 1


def test_an_import_that_was_interrupted_is_taken_up_again(file: Path) -> None:
    def interrupt(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo(file, tell=interrupt)
    assert Campaign.objects.get().state == Campaign.State.PAUSED
    campaign = demo(file)
    assert campaign.state == Campaign.State.RUNNING
    assert Image.objects.filter(campaign=campaign, split="pool").count() == 20


def test_a_fresh_demo_has_an_empty_label_pool_and_finishes_the_earlier_one(file: Path) -> None:
    first = demo(file)
    second = demo(file, fresh=True, own_settings={"workers": 3})
    first.refresh_from_db()
    assert (second.slug, second.workers) == ("fashion-mnist-2", 3)
    assert first.state == Campaign.State.FINISHED
    assert Image.objects.filter(campaign=second, state="unlabeled").count() == 20
    assert demo(file).pk == second.pk


def test_a_setting_that_is_wrong_makes_nothing_and_finishes_nothing(file: Path) -> None:
    first = demo(file)
    with pytest.raises(BadSetting):
        demo(file, fresh=True, own_settings={"workers": 1000})
    first.refresh_from_db()
    assert Campaign.objects.count() == 1
    assert first.state == Campaign.State.RUNNING


@pytest.mark.usefixtures("quick_hashes")
def test_the_logins_are_made_once_and_told_every_time(file: Path, tmp_path: Path) -> None:
    campaign, kept = demo(file), tmp_path / "demo_logins.json"
    logins = ensure_logins(campaign=campaign, file=kept)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_text()) == {login.username: login.password for login in logins}
    assert ensure_logins(campaign=campaign, file=kept) == logins
    admin, annotator = (User.objects.get(username=login.username) for login in logins)
    assert (admin.is_superuser, annotator.is_staff) == (True, False)
    for user, login in zip((admin, annotator), logins, strict=True):
        assert login.password is not None
        assert user.check_password(login.password)
        assert user.memberships.filter(campaign=campaign).exists()


@pytest.mark.usefixtures("quick_hashes")
def test_a_password_of_ones_own_is_left_alone(file: Path, tmp_path: Path) -> None:
    User.objects.create_user("annotator", password="my own")
    logins = ensure_logins(campaign=demo(file), file=tmp_path / "demo_logins.json")
    assert [login.password is None for login in logins] == [False, True]
    assert User.objects.get(username="annotator").check_password("my own")


def test_passwords_differ() -> None:
    assert len({new_password() for _ in range(100)}) == 100


def test_fashion_mnist_is_read_from_its_file(file: Path) -> None:
    campaign = demo(file)
    assert (campaign.slug, campaign.image_size) == ("fashion-mnist", 28)
    pool = Image.objects.filter(campaign=campaign, split="pool").select_related("known_choice")
    assert len(pool) == 20
    assert Image.objects.filter(campaign=campaign, split="holdout").count() == 5
    names = {image.known_choice.name for image in pool if image.known_choice}
    assert names == set(DATASETS["fashion_mnist"].classes)


def test_cifar10_is_read_from_a_tar_with_an_index(tmp_path: Path) -> None:
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["split", "label", "path"])
    files = {}
    for number in range(12):
        split = "test" if number >= 8 else "train"
        rows.writerow([split, number % 10, f"{split}/{number}.png"])
        files[f"{split}/{number}.png"] = png(np.full((32, 32, 3), number, np.uint8))
    path = tmp_path / "cifar10.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        for name, data in {"index.csv": table.getvalue().encode(), **files}.items():
            member = tarfile.TarInfo(f"cifar10/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    campaign = demo(path, "cifar10")
    known = {
        image.name: image.known_choice.name
        for image in Image.objects.filter(campaign=campaign).select_related("known_choice")
        if image.known_choice
    }
    assert len(known) == 12
    assert known["cat/3.png"] == "cat"
    assert Image.objects.filter(campaign=campaign, split="holdout").count() == 4


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
@pytest.mark.parametrize("content", [None, b"", b"neither an .npz nor a tar"])
def test_a_file_that_is_something_else_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / "data"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataMissing, match=str(path)) as refusal:
        demo(path, name)
    assert "\n" not in str(refusal.value)
    assert not Campaign.objects.exists()
