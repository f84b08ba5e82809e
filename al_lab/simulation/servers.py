"""The servers: wait for news in L, train, publish, repeat (paper, section 3.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from al_engine.decisions import rules
from al_lab.config.settings import Clock, Setting
from al_lab.simulation.seeds import derive_seed
from al_lab.simulation.timeline import Kind, Timeline
from al_lab.simulation.versions import Version, Versions
from al_lab.simulation.world import Label


def training_seconds(clock: Clock, labels: int, measured: float | None) -> float:
    """How long a training takes on the virtual clock, with a device of its own."""
    if clock.training is not None:
        return clock.training + clock.training_per_label * labels
    return measured or 0.0


@dataclass(slots=True)
class _Server:
    number: int
    busy: bool = False
    trainings: int = 0
    labels_seen: int = 0  # labels in L when its last training began
    had_its_turn: bool = False


class Servers:
    """The m servers of an asynchronous campaign. `record` gets an event for each version."""

    def __init__(
        self,
        setting: Setting,
        *,
        seed: int,
        classes: int,
        total: int,
        versions: Versions,
        labels: Sequence[Label],
        timeline: Timeline,
        record: Callable[[dict[str, Any]], None],
    ) -> None:
        self._setting = setting
        self._seed = seed
        self._first_model_at = rules.enough_for_first_model(classes, total)
        self._versions = versions
        self._labels = labels
        self._timeline = timeline
        self._record = record
        self._all = [_Server(number) for number in range(setting.arrangement.servers)]
        # What the last training took, or would have on a device of its own.
        self._seconds = 0.0

    @property
    def training(self) -> bool:
        """Whether any server trains now."""
        return any(server.busy for server in self._all)

    @property
    def _sharing(self) -> float:
        """By which factor a training takes longer because servers share devices."""
        arrangement = self._setting.arrangement
        if arrangement.mode == "synchronous" or not arrangement.devices:
            return 1.0
        return max(1.0, arrangement.servers / arrangement.devices)

    def publish_first(self) -> None:
        """Publish version 0, trained on the initial labels."""
        version, measured = self._versions.begin(0, self._seed_of(self._all[0]))
        seconds = training_seconds(self._setting.clock, len(self._labels), measured)
        self._seconds = seconds
        for server in self._all:
            # The initial labels are not new to any server, and the first model exists.
            server.labels_seen, server.trainings = len(self._labels), 1
        self._publish(version, seconds)

    def begin(self) -> bool:
        """Every idle server with new labels starts a training; returns whether any did."""
        begun = [self._begin(server) for server in self._all if not server.busy]
        return any(begun)

    def train(self) -> None:
        """The first server starts a training, whether or not there are new labels."""
        self._all[0].busy = True
        self._train(self._all[0])

    def _begin(self, server: _Server) -> bool:
        arrangement = self._setting.arrangement
        if not rules.is_to_train(
            labels=len(self._labels),
            news=len(self._labels) - server.labels_seen,
            trainings=server.trainings,
            first_model_at=self._first_model_at,
            min_new_labels=arrangement.min_new_labels,
        ):
            return False
        wait = 0.0
        if not server.had_its_turn:
            server.had_its_turn = True
            part = server.number / arrangement.servers if arrangement.offset else 0.0
            wait = part * self._expected()
        server.busy = True
        if wait:
            self._timeline.schedule(wait, Kind.WOKEN, lambda: self._wake(server))
        else:
            self._train(server)
        return True

    def _expected(self) -> float:
        """How long a training that began now would take."""
        clock = self._setting.clock
        return training_seconds(clock, len(self._labels), self._seconds) * self._sharing

    def _wake(self, server: _Server) -> None:
        server.busy = False

    def _train(self, server: _Server) -> None:
        server.labels_seen = len(self._labels)
        version, measured = self._versions.begin(server.number, self._seed_of(server))
        server.trainings += 1
        self._seconds = training_seconds(self._setting.clock, version.labels, measured)
        seconds = self._seconds * self._sharing

        def publish() -> None:
            server.busy = False
            self._publish(version, seconds)

        self._timeline.schedule(seconds, Kind.PUBLISHED, publish)

    def _publish(self, version: Version, seconds: float) -> None:
        self._versions.publish(version, self._timeline.seconds)
        self._record(
            {
                "event": "version",
                "at": self._timeline.seconds,
                "version": version.number,
                "server": version.server,
                "labels_seen": version.labels,
                "labels_now": len(self._labels),
                "train_seconds": seconds,
            }
        )

    def _seed_of(self, server: _Server) -> int:
        return derive_seed(self._seed, "training", server.number, server.trainings)
