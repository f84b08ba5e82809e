"""What is a label worth when a strategy chose it? Fashion-MNIST, each strategy against random.

Simulated labeling with the product's network, training, strategies and filter of near-duplicates:
the same first labels, network seeds and test images for every strategy. Two pools: a clean one, and
one with ten copies of every image, with and without the filter. Needs torch alone, no database.

    python benchmarks/accuracy.py --data FOLDER [--strategies a,b] [--seeds 5] [--pool both]

Every simulation is kept in results.jsonl under --output; a second call does what is missing. Prints
the tables, and writes them and the curves to docs/benchmarks/ once every strategy was measured.
"""

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from al_engine import strategies  # noqa: E402
from al_lab.data.files import NoData  # noqa: E402
from benchmarks.learning import report, results  # noqa: E402
from benchmarks.learning.course import COPIES, Arm, Course, Sizes, conditions, run  # noqa: E402
from benchmarks.learning.pool import Split, load  # noqa: E402

PAGES: Final = ROOT / "docs" / "benchmarks"
# Pool, and whether near-duplicates are filtered; the clean pool has none.
SETTINGS: Final = (("clean", False), ("copied", False), ("copied", True))
CLEAN: Final = 10_000
COPIED: Final = 2_000
INITIAL: Final = 100
ROUNDS: Final = 9
TEST: Final = 5_000


@cache
def _data(folder: Path) -> tuple[Split, Split]:
    """The pool's images and the test images, read once per process."""
    return load(folder)


def _run(arm: Arm, seed: int, sizes: Sizes, folder: Path) -> Course:
    data, test = _data(folder)
    some = Split(test.images[: sizes.test], test.truth[: sizes.test])
    return run(arm, seed=seed, sizes=sizes, data=data, test=some)


def measure(options: argparse.Namespace, arms: list[Arm], sizes: Sizes) -> list[Course]:
    """Run the simulations that are missing; returns all courses in the file."""
    file, kept = options.output / "results.jsonl", conditions(sizes)
    todo = results.missing(results.read(file, kept), arms=arms, seeds=options.seeds)
    with ProcessPoolExecutor(
        max_workers=options.workers_at_once,
        # Spawn, because a forked process would inherit torch's threads in an unusable state.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(1,),
    ) as processes:
        running = [processes.submit(_run, *each, sizes, options.data) for each in todo]
        for number, done in enumerate(as_completed(running), 1):
            course = done.result()
            results.add(file, course, kept)
            say(f"{number} of {len(todo)}: {_words(course)}")
    return results.read(file, kept)


def say(text: str) -> None:
    """Print progress to stderr, apart from the figures on stdout."""
    print(text, file=sys.stderr, flush=True)


def _words(course: Course) -> str:
    arm = course.arm
    return (
        f"{arm.strategy} on the {arm.pool} pool{', filtered' if arm.filtered else ''}, seed "
        f"{course.seed}: {100 * course.accuracy[-1]:.1f} % at the end, {course.seconds:.0f} s"
    )


def main() -> None:
    """Measure what is missing; print and write the page, into docs/ once it is complete."""
    every = [name for name in strategies.names() if name not in report.LEFT_OUT]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds fashion_mnist.npz")
    parser.add_argument("--strategies", default=",".join(every), help="names, with commas")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pool", choices=[*COPIES, "both"], default="both")
    parser.add_argument("--budget", type=int, default=1_000, help="labels at the end")
    parser.add_argument("--workers-at-once", type=int, default=2, help="processes of one thread")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "accuracy")
    options = parser.parse_args()
    chosen = options.strategies.split(",")
    if unknown := sorted(set(chosen) - set(every)):
        parser.error(f"no strategy to measure: {', '.join(unknown)}; there are {', '.join(every)}")
    if options.seeds < 1:
        parser.error("seeds: 1 at least")
    batch, rest = divmod(options.budget - INITIAL, ROUNDS)
    if batch < 1 or rest or options.budget > COPIED:
        parser.error(f"budget: {INITIAL} and {ROUNDS} times the same, {COPIED:,} at most")
    sizes = Sizes(CLEAN, COPIED, initial=INITIAL, batch=batch, rounds=ROUNDS, test=TEST)
    settings = [each for each in SETTINGS if options.pool in (each[0], "both")]
    arms = [Arm(*setting, strategy) for setting, strategy in product(settings, chosen)]
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        load(options.data)
        courses = measure(options, arms, sizes)
    except (NoData, results.OtherConditions) as error:
        sys.exit(str(error))
    page, drawings = report.page(courses, sizes)
    print(page)
    wanted = [Arm(*setting, strategy) for setting, strategy in product(SETTINGS, every)]
    complete = not results.missing(courses, arms=wanted, seeds=options.seeds)
    folder = PAGES if complete else options.output
    for name, text in {"accuracy.md": page, **drawings}.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
