"""What a person gets wrong at the engine's commands is answered in one line."""

import pytest
from command_runs import refused

from al_engine.decisions.dealing import deal
from al_engine.pools.models import Campaign, EngineProcess
from al_engine.roles.engine import EngineOptions, children

from .conftest import MakeCampaign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign(pool=20)


@pytest.fixture(autouse=True)
def _environment(test_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`run_worker` starts a process, which uses the test's database as well."""
    for name in ("DATABASE_URL", "SECRET_KEY"):
        monkeypatch.setenv(name, test_environment[name])


@pytest.mark.parametrize("name", ["run_server", "run_worker", "run_engine", "campaign_status"])
def test_an_unknown_campaign_is_answered_with_those_there_are(
    campaign: Campaign, name: str
) -> None:
    assert (
        refused(name, "nowhere") == f"There is no campaign “nowhere”. Campaigns: {campaign.slug}."
    )


@pytest.mark.parametrize("name", ["run_server", "run_worker"])
@pytest.mark.parametrize(
    ("device", "cause"),
    [
        ("cuda:7", "The device 'cuda:7' is not there"),
        ("abacus", "There is no device named 'abacus'"),
    ],
)
def test_a_device_that_is_not_there_is_named(
    campaign: Campaign, name: str, device: str, cause: str
) -> None:
    assert cause in refused(name, campaign.slug, f"--device={device}")
    # Nobody waits for the silence of a process that has ended.
    assert set(EngineProcess.objects.values_list("state", flat=True)) <= {"stopped"}
    assert not campaign.cells.exclude(worker=None).exists()


def test_an_unknown_architecture_is_answered_with_those_there_are(campaign: Campaign) -> None:
    said = refused("run_server", campaign.slug, "--architecture=brain")
    assert said.startswith(
        "There is no architecture named 'brain'. Known architectures: small_cnn,"
    )


def test_an_unknown_strategy_is_answered_with_those_there_are(campaign: Campaign) -> None:
    said = refused("run_worker", campaign.slug, "--strategies=entropy,instinct")
    assert said.startswith("There is no strategy named 'instinct'. Known strategies: random,")
    assert not campaign.cells.exclude(worker=None).exists()


@pytest.mark.parametrize(
    ("option", "cause"),
    [
        ("--servers=-1", "0 or more"),
        ("--workers=-1", "0 or more"),
        ("--worker-processes=0", "1 or more"),
    ],
)
def test_an_engine_of_an_impossible_size_is_refused(
    campaign: Campaign, option: str, cause: str
) -> None:
    assert cause in refused("run_engine", campaign.slug, option)


def test_strategies_are_dealt_out_among_the_workers_of_all_processes(
    make_campaign: MakeCampaign,
) -> None:
    campaign = make_campaign(
        pool=20,
        strategies=["entropy", "least_confidence", "margin"],
        architectures=["small_cnn"],
    )
    options = EngineOptions(servers=2, workers=7, worker_processes=2, device="cpu")
    processes = {child.name: list(child.argv[2:]) for child in children(campaign, options, ["cpu"])}
    dealt = deal(campaign.strategies, 7, seed=campaign.pk)
    slug = campaign.slug
    assert processes == {
        f"workers-{slug}-1": [
            *("run_worker", slug, f"--strategies={','.join(dealt[0::2])}", "--first=1"),
            *("--device", "cpu"),
        ],
        f"workers-{slug}-2": [
            *("run_worker", slug, f"--strategies={','.join(dealt[1::2])}", "--first=5"),
            *("--device", "cpu"),
        ],
        **{
            f"server-{slug}-{index + 1}": [
                *("run_server", slug, "--device", "cpu"),
                *("--index", str(index), "--servers", "2"),
            ]
            for index in range(2)
        },
    }
    assert set(dealt) == {"entropy", "least_confidence", "margin"}


def test_without_room_for_models_s_is_filled_and_nothing_more(campaign: Campaign) -> None:
    options = EngineOptions(servers=1, workers=1, device="cpu")
    (child,) = children(campaign, options, ["cpu"], models=False)
    assert child.argv[2:4] == ["run_worker", campaign.slug]
    assert child.argv[-1] == "--fill-only"


def test_an_engine_without_workers_or_servers_is_possible(campaign: Campaign) -> None:
    options = EngineOptions(servers=1, workers=0, device="cpu")
    names = [child.name for child in children(campaign, options, ["cpu"])]
    assert names == [f"server-{campaign.slug}-1"]
    options = EngineOptions(servers=0, workers=1, device="cpu")
    names = [child.name for child in children(campaign, options, ["cpu"])]
    assert names == [f"workers-{campaign.slug}-1"]
