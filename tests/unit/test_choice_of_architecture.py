"""Which network and image size are chosen for which images, and what is said of it."""

import pytest

from al_engine.decisions.architecture import (
    AUTO,
    PUBLISHED,
    PUBLISHED_FOR_GPU,
    SMALL,
    Choice,
    backbone_of,
    choose,
    head_of,
    misfit,
    problem_of_list,
    wants_gpu_weights,
)


@pytest.mark.parametrize(
    ("sides", "device", "architecture", "image_size"),
    [
        ([8] * 3, "cpu", SMALL, 8),
        ([3, 5], "cpu", SMALL, 8),
        ([28] * 5, "cpu", PUBLISHED, 28),
        ([32] * 5, "cpu", PUBLISHED, 32),
        ([100, 100, 90], "cpu", PUBLISHED, 100),
        ([4_000, 3_000, 640], "cpu", PUBLISHED, 224),
        # Most images decide, not the odd icon.
        ([8, 1_000, 1_200], "cpu", PUBLISHED, 224),
        ([4_000] * 2, "mps", PUBLISHED, 224),
        ([4_000] * 2, "cuda", PUBLISHED_FOR_GPU, 224),
        ([8] * 2, "cuda", SMALL, 8),
    ],
)
def test_small_drawings_get_a_network_of_their_own_and_others_a_published_one(
    sides: list[int], device: str, architecture: str, image_size: int
) -> None:
    choice = choose(sides, device=device)
    assert (choice.architecture, choice.image_size) == (architecture, image_size)
    assert choice.reason.startswith("images have ")


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ((SMALL, 0), (SMALL, 64)),
        (("resnet18", 0), ("resnet18", 64)),
        (("probe:resnet18", 0), ("probe:resnet18", 224)),
        ((AUTO, 64), (PUBLISHED, 64)),
        # What is reduced to a few pixels is as good as drawn small.
        ((AUTO, 8), (SMALL, 8)),
        (("vgg16", 32), ("vgg16", 32)),
    ],
)
def test_what_people_set_is_kept_and_only_the_rest_is_chosen(
    given: tuple[str, int], chosen: tuple[str, int]
) -> None:
    choice = choose([500, 600], architectures=[given[0]], image_size=given[1])
    assert (choice.architecture, choice.image_size) == chosen


def test_a_gpu_without_its_weights_takes_those_there_are_and_says_why() -> None:
    assert wants_gpu_weights([500], image_size=0, device="cuda")
    assert not wants_gpu_weights([500], image_size=0, device="cpu")
    assert not wants_gpu_weights([8], image_size=0, device="cuda")
    choice = choose([500], device="cuda", missing="The hub is silent.")
    assert choice == Choice(
        PUBLISHED,
        224,
        "images have 500 px on their longer side; a published network knows much of what they "
        f"show before the first label. The GPU could use {PUBLISHED_FOR_GPU}, but: "
        "The hub is silent.",
    )


def test_nothing_is_chosen_without_images() -> None:
    with pytest.raises(ValueError, match="once there is an image"):
        choose([])


@pytest.mark.parametrize(
    ("architecture", "image_size", "typical", "said"),
    [
        (PUBLISHED, 32, 500, "Images of 500 px are reduced to 32 px for frozen:"),
        ("probe:resnet18", 64, 1_000, "which is made for 224 px. Set the image size to 0"),
        (SMALL, 32, 500, "where what tells them apart may be lost"),
        (PUBLISHED, 32, 32, ""),
        (PUBLISHED, 224, 4_000, ""),
        (PUBLISHED, 128, 4_000, ""),
        (SMALL, 64, 500, ""),
        (SMALL, 8, 8, ""),
        ("vgg16", 32, 96, ""),
    ],
)
def test_photographs_reduced_to_a_stamp_are_a_finding(
    architecture: str, image_size: int, typical: int, said: str
) -> None:
    told = misfit(architecture, image_size, typical)
    assert said in told
    assert bool(told) == bool(said)


def test_the_first_of_several_decides_the_image_size_and_auto_is_chosen_wherever_it_stands() -> (
    None
):
    choice = choose([500, 600], architectures=["small_cnn", AUTO])
    assert (choice.architecture, choice.image_size) == (PUBLISHED, 64)
    choice = choose([500, 600], architectures=[f"{PUBLISHED}+means", "small_cnn"])
    assert (choice.architecture, choice.image_size) == (f"{PUBLISHED}+means", 224)
    assert choose([500], architectures=["finetuned:resnet18"]).image_size == 224


def test_a_list_of_architectures_names_each_once() -> None:
    assert problem_of_list([AUTO, f"{PUBLISHED}+means"]) == ""
    assert problem_of_list([]).startswith("Name one architecture")
    assert problem_of_list([AUTO, "small_cnn", AUTO]).startswith("auto is named twice")
    assert (backbone_of("frozen:x.y+means"), head_of("frozen:x.y+means")) == ("frozen:x.y", "means")
    assert (backbone_of("small_cnn"), head_of("small_cnn")) == ("small_cnn", "")
