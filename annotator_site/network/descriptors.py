"""How many files and connections a process may have open at once."""

import logging
import resource
from contextlib import suppress

log = logging.getLogger(__name__)


def raise_limit() -> int:
    """Raise the limit of this process as far as it may be raised, say so, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS names a limit that it does not grant; the soft one is kept then.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    log.info("Up to %s files and connections may be open here; it was %s.", now, soft)
    return now
