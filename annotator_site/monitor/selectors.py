"""Reading a campaign's state, at a cost that does not grow with D, L or the number of people.

Sizes come from counters, rates and waits from samples, the rest from the newest rows along an
index. `campaign_status` shows the same numbers from the same functions
(`al_engine.pools.readings`).
"""

from collections import Counter
from dataclasses import replace
from typing import Final

from al_engine.pools import readings
from al_engine.pools.learners import learner_words, read_learners
from al_engine.pools.models import Campaign, EngineProcess, ModelVersion
from al_engine.pools.processes import SILENT_AFTER_SECONDS
from al_engine.pools.readings import Activity
from al_engine.pools.status import network_words
from annotator_site.images.addresses import image_url
from annotator_site.monitor.diagnosis import diagnose
from annotator_site.monitor.values import (
    Asked,
    Learner,
    Person,
    Point,
    Pools,
    Process,
    Settings,
    State,
    Version,
)

GALLERY_IMAGES: Final = 12
NEWEST_ANSWERS: Final = 500
PEOPLE_SHOWN: Final = 20


class CampaignGone(LookupError):
    """The campaign does not exist any more."""


def read_state(campaign_id: int) -> State:
    """The current state of a campaign. Raises CampaignGone."""
    campaign = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is None:
        raise CampaignGone(str(campaign_id))
    known = readings.read_activity(campaign)
    moment = readings.read_moment(campaign_id=campaign_id)
    people, strategies = _newest_answers(campaign_id, moment.now)
    pools = _pools(known)
    network = readings.read_network(campaign)
    state = State(
        read_at=moment.now,
        campaign=Settings(
            title=campaign.title,
            slug=campaign.slug,
            state=campaign.state,
            servers=campaign.servers,
            workers=campaign.workers,
            budget=campaign.budget,
            network=network_words(network),
            misfit=network["problem"],
        ),
        pools=pools,
        rates=known.rates,
        labels_last_minute=moment.labels_last_minute,
        waits_ms=known.waits_ms,
        staleness=known.staleness,
        storage=known.storage,
        connected=moment.connected,
        model=_newest_version(campaign_id),
        learners=[
            Learner(each["architecture"], each["role"], learner_words(each), each["best"])
            for each in read_learners(campaign)
        ],
        processes=_processes(campaign_id, moment.now),
        people=people,
        strategies=strategies,
        asking=_asking(campaign_id),
        point=Point(
            t=moment.now,
            labeled=pools.labeled,
            labels_per_minute=moment.labels_last_minute,
            open_queries=pools.open_queries,
            target_depth=pools.target_depth,
            wait_p99_ms=known.waits_ms["p99"],
            staleness=known.staleness["mean"],
        ),
    )
    return replace(state, findings=diagnose(state))


def _pools(known: Activity) -> Pools:
    return Pools(
        unlabeled=known.sizes.unlabeled,
        queried=known.sizes.queried,
        labeled=known.sizes.labeled,
        excluded=known.sizes.excluded,
        reserved=known.sizes.reserved,
        answers=known.sizes.answers,
        open_queries=known.open_queries,
        target_depth=known.target_depth,
    )


def versions_after(campaign_id: int, version: int, *, limit: int = 200) -> list[Version]:
    """Versions published since `version`, oldest first."""
    rows = readings.read_versions(campaign_id=campaign_id).filter(version__gt=version)
    return [as_version(row) for row in rows.order_by("version")[:limit]]


def _newest_version(campaign_id: int) -> Version | None:
    row = readings.read_versions(campaign_id=campaign_id).first()
    return as_version(row) if row else None


def as_version(row: ModelVersion) -> Version:
    """A model version as it is sent to the page; reads `row.server`."""
    return Version(
        version=row.version,
        server=row.server.name if row.server else None,
        architecture=row.architecture,
        labels_seen=row.labels_seen,
        train_seconds=row.train_seconds,
        published_at=row.published_at.timestamp(),
        accuracy=row.accuracy,
        low=row.accuracy_low,
        high=row.accuracy_high,
        audit=row.audit_accuracy,
        audit_low=row.audit_low,
        audit_high=row.audit_high,
        audit_count=row.audit_count,
    )


def _processes(campaign_id: int, now: float) -> list[Process]:
    return [
        _process(row, cells, now - row.heartbeat_at.timestamp())
        for row, cells in readings.read_processes(campaign_id=campaign_id)
    ]


def _process(row: EngineProcess, cells: int, silence_s: float) -> Process:
    return Process(
        id=row.pk,
        role=row.role,
        name=row.name,
        host=row.host,
        device=row.device,
        strategy=row.strategy,
        doing=row.state,
        depth=row.depth,
        cells=cells,
        heard_s=round(max(silence_s, 0.0), 1),
        alive=silence_s < SILENT_AFTER_SECONDS,
        stopped=row.state == "stopped",
        last_error=row.last_error,
        idle=row.idle,
    )


def _newest_answers(campaign_id: int, now: float) -> tuple[list[Person], dict[str, int]]:
    """Who gave the newest answers, and how many of them each strategy had selected."""
    newest = readings.read_newest_answers(campaign_id=campaign_id, limit=NEWEST_ANSWERS)
    counts = Counter(each.pseudonym for each in newest)
    last: dict[str, float] = {}
    for each in newest:
        last[each.pseudonym] = max(last.get(each.pseudonym, 0.0), each.answered_at)
    people = [
        Person(name=name, answers=counts[name], last_s=round(max(now - at, 0.0), 1))
        for name, at in sorted(last.items(), key=lambda item: -item[1])[:PEOPLE_SHOWN]
    ]
    return people, dict(Counter(each.strategy for each in newest).most_common())


def _asking(campaign_id: int) -> list[Asked]:
    """Images in annotators' buffers, the latest lease first."""
    return [
        Asked(
            turn=held.turn_id,
            image=held.image_id,
            name=held.name,
            url=image_url(held.key),
            width=held.width,
            height=held.height,
            strategy=held.strategy,
            score=held.score,
            purpose=held.purpose,
            person=held.pseudonym or "",
        )
        for held in readings.read_held(campaign_id=campaign_id, limit=GALLERY_IMAGES)
    ]
