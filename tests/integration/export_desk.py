"""A campaign with answers of people, to be exported."""

import asyncio
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from django.core.management import call_command
from pictures import picture, write_folder

from al_engine.pools import campaigns, labeled, processes, query, signals, unlabeled
from al_engine.pools.models import Annotator, Campaign, Image, Label, ModelVersion
from al_engine.pools.turns import Answer, Demand, Undo
from annotator_site.accounts.annotators import create_annotators
from annotator_site.importing.image_import import import_images


@dataclass
class Desk:
    """Answers as the labeling desk does."""

    campaign: Campaign
    annotators: list[Annotator]

    def answer(self, person: int, choice: str, count: int) -> list[Label]:
        """`person` takes turns, one after the other, and answers each with `choice`."""
        annotator_id = self.annotators[person].pk
        choice_id = self.campaign.choices.get(name=choice).pk
        ids = [asyncio.run(self._answer(annotator_id, choice_id)) for _ in range(count)]
        return list(Label.objects.filter(client_id__in=ids).order_by("id"))

    async def _answer(self, annotator_id: int, choice_id: int) -> UUID:
        async with await psycopg.AsyncConnection.connect(**signals.connection_info()) as conn:
            demand = Demand(annotator_id=annotator_id, session=uuid4(), want=1)
            cursor = await query.claim_for(
                conn, campaign_id=self.campaign.pk, demand=demand, lease_seconds=60
            )
            (turn,) = await query.read_turns(cursor)
            answer = Answer(uuid4(), annotator_id, turn.turn_id, choice_id, 700)
            await labeled.lock(conn, turn_ids=[turn.turn_id])
            await labeled.answer(conn, campaign_id=self.campaign.pk, answers=[answer])
        return answer.client_id

    def undo(self, person: int, client_id: UUID) -> None:
        asyncio.run(self._undo(self.annotators[person].pk, client_id))

    async def _undo(self, annotator_id: int, client_id: UUID) -> None:
        undos = [Undo(annotator_id=annotator_id, label=client_id, session=uuid4())]
        async with await psycopg.AsyncConnection.connect(**signals.connection_info()) as conn:
            await labeled.lock(conn, undos=undos)
            await labeled.undo(conn, campaign_id=self.campaign.pk, undos=undos, lease_seconds=60)


def make_desk(tmp_path: Path) -> Desk:
    """Six images in S, two of them by a model; three people. Two answers an image."""
    campaign = campaigns.create_campaign(
        slug="pets",
        choices=[campaigns.NewChoice("cat"), campaigns.NewChoice("dog, or =wolf")],
        settings={"answers_per_image": 2, "architectures": ["small_cnn"], "image_size": 16},
    )
    folder = write_folder(tmp_path / "in", {f"{n}, ünï.png": picture(shade=n) for n in range(6)})
    import_images(campaign=campaign, source=folder)
    worker = processes.register(
        campaign_id=campaign.pk, role="worker", name="worker-1", strategy="entropy"
    )
    version = ModelVersion.objects.create(
        campaign=campaign, version=7, architecture="small_cnn", labels_seen=0, trained_on=0,
        train_seconds=0.5, sha256="0" * 64, size=1,
    )  # fmt: skip
    unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=worker.id, live_workers=1)
    images = list(Image.objects.order_by("id"))
    for chosen, model, score in ((images[:2], version.pk, 0.1 + 0.2), (images[2:], None, None)):
        picks = [query.Pick(image.pk, "entropy", score, model) for image in chosen]
        query.refill(campaign_id=campaign.pk, worker_id=worker.id, picks=picks)
    create_annotators(campaign_id=campaign.pk, count=3)
    return Desk(campaign, list(Annotator.objects.order_by("id")))


def export(*args: str, format_: str = "csv", output: str = "-") -> str:
    out = io.StringIO()
    call_command(
        "export_labels", "pets", "--format", format_, "--output", output, *args,
        stdout=out, stderr=io.StringIO(),
    )  # fmt: skip
    return out.getvalue()


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))
