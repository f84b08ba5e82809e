"""M servers and K workers of a campaign as child processes: dealt out, placed and kept alive."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from al_engine.dealing import deal
from al_engine.pools import processes
from al_engine.pools.models import Campaign
from al_engine.supervisor import Child, Supervisor, say

# Threads that wait for one another sleep instead of spinning. On a machine whose cores are busy
# with other work a training of small images that spins takes ten times as long, and the cores.
WAITING = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How large the engine is; `worker_processes` None: by the machine."""

    servers: int
    workers: int
    worker_processes: int | None = None
    device: str = "auto"


def run_engine(campaign: Campaign, options: EngineOptions) -> None:
    """Run the engine until told to stop."""
    processes.sweep_dead(campaign_id=campaign.pk)
    supervisor = Supervisor(children(campaign, options), log_dir=settings.VAR / "logs")
    supervisor.run()


def children(campaign: Campaign, options: EngineOptions) -> list[Child]:
    """The processes: workers first, so that people have queries before anything is trained."""
    devices = _devices(options.device)
    if options.servers > len(devices):
        say(
            f"{options.servers} servers share {len(devices)} device(s): trainings on one device "
            "slow each other down, so this gains little over one server a device."
        )
    dealt = deal(campaign.strategies, options.workers, seed=campaign.pk)
    count = options.worker_processes or _worker_processes(devices)
    hosted = [dealt[place::count] for place in range(min(count, options.workers))]
    workers, first = [], 1
    for place, names in enumerate(hosted):
        workers.append(
            _child(
                f"workers-{campaign.slug}-{place + 1}",
                [
                    "run_worker",
                    campaign.slug,
                    f"--strategies={','.join(names)}",
                    f"--first={first}",
                    "--device",
                    devices[place % len(devices)],
                ],
                nice=0,
            )
        )
        first += len(names)
    servers = [
        _child(
            f"server-{campaign.slug}-{index + 1}",
            [
                "run_server",
                campaign.slug,
                "--device",
                devices[index % len(devices)],
                "--index",
                str(index),
                "--servers",
                str(options.servers),
            ],
            # Selection keeps people supplied; a training can take a second longer.
            nice=5,
        )
        for index in range(options.servers)
    ]
    return [*workers, *servers]


def _child(name: str, arguments: list[str], *, nice: int) -> Child:
    manage = Path(settings.BASE_DIR) / "manage.py"
    return Child(
        name=name,
        argv=[sys.executable, str(manage), *arguments],
        env={"NOWAIT_ROLE": name, **WAITING},
        nice=nice,
        stop_timeout_s=10.0,
    )


def _devices(name: str) -> list[str]:
    """The devices to spread over: every GPU, or the one that was named."""
    gpus = _count_gpus() if name in ("auto", "cuda") else 0
    return [f"cuda:{index}" for index in range(gpus)] or [name]


def _count_gpus() -> int:
    """How many GPUs there are; asked of the driver, since loading torch takes seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([each for each in visible.split(",") if each.strip()])
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    listed = subprocess.run(
        [program, "--list-gpus"], capture_output=True, text=True, timeout=30, check=False
    )
    return len(listed.stdout.splitlines()) if listed.returncode == 0 else 0


def _worker_processes(devices: list[str]) -> int:
    """One a GPU; on CPUs two where there are cores for it, so that one may die unnoticed."""
    if len(devices) > 1:
        return len(devices)
    return 2 if (os.cpu_count() or 1) >= 4 else 1
