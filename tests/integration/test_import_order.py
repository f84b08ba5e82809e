"""While an import runs people and models see every class, or are told that they do not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pictures import picture, write_folder, write_tar, write_zip

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Image
from annotator_site.importing.image_import import import_images

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign() -> Campaign:
    return campaigns.create_campaign(
        slug="pets", choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog")]
    )


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_gold_comes_in_as_people_have_ordered_it(
    kind: str, campaign: Campaign, tmp_path: Path
) -> None:
    files = {f"cat/{n:02}.png": picture(shade=n) for n in range(30)}
    write = write_folder if kind == "folder" else write_zip

    import_images(campaign=campaign, source=write(tmp_path / "in", files), split="gold")

    assert list(Image.objects.order_by("position").values_list("name", flat=True)) == list(files)


@pytest.mark.parametrize("split", ["pool", "holdout"])
@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_every_class_comes_in_from_the_beginning_or_it_is_told(
    kind: str, split: str, campaign: Campaign, tmp_path: Path
) -> None:
    writers: dict[str, Callable[[Path, dict[str, bytes]], Path]]
    writers = {"folder": write_folder, "zip": write_zip, "tar": write_tar}
    files = {
        f"{name}/{n:02}.png": picture(shade=n + place)
        for name, place in {"cat": 1, "dog": 100}.items()
        for n in range(30)
    }
    told: list[tuple[int, str]] = []

    def tell(words: str) -> None:
        told.append((Image.objects.count(), words))

    report = import_images(
        campaign=campaign, source=writers[kind](tmp_path / "in", files), split=split, tell=tell
    )

    first = Image.objects.order_by("position").values_list("known_choice__name", flat=True)[:20]
    assert set(first) == ({"cat"} if kind == "tar" else {"cat", "dog"})
    assert told == ([(0, report.order_note)] if kind == "tar" else [])
    assert bool(report.order_note) == (kind == "tar")


def test_a_tar_of_one_folder_needs_no_word(campaign: Campaign, tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "in", {"cat/1.png": picture(), "cat/2.png": picture(shade=2)})

    assert not import_images(campaign=campaign, source=archive).order_note
