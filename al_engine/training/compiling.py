"""Compiled networks, one for each shape, for as long as the process lives.

Compiling takes half a minute, many times what a training takes. So the first training of a shape
runs as it is, and its model is out soon; the second one compiles, and all later ones profit.
"""

import copy
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from al_engine.architectures import Classifier
from al_engine.training.devices import autocast

log = logging.getLogger(__name__)

BACKEND: Final = "inductor"

Shape = tuple[str, int, int, int, torch.device]
"""Architecture, classes, image size, batch size, device."""

Forward = Callable[[Tensor], Tensor]


@dataclass(slots=True)
class _Compiled:
    """One shape's network. Its weights are replaced for each training; its code stays."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    seen: bool = False
    failed: bool = False
    network: tuple[Classifier, Forward] | None = None


_by_shape: dict[Shape, _Compiled] = {}


@contextmanager
def compiled(fresh: Classifier, shape: Shape) -> Iterator[tuple[Classifier, Forward]]:
    """The network to train, with the weights of `fresh`, and its forward pass.

    `fresh` is in training mode on its device. The network may belong to later trainings too: a
    caller takes a copy of it (`copy.deepcopy`) for itself. Where compiling fails, or another
    thread trains the same shape, it is `fresh` itself.
    """
    here = _by_shape.setdefault(shape, _Compiled())
    if not here.lock.acquire(blocking=False):
        yield fresh, fresh
        return
    try:
        if here.seen and not here.failed and here.network is None:
            here.network = _compile(fresh, shape)
            here.failed = here.network is None
        here.seen = True
        if here.network is None:
            yield fresh, fresh
            return
        model, forward = here.network
        model.load_state_dict(fresh.state_dict())
        model.zero_grad(set_to_none=True)
        yield model.train(), forward
    finally:
        here.lock.release()


def _compile(fresh: Classifier, shape: Shape) -> tuple[Classifier, Forward] | None:
    """A compiled copy, run once forwards and backwards; None where that cannot be done."""
    _, _, image_size, batch_size, device = shape
    model = copy.deepcopy(fresh)
    forward: Forward = torch.compile(model, dynamic=False, backend=BACKEND)
    batch = torch.zeros(batch_size, 3, image_size, image_size, device=device)
    batch = batch.contiguous(memory_format=torch.channels_last)
    try:
        with autocast(device):
            logits = forward(batch)
        torch.autograd.backward(logits.float().sum())
    except Exception:
        # Whatever a compiler fails for, the training itself does not need it.
        log.warning("%s cannot be compiled; it trains uncompiled.", shape[0], exc_info=True)
        return None
    return model, forward
