"""The engine on a GPU: one prepared script of at most nine minutes, which needs no network.

First, where CIFAR-10 is at hand, pack it into one file of some 40 MB:

    python benchmarks/gpu.py --prepare cifar10_jpeg92.tar.xz FOLDER

Then, on the machine with the card, where torch, torchvision, timm, numpy, Pillow and safetensors
suffice:

    python benchmarks/gpu.py --data FOLDER --out RESULTS

Writes RESULTS/gpu.json and RESULTS/gpu.md after every row, so that what was measured is there even
where the script is ended. Each part has its own processes and its own limit; one that fails or
takes too long costs no other part. `--toy` does all of it at toy size, on any machine (Linux).
"""

import argparse
import os
import platform
import sys
import time
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.gpu_parts import learning, page, paths, rates, sheets  # noqa: E402
from benchmarks.gpu_parts.page import Outcome  # noqa: E402
from benchmarks.gpu_parts.running import run_jobs  # noqa: E402
from benchmarks.gpu_parts.work import Part, Roof, Row, Work  # noqa: E402

CACHE: Final = ROOT / "var" / "data"
SECONDS: Final = 530.0
"""All of it, so that the whole command stays below nine minutes."""
LEAST_SECONDS: Final = 5.0
"""A part does not begin with less."""
PACKAGES: Final = ("torch", "torchvision", "timm", "numpy")

PARTS: Final = (
    Part("roofline", "The card", "Medians of seven.", 30, (paths.roofline,)),
    Part(
        "paths",
        "The engine's ways to use it",
        "Each with what was found, and whether that is right.",
        90,
        (paths.paths,),
    ),
    Part(
        "scoring",
        "Scoring",
        "`predict_with_features` from the memory-mapped image cache, beside the bare network over "
        "batches that lie on the device, both in bfloat16; medians of three in turns. Share of "
        "the measured product: by the network's arithmetic.",
        50,
        (rates.scoring,),
    ),
    Part(
        "training",
        "Training",
        "`train` on 10,000 labels, compiled and with its set-up and augmentation, beside a bare "
        "loop of forward, backward and optimizer step that is not compiled; medians of three in "
        "turns. An image in training counts as three forward passes.",
        80,
        (rates.training,),
    ),
    Part(
        "selection",
        "Selecting",
        "Ten classes, 5,000 labeled images, four members, all on the device; medians of up to "
        "five. A read: all embeddings once at the speed of the copy.",
        50,
        (rates.selection,),
    ),
    Part(
        "embedding",
        "Embedding",
        "`predict_with_features` by frozen backbones of timm with random weights: rates only. "
        "Medians of three in turns.",
        50,
        (rates.embedding,),
    ),
    Part(
        "heads",
        "Heads",
        "`train_head` on drawn features from nothing, with the choice of its penalty; then ten "
        "classes of many rows, medians of three.",
        50,
        (rates.heads,),
    ),
    Part(
        "vgg16",
        "VGG-16 on CIFAR-10",
        "Trained on all 50,000 images; each recipe gets the same time. Accuracy of the last "
        "weights on the 10,000 test images, with its 95 % interval; which recipe is the best one "
        "is chosen on the same images.",
        140,
        (learning.vgg16,),
    ),
    Part(
        "table_1",
        "The first rows of the paper's Table 1",
        "`experiments/paper/table_1.toml` on CIFAR-10, asynchronous, one seed, with as many rows "
        "as the time allows: the preset `product` (VGG-16 with batch norm) and the preset `paper` "
        "(VGG-16, a recipe of its time) at once on the same card. Rows come point by point.",
        SECONDS,
        (learning.table_as_product, learning.table_as_paper),
    ),
)


def main() -> None:
    """Pack the data, or measure the parts asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [part.name for part in PARTS]
    parser.add_argument("--prepare", nargs=2, type=Path, metavar=("TAR", "FOLDER"))
    parser.add_argument("--data", type=Path, help="the folder that --prepare made")
    parser.add_argument("--out", type=Path, help="the folder for gpu.json and gpu.md")
    parser.add_argument("--parts", default=",".join(names), help="of " + ", ".join(names))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all parts")
    parser.add_argument("--toy", action="store_true", help="toy size, under a minute on a CPU")
    given = parser.parse_args()
    if given.prepare:
        source, folder = given.prepare
        print(sheets.pack(source, folder, CACHE))
        return
    if given.out is None:
        parser.error("--out FOLDER says where results go.")
    if given.data is not None and not (given.data / sheets.FILE).is_file():
        parser.error(f"--data: there is no {sheets.FILE} in {given.data}; --prepare makes it.")
    wanted = given.parts.split(",")
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"There is no part named {', '.join(unknown)}; there are {', '.join(names)}.")
    given.out.mkdir(parents=True, exist_ok=True)
    measure([part for part in PARTS if part.name in wanted], given)


def measure(parts: list[Part], given: argparse.Namespace) -> None:
    """Run the parts one after another, and write what they tell as it comes."""
    began = time.monotonic()
    work = Work(given.device, given.toy, given.data, None, 0.0)
    outcomes = [Outcome(part.name, part.title, part.said) for part in parts]
    size = "At toy size, which says nothing of rates" if given.toy else "At full size"
    head = {"command": " ".join(["python", *sys.argv]), "machine": machine(), "size": size}
    for part, outcome in zip(parts, outcomes, strict=True):
        left = given.seconds - (time.monotonic() - began)
        if left < LEAST_SECONDS:
            outcome.problems.append("not begun: the time for all parts is over")
            continue

        def heard(row: Row, outcome: Outcome = outcome) -> None:
            outcome.rows.append(row)
            print(f"{outcome.name}: " + ", ".join(page.shown(each) for each in row.values()))
            sys.stdout.flush()
            page.write(given.out, head, outcomes)

        started, outcome.state = time.monotonic(), "running"
        outcome.problems = run_jobs(
            part.jobs, replace(work, seconds=min(part.seconds, left)), heard
        )
        outcome.seconds = time.monotonic() - started
        outcome.state = "not all" if outcome.problems else "done"
        if part.name == "roofline":
            work = replace(work, roof=roof_of(outcome.rows))
        print(f"{part.name}: {outcome.state}, {outcome.seconds:.0f} s {outcome.problems or ''}")
        page.write(given.out, head, outcomes)
    page.write(given.out, head, outcomes)


def roof_of(rows: list[Row]) -> Roof | None:
    """The roof from the rows of the first part; None if it is not all there."""
    reached = {str(row["roof"]): row["reached"] for row in rows}
    product = next((value for name, value in reached.items() if "bfloat16" in name), None)
    copy = next((value for name, value in reached.items() if name.startswith("copy")), None)
    if not isinstance(product, float) or not isinstance(copy, float):
        return None
    return Roof(tflops=product, terabytes=copy)


def machine() -> str:
    """Cores, memory, system and packages; a row of the part `paths` names the card."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return (
        f"{os.cpu_count()} cores and {memory:.0f} GiB ({platform.machine()}, "
        f"{platform.system()}), Python {platform.python_version()}, {', '.join(found)}"
    )


if __name__ == "__main__":
    main()
