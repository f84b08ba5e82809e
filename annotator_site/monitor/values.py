"""The values sent to the live page, serialized to JSON as they are.

Times are Unix seconds, or seconds since an event (`…_s`), by the database's clock.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from al_engine.pools.readings import Rates, Staleness, Storage, Waits

Part = Literal["unlabeled", "workers", "queries", "annotators", "labeled", "servers", "model"]
Level = Literal["info", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about a part of the loop that a person should know."""

    part: Part
    level: Level
    words: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The campaign's settings that the page needs."""

    title: str
    slug: str
    state: str
    servers: int
    workers: int
    budget: int
    network: str = ""
    """Its network, image size and why these, in words."""
    misfit: str = ""
    """Why the image size does not fit the images; empty if it does."""


@dataclass(frozen=True, slots=True)
class Pools:
    """Images by pool, answers ever given; `open_queries`: open turns in S; the workers' target."""

    unlabeled: int
    queried: int
    labeled: int
    excluded: int
    reserved: int
    answers: int
    open_queries: int
    target_depth: int


@dataclass(frozen=True, slots=True)
class Version:
    """A published model. Accuracies are shares with 95 % intervals."""

    version: int
    server: str | None
    architecture: str
    labels_seen: int
    train_seconds: float
    published_at: float
    accuracy: float | None
    low: float | None
    high: float | None
    audit: float | None
    audit_low: float | None
    audit_high: float | None
    audit_count: int


@dataclass(frozen=True, slots=True)
class Learner:
    """How good the newest model of an architecture is, in words; `best`: of all on audits."""

    architecture: str
    role: str
    words: str
    best: bool


@dataclass(frozen=True, slots=True)
class Process:
    """A server, worker, embedder or engine; `idle`: it has nothing to do, an engine rests."""

    id: int
    role: str
    name: str
    host: str
    device: str
    strategy: str
    doing: str
    depth: int
    cells: int
    heard_s: float
    alive: bool
    stopped: bool
    last_error: str
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """An annotator, by pseudonym, who gave some of the newest answers."""

    name: str
    answers: int
    last_s: float


@dataclass(frozen=True, slots=True)
class Asked:
    """An image in an annotator's buffer; `url` is None for watchers who may not see images."""

    turn: int
    image: int
    name: str
    url: str | None
    width: int
    height: int
    strategy: str
    score: float | None
    purpose: str
    person: str

    def without_picture(self) -> "Asked":
        """A copy without the image's name and URL."""
        return replace(self, name="", url=None)


@dataclass(frozen=True, slots=True)
class Point:
    """The numbers that are drawn over time, at time `t`."""

    t: float
    labeled: int
    labels_per_minute: float
    open_queries: int
    target_depth: int
    wait_p99_ms: float | None
    staleness: float | None


@dataclass(frozen=True, slots=True)
class State:
    """The state of a campaign at one time."""

    read_at: float
    campaign: Settings
    pools: Pools
    rates: Rates
    labels_last_minute: int
    waits_ms: Waits
    staleness: Staleness
    storage: Storage
    connected: int
    model: Version | None
    processes: list[Process]
    people: list[Person]
    strategies: dict[str, int]
    asking: list[Asked]
    point: Point
    learners: list[Learner] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class History:
    """Samples of the last hour; versions and staleness of the whole campaign."""

    bucket_s: int
    points: list[Point]
    staleness: list[tuple[float, float]]
    versions: list[Version]
    versions_published: int
