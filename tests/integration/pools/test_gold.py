"""Gold images are shown with their class for practice and as examples, each for one of the two."""

from collections import Counter

import pytest
from stock import add_gold, make_campaign

from al_engine.pools import gold
from al_engine.pools.models import Campaign, Image

pytestmark = pytest.mark.django_db


def counted(shown: tuple[gold.GoldImage, ...], campaign: Campaign) -> list[int]:
    """How many images of each class, in the order of the classes."""
    found = Counter(image.choice_id for image in shown)
    return [found[choice.pk] for choice in campaign.choices.all()]


def campaign_with(*counts: int, **settings: int) -> Campaign:
    """A campaign with so many gold images of each class."""
    names = [f"class {place}" for place in range(len(counts))]
    campaign = make_campaign(classes=names, title="", instructions="", **settings)
    for choice, count in zip(campaign.choices.all(), counts, strict=True):
        add_gold(campaign, choice, count)
    return campaign


def test_examples_are_the_first_of_each_class_and_at_most_as_many_as_wanted() -> None:
    campaign = campaign_with(6, 2, 0, examples_per_class=4)
    shown = gold.shown(campaign=campaign)
    assert counted(shown.examples, campaign) == [4, 2, 0]
    assert shown.practice == ()


def test_practice_goes_evenly_round_the_classes_and_others_fill_in() -> None:
    even = campaign_with(9, 9, 9, practice_images=6)
    assert counted(gold.shown(campaign=even).practice, even) == [2, 2, 2]
    uneven = campaign_with(9, 1, 9, practice_images=6)
    assert counted(gold.shown(campaign=uneven).practice, uneven) == [3, 1, 2]
    few = campaign_with(1, 1, practice_images=6)
    assert counted(gold.shown(campaign=few).practice, few) == [1, 1]


@pytest.mark.parametrize(("practice", "examples"), [(0, 0), (3, 2), (5, 12), (100, 12)])
def test_no_image_is_both_and_what_is_left_of_each_class_is_never_shown(
    practice: int, examples: int
) -> None:
    campaign = campaign_with(4, 7, 2, practice_images=practice, examples_per_class=examples)
    shown = gold.shown(campaign=campaign)
    keys = [image.key for image in (*shown.practice, *shown.examples)]
    assert len(keys) == len(set(keys))
    assert len(shown.practice) == min(practice, 13)
    for choice in campaign.choices.all():
        in_order = Image.objects.filter(known_choice=choice).order_by("position")
        seen = [image.key in keys for image in in_order]
        assert seen == sorted(seen, reverse=True)  # from the front, so that the rest stays hidden


def test_only_sound_gold_images_with_a_class_are_shown() -> None:
    campaign = campaign_with(3, 3, examples_per_class=12)
    add_gold(campaign, None, 2)
    out = Image.objects.filter(campaign=campaign, known_choice=campaign.choices.first()).first()
    assert out is not None
    Image.objects.filter(pk=out.pk).update(state="excluded")
    shown = gold.shown(campaign=campaign)
    assert counted(shown.examples, campaign) == [2, 3]
    assert out.key not in [image.key for image in shown.examples]


def test_people_see_the_copy_that_was_made_for_them() -> None:
    campaign = campaign_with(1, 0)
    Image.objects.filter(campaign=campaign).update(
        display_key="images/copy.webp", display_width=4, display_height=3
    )
    (image,) = gold.shown(campaign=campaign).examples
    assert (image.key, image.width, image.height) == ("images/copy.webp", 4, 3)


@pytest.mark.parametrize("practice", [0, 1, 4, 9, 20])
@pytest.mark.parametrize("examples", [0, 1, 3])
@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (4, 0), (2, 2), (9, 1), (3, 7)])
def test_whether_any_is_shown_is_told_without_reading_them(
    practice: int, examples: int, counts: tuple[int, int]
) -> None:
    campaign = campaign_with(*counts, practice_images=practice, examples_per_class=examples)
    add_gold(campaign, None, 1)
    shown = gold.shown(campaign=campaign)
    assert gold.is_shown(campaign=campaign) == (bool(shown.practice), bool(shown.examples))
