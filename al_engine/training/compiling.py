"""Compiled networks, one for each shape, for as long as the process lives.

Compiling takes half a minute, many times as long as a training. So the first training of a shape
runs uncompiled, to publish its model soon; the second compiles, and later ones reuse the result.
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
    """One shape's network. Its weights are replaced for each training; its code is reused."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    seen: bool = False
    failed: bool = False
    network: tuple[Classifier, Forward] | None = None


_by_shape: dict[Shape, _Compiled] = {}


@contextmanager
def compiled(fresh: Classifier, shape: Shape) -> Iterator[tuple[Classifier, Forward]]:
    """The network to train, with the weights of `fresh`, and its forward pass.

    `fresh` is in training mode on its device. A compiled network is reused by later trainings, so a
    caller keeps a copy (`copy.deepcopy`). In the first training of a shape, if compiling fails, or
    while another thread trains the same shape, the network is `fresh` itself.
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
    """A compiled copy, run once forward and backward; None if compiling fails."""
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
        # A compiler may fail in any way; the training does not need it.
        log.warning("%s cannot be compiled; it trains uncompiled.", shape[0], exc_info=True)
        return None
    return model, forward
