"""A child process beside a program that has other work to do than to supervise it."""

import threading
from contextlib import AbstractContextManager

from al_engine.supervisor import Child, Supervisor


class CompanionFailed(Exception):
    """The companion said that it cannot work as it was asked to; the message is its last line."""


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
        for last_words in self._supervisor.failed.values():
            raise CompanionFailed(last_words)
