"""What is started where: the one interface to it, and the processes of this machine behind it.

The engine says which processes it needs and never how they come to run, so another implementation
may run them elsewhere.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from al_engine.supervision.child import Child
from al_engine.supervision.supervisor import Supervisor


class ProcessSet(Protocol):
    """Processes that are kept alive. No method waits; all may be called at any time."""

    @property
    def needed(self) -> Mapping[str, Child]:
        """What is needed now, by name: what was started and not stopped since."""
        ...

    def start(self, child: Child) -> None:
        """Keep this process alive from now on: after a former one of its name has ended."""
        ...

    def stop(self, name: str) -> None:
        """End this process and forget it; an unknown name is ignored."""
        ...

    def running(self) -> AbstractSet[str]:
        """The names of all that run now, also of what is still ending."""
        ...


class LocalSet:
    """The processes of this machine, as children of this process."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._needed: dict[str, Child] = {}

    @property
    def needed(self) -> Mapping[str, Child]:
        """What is needed now, by name."""
        return self._needed

    def start(self, child: Child) -> None:
        """Keep this process alive from now on."""
        self._needed[child.name] = child
        self._supervisor.add(child)

    def stop(self, name: str) -> None:
        """End this process and forget it."""
        if self._needed.pop(name, None) is not None:
            self._supervisor.remove(name)

    def running(self) -> AbstractSet[str]:
        """The names of all that run now, also of what is still ending."""
        return self._supervisor.pids().keys()


def bring_about(processes: ProcessSet, wanted: Sequence[Child]) -> list[str]:
    """Start and stop what differs from what is wanted; the names of what was stopped."""
    unwanted = [name for name, child in processes.needed.items() if child not in wanted]
    for name in unwanted:
        processes.stop(name)
    for child in wanted:
        if child.name not in processes.needed:
            processes.start(child)
    return unwanted
