"""The two roles inside the test's own process, and models to select with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from al_engine import architectures
from al_engine.decisions.architecture import is_published
from al_engine.pools import processes, unlabeled, versions
from al_engine.pools.models import Campaign, ModelVersion
from al_engine.pools.signals import Listener, listening
from al_engine.pools.versions import Publication
from al_engine.roles.crew import Crew
from al_engine.roles.embedder import Embedder
from al_engine.roles.filler import Filler
from al_engine.roles.life import Ending, Heartbeat
from al_engine.roles.server import Server
from al_engine.roles.worker import WorkerLoop
from al_engine.training import backbones, checkpoint
from al_engine.training.evaluate import predict

CPU = torch.device("cpu")


class Serving:
    """A server that does one step at a time."""

    def __init__(self, server: Server, listener: Listener) -> None:
        self.server = server
        self.listener = listener

    def step(self) -> ModelVersion | None:
        """Let it look once; the version that it published, if it did."""
        campaign = self.server.campaign
        before = set(ModelVersion.objects.filter(campaign=campaign).values_list("pk", flat=True))
        # A new connection's first wait returns at once: it may have missed a notification.
        self.listener.close()
        self.server.step(self.listener)
        return ModelVersion.objects.filter(campaign=campaign).exclude(pk__in=before).first()


@contextmanager
def serving(campaign: Campaign, architecture: str | None = None) -> Iterator[Serving]:
    part = processes.register(campaign_id=campaign.pk, role="server", name="server-1")
    with listening(campaign.pk) as listener:
        yield Serving(Server(campaign, part, CPU, architecture, Ending()), listener)
    processes.retire(parts=[part])


@contextmanager
def embedding(campaign: Campaign) -> Iterator[Embedder]:
    """An embedder that embeds a block at a time; it counts as alive."""
    part = processes.register(
        campaign_id=campaign.pk,
        role="embedder",
        name="embedder-1",
        strategy=campaign.model_architecture,
    )
    with Heartbeat([part]):
        yield Embedder(campaign, part, CPU, Ending())


class Working:
    """A process of workers that takes one round at a time."""

    def __init__(self, crew: Crew, listener: Listener) -> None:
        self.crew = crew
        self.listener = listener
        self.loop = WorkerLoop(crew, "cpu")
        self.filler = Filler(crew)

    def step(self) -> None:
        """Look at D_j if there is reason to, then fill S from that."""
        self.listener.close()
        self.loop.step(self.listener)
        self.filler.look_around()
        self.filler.fill()
        self.filler.report()


@contextmanager
def hosting(campaign: Campaign, *strategies: str) -> Iterator[Crew]:
    """Workers with these strategies, their hearts beating; they let go of all at the end."""
    parts = [
        processes.register(
            campaign_id=campaign.pk, role="worker", name=f"worker-{number}", strategy=strategy
        )
        for number, strategy in enumerate(strategies, 1)
    ]
    crew = Crew(campaign, parts)
    crew.hold_cells()
    with Heartbeat(parts, also=crew.hold_cells):
        yield crew
    for part in parts:
        unlabeled.release_cells(worker_id=part.id)


@contextmanager
def filling(campaign: Campaign, *strategies: str) -> Iterator[Filler]:
    """Who fills S for workers with these strategies, while nobody looks."""
    with hosting(campaign, *strategies) as crew:
        yield Filler(crew)


@contextmanager
def working(campaign: Campaign, *strategies: str) -> Iterator[Working]:
    """Who looks and who fills S for workers with these strategies."""
    with hosting(campaign, *strategies) as crew, listening(campaign.pk) as listener:
        yield Working(crew, listener)


def publish_model(
    campaign: Campaign, *, seed: int, architecture: str = "small_cnn"
) -> ModelVersion:
    """A version with weights drawn by chance: it selects as well as one that was trained."""
    torch.manual_seed(seed)
    choices = list(campaign.choices.values_list("id", flat=True))
    digest = None
    if is_published(architecture):
        backbone = backbones.published(architecture, image_size=campaign.image_size, device=CPU)
        model, digest = backbone.with_head(len(choices)), backbone.sha256
        torch.nn.init.normal_(model.head.weight, std=0.1)
    else:
        model = architectures.build(
            architecture, classes=len(choices), image_size=campaign.image_size
        )
    # Chance alone leaves all classes about as likely; this tells the images apart.
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.mul_(20)
    data = checkpoint.to_bytes(
        model,
        architecture=architecture,
        image_size=campaign.image_size,
        classes=choices,
        backbone=digest,
    )
    server = processes.register(campaign_id=campaign.pk, role="server", name="server-1")
    processes.retire(parts=[server])
    return versions.publish(
        campaign_id=campaign.pk,
        weights=data,
        publication=Publication(
            server_id=server.id,
            architecture=architecture,
            labels_seen=0,
            trained_on=0,
            train_seconds=0.0,
            holdout=None,
            audit=None,
        ),
    )


def probabilities_by(version: ModelVersion, images: Tensor) -> Tensor:
    """What a published version says of images, uint8 (n, 3, S, S): float (n, C)."""
    model, _ = checkpoint.from_bytes(versions.read_weights(version), device=CPU)
    return predict(model, images, device=CPU)


def share_right(probabilities: Tensor, targets: Sequence[int] | Tensor) -> float:
    """The accuracy of predictions."""
    right = probabilities.argmax(dim=1) == torch.as_tensor(targets)
    return float(right.float().mean())
