"""A database that is away is used again as soon as it is back, however long that took."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psycopg
import pytest
from django.conf import settings
from psycopg_pool import PoolTimeout
from stock import make_annotator, make_campaign

from al_engine.pools import signals
from al_engine.pools.labeled import Progress, Standing
from annotator_site.accounts.models import token_digest
from annotator_site.accounts.newcomers import Holder, Newcomers
from annotator_site.labeling.database import Pool
from annotator_site.labeling.desks import Desks
from annotator_site.labeling.reception import Reception

_AWAY_S: Final = 3.5
"""After so long an exponential backoff from one second would sleep for three seconds more."""
_SOON_S: Final = 2.0


@pytest.mark.skipif(not settings.USES_BUNDLED_POSTGRES, reason="takes its socket away")
def test_the_labeling_path_is_back_soon_after_its_database(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    info: dict[str, Any] = signals.connection_info()
    with TemporaryDirectory() as folder:
        monkeypatch.setattr(signals, "connection_info", lambda _="": {**info, "host": folder})
        asyncio.run(_use_once_it_is_back(Path(info["host"]), Path(folder)))


async def _use_once_it_is_back(real: Path, nowhere: Path) -> None:
    desks = Desks()
    pool = await desks.pool()
    try:
        with suppress(PoolTimeout):
            async with pool.connection(timeout=_AWAY_S):
                raise AssertionError("there is no database yet")
        _bring_back(real, nowhere)
        async with asyncio.timeout(_SOON_S), pool.connection() as conn:
            await conn.execute("SELECT 1")
    finally:
        for task in desks._background:
            task.cancel()
        await asyncio.gather(*desks._background, return_exceptions=True)
        await pool.close()


def _bring_back(real: Path, nowhere: Path) -> None:
    for socket in real.glob(".s.PGSQL.*"):
        (nowhere / socket.name).symlink_to(socket)


def test_somebody_who_arrives_after_a_restart_of_the_database_is_received(
    transactional_db: None,
) -> None:
    campaign = make_campaign()
    person = make_annotator(campaign)

    async def arrive() -> tuple[Holder | None, tuple[Standing, Progress] | None]:
        async with Pool() as pool:
            await pool.wait()

            async def the_pool() -> Pool:
                return pool

            newcomers = Newcomers(the_pool)
            await _kill_all(pool)
            holder = await newcomers.of_token(token_digest(person.token))
            await _kill_all(pool)
            received = await Reception(pool, campaign.pk).receive(person.user.pk)
            return holder, received

    holder, received = asyncio.run(arrive())
    assert holder is not None
    assert holder.user == person.user
    assert received is not None
    assert received[0].annotator_id == person.annotator_id


async def _kill_all(pool: Pool) -> None:
    """End the backends of all connections, which nobody uses meanwhile."""
    async with AsyncExitStack() as stack:
        conns = [await stack.enter_async_context(pool.connection()) for _ in range(pool.max_size)]
        pids = [conn.info.backend_pid for conn in conns]
    async with await psycopg.AsyncConnection.connect(**signals.connection_info()) as killer:
        await killer.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) pid", [pids])
