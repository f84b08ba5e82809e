"""Probes are answered by whatever name or address they come."""

import pytest
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["localhost", "10.1.2.3:8000", "elsewhere.example", "no host!"])
@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_a_probe_is_answered_whatever_its_host(client: Client, address: str, host: str) -> None:
    answer = client.get(address, headers={"host": host})
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_page_is_not(client: Client) -> None:
    assert client.get("/accounts/login/", headers={"host": "elsewhere.example"}).status_code == 400
