"""Skipping hands an image to somebody else; undoing gives it back to who answered it."""

from uuid import uuid4

import pytest
from stock import Person, choices_of, make_annotator, make_campaign, stock

from al_engine.pools.models import Campaign, Consensus, Image, Label, Turn

from .conftest import Connect


@pytest.mark.parametrize("reason", ["unsure", "bad_image", "other"])
def test_a_skipped_image_goes_to_somebody_else_and_never_comes_back(
    connect: Connect, transactional_db: None, reason: str
) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    ann, ben = make_annotator(campaign), make_annotator(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=2)
    (query,) = client.queries(1)
    id_ = str(uuid4())
    ack = client.skip(query, reason, id_=id_)
    progress = {"labeled": 0, "total": 1, "mine": 0}
    assert ack == {"type": "ack", "id": id_, "progress": progress}
    assert Turn.objects.get(pk=query).skip_reason == reason
    client.expect("idle", reason="pool_empty")
    assert client.skip(query, reason, id_=id_) == ack
    other = connect(campaign, ben)
    other.ready()
    (again,) = other.queries(1)
    turns = Turn.objects.filter(campaign=campaign).order_by("id")
    assert [(turn.pk, turn.state) for turn in turns] == [(query, "skipped"), (again, "leased")]


def test_an_image_that_two_people_call_bad_leaves_the_campaign(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    for _ in range(2):
        client = connect(campaign, make_annotator(campaign))
        client.ready()
        ack = client.skip(client.queries(1)[0], "bad_image")
    assert ack["progress"]["total"] == 0
    assert Image.objects.get(campaign=campaign).state == "excluded"


def test_an_undone_query_comes_back_and_can_be_labeled_again(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, dog = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=2)
    query, _ = client.queries(2)
    wrong = client.label(query, cat)
    client.expect("query")
    ack = client.undo(wrong["id"])
    assert ack["progress"] == {"labeled": 0, "total": 40, "mine": 0}
    back = client.expect("query")
    turn = Turn.objects.select_related("image").get(pk=query)
    assert back["query"] == query
    assert back["image"]["id"] == turn.image_id
    assert (turn.state, turn.image.state) == ("leased", "queried")
    assert Consensus.objects.get(image=turn.image).choice_id is None
    right = client.label(query, dog)
    assert right["progress"] == {"labeled": 1, "total": 40, "mine": 1}
    labels = Label.objects.filter(campaign=campaign).order_by("id")
    assert [(str(row.client_id), row.choice_id, row.retracted_at is None) for row in labels] == [
        (wrong["id"], cat, False),
        (right["id"], dog, True),
    ]
    assert Consensus.objects.get(image=turn.image).choice_id == dog


def test_the_same_undo_again_has_the_same_answer_and_one_effect(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, dog = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=1)
    (query,) = client.queries(1)
    label = client.label(query, cat)["id"]
    id_ = str(uuid4())
    first = client.undo(label, id_=id_)
    assert client.undo(label, id_=id_) == first
    relabeled = client.label(query, dog)
    # A copy of the undo that was on its way for long, and one of the first answer.
    assert client.undo(label, id_=id_)["type"] == "ack"
    assert client.label(query, cat, id_=label)["type"] == "ack"
    (standing,) = Label.objects.filter(campaign=campaign, retracted_at=None)
    assert (str(standing.client_id), standing.choice_id) == (relabeled["id"], dog)


def test_nobody_undoes_anothers_answer(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    cat, _ = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready()
    label = client.label(client.queries(1)[0], cat)["id"]
    assert connect(campaign, ben).undo(label)["code"] == "unknown_query"
    assert connect(campaign, ann).undo(str(uuid4()))["code"] == "unknown_query"
    assert Label.objects.get(campaign=campaign).retracted_at is None


def test_an_older_answer_can_be_undone_over_a_later_connection(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, _ = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=3)
    answers = {client.label(query, cat)["id"]: query for query in client.queries(3)}
    client.close()
    oldest = next(iter(answers))
    later = connect(campaign, ann)
    later.ready()
    later.queries(1)
    assert later.undo(oldest)["progress"]["mine"] == 2
    assert later.queries(1) == [answers[oldest]]
