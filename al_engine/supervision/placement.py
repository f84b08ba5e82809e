"""A machine's devices, memory and cores; found out without loading torch."""

import os
import shutil
import subprocess
from pathlib import Path


def devices(name: str) -> list[str]:
    """The devices to spread processes over: all GPUs, the most free memory first, or `name`.

    `auto` and `cuda` mean all GPUs that this process may see.
    """
    gpus = _gpus() if name in ("auto", "cuda") else []
    return [f"cuda:{index}" for index in gpus] or [name]


def _gpus() -> list[int]:
    """GPU numbers as in torch, most free memory first; asks the driver, as torch loads slowly."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    free = _free_memory()
    if visible is None:
        return sorted(free, key=lambda index: -free[index])
    seen = [each.strip() for each in visible.split(",") if each.strip()]
    # A GPU that is named by UUID, not by number, counts as having no free memory.
    amount = [free.get(int(each), 0) if each.isdecimal() else 0 for each in seen]
    return sorted(range(len(seen)), key=lambda place: -amount[place])


def _free_memory() -> dict[int, int]:
    """Free MiB by the driver's GPU number; empty without an NVIDIA driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    query = [program, "--query-gpu=index,memory.free", "--format=csv,noheader,nounits"]
    listed = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    if listed.returncode != 0:
        return {}
    rows = [line.split(",") for line in listed.stdout.splitlines() if line.strip()]
    # A GPU that reports "[N/A]" is used last.
    return {int(index): int(mib) if mib.strip().isdecimal() else 0 for index, mib in rows}


def memory_mb() -> float:
    """The memory that this process and its children may use, in MB: the machine's or a limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        limit = ""
    return (min(total, int(limit)) if limit.isdecimal() else total) / 1e6


def cores() -> int:
    """The cores that this process and its children may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def out_of_memory_kills() -> int:
    """How many processes Linux has killed for lack of memory since boot; 0 on other systems."""
    try:
        with Path("/proc/vmstat").open(encoding="ascii") as lines:
            counts = dict(line.split() for line in lines)
    except OSError:
        return 0
    return int(counts.get("oom_kill", 0))
