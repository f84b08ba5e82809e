"""A database with a full query pool, and web servers, under a folder of their own."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

ROOT: Final = Path(__file__).resolve().parents[2]
HOST: Final = "127.0.0.1"
_START_S: Final = 30.0

_FILL: Final = """
INSERT INTO pools_image (campaign_id, position, sha256, name, key, width, height, size, cell,
                         split, state, problem)
SELECT %(campaign)s, n, %(campaign)s || '-' || n, n || '.png',
       (%(keys)s::text[])[1 + n %% cardinality(%(keys)s::text[])], 28, 28, 400, n %% 64, 'pool',
       'queried', ''
FROM generate_series(%(first)s, %(last)s) n;
INSERT INTO pools_query (campaign_id, image_id, cell, strategy)
SELECT campaign_id, id, cell, 'random' FROM pools_image
WHERE campaign_id = %(campaign)s AND position BETWEEN %(first)s AND %(last)s;
INSERT INTO pools_turn (campaign_id, query_id, image_id)
SELECT q.campaign_id, q.id, q.image_id FROM pools_query q JOIN pools_image i ON i.id = q.image_id
WHERE i.campaign_id = %(campaign)s AND i.position BETWEEN %(first)s AND %(last)s;
"""


@dataclass(frozen=True, slots=True)
class Stocked:
    """A campaign with a full S, and the tokens of its annotators."""

    campaign_id: int
    slug: str
    choices: tuple[int, ...]
    tokens: tuple[str, ...]


@contextmanager
def database(var: Path) -> Iterator[None]:
    """Django with the bundled PostgreSQL under `var`, migrated; stopped at the end."""
    os.environ["NOWAIT_VAR"] = str(var)
    os.environ.pop("DATABASE_URL", None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "annotator_site.settings"
    from annotator_site import embedded_postgres

    try:
        embedded_postgres.ensure_running(var)
        import django

        django.setup()
        from annotator_site.running import prepare_database

        prepare_database()
        yield
    finally:
        embedded_postgres.stop(var)


def stock(*, slug: str, people: int, queries: int, pictures: int = 1_000) -> Stocked:
    """Create a campaign of ten classes with `queries` open queries and `people` annotators."""
    from al_engine.pools import campaigns
    from al_engine.pools.models import Campaign

    campaign = campaigns.create_campaign(
        slug=slug,
        title="A load",
        choices=[campaigns.NewChoice(str(n)) for n in range(10)],
        settings={"messages_per_second": 0, "lease_seconds": 600},
    )
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.RUNNING)
    fill(campaign.pk, first=0, count=queries, keys=store_pictures(pictures))
    tokens = add_people(campaign, people)
    return Stocked(
        campaign.pk,
        slug,
        tuple(campaign.choices.values_list("id", flat=True)),
        tuple(tokens),
    )


def add_people(campaign: Any, count: int) -> list[str]:
    """Give a campaign annotators without passwords; returns their tokens."""
    from django.contrib.auth.hashers import make_password

    from al_engine.pools.models import Annotator
    from annotator_site.accounts.models import Token, User, new_token_text, token_digest

    unusable = make_password(None)
    users = User.objects.bulk_create(
        [User(username=f"{campaign.slug}-{n}", password=unusable) for n in range(count)]
    )
    tokens = [new_token_text() for _ in users]
    Token.objects.bulk_create(
        [Token(user=u, digest=token_digest(t)) for u, t in zip(users, tokens, strict=True)]
    )
    Annotator.objects.bulk_create([Annotator(campaign=campaign, user=user) for user in users])
    return tokens


def log_in(slug: str) -> list[str]:
    """The session cookies of all people of a stocked campaign, logged in."""
    from datetime import timedelta

    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone
    from django.utils.crypto import get_random_string

    from annotator_site.accounts.models import User

    until, sessions, store = timezone.now() + timedelta(days=1), [], SessionStore()
    for user in User.objects.filter(memberships__campaign__slug=slug).order_by("pk"):
        said = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
        key = get_random_string(32, "abcdefghijklmnopqrstuvwxyz0123456789")
        sessions.append(Session(key, store.encode(said), until))
    Session.objects.bulk_create(sessions)
    return [f"sessionid={session.session_key}" for session in sessions]


def fill(campaign_id: int, *, first: int, count: int, keys: Sequence[str]) -> None:
    """Add open queries for `count` new images at positions from `first` on."""
    from django.db import connection

    with connection.cursor() as cursor:
        for start in range(first, first + count, 100_000):
            last = min(start + 100_000, first + count) - 1
            cursor.execute(
                _FILL,
                {"campaign": campaign_id, "first": start, "last": last, "keys": list(keys)},
            )
        cursor.execute("ANALYZE")
    checkpoint()


def checkpoint() -> None:
    """Write all dirty pages of the bundled PostgreSQL to disk, connected as its superuser."""
    from django.conf import settings

    from annotator_site.postgres_cluster import DATABASE, SUPERUSER, Place

    where = str(Place(settings.VAR.resolve()).socket_dir)
    with psycopg.connect(host=where, user=SUPERUSER, dbname=DATABASE) as conn:
        conn.execute("CHECKPOINT")


@contextmanager
def web(
    var: Path, *, asgi_server: str, application: str | None = None, processes: int = 1
) -> Iterator[tuple[int, list[psutil.Process]]]:
    """Web processes on one port, of the site or `application`; yields the port and processes."""
    from annotator_site.running import BACKLOG, web_argv

    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((HOST, 0))
        listener.listen(BACKLOG)
        port = listener.getsockname()[1]
        env = {
            **os.environ,
            "NOWAIT_VAR": str(var),
            "NOWAIT_ROLE": "web",
            "DJANGO_SETTINGS_MODULE": "annotator_site.settings",
        }
        *argv, site = web_argv(asgi_server, listener.fileno())
        argv.append(application or site)
        children = [
            subprocess.Popen(argv, cwd=ROOT, env=env, pass_fds=(listener.fileno(),))
            for _ in range(processes)
        ]
        try:
            await_answer(port)
            yield port, [psutil.Process(child.pid) for child in children]
        finally:
            for child in children:
                child.terminate()
            for child in children:
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


def await_answer(port: int) -> None:
    """Return once a site answers on this port; exits the program after 30 s without an answer."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        client = http.client.HTTPConnection(HOST, port, timeout=1.0)
        with suppress(OSError, http.client.HTTPException), closing(client):
            client.request("GET", "/healthz")
            client.getresponse()
            return
        time.sleep(0.05)
    sys.exit(f"The web process did not answer within {_START_S:.0f} s.")


def store_pictures(count: int) -> list[str]:
    """Store small PNGs; returns their keys."""
    import random
    from io import BytesIO

    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage
    from PIL import Image

    dice, keys = random.Random(1), []  # noqa: S311 - pictures
    for number in range(count):
        data = BytesIO()
        Image.frombytes("L", (28, 28), dice.randbytes(784)).save(data, "PNG")
        key = f"images/load/{number}.png"
        keys.append(default_storage.save(key, ContentFile(data.getvalue())))
    return keys


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """The CPU time of these processes so far."""
    times: list[Any] = [process.cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))
