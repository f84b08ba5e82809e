"""Passwords are hashed a few at a time, and who waits for that keeps nothing from others."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from conftest import ROOT
from pytest_django import DjangoDbBlocker
from stock import committing

from annotator_site.accounts import hashing
from annotator_site.accounts.models import User
from annotator_site.environment import database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once, in the end."""
    with committing(django_db_blocker):
        yield


def test_who_waits_for_a_turn_holds_no_connection_and_turns_are_few(
    test_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More attempts wait than the pool has connections, and all of these are free."""
    monkeypatch.setattr(hashing.Hasher, "iterations", 1000)
    User.objects.create_user("ada", password="correct horse")
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.hashing_beside_a_pool"],
        env={
            **test_environment,
            "NOWAIT_ROLE": "web",
            "DJANGO_SETTINGS_MODULE": "annotator_site.settings",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pool = database("postgresql://u@h/x", {}, role="web", application_name="")["OPTIONS"]["pool"]
    seen = json.loads(done.stdout)
    assert seen["queued"] == 24 > pool["max_size"]
    assert seen["connections"] == 0
    assert seen["at_once"] == hashing.AT_ONCE
    assert seen["nice"] == (hashing.GIVES_WAY if sys.platform == "linux" else 0)
