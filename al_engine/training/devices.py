"""The device that computes, its precision and its number of threads."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Final, TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)

_PIXELS_FOR_THREADS: Final = 50_000
"""Pixels in a batch from which on more than one thread is used.

small_cnn on two threads is slower than on one up to 64 images of 24 px, and faster from 32 px on.
"""


def resolve(name: str) -> torch.device:
    """The device of a name: `auto` (CUDA, else MPS, else the CPU), `cpu`, `mps`, `cuda`, `cuda:1`.

    Raises ValueError for an unknown name and for a device that this machine lacks.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in {"cpu", "cuda", "mps"}:
        raise ValueError(
            f"There is no device named {name!r}; use auto, cpu, cuda, cuda:<number> or mps."
        )
    if device.type == "cuda":
        index, count = device.index or 0, torch.cuda.device_count()
        if index >= count:
            raise ValueError(
                f"The device {name!r} is not there: torch sees {count} CUDA devices on this "
                "machine. Use auto or cpu, or install a torch built for CUDA."
            )
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError("The device 'mps' is not there on this machine; use auto or cpu.")
    return device


def describe(device: torch.device) -> str:
    """The device in words, for logs and the live page."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    if device.type == "mps":
        return "Apple GPU (mps)"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'' if threads == 1 else 's'}"


def to_device(model: M, device: torch.device) -> M:
    """The model on the device, with its weights in channels-last layout, the fastest."""
    # torch's own annotations of `to` leave the memory format out.
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def autocast(device: torch.device) -> torch.autocast:
    """A context in which convolutions and matrix products run in bfloat16 if that is fast.

    That is so on CUDA and on CPUs with instructions for bfloat16 (AVX-512 BF16, AMX); elsewhere the
    context changes nothing. Probabilities therefore differ between devices in the third digit.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=computes_in_bfloat16(device))


@cache
def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16; without them bfloat16 would be slower."""
    if device.type == "cpu":
        found = torch.cpu.get_capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    return device.type == "cuda"


@contextmanager
def threads_for(pixels: int, device: torch.device) -> Iterator[None]:
    """A context in which a CPU uses one thread for batches too small to gain from more.

    `pixels`: those of a batch. With 4,096 pixels (64 images of 8 px) two threads take four times as
    long as one, mostly waiting for each other.
    """
    before = torch.get_num_threads()
    if device.type == "cpu" and pixels < _PIXELS_FOR_THREADS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def repeatable(device: torch.device) -> AbstractContextManager[None]:
    """A context in which a GPU uses deterministic algorithms, as a CPU does."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
