"""Training and looking compute with all cores while nobody labels, and with few for people."""

import socket
from collections.abc import Iterator

import pytest
import torch

from al_engine.pools.models import Campaign, Sample
from al_engine.roles import threads
from al_engine.roles.threads import Threads

from .conftest import MakeCampaign
from .digits import true_choices
from .people import Person, ask, join

pytestmark = pytest.mark.django_db(transaction=True)

CORES = 4


@pytest.fixture
def of_four_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Threads]:
    """The threads of a process that may use four cores, and that looks at people each time."""
    monkeypatch.setattr(threads, "_LOOK_SECONDS", 0.0)
    before = torch.get_num_threads()
    torch.set_num_threads(CORES)
    yield Threads()
    torch.set_num_threads(before)


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign(pool=20)


def serve(campaign: Campaign, host: str) -> None:
    """A web process of a host has somebody at its page."""
    Sample.objects.create(
        campaign=campaign,
        source=f"{host}:1",
        seconds=5.0,
        connected=1,
        **dict.fromkeys(("answers", "dry", "unlabeled", "queried", "labeled"), 0),
        **dict.fromkeys(("open_queries", "target_depth"), 0),
        waits=[],
    )


def answers(campaign: Campaign) -> Person:
    """Somebody answers."""
    person = join(campaign)
    ask(campaign, range(5))
    person.answer(person.take(5), true_choices(campaign))
    return person


def test_who_trains_gives_way_amid_a_training_once_somebody_answers(
    of_four_cores: Threads, campaign: Campaign
) -> None:
    serve(campaign, socket.gethostname())
    of_four_cores.take()
    assert torch.get_num_threads() == CORES
    answers(campaign)
    of_four_cores.give_way()
    assert torch.get_num_threads() == of_four_cores.few == 2
    # And takes no more for its next piece of work.
    of_four_cores.take()
    assert torch.get_num_threads() == 2


def test_all_cores_are_taken_again_when_nobody_has_answered_for_a_while(
    of_four_cores: Threads, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(campaign, socket.gethostname())
    of_four_cores.take()
    answers(campaign)
    of_four_cores.take()
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(threads, "_QUIET_SECONDS", 0.0)
    of_four_cores.take()
    assert torch.get_num_threads() == CORES


def test_people_whom_another_machine_serves_need_none_of_these_cores(
    of_four_cores: Threads, campaign: Campaign
) -> None:
    serve(campaign, "another-machine")
    of_four_cores.take()
    answers(campaign)
    of_four_cores.take()
    assert torch.get_num_threads() == CORES


def test_what_was_answered_before_says_nothing_of_who_is_there(
    of_four_cores: Threads, campaign: Campaign
) -> None:
    answers(campaign)
    serve(campaign, socket.gethostname())
    of_four_cores.take()
    assert torch.get_num_threads() == CORES
