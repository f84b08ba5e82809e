"""Two databases with the real schema in one PostgreSQL: small pools and large ones.

Both are copies of one template with a campaign, a thousand annotators and a worker that holds all
cells. They are filled in chunks, each a transaction, so that an interrupted filling can continue.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from benchmarks.load import place

Info = dict[str, Any]

PEOPLE: Final = 1_000
TABLES: Final = ("image", "query", "turn", "label", "consensus", "counter")
_CHUNK: Final = 250_000
# A prime, so coprime to every size that is not a multiple of it. Multiples of it visit the
# positions of images in an order that looks random, like a model's choices.
_STRIDE: Final = 7_368_787

# Digests are random, as in practice, so that writes are spread over their index.
_FILL: Final = """
INSERT INTO pools_image (campaign_id, position, sha256, name, key, width, height, size, cell,
                         split, state, problem)
SELECT %(campaign)s, n, md5(n::text) || md5((-n)::text), 'images/' || n || '.jpg',
       'images/' || md5(n::text) || '.jpg', 640, 480, 60000, n %% 64, 'pool',
       CASE WHEN n::bigint * %(inverse)s %% %(images)s < %(queries)s
            THEN 'queried' ELSE 'unlabeled' END, ''
FROM generate_series(%(first)s, %(last)s) n;
INSERT INTO pools_query (campaign_id, image_id, cell, strategy, worker_id)
SELECT campaign_id, id, cell, 'entropy', %(worker)s FROM pools_image
WHERE campaign_id = %(campaign)s AND position BETWEEN %(first)s AND %(last)s AND state = 'queried';
INSERT INTO pools_turn (campaign_id, query_id, image_id)
SELECT q.campaign_id, q.id, q.image_id FROM pools_query q JOIN pools_image i ON i.id = q.image_id
WHERE i.campaign_id = %(campaign)s AND i.position BETWEEN %(first)s AND %(last)s;
"""

_USAGE: Final = """
SELECT relname, n_live_tup, n_dead_tup, pg_table_size(relid), pg_indexes_size(relid)
FROM pg_stat_user_tables WHERE relname = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of pools: images in D and S together, and open queries in S."""

    database: str
    images: int
    queries: int

    @property
    def stride(self) -> int:
        return _STRIDE if self.images % _STRIDE else 1

    @property
    def inverse(self) -> int:
        """The inverse of `stride` modulo the images: turns a position into its place in order."""
        return pow(self.stride, -1, self.images)

    def position(self, nth: int) -> int:
        """The position of the image asked `nth`; the first `queries` are in S from the start."""
        return nth * self.stride % self.images


@dataclass(frozen=True, slots=True)
class Campaign:
    """The ids that both databases share."""

    id: int
    worker: int
    choices: tuple[int, ...]
    annotators: tuple[int, ...]


def connection_info(database: str, options: str = "") -> Info:
    """Keyword arguments for psycopg to connect to one of the databases."""
    from al_engine.pools import signals

    return {**signals.connection_info(options), "dbname": database}


def ensure_template() -> Campaign:
    """The campaign and its people in Django's own database, the template; created if missing."""
    from django.contrib.auth.hashers import make_password
    from django.db import connection

    from al_engine.pools import campaigns, models
    from annotator_site.accounts.models import User

    campaign = models.Campaign.objects.first()
    if campaign is None:
        unusable = make_password(None)
        users = User.objects.bulk_create(
            [User(username=f"person-{n}", password=unusable) for n in range(PEOPLE)]
        )
        campaign = campaigns.create_campaign(
            slug="growth", choices=[campaigns.NewChoice(str(n)) for n in range(10)]
        )
        for user in users:
            campaigns.join(campaign_id=campaign.pk, user_id=user.pk)
        worker = models.EngineProcess.objects.create(
            campaign=campaign, role=models.EngineProcess.Role.WORKER, name="worker-1"
        )
        models.Cell.objects.filter(campaign=campaign).update(worker=worker)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE pools_cell SET lease_expires = 'infinity'")
    made = Campaign(
        campaign.pk,
        models.EngineProcess.objects.get(campaign=campaign).pk,
        tuple(campaign.choices.values_list("pk", flat=True)),
        tuple(campaign.annotators.order_by("pk").values_list("pk", flat=True)),
    )
    connection.close()
    return made


def ensure_filled(size: Size, campaign: Campaign, say: Callable[[str], None], until: float) -> bool:
    """Create and fill a database; returns False if `until` (`time.monotonic`) came first."""
    _ensure_database(size.database)
    with psycopg.connect(**connection_info(size.database), autocommit=True) as conn:
        (there,) = _row(conn, "SELECT coalesce(max(position) + 1, 0) FROM pools_image")
        if there >= size.images:
            return True
        for first in range(there, size.images, _CHUNK):
            last = min(first + _CHUNK, size.images)
            if time.monotonic() > until:
                return False
            began = time.monotonic()
            _fill(conn, size, campaign, first, last - 1)
            say(f"{size.database}: {last:,} images, {time.monotonic() - began:.1f} s the last")
        conn.execute("VACUUM (ANALYZE)")
    place.checkpoint()
    return True


def usage(database: str) -> dict[str, tuple[int, int, int, int]]:
    """Live rows, dead rows, bytes of the table and bytes of its indexes, by table name."""
    names = [f"pools_{table}" for table in TABLES]
    with psycopg.connect(**connection_info(database), autocommit=True) as conn:
        found = conn.execute(_USAGE, [names]).fetchall()
    return {
        name.removeprefix("pools_"): (live, dead, own, keys)
        for name, live, dead, own, keys in found
    }


def drop(database: str) -> None:
    """Drop a database and end all connections to it."""
    with psycopg.connect(**connection_info("postgres"), autocommit=True) as conn:
        conn.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def _ensure_database(database: str) -> None:
    from django.conf import settings

    template = settings.DATABASES["default"]["NAME"]
    with psycopg.connect(**connection_info("postgres"), autocommit=True) as conn:
        if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            conn.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')


def _fill(
    conn: psycopg.Connection[Any], size: Size, campaign: Campaign, first: int, last: int
) -> None:
    values = {
        "campaign": campaign.id,
        "worker": campaign.worker,
        "images": size.images,
        "queries": size.queries,
        "inverse": size.inverse,
        "first": first,
        "last": last,
    }
    with conn.transaction(), psycopg.ClientCursor(conn) as cursor:
        cursor.execute(_FILL, values)


def _row(conn: psycopg.Connection[Any], statement: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = conn.execute(statement).fetchone()
    assert row is not None
    return row
