"""A worker keeps S filled: at random at first, then with what its strategy makes of the model."""

from collections.abc import Sequence

import psycopg
import pytest
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.db.models import Count, Q
from torch import Tensor

from al_engine import strategies
from al_engine.decisions.refill import DEPTH_FLOOR
from al_engine.pools.models import Campaign, EngineProcess, Image, ModelVersion, Query
from al_engine.pools.signals import connection_info

from .conftest import MakeCampaign
from .digits import as_the_models_see, replace_file
from .people import join
from .roles import probabilities_by, publish_model, working

pytestmark = pytest.mark.django_db(transaction=True)


def open_queries(campaign: Campaign) -> list[Query]:
    """What anybody may still take of S."""
    untouched = ~Q(turns__state="leased")
    return list(
        Query.objects.filter(untouched, campaign=campaign, state="open").select_related("image")
    )


def positions_of(queries: Sequence[Query]) -> set[int]:
    return {query.image.position for query in queries}


def entropies(version: ModelVersion, positions: Sequence[int]) -> dict[int, float]:
    """The entropy of each image by a version, computed past worker, cache and strategy."""
    images, _ = as_the_models_see(positions)
    said = probabilities_by(version, images)
    scores = -(said * said.clamp_min(1e-30).log()).sum(dim=1)
    return dict(zip(positions, scores.tolist(), strict=True))


def assert_best(queries: Sequence[Query], scores: dict[int, float]) -> None:
    """The queries carry their scores, and no image that is not among them scores higher."""
    chosen = positions_of(queries)
    for query in queries:
        assert query.score == pytest.approx(scores[query.image.position], abs=1e-4)
    worst = min(scores[position] for position in chosen)
    left = max(score for position, score in scores.items() if position not in chosen)
    assert left <= worst + 1e-4


def test_before_the_first_model_images_are_drawn_at_random(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=300)
    with working(campaign, "entropy") as workers:
        workers.step()
        queries = open_queries(campaign)
        state = EngineProcess.objects.get(campaign=campaign, name="worker-1")
    assert len(queries) == DEPTH_FLOOR
    assert {(query.strategy, query.model_version_id) for query in queries} == {("random", None)}
    assert positions_of(queries) != set(range(DEPTH_FLOOR))
    assert (state.state, state.depth) == ("selecting at random before the first model", DEPTH_FLOOR)


def test_with_a_model_s_holds_what_the_strategy_chooses(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=300)
    version = publish_model(campaign, seed=1)
    with working(campaign, "entropy") as workers:
        workers.step()
    queries = open_queries(campaign)
    assert len(queries) == DEPTH_FLOOR
    assert {(query.strategy, query.model_version_id) for query in queries} == {
        ("entropy", version.pk)
    }
    assert_best(queries, entropies(version, range(300)))


@pytest.mark.parametrize("name", ["least_confidence", "margin"])
def test_every_strategy_of_the_paper_is_heard(make_campaign: MakeCampaign, name: str) -> None:
    campaign = make_campaign(pool=200)
    version = publish_model(campaign, seed=2)
    with working(campaign, name) as workers:
        workers.step()
    images, _ = as_the_models_see(range(200))
    scores = scores_by(name, probabilities_by(version, images))
    assert_best(open_queries(campaign), scores)


def scores_by(name: str, probabilities: Tensor) -> dict[int, float]:
    """The score of every image, by position, from the strategy as any program may call it."""
    selection = strategies.get(name)(
        probabilities, len(probabilities), generator=torch.Generator().manual_seed(0)
    )
    return dict(zip(selection.indices.tolist(), selection.scores.tolist(), strict=True))


def test_a_newer_model_replaces_what_it_would_not_choose_and_nothing_in_peoples_hands(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=300)
    person = join(campaign)
    with working(campaign, "entropy") as workers:
        workers.step()
        held = person.take(10)
        version = publish_model(campaign, seed=3)
        workers.step()
    held_ids = {turn.image_id for turn in held}
    queries = open_queries(campaign)
    replaced = Query.objects.filter(campaign=campaign, state="withdrawn")
    assert len(queries) == DEPTH_FLOOR - 10
    assert not held_ids & set(replaced.values_list("image_id", flat=True))
    assert Query.objects.filter(campaign=campaign, image__in=held_ids, state="open").count() == 10
    # What the first draw had and the model chooses as well stays, as the model's own choice.
    assert {query.model_version_id for query in queries} == {version.pk}
    assert {query.strategy for query in queries} == {"entropy"}
    assert 0 < replaced.count() < DEPTH_FLOOR - 10
    untouched = Query.objects.filter(campaign=campaign, image__in=held_ids)
    assert set(untouched.values_list("model_version", flat=True)) == {None}
    free = [
        image.position
        for image in Image.objects.filter(campaign=campaign)
        if image.pk not in held_ids
    ]
    scores = entropies(version, free)
    assert_best(queries, scores)
    states = Image.objects.filter(campaign=campaign).values_list("state").annotate(n=Count("id"))
    assert dict(states) == {"queried": DEPTH_FLOOR, "unlabeled": 300 - DEPTH_FLOOR}


def test_a_refresh_that_the_database_refused_is_made_up_for(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=300)
    with working(campaign, "entropy") as workers:
        workers.step()
        version = publish_model(campaign, seed=3)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        with psycopg.connect(**connection_info()) as other:
            other.execute("LOCK TABLE pools_query IN SHARE MODE")
            with pytest.raises(OperationalError):
                workers.step()
        connection.close()
        workers.step()
    assert version.pk in {query.model_version_id for query in open_queries(campaign)}


def test_without_refresh_what_was_asked_stays_asked(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=300, refresh=False)
    person = join(campaign)
    with working(campaign, "entropy") as workers:
        workers.step()
        before = positions_of(open_queries(campaign))
        version = publish_model(campaign, seed=3)
        workers.step()
        assert positions_of(open_queries(campaign)) == before
        # Only what is added from now on is the newer model's choice.
        person.take(40)
        workers.step()
    queries = open_queries(campaign)
    fresh = [query for query in queries if query.model_version_id == version.pk]
    assert (len(queries), len(fresh)) == (DEPTH_FLOOR, 40)
    assert not Query.objects.filter(campaign=campaign, state="withdrawn").exists()
    in_d = set(range(300)) - before
    assert_best(fresh, entropies(version, sorted(in_d)))


def test_without_refresh_what_an_older_model_ranked_is_not_called_the_newer_models_choice(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=300, refresh=False)
    publish_model(campaign, seed=1)
    person = join(campaign)
    with working(campaign, "entropy") as workers:
        workers.step()
        before = positions_of(open_queries(campaign))
        version = publish_model(campaign, seed=3)
        workers.step()  # S is full
        person.take(40)
        workers.step()
    fresh = [each for each in open_queries(campaign) if each.model_version_id == version.pk]
    assert len(fresh) == 40
    assert_best(fresh, entropies(version, sorted(set(range(300)) - before)))


def test_an_image_whose_file_is_gone_hinders_no_refresh(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(pool=300)
    with working(campaign, "entropy") as workers:
        workers.step()
        gone, *_ = sorted(positions_of(open_queries(campaign)))
        replace_file(campaign, gone, None)
        version = publish_model(campaign, seed=3)
        workers.step()
    queries = open_queries(campaign)
    assert any(query.model_version_id == version.pk for query in queries)
    assert gone in positions_of(queries), "nobody can say whether the model would choose it"
    assert len(queries) == DEPTH_FLOOR


def test_workers_with_strategies_of_their_own_share_d_and_one_model(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=300)
    version = publish_model(campaign, seed=4)
    names = ["entropy", "least_confidence", "margin", "random"]
    with working(campaign, *names) as workers:
        workers.step()
        cells = dict(workers.crew.cells)
    queries = open_queries(campaign)
    assert len(queries) == DEPTH_FLOOR
    assert sorted(cell for held in cells.values() for cell in held) == list(range(64))
    for part in workers.crew.parts:
        mine = [query for query in queries if query.worker_id == part.id]
        assert len(mine) == DEPTH_FLOOR // 4
        assert {query.strategy for query in mine} == {part.strategy}
        assert {query.cell for query in mine} <= set(cells[part.id])
        if part.strategy != "random":
            d_of_mine = Image.objects.filter(campaign=campaign, cell__in=cells[part.id])
            positions = list(d_of_mine.values_list("position", flat=True))
            images, _ = as_the_models_see(positions)
            by_place = scores_by(part.strategy, probabilities_by(version, images))
            assert_best(mine, {positions[place]: score for place, score in by_place.items()})


def test_a_worker_whose_newest_weights_are_damaged_goes_on_with_those_before(
    make_campaign: MakeCampaign, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = make_campaign(pool=300)
    person = join(campaign)
    first = publish_model(campaign, seed=1)
    with working(campaign, "entropy") as workers:
        workers.step()
        damage(publish_model(campaign, seed=2))
        person.take(40)
        workers.step()
        assert {query.model_version_id for query in open_queries(campaign)} == {first.pk}
        assert "are not what was published" in caplog.text
    # A process that starts now has none in hand.
    person.take(60)
    with working(campaign, "entropy") as workers:
        workers.step()
        assert {query.model_version_id for query in open_queries(campaign)} == {first.pk}
        third = publish_model(campaign, seed=3)
        workers.step()
        assert third.pk in {query.model_version_id for query in open_queries(campaign)}


def damage(version: ModelVersion) -> None:
    with default_storage.open(version.key, "rb") as file:
        data = file.read()
    default_storage.delete(version.key)
    default_storage.save(version.key, ContentFile(data[:1000] + b"\xff" + data[1001:]))


def test_images_whose_files_are_faulty_are_set_aside_with_a_reason(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(pool=50)
    publish_model(campaign, seed=1)
    replace_file(campaign, 7, b"this is no image")
    replace_file(campaign, 8, None)
    with working(campaign, "entropy") as workers:
        workers.step()
    for place, kind in ((7, "damaged"), (8, "gone")):
        image = Image.objects.get(campaign=campaign, position=place)
        assert (image.state, image.excluded_for) == (Image.State.EXCLUDED, kind)
        assert image.key in image.problem
    assert positions_of(open_queries(campaign)) == set(range(50)) - {7, 8}
