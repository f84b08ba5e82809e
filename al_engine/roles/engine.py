"""A campaign's servers, workers and embedders as child processes: placed and kept alive."""

import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection

from al_engine.decisions.architecture import AUTO, backbone_of, is_published
from al_engine.decisions.dealing import deal
from al_engine.pools import processes
from al_engine.pools.models import Campaign
from al_engine.roles.life import UNAVAILABLE
from al_engine.supervision.child import Child
from al_engine.supervision.child_output import say
from al_engine.supervision.placement import devices as devices_of
from al_engine.supervision.supervisor import Supervisor

# OpenMP threads sleep while they wait for one another. If they spun on cores that are busy with
# other work, a training on small images would take ten times as long and slow the other work down.
PASSIVE_WAITING = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}

# Niceness of trainings and passes over D. Processes that serve people, such as the one that fills
# S, have some seventy times their scheduling weight and get a core at once.
GIVING_WAY_NICE = 19

NOTHING_TO_EMBED = 3
"""Exit status of an embedder of a campaign whose backbone turns out to learn."""


FOLLOW_EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The size of the engine; None takes the campaign's settings, as they are at any time.

    With `worker_processes` None their number depends on the machine.
    """

    servers: int | None = None
    workers: int | None = None
    worker_processes: int | None = None
    device: str = "auto"


def run_engine(campaign: Campaign, options: EngineOptions) -> None:
    """Run the engine until told to stop; it follows the campaign's settings."""
    processes.sweep_dead(campaign_id=campaign.pk)
    devices = devices_of(options.device)
    servers = campaign.servers if options.servers is None else options.servers
    if servers > len(devices):
        say(
            f"{servers} servers share {len(devices)} device(s): trainings on one device slow each "
            "other down, so this gains little over one server a device."
        )
    first = children(campaign, options, devices)
    supervisor = Supervisor(first, log_dir=settings.VAR / "logs")
    follower = threading.Thread(
        target=follow_settings,
        args=(supervisor, campaign.pk, options, devices, first),
        name="settings",
        daemon=True,
    )
    follower.start()
    supervisor.run()
    follower.join(timeout=5.0)


def follow_settings(
    supervisor: Supervisor,
    campaign_id: int,
    options: EngineOptions,
    devices: list[str],
    present: list[Child],
) -> None:
    """Start, stop and replace children as the campaign's settings change, until the end.

    `present`: the children that the supervisor has. Those that a change does not concern run on.
    """
    while not supervisor.stopping.wait(FOLLOW_EVERY_SECONDS):
        try:
            campaign = Campaign.objects.filter(pk=campaign_id).first()
        except UNAVAILABLE:
            continue
        finally:
            # An engine that waits needs no connection, and a site may have many engines.
            connection.close()
        if campaign is None:
            continue
        wanted = children(campaign, options, devices)
        for child in present:
            if child not in wanted:
                say(f"{child.name} stops, because the settings of the campaign changed")
                supervisor.remove(child.name)
        for child in wanted:
            if child not in present:
                supervisor.add(child)
        present = wanted


def children(campaign: Campaign, options: EngineOptions, devices: list[str]) -> list[Child]:
    """The child processes, workers first, so that people have queries before the first training.

    A delivery server and embedders come with the architectures that need them.
    """
    servers = campaign.servers if options.servers is None else options.servers
    return [
        *_workers(campaign, options, devices),
        *_embedders(campaign, devices),
        *_servers(campaign, servers, devices),
        *_delivery(campaign, servers, devices),
    ]


def _embedders(campaign: Campaign, devices: list[str]) -> list[Child]:
    """One process for each frozen backbone of the campaign; one also while none is chosen yet."""
    first, *others = campaign.architectures
    named = filter(is_published, [*others, campaign.delivery_architecture])
    wanted = dict.fromkeys(map(backbone_of, named))
    if first == AUTO or is_published(first):
        # Without a name it takes the first of the campaign's, as soon as that is known.
        wanted = {"": None} | wanted
    wanted.pop(backbone_of(first), None)
    return [
        _child(
            campaign,
            f"embedder-{campaign.slug}-{index + 1}",
            [
                *("run_embedder", campaign.slug, *([f"--architecture={name}"] if name else [])),
                *("--device", devices[-1 - index % len(devices)]),
            ],
            nice=GIVING_WAY_NICE,
            fails_with=NOTHING_TO_EMBED,
        )
        for index, name in enumerate(wanted)
    ]


def _workers(campaign: Campaign, options: EngineOptions, devices: list[str]) -> list[Child]:
    """The processes that together host all workers, each with its workers' strategies."""
    size = campaign.workers if options.workers is None else options.workers
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
    fails_with: int | None = None,
    reads: str = "",
) -> Child:
    """`reads`: settings that it reads at its start, beside architecture and image size."""
    manage = Path(settings.BASE_DIR) / "manage.py"
    return Child(
        name=name,
        argv=[sys.executable, str(manage), *arguments],
        env={"NOWAIT_ROLE": name, **PASSIVE_WAITING},
        nice=nice,
        stop_timeout_s=10.0,
        drains=drains,
        fails_with=fails_with,
        reads=f"{campaign.architectures} {campaign.image_size} {reads}",
    )


def _worker_processes(devices: list[str]) -> int:
    """One process per GPU; on a CPU two if there are 4 cores, so that one may die unnoticed."""
    if len(devices) > 1:
        return len(devices)
    return 2 if (os.cpu_count() or 1) >= 4 else 1
