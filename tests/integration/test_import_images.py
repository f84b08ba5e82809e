"""Images come in once each, whole, with their labels, however often the import is broken off."""

import hashlib
import shutil
import signal
import subprocess
import sys
import threading
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from command_runs import run
from django.core.files.storage import default_storage
from django.db import connection
from pictures import picture, png_header, write_folder, write_tar, write_zip

from al_engine.pools import campaigns, excluded, faults, signals, sizes, unlabeled
from al_engine.pools import images as pool_images
from al_engine.pools.images import _LOCK, AddingElsewhereError, adding
from al_engine.pools.models import Campaign, Image
from al_engine.pools.storage import StorageAway
from annotator_site.importing.image_import import import_images
from annotator_site.importing.report import ImportReport
from annotator_site.importing.sources import open_source

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign() -> Campaign:
    return campaigns.create_campaign(
        slug="pets", choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog")]
    )


def stored(image: Image) -> bytes:
    with default_storage.open(image.key, "rb") as file:
        data: bytes = file.read()
        return data


def test_images_come_in_with_everything_that_the_pools_need(
    campaign: Campaign, tmp_path: Path
) -> None:
    files = {"cat/1.png": picture(shade=1), "dog/2.jpg": picture("JPEG", (5, 9), shade=2)}

    report = import_images(campaign=campaign, source=write_folder(tmp_path, files))

    assert (report.added, report.with_known_label, report.broken_count) == (2, 2, 0)
    images = list(Image.objects.order_by("position"))
    assert [image.position for image in images] == [0, 1]
    assert {image.name for image in images} == set(files)
    for image in images:
        name, data = image.name, files[image.name]
        sha256 = hashlib.sha256(data).hexdigest()
        extension = name.rpartition(".")[2]
        assert (image.name, image.sha256, image.size) == (name, sha256, len(data))
        assert image.key == f"images/{campaign.pk}/{sha256[:2]}/{sha256}.{extension}"
        assert stored(image) == data
        assert image.cell == unlabeled.cell_of(sha256)
        assert (image.split, image.state) == ("pool", "unlabeled")
        assert image.known_choice is not None
        assert image.known_choice.name == name.partition("/")[0]
    shown = Image.objects.get(name="dog/2.jpg")
    assert (shown.width, shown.height) == (5, 9)
    assert sizes.sizes(campaign_id=campaign.pk).unlabeled == 2


@pytest.mark.parametrize("split", ["holdout", "gold"])
def test_reserved_images_never_enter_the_unlabeled_pool(
    split: str, campaign: Campaign, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path, {"cat/1.png": picture()})

    import_images(campaign=campaign, source=folder, split=split)

    image = Image.objects.get()
    assert (image.split, image.state) == (split, "reserved")
    now = sizes.sizes(campaign_id=campaign.pk)
    assert (now.unlabeled, now.reserved) == (0, 1)


def test_broken_files_are_named_and_the_rest_comes_in(campaign: Campaign, tmp_path: Path) -> None:
    archive = write_zip(
        tmp_path / "images.zip",
        {
            "good.png": picture(),
            "same.png": picture(),
            "gray.png": picture(mode="I;16"),
            "print.jpg": picture("JPEG", mode="CMYK"),
            "text.png": b"some text",
            "old.gif": picture("GIF"),
            "half.png": picture(size=(90, 90))[:-30],
            "huge.png": png_header(50_000, 50_000),
            "../out.png": picture(shade=9),
            ".hidden.png": picture(shade=10),
        },
    )

    report = import_images(campaign=campaign, source=archive)

    assert (report.added, report.duplicates, report.ignored, report.broken_count) == (3, 1, 1, 5)
    reasons = dict(report.broken)
    assert set(reasons) == {"text.png", "old.gif", "half.png", "huge.png", "../out.png"}
    assert reasons["huge.png"] == "more than 25 megapixels"
    assert [name for name, _ in report.broken] == sorted(reasons)
    kept = set(Image.objects.values_list("name", flat=True))
    assert kept - {"good.png", "same.png"} == {"gray.png", "print.jpg"}
    assert len(kept) == 3


def test_names_come_in_as_people_see_them_however_they_are_stored(tmp_path: Path) -> None:
    fruit = campaigns.create_campaign(
        slug="fruit", choices=[campaigns.NewChoice("Äpfel"), campaigns.NewChoice("Груши")]
    )
    files = {"Äpfel/ü.png": picture(shade=1), "Груши/й.png": picture(shade=2)}
    stored_by_a_mac = {unicodedata.normalize("NFD", name): data for name, data in files.items()}
    folder = write_folder(tmp_path / "in", stored_by_a_mac)

    report = import_images(campaign=fruit, source=folder)

    assert (report.with_known_label, report.name_notes, report.label_problems) == (2, (), ())
    assert {image.name: stored(image) for image in Image.objects.all()} == files


def test_a_copy_that_is_left_out_is_named_with_the_one_that_is_kept(
    campaign: Campaign, tmp_path: Path
) -> None:
    files = {f"{name}.png": picture(shade=ord(name[0])) for name in ("a", "a2", "b", "a3")}
    folder = write_folder(tmp_path / "in", files)
    (folder / "README.txt").write_text("no image")

    report = import_images(campaign=campaign, source=folder, known="folder")

    assert (report.duplicates, report.copies_count) == (2, 2)
    (kept,) = {"a.png", "a2.png", "a3.png"} & set(Image.objects.values_list("name", flat=True))
    left_out = sorted({"a.png", "a2.png", "a3.png"} - {kept})
    assert report.copies == tuple((name, kept) for name in left_out)
    assert report.label_problems == (
        "the top folder is no class of this campaign: 4 images without a known label",
    )
    # Once more it is the same files: of the copies alone there is something to say.
    again = import_images(campaign=campaign, source=folder)
    assert (again.added, again.duplicates, again.copies) == (0, 4, report.copies)

    other = write_folder(tmp_path / "other", {"c.png": files["b.png"]})
    told = run("import_images", "pets", str(other))
    assert "c.png: left out, the same picture as b.png" in told.err


def test_the_same_picture_comes_in_once_for_each_campaign(
    campaign: Campaign, tmp_path: Path
) -> None:
    other = campaigns.create_campaign(
        slug="other", choices=[campaigns.NewChoice("a"), campaigns.NewChoice("b")]
    )
    folder = write_folder(tmp_path, {f"{n}.png": picture(shade=n) for n in range(5)})

    reports = [
        import_images(campaign=into, source=folder, split=split)
        for into, split in ((campaign, "pool"), (campaign, "holdout"), (other, "pool"))
    ]

    counts = [(report.added, report.duplicates, report.in_other_split) for report in reports]
    assert counts == [(5, 0, 0), (0, 5, 5), (5, 0, 0)]
    assert Image.objects.filter(campaign=campaign, split="pool").count() == 5


def test_positions_go_on_densely_from_import_to_import(campaign: Campaign, tmp_path: Path) -> None:
    for number in range(3):
        folder = tmp_path / str(number)
        files = {f"{n}.png": picture(shade=n) for n in range(4 * number + 4)}
        import_images(campaign=campaign, source=write_folder(folder, files))

    assert list(Image.objects.order_by("position").values_list("position", flat=True)) == list(
        range(12)
    )


def test_another_import_mends_files_and_adds_labels(campaign: Campaign, tmp_path: Path) -> None:
    files = {f"cat/{n}.png": picture(shade=n) for n in range(3)}
    folder = write_folder(tmp_path, files)
    import_images(campaign=campaign, source=folder, known="none")
    lost, short, _ = Image.objects.order_by("position")
    default_storage.delete(lost.key)
    Path(default_storage.path(short.key)).write_bytes(b"\x89PNG")

    report = import_images(campaign=campaign, source=folder)

    assert (report.added, report.duplicates, report.with_known_label) == (0, 3, 3)
    assert {image.name: stored(image) for image in Image.objects.all()} == files
    assert Image.objects.filter(known_choice__name="cat").count() == 3


def test_another_import_stores_a_file_anew_that_was_found_to_be_damaged(
    campaign: Campaign, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path, {f"{n}.png": picture(shade=n) for n in range(2)})
    import_images(campaign=campaign, source=folder)
    image = Image.objects.order_by("position")[0]
    data = stored(image)
    Path(default_storage.path(image.key)).write_bytes(data[:-1] + b"x")
    fault = faults.fault_of(faults.imported_file(image), campaign_id=campaign.pk)
    assert fault is not None
    excluded.set_aside(campaign_id=campaign.pk, faults={image.pk: fault}, asked=False)

    import_images(campaign=campaign, source=folder)

    assert stored(image) == data
    assert faults.check_aside(campaign_id=campaign.pk, after=0) == 0
    assert Image.objects.get(pk=image.pk).state == "unlabeled"


def test_nothing_is_imported_into_the_empty_folder_of_a_lost_mount(
    campaign: Campaign, tmp_path: Path
) -> None:
    files = {f"{n}.png": picture(shade=n) for n in range(4)}
    import_images(campaign=campaign, source=write_folder(tmp_path / "old", files))
    more = write_folder(tmp_path / "new", files | {"9.png": picture(shade=9)})
    for image in Image.objects.all():
        default_storage.delete(image.key)

    with pytest.raises(StorageAway, match="none is there"):
        import_images(campaign=campaign, source=more)
    assert not default_storage.exists(Image.objects.all()[0].key)
    assert Image.objects.count() == 4

    report = import_images(campaign=campaign, source=more, restore=True)
    assert (report.added, report.duplicates) == (1, 4)
    assert {stored(image) for image in Image.objects.all()} == {*files.values(), picture(shade=9)}


def test_an_import_that_loses_its_storage_writes_no_row(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{n}.png": picture(shade=n) for n in range(4)}
    import_images(campaign=campaign, source=write_folder(tmp_path / "old", files))
    root = Path(default_storage.path(""))
    away = root.with_name("media-away")
    known = pool_images.known_images

    def lose(**options: Any) -> Any:
        root.rename(away)
        return known(**options)

    monkeypatch.setattr(pool_images, "known_images", lose)
    with pytest.raises(StorageAway):
        import_images(
            campaign=campaign, source=write_folder(tmp_path / "new", {"9.png": picture(shade=9)})
        )
    shutil.rmtree(root)
    away.rename(root)
    assert Image.objects.count() == 4


def test_progress_is_told_with_the_total(campaign: Campaign, tmp_path: Path) -> None:
    archive = write_tar(
        tmp_path / "images.tar.gz", {f"{n}.png": picture(shade=n) for n in range(250)}, "w:gz"
    )
    told: list[tuple[int, int, int]] = []

    import_images(
        campaign=campaign,
        source=archive,
        progress=lambda now: told.append((now.done, now.total, now.added)),
    )

    assert told == [(200, 250, 200), (250, 250, 250)]


def test_workers_are_woken_for_new_images_of_the_pool_only(
    campaign: Campaign, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path, {"1.png": picture()})
    with signals.listening(campaign.pk) as listener:
        listener.wait("pool", seconds=5)  # the first returns at once: it listens from now on
        import_images(campaign=campaign, source=folder)
        assert listener.wait("pool", seconds=5)
        import_images(campaign=campaign, source=folder)
        assert not listener.wait("pool", seconds=0.2)


def test_a_second_import_at_the_same_time_is_refused(campaign: Campaign, tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"1.png": picture()})
    begun, go_on = threading.Event(), threading.Event()
    reports: list[ImportReport] = []

    def pause(_: object) -> None:
        begun.set()
        go_on.wait(20)

    def first() -> None:

        reports.append(import_images(campaign=campaign, source=folder, progress=pause))
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert begun.wait(20)
        with pytest.raises(AddingElsewhereError):
            import_images(campaign=campaign, source=folder)
    finally:
        go_on.set()
        thread.join()

    assert reports[0].added == 1
    with adding(campaign_id=campaign.pk):
        pass


def await_end_of_adding(campaign: Campaign) -> None:
    """PostgreSQL notices a death at the end of a statement, and unlocks then."""
    key = [_LOCK << 32 | campaign.pk]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", key)
        cursor.execute("SELECT pg_advisory_unlock(%s)", key)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_import_that_was_killed_goes_on_where_it_was(
    how: signal.Signals, campaign: Campaign, tmp_path: Path, test_environment: dict[str, str]
) -> None:
    files = {f"cat/{n:04}.png": picture(shade=n) for n in range(2_000)}
    archive = write_zip(tmp_path / "images.zip", files)
    command = [sys.executable, "manage.py", "import_images", "pets", str(archive)]
    with signals.listening(campaign.pk) as listener:
        listener.wait("pool", seconds=5)
        process = subprocess.Popen(
            command, cwd=ROOT, env=test_environment, stderr=subprocess.DEVNULL
        )
        try:
            assert listener.wait("pool", seconds=60)
        finally:
            process.send_signal(how)
            process.wait(timeout=30)
    await_end_of_adding(campaign)
    there = Image.objects.count()
    assert 0 < there < len(files)

    report = import_images(campaign=campaign, source=archive)

    assert report.added + there == len(files)
    images = list(Image.objects.order_by("position"))
    assert [image.position for image in images] == list(range(len(files)))
    assert {image.name: stored(image) for image in images} == files
    # As if it had not been broken off.
    assert [image.name for image in images] == [
        each.name for each in open_source(archive).entries()
    ]
    assert sizes.sizes(campaign_id=campaign.pk).unlabeled == len(files)
