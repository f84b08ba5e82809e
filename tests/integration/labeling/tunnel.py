"""A way to a web process that can go dark, as a network does: nothing passes, nobody hangs up."""

import select
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

_LOOK_S: Final = 0.05


class Tunnel:
    """Passes one TCP connection on to a site, until it goes dark."""

    def __init__(self, site: str) -> None:
        parts = urlsplit(site)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._there = ("127.0.0.1", parts.port or 80)
        self._dark = threading.Event()
        self._end = threading.Event()
        # The site hung up on its side.
        self.given_up = threading.Event()
        self._thread = threading.Thread(target=self._carry)

    @property
    def address(self) -> str:
        """The base URL of the site through this tunnel."""
        return f"http://localhost:{self._listener.getsockname()[1]}"

    def go_dark(self) -> None:
        """From now on nothing passes, in neither direction; both ends stay open."""
        self._dark.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()
        self._listener.close()

    def _carry(self) -> None:
        while not self._end.is_set():
            if not select.select([self._listener], [], [], _LOOK_S)[0]:
                continue
            here, _ = self._listener.accept()
            with here, socket.create_connection(self._there) as there, suppress(OSError):
                self._pass_on(here, there)
                self._wait_for_the_end_of(there)

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        other = {here: there, there: here}
        while not self._dark.is_set() and not self._end.is_set():
            for ready in select.select(list(other), [], [], _LOOK_S)[0]:
                if self._dark.is_set():
                    return
                data = ready.recv(65_536)
                if not data:
                    return
                other[ready].sendall(data)

    def _wait_for_the_end_of(self, there: socket.socket) -> None:
        """Take in what the site sends and tell nobody, until it hangs up."""
        while not self._end.is_set():
            if select.select([there], [], [], _LOOK_S)[0] and not self._reads(there):
                self.given_up.set()
                return

    @staticmethod
    def _reads(there: socket.socket) -> bool:
        try:
            return bool(there.recv(65_536))
        except OSError:  # hung up without a word
            return False
