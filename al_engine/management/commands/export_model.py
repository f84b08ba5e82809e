"""`export_model SLUG --output FILE`: write the model of a campaign to a file."""

import hashlib
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from al_engine.outputs import OutputError, is_plain_file, open_output
from al_engine.pools import versions
from al_engine.pools.lookup import UnknownCampaignError, campaign_of
from al_engine.pools.models import Campaign, ModelVersion
from al_engine.pools.storage import StorageAway
from al_engine.pools.versions import WeightsDamaged
from al_engine.training.checkpoint_header import is_head_alone


class Command(BaseCommand):
    help = (
        "Writes a model's weights (safetensors) and, beside them, what they are (JSON): the newest "
        "version for delivery, else the most accurate one, or the version that is named."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument(
            "--output",
            required=True,
            metavar="FILE.safetensors",
            help="also a pipe or device, or - for stdout: these get the weights alone",
        )
        parser.add_argument("--model", type=int, metavar="N", help="this version and no other")

    def handle(self, *args: Any, **options: Any) -> None:
        target = str(options["output"])
        try:
            beside = _description_of(target)
            campaign = campaign_of(options["slug"])
            version = _version(campaign, options["model"])
            weights = _whole(versions.read_weights(version))
            if beside:
                # The description first: wherever the weights are, it is there too.
                said = _described(campaign, version, weights)
                described = json.dumps(said, indent=2, ensure_ascii=False)
                _write(str(beside), described.encode())
            _write(target, weights)
        except (UnknownCampaignError, WeightsDamaged, StorageAway, OutputError) as error:
            raise CommandError(str(error)) from error
        # On stderr, because stdout may have the weights; unstyled, because Django's red is for
        # errors.
        self.stderr.write(
            f"Version {version.version} ({version.architecture}, {version.labels_seen} labels): "
            f"{target}{f', described in {beside.name}' if beside else ''}.",
            style_func=str,
        )


def _description_of(target: str) -> Path | None:
    """The path of the description, beside the file; None if the weights go to a stream."""
    if not is_plain_file(target):
        return None
    path = Path(target)
    if path.suffix != ".safetensors":
        raise CommandError("--output names a file that ends in .safetensors.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--output {path} cannot be written ({error.strerror}).") from error
    return path.with_suffix(".json")


def _write(target: str, data: bytes) -> None:
    with open_output(target) as file:
        file.write(data)


def _version(campaign: Campaign, number: int | None) -> ModelVersion:
    if number is None:
        version = versions.deliverable(campaign=campaign)
        if version is None:
            raise CommandError(f"{campaign.slug} has no model yet: run its engine.")
        return version
    found = ModelVersion.objects.filter(campaign=campaign, version=number).first()
    if found is None:
        raise CommandError(f"{campaign.slug} has no version {number}.")
    if not found.key:
        raise CommandError(
            f"The weights of version {number} are deleted: the newest, the most accurate and the "
            "delivered ones are kept."
        )
    return found


def _whole(weights: bytes) -> bytes:
    """A complete model: with a published, frozen backbone, the storage has the head alone."""
    if not is_head_alone(weights):
        return weights
    # Torch takes seconds to load.
    import torch

    from al_engine.architectures import MissingWeights, UnfitWeights
    from al_engine.training import checkpoint

    try:
        model, metadata = checkpoint.from_bytes(weights, device=torch.device("cpu"))
    except (MissingWeights, UnfitWeights, checkpoint.BadCheckpoint) as error:
        raise CommandError(str(error)) from error
    return checkpoint.to_bytes(
        model,
        architecture=metadata.architecture,
        image_size=metadata.image_size,
        classes=metadata.classes,
        temperature=metadata.temperature,
    )


def _described(campaign: Campaign, version: ModelVersion, weights: bytes) -> dict[str, Any]:
    return {
        "campaign": campaign.slug,
        "version": version.version,
        "role": version.role,
        "architecture": version.architecture,
        "image_size": campaign.model_image_size,
        # Output i of the network is class i of this list.
        "classes": list(campaign.choices.order_by("position").values_list("name", flat=True)),
        "temperature": version.temperature,
        "labels_seen": version.labels_seen,
        "holdout": {
            "accuracy": version.accuracy,
            "low": version.accuracy_low,
            "high": version.accuracy_high,
        },
        "audit": {
            "accuracy": version.audit_accuracy,
            "low": version.audit_low,
            "high": version.audit_high,
            "count": version.audit_count,
            "ece": version.ece,
        },
        "sha256": hashlib.sha256(weights).hexdigest(),
        "published_at": version.published_at.isoformat(),
    }
