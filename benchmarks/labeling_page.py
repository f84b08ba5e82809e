"""How long is it from a key press to the next image on the screen, far from the server?

Starts a site of its own with two campaigns, one of 32-pixel images and one of a megapixel each, and
puts a slow link before it. A real Chromium labels both by key presses. Prints a table and writes it
to docs/benchmarks/.

    python benchmarks/labeling_page.py [--answers 500] [--round-trip 150]
"""

import argparse
import signal
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import machine, percentile  # noqa: E402
from benchmarks.key_presses import PAUSE_S, Measured, chromium, measure  # noqa: E402
from benchmarks.load import place  # noqa: E402
from benchmarks.slow_link import slow_link  # noqa: E402

BOUNDS = """\
What bounds it: the image itself was decoded and painted before, so its frame draws no pixels of it
anew (“tiles and layers”). Two thirds of a median press are the browser’s: its pipeline (style,
layout and paint) and the copying of a frame to the screen by the processor, which a GPU
takes over. The slowest presses are those that fall into a frame that is drawn for another reason
and wait for the one after it, and those that share the cores with something else.
"""
REPORT = ROOT / "docs" / "benchmarks" / "labeling_page.md"
FRAME_MS = 1_000 / 60
CAMPAIGNS = {"small": "32 × 32 pixels", "large": "1024 × 1024 pixels"}
SPARE = 30  # images beyond the answered ones, because the page holds some ahead
DIFFERENT = 60  # large pictures that are drawn; further ones repeat them with extra bytes appended


def write_pictures(folder: Path, count: int, *, large: bool) -> None:
    """Write pictures that compress like photographs: soft colors, with noise on large ones."""
    folder.mkdir()
    dice = np.random.default_rng(7)
    drawn: list[bytes] = []
    for number in range(count):
        if large and number >= DIFFERENT:
            data = drawn[number % DIFFERENT] + number.to_bytes(4)
        else:
            colors = dice.integers(0, 256, (64, 64, 3) if large else (8, 8, 3), dtype=np.uint8)
            size = (1024, 1024) if large else (32, 32)
            picture = Image.fromarray(colors).resize(size, Image.Resampling.BICUBIC)
            if large:
                noise = dice.integers(-12, 13, (1024, 1024, 3))
                pixels = np.clip(np.asarray(picture, dtype=np.int16) + noise, 0, 255)
                picture = Image.fromarray(pixels.astype(np.uint8))
            file = BytesIO()
            picture.save(file, "JPEG" if large else "PNG", quality=85)
            data = file.getvalue()
            drawn.append(data)
        (folder / f"{number:04}.{'jpg' if large else 'png'}").write_bytes(data)


def prepare(var: Path, answers: int) -> str:
    """Create campaigns with all images in S; returns their annotator's session cookie."""
    from django.test import Client

    from al_engine.pools import campaigns, query, unlabeled
    from al_engine.pools.models import EngineProcess
    from annotator_site.accounts.models import User
    from annotator_site.importing.image_import import import_images

    user = User.objects.create(username="ann")
    for slug in CAMPAIGNS:
        folder = var / f"pictures-{slug}"
        write_pictures(folder, answers + SPARE, large=slug == "large")
        campaign = campaigns.create_campaign(
            slug=slug,
            choices=[campaigns.NewChoice(name) for name in ("cat", "dog", "bird", "fish")],
            settings={"messages_per_second": 0},
        )
        import_images(campaign=campaign, source=folder)
        annotator = campaigns.join(campaign_id=campaign.pk, user_id=user.pk)
        campaigns.mark_introduced(annotator_id=annotator.pk)
        worker = EngineProcess.objects.create(
            campaign=campaign, role=EngineProcess.Role.WORKER, name="worker-1"
        )
        cells = unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=worker.pk, live_workers=1)
        found = unlabeled.candidates(campaign_id=campaign.pk, cells=cells, limit=answers + SPARE)
        query.refill(
            campaign_id=campaign.pk,
            worker_id=worker.pk,
            picks=[query.Pick(image_id=each.image_id, strategy="random") for each in found],
        )
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return str(client.cookies["sessionid"].value)


def run(var: Path, options: argparse.Namespace) -> tuple[str, dict[str, Measured]]:
    """The browser's version, and the measurements by campaign."""
    cookie = prepare(var, options.answers)
    with (
        place.web(var, asgi_server="daphne") as (port, _),
        slow_link(port, round_trip_s=options.round_trip / 1_000) as far,
        sync_playwright() as playwright,
    ):
        browser = chromium(playwright)
        measured = {
            slug: measure(
                browser,
                site=f"http://localhost:{far}",
                path=f"/c/{slug}/",
                cookie=cookie,
                answers=options.answers,
            )
            for slug in CAMPAIGNS
        }
        return browser.version, measured


def tables(measured: dict[str, Measured]) -> str:
    """The measurements as Markdown: whole key presses, then their parts."""
    columns = ("p50", "p90", "p99", "max")
    whole = [
        "| images | answers | answers/s | " + " | ".join(f"{each} ms" for each in columns)
        + " | within a frame | dry waits |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    events = [
        "| images | under 16 ms | 16 ms | 24 ms | more |",
        "|---|---|---|---|---|",
    ]
    parts = ["| images | part | p50 ms | p90 ms | p99 ms | max ms |", "|---|---|---|---|---|---|"]
    for slug, one in measured.items():
        within = sum(took <= FRAME_MS for took in one.painted) / len(one.painted)
        figures = " | ".join(f"{each:.1f}" for each in _figures(one.painted))
        whole.append(
            f"| {CAMPAIGNS[slug]} | {one.answers} | {one.answers / one.seconds:.1f} | {figures} "
            f"| {100 * within:.1f} % | {len(one.dry)} |"
        )
        steps = [one.events[16], one.events[24]]
        more = one.events.total() - sum(steps)
        fast = one.answers - one.events.total()
        events.append(f"| {CAMPAIGNS[slug]} | {fast} | {steps[0]} | {steps[1]} | {more} |")
        for name, times in one.stages.items():
            # Events that skipped a stage count as 0 ms in it.
            all_times = [0.0] * (len(one.painted) - len(times)) + times
            figures = " | ".join(f"{each:.1f}" for each in _figures(all_times))
            parts.append(f"| {CAMPAIGNS[slug]} | {name} | {figures} |")
    return "\n".join(
        [*whole, "", "By part:", "", *parts, "", "Event Timing, in its steps of 8 ms:", "", *events]
    )


def _figures(ordered: list[float]) -> list[float]:
    return [percentile(ordered, percent) for percent in (50, 90, 99, 100)]


def main() -> None:
    """Run, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=500, help="per campaign (500)")
    parser.add_argument("--round-trip", type=float, default=150.0, help="milliseconds (150)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no server is left behind
    with tempfile.TemporaryDirectory(prefix="nowait-benchmark-") as folder:
        var = Path(folder)
        var.chmod(0o711)  # run as root, PostgreSQL uses another account, which must pass through
        with place.database(var):
            version, measured = run(var, options)
    low, high = (round(1_000 * each) for each in PAUSE_S)
    text = (
        "# From a key press to the next image\n\n"
        f"`python benchmarks/labeling_page.py --answers {options.answers} "
        f"--round-trip {options.round_trip:g}` on {machine()}; web process, database and browser "
        f"share them. Chromium {version} without a window, which draws by software at 60 frames a "
        f"second: no GPU. The link to the site, images and WebSocket alike, has a round trip of "
        f"{options.round_trip:g} ms. Each key press comes {low} to {high} ms after its image could "
        "be answered, at any moment of a frame.\n\n"
        "Time: from the arrival of the key press in the browser until the frame with the next "
        "image is on the screen (Chromium’s EventLatency). A frame lasts 16.7 ms. Dry: that frame "
        f"had no image.\n\n{tables(measured)}\n\n{BOUNDS}"
    )
    print(text)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
