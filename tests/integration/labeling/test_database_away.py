"""A database that is away is used again as soon as it is back, however long that took."""

import asyncio
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from django.conf import settings
from psycopg_pool import PoolTimeout

from al_engine.pools import signals
from annotator_site.labeling.desks import Desks

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
