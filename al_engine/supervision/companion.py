"""A child process that is supervised in the background of another program."""

import threading
from contextlib import AbstractContextManager

from al_engine.supervision.child import Child
from al_engine.supervision.supervisor import Supervisor


class CompanionFailed(Exception):
    """The companion ended with its `fails_with` status: a restart would fail again."""


class Companion(AbstractContextManager["Companion"]):
    """Keeps one child alive from a thread for as long as the context lasts."""

    def __init__(self, child: Child) -> None:
        self._supervisor = Supervisor([child])
        self._thread = threading.Thread(
            target=self._supervisor.run, name=f"keeping {child.name}", daemon=True
        )

    def __enter__(self) -> "Companion":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop()
        self._thread.join()

    def check(self) -> None:
        """Raise CompanionFailed if the child ended for good."""
        for name in self._supervisor.failed:
            raise CompanionFailed(name)
