"""Programs get a problem where the site itself fails."""

import pytest
from django.test import Client

from annotator_site.api import campaigns


@pytest.mark.django_db
def test_a_fault_of_the_site_is_a_problem_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(campaigns.Campaigns, "initial", fail)
    client = Client(raise_request_exception=False)
    told = client.get("/api/v1/campaigns")
    assert (told.status_code, told["Content-Type"]) == (500, "application/problem+json")
    assert "Send the request again" in told.json()["detail"]
    assert "a bug" not in told.content.decode()
