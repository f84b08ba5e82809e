"""Probes are answered by whatever name or address they come."""

import pytest
from django.test import Client

from annotator_site.background import Health, background


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["localhost", "10.1.2.3:8000", "elsewhere.example", "no host!"])
@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_a_probe_is_answered_whatever_its_host(client: Client, address: str, host: str) -> None:
    answer = client.get(address, headers={"host": host})
    assert answer.status_code == 200
    ready = b'{"ready": true, "problems": [], "tasks": []}'
    assert answer.content == (ready if address == "/readyz" else b"ok\n")


@pytest.mark.django_db
def test_a_site_whose_essential_task_is_down_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [Health("disk", essential=True, failures=3, last_error="ValueError")]
    tasks += [Health("news", essential=False, failures=1, last_error="KeyError")]
    tasks += [Health("desk of secret-pets", essential=True, failures=1, last_error="OSError")]
    tasks += [Health("leases of secret-pets", essential=True, began=0.0)]
    monkeypatch.setattr(background, "report", lambda: tasks)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    told = answer.json()
    assert "secret-pets" not in answer.content.decode()
    assert told["problems"] == [
        "the task “disk” failed with ValueError and is started again",
        "the task “desk” failed with OSError and is started again",
    ]
    assert told["tasks"] == [
        {
            "name": "disk",
            "essential": True,
            "down": True,
            "failures": 3,
            "last_error": "ValueError",
        },
        {"name": "news", "essential": False, "down": True, "failures": 1, "last_error": "KeyError"},
        {"name": "desk", "essential": True, "down": True, "failures": 1, "last_error": "OSError"},
    ]
    tasks[0].began = tasks[2].began = 0.0  # long ago
    assert client.get("/readyz").status_code == 200, "one that is not essential keeps nobody away"


def test_a_page_is_not(client: Client) -> None:
    assert client.get("/accounts/login/", headers={"host": "elsewhere.example"}).status_code == 400
