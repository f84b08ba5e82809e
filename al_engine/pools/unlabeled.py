"""D: the cells, their leases, and what a worker may score.

D_j of the paper is the unlabeled images of the cells that worker j holds now.
"""

import math
import random
from collections.abc import Mapping, Sequence
from itertools import islice
from statistics import mean
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from django.db.models.functions import Now

from al_engine.decisions.rules import CELLS
from al_engine.pools.models import Cell, Image
from al_engine.pools.processes import SILENT_AFTER_SECONDS
from al_engine.pools.sizes import sizes
from al_engine.pools.sql import statement

CELL_LEASE_SECONDS: Final = 8.0
"""A worker's cells go to other workers after this long in silence; holders renew every 2 s."""

_NEWEST_COMPARED: Final = 1_000
_IMAGES_MOVED_AT_ONCE: Final = 2_000

_SMALL_POOL_IMAGES: Final = 20_000
"""Up to this many images, sorting all of D at random is the faster draw."""
_TRIES_FACTOR: Final = 1.3
_EXTRA_TRIES: Final = 50
"""Positions tried beyond those that suffice on average, besides the factor."""


_SENT: Final = np.dtype([("image_id", ">i8"), ("position", ">i4"), ("cell", ">i2")])


class Candidate(NamedTuple):
    """An image that a worker may select: its id, its row in the image cache, its cell."""

    image_id: int
    position: int
    cell: int


def make_cells(*, campaign_id: int) -> None:
    """Make a campaign's cells, held by no worker."""
    Cell.objects.bulk_create(
        [Cell(campaign_id=campaign_id, cell=cell) for cell in range(CELLS)], ignore_conflicts=True
    )


def cell_of(sha256: str) -> int:
    """The cell of a new image, from its hash: a random partition."""
    return int(sha256[:8], 16) % CELLS


def share_by_hash(*, campaign_id: int) -> float:
    """The share of the newest images of D that are in the cell of their hash; 0 if D is empty.

    If cells follow clusters instead of hashes, about 1 in 64 images is there by chance.
    """
    newest = Image.objects.filter(campaign_id=campaign_id, resting="unlabeled")
    rows = newest.order_by("-position").values_list("sha256", "cell")[:_NEWEST_COMPARED]
    return mean([cell == cell_of(sha256) for sha256, cell in rows] or [0])


def all_positions(*, campaign_id: int) -> list[int]:
    """Image cache positions of the images of D, in order."""
    rows = Image.objects.filter(campaign_id=campaign_id, resting="unlabeled")
    return list(rows.order_by("position").values_list("position", flat=True))


def move(*, campaign_id: int, cells: Mapping[int, int]) -> int:
    """Move images to other cells, by position → cell; return how many moved.

    Only images in D move: a query stores the cell that its image had when it was asked.
    """
    moved = 0
    rest = iter(cells.items())
    while some := list(islice(rest, _IMAGES_MOVED_AT_ONCE)):
        with connection.cursor() as cursor:
            cursor.execute(
                # Images that a worker is putting into S are skipped: two statements that wait for
                # each other's images would deadlock.
                """WITH here AS MATERIALIZED (
                       SELECT image.id, given.cell
                       FROM unnest(%s::int[], %s::int[]) AS given(position, cell)
                       JOIN pools_image image ON image.campaign_id = %s
                                             AND image.position = given.position
                       WHERE image.resting = 'unlabeled' AND image.cell <> given.cell
                       FOR NO KEY UPDATE OF image SKIP LOCKED
                   )
                   UPDATE pools_image image SET cell = here.cell
                   FROM here WHERE image.id = here.id""",
                [[place for place, _ in some], [cell for _, cell in some], campaign_id],
            )
            moved += cursor.rowcount
    return moved


def hold_cells(*, campaign_id: int, worker_id: int, live_workers: int) -> list[int]:
    """Renew, take or release cells so that this worker has its share; return the cells it holds.

    The share is CELLS / live workers, rounded up for some workers and down for the rest. So a dead
    worker's cells are taken over, and a new worker finds free ones.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            statement("hold_cells"),
            {
                "campaign": campaign_id,
                "worker": worker_id,
                "cells": CELLS,
                "workers": max(live_workers, 1),
                "silence": SILENT_AFTER_SECONDS,
                "seconds": CELL_LEASE_SECONDS,
            },
        )
        return sorted(cell for cell, kept in cursor.fetchall() if kept)


def held_cells(*, worker_ids: Sequence[int]) -> dict[int, list[int]]:
    """The cells that each of these workers holds now, by worker."""
    held: dict[int, list[int]] = {worker_id: [] for worker_id in worker_ids}
    rows = Cell.objects.filter(worker__in=worker_ids, lease_expires__gt=Now())
    for worker_id, cell in rows.order_by("cell").values_list("worker", "cell"):
        held[worker_id].append(cell)
    return held


def release_cells(*, worker_id: int) -> None:
    """Release all cells of a worker, so that other workers can take them at once."""
    Cell.objects.filter(worker_id=worker_id).update(worker=None, lease_expires=None)


def candidates(
    *, campaign_id: int, cells: list[int], limit: int, after: int = -1
) -> npt.NDArray[np.int64]:
    """Up to `limit` images of D in `cells`, by position, those after `after` first, wrapping round.

    Rows of image id, position and cell: int64 (n, 3). A worker that cannot score all of D_j in its
    time budget passes the last position it saw and so scores a rotating part.
    """
    found = _read_unlabeled(campaign_id, cells, "position > %s", after, limit)
    if after >= 0 and len(found) < limit:
        rest = _read_unlabeled(campaign_id, cells, "position <= %s", after, limit - len(found))
        found = np.concatenate([found, rest])
    return found


def draw_at_random(*, campaign_id: int, cells: list[int], count: int) -> list[Candidate]:
    """`count` images of D in `cells`, uniformly at random: for audits and for the cold start.

    In a large campaign, random positions are tried and kept if they hold an image of D in these
    cells: the draw is uniform and its cost does not grow with D. If that finds too few, as near the
    end of a campaign, all remaining images are sorted at random.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(position) FROM pools_image WHERE campaign_id = %s", [campaign_id]
        )
        places = (cursor.fetchone()[0] or 0) + 1
        tries = places
        if places > _SMALL_POOL_IMAGES:
            hits = sizes(campaign_id=campaign_id).unlabeled / places * len(cells) / CELLS
            tries = math.ceil(count / hits * _TRIES_FACTOR) + _EXTRA_TRIES if hits > 0 else places
        if tries < places // 2:
            cursor.execute(
                """SELECT image.id, image.position, image.cell
                   FROM unnest(%s::int[]) AS tried(position)
                   CROSS JOIN LATERAL (SELECT id, position, cell, resting FROM pools_image
                                       WHERE campaign_id = %s AND position = tried.position
                                       LIMIT 1) image
                   WHERE image.resting = 'unlabeled' AND image.cell = ANY(%s)
                   LIMIT %s""",
                [random.sample(range(places), tries), campaign_id, cells, count],
            )
            found = cursor.fetchall()
            if len(found) == count:
                return list(map(Candidate._make, found))
        cursor.execute(
            """SELECT id, position, cell FROM pools_image
               WHERE campaign_id = %s AND resting = 'unlabeled' AND cell = ANY(%s)
               ORDER BY random() LIMIT %s""",
            [campaign_id, cells, count],
        )
        return list(map(Candidate._make, cursor.fetchall()))


def _read_unlabeled(
    campaign_id: int, cells: list[int], where: str, after: int, limit: int
) -> npt.NDArray[np.int64]:
    """As the bytes of one value: as Python objects, 100,000 rows took longer than their scores."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT string_agg(int8send(id) || int4send(position) || int2send(cell), ''::bytea
                                  ORDER BY position)
                FROM (SELECT id::int8, position::int4, cell::int2 FROM pools_image
                      WHERE campaign_id = %s AND resting = 'unlabeled' AND cell = ANY(%s)
                        AND {where}
                      ORDER BY position LIMIT %s) found""",  # noqa: S608 - `where` is one of two constants
            [campaign_id, cells, after, limit],
        )
        rows = np.frombuffer(cursor.fetchone()[0] or b"", _SENT)
    return np.stack([rows[name].astype(np.int64) for name in Candidate._fields], axis=1)
