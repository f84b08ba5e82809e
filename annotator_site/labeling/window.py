"""What the desk saw since its last sample: answers and waits."""

from al_engine.pools import waits


class Window:
    """Counts of a few seconds."""

    __slots__ = ("answers", "began", "dry", "waits")

    def __init__(self, now: float) -> None:
        self.began = now
        self.answers = 0
        # Waits that began with an empty buffer.
        self.dry = 0
        self.waits = [0] * waits.BUCKETS

    def waited(self, wait_ms: float) -> None:
        """A person had their next query after `wait_ms`; 0: it was there before."""
        self.waits[waits.bucket_of(wait_ms)] += 1
