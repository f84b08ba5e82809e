"""Who closes the connection on purpose gives their queries back at once."""

from stock import Person, make_annotator

from al_engine.pools.models import Campaign

from .conftest import Connect


def test_a_clean_good_bye_gives_the_queries_to_others_long_before_a_resume_would_run_out(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(resume_seconds=3600)
    leaving, staying = connect(campaign, ann), connect(campaign, ben)
    leaving.ready(buffer=20)
    held = leaving.queries(20)
    staying.ready(buffer=20)
    staying.queries(20)
    waiting = connect(campaign, make_annotator(campaign))
    waiting.ready(buffer=20)
    waiting.expect("idle", reason="pool_empty")
    leaving.close()
    assert set(waiting.queries(20)) == set(held)
