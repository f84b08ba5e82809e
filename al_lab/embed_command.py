"""`python -m al_lab embed`: the images of a data set become a feature file for experiments."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from al_lab.runs.progress import duration
from al_lab.runs.session import say

NAME: Final = "embed"
_LINE_SECONDS: Final = 10.0


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit status. Messages for people go to stderr."""
    parser = argparse.ArgumentParser(
        prog=f"python -m al_lab {NAME}",
        description="Embeds the images of a data set by a frozen backbone into a feature file, "
        "which an experiment names as data.name. Goes on where it was stopped.",
    )
    add = parser.add_argument
    add("--data", required=True, metavar="FILE", help="a file or folder, or a library's data set")
    add("--backbone", default="frozen:tf_efficientnet_lite0", help="frozen:NAME or probe:NAME")
    add("--weights", type=Path, metavar="FILE", help="safetensors; else the published ones")
    add("--out", type=Path, required=True, metavar="NAME.safetensors", help="the feature file")
    add("--device", default="auto", help="auto, cpu, cuda, mps or cuda:1")
    add("--threads", type=int, metavar="N", help="else as many as there are cores")
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """0: the feature file is there; 1: something is wrong; 130: stopped by Ctrl-C."""
    import torch

    from al_engine.architectures import MissingWeights, UnfitWeights, UnknownArchitecture
    from al_engine.training import devices
    from al_lab.data import embedding, features
    from al_lab.data.files import NoData

    out: Path = options.out
    if out.suffix != features.SUFFIX or out.exists():
        why = "is there" if out.exists() else f"does not end with {features.SUFFIX}"
        say(f"--out: {out} {why}; choose another name.")
        return 1
    if options.threads is not None:
        torch.set_num_threads(max(1, options.threads))
    try:
        device = devices.resolve(options.device)
        model = embedding.backbone_of(options.backbone, options.weights)
        notes = embedding.embed(
            options.data,
            out,
            model=model,
            backbone=options.backbone,
            device=device,
            told=_Teller().tell,
        )
    except (NoData, MissingWeights, UnfitWeights, UnknownArchitecture, ValueError) as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"{error}. Make room or choose another --out; the same command goes on from here.")
        return 1
    except KeyboardInterrupt:
        say("Stopped. The same command goes on from here.")
        return 130
    for note in notes:
        say(note)
    print(out)
    return 0


class _Teller:
    """Says now and then how many images are done, and how long the rest will take."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None
        self._said = time.monotonic()

    def tell(self, done: int, total: int) -> None:
        """`done` of `total` images are embedded."""
        now = time.monotonic()
        if self._began is None:
            self._began = now, done
        began, before = self._began
        if now - self._said < _LINE_SECONDS and done < total:
            return
        self._said = now
        left = (now - began) * (total - done) / max(done - before, 1)
        rest = f", about {duration(left)} left" if done < total else ""
        print(f"{done:,} of {total:,} images embedded{rest}", file=sys.stderr, flush=True)
