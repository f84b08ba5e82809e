"""Passwords are hashed a few at a time, and who waits for that keeps nothing from others."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest
from conftest import ROOT, Derive
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from pytest_django import DjangoDbBlocker
from stock import committing

from annotator_site.accounts import hashing
from annotator_site.accounts.models import User
from annotator_site.accounts.pauses import CALM
from annotator_site.environment import database

TOKEN = "a" * 32

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In the place of pytest-django's fixture: emptied once, in the end."""
    with committing(django_db_blocker):
        yield


def log_in(site: str, name: str, password: str, address: str = "127.0.0.1") -> int:
    """The status that a log-in from an address of this machine is answered with."""
    place = urlsplit(site)
    form = {"username": name, "password": password, "csrfmiddlewaretoken": TOKEN}
    headers = {
        "Cookie": f"csrftoken={TOKEN}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection = HTTPConnection("127.0.0.1", place.port, timeout=60, source_address=(address, 0))
    with closing(connection):
        connection.request("POST", "/accounts/login/", urlencode(form), headers)
        return connection.getresponse().status


@pytest.mark.skipif(sys.platform != "linux", reason="others have but one address of their own")
def test_many_guesses_at_once_are_no_more_guesses_and_keep_nobody_waiting(live_site: str) -> None:
    User.objects.create_user("ada", password="correct horse")
    User.objects.create_user("bob", password="correct horse")
    with ThreadPoolExecutor(32) as threads:
        guesses = [threads.submit(log_in, live_site, "ada", "wrong") for _ in range(32)]
        wait(guesses, return_when=FIRST_COMPLETED)
        assert log_in(live_site, "bob", "correct horse", "127.0.0.2") == 302
        assert not all(guess.done() for guess in guesses)
    statuses = Counter(guess.result() for guess in guesses)
    assert set(statuses) == {200, 429}
    # The last guess that counts is told so as well. Who is at the door together counts alike.
    assert statuses[200] in range(CALM.of_pair - 1, CALM.of_pair + hashing.AT_ONCE)
    assert log_in(live_site, "ada", "correct horse", "127.0.0.2") == 302


def test_who_waits_for_a_turn_holds_no_connection_and_turns_are_few(
    test_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More attempts wait than the pool has connections, and all of these are free."""
    monkeypatch.setattr(hashing.Hasher, "iterations", 1000)
    User.objects.create_user("cy", password="correct horse")
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
    assert seen["nice"] == hashing.GIVES_WAY


@pytest.mark.parametrize("password", ["correct horse", "pä,ss wörd\n🦉", ""])
def test_the_hash_is_djangos_own_whether_or_not_a_process_can_be_started(
    password: str, derive: Derive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing.Hasher, "_derive", derive)
    theirs = PBKDF2PasswordHasher().encode(password, "salt", 1000)
    assert hashing.Hasher().encode(password, "salt", 1000) == theirs
    for executable in ("/nowhere/python", shutil.which("false")):
        monkeypatch.setattr(sys, "executable", executable)
        assert hashing.Hasher().encode(password, "salt", 1000) == theirs
