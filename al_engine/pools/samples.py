"""Samples of what web processes see, written here and read by the status and the live page."""

from collections.abc import Sequence

from al_engine.pools import processes, sizes
from al_engine.pools.models import Sample


def record_sample(
    *,
    campaign_id: int,
    source: str,
    seconds: float,
    connected: int,
    answers: int,
    dry: int,
    waits: Sequence[int],
) -> None:
    """Store what `source` (host:pid) saw in the last `seconds`, and the pools' sizes now.

    `dry` counts the waits that began with an empty buffer; `waits` is a histogram of all waits.
    """
    now = sizes.sizes(campaign_id=campaign_id)
    Sample.objects.create(
        campaign_id=campaign_id,
        source=source,
        seconds=seconds,
        connected=connected,
        answers=answers,
        dry=dry,
        waits=list(waits),
        unlabeled=now.unlabeled,
        queried=now.queried,
        labeled=now.labeled,
        open_queries=sizes.open_depth(campaign_id=campaign_id),
        target_depth=processes.target_depth(campaign_id=campaign_id),
    )
