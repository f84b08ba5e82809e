"""The server loop of the paper (section 3.1): wait for news in L, train, publish, repeat.

Servers do not know each other. Each repeats these steps until its process is told to end:

1. Read what changed in L since the last round. A server with several architectures trains next
   the one that has seen least of L.
2. Without enough news, report why it waits, and wait for a notification, 2 s at most.
3. Gather the labels whose images can be read. With a frozen backbone images are embedded: those
   that the embedder did not come to yet are embedded here, for half a second. Labels whose images
   are still missing remain news.
4. Train a model on them. A failed training is reported; further news start the next one.
5. Judge the model on audits, which also calibrate it, and on the holdout.
6. Publish weights and figures: a visible version is complete. Delete old weights.

A server that dies loses only its unfinished training: changes of L count as seen only after
step 6.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

import torch

from al_engine.architectures import MissingWeights, UnfitWeights, UnknownArchitecture
from al_engine.decisions.architecture import is_finetuned
from al_engine.decisions.rules import (
    enough_for_first_model,
    is_to_train,
    news_for_slow_training,
)
from al_engine.pools import processes, versions
from al_engine.pools.models import Campaign, Choice
from al_engine.pools.processes import Part
from al_engine.pools.signals import Listener
from al_engine.pools.sizes import sizes
from al_engine.pools.storage import StorageAway
from al_engine.roles.campaign_files import Positions
from al_engine.roles.choosing import WAITING, settle
from al_engine.roles.labeled_set import Gathered, LabeledSet, holdout
from al_engine.roles.life import Ending
from al_engine.roles.networks import Networks
from al_engine.roles.publishing import Origin, bytes_of, publication_of, publish
from al_engine.roles.threads import Threads
from al_engine.roles.trainer import Trainer, Verdict
from al_engine.training import devices
from al_engine.training.loop import Stopped, Trained, TrainingFailed
from al_engine.training.recipe import default_recipe

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0
_CORES_POLL_SECONDS: Final = 1.0
_KEEP_VERSIONS: Final = 20
_SEEDS_PER_SERVER: Final = 1_000_003
"""Distance between the seeds of two servers: more trainings than a server will ever run."""


class Server:
    """One of the m servers: `step` runs the steps above once."""

    def __init__(
        self,
        campaign: Campaign,
        part: Part,
        device: torch.device,
        architecture: str | None,
        ending: Ending,
        role: str = "selection",
        *,
        index: int = 0,
        servers: int = 1,
    ) -> None:
        """`architecture`: the only one, else its share as server `index` of `servers`."""
        self.role = role
        self.campaign = campaign
        self.ending = ending
        self.part = part
        self.device = device
        self.networks = Networks(campaign, architecture, index=index, servers=servers)
        # That of the present training.
        self.architecture = ""
        self.labels = LabeledSet(campaign.pk)
        self.trainer = Trainer(campaign, device)
        self.threads = Threads()
        self.trainings = 0
        processes.report(process_id=part.id, device=devices.describe(device))
        self.take_up()

    def take_up(self) -> None:
        """After a restart, do not train again on the labels of this server's last version."""
        self.labels.read_changes()
        self.networks.take_up(self.part.id, labels=len(self.labels), changes=self.labels.changes)

    def step(self, listener: Listener) -> None:
        """Train and publish if L has enough news; else wait for news."""
        self.threads.take()
        self.campaign.refresh_from_db()
        if not settle(self.campaign, self.device):
            self.say(WAITING)
            listener.wait("pool", "campaign", seconds=POLL_SECONDS)
            return
        self.labels.read_changes()
        if self.has_news():
            try:
                self.train_and_publish()
            except Stopped:
                pass
            except StorageAway as error:
                self._waits_for_storage(error)
                raise
        else:
            processes.report(process_id=self.part.id, state=self.why_waiting(), idle=True)
            listener.wait("labels", "campaign", seconds=POLL_SECONDS)

    def has_news(self) -> bool:
        """Whether L received enough since the last training."""
        if self.campaign.state != Campaign.State.RUNNING:
            return False
        return is_to_train(
            labels=len(self.labels),
            news=self.networks.news(self.networks.next, self.labels.changes),
            trainings=self.trainings,
            first_model_at=0 if self.trainings else self.first_model_at(),
            min_new_labels=self._wanted_news(),
        )

    def _wanted_news(self) -> int:
        """How many new labels a training waits for."""
        least = self.campaign.min_new_labels
        if self.trainings and is_finetuned(self.networks.next):
            return max(least, news_for_slow_training(len(self.labels)))
        return least

    def first_model_at(self) -> int:
        """How many labels the first model waits for."""
        return enough_for_first_model(
            self.campaign.choices.count(), sizes(campaign_id=self.campaign.pk).total
        )

    def why_waiting(self) -> str:
        """What the server waits for, in words for people."""
        if self.campaign.state != Campaign.State.RUNNING:
            return f"the campaign is {self.campaign.state}"
        if not self.trainings and len(self.labels) < (first := self.first_model_at()):
            return f"waiting for {first} labels before the first model"
        return "waiting for new labels"

    def train_and_publish(self) -> None:
        """One round: g_i = A(L) (paper, equation 1), judged and published.

        Labels count as seen only at the end: if the database goes away before, they remain news.
        """
        began, coming = time.perf_counter(), 0
        self.architecture = self.networks.next
        if self._open():
            gathered = self._gather()
            coming = gathered.coming
            trained = self._train(gathered) if len(gathered.examples.positions) else None
            if trained is not None:
                verdict = self._judge(trained, gathered.choice_ids)
                self._publish(trained, gathered, verdict, began)
        self.networks.has_seen(self.architecture, self.labels.changes - coming)

    def _open(self) -> bool:
        """Whether images can be read for the architecture; if not, that is reported."""
        try:
            self.trainer.open(self.architecture)
        except (UnfitWeights, MissingWeights, UnknownArchitecture) as error:
            self._failed(error)
            return False
        return True

    def _failed(self, error: Exception) -> None:
        log.warning("%s", error)
        processes.report(process_id=self.part.id, state="training failed", error=str(error))

    def _gather(self) -> Gathered:
        """The classes, and the labels of L whose images can be read, without audits."""
        choices = Choice.objects.filter(campaign=self.campaign).order_by("position")
        choice_ids = list(choices.values_list("pk", flat=True))
        labels_seen = len(self.labels)
        wanted = self.labels.examples(choice_ids, audit=False)
        tell = self._telling(len(wanted.positions))
        examples = wanted.only(self.trainer.readable(wanted.positions, tell))
        coming = self.trainer.count_coming(wanted.positions)
        return Gathered(choice_ids, labels_seen - coming, examples, coming)

    def _train(self, gathered: Gathered) -> Trained | None:
        """A new model from the labels; None if the training failed, which is reported."""
        recipe = default_recipe(
            self.architecture,
            image_size=self.campaign.model_image_size,
            labels=len(gathered.examples.positions),
            device=self.device,
            # The campaign's field is a str; the recipe takes a Literal of these two values.
            warm_start="scratch" if self.campaign.warm_start == "scratch" else "shrink_perturb",
        )
        try:
            return self.trainer.train(
                gathered.examples,
                classes=len(gathered.choice_ids),
                recipe=recipe,
                seed=self.part.id * _SEEDS_PER_SERVER + self.trainings,
                say=self.tell,
                should_stop=self.ending.told,
                give_way=self._give_cores,
            )
        except (TrainingFailed, UnfitWeights, MissingWeights, UnknownArchitecture) as error:
            self._failed(error)
            return None

    def _give_cores(self) -> None:
        """Before a step of a long training: wait while somebody needs the cores.

        Only for delivery and on a processor: a GPU computes beside people. Raises Stopped.
        """
        waits = self.role == "delivery" and self.device.type == "cpu"
        while not self.ending.told():
            if not (waits and (why := self.threads.needed_elsewhere(self.part.id))):
                return
            self.say(f"{self.architecture} waits for the processor: {why}")
            self.ending.sleep(_CORES_POLL_SECONDS)
        raise Stopped

    def _judge(self, trained: Trained, choice_ids: list[int]) -> Verdict:
        """How good a model is on audits, which also calibrate it, and on the holdout."""
        self.say(f"evaluating after {trained.seconds:.1f} s of training")
        audits = self.labels.examples(choice_ids, audit=True)
        kept_apart = holdout(self.campaign.pk, choice_ids)
        there = self._judgeable(kept_apart.positions)
        # What is embedded of the holdout so far may be of a few classes alone.
        if self.trainer.count_coming(kept_apart.positions):
            there = there[:0]
        return self.trainer.judge(
            trained.model,
            audits=audits.only(self._judgeable(audits.positions)),
            kept_apart=kept_apart.only(there),
        )

    def _judgeable(self, positions: Positions) -> Positions:
        return self.trainer.judgeable(positions, self._telling(len(positions)))

    def _publish(
        self, trained: Trained, gathered: Gathered, verdict: Verdict, began: float
    ) -> None:
        """Publish a model and its figures; `began` is a time of `time.perf_counter`."""
        origin = Origin(
            server_id=self.part.id,
            role=self.role,
            architecture=self.architecture,
            image_size=self.campaign.model_image_size,
            choice_ids=gathered.choice_ids,
            labels_seen=gathered.labels_seen,
            trained_on=len(gathered.examples.positions),
            seconds=time.perf_counter() - began,
            backbone=self.trainer.backbone_sha256,
        )
        version = publish(
            self.campaign.pk,
            bytes_of(trained, verdict, origin),
            publication_of(verdict, origin),
            ending=self.ending,
            waits=self._waits_for_storage,
        )
        versions.prune(campaign_id=self.campaign.pk, keep=_KEEP_VERSIONS)
        self.trainings += 1
        # Clear the error of an earlier training.
        processes.report(process_id=self.part.id, error="")
        log.info(
            "Version %d: %d labels, %.1f s, holdout %s",
            version.version,
            gathered.labels_seen,
            origin.seconds,
            f"{version.accuracy:.3f}" if version.accuracy is not None else "none",
        )

    def _waits_for_storage(self, error: StorageAway) -> None:
        processes.report(process_id=self.part.id, state="waiting for the storage", error=str(error))

    def _telling(self, count: int) -> Callable[[int], None]:
        """Reports how many of `count` images are read; raises Stopped if this process must end."""

        def tell(done: int) -> None:
            if self.ending.told():
                raise Stopped
            self.tell(f"reading images: {done} of {count}")

        return tell

    def tell(self, what: str) -> None:
        """Report the progress of a training, and leave people the cores that they need."""
        self.say(what)
        self.threads.give_way()

    def say(self, what: str) -> None:
        """Report what this server does now."""
        processes.report(process_id=self.part.id, state=what)
