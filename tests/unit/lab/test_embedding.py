"""Embedding a data set: each image once, in whatever way the process before was ended."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pictures import write_zip
from stored_data import indexed, loaded, write_npz
from torch import nn

from al_engine.architectures import Classifier
from al_lab import embed_command
from al_lab.data import embedding
from al_lab.data.datasets import DataSet, NoData

CPU = torch.device("cpu")
SIDE = 8


def backbone(shade: float = 1.0) -> Classifier:
    """A frozen backbone whose first number is how bright an image is."""
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
    layer = network[2]
    assert isinstance(layer, nn.Linear)
    nn.init.constant_(layer.weight, shade)
    nn.init.zeros_(layer.bias)
    model = Classifier(network, width=4, classes=1, smallest_side=SIDE)
    model.freeze_backbone()
    return model.eval()


def embedded(
    source: Path, told: Callable[[int, int], None] = lambda *_: None, shade: float = 1.0
) -> tuple[str, ...]:
    return embedding.embed(
        str(source),
        source.with_name("x.safetensors"),
        model=backbone(shade),
        backbone="tiny",
        device=CPU,
        told=told,
    )


def read(folder: Path) -> DataSet:
    return loaded(folder, "x.safetensors", image_size=0)


class Killed(BaseException):
    pass


def test_features_are_those_of_the_images_in_their_parts(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "gray.npz", train=40, test=10)
    seen: list[tuple[int, int]] = []
    assert embedded(path, lambda *told: seen.append(told)) == ()
    images, data_set = loaded(tmp_path, "gray.npz"), read(tmp_path)
    assert seen == [(32, 50), (40, 50), (50, 50)]
    assert data_set.classes == images.classes
    assert torch.equal(data_set.train.truth, images.train.truth)
    assert torch.equal(data_set.test.original, images.test.original)
    features = data_set.train.features
    assert features is not None
    # The shade of an image is its row.
    assert bool((features[1:, 0] > features[:-1, 0]).all())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["gray.npz", "x.safetensors"]


def test_who_is_killed_is_gone_on_from(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "gray.npz", train=100, test=10)
    embedded(path)
    whole = read(tmp_path).train.features
    assert whole is not None
    (tmp_path / "x.safetensors").unlink()

    def die(done: int, _: int) -> None:
        if done >= 64:
            raise Killed

    with pytest.raises(Killed):
        embedded(path, die)
    # A row of which only the embedding was written.
    with (tmp_path / ".x.safetensors.rows" / "train_features").open("ab") as file:
        file.write(b"12345678")
    seen: list[int] = []
    embedded(path, lambda done, _: seen.append(done))
    assert seen == [96, 100, 110]
    assert torch.equal(read(tmp_path).train.features, whole)  # type: ignore[arg-type]


def test_rows_of_another_backbone_are_not_mixed_in(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "gray.npz")

    def die(*_: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        embedded(path, die)
    with pytest.raises(NoData, match=r"another data set or backbone: delete it"):
        embedded(path, shade=2.0)


def test_an_image_that_cannot_be_read_is_left_out_and_said(tmp_path: Path) -> None:
    files = indexed(train=6, test=4)
    files["pets/train/cat/2.png"] = b"no picture"
    path = write_zip(tmp_path / "pets.zip", files)
    (note,) = embedded(path)
    assert note.endswith("1 train images cannot be read.")
    assert sorted(read(tmp_path).train.original.tolist()) == [0, 1, 3, 4, 5]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"out": Path("x.npz")}, "does not end with .safetensors"),
        ({"backbone": "small_cnn"}, "small_cnn learns; embeddings are by a frozen backbone"),
        ({"backbone": "probe:resnet19"}, "resnet19"),
    ],
)
def test_what_cannot_be_done_is_said(
    change: dict[str, object], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"data": "gray.npz", "out": tmp_path / "x.safetensors", "device": "cpu"}
    more = {"backbone": "probe:resnet18", "weights": None, "threads": 1}
    assert embed_command.run(argparse.Namespace(**given | more | change)) == 1
    assert words in capsys.readouterr().err
