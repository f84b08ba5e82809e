"""What people hold and have not come to is exchanged for what a newer model chose."""

from stock import add_images, ask, choices_of, make_annotator, make_campaign, make_version

from al_engine.pools.models import Label, Turn

from .conftest import Connect


def test_spares_are_exchanged_and_what_is_in_view_stays(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    add_images(campaign, 30)
    older, newer = (make_version(campaign, number) for number in (1, 2))
    ask(campaign, 5, version=older)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=5)
    held = client.queries(5)
    ask(campaign, 20, version=newer)
    # One goes for each newer one that has had the time to be in the browser, until all are gone.
    gone = [client.expect("revoke", fresher=True)["query"] for _ in range(4)]
    fresh = client.queries(4)
    assert set(gone) == set(held[1:])
    versions = Turn.objects.filter(pk__in=fresh).values_list("query__model_version", flat=True)
    assert set(versions) == {newer}
    # Whoever came to it in that moment may answer it all the same.
    (choice, *_) = choices_of(campaign)
    assert client.label(held[1], choice)["type"] == "ack"
    assert Label.objects.get().late


def test_somebody_with_one_spare_keeps_it(connect: Connect, transactional_db: None) -> None:
    campaign = make_campaign()
    add_images(campaign, 30)
    older, newer = (make_version(campaign, number) for number in (1, 2))
    ask(campaign, 7, version=older)
    few, many = (connect(campaign, make_annotator(campaign)) for _ in range(2))
    few.ready(buffer=2)
    few.queries(2)
    many.ready(buffer=5)
    many.queries(5)
    ask(campaign, 20, version=newer)
    for _ in range(4):
        many.expect("revoke")
    assert not [frame for frame in few.settle() if frame["type"] == "revoke"]


def test_a_campaign_that_does_not_refresh_exchanges_nothing(
    connect: Connect, transactional_db: None
) -> None:
    clients = []
    campaigns = [make_campaign(refresh=refresh) for refresh in (False, True)]
    newer = []
    for campaign in campaigns:
        add_images(campaign, 30)
        ask(campaign, 4, version=make_version(campaign, 1))
        newer.append(make_version(campaign, 2))
        clients.append(connect(campaign, make_annotator(campaign)))
        clients[-1].ready(buffer=4)
        clients[-1].queries(4)
    for campaign, version in zip(campaigns, newer, strict=True):
        ask(campaign, 20, version=version)
    # Both were told of by then, the one that does not refresh before the other.
    clients[1].expect("revoke")
    assert not [frame for frame in clients[0].settle() if frame["type"] == "revoke"]
