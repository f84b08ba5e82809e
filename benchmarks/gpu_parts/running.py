"""Jobs in processes of their own: what they tell is heard at once, and at the limit they end.

A process that is killed, or a card that an error left unusable for its process, costs that part
alone. Processes are forked, so that torch is imported once; the parent never uses the card, which
could not be used after a fork.
"""

import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Final

import torch

from benchmarks.gpu_parts.work import Job, Row, Work

MOST_THREADS: Final = 4
"""The most threads that a role of the engine uses."""
_GRACE_S: Final = 3.0
_FRAMES: Final = 6

_processes = get_context("fork")


def run_jobs(jobs: tuple[Job, ...], work: Work, heard: Callable[[Row], None]) -> list[str]:
    """Run the jobs at the same time, `work.seconds` at most; returns what went wrong.

    `heard` gets each row as it is told.
    """
    deadline = time.monotonic() + work.seconds
    running = [_start(job, work) for job in jobs]
    waiting, problems = [receiver for _, receiver in running], list[str]()
    while waiting:
        left = deadline - time.monotonic()
        ready = wait(waiting, left) if left > 0 else []
        if not ready:
            problems.append(f"ended at its limit of {work.seconds:.0f} s")
            break
        for receiver in waiting[:]:
            if receiver in ready and not _hear(receiver, heard, problems):
                waiting.remove(receiver)
    for process, receiver in running:
        ended = receiver not in waiting
        process.join(_GRACE_S if ended else 0)
        code = process.exitcode
        if ended and code:
            problems.append(f"its process ended with code {code}")
        _end(process)
        process.join()
        receiver.close()
    return problems


def _start(job: Job, work: Work) -> tuple[ForkProcess, Connection]:
    receiver, sender = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_act, args=(job, work, sender))
    process.start()
    sender.close()
    return process, receiver


def _act(job: Job, work: Work, sender: Connection) -> None:
    """In the new process; a string is an error."""
    os.setsid()  # compilers start processes, which end with this one
    torch.set_num_threads(1 if work.toy else max(1, min(MOST_THREADS, os.cpu_count() or 1)))
    try:
        job(work, sender.send)
    except Exception:  # whatever it is, the other parts go on
        sender.send(traceback.format_exc(limit=-_FRAMES))


def _hear(receiver: Connection, heard: Callable[[Row], None], problems: list[str]) -> bool:
    """One message; False where there will be none any more."""
    try:
        told = receiver.recv()
    except EOFError:
        return False
    if isinstance(told, dict):
        heard(told)
    else:
        problems.append(str(told))
    return True


def _end(process: ForkProcess) -> None:
    """End a job's process and all that it started."""
    process.kill()  # it may not have a session of its own yet
    with suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)
