"""Label Studio's labeling path on this machine: labels a second, and submit to next.

Installs Label Studio from PyPI (once), serves it as its Docker image does on the PostgreSQL that
Nowait bundles, and lets people label without a pause. Prints a table and writes it to
docs/benchmarks/.

    python benchmarks/peers/label_studio.py --people 1 8 32 --seconds 20 [--tasks 10000]
"""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from annotator_site.postgres_cluster import MAJOR_VERSION  # noqa: E402
from benchmarks.figures import machine  # noqa: E402
from benchmarks.peers.label_studio_install import (  # noqa: E402
    Installed,
    PeerError,
    ensure_installed,
)
from benchmarks.peers.label_studio_people import (  # noqa: E402
    WARM_UP_S,
    PeerFigures,
    label_for,
)
from benchmarks.peers.label_studio_site import WORKERS, serving  # noqa: E402

REPORT = ROOT / "docs" / "benchmarks" / "label_studio.md"


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one run, one for each number of people, and what was measured."""

    figures: list[PeerFigures]
    tasks: int
    installed: Installed


def default_cache() -> Path:
    """The folder for the installation: below NOWAIT_VAR, else below the user's cache folder."""
    var = os.environ.get("NOWAIT_VAR")
    return (Path(var) if var else Path.home() / ".cache" / "nowait") / "peers"


def tell(text: str) -> None:
    """Print progress to stderr, apart from the figures on stdout."""
    print(text, file=sys.stderr, flush=True)


def measure(
    people: Sequence[int],
    *,
    seconds: float = 20.0,
    tasks: int = 10_000,
    cache: Path | None = None,
    say: Callable[[str], None] = tell,
) -> Measured:
    """Measure each number of people in turn, on one Label Studio started for this.

    Setting up takes one to two minutes, each number of people WARM_UP_S + `seconds`. All started
    processes are stopped, whatever happens. Raises PeerError, which says what to do.
    """
    installed = ensure_installed(cache or default_cache(), say)
    figures = []
    with serving(installed, people=max(people), tasks=tasks, say=say) as studio:
        for count in people:
            say(f"{count} people for {seconds:.0f} s ...")
            figures.append(label_for(studio, people=count, seconds=seconds))
    return Measured(figures, tasks, installed)


def table(figures: Sequence[PeerFigures]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| people | labels/s | submit to next p50 ms | p99 ms | max ms | labels | errors |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.people} | {each.labels_per_second:.1f} | {each.next_p50_ms:.0f} "
        f"| {each.next_p99_ms:.0f} | {each.next_max_ms:.0f} | {each.labels} | {each.errors} |"
        for each in figures
    ]
    return "\n".join(lines)


def report(measured: Measured, command: str) -> str:
    """The page about this run."""
    versions = measured.installed.versions
    most = max(each.labels_per_second for each in measured.figures)
    fetched = ""
    if measured.installed.seconds is not None:
        fetched = (
            f" Its installation fetched {measured.installed.megabytes:.0f} MB and took "
            f"{measured.installed.seconds:.0f} s."
        )
    return (
        "# Label Studio on the same machine\n\n"
        f"`{command}` on {machine()}; the load generator and the database run on the same "
        "cores.\n\n"
        f"Label Studio {versions['label-studio']} from PyPI (Django {versions['Django']}, psycopg "
        f"{versions['psycopg']}), Python {platform.python_version()}, uWSGI "
        f"{versions['pyuwsgi']} with {WORKERS} workers and otherwise the options of Label "
        f"Studio's Docker image, without the nginx before it. PostgreSQL {MAJOR_VERSION} as "
        "Nowait bundles and sets it, `synchronous_commit = on`, over its Unix socket; it has no "
        "`pg_trgm` and no `btree_gin`, so that the two indexes which Label Studio would keep "
        f"with them are missing, in its favor.{fetched}\n\n"
        f"One project with ten classes and {measured.tasks:,} tasks, its settings as they come "
        "(sequential sampling, one annotation a task). Each person is a user of the same "
        "organisation with a token of their own and labels without a pause: "
        "`POST /api/tasks/<id>/annotations/`, then `GET /api/projects/<id>/next`. Submit to next "
        f"is both together. The first {WARM_UP_S:.0f} s of each row do not count.\n\n"
        f"{table(measured.figures)}\n\n"
        f"At most {most:.1f} labels a second. Analytics, error reports and the look for new "
        "versions are switched off.\n"
    )


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--cache", type=Path, help="where the installation is kept (1 GB)")
    parser.add_argument("--install-only", action="store_true", help="install, measure nothing")
    parser.add_argument("--json", action="store_true", help="figures as JSON; writes no page")
    options = parser.parse_args()
    if min(options.people) < 1 or options.seconds <= 0 or options.tasks < 1:
        parser.error("people, seconds and tasks are above 0")
    # SIGTERM ends the program like Ctrl-C, so that no server is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.install_only:
            ensure_installed(options.cache or default_cache(), tell)
            return
        measured = measure(
            options.people, seconds=options.seconds, tasks=options.tasks, cache=options.cache
        )
    except PeerError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted: everything is stopped.")
    if options.json:
        print(json.dumps([asdict(each) for each in measured.figures]))
        return
    command = (
        f"python benchmarks/peers/label_studio.py --people {' '.join(map(str, options.people))} "
        f"--seconds {options.seconds:g} --tasks {options.tasks}"
    )
    text = report(measured, command)
    print(text)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
