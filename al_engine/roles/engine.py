"""What the processes of a campaign are: its workers and servers, and the machine's embedder."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from al_engine.decisions.dealing import deal
from al_engine.pools.models import Campaign
from al_engine.supervision.child import Child

# OpenMP threads sleep while they wait for one another. If they spun on cores that are busy with
# other work, a training on small images would take ten times as long and slow the other work down.
PASSIVE_WAITING = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}

# Niceness of trainings and passes over D. Processes that serve people, such as the one that fills
# S, have some seventy times their scheduling weight and get a core at once.
GIVING_WAY_NICE = 19

EMBEDDER = "embedder-1"
"""The name of the process that embeds the images of all campaigns."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The size of the engine; None takes the campaign's settings, as they are at any time.

    With `worker_processes` None their number depends on the machine.
    """

    servers: int | None = None
    workers: int | None = None
    worker_processes: int | None = None
    device: str = "auto"


def children(
    campaign: Campaign, options: EngineOptions, devices: list[str], *, models: bool = True
) -> list[Child]:
    """The child processes, workers first, so that people have queries before the first training.

    A delivery server comes with the architecture that needs it. Without `models`, for which there
    is no room, the workers fill S and nothing more.
    """
    workers = _workers(campaign, options, devices, models=models)
    if not models:
        return workers
    servers = servers_of(campaign, options)
    return [
        *workers,
        *_servers(campaign, servers, devices),
        *_delivery(campaign, servers, devices),
    ]


def servers_of(campaign: Campaign, options: EngineOptions) -> int:
    """How many servers a campaign has on this machine, the one for delivery not counted."""
    return campaign.servers if options.servers is None else options.servers


def workers_of(campaign: Campaign, options: EngineOptions) -> int:
    """How many workers a campaign has on this machine."""
    return campaign.workers if options.workers is None else options.workers


def embedder(slugs: Sequence[str], devices: list[str]) -> Child:
    """The process that embeds the images of these campaigns, or of all without a slug."""
    return _program(
        EMBEDDER, ["run_embedder", *slugs, "--device", devices[-1]], nice=GIVING_WAY_NICE
    )


def _workers(
    campaign: Campaign, options: EngineOptions, devices: list[str], *, models: bool
) -> list[Child]:
    """The processes that together host all workers, each with its workers' strategies."""
    size = workers_of(campaign, options)
    dealt = deal(campaign.strategies, size, seed=campaign.pk)
    count = options.worker_processes or _worker_processes(devices)
    hosted = [dealt[place::count] for place in range(min(count, size))]
    workers, first = [], 1
    for place, names in enumerate(hosted):
        arguments = [
            *("run_worker", campaign.slug),
            f"--strategies={','.join(names)}",
            f"--first={first}",
            *("--device", devices[place % len(devices)]),
            *([] if models else ["--fill-only"]),
        ]
        name = f"workers-{campaign.slug}-{place + 1}"
        workers.append(_child(campaign, name, arguments, nice=0, reads=campaign.partition))
        first += len(names)
    return workers


def _servers(campaign: Campaign, count: int, devices: list[str]) -> list[Child]:
    """One process for each server, spread over the devices."""
    return [
        _child(
            campaign,
            f"server-{campaign.slug}-{index + 1}",
            [
                *("run_server", campaign.slug),
                *("--device", devices[index % len(devices)]),
                *("--index", str(index)),
                *("--servers", str(count)),
            ],
            nice=GIVING_WAY_NICE,
            drains=True,
        )
        for index in range(count)
    ]


def _delivery(campaign: Campaign, servers: int, devices: list[str]) -> list[Child]:
    """The server that trains models for delivery, if the campaign has an architecture for it."""
    if not campaign.delivery_architecture:
        return []
    arguments = [
        *("run_server", campaign.slug, "--role=delivery"),
        f"--architecture={campaign.delivery_architecture}",
        # On the device after the servers', because a slower server would slow selection.
        *("--device", devices[servers % len(devices)]),
    ]
    name = f"delivery-{campaign.slug}"
    return [_child(campaign, name, arguments, nice=GIVING_WAY_NICE, drains=True)]


def _child(
    campaign: Campaign,
    name: str,
    arguments: list[str],
    *,
    nice: int,
    drains: bool = False,
    reads: str = "",
) -> Child:
    """`reads`: settings that it reads at its start, beside architectures and image size."""
    reads = f"{campaign.architectures} {campaign.image_size} {reads}"
    return _program(name, arguments, nice=nice, drains=drains, reads=reads)


def _program(
    name: str, arguments: list[str], *, nice: int, drains: bool = False, reads: str = ""
) -> Child:
    manage = Path(settings.BASE_DIR) / "manage.py"
    return Child(
        name=name,
        argv=[sys.executable, str(manage), *arguments],
        env={"NOWAIT_ROLE": name, **PASSIVE_WAITING},
        nice=nice,
        stop_timeout_s=10.0,
        drains=drains,
        reads=reads,
    )


def _worker_processes(devices: list[str]) -> int:
    """One process per GPU; on a CPU two if there are 4 cores, so that one may die unnoticed."""
    if len(devices) > 1:
        return len(devices)
    return 2 if (os.cpu_count() or 1) >= 4 else 1
