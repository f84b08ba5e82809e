"""Limits the number of connections that have not sent a complete request yet."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from annotator_site.network.addresses import THIS_MACHINE, network_of
from annotator_site.network.limits import UNFINISHED, UNFINISHED_OF_NETWORK

YOUNG_S: Final = 2.0
"""Younger connections are spared: when many arrive at once, they are not read at once."""


class Unfinished:
    """Makes room for new connections by aborting those that have owed a request for longest.

    So half-sent requests can exhaust neither the descriptors nor the room for new connections. A
    network at its own limit makes room among its own connections.
    """

    def __init__(
        self,
        most: int = UNFINISHED,
        of_network: int = UNFINISHED_OF_NETWORK,
        young_s: float = YOUNG_S,
    ) -> None:
        self._most = most
        self._of_network = of_network
        self._young_s = young_s
        # In order of arrival: since when, network, and the function that aborts it.
        self._waiting: dict[object, tuple[float, str, Callable[[], None]]] = {}
        # The connections of each network, in the same order.
        self._networks: dict[str, dict[object, None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, connection: object, address: str, end: Callable[[], None]) -> None:
        """This connection owes a request from now on; `end` aborts it."""
        if connection in self._waiting:
            return
        network = network_of(address)
        if network not in THIS_MACHINE and len(self._of(network)) >= self._of_network:
            self._make_room(self._of(network))
        elif len(self._waiting) >= self._most:
            self._make_room(self._waiting)
        self._waiting[connection] = monotonic(), network, end
        self._networks.setdefault(network, {})[connection] = None

    def done(self, connection: object) -> None:
        """The connection has sent its request, or is gone."""
        if connection not in self._waiting:
            return
        _, network, _ = self._waiting.pop(connection)
        ours = self._networks[network]
        del ours[connection]
        if not ours:
            del self._networks[network]

    def _of(self, network: str) -> Mapping[object, object]:
        return self._networks.get(network, {})

    def _make_room(self, among: Mapping[object, object]) -> None:
        oldest = next(iter(among))
        since, _, end = self._waiting[oldest]
        if monotonic() - since > self._young_s:
            self.done(oldest)
            end()


unfinished: Final = Unfinished()
