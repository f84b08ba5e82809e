"""Which campaigns are awake, and who has room for models. Numbers in, decisions out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

REST_AFTER_SECONDS: Final = 180.0
"""A campaign rests after this long without people, labels, models and changes of its settings."""
TURN_SECONDS: Final = 120.0
"""Where there is not room for all, a campaign keeps its room for so long before others get it."""

TORCH_PROCESS_MB: Final = 400
"""What a server, or a process that looks at D, is reckoned with (many_campaigns.md)."""
_MEMORY_SHARE: Final = 0.5
"""Of the machine's memory, for these processes: people, database and images need the rest."""
_PROCESSES_PER_CORE: Final = 8
"""With more than these on a core, each campaign's models would come later than in turns."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a campaign; times in seconds."""

    # Somebody is connected, or holds queries.
    people: bool
    # Since the last person, label, model or change of the settings; infinite if none was seen.
    quiet_s: float
    # L has labels that a server of this machine is to train on.
    untrained: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A campaign that is awake, and the room that its models need; times in seconds."""

    campaign: int
    # Processes with torch: its servers, and those that look at D.
    processes: int
    people: bool
    # How long it has had room; None if it has none now.
    held_s: float | None = None
    # How long it has waited for room; 0 if it has some.
    waited_s: float = 0.0


def is_awake(standing: Standing) -> bool:
    """Whether a campaign has processes: while somebody is there or was, and until models know L."""
    return standing.people or standing.untrained or standing.quiet_s < REST_AFTER_SECONDS


def room_of(*, memory_mb: float, cores: int) -> int:
    """How many processes with torch a machine has room for; at least two, a server and a look."""
    by_memory = int(memory_mb * _MEMORY_SHARE / TORCH_PROCESS_MB)
    return max(2, min(by_memory, _PROCESSES_PER_CORE * cores))


def share_out(claims: Iterable[Claim], *, room: int) -> frozenset[int]:
    """The campaigns that have room now, of those that are awake.

    Campaigns with people come before those without. Among these, whoever has room keeps it for
    `TURN_SECONDS`; then comes who has waited longest, and last who had a turn. Nobody is passed
    over for a smaller one, so that large campaigns do not starve, and the first has room in any
    case.
    """
    granted: set[int] = set()
    left = room
    for claim in sorted(claims, key=_precedence):
        if granted and claim.processes > left:
            break
        granted.add(claim.campaign)
        left -= claim.processes
    return frozenset(granted)


def _precedence(claim: Claim) -> tuple[bool, bool, float, float, int]:
    in_turn = claim.held_s is not None and claim.held_s < TURN_SECONDS
    return (not claim.people, not in_turn, -claim.waited_s, claim.held_s or 0.0, claim.campaign)
