"""Signed addresses of objects in a private S3 bucket (AWS Signature Version 4, in the query).

Pure, and not made by the usual library: it signs the time of the call, so that no two addresses of
an image would be equal and no browser could cache it, and it takes a hundred times as long, on the
labeling path.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlsplit

EXPIRES_SECONDS: Final = 7 * 24 * 3600
"""The most that S3 allows. Counted from midnight UTC, so addresses last at least six days."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials that sign; with a token if they are temporary."""

    access_key: str
    secret_key: str
    token: str | None = None


def endpoint_of(*, bucket: str, region: str, endpoint: str | None) -> str:
    """The base address of a bucket's objects, without a slash at its end."""
    if endpoint:
        return f"{endpoint.rstrip('/')}/{bucket}"
    if "." in bucket:  # its name would not fit the certificate
        return f"https://s3.{region}.amazonaws.com/{bucket}"
    return f"https://{bucket}.s3.{region}.amazonaws.com"


def origins(storage: Mapping[str, Any]) -> list[str]:
    """Origins besides the site's own from which browsers fetch images, by the storage's setting."""
    options = storage["OPTIONS"]
    if "bucket_name" not in options:
        return []
    parts = urlsplit(
        endpoint_of(
            bucket=options["bucket_name"],
            region=options["region_name"],
            endpoint=options["endpoint_url"],
        )
    )
    return [f"{parts.scheme}://{parts.netloc}"]


def signed_address(base: str, key: str, *, region: str, keys: Keys, now: datetime) -> str:
    """The address of an object, the same all day (UTC). `base`: see `endpoint_of`."""
    day = now.astimezone(UTC).strftime("%Y%m%d")
    scope = f"{day}/{region}/s3/aws4_request"
    began = f"{day}T000000Z"
    parts = urlsplit(base)
    path = f"{parts.path}/{quote(key, safe='/-_.~')}"
    fields = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": began,
        "X-Amz-Expires": str(EXPIRES_SECONDS),
        # Sorted by name, as the signature requires.
        **({"X-Amz-Security-Token": keys.token} if keys.token else {}),
        "X-Amz-SignedHeaders": "host",
    }
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in fields.items())
    request = f"GET\n{path}\n{query}\nhost:{_host(base)}\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(request.encode()).hexdigest()
    words = f"AWS4-HMAC-SHA256\n{began}\n{scope}\n{digest}"
    signature = _hmac(_signing_key(keys.secret_key, day, region), words).hex()
    return f"{parts.scheme}://{parts.netloc}{path}?{query}&X-Amz-Signature={signature}"


def _host(base: str) -> str:
    """The Host header as browsers send it: without a default port."""
    parts = urlsplit(base)
    usual = {"http": 80, "https": 443}[parts.scheme]
    host = parts.hostname or ""
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"


@lru_cache(maxsize=4)
def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, words: str) -> bytes:
    return hmac.digest(key, words.encode(), "sha256")
