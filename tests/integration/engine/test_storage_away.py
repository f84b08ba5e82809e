"""The engine tells a faulty file from a storage that is away: the one it sets aside, the other it
waits for."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pictures import picture, write_folder
from stock import make_campaign

from al_engine.pools import excluded, faults, storage, versions
from al_engine.pools.models import Campaign, EngineProcess, Image, ModelVersion
from al_engine.pools.storage import StorageAway
from al_engine.roles import campaign_files, publishing
from al_engine.roles.campaign_images import CampaignImages
from al_engine.training import decoding
from al_engine.training.decoding import UndecodableImage
from annotator_site.importing.image_import import import_images

from .conftest import MakeCampaign
from .people import join, label
from .roles import publish_model, serving, working

pytestmark = pytest.mark.django_db(transaction=True)

ALL = np.arange(6)


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """Six pictures, as an import stores them; who looks for files does so for the first time."""
    monkeypatch.setattr(storage, "_lookout", storage._Lookout())
    made = make_campaign(image_size=8)
    files = {f"{number}.png": picture("PNG", (20, 10), shade=number) for number in range(6)}
    import_images(campaign=made, source=write_folder(tmp_path, files))
    return made


@contextmanager
def moved_away() -> Iterator[None]:
    """All files are somewhere else meanwhile, as when a mount is lost."""
    root = Path(default_storage.path(""))
    away = root.with_name("media-away")
    root.rename(away)
    try:
        yield
    finally:
        away.rename(root)


def image_at(place: int) -> Image:
    return Image.objects.get(position=place)


def write(image: Image, data: bytes) -> None:
    default_storage.delete(image.key)
    assert default_storage.save(image.key, ContentFile(data)) == image.key


def out() -> dict[int, str]:
    """What is set aside, and for what."""
    return dict(Image.objects.filter(state="excluded").values_list("position", "excluded_for"))


def test_while_the_storage_is_away_nothing_is_set_aside_and_what_was_read_is_there(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_files, "ASK_STORAGE_AGAIN_SECONDS", 0.0)
    images = CampaignImages(campaign)
    assert images.available(ALL[:2]).tolist() == [0, 1]
    with moved_away():
        assert images.available(ALL, seconds=4.0).tolist() == [0, 1]
        with pytest.raises(StorageAway):
            images.available(ALL)
        assert images.available(ALL[:2]).tolist() == [0, 1], "these need no storage"
    assert out() == {}
    assert images.available(ALL).tolist() == ALL.tolist()


def test_one_file_that_cannot_be_read_keeps_no_other_and_is_not_set_aside(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = default_storage.path(image_at(3).key)
    real = io.open
    for code, name in errno.errorcode.items():
        images = CampaignImages(make_campaign(image_size=8))
        images.campaign_id = campaign.pk

        def fail(file: Any, *args: Any, error: int = code, **kwargs: Any) -> Any:
            if str(file) == path:
                raise OSError(error, os.strerror(error))
            return real(file, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr("builtins.open", fail)
            there = images.available(ALL).tolist()
        assert there == [0, 1, 2, 4, 5], name
        # Said of a file that is missing, where others of its campaign are there.
        if out():
            assert code in (errno.ENOENT, errno.EISDIR), name
            excluded.put_back(image_ids=[image_at(3).pk])
    assert out() == {}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (None, "gone"),
        *[(data, "damaged") for data in (b"", b"GIF89a", picture()[:40])],
        (picture("JPEG", (200, 150))[:-300], "damaged"),
    ],
)
def test_a_faulty_file_is_set_aside_and_comes_back_when_it_is_whole(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, data: bytes | None, kind: str
) -> None:
    image = image_at(2)
    with default_storage.open(image.key, "rb") as file:
        whole = file.read()
    default_storage.delete(image.key)
    if data is not None:
        write(image, data)
    images = CampaignImages(campaign)
    assert images.available(ALL).tolist() == [0, 1, 3, 4, 5]
    assert out() == {2: kind}
    assert image.key in image_at(2).problem
    assert faults.check_aside(campaign_id=campaign.pk, after=0) == image.pk
    assert out() == {2: kind}
    write(image, whole)
    faults.check_aside(campaign_id=campaign.pk, after=0)
    assert out() == {}
    assert image_at(2).state == "unlabeled"
    monkeypatch.setattr(images, "_later", {})
    assert images.available(ALL).tolist() == ALL.tolist()


def test_a_file_that_cannot_be_looked_at_keeps_no_other_from_it(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    default_storage.delete(image_at(0).key)
    default_storage.delete(image_at(1).key)
    images = CampaignImages(campaign)
    images.available(ALL)
    assert out() == {0: "gone", 1: "gone"}
    with default_storage.open(image_at(2).key, "rb") as file:
        other = file.read()
    write(image_at(0), other)
    write(image_at(1), picture("PNG", (20, 10), shade=1))
    path, real = default_storage.path(image_at(0).key), io.open

    def refuse(file: Any, *args: Any, **kwargs: Any) -> Any:
        if str(file) == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(file, *args, **kwargs)

    monkeypatch.setattr("builtins.open", refuse)
    faults.check_aside(campaign_id=campaign.pk, after=0)
    assert out() == {0: "gone"}


def test_a_whole_file_that_cannot_be_decoded_stays_aside_until_somebody_puts_it_back(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = CampaignImages(campaign)

    def refuse(data: bytes, *, image_size: int) -> Any:
        raise UndecodableImage("not for this version")

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "decode", refuse)
        assert images.available(ALL[:1]).tolist() == []
    assert out() == {0: "undecodable"}
    assert faults.check_aside(campaign_id=campaign.pk, after=0) == 0
    assert out() == {0: "undecodable"}
    excluded.put_back(image_ids=[image_at(0).pk])
    assert CampaignImages(campaign).available(ALL[:1]).tolist() == [0]


def test_a_machine_without_memory_sets_nothing_aside(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_up(data: bytes, *, image_size: int) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "decode", give_up)
        assert CampaignImages(campaign).available(ALL).tolist() == []
    assert out() == {}
    assert CampaignImages(campaign).available(ALL).tolist() == ALL.tolist()


def test_what_people_have_seen_or_are_asked_is_not_set_aside_by_the_engine(
    campaign: Campaign,
) -> None:
    for place, state in ((1, "labeled"), (2, "queried")):
        Image.objects.filter(position=place).update(state=state)
        default_storage.delete(image_at(place).key)
    CampaignImages(campaign).available(ALL)
    assert out() == {}


def test_weights_that_cannot_be_read_for_now_are_not_damaged(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=60)
    version = publish_model(campaign, seed=1)
    with working(campaign, "entropy") as workers:
        model = workers.loop.model
        with moved_away():
            workers.step()
            assert [model.version_id] == [None]
            with pytest.raises(StorageAway):
                versions.read_weights(version)
        workers.step()
        assert model.version_id == version.pk
    assert not Image.objects.filter(state="excluded").exists()


def test_a_server_keeps_its_model_until_the_storage_takes_it(
    make_campaign: MakeCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(pool=60, holdout=5)
    label(join(campaign), range(40))
    with serving(campaign) as server:
        real, tries = storage.save, []

        def save(key: str, data: bytes, *, campaign_id: int) -> str:
            tries.append(key)
            if len(tries) == 1:
                with moved_away():
                    return real(key, data, campaign_id=campaign_id)
            return real(key, data, campaign_id=campaign_id)

        monkeypatch.setattr(storage, "save", save)
        monkeypatch.setattr(publishing, "_PAUSE_SECONDS", 0.01)
        version = server.step()
    assert version is not None
    assert len(tries) == 2
    assert tries[0] == tries[1], "the same weights: nothing was trained again"
    assert ModelVersion.objects.count() == 1


def test_a_server_that_cannot_read_its_images_trains_on_none(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=60)
    label(join(campaign), range(40))
    with serving(campaign) as server:
        with moved_away(), pytest.raises(StorageAway):
            server.step()
        assert not ModelVersion.objects.exists()
        assert EngineProcess.objects.get(role="server").state == "waiting for the storage"
    assert not Image.objects.filter(state="excluded").exists()
