"""A network that dies in silence: no end of the connection, no word, only nothing any more.

The site of these tests pings each second and waits one for the answer; `up` pings every twenty.
"""

from stock import choices_of, make_annotator, make_campaign, stock

from al_engine.pools.models import Label

from .client import PATIENCE_S
from .conftest import Connect
from .tunnel import Tunnel


def test_an_abandoned_connection_is_noticed_and_its_queries_go_to_others(
    connect: Connect, attentive_site: str, transactional_db: None
) -> None:
    campaign = make_campaign(resume_seconds=1, lease_seconds=3600)
    stock(campaign, 4)
    cat, _ = choices_of(campaign)
    ann, ben = make_annotator(campaign), make_annotator(campaign)
    with Tunnel(attentive_site) as tunnel:
        lost = connect(campaign, ann, site=tunnel.address)
        lost.ready(buffer=4)
        held = lost.queries(4)
        waiting = connect(campaign, ben, site=attentive_site)
        waiting.ready(buffer=4)
        waiting.expect("idle", reason="pool_empty")
        tunnel.go_dark()
        # Long before the leases end: the site has noticed, and given the queries on.
        assert set(waiting.queries(4)) == set(held)
        assert tunnel.given_up.wait(PATIENCE_S)
    # Whoever was cut off comes back by another way, and what they said counts.
    back = connect(campaign, ann, site=attentive_site)
    assert back.label(held[0], cat)["type"] == "ack"
    assert Label.objects.get(campaign=campaign).late
    # A person who only thinks is no dead network: pings were answered all the while.
    assert waiting.label(held[1], cat)["type"] == "ack"


def test_who_was_cut_off_in_silence_takes_up_what_they_held(
    connect: Connect, attentive_site: str, transactional_db: None
) -> None:
    campaign = make_campaign(resume_seconds=60)
    stock(campaign, 4)
    ann = make_annotator(campaign)
    with Tunnel(attentive_site) as tunnel:
        lost = connect(campaign, ann, site=tunnel.address)
        session = lost.expect("welcome")["session"]
        lost.ready(buffer=4)
        held = lost.queries(4)
        tunnel.go_dark()
        assert tunnel.given_up.wait(PATIENCE_S)
    back = connect(campaign, ann, site=attentive_site)
    back.ready(buffer=4, resume=session)
    assert set(back.queries(4)) == set(held)
