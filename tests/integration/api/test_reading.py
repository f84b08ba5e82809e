"""What programs read, what they may read, and what they are told where they may not."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from stock import add_images, ask, make_annotator, make_campaign, make_user, make_version

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, ModelVersion
from annotator_site.accounts.models import Token
from annotator_site.api import problems, throttles
from annotator_site.api.shapes import ConsensusShape, LabelShape
from annotator_site.exports.rows import COLUMNS

from .client import Program

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign()
    add_images(campaign, 7)
    ask(campaign, 3)
    return campaign


@pytest.fixture
def owner(campaign: Campaign) -> Program:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    campaigns.add_owners(campaign_id=campaign.pk, user_ids=[user.pk])
    return Program(user)


def at(campaign: Campaign, what: str = "") -> str:
    return f"campaigns/{campaign.slug}{what and f'/{what}'}"


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The problem that an answer tells, which has this status and all that each has."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["status"] == status
    assert set(told) == {"type", "title", "status", "detail", "errors"}
    assert told["detail"].endswith("."), told
    return told


def test_an_owner_reads_the_campaign_and_an_annotator_the_job(
    campaign: Campaign, owner: Program
) -> None:
    whole = owner.get(at(campaign)).json()
    assert whole["pools"]["unlabeled"] == 4
    assert whole["settings"]["lease_seconds"] == 120
    assert [each["name"] for each in whole["classes"]] == ["cat", "dog"]
    person = Program(make_annotator(campaign).user, ["label"])
    job = person.get(at(campaign)).json()
    assert job == {**whole, "pools": None, "settings": None}
    assert person.rows("campaigns") == [job]
    assert problem(Program(person_of(campaign)).get(at(campaign, "labels")), 403)


def person_of(campaign: Campaign) -> Any:
    return make_annotator(campaign).user


def test_pages_give_each_image_once_whatever_their_length(
    campaign: Campaign, owner: Program
) -> None:
    names = [each["id"] for each in owner.rows(at(campaign, "images"))]
    assert len(set(names)) == 7
    for limit in (1, 3, 7, 8):
        found = [each["id"] for each in owner.rows(at(campaign, f"images?limit={limit}"))]
        assert found == names
    pools = {
        state: {row["id"] for row in owner.rows(at(campaign, f"images?state={state}&limit=2"))}
        for state in ("unlabeled", "queried", "labeled", "excluded", "reserved")
    }
    assert [len(pool) for pool in pools.values()] == [4, 3, 0, 0, 0]
    queries = owner.rows(at(campaign, "queries?limit=2&fields=image_id,strategy"))
    assert {row["image_id"] for row in queries} == pools["queried"]
    assert set(queries[0]) == {"image_id", "strategy"}
    first = owner.get(at(campaign, f"images/{names[0]}")).json()
    assert first == owner.get(at(campaign, "images?limit=1")).json()["results"][0]


def test_answers_have_the_columns_of_the_export() -> None:
    assert set(LabelShape().fields) == {*COLUMNS["labels"], "image_id"}
    assert set(ConsensusShape().fields) == {*COLUMNS["consensus"], "image_id"}


def test_weights_are_given_whole_once(campaign: Campaign, owner: Program) -> None:
    make_version(campaign, 1)
    key = default_storage.save(f"models/{campaign.pk}/w.safetensors", ContentFile(b"w" * 3_000_000))
    rows = ModelVersion.objects.filter(campaign=campaign)
    rows.update(key=key, sha256="ab" * 32, size=3_000_000)
    (version,) = owner.rows(at(campaign, "models"))
    assert version["stored"]
    answer = owner.get(at(campaign, "models/1/weights"))
    assert answer["Content-Length"] == "3000000"
    assert async_to_sync(all_of)(answer) == b"w" * 3_000_000
    assert answer["ETag"] == f'"{version["sha256"]}"'
    again = owner.get(at(campaign, "models/1/weights"), **{"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    rows.update(key="")
    assert "newer" in problem(owner.get(at(campaign, "models/1/weights")), 409)["detail"]
    problem(owner.get(at(campaign, "models/2")), 404)


async def all_of(answer: Any) -> bytes:
    """The bytes of a streamed answer."""
    whole = b"".join([piece async for piece in answer.streaming_content])
    answer.close()
    return whole


def test_what_did_not_change_is_not_sent_again(campaign: Campaign, owner: Program) -> None:
    first = owner.get(at(campaign, "models"))
    assert owner.get(at(campaign, "models"), **{"If-None-Match": first["ETag"]}).status_code == 304
    make_version(campaign, 1)
    assert owner.get(at(campaign, "models"), **{"If-None-Match": first["ETag"]}).status_code == 200


def test_stats_are_those_of_the_command_and_a_watching_token_is_enough(
    campaign: Campaign, owner: Program
) -> None:
    user = Token.objects.order_by("-pk")[0].user
    told = Program(user, ["watch"]).get(at(campaign, "stats")).json()
    assert told["pools"]["open_queries"] == 3
    assert problem(Program(user, ["watch"]).get(at(campaign, "labels")), 403)
    assert problem(Program(user, ["label"]).get(at(campaign, "stats")), 403)


def test_wrong_values_are_named_with_a_remedy(campaign: Campaign, owner: Program) -> None:
    for query, field in [
        ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("since=x", "since"),
        ("since=1-2", "since"), ("since=99999999999999999999", "since"), ("state=lost", "state"),
        ("fields=id,secret", "fields"),
    ]:  # fmt: skip
        (error,) = problem(owner.get(at(campaign, f"images?{query}")), 400)["errors"]
        assert error["field"] == field
        assert error["remedy"].startswith("Send ")


def test_who_is_unknown_or_elsewhere_learns_nothing(campaign: Campaign, owner: Program) -> None:
    stranger = Program(None)
    assert stranger.get("campaigns")["WWW-Authenticate"] == "Token"
    problem(stranger.get(at(campaign)), 401)
    problem(stranger.get("nowhere"), 401)
    problem(owner.get("nowhere"), 404)
    stranger.headers["Authorization"] = "Token guessed"
    problem(stranger.get(at(campaign)), 401)
    elsewhere = Program(make_annotator(make_campaign()).user)
    there, nowhere = (elsewhere.get(path) for path in (at(campaign), "campaigns/c-0"))
    said = problem(there, 404)["detail"]
    assert said.replace(campaign.slug, "c-0") == problem(nowhere, 404)["detail"]
    Token.objects.update(expires_at=timezone.now())
    problem(owner.get(at(campaign)), 401)


def test_a_session_reads_and_changes_nothing_without_the_csrf_token(campaign: Campaign) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_user(is_staff=True, is_superuser=True))
    assert browser.get(f"/api/v1/{at(campaign)}").status_code == 200
    assert problem(browser.post(f"/api/v1/{at(campaign)}"), 403)["detail"].startswith("CSRF")


def test_errors_are_in_english_whatever_the_browser_prefers(campaign: Campaign) -> None:
    answer = Client().get("/api/v1/campaigns", headers={"Accept-Language": "de"})
    assert "Log in" in problem(answer, 401)["detail"]


def test_without_its_database_the_api_asks_to_come_again() -> None:
    answer = problems.answer(OperationalError("the connection is lost"), {})
    assert answer is not None
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert problems.answer(ZeroDivisionError(), {}) is None


def test_who_asks_too_often_is_told_when_to_come_again(
    campaign: Campaign, owner: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttles, "OF_USER", throttles.Buckets(burst=2, per_s=0.5))
    answers = [owner.get(at(campaign)) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    problem(answers[2], 429)
    assert answers[2]["Retry-After"] == "2"
    monkeypatch.setattr(throttles, "OF_ADDRESS", throttles.Buckets(burst=1, per_s=0.5))
    assert [Program(None).get("campaigns").status_code for _ in range(2)] == [401, 429]


def test_buckets_fill_again_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "BUCKETS_KEPT", 2)
    buckets = throttles.Buckets(burst=2, per_s=1)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0, 0, 1]
    assert buckets.take("a", 0.5) == 0.5
    assert buckets.take("a", 1.5) == 0
    buckets.take("b", 2.0)
    buckets.take("c", 2.0)
    assert buckets.take("a", 2.0) == 0, "it was forgotten, oldest first"
