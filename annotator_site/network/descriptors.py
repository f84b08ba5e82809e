"""The limit on open files and connections of a process."""

import logging
import resource
from contextlib import suppress

log = logging.getLogger(__name__)


def raise_limit() -> int:
    """Raise the soft limit of this process to the hard one, log it, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS reports a hard limit that it does not grant; the soft one is kept then.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    log.info("Up to %s files and connections may be open here; it was %s.", now, soft)
    return now
