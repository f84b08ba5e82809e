"""Lists of admin and API, and the live page, on large tables: no unbounded count, no walk over all.

The plans are looked at, not the time: the same statements are explained by PostgreSQL on tables
of 200,000 rows with fresh statistics.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from stock import make_annotator, make_campaign, make_user

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign
from annotator_site.campaigns.admin import base, pools
from annotator_site.monitor.history import read_history
from annotator_site.monitor.selectors import read_state

ROWS = 200_000
BIG = {"pools_image", "pools_query", "pools_turn", "pools_label", "pools_consensus"}
PAGE_ROWS = 2_000
SMALL = {"pools_campaign", "pools_annotator", "pools_choice"}

# Two campaigns: one holds nearly all rows, the older one a few. Every 50th image is in holdout,
# every 1000th excluded; of the others half are labeled, and a few hundred wait in S.
FILL = """
INSERT INTO pools_image (campaign_id, position, sha256, name, key, width, height, size, cell,
                         split, state, problem)
SELECT %(campaign)s, n, md5(n::text) || md5((n + 1)::text),
       'class-' || n %% 10 || '/image-' || lpad(n::text, 7, '0') || '.png',
       'images/' || n || '.png', 32, 32, 900, n %% 64,
       CASE WHEN n %% 50 = 0 AND n %% 1000 <> 0 THEN 'holdout' ELSE 'pool' END,
       CASE WHEN n %% 1000 = 0 THEN 'excluded' WHEN n %% 50 = 0 THEN 'reserved'
            WHEN n < %(rows)s / 2 THEN 'labeled'
            WHEN n < %(rows)s / 2 + 500 THEN 'queried' ELSE 'unlabeled' END, ''
FROM generate_series(0, %(rows)s - 1) AS n;

INSERT INTO pools_query (campaign_id, image_id, cell, state, strategy, closed_at)
SELECT campaign_id, id, cell, CASE state WHEN 'queried' THEN 'open' ELSE 'closed' END, 'entropy',
       now()
FROM pools_image WHERE state IN ('labeled', 'queried') AND campaign_id = %(campaign)s;

INSERT INTO pools_turn (campaign_id, query_id, image_id, state, annotator_id)
SELECT campaign_id, id, image_id, CASE state WHEN 'open' THEN 'open' ELSE 'answered' END,
       CASE state WHEN 'closed' THEN %(annotator)s END
FROM pools_query WHERE campaign_id = %(campaign)s;

INSERT INTO pools_label (campaign_id, image_id, query_id, turn_id, annotator_id, choice_id,
                         client_id, shown_ms, retracted_at)
SELECT campaign_id, image_id, query_id, id, annotator_id, %(choice)s, gen_random_uuid(), 700,
       CASE WHEN id %% 500 = 0 THEN now() END
FROM pools_turn WHERE state = 'answered' AND campaign_id = %(campaign)s;

INSERT INTO pools_consensus (image_id, campaign_id, query_id, choice_id, confidence, answers,
                             changed_in)
SELECT image_id, campaign_id, query_id, choice_id, 1, 1, id / 5
FROM pools_label WHERE campaign_id = %(campaign)s;
"""


def fill(campaign: Campaign, rows: int) -> None:
    """Give a campaign rows by the hundred thousand."""
    annotator = make_annotator(campaign).annotator_id
    choice = campaign.choices.values_list("pk", flat=True)[0]
    with connection.cursor() as cursor:
        for statement in FILL.split(";\n"):
            if statement.strip():
                cursor.execute(
                    statement,
                    {"campaign": campaign.pk, "rows": rows, "annotator": annotator,
                     "choice": choice},
                )  # fmt: skip


def pages(small: Campaign, big: Campaign) -> Iterator[str]:
    """Every list with every filter and search that it offers."""
    sha256 = big.images.values_list("sha256", flat=True)[7]
    image = big.images.values_list("pk", flat=True)[7]
    person = big.annotators.values_list("pseudonym", flat=True)[0]
    states = ["unlabeled", "queried", "labeled", "excluded", "reserved"]
    said = ["unusable", "everybody", "unshown", "aside", "1", "5"]
    queries = {
        "image": [
            "", "p=100", "split=holdout", "split=gold", f"q={sha256}", "q=class-3/image-00000",
            "q=nothing-like-it", f"q=%23{image}", *[f"state={state}" for state in states],
            *[f"campaign={each.pk}&state={state}" for each in (small, big) for state in states],
            *[f"said={each}" for each in said],
            *[f"campaign={big.pk}&said={each}" for each in said],
        ],
        "query": [
            "", "p=100", "state=open", "state=withdrawn", "purpose=audit", f"q=image:{image}",
        ],
        "turn": [
            "", "state=leased", "state=skipped", "skip_reason=unsure", f"q=image:{image}",
            "q=query:9",
        ],
        "label": ["", "p=100", f"q={person}", f"q=image:{image}", "q=%239"],
        "consensus": ["", "p=100", "q=9"],
    }  # fmt: skip
    for model, asked in queries.items():
        address = reverse(f"admin:pools_{model}_changelist")
        for each in [*asked, f"campaign={small.pk}", f"campaign={big.pk}&p=20"]:
            yield f"{address}?{each}"
    for campaign in (small, big):
        resources = ["queries?since=3-5", "labels?since=7", "consensus?since=7-9", "images?since=9"]
        resources += [f"images?state={state}" for state in states]
        resources += ["images?state=unlabeled&since=5-100", "images?state=labeled&since=5-100"]
        for each in resources:
            yield f"/api/v1/campaigns/{campaign.slug}/{each}"


def plan_of(sql: str) -> dict[str, Any]:
    """How PostgreSQL would run a statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        plan: dict[str, Any] = cursor.fetchone()[0][0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps of a plan, from its top down."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


@pytest.mark.django_db
def test_no_list_counts_or_walks_a_large_table(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As small beside these tables as the real one is beside a million rows.
    for module in (base, pools):
        monkeypatch.setattr(module, "WINDOW", 10_000)
    with connection.cursor() as cursor:
        # In new files: rows that fill the holes of earlier tests' rows lie out of order, and the
        # planner would expect a page to be read for every one of them.
        cursor.execute("TRUNCATE pools_campaign CASCADE")
    small, big = make_campaign(), make_campaign()
    fill(small, 500)
    fill(big, ROWS)
    with connection.cursor() as cursor:
        for table in sorted(BIG | SMALL):
            cursor.execute(f"ANALYZE {table}")
    owner = make_user(is_staff=True)
    owner.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    for campaign in (small, big):
        campaigns.add_owners(campaign_id=campaign.pk, user_ids=[owner.pk])
    looked_at = 0
    for user in (make_user(is_staff=True, is_superuser=True), owner):
        client.force_login(user)
        for page in pages(small, big):
            # With a campaign chosen, an owner's lists are read as everybody's.
            if user == owner and ("campaign=" in page or "/api/" in page):
                continue
            with CaptureQueriesContext(connection) as captured:
                answer = client.get(page)
            assert answer.status_code == 200, page
            assert len(captured) < 20, f"{page}: {len(captured)} statements"
            looked_at += look_at_plans(page, captured)
    assert looked_at > 150
    for read in (read_state, read_history):
        with CaptureQueriesContext(connection) as captured:
            read(big.pk)
        assert len(captured) < 25, f"{read.__name__}: {len(captured)} statements"
        looked_at += look_at_plans(read.__name__, captured)


def look_at_plans(what: str, captured: CaptureQueriesContext) -> int:
    """Assert that no statement walks a large table; returns how many touch one."""
    looked_at = 0
    for query in captured.captured_queries:
        sql = str(query["sql"])
        if not any(table in sql for table in BIG):
            continue
        looked_at += 1
        steps = list(nodes(plan_of(sql)))
        walked = [
            step["Relation Name"]
            for step in steps
            if step["Node Type"] == "Seq Scan" and step["Relation Name"] in BIG
        ]
        assert not walked, f"{what} walks {walked}:\n{sql}"
        if what.startswith("/api/"):
            # A page is a stretch of an index: nothing is sorted but rows of equal first columns.
            sorted_ = [step["Plan Rows"] for step in steps if step["Node Type"] == "Sort"]
            assert max(sorted_, default=0) < PAGE_ROWS, f"{what} sorts:\n{sql}"
        if re.search(r"COUNT\(", sql):
            assert any(step["Node Type"] == "Limit" for step in steps), f"{what} counts:\n{sql}"
    return looked_at
