"""`export_model`: weights that another program can load, and what they are."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from django.core.management import CommandError, call_command
from engine.roles import publish_model
from safetensors.torch import save_file
from stock import make_campaign

from al_engine import architectures
from al_engine.pools import versions
from al_engine.pools.models import Campaign, ModelVersion
from al_engine.training import backbones, checkpoint
from al_engine.training.devices import resolve


@pytest.fixture
def campaign(transactional_db: None) -> Campaign:
    """A campaign with two versions."""
    made = make_campaign(image_size=16)
    for seed in (1, 2):
        publish_model(made, seed=seed)
    ModelVersion.objects.filter(version=1).update(accuracy=0.9)
    ModelVersion.objects.filter(version=2).update(accuracy=0.8)
    return made


def test_the_most_accurate_model_comes_out_whole_with_its_description(
    campaign: Campaign, tmp_path: Path
) -> None:
    output = tmp_path / "new" / "model.safetensors"
    call_command("export_model", campaign.slug, output=output)
    model, metadata = checkpoint.from_bytes(output.read_bytes(), device=resolve("cpu"))
    said = json.loads(output.with_suffix(".json").read_text())
    assert (said["version"], said["holdout"]["accuracy"]) == (1, 0.9)
    assert said["classes"] == ["cat", "dog"]
    assert model.classes == 2
    assert metadata.classes == list(campaign.choices.values_list("id", flat=True))
    assert sorted(each.name for each in output.parent.iterdir()) == [
        "model.json",
        "model.safetensors",
    ]


def test_a_version_can_be_named(campaign: Campaign, tmp_path: Path) -> None:
    output = tmp_path / "model.safetensors"
    call_command("export_model", campaign.slug, output=output, model=2)
    assert output.read_bytes() == versions.read_weights(ModelVersion.objects.get(version=2))
    with pytest.raises(CommandError, match="has no version 9"):
        call_command("export_model", campaign.slug, output=output, model=9)


def test_a_model_on_a_published_backbone_comes_out_whole(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(backbones, "_built", {})
    drawn = architectures.build("resnet18", classes=2, image_size=224).backbone
    save_file(drawn.state_dict(), folder / "resnet18.safetensors")
    stored = publish_model(campaign, seed=3, architecture="probe:resnet18")
    assert stored.size < 10_000
    output = tmp_path / "model.safetensors"
    call_command("export_model", campaign.slug, output=output, model=stored.version)
    (folder / "resnet18.safetensors").unlink()
    monkeypatch.setattr(backbones, "_built", {})
    model, metadata = checkpoint.from_bytes(output.read_bytes(), device=resolve("cpu"))
    assert metadata.backbone is None
    assert all(
        torch.equal(one, other)
        for one, other in zip(model.backbone.parameters(), drawn.parameters(), strict=True)
    )
    said = json.loads(output.with_suffix(".json").read_text())
    assert said["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()


def test_what_cannot_be_written_says_why(campaign: Campaign, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"ends in \.safetensors"):
        call_command("export_model", campaign.slug, output=tmp_path / "model.pt")
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_model", campaign.slug, output=tmp_path / "file" / "m.safetensors")
    with pytest.raises(CommandError, match="no model yet"):
        call_command("export_model", make_campaign().slug, output=tmp_path / "model.safetensors")


def test_deleted_weights_are_named(campaign: Campaign, tmp_path: Path) -> None:
    ModelVersion.objects.filter(version=2).update(key="")
    with pytest.raises(CommandError, match="weights of version 2 are deleted"):
        call_command("export_model", campaign.slug, output=tmp_path / "m.safetensors", model=2)
