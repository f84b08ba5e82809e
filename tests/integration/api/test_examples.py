"""The examples of docs/api.md do what they say, on a real site."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import page
from pytest_django import DjangoDbBlocker
from stock import choices_of, committing, make_annotator, make_campaign, make_user, stock

from al_engine.pools.models import Campaign, Label
from annotator_site.accounts.tokens import create_token


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with committing(django_db_blocker):
        yield


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page("api.md"), re.DOTALL)


@pytest.mark.usefixtures("transactional_db")
def test_every_example_runs(live_site: str, tmp_path: Path) -> None:
    campaign = make_campaign()
    stock(campaign, 5)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "NOWAIT_URL": live_site,
        "NOWAIT_TOKEN": create_token(user=make_user(is_staff=True, is_superuser=True)),
        "NOWAIT_LABEL_TOKEN": make_annotator(campaign).token,
        "NOWAIT_CAMPAIGN": campaign.slug,
        "NOWAIT_CHOICE": str(choices_of(campaign)[0]),
    }
    follow, label = blocks("python")
    said = [run([sys.executable, "-c", code], environment) for code in (label, follow)]
    assert said[0].count(" ack") == Label.objects.filter(campaign=campaign).count() == 5
    assert said[1].count(" cat") == 5
    if not shutil.which("curl"):
        return
    listed, made = blocks("sh")
    # Where there is no `uuidgen`, any key will do.
    made = made.replace("$(uuidgen)", "0b4c")
    assert campaign.slug in run(["sh", "-ec", listed], environment)
    created = run(["sh", "-ec", made], environment)
    assert '"slug":"pumas"' in created, created
    assert Campaign.objects.get(slug="pumas").answers_per_image == 3


def run(command: list[str], environment: dict[str, str]) -> str:
    """What a program prints; fails if it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
