"""Floods: what somebody may send over a WebSocket again and again, and the handshake before it."""

import base64
import json

MASK = b"\x00\x00\x00\x00"


def frame(first: int, payload: bytes = b"", *, masked: bool = True) -> bytes:
    """A frame with this first byte."""
    mask = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 65_536:
        head = bytes((first, mask | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, mask | 127)) + size.to_bytes(8, "big")
    return head + (MASK if masked else b"") + payload


def text(message: object) -> bytes:
    """A message as JSON."""
    return frame(0x81, json.dumps(message).encode())


LABEL = {"type": "label", "id": "6f0c1cf2-51fb-4f3d-8f54-9b3c5a6f0a11", "query": 1, "choice": 1}
FLOODS = {
    "empty texts": frame(0x81),
    "rubbish": frame(0x81, b"{]"),
    "no UTF-8": frame(0x81, b"\xff\xfe"),
    "empty binaries": frame(0x82),
    "binaries": frame(0x82, b"x" * 100),
    "fragments": frame(0x01) + frame(0x00) * 9 + frame(0x80),
    "a message without an end": frame(0x01) + frame(0x00, b"x" * 10) * 20,
    "pings": frame(0x89),
    "full pings": frame(0x89, b"x" * 125),
    "pongs": frame(0x8A),
    "oversized": frame(0x81, b"x" * 17_000),
    "beyond all size": frame(0x81, b"x" * 200_000),
    "no masks": frame(0x81, b"x", masked=False),
    "reserved": frame(0x83),
    "closes": frame(0x88),
    "answers": text({**LABEL, "shown_ms": 1}),
    "readies": text({"type": "ready", "buffer": 20, "resume": None}),
}
"""By name: frames to send again and again."""


def handshake(port: int, path: str = "/ws/campaigns/no-such/label/", token: str = "") -> bytes:
    """A browser's, or with a token a program's."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: localhost:{port}",
        f"Origin: http://localhost:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        *([f"Authorization: Token {token}"] if token else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()
