"""Simulated annotators label over the real WebSocket, and what they report is what is stored."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import sha256
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from stock import one_file

from al_engine.pools import campaigns, images, query, unlabeled
from al_engine.pools.images import NewImage
from al_engine.pools.models import Annotator, Campaign, Choice, EngineProcess, Label
from al_engine.pools.query import Pick
from annotator_site.accounts.models import Token, User

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Campaign:
    """Sixty images with known labels in S, and ten without; nobody is in a hurry here."""
    # Every test has a slug of its own: the web process may still serve the former test's.
    slug = f"bots-{sha256(request.node.name.encode()).hexdigest()[:12]}"
    campaign = campaigns.create_campaign(
        slug=slug,
        choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog")],
        # What a broken connection held comes back soon.
        settings={"messages_per_second": 0, "lease_seconds": 5, "resume_seconds": 1},
    )
    choices = list(campaign.choices.all())
    with images.adding(campaign_id=campaign.pk):
        images.add_images(
            campaign_id=campaign.pk,
            split="pool",
            images=[
                NewImage(
                    sha256=sha256(f"{slug}/{number}".encode()).hexdigest(),
                    name=f"{number}.png",
                    key=one_file(),
                    width=8,
                    height=8,
                    size=100,
                    known_choice_id=choices[number % 2].pk if number < 60 else None,
                )
                for number in range(70)
            ],
        )
    worker = EngineProcess.objects.create(campaign=campaign, role="worker", name="worker-1")
    cells = unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=worker.id, live_workers=1)
    candidates = unlabeled.candidates(campaign_id=campaign.pk, cells=cells, limit=70)
    query.refill(
        campaign_id=campaign.pk,
        worker_id=worker.id,
        picks=[
            Pick(image_id=image_id, strategy="random") for image_id in candidates[:, 0].tolist()
        ],
    )
    return campaign


def run(campaign: Campaign, site: str, **options: Any) -> dict[str, Any]:
    """The summary of a run at `site`."""
    out = StringIO()
    usual = {"count": 3, "think": 0.0, "url": site.replace("http", "ws", 1), "seconds": 30.0}
    given = {**usual, **options, "json": True, "stdout": out, "stderr": StringIO()}
    call_command("run_annotators", campaign.slug, **given)
    summary: dict[str, Any] = orjson.loads(out.getvalue().splitlines()[-1])
    return summary


def journal_of(path: Path) -> dict[str, dict[str, Any]]:
    """A journal's lines by message id; every line is whole and there once."""
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    by_id = {line["client_id"]: line for line in lines}
    assert len(by_id) == len(lines)
    return by_id


def test_as_many_labels_as_asked_for_are_stored_and_in_the_journal(
    campaign: Campaign, live_site: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    summary = run(campaign, live_site, labels=40, journal=journal)
    stored = {str(label.client_id): label for label in Label.objects.filter(campaign=campaign)}
    written = journal_of(journal)
    assert summary["labels"] == len(stored) == 40
    assert set(written) == set(stored)
    for client_id, line in written.items():
        label = stored[client_id]
        assert label.annotator.user is not None
        assert label.choice_id == line["choice"] == label.image.known_choice_id
        assert label.annotator.user.username == line["username"]
    assert summary["nacks"] == {}
    assert summary["ack_ms"]["p50"] > 0


def test_images_without_a_known_label_are_skipped(campaign: Campaign, live_site: str) -> None:
    summary = run(campaign, live_site, labels=60, count=1, buffer=20)
    assert summary["labels"] == 60
    assert not Label.objects.filter(campaign=campaign, image__known_choice=None).exists()


def test_errors_are_made_at_the_given_rate(campaign: Campaign, live_site: str) -> None:
    run(campaign, live_site, labels=30, error_rate=1.0)
    labels = Label.objects.filter(campaign=campaign).select_related("image")
    assert len(labels) == 30
    assert all(label.choice_id != label.image.known_choice_id for label in labels)


def test_a_second_run_uses_the_same_annotators_and_leaves_no_token(
    campaign: Campaign, live_site: str
) -> None:
    run(campaign, live_site, labels=6)
    run(campaign, live_site, labels=6)
    assert Annotator.objects.filter(campaign=campaign).count() == 3
    assert not Token.objects.exists()


def test_nothing_is_lost_or_doubled_when_connections_break(
    campaign: Campaign, live_site: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    with breaking_relay(live_site, every_bytes=8_000) as relay:
        summary = run(campaign, relay, labels=60, journal=journal)
    stored = {str(label.client_id) for label in Label.objects.filter(campaign=campaign)}
    assert summary["reconnects"] > 0
    assert summary["labels"] == 60
    assert stored == set(journal_of(journal))


def test_what_a_change_of_the_classes_overtakes_is_answered_again(
    campaign: Campaign, live_site: str
) -> None:
    over = threading.Event()

    def repaint() -> None:
        for number in count():
            if over.wait(0.02):
                break
            Choice.objects.filter(campaign=campaign).update(color=f"#{number:06x}")
        connections.close_all()

    painter = threading.Thread(target=repaint)
    painter.start()
    summary = run(campaign, live_site, labels=60)
    over.set()
    painter.join()
    labels = Label.objects.filter(campaign=campaign).select_related("image")
    assert summary["labels"] == len(labels) == len({label.image_id for label in labels}) == 60
    assert all(label.choice_id == label.image.known_choice_id for label in labels)
    assert set(summary["nacks"]) <= {"other_choices"}


def test_whoever_is_sent_away_is_named_with_the_reason(campaign: Campaign, live_site: str) -> None:
    user = User.objects.create_user("bot-0001")
    campaigns.join(campaign_id=campaign.pk, user_id=user.pk)
    Annotator.objects.filter(user=user).update(active=False)
    with pytest.raises(CommandError, match=r"bot-0001 is not an annotator of this campaign"):
        run(campaign, live_site, count=1)


def test_a_persons_account_is_never_taken_for_a_bot(campaign: Campaign, live_site: str) -> None:
    User.objects.create_user("bot-0002", password="a person's own")
    with pytest.raises(CommandError, match=r"bot-0002 has a password"):
        run(campaign, live_site)
    assert not User.objects.filter(username="bot-0001").exists()


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"labels": 61}, "has 60 images with a known label left"),
        ({"url": "http://localhost"}, "is not a WebSocket's address"),
        ({"journal": Path("/proc/none/journal")}, "journal cannot be written"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    campaign: Campaign, options: dict[str, Any], cause: str
) -> None:
    with pytest.raises(CommandError, match=cause) as refusal:
        call_command("run_annotators", campaign.slug, count=1, **options, stderr=StringIO())
    assert "\n" not in str(refusal.value)


def test_an_unknown_campaign_is_refused_in_one_line() -> None:
    with pytest.raises(CommandError, match="There is no campaign nowhere"):
        call_command("run_annotators", "nowhere", count=1)


@contextmanager
def breaking_relay(site: str, *, every_bytes: int) -> Iterator[str]:
    """The address of a relay to `site` that breaks all its connections after so many bytes of
    theirs, four times in all, without a word to either end."""
    target = urlsplit(site)
    writers: set[asyncio.StreamWriter] = set()
    passed = 0
    breaks_left = 4

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal passed, breaks_left
        try:
            while data := await reader.read(65_536):
                passed += len(data)
                if passed >= every_bytes and breaks_left:
                    passed = 0
                    breaks_left -= 1
                    for open_writer in list(writers):
                        open_writer.transport.abort()
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target.port)
        writers.update((writer, far_writer))
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        writers.difference_update((writer, far_writer))

    async def relay() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            address.set_result(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await asyncio.to_thread(ended.wait)
            for writer in list(writers):
                writer.transport.abort()

    address: Future[str] = Future()
    ended = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(relay(),))
    thread.start()
    try:
        yield address.result(timeout=10)
    finally:
        ended.set()
        thread.join()
