"""How soon a label changes the queries: the whole system on the digits.

A hundred simulated annotators label the demo's digits over the WebSocket at about thirty labels a
second, on the same cores that serve them, train and select. Afterwards the database tells how many
labels the version behind each query had not seen, how many newer versions there were, and how long
it took from a label to the first query by a version trained on it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.load import place

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PEOPLE: Final = 100
THINK_S: Final = 3.2
LABELS: Final = 1_100
SMALL_LABELS: Final = 400

_QUERIES: Final = """
    SELECT count(*), avg(l.staleness)::float8,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY l.staleness)::float8,
           percentile_disc(0.99) WITHIN GROUP (ORDER BY l.staleness)::float8,
           avg((newer.count <= 1)::int)::float8, avg((newer.count = 0)::int)::float8,
           avg((newer.when_shown <= 1)::int)::float8,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY l.answered_at - q.created_at),
           percentile_disc(0.99) WITHIN GROUP (ORDER BY l.answered_at - q.created_at)
    FROM pools_label l
    JOIN pools_query q ON q.id = l.query_id
    JOIN pools_modelversion v ON v.id = q.model_version_id
    CROSS JOIN LATERAL (SELECT count(*), count(*) FILTER (
                               WHERE n.published_at
                                   < l.answered_at - l.shown_ms * interval '1 ms') AS when_shown
                        FROM pools_modelversion n
                        WHERE n.campaign_id = l.campaign_id AND n.version > v.version
                          AND n.published_at < l.answered_at) newer
"""

# The newest label that a version was trained on is label n of all in order of answering, with n the
# size of L when its training began.
_VERSIONS: Final = """
    WITH known AS (
        SELECT answered_at, row_number() OVER (ORDER BY answered_at) AS place FROM pools_label)
    SELECT v.version, v.labels_seen, v.train_seconds,
           extract(epoch FROM v.published_at - known.answered_at)::float8,
           extract(epoch FROM asked.first - known.answered_at)::float8
    FROM pools_modelversion v
    JOIN known ON known.place = v.labels_seen
    CROSS JOIN LATERAL (SELECT min(created_at) AS first FROM pools_query q
                        WHERE q.model_version_id = v.id
                          AND q.created_at >= v.published_at) asked
    WHERE asked.first IS NOT NULL
    ORDER BY v.version
"""


def run(small: bool) -> str:
    """The section of the report; takes about a minute."""
    labels = SMALL_LABELS if small else LABELS
    with tempfile.TemporaryDirectory(prefix="nowait-freshness-") as folder:
        var = Path(folder)
        var.chmod(0o711)  # run as root, PostgreSQL uses another account, which must pass through
        felt = _label(var, labels)
        with place.database(var):
            from django.db import connection

            with connection.cursor() as cursor:
                cursor.execute(_QUERIES)
                queries = cursor.fetchone()
                cursor.execute(_VERSIONS)
                versions = cursor.fetchall()
    return _section(felt, queries, versions)


def _label(var: Path, labels: int) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "manage.py"), "demo", "--fresh", "--json", "--port=0"),
            *(f"--bots={PEOPLE}", f"--labels={labels}", f"--think={THINK_S}"),
        ],
        env={**os.environ, "NOWAIT_VAR": str(var)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _section(
    felt: dict[str, Any], queries: tuple[Any, ...], versions: list[tuple[Any, ...]]
) -> str:
    chosen, mean, median, p99, second, newest, shown, age, oldest = queries
    rest = sorted(first - took for _, _, took, _, first in versions)
    all_of_it = sorted(first for *_, first in versions)
    took = sorted(seconds for _, _, seconds, _, _ in versions)
    minutes = felt["seconds"] / 60
    return "\n".join(
        [
            "## From a label to what is asked",
            "",
            (
                f"{PEOPLE} simulated annotators who think {THINK_S:g} s on the digits, "
                f"{felt['labels_per_second']:.0f} labels a second, {chosen:,} of them on queries "
                "that a model chose (the others: before the first model, and audits)."
            ),
            "",
            "| of those queries | |",
            "|---|---|",
            f"| labels that their version had not seen, mean | {mean:.0f} |",
            f"| … median, p99 | {median:.0f}, {p99:.0f} |",
            f"| chosen by the newest version at the time of the answer | {newest:.1%} |",
            f"| chosen by the newest or the second newest (aim 99 %) | {second:.1%} |",
            f"| … at the time when the image came into view | {shown:.1%} |",
            (
                f"| age when answered, median, p99 | {age.total_seconds():.2f} s, "
                f"{oldest.total_seconds():.2f} s |"
            ),
            f"| versions a minute | {len(versions) / minutes:.1f} |",
            f"| dry waits after the first second (aim 0) | {felt['dry_after_first_second']} |",
            (
                f"| wait for the next image, p50, p99 | {felt['wait_ms']['p50']:.1f} ms, "
                f"{felt['wait_ms']['p99']:.1f} ms |"
            ),
            "",
            (
                "A newer model takes back what people hold and have not come to, one for each that "
                "has had the time to be in the browser. A version comes every "
                f"{felt['seconds'] / len(versions):.1f} s and an image is looked at for "
                f"{THINK_S:g} s on average, at times three times as long: what was newest when it "
                "came into view is often answered two versions later. And the digits are few: "
                "towards the end people hold or have answered nearly all of them, and nothing is "
                "left that a newer model could choose instead."
            ),
            "",
            (
                "From the commit of a label to the first query that a version which knows it chose "
                f"({len(versions)} versions):"
            ),
            "",
            "| | median s | longest s |",
            "|---|---|---|",
            f"| all of it | {_middle(all_of_it):.2f} | {all_of_it[-1]:.2f} |",
            f"| of it training and evaluation | {_middle(took):.2f} | {took[-1]:.2f} |",
            f"| the rest (aim: under 1 s) | {_middle(rest):.2f} | {rest[-1]:.2f} |",
            "",
        ]
    )


def _middle(numbers: list[float]) -> float:
    return numbers[len(numbers) // 2]
