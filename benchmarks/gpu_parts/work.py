"""What a part of the benchmark is given, and what it tells."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from al_engine.training import devices

Row = dict[str, str | int | float | None]
"""A row of a table: values by the heads of its columns."""

Tell = Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Roof:
    """What the card reached: a bfloat16 product in TFLOP/s, a copy in TB/s read and written."""

    tflops: float
    terabytes: float


@dataclass(frozen=True, slots=True)
class Work:
    """`data`: a folder with the file of `sheets.py`, or None. `roof`: None until it is measured.

    `seconds`: how long the part may take; a job that takes longer is ended.
    """

    device_name: str
    toy: bool
    data: Path | None
    roof: Roof | None
    seconds: float

    @property
    def device(self) -> torch.device:
        """The device that the engine chooses for the name."""
        return devices.resolve(self.device_name)

    def share_of_product(self, flops_a_second: float) -> float | None:
        """Percent of the measured product."""
        return None if self.roof is None else 100 * flops_a_second / self.roof.tflops / 1e12

    def share_of_copy(self, bytes_a_second: float) -> float | None:
        """Percent of the measured copy."""
        return None if self.roof is None else 100 * bytes_a_second / self.roof.terabytes / 1e12


Job = Callable[[Work, Tell], None]


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the report: jobs that run at the same time, `seconds` at most.

    `said`: what was measured, in sentences.
    """

    name: str
    title: str
    said: str
    seconds: float
    jobs: tuple[Job, ...]
