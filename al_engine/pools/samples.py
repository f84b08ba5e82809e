"""What a web process saw in a few seconds: kept here, read by the status and the live page."""

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
    """Keep what `source` (host:pid) saw in the last `seconds`, beside the pools' sizes now.

    `dry` counts the waits that began with an empty buffer; `waits` is a histogram of all of them.
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
