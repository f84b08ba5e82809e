"""Files of timm's hub, in a bounded time: a hub that answers slowly must not hold up a training."""

import errno
import logging
import os
import threading
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Final

# How long a training waits for a file. The download itself goes on, so that the file of a slow
# connection is there for a later training.
WAIT_SECONDS: Final = 60.0
_ATTEMPTS: Final = 3

_downloads: dict[tuple[str, str], Future[str]] = {}
_lock = threading.Lock()


class HubUnreachable(Exception):
    """A file could not be fetched; the message is a sentence that says why."""


def download(repository: str, file: str, *, wait_s: float | None = None) -> Path:
    """The path of a file of the hub, from its cache on this machine where it is there.

    Waits for `wait_s` seconds at most (None: `WAIT_SECONDS`); HF_ENDPOINT names another hub. Raises
    HubUnreachable.
    """
    limit = WAIT_SECONDS if wait_s is None else wait_s
    # Takes half a second to import, and only networks of timm need it.
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repository, file)
    if isinstance(cached, str):
        return Path(cached)
    with _lock:
        running = _downloads.get((repository, file))
        if running is None:
            running = _downloads[repository, file] = _start(repository, file)
    wait([running], timeout=limit)
    if not running.done():
        raise HubUnreachable(
            f"{_endpoint()} did not send {file} of {repository} within {limit:.0f} s."
        )
    with _lock:
        _downloads.pop((repository, file), None)
    if (error := running.exception()) is not None:
        # The library's own error advises; what it stumbled over is its cause.
        cause = error.__cause__ or error
        said = str(cause).strip().splitlines() or [type(cause).__name__]
        raise HubUnreachable(f"{_endpoint()} did not give {file} of {repository} ({said[0]}).")
    return Path(running.result())


def _start(repository: str, file: str) -> Future[str]:
    """Fetch a file in a thread that does not keep the process alive."""
    made: Future[str] = Future()

    def fetch() -> None:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()
        # Its warnings of each new attempt: what comes of them all is told once.
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
        for left in reversed(range(_ATTEMPTS)):
            try:
                made.set_result(hf_hub_download(repository, file, endpoint=_endpoint()))
            except Exception as error:  # handed to the caller, whatever it is
                if left and _is_closed_by_another(error):
                    continue
                made.set_exception(error)
            return

    threading.Thread(target=fetch, name=f"download {repository}", daemon=True).start()
    return made


def _is_closed_by_another(error: BaseException) -> bool:
    """Whether another download ended this one.

    All share the library's connections, which it closes when one download loses its own.
    """
    said = f"{error} {error.__cause__}"
    return os.strerror(errno.EBADF) in said or "client has been closed" in said


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
