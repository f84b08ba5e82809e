"""A connection that drops keeps its queries for a while, and loses nothing that was said."""

from uuid import uuid4

from stock import Person, choices_of, make_annotator, make_campaign, stock

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Label, Turn

from .conftest import Connect


def test_resuming_gives_the_leases_back(connect: Connect, campaign: Campaign, ann: Person) -> None:
    client = connect(campaign, ann)
    session = client.expect("welcome")["session"]
    client.ready(buffer=5)
    held = client.queries(5)
    client.drop()
    again = connect(campaign, ann)
    welcome = again.expect("welcome")
    assert welcome["session"] != session
    again.ready(buffer=5, resume=session)
    assert set(again.queries(5)) == set(held)
    assert again.settle() == []
    leases = Turn.objects.filter(campaign=campaign, state="leased")
    assert {str(turn.session) for turn in leases} == {welcome["session"]}


def test_who_resumes_with_a_larger_buffer_gets_fresh_queries_beside_the_old(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    session = client.expect("welcome")["session"]
    client.ready(buffer=2)
    held = client.queries(2)
    client.close()
    again = connect(campaign, ann)
    again.ready(buffer=4, resume=session)
    assert set(held) < set(again.queries(4))


def test_a_session_can_be_resumed_while_its_connection_still_seems_alive(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    # The server hears of a dead network much later than the person who changed to another.
    client = connect(campaign, ann)
    session = client.expect("welcome")["session"]
    client.ready(buffer=3)
    held = client.queries(3)
    again = connect(campaign, ann)
    again.ready(buffer=3, resume=session)
    assert set(again.queries(3)) == set(held)
    assert client.close_code() == 4410
    assert [frame["type"] for frame in again.settle()] == ["welcome"]
    cat, _ = choices_of(campaign)
    assert again.label(held[0], cat)["type"] == "ack"


def test_what_is_sent_again_right_after_resuming_leaves_room_for_fresh_queries(
    connect: Connect, transactional_db: None
) -> None:
    # The leases come back while the answers to them are on their way already.
    campaign = make_campaign()
    stock(campaign, 200)
    cat, _ = choices_of(campaign)
    person = make_annotator(campaign)
    client = connect(campaign, person)
    session = client.expect("welcome")["session"]
    client.ready(buffer=5)
    held = client.queries(5)
    for _ in range(10):
        client.close()
        client = connect(campaign, person)
        next_session = client.expect("welcome")["session"]
        client.ready(buffer=5, resume=session)
        for query in held:
            client.send({"type": "label", "id": str(uuid4()), "query": query,
                         "choice": cat, "shown_ms": 1})  # fmt: skip
        fresh: list[int] = []
        while len(fresh) < 5:
            (query,) = client.queries(1)
            fresh += [] if query in held else [query]
        session, held = next_session, fresh


def test_a_network_that_dies_without_a_word_again_and_again_locks_nobody_out(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    # The server has not heard yet that the former ones are dead.
    session, held = None, None
    for _ in range(12):
        client = connect(campaign, ann)
        welcome = client.expect("welcome")
        client.ready(buffer=2, resume=session)
        queries = set(client.queries(2))
        assert held in (None, queries)
        session, held = welcome["session"], queries


def test_who_resumes_a_session_of_a_paused_campaign_is_told_that_it_is_paused(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    session = client.expect("welcome")["session"]
    client.ready(buffer=3)
    client.queries(3)
    client.close()
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.PAUSED)
    again = connect(campaign, ann)
    again.ready(buffer=3, resume=session)
    # It may have been on its way already: then it is taken back.
    again.expect("idle", reason="paused")
    turns = Turn.objects.filter(campaign=campaign, state="leased")
    assert not turns.exclude(session=session).exists()


def test_anothers_session_gives_nothing(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    client = connect(campaign, ann)
    session = client.expect("welcome")["session"]
    client.ready(buffer=5)
    held = client.queries(5)
    client.close()
    stranger = connect(campaign, ben)
    stranger.ready(buffer=5, resume=session)
    assert not set(stranger.queries(5)) & set(held)
    assert [frame["type"] for frame in stranger.settle()] == ["welcome"]


def test_a_session_that_never_was_gives_fresh_queries(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready(buffer=2, resume=str(uuid4()))
    assert len(client.queries(2)) == 2
    assert [frame["type"] for frame in client.settle()] == ["welcome"]


def test_a_dropped_connections_queries_go_to_others_in_the_end(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign(resume_seconds=1)
    stock(campaign, 4)
    cat, _ = choices_of(campaign)
    ann, ben = make_annotator(campaign), make_annotator(campaign)
    client = connect(campaign, ann)
    session = client.expect("welcome")["session"]
    client.ready(buffer=4)
    held = client.queries(4)
    waiting = connect(campaign, ben)
    waiting.ready(buffer=4)
    waiting.expect("idle", reason="pool_empty")
    client.drop()
    assert set(waiting.queries(4)) == set(held)
    # Who comes back after that gets nothing back; what they had answered meanwhile counts.
    late = connect(campaign, ann)
    late.ready(buffer=4, resume=session)
    late.expect("idle", reason="pool_empty")
    assert late.label(held[0], cat)["type"] == "ack"
    assert Label.objects.get(campaign=campaign).late
    # The other one's turn at the same image is theirs all the same.
    assert waiting.label(held[0], cat)["type"] == "ack"
    assert Label.objects.filter(campaign=campaign).count() == 2


def test_what_was_sent_before_the_connection_dropped_is_stored_once(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, dog = choices_of(campaign)
    client = connect(campaign, ann)
    session = client.expect("welcome")["session"]
    client.ready(buffer=10)
    held = client.queries(10)
    answers = [
        {"type": "label", "id": str(uuid4()), "query": query, "choice": dog, "shown_ms": 9}
        for query in held
    ]
    for answer in answers:
        client.send(answer)
    client.drop()  # whether the server read them or not, nobody knows
    again = connect(campaign, ann)
    again.ready(buffer=10, resume=session)
    for answer in answers:
        assert again.request(answer, str(answer["id"]))["type"] == "ack"
    stored = Label.objects.filter(campaign=campaign)
    assert {(str(row.client_id), row.turn_id, row.choice_id) for row in stored} == {
        (answer["id"], answer["query"], dog) for answer in answers
    }
    assert stored.count() == 10
    assert cat not in {row.choice_id for row in stored}
