"""Do people feel a training? The paper's point, on the real system.

Runs the demo in pairs, one after the other on the same machine: without any server, and with a
server that trains a network large enough to keep both cores busy for ten seconds and more at a
time. The same simulated annotators label over the real WebSocket in both. Prints a table of their
waits and writes it to docs/benchmarks/.

    python benchmarks/wait_during_training.py [--pairs 3] [--labels 1000] [--bots 8]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import machine  # noqa: E402

REPORT = ROOT / "docs" / "benchmarks" / "wait_during_training.md"
LARGE_NETWORK = ["--set", "architectures=resnet18", "--set", "image_size=8"]
LONG_TRAINING_S = 10.0
COLUMNS = (
    "| run | training | labels/s | wait p50 ms | wait p99 ms | wait max ms | dry waits "
    "| saved p50 ms | saved p99 ms | trainings, s each |"
)


def manage(var: str, *arguments: str) -> dict[str, Any]:
    """Run a management command and return the JSON object of its last line."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={**os.environ, "NOWAIT_VAR": var},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_once(var: str, run: int, options: argparse.Namespace, *, servers: int) -> dict[str, Any]:
    """Run one demo with an empty L; returns its annotators' waits and its trainings' seconds."""
    felt = manage(
        var,
        "demo",
        "--fresh",
        "--json",
        f"--bots={options.bots}",
        f"--labels={options.labels}",
        f"--port={options.port}",
        f"--servers={servers}",
        *LARGE_NETWORK,
    )
    slug = "digits" if run == 1 else f"digits-{run}"
    felt["trainings_s"] = [
        model["train_seconds"] for model in manage(var, "campaign_status", slug, "--json")["models"]
    ]
    return felt


def table(runs: list[tuple[str, dict[str, Any]]]) -> str:
    """The runs as a Markdown table, medians last."""
    lines = [
        COLUMNS,
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for number, (kind, felt) in enumerate(runs, start=1):
        wait, ack = felt["wait_ms"], felt["ack_ms"]
        trainings = ", ".join(f"{seconds:.1f}" for seconds in reversed(felt["trainings_s"]))
        lines.append(
            f"| {number} | {kind} | {felt['labels_per_second']:.1f} | {wait['p50']:.1f} "
            f"| {wait['p99']:.1f} | {wait['max']:.1f} | {felt['dry_after_first_second']} "
            f"| {ack['p50']:.1f} | {ack['p99']:.1f} | {trainings or '–'} |"
        )
    for kind in ("none", "resnet18"):
        mine = [felt for each, felt in runs if each == kind]
        lines.append(
            f"| median | {kind} | {median(f['labels_per_second'] for f in mine):.1f} "
            f"| {median(f['wait_ms']['p50'] for f in mine):.1f} "
            f"| {median(f['wait_ms']['p99'] for f in mine):.1f} "
            f"| {median(f['wait_ms']['max'] for f in mine):.1f} "
            f"| {median(f['dry_after_first_second'] for f in mine):.0f} "
            f"| {median(f['ack_ms']['p50'] for f in mine):.1f} "
            f"| {median(f['ack_ms']['p99'] for f in mine):.1f} | |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the pairs, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--bots", type=int, default=8)
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    runs: list[tuple[str, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory(prefix="nowait-benchmark-") as var:
        for pair in range(options.pairs):
            runs.append(("none", run_once(var, 2 * pair + 1, options, servers=0)))
            runs.append(("resnet18", run_once(var, 2 * pair + 2, options, servers=1)))
    trainings = [
        seconds for kind, felt in runs if kind != "none" for seconds in felt["trainings_s"]
    ]
    long = sum(seconds >= LONG_TRAINING_S for seconds in trainings)
    text = (
        "# Waits during a training\n\n"
        f"`python benchmarks/wait_during_training.py --pairs {options.pairs} "
        f"--labels {options.labels} --bots {options.bots}` on {machine()}, "
        "no GPU; the simulated annotators run "
        "on the same cores.\n\nWait: from answering to having the next image in hand. Saved: from "
        "answering to the acknowledgement of the commit. A training is under way at all times "
        f"after the first 20 labels; of {len(trainings)} that finished, {long} took "
        f"{LONG_TRAINING_S:.0f} s or more."
        f"\n\n{table(runs)}\n"
    )
    print(text)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
