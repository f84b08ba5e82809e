"""campaign_status tells pools, rates, waits, staleness, models and processes as promised."""

from pathlib import Path
from uuid import uuid4

import pytest
from command_runs import refused, run
from pictures import picture, write_folder

from al_engine.pools import campaigns, processes, waits
from al_engine.pools.models import (
    Annotator,
    Campaign,
    Image,
    Label,
    ModelVersion,
    Query,
    Sample,
    Turn,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign() -> Campaign:
    return campaigns.create_campaign(
        slug="pets", choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog")]
    )


def test_a_new_campaign_has_a_status_of_the_promised_shape(campaign: Campaign) -> None:
    told = run("campaign_status", "pets", "--json")

    assert told.json == {
        "pools": {
            "unlabeled": 0, "queried": 0, "labeled": 0, "excluded": 0,
            "open_queries": 0, "target_depth": 0,
        },
        "network": {
            "architecture": "", "architectures": [], "image_size": 0, "automatic": True,
            "because": "", "problem": "",
        },
        "rates": {"labels_per_minute": 0.0, "versions_per_minute": 0.0},
        "waits_ms": {"p50": None, "p99": None, "dry": 0},
        "staleness": {"mean": None, "p99": None},
        "storage": {"there": True, "problem": None, "set_aside": 0, "unshown": 0},
        "learners": [],
        "models": [],
        "processes": [],
    }  # fmt: skip
    assert "no engine yet" in told.err


def test_the_status_tells_pools_rates_waits_models_and_processes(
    campaign: Campaign, tmp_path: Path
) -> None:
    files = {f"{number}.png": picture(shade=number) for number in range(4)}
    run("import_images", "pets", str(write_folder(tmp_path, files)))
    server = processes.register(campaign_id=campaign.pk, role="server", name="server-1")
    worker = processes.register(campaign_id=campaign.pk, role="worker", name="worker-1")
    processes.report(process_id=worker.id, state="scoring", depth=40, device="cpu")
    for version in range(1, 4):
        ModelVersion.objects.create(
            campaign=campaign, version=version, server_id=server.id, architecture="small_cnn",
            labels_seen=10 * version, trained_on=10 * version, train_seconds=0.5,
            accuracy=0.5 + version / 10, sha256="0" * 64, size=1,
        )  # fmt: skip
    histogram = [0] * waits.BUCKETS
    histogram[0], histogram[waits.bucket_of(50.0)] = 90, 10
    for source in ("a", "b"):
        Sample.objects.create(
            campaign=campaign, source=source, seconds=30.0, connected=1, answers=50, dry=3,
            waits=histogram, unlabeled=4, queried=0, labeled=0, open_queries=0, target_depth=0,
        )  # fmt: skip

    told = run("campaign_status", "pets", "--json")

    now = told.json
    assert now["pools"]["unlabeled"] == 4
    assert now["pools"]["target_depth"] == 40
    # Two web processes, 50 answers each, within the last half minute.
    assert now["rates"]["labels_per_minute"] == pytest.approx(200, rel=0.2)
    assert now["waits_ms"]["p50"] == 0.0
    assert 50 <= now["waits_ms"]["p99"] <= 60
    assert now["waits_ms"]["dry"] == 6
    assert [model["version"] for model in now["models"]] == [3, 2, 1]
    assert now["models"][0] | {"published_at": ""} == {
        "version": 3, "server": "server-1", "architecture": "small_cnn", "labels_seen": 30,
        "accuracy": 0.8, "train_seconds": 0.5, "published_at": "",
    }  # fmt: skip
    assert [(process["role"], process["name"]) for process in now["processes"]] == [
        ("server", "server-1"),
        ("worker", "worker-1"),
    ]
    assert now["processes"][1]["state"] == "scoring"
    assert "worker worker-1 on" in told.err


def test_the_status_of_no_campaign_names_those_there_are(campaign: Campaign) -> None:
    for number in range(11):
        campaigns.create_campaign(
            slug=f"more-{number:02}", choices=[campaigns.NewChoice("a"), campaigns.NewChoice("b")]
        )

    message = refused("campaign_status", "dogs")

    assert "Campaigns: more-00, more-01" in message
    assert message.endswith("more-09, ….")


def test_staleness_is_that_of_the_newest_labels(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("al_engine.pools.readings.STALENESS_LABELS", 3)
    files = {f"{number}.png": picture(shade=number) for number in range(4)}
    run("import_images", "pets", str(write_folder(tmp_path, files)))
    annotator = Annotator.objects.create(campaign=campaign)
    cat = campaign.choices.get(name="cat")
    for image, staleness in zip(Image.objects.order_by("id"), (999, 1, None, 5), strict=True):
        query = Query.objects.create(campaign=campaign, image=image, cell=image.cell)
        turn = Turn.objects.create(campaign=campaign, query=query, image=image)
        Label.objects.create(
            campaign=campaign, image=image, query=query, turn=turn, annotator=annotator,
            choice=cat, client_id=uuid4(), shown_ms=1, staleness=staleness,
        )  # fmt: skip

    assert run("campaign_status", "pets", "--json").json["staleness"] == {"mean": 3.0, "p99": 5.0}
