"""How soon a label changes what is asked, with many embedded images: the real system.

    python benchmarks/freshness.py [--images 100000] [--rates 5 30] [--seconds 60] [--features FILE]

`up` with one server and ten workers, on a campaign whose images are embedded already: the rows of
`benchmarks/head_parts/drawing.py`, or the training part of a feature file of the lab, in the file
that the engine maps. Simulated people label over the WebSocket. Then the database tells how long it
took from the commit of each label to the first query that was chosen by a version which had learned
from it, and how old the versions behind the queries were. Prints a table and writes it to
docs/benchmarks/freshness.md.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from al_lab.data.features import read as read_features  # noqa: E402
from benchmarks import whole_system  # noqa: E402
from benchmarks.figures import machine, percentile  # noqa: E402
from benchmarks.head_parts.drawing import WIDTH, drawn  # noqa: E402
from benchmarks.load import place  # noqa: E402

PAGE: Final = ROOT / "docs" / "benchmarks" / "freshness.md"
ARCHITECTURE: Final = "frozen:tf_efficientnet_lite0"
CLASSES: Final = 10
HELD_IMAGES: Final = 2_000
THINK_S: Final = 2.0
PEOPLE_AHEAD: Final = 3
_ROWS_AT_ONCE: Final = 20_000
_START_S: Final = 300.0
COLUMNS: Final = (
    "| labels/s | labels | versions a minute | a round of the server, median s "
    "| label to version, median s | label to query, median s | p95 s "
    "| staleness when answered, mean | when it came into view, mean | its version's age then, s "
    "| by the newest two versions | dry waits | right at the end |"
)

_IMAGES: Final = """
    INSERT INTO pools_image (campaign_id, position, sha256, name, key, width, height, size, cell,
                             split, state, problem, known_choice_id)
    SELECT %(campaign)s, n, md5(n::text) || md5((-n)::text), n || '.png', %(key)s,
           28, 28, 400, n %% 64, 'pool', 'unlabeled', '',
           (%(choices)s::bigint[])[1 + (%(classes)s::int[])[n - %(first)s + 1]]
    FROM generate_series(%(first)s, %(last)s) n
"""

# A version has learned from label n, in the order of answering, if it has seen n labels.
_LABELS: Final = """
    WITH known AS (
        SELECT answered_at, row_number() OVER (ORDER BY answered_at, id) AS place
        FROM pools_label WHERE campaign_id = %(campaign)s),
    asked AS (
        SELECT v.labels_seen, v.published_at, min(q.created_at) AS first
        FROM pools_modelversion v
        JOIN pools_query q ON q.model_version_id = v.id AND q.created_at >= v.published_at
        WHERE v.campaign_id = %(campaign)s
        GROUP BY v.id)
    SELECT extract(epoch FROM min(asked.published_at) - known.answered_at)::float8,
           extract(epoch FROM min(asked.first) - known.answered_at)::float8
    FROM known JOIN asked ON asked.labels_seen >= known.place
    WHERE known.answered_at >= %(since)s
    GROUP BY known.place, known.answered_at
"""
# An image comes into view when its person has answered the one before. Audits are no version's
# choice.
_ASKED: Final = """
    WITH answers AS (
        SELECT *, lag(answered_at) OVER (PARTITION BY annotator_id ORDER BY answered_at) AS in_view
        FROM pools_label WHERE campaign_id = %(campaign)s),
    asked AS (
        SELECT l.staleness, l.in_view, v.version, v.labels_seen, v.published_at
        FROM answers l
        JOIN pools_query q ON q.id = l.query_id
        JOIN pools_modelversion v ON v.id = q.model_version_id
        WHERE l.answered_at >= %(since)s AND l.in_view IS NOT NULL)
    SELECT avg(staleness)::float8,
           avg((SELECT count(*) FROM pools_label l WHERE l.campaign_id = %(campaign)s
                AND l.answered_at <= in_view) - labels_seen)::float8,
           extract(epoch FROM avg(in_view - published_at))::float8,
           avg((version >= (SELECT max(n.version) - 1 FROM pools_modelversion n
                            WHERE n.campaign_id = %(campaign)s
                              AND n.published_at <= in_view))::int)::float8
    FROM asked
"""
_VERSIONS: Final = """
    SELECT count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY train_seconds)::float8
    FROM pools_modelversion WHERE campaign_id = %(campaign)s AND published_at >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """Embeddings float (n, 1280) and classes int64 (n,); and of images that are held out."""

    features: Tensor
    classes: Tensor
    held_features: Tensor
    held_classes: Tensor


def rows_of(options: argparse.Namespace) -> Rows:
    """Those of the feature file, or drawn ones."""
    if options.features is None:
        features, classes = drawn(options.images + HELD_IMAGES, CLASSES)
        kept = options.images
        return Rows(features[:kept], classes[:kept], features[kept:], classes[kept:])
    parts = read_features(options.features).parts
    train, test = parts["train"], parts["test"]
    return Rows(train["features"], train["truth"], test["features"], test["truth"])


def a_campaign(slug: str, *, people: int, rows: Rows) -> tuple[Any, list[str]]:
    """A running campaign whose images are embedded, and the tokens of its people."""
    from al_engine.pools import campaigns
    from al_engine.pools.models import Campaign

    campaign = campaigns.create_campaign(
        slug=slug,
        title="Freshness",
        choices=[campaigns.NewChoice(str(n)) for n in range(int(rows.classes.max()) + 1)],
        settings={"architectures": [ARCHITECTURE], "image_size": 224, "messages_per_second": 0},
    )
    _embed(campaign, rows)
    tokens = place.add_people(campaign, people)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.RUNNING)
    return campaign, tokens


def _embed(campaign: Any, rows: Rows) -> None:
    """Store the rows of the images and their embeddings."""
    from django.db import connection

    from al_engine.pools import images as pool
    from al_engine.roles.campaign_embeddings import CampaignEmbeddings

    (key,) = place.store_pictures(1)  # nobody looks at it, but a site without files asks nothing
    file = CampaignEmbeddings(campaign, ARCHITECTURE, torch.device("cpu")).file
    features, classes, images = rows.features, rows.classes, len(rows.classes)
    choices = list(campaign.choices.order_by("position").values_list("id", flat=True))
    assert file.width == WIDTH
    with pool.adding(campaign_id=campaign.pk), connection.cursor() as cursor:
        for first in range(0, images, _ROWS_AT_ONCE):
            last = min(first + _ROWS_AT_ONCE, images) - 1
            said = {
                "campaign": campaign.pk,
                "key": key,
                "choices": choices,
                "classes": classes[first : last + 1].tolist(),
                "first": first,
                "last": last,
            }
            cursor.execute(_IMAGES, said)
            file.write(range(first, last + 1), features[first : last + 1])
        cursor.execute("ANALYZE")


def run_once(var: Path, rate: float, rows: Rows, options: argparse.Namespace) -> str:
    """A row of the table: people who label at this rate, in labels a second."""
    from django.db import connection
    from django.db.models import F
    from django.db.models.functions import Now

    from al_engine.pools.models import Campaign

    connection.close()  # the site of the previous run has stopped PostgreSQL
    from annotator_site import embedded_postgres

    embedded_postgres.ensure_running(var)
    people = options.people or max(1, round(rate * THINK_S))
    campaign, tokens = a_campaign(f"fresh-{rate:g}", people=people, rows=rows)
    place.checkpoint()
    load = argparse.Namespace(think=people / rate, buffer=PEOPLE_AHEAD, seconds=options.seconds)
    with whole_system.site(var) as port:
        _await_engine(campaign)
        load.seconds = options.warm_up
        whole_system.label(port, campaign, tokens, load)
        since = Campaign.objects.annotate(now=Now()).values_list(F("now"), flat=True)[0]
        load.seconds = options.seconds
        figures = whole_system.label(port, campaign, tokens, load)
        time.sleep(options.settle)
        said = {"campaign": campaign.pk, "since": since}
        with connection.cursor() as cursor:
            cursor.execute(_LABELS, said)
            found = cursor.fetchall()
            if not found:
                raise SystemExit(f"No model has asked anything. {_states(campaign)}")
            published, asked = (sorted(each) for each in zip(*found, strict=True))
            cursor.execute(_VERSIONS, said)
            versions, took = cursor.fetchone()
            cursor.execute(_ASKED, said)
            stale, stale_in_view, age, newest = cursor.fetchone()
        right = _right(campaign, rows)
        Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.FINISHED)
    minutes = (options.seconds + options.settle) / 60
    return (
        f"| {figures.per_second:.0f} | {len(asked):,} | {versions / minutes:.0f} | {took:.2f} "
        f"| {percentile(published, 50):.2f} | {percentile(asked, 50):.2f} "
        f"| {percentile(asked, 95):.2f} | {stale:.0f} "
        f"| {stale_in_view:.0f} | {age:.1f} | {100 * newest:.1f} % | {figures.dry} "
        f"| {100 * right:.1f} % |"
    )


def _right(campaign: Any, rows: Rows) -> float:
    """The share of held-out images that the newest version says right, 0 to 1."""
    from al_engine.pools import versions
    from al_engine.training import checkpoint

    newest = campaign.models.order_by("-version")[0]
    model, _ = checkpoint.from_bytes(versions.read_weights(newest), device=torch.device("cpu"))
    with torch.inference_mode():
        said = model.head(rows.held_features.float()).argmax(dim=1)
    return float((said == rows.held_classes).float().mean())


def _await_engine(campaign: Any) -> None:
    """Wait until an engine looks after it; servers and workers come with the first people."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        said = campaign.processes.values_list("state", flat=True)
        if said and not any(state in ("", "starting") for state in said):
            return
        time.sleep(0.5)
    raise SystemExit(f"The engine did not start within {_START_S:.0f} s. {_states(campaign)}")


def _states(campaign: Any) -> str:
    """What the engine's processes said last."""
    said = campaign.processes.values_list("name", "state", "last_error")
    return " ".join(f"{name}: {state} {error}." for name, state, error in said)


def main() -> None:
    """Run each rate; print and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--rates", type=float, nargs="+", default=[5, 30])
    parser.add_argument("--features", type=Path, metavar="FILE", help="of `al_lab embed`")
    parser.add_argument("--people", type=int, help="else as many as think for two seconds")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warm-up", type=float, default=40.0)
    parser.add_argument("--settle", type=float, default=3.0)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    rows, lines = rows_of(options), []
    with tempfile.TemporaryDirectory(prefix="nowait-fresh-", dir=os.environ.get("TMPDIR")) as to:
        var = Path(to)
        var.chmod(0o711)  # run as root, PostgreSQL uses another account, which must pass through
        with place.database(var):
            for rate in options.rates:
                lines.append(run_once(var, rate, rows, options))
                print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join(
        [
            "# From a label to what is asked",
            "",
            _words(options, len(rows.classes)),
            "",
            COLUMNS,
            "|---" * (COLUMNS.count(" | ") + 1) + "|",
            *lines,
            "",
        ]
    )
    print(text)
    options.page.write_text(text, encoding="utf-8")


def _words(options: argparse.Namespace, images: int) -> str:
    load, _, _ = os.getloadavg()
    return (
        f"`{' '.join(['python', 'benchmarks/freshness.py', *sys.argv[1:]])}` on {machine()}, at a "
        f"load of {load:.0f}: people label for {options.seconds:.0f} s, after "
        f"{options.warm_up:.0f} s that do not count, on {images:,} images whose "
        f"embeddings, {WIDTH:,} numbers each, are there already. `up` with one server and ten "
        "workers, PostgreSQL and the people run on the same cores. Label to query: from the commit "
        "of a label to the first query that was chosen by a version which had learned from it. "
        "While a person looks at an image, others answer: so staleness, in labels, is told for "
        "both ends of that time, of the queries that a version chose. Right at the end: what the "
        "newest version says of images that are held out."
    )


if __name__ == "__main__":
    main()
