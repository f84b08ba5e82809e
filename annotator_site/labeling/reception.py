"""Reads the standing of people who arrive and the campaign's progress, together for all of them."""

from collections.abc import Mapping, Sequence

from psycopg_pool import AsyncConnectionPool

from al_engine.pools import labeled
from al_engine.pools.labeled import Progress, Standing
from al_engine.pools.query import Connection
from annotator_site.pooled import read
from annotator_site.together import Together


class Reception:
    """Looks up the annotators of one campaign."""

    def __init__(self, pool: AsyncConnectionPool[Connection], campaign_id: int) -> None:
        self._pool = pool
        self._campaign_id = campaign_id
        self._together: Together[int, tuple[Standing, Progress]] = Together(self._read)

    async def receive(self, user_id: int) -> tuple[Standing, Progress] | None:
        """The user's standing here and the campaign's progress; None if they may not label.

        Raises psycopg.Error and PoolTimeout while the database is away.
        """
        return await self._together.get(user_id)

    async def _read(self, user_ids: Sequence[int]) -> Mapping[int, tuple[Standing, Progress]]:
        async def from_database(conn: Connection) -> tuple[dict[int, Standing], Progress]:
            people = await labeled.standings(conn, campaign_id=self._campaign_id, user_ids=user_ids)
            sizes = await labeled.progress(conn, campaign_id=self._campaign_id)
            return people, await labeled.read_progress(sizes)

        people, progress = await read(self._pool, from_database)
        return {user_id: (person, progress) for user_id, person in people.items()}
