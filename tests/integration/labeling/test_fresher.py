"""What people hold and have not come to is exchanged for what a newer model chose."""

from stock import add_images, ask, make_annotator, make_campaign, make_version

from al_engine.pools.models import Assignment

from .conftest import Connect


def test_spares_are_exchanged_and_what_is_in_view_and_next_stays(
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
    gone = [client.expect("revoke")["query"] for _ in range(3)]
    fresh = client.queries(3)
    assert set(gone) == set(held[2:])
    versions = Assignment.objects.filter(pk__in=fresh).values_list(
        "query__model_version", flat=True
    )
    assert set(versions) == {newer}


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
