"""What the schema promises holds for requests of any kind: drawn from it, and against it.

schemathesis makes them; for every operation a few good ones and a few bad ones, with a real site
behind. Nothing is a server error, every answer has a status and a shape that the schema names, and
bad values are refused. That good values are taken is not asked: names have to exist, and places.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker
from schemathesis.specs.openapi.checks import positive_data_acceptance
from stock import committing, make_annotator, make_campaign, stock

from al_engine.pools.models import Campaign
from annotator_site.api.schema import whole_schema

schema = schemathesis.openapi.from_dict(whole_schema())


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with committing(django_db_blocker):
        yield


@pytest.fixture(scope="module")
def campaign(transactional_db: None) -> Campaign:
    campaign = make_campaign()
    stock(campaign, 3)
    return campaign


@pytest.fixture
def token(campaign: Campaign) -> str:
    """Of somebody who may do everything, and has asked for nothing yet."""
    person = make_annotator(campaign, is_staff=True, is_superuser=True)
    return person.token


@schema.parametrize()
@settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_what_the_schema_says(
    case: schemathesis.Case[Any], live_site: str, campaign: Campaign, token: str
) -> None:
    if "slug" in (case.path_parameters or {}):
        case.path_parameters["slug"] = campaign.slug
    case.call_and_validate(
        base_url=live_site,
        headers={"Authorization": f"Token {token}"},
        excluded_checks=[positive_data_acceptance],
    )
