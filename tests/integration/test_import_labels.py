"""Known labels can be mended by a table, and a picture in two classes counts for neither."""

import random
from itertools import permutations
from pathlib import Path

import pytest
from pictures import picture, write_folder

from al_engine.pools import campaigns, gold
from al_engine.pools.models import Campaign, Image
from al_engine.roles.labeled_set import holdout
from annotator_site.importing import image_import
from annotator_site.importing.image_import import import_images
from annotator_site.importing.report import ImportReport

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign() -> Campaign:
    return campaigns.create_campaign(
        slug="pets",
        choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog"), campaigns.NewChoice("ox")],
    )


def known() -> dict[str, tuple[str | None, bool]]:
    """The known label of every image, and whether it is disputed."""
    rows = Image.objects.values_list("name", "known_choice__name", "known_disputed")
    return {name: (label, disputed) for name, label, disputed in rows}


def by_table(campaign: Campaign, folder: Path, *rows: str, split: str = "pool") -> ImportReport:
    table = folder.parent / "table.csv"
    table.write_text("\n".join(["path,label", *rows]))
    return import_images(campaign=campaign, source=folder, known=table, split=split)


@pytest.mark.parametrize("split", ["pool", "holdout", "gold"])
def test_a_corrected_table_changes_what_was_known(
    split: str, campaign: Campaign, tmp_path: Path
) -> None:
    files = {f"{n}.png": picture(shade=n) for n in range(4)}
    folder = write_folder(tmp_path / "in", files)
    by_table(campaign, folder, "0.png,cat", "1.png,cat", "2.png,dog", split=split)

    report = by_table(campaign, folder, "0.png,cat", "1.png,ox", "3.png,dog", split=split)

    assert (report.labels_changed, report.with_known_label, report.disputed) == (1, 1, 0)
    assert known() == {
        "0.png": ("cat", False),
        "1.png": ("ox", False),
        "2.png": ("dog", False),
        "3.png": ("dog", False),
    }


PLACES = ["cat/a.png", "dog/b.png", "cat/c.png"]


@pytest.mark.parametrize("split", ["pool", "holdout", "gold"])
@pytest.mark.parametrize("batch", [1, 2, 200])
@pytest.mark.parametrize("by", ["folder", "table"])
def test_a_picture_in_two_classes_counts_for_neither_until_a_table_decides(
    by: str, batch: int, split: str, campaign: Campaign, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(image_import, "BATCH_IMAGES", batch)
    same = picture(shade=1)
    files = {**dict.fromkeys(PLACES, same), "dog/other.png": picture(shade=2)}
    folder = write_folder(tmp_path / "in", files)
    table = [f"{name},{name.partition('/')[0]}" for name in files]
    for number in range(2):
        if by == "table":
            report = by_table(campaign, folder, *table, split=split)
        else:
            report = import_images(campaign=campaign, source=folder, split=split)

        assert (report.disputed, report.with_known_label) == (1, number == 0)
        assert known() == {"cat/a.png": (None, True), "dog/other.png": ("dog", False)}
        measured = holdout(campaign.pk, list(campaign.choices.values_list("id", flat=True)))
        assert len(measured.positions) == (split == "holdout")
        assert len(gold.shown(campaign=campaign).examples) == (split == "gold")
        if by == "table":
            told = report.label_problems[0]
            assert "“cat/a.png” (cat) and “dog/b.png” (dog) are the same picture" in told

    decided = by_table(campaign, folder, "dog/b.png,dog", split=split)

    assert (decided.with_known_label, decided.disputed) == (1, 0)
    assert known()["cat/a.png"] == ("dog", False)


@pytest.mark.parametrize("order", list(permutations(["cat", "dog", "none"])))
def test_one_import_after_the_other_decides_nothing(
    order: tuple[str, ...], campaign: Campaign, tmp_path: Path
) -> None:
    told: list[str] = []
    for label in [*order, *order]:
        place = tmp_path / label
        if not place.exists():
            write_folder(place, {f"{label}/1.png": picture()})
        how = "none" if label == "none" else "folder"
        told += import_images(campaign=campaign, source=place, known=how).label_problems

    assert list(known().values()) == [(None, True)]
    first, second = [each for each in order if each != "none"]
    assert f"({first}) and “{second}/1.png” ({second}) are the same picture" in told[0]
    assert "given two classes before" in told[-1]


def test_folders_do_not_take_back_what_a_table_decided_without_a_word(
    campaign: Campaign, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "in", {"cat/1.png": picture()})
    by_table(campaign, folder, "cat/1.png,dog")

    report = import_images(campaign=campaign, source=folder)

    assert report.disputed == 1
    assert known() == {"cat/1.png": (None, True)}
    assert "--known-labels" in report.label_problems[0]


@pytest.mark.parametrize("seed", range(6))
def test_counts_are_the_difference_that_an_import_made(
    seed: int, campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a later file of an import takes back of an earlier one's label is not counted."""
    chance = random.Random(seed)
    monkeypatch.setattr(image_import, "BATCH_IMAGES", chance.choice([1, 2, 3, 200]))
    shades = [picture(shade=shade) for shade in range(1, 5)]
    classes = ["cat", "dog", "ox"]
    for number in range(4):
        names = [f"{chance.choice(classes)}/{place}.png" for place in range(9)]
        files = {name: chance.choice(shades) for name in names}
        folder = write_folder(tmp_path / str(number) / "in", files)
        before = {image.pk: image.known_choice_id for image in Image.objects.all()}
        if chance.random() < 0.5:
            report = import_images(campaign=campaign, source=folder)
        else:
            rows = [f"{name},{chance.choice(classes)}" for name in chance.sample(names, 5)]
            report = by_table(campaign, folder, *rows)

        after = Image.objects.exclude(known_choice=None).values_list("pk", "known_choice")
        was = [before.get(pk) for pk, choice in after if before.get(pk) != choice]
        assert report.with_known_label == was.count(None)
        assert report.labels_changed == len(was) - was.count(None)
