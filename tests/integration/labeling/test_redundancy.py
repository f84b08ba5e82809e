"""As many answers an image as a campaign wants, whoever labels where, and never one more."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from uuid import uuid4

from stock import choices_of, make_annotator, make_campaign, stock

from al_engine.pools.models import Consensus, Image, Label, Turn

from .client import Client
from .conftest import Connect

IMAGES, PEOPLE, ANSWERS = 50, 20, 3

Said = tuple[str, int, int]


def label_to_the_end(client: Client, choices: list[int], dice: Random) -> set[Said]:
    """Answer what comes, skip a little of it, until there is nothing left for anybody."""
    sent: dict[str, Said | None] = {}
    acknowledged: set[Said] = set()
    client.ready(buffer=dice.randint(1, 5))
    while True:
        frame = client.await_frame(lambda frame: frame["type"] != "welcome")
        match frame["type"]:
            case "query" if len(sent) == 1:
                id_ = str(uuid4())
                sent[id_] = None
                client.send({"type": "skip", "id": id_, "query": frame["query"],
                             "reason": "unsure"})  # fmt: skip
            case "query":
                said = (str(uuid4()), frame["query"], dice.choice(choices))
                sent[said[0]] = said
                client.send({"type": "label", "id": said[0], "query": said[1],
                             "choice": said[2], "shown_ms": 5})  # fmt: skip
            case "ack":
                # Popped: a second receipt of one message would fail here.
                if said_then := sent.pop(frame["id"]):
                    acknowledged.add(said_then)
            case "idle" if frame["reason"] == "finished":
                assert not sent
                return acknowledged
            case "idle":
                pass
            case other:
                raise AssertionError(f"{other}: {frame}")


def test_every_image_has_its_three_answers_from_three_people_at_two_processes(
    connect: Connect, live_site: str, second_site: str, transactional_db: None
) -> None:
    campaign = make_campaign(answers_per_image=ANSWERS)
    stock(campaign, IMAGES)
    choices = choices_of(campaign)
    people = [make_annotator(campaign) for _ in range(PEOPLE)]
    sites = (live_site, second_site)
    clients = [connect(campaign, each, site=sites[n % 2]) for n, each in enumerate(people)]
    with ThreadPoolExecutor(PEOPLE) as threads:
        said = threads.map(
            lambda n: label_to_the_end(clients[n], choices, Random(n)), range(PEOPLE)
        )
        acknowledged = {each: person for person, all_of in zip(people, said, strict=True)
                        for each in all_of}  # fmt: skip

    rows = Label.objects.filter(campaign=campaign)
    assert {(str(row.client_id), row.turn_id, row.choice_id): row.annotator_id for row in rows} == {
        each: person.annotator_id for each, person in acknowledged.items()
    }
    assert not rows.filter(late=True).exists()
    answers = Counter(row.image_id for row in rows)
    assert len(answers) == IMAGES
    assert set(answers.values()) == {ANSWERS}
    assert len({(row.image_id, row.annotator_id) for row in rows}) == IMAGES * ANSWERS
    skipped = Turn.objects.filter(campaign=campaign, state="skipped")
    assert skipped.count() > 0
    assert not {(turn.image_id, turn.annotator_id) for turn in skipped} & {
        (row.image_id, row.annotator_id) for row in rows
    }
    assert set(Image.objects.filter(campaign=campaign).values_list("state", flat=True)) == {
        Image.State.LABELED
    }
    assert Consensus.objects.filter(campaign=campaign, answers=ANSWERS).count() == IMAGES
    assert {row.query_id for row in rows} == set(
        campaign.queries.filter(state="closed").values_list("pk", flat=True)
    )
