"""The loop of the paper: a person labels while models learn and choose beside them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from stock import make_annotator

from al_engine.pools.models import Campaign, ModelVersion, Query, Turn
from al_engine.pools.signals import listening

from .conftest import MakeDigits, OpenPage
from .labeler import Labeler

ENGINE_START_MS = 60_000
ANSWERS = 21  # the first model waits for two a class
TRAINING_S = 60.0


@contextmanager
def engine_of(campaign: Campaign, environment: dict[str, str]) -> Iterator[None]:
    """One server and one worker, as `run_engine` starts them."""
    log = settings.VAR / "logs" / f"engine-{campaign.slug}.log"
    command = [sys.executable, "manage.py", "run_engine", campaign.slug]
    with log.open("wb") as output:
        engine = subprocess.Popen(
            [*command, "--servers=1", "--workers=1", "--device=cpu"],
            cwd=settings.BASE_DIR,
            env={**environment, "NOWAIT_ROLE": "engine"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
        assert engine.poll() is None, log.read_text()
    finally:
        engine.terminate()
        engine.wait(timeout=60)


def test_images_come_from_the_engine_and_a_model_comes_of_the_answers(
    make_digits: MakeDigits, open_page: OpenPage, test_environment: dict[str, str]
) -> None:
    campaign = make_digits(images=60, asked=0, image_size=8)
    person = make_annotator(campaign)
    ann = Labeler(open_page(person), campaign, person.annotator_id)
    ann.go()
    ann.await_state("idle", "pool_empty")
    with listening(campaign.pk) as models, engine_of(campaign, test_environment):
        models.wait("model", seconds=0)  # listens from now on
        # Nobody reloads anything: the first image comes by itself.
        ann.page.wait_for_selector("#stage[data-armed]", timeout=ENGINE_START_MS)
        for _ in range(ANSWERS):
            turn = Turn.objects.select_related("image").get(pk=ann.shown())
            ann.press(ann.digits[turn.image.known_choice_id or 0])
        ann.await_pending(0)
        assert models.wait("model", seconds=TRAINING_S), "no model came"
        # A person never waits for that.
        ann.press("s")
        ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert len(ann.pressed) == ANSWERS
    version = ModelVersion.objects.filter(campaign=campaign).earliest("id")
    assert version.labels_seen <= ANSWERS
    assert not Query.objects.filter(campaign=campaign, strategy="").exists()
