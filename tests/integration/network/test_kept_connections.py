"""A connection that goes on after an answer counts as its own network's, as it did before."""

import json
import sys
from contextlib import closing

import pytest

from annotator_site.network.addresses import network_of

from .conftest import ask, call

TOLD_AT = "/networks-that-owe-a-request"  # of hasty_site.py
ASKED = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one address of their own")


@pytest.mark.parametrize("path", ["/nothing/here", "/accounts/login/?next=/admin/"])
@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.7.1"])
def test_it_is_its_own_networks_after_each_answer(port: int, path: str, source: str) -> None:
    with closing(call(port, source=source)) as connection:
        for _ in range(2):
            connection.sendall(ASKED.format(path).encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65_536)
            head, _, body = answer.partition(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            while len(body) < length:
                body += connection.recv(65_536)
        status, told = ask(port, TOLD_AT, {})
        assert status == 200
        assert network_of(source) in json.loads(told)
        assert {network_of(source), network_of("127.0.0.1")} >= set(json.loads(told))
