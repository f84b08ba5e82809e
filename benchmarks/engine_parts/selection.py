"""Selection of 5,000 images from a million: time and memory per strategy, beside scikit-activeml.

Each measurement is a process of its own: it makes the images' probabilities (10 classes) and
embeddings (512 wide), the opinions of four members and 5,000 labeled embeddings, then selects.
Memory is the growth of the process (on a GPU, of the memory allocated there) during the selection,
beyond its inputs. A million images need 4 GB; `small` takes 100,000 images.
"""

import argparse
import ctypes
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final

import torch

from al_engine import strategies
from al_engine.strategies import Evidence
from al_engine.strategies.base import best

ROOT: Final = Path(__file__).resolve().parent.parent.parent
IMAGES: Final = 1_000_000
SMALL_IMAGES: Final = 100_000
BUDGET: Final = 5_000
LABELED: Final = 5_000
CLASSES: Final = 10
WIDTH: Final = 512
MEMBERS: Final = 4
PLACES: Final = 200
# A fast strategy is measured this many times for a median, a slow one less often.
REPEATS: Final = 5
REPEAT_WITHIN_S: Final = 10.0
LIMIT_S: Final = 1_800.0
PEER_LIMIT_S: Final = 60.0
PEER_LIMIT_GIB: Final = 10
# If the peer exceeds these limits, it gets a tenth, then a hundredth of everything.
PARTS: Final = (1, 10, 100)
TOP_LIST: Final = "top list"


@dataclass(frozen=True, slots=True)
class Task:
    """The size of a selection: `budget` of `images` images, with `labeled` labeled images.

    `width`: of their embeddings.
    """

    images: int
    budget: int = BUDGET
    labeled: int = LABELED
    width: int = WIDTH

    def part(self, divisor: int) -> "Task":
        """The same task with everything but the width divided by `divisor`."""
        return replace(
            self,
            images=self.images // divisor,
            budget=self.budget // divisor,
            labeled=self.labeled // divisor,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one selection; memory in bytes, None where it cannot be measured."""

    seconds: float
    memory: int | None


def run(device: torch.device, small: bool) -> str:
    """The section of the report; takes some minutes."""
    task = Task(SMALL_IMAGES if small else IMAGES)
    own = {name: own_cost(name, task, device) for name in [TOP_LIST, *strategies.names()]}
    peer = {name: peer_cost(name, task) for name in own if name in _peers()}
    return _section(task, own, peer, device)


def own_cost(name: str, task: Task, device: torch.device) -> Cost | None:
    """The cost measured in another process; None if it did not end in time."""
    return _measured("own", name, task, device, LIMIT_S)


def peer_cost(name: str, task: Task) -> tuple[Task, Cost, Cost | None] | None:
    """The largest part of the task that the peer can do: its cost, and ours for the same part."""
    for part in map(task.part, PARTS):
        cost = _measured("peer", name, part, torch.device("cpu"), PEER_LIMIT_S)
        if cost is not None:
            return part, cost, own_cost(name, part, torch.device("cpu"))
    return None


def made(task: Task, needed: frozenset[str], device: torch.device) -> Evidence:
    """Images around 200 centers of very different frequency; most predictions are certain."""
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    places = normal(PLACES, task.width)
    weights = torch.arange(1, PLACES + 1, device=device).float().reciprocal()

    def embedded(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        which = torch.multinomial(weights, count, replacement=True, generator=generator)
        vectors = torch.empty(count, task.width, device=device)
        for start in range(0, count, 10_000):  # in blocks, so that no second copy is held
            block = vectors[start : start + 10_000]
            block.normal_(std=0.5, generator=generator)
            block += places[which[start : start + 10_000]]
        return vectors, which % CLASSES

    embeddings, truth = embedded(task.images)
    logits = 3 * normal(task.images, CLASSES)
    logits[torch.arange(task.images, device=device), truth] += 6
    members = None
    if "members" in needed:
        members = torch.stack(
            [(logits + normal(task.images, CLASSES)).softmax(dim=1) for _ in range(MEMBERS)]
        )
    return Evidence(
        probabilities=logits.softmax(dim=1),
        embeddings=embeddings,
        members=members,
        labeled=embedded(task.labeled)[0],
    )


def measure_own(name: str, task: Task, device: torch.device) -> Cost:
    """The cost measured in this process, once threads and libraries are there."""
    evidence = made(task, frozenset() if name == TOP_LIST else strategies.needs(name), device)
    generator = torch.Generator().manual_seed(1)
    if name == TOP_LIST:
        scores = evidence.probabilities[:, 0].contiguous()

        def act() -> object:
            return best(scores, task.budget, generator=generator).indices.tolist()

    else:
        little = replace(task, images=1_000, budget=10, labeled=10)
        few = made(little, strategies.needs(name), device)
        strategies.select(name, few, 10, generator=generator)  # starts threads, loads libraries

        def act() -> object:
            chosen = strategies.select(name, evidence, task.budget, generator=generator)
            return chosen.indices.tolist()  # tolist waits for a GPU

    return _timed(act, device, REPEATS)


def _measure_peer(name: str, task: Task) -> Cost:
    from benchmarks.peers.scikit_activeml import query

    evidence = made(task, strategies.needs(name), torch.device("cpu"))
    return _timed(query(name, evidence, task.budget), torch.device("cpu"), 1)


def _timed(act: Callable[[], object], device: torch.device, repeats: int) -> Cost:
    before = _forget_peak(device)
    seconds: list[float] = []
    while not seconds or (len(seconds) < repeats and sum(seconds) < REPEAT_WITHIN_S):
        started = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - started)
    peak = _memory(device, "VmHWM")
    grown = None if before is None or peak is None else max(0, peak - before)
    return Cost(median(seconds), grown)


def _forget_peak(device: torch.device) -> int | None:
    """Reset the peak of memory; returns the memory now in use, in bytes."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        return None
    ctypes.CDLL(None).malloc_trim(0)  # free memory left from making the images, or it is reused
    clear.write_text("5")  # Linux: resets the peak resident size to the present one
    return _memory(device, "VmRSS")


def _memory(device: torch.device, which: str) -> int | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields[which].split()[0]) * 1024


def _peers() -> frozenset[str]:
    """The strategies that scikit-activeml has too; none if it is not installed."""
    if importlib.util.find_spec("skactiveml") is None:
        return frozenset()
    from benchmarks.peers.scikit_activeml import STRATEGIES

    return STRATEGIES


def _measured(who: str, name: str, task: Task, device: torch.device, limit: float) -> Cost | None:
    """The cost in a process of its own; None if time ran out, or memory for the peer."""
    code = [sys.executable, "-m", "benchmarks.engine_parts.selection"]
    sizes = [f"--{key}={value}" for key, value in asdict(task).items()]
    try:
        done = subprocess.run(
            [*code, who, name, *sizes, f"--device={device}"],
            cwd=ROOT,
            capture_output=True,
            timeout=limit + 60,  # to make the images
            text=True,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode and who == "own":
        raise RuntimeError(f"{name} failed:\n{done.stderr}")
    if done.returncode:
        if done.returncode < 0 or "MemoryError" in done.stderr or "allocate" in done.stderr:
            return None
        raise RuntimeError(f"scikit-activeml's {name} failed:\n{done.stderr}")
    cost = Cost(**json.loads(done.stdout))
    return cost if cost.seconds <= limit else None


def _section(
    task: Task,
    own: dict[str, Cost | None],
    peer: dict[str, tuple[Task, Cost, Cost | None] | None],
    device: torch.device,
) -> str:
    heading = (
        f"{task.budget:,} of {task.images:,} images, {CLASSES} classes, {WIDTH}-wide embeddings "
        f"in float32, {MEMBERS} members, {task.labeled:,} labeled, on {device.type}. Memory is "
        "what the process grew by beyond what it was handed. "
        f"`{TOP_LIST}` is the top-B step alone, of given scores."
    )
    lines = [heading, "", "| strategy | time | memory |", "|---|---|---|"]
    lines += [f"| `{name}` | {_time(cost)} | {_size(cost)} |" for name, cost in own.items()]
    if not peer:
        return "\n".join([*lines, "", "scikit-activeml is not installed: no comparison.", ""])
    beside = (
        "Beside scikit-activeml, on the CPU, on the same images. It gets "
        f"{PEER_LIMIT_S:.0f} s and {PEER_LIMIT_GIB} GiB of address space; where that is not "
        "enough, a tenth or a hundredth of everything, with our time for the same part."
    )
    lines += [
        "",
        beside,
        "",
        "| strategy | of images | chosen | scikit-activeml | ours | times faster |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in peer.items():
        if found is None:
            lines.append(f"| `{name}` | {task.images // PARTS[-1]:,} | none in the limits | | | |")
            continue
        part, theirs, mine = found
        ratio = f"{theirs.seconds / mine.seconds:.0f}" if mine else ""
        lines.append(
            f"| `{name}` | {part.images:,} | {part.budget:,} | {_time(theirs)} | {_time(mine)} "
            f"| {ratio} |"
        )
    return "\n".join([*lines, ""])


def _time(cost: Cost | None) -> str:
    if cost is None:
        return "not in time"
    return f"{cost.seconds:.1f} s" if cost.seconds >= 1 else f"{cost.seconds * 1e3:.1f} ms"


def _size(cost: Cost | None) -> str:
    if cost is None or cost.memory is None:
        return ""
    return f"{cost.memory / 2**20:.0f} MiB" if cost.memory >= 2**20 else "under 1 MiB"


def _main() -> None:
    parser = argparse.ArgumentParser(description="One measurement, as JSON.")
    parser.add_argument("who", choices=["own", "peer"])
    parser.add_argument("name")
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--budget", type=int, required=True)
    parser.add_argument("--labeled", type=int, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--device", type=torch.device, required=True)
    asked = parser.parse_args()
    task = Task(asked.images, asked.budget, asked.labeled, asked.width)
    if asked.who == "own":
        cost = measure_own(asked.name, task, asked.device)
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (PEER_LIMIT_GIB << 30, PEER_LIMIT_GIB << 30))
        cost = _measure_peer(asked.name, task)
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    _main()
