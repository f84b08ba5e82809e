"""The quickest tier: the tests of tests/unit, without a database, a browser or a site.

`make unit` runs those not marked `slow` in a minute. Loaded by `-p` in pyproject.toml.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Never

import psycopg.generators
import pytest

UNIT: Final = Path(__file__).parent / "unit"
# By file: tests that take seconds, because they train, simulate campaigns or start programs.
EVERYTHING: Final = ()
SLOW: Final[dict[str, tuple[str, ...]]] = {
    "test_architectures.py": (
        "test_a_training_of_equal_seeds_draws_nothing_from_torchs_generator",
        "test_every_network_takes_images_of_every_size",
        "test_every_weight_learns",
        "test_small_cnn_pays_for_no_torchvision_and_nothing_here_for_django",
    ),
    "test_architectures_probes.py": (
        "test_a_training_step_leaves_the_embeddings_of_a_probe_as_they_were",
    ),
    "test_backbones.py": EVERYTHING,
    "test_architectures_frozen.py": EVERYTHING,
    "test_calibration.py": ("test_the_temperature_undoes_what_the_logits_were_multiplied_by",),
    "test_checkpoint.py": ("test_a_restored_model_predicts_the_same_to_the_bit",),
    "test_decoding_work.py": (
        "test_a_usual_jpeg_of_any_size_passes",
        "test_what_takes_seconds_to_decode_is_refused_before",
    ),
    "test_display_copies.py": ("test_a_picture_of_any_kind_has_a_copy",),
    "test_embedding_file.py": ("test_two_embedders_share_the_work_and_a_killed_one_is_carried_on",),
    "test_evaluation_folding.py": ("test_folded_batch_norms_change_nothing_but_the_time",),
    "test_features.py": (
        "test_a_campaign_runs_on_features_and_learns",
        "test_the_first_queries_are_chosen_by_coverage_and_repeat",
    ),
    "test_finetuning.py": EVERYTHING,
    "test_heads.py": (
        "test_a_kernel_head_is_refused_with_landmarks_of_another_backbone",
        "test_a_thousand_classes_work",
    ),
    "test_image_cache.py": (
        "test_a_chunk_is_taken_over_from_a_filler_that_dies",
        "test_a_filler_killed_in_the_middle_leaves_whole_rows_and_is_carried_on",
        "test_two_fillers_share_the_work_and_do_none_twice",
    ),
    "test_image_sources.py": (
        "test_a_zip_behind_another_program_and_a_large_zip_are_read",
        "test_memory_does_not_grow_with_the_archive",
    ),
    "test_import_rules.py": EVERYTHING,
    "test_opinions.py": ("test_models_of_any_lists_of_classes_are_compared_class_by_class",),
    "test_passwords.py": ("test_a_password_counts_exactly_as_it_was_typed",),
    "test_recipes.py": ("test_a_model_learns_by_the_plain_recipe",),
    "test_report.py": EVERYTHING,
    "test_running.py": EVERYTHING,
    "test_simulation_choices.py": EVERYTHING,
    "test_text_tower.py": (
        "test_the_most_likely_class_is_that_of_the_closest_name",
        "test_what_is_missing_is_said",
    ),
    "test_simulation_example.py": EVERYTHING,
    "test_simulation_pools.py": EVERYTHING,
    "test_simulation_repeatable.py": EVERYTHING,
    "test_simulation_waits.py": EVERYTHING,
    "test_strategies_any_pool.py": ("test_distinct_images_come_best_first_and_are_the_same_again",),
    "test_strategies_diversity.py": (
        "test_points_are_drawn_in_proportion_to_their_distance_to_all_chosen",
    ),
    "test_training_compiled.py": EVERYTHING,
    "test_training_head.py": (
        "test_a_frozen_backbone_learns_by_its_head_alone_from_embeddings_old_or_new",
        "test_a_thousand_classes_are_told_apart",
    ),
}


class OutsideOfUnit(Exception):
    """A test of this tier asks for what only tests of other tiers may use."""

    def __init__(self, what: str) -> None:
        super().__init__(f"it asks for {what}: move it out of tests/unit")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that `make unit` leaves out."""
    tests = SLOW.get(item.path.name) if item.path.is_relative_to(UNIT) else None
    if tests == EVERYTHING or (tests and item.name.partition("[")[0] in tests):
        item.add_marker("slow")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse forbidden fixtures of a test in tests/unit before they start anything."""
    if item.path.is_relative_to(UNIT):
        require_little(item)


@pytest.hookimpl(specname="pytest_runtest_setup", wrapper=True)
def pytest_set_up_without_connections(item: pytest.Item) -> Iterator[None]:
    """Refuse database connections by the fixtures of a test in tests/unit."""
    with without_connections(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Refuse database connections by a test in tests/unit itself."""
    with without_connections(item):
        return (yield)


def require_little(item: pytest.Item) -> None:
    """Raise OutsideOfUnit for a test with fixtures that start a database or a browser."""
    fixtures = item.fixturenames if isinstance(item, pytest.Function) else ()
    if "browser" in fixtures:
        raise OutsideOfUnit("a browser")
    # Every fixture with a database or a site depends on django_db_setup.
    if "django_db_setup" in fixtures or item.get_closest_marker("django_db"):
        raise OutsideOfUnit("a database")


@contextmanager
def without_connections(item: pytest.Item) -> Iterator[None]:
    """A context in which a test in tests/unit can connect to no database, even without Django."""

    def refuse(*_: object, **__: object) -> Never:
        raise OutsideOfUnit("a database")

    with pytest.MonkeyPatch.context() as patch:
        if item.path.is_relative_to(UNIT):
            patch.setattr(psycopg.generators, "connect", refuse)
        yield
