"""An acknowledged answer is on disk, once, however often and over whichever connection it came."""

from uuid import UUID, uuid4

from stock import Person, choices_of, make_annotator, make_campaign, stock

from al_engine.pools.models import Campaign, Consensus, Image, Label, Turn

from .conftest import Connect


def test_a_label_is_in_the_database_when_its_ack_arrives(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    _, dog = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=3)
    for number, query in enumerate(client.queries(3), 1):
        ack = client.label(query, dog)
        label = Label.objects.select_related("image", "turn").get(client_id=ack["id"])
        assert ack["progress"] == {"labeled": number, "total": 40, "mine": number}
        assert (label.annotator_id, label.turn_id) == (ann.annotator_id, query)
        assert (label.choice_id, label.shown_ms, label.late) == (dog, 700, False)
        assert label.turn.state == "answered"
        assert label.image.state == "labeled"
        assert Consensus.objects.get(image=label.image).choice_id == dog


def test_the_same_id_again_has_the_same_answer_and_one_effect(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, _ = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=2)
    (query, _) = client.queries(2)
    id_ = str(uuid4())
    first = client.label(query, cat, id_=id_)
    again = client.label(query, cat, id_=id_)
    elsewhere = connect(campaign, ann).label(query, cat, id_=id_)
    assert first == again == elsewhere
    assert Label.objects.filter(campaign=campaign).count() == 1


def test_the_same_message_twice_in_one_breath_has_one_effect(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, _ = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=1)
    (query,) = client.queries(1)
    message = {"type": "label", "id": str(uuid4()), "query": query, "choice": cat, "shown_ms": 1}
    for _ in range(5):
        client.send(message)
    acks = [client.expect("ack", id=message["id"]) for _ in range(5)]
    assert [ack["progress"]["mine"] for ack in acks] == [1] * 5
    assert Label.objects.filter(campaign=campaign).count() == 1


def test_an_id_that_was_used_for_another_answer_is_refused(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, dog = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=2)
    one, other = client.queries(2)
    id_ = client.label(one, cat)["id"]
    assert client.label(one, dog, id_=id_)["code"] == "bad_message"
    assert client.label(other, cat, id_=id_)["code"] == "bad_message"
    (label,) = Label.objects.filter(campaign=campaign)
    assert (label.turn_id, label.choice_id) == (one, cat)


def test_a_second_answer_to_the_same_query_comes_too_late(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, dog = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=2)
    query, _ = client.queries(2)
    client.label(query, cat)
    refused = client.label(query, dog)
    assert (refused["type"], refused["code"]) == ("nack", "too_late")
    (label,) = Label.objects.filter(campaign=campaign)
    assert label.choice_id == cat


def test_an_id_is_answered_as_it_was_written(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, _ = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=1)
    (query,) = client.queries(1)
    id_ = str(uuid4()).upper()
    assert client.label(query, cat, id_=id_)["type"] == "ack"
    assert Label.objects.get(campaign=campaign).client_id == UUID(id_)


def test_answers_are_stored_in_the_order_in_which_they_were_given(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    # As after a lost connection: the whole outbox at once.
    cat, dog = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=20)
    given = [(query, (cat, dog)[place % 2]) for place, query in enumerate(client.queries(20))]
    given.sort(key=lambda answer: -answer[0])
    for number, (query, choice) in enumerate(given):
        client.send({"type": "label", "id": f"{number:032x}", "query": query,
                     "choice": choice, "shown_ms": 5})  # fmt: skip
    client.expect("ack", id=f"{19:032x}")
    stored = Label.objects.filter(campaign=campaign).order_by("id")
    assert [(label.turn_id, label.choice_id) for label in stored] == given


def test_people_of_one_campaign_never_get_the_same_image_at_once(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    clients = [connect(campaign, ann), connect(campaign, ben), connect(campaign, ann)]
    for client in clients:
        client.ready(buffer=13)
    held = [query for client in clients for query in client.queries(13)]
    images = Turn.objects.filter(pk__in=held).values_list("image_id", flat=True)
    assert len(set(held)) == len(set(images)) == 39


def test_an_image_that_wants_two_answers_gets_them_of_two_people(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign(answers_per_image=2)
    stock(campaign, 3)
    cat, _ = choices_of(campaign)
    ann, ben = make_annotator(campaign), make_annotator(campaign)
    first = connect(campaign, ann)
    first.ready(buffer=6)
    for query in first.queries(3):
        first.label(query, cat)
    # All that is left are second answers, which are somebody else's.
    first.expect("idle", reason="pool_empty")
    assert not Image.objects.filter(campaign=campaign, state="labeled").exists()
    second = connect(campaign, ben)
    second.ready(buffer=6)
    for query in second.queries(3):
        second.label(query, cat)
    assert Image.objects.filter(campaign=campaign, state="labeled").count() == 3
    second.expect("idle", reason="finished")
