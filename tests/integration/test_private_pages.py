"""What browsers may keep of people's pages, and what a log-out takes away."""

import pytest
from django.conf import settings
from django.test import Client
from stock import make_annotator, make_campaign, make_user

BACKEND = "django.contrib.auth.backends.ModelBackend"

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("who", ["nobody", "annotator", "owner"])
@pytest.mark.parametrize(
    "page",
    [
        "/", "/c/{slug}/", "/c/{slug}/examples.json", "/accounts/login/", "/accounts/", "/admin/",
        "/admin/pools/campaign/", "/nowhere", "/c/nowhere/", "/language/",
    ],
)  # fmt: skip
def test_no_page_is_stored(who: str, page: str, client: Client) -> None:
    campaign = make_campaign()
    if who == "annotator":
        client.force_login(make_annotator(campaign).user, BACKEND)
    elif who == "owner":
        client.force_login(make_user(is_staff=True, is_superuser=True), BACKEND)

    answer = client.get(page.format(slug=campaign.slug))

    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]
    assert "Clear-Site-Data" not in answer


def test_styles_and_scripts_are_stored(client: Client) -> None:
    answer = client.get("/static/favicon.svg")
    assert answer.status_code == 200
    assert "no-store" not in answer.get("Cache-Control", "")
    answer.close()


@pytest.mark.parametrize("page", ["/accounts/logout/", "/admin/logout/"])
def test_a_log_out_clears_the_cache_and_keeps_answers_that_wait(page: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(is_staff=True, is_superuser=True), BACKEND)
    assert "Clear-Site-Data" not in client.post(page)  # refused
    client.get("/")
    token = client.cookies[settings.CSRF_COOKIE_NAME].value

    answer = client.post(page, {"csrfmiddlewaretoken": token})

    assert answer["Clear-Site-Data"] == '"cache"'
    assert client.get("/").status_code == 302
