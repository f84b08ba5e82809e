"""Whatever is sent to the labeling WebSocket, the people who label notice nothing of it.

A short run of what `python benchmarks/fuzz.py` does at length.
"""

import asyncio

from django.conf import settings

from .fuzzed import Fuzzed, make_fuzzed
from .fuzzer import Fuzz
from .web import process_at, resident_mib

FRAMES = 1_000


async def run(fuzzed: Fuzzed) -> Fuzz:
    """The honest label from before the first frame until after the last."""
    over = asyncio.Event()
    await asyncio.gather(*(each.enter() for each in fuzzed.honest))
    fuzz = Fuzz(fuzzed.site, fuzzed.path, fuzzed.prey(), seed=1)
    async with asyncio.TaskGroup() as group:
        for each in fuzzed.honest:
            group.create_task(each.label(over, least=20))
        await fuzz.run(FRAMES, liars=fuzzed.liars, takers=fuzzed.takers)
        over.set()
    await asyncio.gather(*(each.leave() for each in fuzzed.honest))
    return fuzz


def test_nothing_that_can_be_sent_crashes_a_site_or_makes_a_wrong_row(
    live_site: str, transactional_db: None
) -> None:
    fuzzed = make_fuzzed(live_site, images=3_000, honest=6, liars=4, takers=2, think_s=0.02)
    web, log = process_at(live_site), settings.VAR / "logs" / "live_site.log"
    told_before, before = log.stat().st_size, resident_mib(web)
    fuzz = asyncio.run(run(fuzzed))
    assert fuzzed.wrong() == []
    assert fuzz.sent.total() == FRAMES
    assert len(fuzz.sent) == 28
    assert all(each.contradicted for each in fuzzed.honest)
    # What could be understood was answered, and what could not ended the connection.
    nacks = ("bad_message", "not_yours", "unknown_query")
    assert {*(f"nack {code}" for code in nacks), "hung up"} <= set(fuzz.told), fuzz.told
    assert process_at(live_site) == web
    with log.open("rb") as lines:
        lines.seek(told_before)
        assert b"Traceback" not in (told := lines.read()), told[-3_000:].decode()
    assert resident_mib(web) - before < 64
