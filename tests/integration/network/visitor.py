"""Somebody with a browser's habits, who comes through a proxy from an address of their own."""

import http.client
import re
import ssl
from contextlib import closing, suppress
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlencode

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from .real_proxies import Front

HOME: Final = "127.0.0.7"
PATIENCE_S: Final = 30.0
_TOKEN: Final = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


@dataclass(frozen=True)
class Answer:
    """What came back; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The page."""
        return self.body.decode()


class Visitor:
    """Keeps cookies, and sends forms as the pages have them."""

    def __init__(self, front: Front, address: str = HOME) -> None:
        self.front = front
        self.address = address
        self.cookies: dict[str, str] = {}
        self._tls = ssl.create_default_context(cafile=front.certificate)

    def ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request, whose redirect is not followed."""
        client = http.client.HTTPSConnection(
            "localhost",
            self.front.https,
            timeout=PATIENCE_S,
            context=self._tls,
            source_address=(self.address, 0),
        )
        with closing(client):
            with suppress(ConnectionError):  # it was refused before all of it was sent
                client.request(method, path, body, {**self._cookie(), **(headers or {})})
            response = client.getresponse()
            for line in response.headers.get_all("set-cookie", []):
                self.cookies |= {name: each.value for name, each in SimpleCookie(line).items()}
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, told, response.read())

    def get(self, path: str) -> Answer:
        """A page."""
        return self.ask("GET", path)

    def send(self, page: str, fields: dict[str, str], *, to: str = "", **headers: str) -> Answer:
        """Fill in a form of a page and send it `to` an address, that of the page as it stands."""
        token = _TOKEN.search(self.get(page).text)
        assert token, page
        form = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.front.origin,
            "Referer": self.front.origin + page,
        }
        body = urlencode({"csrfmiddlewaretoken": token[1], **fields})
        return self.ask("POST", to or page, body, {**form, **headers})

    def open_socket(self, path: str, origin: str = "") -> ClientConnection:
        """A WebSocket, as a page of the site opens it."""
        opened: ClientConnection = connect(
            f"wss://localhost:{self.front.https}{path}",
            ssl=self._tls,
            source_address=(self.address, 0),
            additional_headers=self._cookie(),
            origin=Origin(origin or self.front.origin),
            proxy=None,
            close_timeout=2,
        )
        return opened

    def _cookie(self) -> dict[str, str]:
        pairs = [f"{name}={value}" for name, value in self.cookies.items()]
        return {"Cookie": "; ".join(pairs)} if pairs else {}
