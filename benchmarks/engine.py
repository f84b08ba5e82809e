"""How fast the engine is: scoring, training, selection, and labels that change what is asked.

Each part is measured by itself and writes its section to docs/benchmarks/engine/; the page
docs/benchmarks/engine.md is put together from those that are there. So a part can be measured
again alone, on a CPU or on a GPU. Scoring, training and selection need torch alone.

    python benchmarks/engine.py [--parts scoring,training] [--device auto] [--small]

`cifar10` needs `--data FILE`, a tar of JPEGs with an index.csv, and a GPU unless it is `--small`.
"""

import argparse
import os
import platform
import sys
from pathlib import Path
from typing import Final

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from al_engine.training import devices  # noqa: E402

PAGES: Final = ROOT / "docs" / "benchmarks"
PARTS: Final = ("scoring", "training", "cifar10", "selection", "freshness")
DEFAULT: Final = ("scoring", "training", "selection")
# The most threads that a role of the engine uses.
MOST_THREADS: Final = 4


def measured(part: str, options: argparse.Namespace, device: torch.device) -> str:
    """One part's section. Parts are imported here, because their requirements differ."""
    if part == "scoring":
        from benchmarks.engine_parts import scoring

        return scoring.run(device, options.small)
    if part == "training":
        from benchmarks.engine_parts import training

        return training.run(device, options.small)
    if part == "cifar10":
        from benchmarks.engine_parts import cifar10

        return cifar10.run(device, options.small, options.data)
    if part == "selection":
        from benchmarks.engine_parts import selection

        return selection.run(device, options.small)
    from benchmarks.engine_parts import freshness

    return freshness.run(options.small)


def where(device: torch.device) -> str:
    """The machine that a part was measured on, as a sentence."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"On {devices.describe(device)}; {os.cpu_count()} cores and {memory:.0f} GiB "
        f"({platform.machine()}, {platform.system()}), torch {torch.__version__}."
    )


def page() -> str:
    """The page of all measured sections."""
    files = [PAGES / "engine" / f"{part}.md" for part in PARTS]
    sections = [file.read_text(encoding="utf-8").strip() for file in files if file.exists()]
    head = (
        "# The engine\n\nWritten by `python benchmarks/engine.py`; each section says on what it "
        "was measured.\n\n"
    )
    return head + "\n\n".join(sections) + "\n"


def main() -> None:
    """Measure the parts asked for; print and write their sections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default=",".join(DEFAULT), help="of " + ", ".join(PARTS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", type=Path, help="for cifar10")
    parser.add_argument("--small", action="store_true", help="less of everything, to try it out")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"There is no part named {', '.join(unknown)}; there are {', '.join(PARTS)}.")
    if "cifar10" in parts and options.data is None:
        parser.error("cifar10 needs --data FILE.")
    device = devices.resolve(options.device)
    torch.set_num_threads(max(1, min(MOST_THREADS, os.cpu_count() or 1)))
    (PAGES / "engine").mkdir(parents=True, exist_ok=True)
    for part in parts:
        section = f"{measured(part, options, device)}\n\n{where(device)}\n"
        print(section, flush=True)
        (PAGES / "engine" / f"{part}.md").write_text(section, encoding="utf-8")
    (PAGES / "engine.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
