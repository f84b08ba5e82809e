"""Engines and their processes as the pools know them: who is alive, what they do, heartbeats."""

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import psutil
from django.db import connection, transaction
from django.db.models import QuerySet, Sum
from django.db.models.functions import Now

from al_engine.pools.models import EngineProcess

SILENT_AFTER_SECONDS: Final = 8.0
"""A process without a heartbeat for this long counts as dead; heartbeats come every 2 s."""

SILENCE: Final = timedelta(seconds=SILENT_AFTER_SECONDS)


class Superseded(Exception):
    """Another process has taken over this server or worker; this process must end."""


@dataclass(frozen=True, slots=True)
class Part:
    """The server, worker, embedder or engine that this operating system process runs as."""

    id: int
    role: str
    name: str
    strategy: str


def register(*, campaign_id: int, role: str, name: str, strategy: str = "") -> Part:
    """Register this process as the server, worker … `name`, or under the next free name.

    A name is free when its last process is silent, or ran on this machine and is gone.
    """
    stem, _, number = name.rpartition("-")
    with transaction.atomic():
        while True:
            row, _ = EngineProcess.objects.select_for_update(no_key=True).get_or_create(
                campaign_id=campaign_id,
                role=role,
                name=name,
                # A row that was just made is free.
                defaults={"heartbeat_at": Now() - SILENCE},
            )
            if not _is_played(row):
                break
            number = str(int(number) + 1)
            name = f"{stem}-{number}"
        EngineProcess.objects.filter(pk=row.pk).update(
            host=socket.gethostname(),
            pid=os.getpid(),
            device="",
            strategy=strategy,
            state="starting",
            idle=False,
            depth=0,
            started_at=Now(),
            heartbeat_at=Now(),
        )
    return Part(id=row.pk, role=role, name=name, strategy=strategy)


def parts(*, ids: Sequence[int]) -> list[Part]:
    """The parts with these row ids, in this order. Raises ValueError if a row is missing."""
    rows = EngineProcess.objects.in_bulk(ids)
    if missing := set(ids) - set(rows):
        raise ValueError(f"There is no engine process with the id {min(missing)}.")
    return [Part(row.pk, row.role, row.name, row.strategy) for row in map(rows.__getitem__, ids)]


def heartbeat(*, parts: Sequence[Part]) -> None:
    """Record that these parts are alive. Raises Superseded if another process took one over."""
    alive = EngineProcess.objects.filter(
        pk__in=[part.id for part in parts], host=socket.gethostname(), pid=os.getpid()
    ).update(heartbeat_at=Now())
    if alive < len(parts):
        raise Superseded("Another process took over a part of this one, which was silent.")


def report(
    *,
    process_id: int,
    state: str | None = None,
    idle: bool = False,
    depth: int | None = None,
    device: str | None = None,
    strategy: str | None = None,
    error: str | None = None,
) -> None:
    """Record what a process does now, for people to see; None leaves a value as it is.

    `idle` belongs to `state`: the process has nothing to do, and its campaign may rest. `depth` is
    how many queries a worker wants open in S. Counts as a heartbeat.
    """
    said = {
        "state": state,
        "depth": depth,
        "device": device,
        "strategy": strategy,
        "last_error": error,
    }
    values: dict[str, object] = {key: value for key, value in said.items() if value is not None}
    if state is not None:
        values["idle"] = idle
    values["heartbeat_at"] = Now()
    EngineProcess.objects.filter(pk=process_id).update(**values)


def report_states(*, states: Mapping[int, str], idle: Collection[int] = ()) -> None:
    """Record what each of these processes does now, and that it has no error, in one statement.

    `idle`: those that have nothing to do; of an engine, those whose campaigns rest.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE pools_engineprocess process
               SET state = given.state, idle = given.id = ANY(%s::bigint[]), last_error = '',
                   heartbeat_at = now()
               FROM unnest(%s::bigint[], %s::text[]) AS given(id, state)
               WHERE process.id = given.id""",
            [list(idle), list(states), list(states.values())],
        )


def last_error(*, process_id: int) -> str:
    """The last error that the process reported; empty if it reported none."""
    found = EngineProcess.objects.filter(pk=process_id).values_list("last_error", flat=True)
    return found.first() or ""


def report_depths(*, depths: Mapping[int, int]) -> None:
    """Record how many queries each worker wants open in S; writes only what has changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE pools_engineprocess process SET depth = given.depth
               FROM unnest(%s::bigint[], %s::int[]) AS given(id, depth)
               WHERE process.id = given.id AND process.depth <> given.depth""",
            [list(depths), list(depths.values())],
        )


def depths(*, worker_ids: Sequence[int]) -> dict[int, int]:
    """How many queries each of these workers wants open in S."""
    rows = EngineProcess.objects.filter(pk__in=worker_ids)
    return dict(rows.values_list("pk", "depth"))


def retire(*, parts: Sequence[Part]) -> None:
    """Record that these parts have ended, so that they count as dead at once."""
    EngineProcess.objects.filter(
        pk__in=[part.id for part in parts], host=socket.gethostname(), pid=os.getpid()
    ).update(state="stopped", depth=0, heartbeat_at=Now() - SILENCE)


def live_workers(*, campaign_id: int) -> int:
    """How many workers are alive now: the k of the paper."""
    return _live(campaign_id, EngineProcess.Role.WORKER).count()


def is_embedding_here(*, campaign_id: int, architecture: str) -> bool:
    """Whether a live embedder on this machine embeds this campaign's images by an architecture."""
    return (
        _live(campaign_id, EngineProcess.Role.EMBEDDER)
        .filter(host=socket.gethostname(), strategy=architecture)
        .exists()
    )


def sweep_dead(*, campaign_ids: Sequence[int]) -> None:
    """Retire the parts whose process on this machine has ended without retiring them."""
    here = EngineProcess.objects.filter(campaign_id__in=campaign_ids, host=socket.gethostname())
    for row in here.exclude(state="stopped"):
        if not _runs(row.pid):
            EngineProcess.objects.filter(pk=row.pk, pid=row.pid).update(
                state="stopped", depth=0, heartbeat_at=Now() - SILENCE
            )


def target_depth(*, campaign_id: int) -> int:
    """The depth of S that the live workers aim at, summed over them."""
    total = _live(campaign_id, EngineProcess.Role.WORKER).aggregate(total=Sum("depth"))["total"]
    return int(total or 0)


def _is_played(row: EngineProcess) -> bool:
    """Whether a live process runs as this part."""
    # By the database's clock, the only one that all hosts share.
    if not EngineProcess.objects.filter(pk=row.pk, heartbeat_at__gt=Now() - SILENCE).exists():
        return False
    if row.host != socket.gethostname():
        return True
    return _runs(row.pid)


def _runs(pid: int | None) -> bool:
    """Whether a process runs on this machine; a zombie does not count."""
    try:
        return psutil.Process(pid or 0).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _live(campaign_id: int, role: str) -> QuerySet[EngineProcess]:
    return EngineProcess.objects.filter(
        campaign_id=campaign_id,
        role=role,
        heartbeat_at__gt=Now() - SILENCE,
    )
