"""Addresses in a bucket are those that S3's own library would sign, and the same all day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from django.core.exceptions import ImproperlyConfigured

from annotator_site import environment
from annotator_site.images.object_addresses import (
    EXPIRES_SECONDS,
    Keys,
    endpoint_of,
    origins,
    signed_address,
)

NOON = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
KEY = "images/1/ab/ab12.webp"


def signed_by_their_library(monkeypatch: pytest.MonkeyPatch, url: str, keys: Keys) -> str:
    from botocore import auth

    monkeypatch.setattr(
        auth, "get_current_datetime", lambda: NOON.replace(tzinfo=None, hour=0, minute=0)
    )
    request = AWSRequest(method="GET", url=url)
    signer = auth.S3SigV4QueryAuth(
        Credentials(keys.access_key, keys.secret_key, keys.token), "s3", "eu-central-1",
        expires=EXPIRES_SECONDS,
    )  # fmt: skip
    signer.add_auth(request)
    signed: str = request.prepare().url
    return signed


@pytest.mark.parametrize("token", [None, "lent/for+hours=="])
@pytest.mark.parametrize("key", [KEY, "a folder/ä~b+c.png"])
@pytest.mark.parametrize(
    ("bucket", "endpoint"),
    [
        ("pictures", None),
        ("pic.tures", None),
        ("pictures", "https://s3.example.org"),
        ("pictures", "https://s3.example.org:443/"),
        ("pictures", "http://127.0.0.1:9000"),
    ],
)
def test_the_signature_is_that_of_their_library(
    monkeypatch: pytest.MonkeyPatch, bucket: str, endpoint: str | None, key: str, token: str | None
) -> None:
    keys = Keys("AKIAEXAMPLE", "secret/+example", token)
    base = endpoint_of(bucket=bucket, region="eu-central-1", endpoint=endpoint)
    ours = urlsplit(signed_address(base, key, region="eu-central-1", keys=keys, now=NOON))
    plain = f"{ours.scheme}://{ours.netloc}{ours.path}"
    theirs = urlsplit(signed_by_their_library(monkeypatch, plain, keys))
    assert dict(parse_qsl(ours.query)) == dict(parse_qsl(theirs.query))
    assert ours.path == theirs.path


def test_an_address_is_the_same_all_day() -> None:
    def at(moment: datetime) -> str:
        return signed_address(
            "https://x.example", KEY, region="eu-central-1", keys=Keys("a", "b"), now=moment
        )

    midnight = NOON.replace(hour=0, minute=0)
    day = timedelta(days=1)
    assert at(midnight) == at(NOON) == at(midnight + day - timedelta(seconds=1))
    assert at(midnight + day) != at(midnight)


@pytest.mark.parametrize(
    ("url", "options", "origin"),
    [
        (
            "s3://pictures?region=eu-central-1",
            {"location": "", "endpoint_url": None, "region_name": "eu-central-1"},
            "https://pictures.s3.eu-central-1.amazonaws.com",
        ),
        (
            "s3://pictures/labels/a/?endpoint=http://10.0.0.7:9000",
            {"location": "labels/a", "endpoint_url": "http://10.0.0.7:9000",
             "region_name": "us-east-1"},
            "http://10.0.0.7:9000",
        ),
    ],
)  # fmt: skip
def test_a_storage_url_names_bucket_prefix_region_and_endpoint(
    tmp_path: Path, url: str, options: dict[str, Any], origin: str
) -> None:
    storage = environment.storage(url, tmp_path)
    assert storage["OPTIONS"] == {"bucket_name": "pictures", **options}
    assert origins(storage) == [origin]
    assert origins(environment.storage(None, tmp_path)) == []


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("gs://pictures", "has the scheme 'gs'"),
        ("pictures", "has the scheme 'none'"),
        ("s3://AKIA:hidden@pictures?region=eu-central-1", "holds keys"),
        ("s3:///prefix?region=eu-central-1", "names no bucket"),
        ("s3://Pictures?region=eu-central-1", "names no bucket"),
        ("s3://pictures", "says no region"),
        ("s3://pictures?region=eu central", "says no region"),
        ("s3://pictures?region=eu-central-1&acl=public", "unknown: acl"),
        ("s3://pictures?endpoint=s3.example.org", "no address of a server"),
        ("s3://pictures?endpoint=https://a.example; script-src *", "no address of a server"),
    ],
)
def test_a_storage_url_that_cannot_be_meant_is_refused_with_an_example(
    tmp_path: Path, url: str, cause: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=cause) as refusal:
        environment.storage(url, tmp_path)
    assert environment.EXAMPLE_STORAGE_URL in str(refusal.value)
    assert "hidden" not in str(refusal.value)
