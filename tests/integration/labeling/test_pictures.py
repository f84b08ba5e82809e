"""Pictures that do not show: reported and looked into, and waited for while none can be had."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pictures import picture
from stock import Person, choices_of, make_annotator, make_campaign, stock

from al_engine.pools.models import Campaign, Image, Turn

from .conftest import Connect

PATIENCE_S = 15.0


def until(happened: Callable[[], bool]) -> None:
    """Return once it has happened."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def moved_away() -> Iterator[None]:
    """All files are somewhere else meanwhile, as when a mount is lost."""
    root = Path(default_storage.path(""))
    away = root.with_name("media-away")
    root.rename(away)
    try:
        yield
    finally:
        away.rename(root)


def give_file(image: Image, data: bytes, *, stored: bytes | None) -> None:
    """Let an image be imported from `data`; what is stored of it now is `stored`."""
    digest = hashlib.sha256(data).hexdigest()
    key = f"images/{image.campaign_id}/{digest}.png"
    Image.objects.filter(pk=image.pk).update(key=key, sha256=digest, size=len(data))
    if stored is not None:
        assert default_storage.save(key, ContentFile(stored)) == key


@pytest.mark.parametrize("problem", ["not_found", "not_decodable", "not_loaded"])
def test_a_report_hands_the_image_to_somebody_else_and_counts_as_nothing(
    connect: Connect, transactional_db: None, problem: str
) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    people = [make_annotator(campaign) for _ in range(4)]
    image = Image.objects.get(campaign=campaign)
    data = picture("PNG", (9, 9))
    give_file(image, data, stored=data)
    for person in people[:3]:
        client = connect(campaign, person)
        client.ready(buffer=2)
        (query,) = client.queries(1)
        id_ = str(uuid4())
        ack = client.report(query, problem, id_=id_, detail="HTTP 404; Firefox 130")
        assert ack["type"] == "ack"
        assert client.report(query, problem, id_=id_) == ack
        turn = Turn.objects.get(pk=query)
        assert (turn.state, turn.skip_reason, turn.skip_sender, turn.skip_detail) == (
            "skipped", problem, "machine", "HTTP 404; Firefox 130",
        )  # fmt: skip
        client.expect("idle", reason="pool_empty")
        client.close()
    # The file is whole: whatever these browsers have, the image is fine.
    last = connect(campaign, people[3])
    last.ready()
    (query,) = last.queries(1)
    last.label(query, choices_of(campaign)[0])
    image.refresh_from_db()
    assert image.state == "labeled"


@pytest.mark.parametrize(
    ("stored", "kind"), [(None, "gone"), (b"", "damaged"), (picture("PNG", (9, 9))[:50], "damaged")]
)
def test_one_report_is_enough_to_look_and_what_is_proven_is_set_aside(
    connect: Connect, transactional_db: None, stored: bytes | None, kind: str
) -> None:
    campaign = make_campaign()
    stock(campaign, 3)
    faulty = Image.objects.filter(campaign=campaign).order_by("pk")[0]
    give_file(faulty, picture("PNG", (9, 9)), stored=stored)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=3)
    frames = [client.expect("query") for _ in range(3)]
    (query,) = [each["query"] for each in frames if each["image"]["id"] == faulty.pk]
    client.report(query, "not_found")
    until(lambda: Image.objects.get(pk=faulty.pk).state == "excluded")
    faulty.refresh_from_db()
    assert (faulty.excluded_for, faulty.key in faulty.problem) == (kind, True)
    other = connect(campaign, make_annotator(campaign))
    other.ready()
    other.expect("idle", reason="pool_empty")


def test_a_program_that_skips_by_rule_says_so_and_excludes_nothing(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    for sender in ("machine", "machine", "machine", "person"):
        client = connect(campaign, make_annotator(campaign))
        client.ready()
        (query,) = client.queries(1)
        client.request({"type": "skip", "query": query, "reason": "bad_image", "sender": sender})
        assert Turn.objects.get(pk=query).skip_sender == sender
        assert Image.objects.get(campaign=campaign).state == "queried"
    client = connect(campaign, make_annotator(campaign))
    client.ready()
    client.skip(client.queries(1)[0], "bad_image")
    assert Image.objects.get(campaign=campaign).state == "excluded"


def test_while_the_storage_is_away_nothing_new_is_handed_out_and_what_is_held_stays(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    cat, _ = choices_of(campaign)
    holder = connect(campaign, ann)
    session = holder.expect("welcome")["session"]
    holder.ready(buffer=3)
    held = holder.queries(3)
    waiting = connect(campaign, ben)
    with moved_away():
        until(lambda: _is_held_back(connect, campaign))
        waiting.ready(buffer=2)
        waiting.expect("idle", reason="pool_empty", detail="storage_away")
        holder.drop()
        back = connect(campaign, ann)
        back.ready(buffer=3, resume=session)
        assert sorted(back.queries(3)) == sorted(held), "what is held is theirs"
        # An answer is an answer; what comes next waits.
        back.label(held[0], cat)
        assert "query" not in {frame["type"] for frame in back.settle()}
    began = time.monotonic()
    waiting.queries(2)
    back.queries(1)
    assert time.monotonic() - began < 5
    assert not Image.objects.filter(campaign=campaign, state="excluded").exists()


def _is_held_back(connect: Connect, campaign: Campaign) -> bool:
    """Whether somebody new is told that the storage is away."""
    client = connect(campaign, make_annotator(campaign))
    client.ready()
    frame = client.await_frame(lambda frame: frame["type"] in ("query", "idle"))
    client.close()
    return frame.get("detail") == "storage_away"
