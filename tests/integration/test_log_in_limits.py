"""Guessing is refused before a password is hashed, and shuts nobody else out."""

import logging
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from axes.handlers.proxy import AxesProxyHandler
from command_runs import run
from django.contrib.auth import authenticate
from django.http import HttpResponse
from django.test import Client, RequestFactory
from stock import make_user

from annotator_site.accounts import pauses
from annotator_site.accounts.attempts import TOLD_EVERY_S, network_of_request
from annotator_site.accounts.hashing import Hasher
from annotator_site.accounts.models import User

pytestmark = pytest.mark.django_db

HOME = "198.51.100.7"
AWAY = "203.0.113.9"
RIGHT, WRONG = "correct horse", "battery staple"

Hashed = list[str]
Try = Callable[..., Any]
Guess = Callable[..., int]


@pytest.fixture(autouse=True)
def hashed(monkeypatch: pytest.MonkeyPatch) -> Hashed:
    """Every password that is hashed, each with the least of work."""
    passwords: Hashed = []
    encode = Hasher.encode

    def counting(self: Hasher, password: str, salt: str, iterations: int | None = None) -> str:
        passwords.append(password)
        return encode(self, password, salt, iterations)

    monkeypatch.setattr(Hasher, "encode", counting)
    monkeypatch.setattr(Hasher, "iterations", 1)
    # Nothing was told yet.
    monkeypatch.setattr(AxesProxyHandler.get_implementation(), "_told_at", -TOLD_EVERY_S)
    return passwords


@pytest.fixture
def attempt(hashed: Hashed, client: Client) -> Try:
    """Sends the form of a log-in from an address; `hashed` has what that came to."""

    def attempt(
        name: str, password: str = WRONG, *, at: str = HOME, path: str = "/accounts/login/"
    ) -> Any:
        hashed.clear()
        client.cookies.clear()
        return client.post(path, {"username": name, "password": password}, REMOTE_ADDR=at)

    return attempt


@pytest.fixture
def guess(hashed: Hashed) -> Guess:
    """Tries a wrong password as any page would; how many were hashed for it."""

    def guess(name: str, password: str = WRONG, *, at: str = HOME) -> int:
        hashed.clear()
        request = RequestFactory().post("/accounts/login/", REMOTE_ADDR=at)
        assert authenticate(request, username=name, password=password) is None
        return len(hashed)

    return guess


def came_in(answer: HttpResponse) -> bool:
    """Whether somebody is logged in after this."""
    return "sessionid" in answer.cookies


# --- where somebody comes from -----------------------------------------------------------------

NETWORKS = {
    "192.0.2.7": "192.0.2.7",
    "::ffff:192.0.2.7": "192.0.2.7",
    "::FFFF:C000:207": "192.0.2.7",
    "192.0.2.8": "192.0.2.8",
    "2001:db8:1:2::3": "2001:db8:1:2::",
    "2001:db8:1:2:ffff:ffff:ffff:ffff": "2001:db8:1:2::",
    "2001:DB8:1:2::": "2001:db8:1:2::",
    "2001:0db8:0001:0002:0000:0000:0000:0009": "2001:db8:1:2::",
    "2001:db8:1:3::3": "2001:db8:1:3::",
    "::1": "::",
    "fe80::1%eth0": "fe80::",
    "fe80::2%wlan0": "fe80::",
    "192.0.2.7:443": "192.0.2.7",
    "[2001:db8:1:2::3]:443": "2001:db8:1:2::",
    " 192.0.2.7 ": "192.0.2.7",
    "": None,
    "unknown": None,
    "192.0.2.7, 192.0.2.8": None,
    "192.0.2.300": None,
    "192.0.2": None,
    "2001:db8::1::2": None,
    "1e3": None,
    "/run/site.sock": None,
    "'; DROP TABLE axes_accessattempt; --": None,
    "\x00": None,
    "ÿ" * 10_000: None,
}


@pytest.mark.parametrize(("address", "network"), NETWORKS.items(), ids=lambda text: str(text)[:20])
def test_a_network_is_an_ipv4_address_or_64_bits_of_ipv6_and_nothing_is_an_error(
    attempt: Try, address: str, network: str | None
) -> None:
    assert network_of_request(RequestFactory().get("/", REMOTE_ADDR=address)) == network
    assert attempt("nobody", at=address).status_code == 200


@pytest.mark.parametrize(
    ("addresses", "elsewhere"),
    [
        (["192.0.2.7", "::ffff:192.0.2.7"], "192.0.2.8"),
        ([f"2001:db8:1:2::{n:x}" for n in range(10)], "2001:db8:1:3::1"),
        (["2001:db8:1:2::1", "2001:db8:1:2:a:b:c:d%eth0"], "2001:db8:2:2::1"),
        (["unknown", "", "192.0.2.7, 192.0.2.8"], "192.0.2.7"),
    ],
    ids=["IPv4 in two notations", "a /64", "two of a /64", "none that can be told"],
)
def test_who_changes_the_address_within_a_network_wins_nothing(
    attempt: Try, hashed: Hashed, addresses: list[str], elsewhere: str
) -> None:
    ada = make_user(password=RIGHT)
    for number in range(pauses.CALM.of_pair):
        attempt(ada.username, at=addresses[number % len(addresses)])
    for address in addresses:
        assert attempt(ada.username, RIGHT, at=address).status_code == 429
        assert not hashed
    assert came_in(attempt(ada.username, RIGHT, at=elsewhere))


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/accounts/login/", "/admin/login/"])
def test_a_name_rests_for_its_network_by_every_way_in_and_nothing_is_hashed(
    attempt: Try, hashed: Hashed, path: str
) -> None:
    ada = make_user(password=RIGHT, is_staff=True)
    answers = [attempt(ada.username) for _ in range(pauses.CALM.of_pair)]
    assert [answer.status_code for answer in answers] == [200] * 9 + [429]
    refused = attempt(ada.username, RIGHT, path=path)
    assert not hashed
    assert not came_in(refused)
    if path == "/accounts/login/":
        assert refused.status_code == 429
        assert "so it rests for 15 minutes" in refused.content.decode()
        assert 890 < int(refused["Retry-After"]) <= 900
    bob = make_user(password=RIGHT)
    assert came_in(attempt(bob.username, RIGHT)), "a name that nobody guessed"


def test_a_network_rests_after_thirty_failures_over_whatever_names(
    attempt: Try, guess: Guess, hashed: Hashed
) -> None:
    ada = make_user(password=RIGHT)
    tried = [guess(f"name {number % 5}") for number in range(50)]
    assert tried == [1] * 30 + [0] * 20
    refused = attempt(ada.username, RIGHT)
    assert refused.status_code == 429
    assert not hashed
    assert "from your network" in refused.content.decode()
    assert 0 < int(refused["Retry-After"]) <= 900
    assert came_in(attempt(ada.username, RIGHT, at=AWAY))
    run("axes_reset_ip", HOME)
    assert came_in(attempt(ada.username, RIGHT))


def test_who_guesses_a_name_from_many_networks_shuts_nobody_out_at_home(
    attempt: Try, guess: Guess
) -> None:
    ada = make_user(password=RIGHT)
    tried = []
    for number in range(pauses.SPRAYED + 4):
        network = f"203.0.113.{number}"
        tried.append(sum(guess(ada.username, at=network) for _ in range(pauses.CALM.of_pair)))
    calm, sprayed = pauses.CALM.of_pair, pauses.WHILE_SPRAYED.of_pair
    assert tried == [calm] * (pauses.SPRAYED - 1) + [sprayed] * 5
    assert came_in(attempt(ada.username, RIGHT))


@pytest.mark.parametrize("seed", range(3))
def test_spraying_is_slowed_and_told_of(
    attempt: Try, guess: Guess, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """A few passwords over many names, from one network or many, in any order."""
    dice = random.Random(seed)
    ada = make_user(password=RIGHT)
    networks = [AWAY, *(f"192.0.2.{number}" for number in range(5 * seed))]
    known = [make_user(stem="real").username for _ in range(3)]
    names = [*known, "hunter2 typed as a name", *(f"{dice.getrandbits(64):x}" for _ in range(40))]
    tried = Counter[str]()
    with caplog.at_level(logging.WARNING, "annotator_site.accounts"):
        for password in ("summer", "winter"):
            for name in dice.sample(names, len(names)):
                network = dice.choice(networks)
                tried[network] += guess(name, password, at=network)
    alone = len(networks) == 1
    # Alone it comes to so many names before it is noticed.
    assert max(tried.values()) <= (pauses.SPRAYED if alone else pauses.WHILE_SPRAYED.of_network)
    told = [line for line in caplog.messages if "Somebody tries many passwords" in line]
    assert len(told) == 1
    assert "in 15 minutes names: 20, networks:" in told[0]
    assert not alone or f"networks: 1, most from {AWAY} (20). The names:" in told[0]
    assert "that nobody has" in told[0]
    assert "hunter2" not in caplog.text
    assert "summer" not in caplog.text
    assert came_in(attempt(ada.username, RIGHT))


def test_an_office_comes_in_through_one_address_though_many_mistype(
    attempt: Try, guess: Guess
) -> None:
    people = [make_user(password=RIGHT).username for _ in range(32)]
    for first in range(0, len(people), 8):
        some = people[first : first + 8]
        assert [guess(name) for name in some * 2] == [1] * 16
        for name in some:
            assert came_in(attempt(name, RIGHT))


# --- what no person types ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["x" * 10_000, "\0", "a\0b", "ÿ" * 300, "\u202e", "' OR 1=1 --", "%00", "\n"]
)
def test_whatever_is_sent_as_a_name_is_counted_or_refused_and_no_error(
    attempt: Try, name: str
) -> None:
    for _ in range(2):
        assert attempt(name).status_code == 200
    request = RequestFactory().post("/accounts/login/")
    assert "\0" in name or authenticate(request, username=name, password="x") is None


@pytest.mark.parametrize("kind", ["a person", "nobody", "deactivated", "without a password"])
def test_a_refusal_takes_the_same_work_whoever_is_named(
    attempt: Try, hashed: Hashed, kind: str
) -> None:
    name = make_user(
        password=None if kind == "without a password" else RIGHT, is_active=kind != "deactivated"
    ).username
    if kind == "nobody":
        User.objects.all().delete()
    assert attempt(name, "wrong").status_code == 200
    assert len(hashed) == 1
