"""Images and weights in a bucket, by a server that speaks S3 over HTTP on this machine."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import numpy as np
import pytest
from boto3.exceptions import RetriesExceededError, S3UploadFailedError
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pictures import picture, write_folder
from pytest_django import Settings
from stock import make_campaign

from al_engine.pools import storage as stored
from al_engine.pools import versions
from al_engine.pools.models import EngineProcess, Image
from al_engine.pools.storage import FileGone, StorageAway
from al_engine.pools.versions import Publication
from al_engine.roles.campaign_images import CampaignImages
from annotator_site import environment, object_storage
from annotator_site.images import addresses
from annotator_site.importing.image_import import import_images
from annotator_site.object_storage import ObjectStorage

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0
pytestmark = [
    # Beside Django's own: what their library says of its future.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:boto3"),
]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that speaks S3."""
    log = tmp_path_factory.mktemp("s3") / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address_in(log, process)
    finally:
        process.terminate()
        process.wait(timeout=15)


def _address_in(log: Path, process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            _, found, address = line.partition("Running on ")
            if found:
                return address.strip()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
    pytest.fail(f"the server does not answer:\n{log.read_text()[-2000:]}")


@pytest.fixture
def url(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The STORAGE_URL of a bucket of its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bucket = f"pictures-{os.getpid()}-{time.monotonic_ns()}"
    boto3.client("s3", endpoint_url=endpoint, region_name="eu-central-1").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return f"s3://{bucket}/labels?endpoint={endpoint}&region=eu-central-1"


def storage_at(url: str) -> ObjectStorage:
    return ObjectStorage(**environment.storage(url, Path())["OPTIONS"])


@pytest.fixture
def storage(url: str) -> ObjectStorage:
    return storage_at(url)


@pytest.fixture
def in_bucket(url: str, settings: Settings) -> Iterator[None]:
    """All of the site and the engine use the bucket."""
    settings.STORAGES = {**settings.STORAGES, "default": environment.storage(url, Path())}
    addresses._storage_signs.cache_clear()
    yield
    addresses._storage_signs.cache_clear()


def get(url: str) -> tuple[int, dict[str, str], bytes]:
    """What a browser is answered."""
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=15)) as server:
        server.request("GET", f"{parts.path}?{parts.query}")
        answer = server.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def test_an_object_is_a_file_to_whoever_uses_it(storage: ObjectStorage) -> None:
    assert not storage.exists("a/b.png")
    for ask in (storage.size, storage.open):
        with pytest.raises(FileNotFoundError):
            ask("a/b.png")
    assert storage.save("a/b.png", ContentFile(b"12345")) == "a/b.png"
    with storage.open("a/b.png", "rb") as file:
        assert file.read() == b"12345"
    assert (storage.size("a/b.png"), storage.exists("a/b.png")) == (5, True)
    other = storage.save("a/b.png", ContentFile(b"6"))
    assert other != "a/b.png", "the weights of two versions never share a name"
    assert storage.listdir("a") == ([], sorted(["b.png", other.removeprefix("a/")]))
    for _ in range(2):
        storage.delete("a/b.png")
    assert not storage.exists("a/b.png")


@pytest.mark.parametrize(
    ("format_", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")]
)
def test_a_browser_gets_an_image_from_the_bucket_and_keeps_it(
    storage: ObjectStorage, format_: str, extension: str
) -> None:
    data = picture(format_)
    key = storage.save(f"images/1/ab/ab.{extension}", ContentFile(data))
    status, headers, body = get(storage.signed_url(key))
    assert (status, body) == (200, data)
    assert headers["content-type"] == f"image/{format_.lower()}"
    assert headers["cache-control"] == "private, max-age=604800, immutable"


def test_every_failure_is_that_of_a_file(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = storage_at(url.replace("s3://pictures", "s3://others"))
    with pytest.raises(OSError, match="NoSuchBucket"):
        nowhere.save("a.png", ContentFile(b"1"))
    silent = storage_at("s3://pictures?endpoint=http://127.0.0.1:1")
    with pytest.raises(OSError, match="does not answer"):
        silent.size("a.png")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
        keyless = storage_at(url)
        with pytest.raises(OSError, match="set AWS_ACCESS_KEY_ID"):
            keyless.save("a.png", ContentFile(b"1"))
        with pytest.raises(OSError, match="set AWS_ACCESS_KEY_ID"):
            keyless.signed_url("a.png")


REFUSALS = [
    "AccessDenied", "AllAccessDisabled", "ExpiredToken", "InternalError", "InvalidAccessKeyId",
    "InvalidObjectState", "NoSuchBucket", "OperationAborted", "PermanentRedirect",
    "RequestTimeTooSkewed", "RequestTimeout", "ServiceUnavailable", "SignatureDoesNotMatch",
    "SlowDown", "500", "502", "503", "403", "400", "301", "429", "",
]  # fmt: skip
FAILURES = [
    *[ClientError({"Error": {"Code": code}}, "GetObject") for code in REFUSALS],
    EndpointConnectionError(endpoint_url="http://x"),
    ConnectTimeoutError(endpoint_url="http://x"),
    ReadTimeoutError(endpoint_url="http://x"),
    ConnectionClosedError(endpoint_url="http://x"),
    ProxyConnectionError(proxy_url="http://x"),
    SSLError(endpoint_url="http://x", error="x"),
    HTTPClientError(error="x"),
    ResponseStreamingError(error="x"),
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
    NoCredentialsError(),
    PartialCredentialsError(provider="x", cred_var="x"),
    CredentialRetrievalError(provider="x", error_msg="x"),
    RetriesExceededError(last_exception=None),
    S3UploadFailedError("x"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
def test_only_the_words_for_a_missing_object_say_that_it_is(failure: Exception) -> None:
    with pytest.raises(OSError) as caught, object_storage._as_files("a.png"):  # noqa: PT011
        raise failure
    assert not isinstance(caught.value, FileNotFoundError)
    for code in ("404", "NoSuchKey", "NotFound"):
        with pytest.raises(FileNotFoundError), object_storage._as_files("a.png"):
            raise ClientError({"Error": {"Code": code}}, "HeadObject")


@pytest.mark.django_db(transaction=True)
def test_an_object_is_gone_only_while_its_bucket_is_there(
    in_bucket: None, url: str, endpoint: str, tmp_path: Path
) -> None:
    campaign = make_campaign()
    import_images(
        campaign=campaign,
        source=write_folder(tmp_path, {f"{n}.png": picture(shade=n) for n in range(3)}),
    )
    first = Image.objects.order_by("pk")[0]
    default_storage.delete(first.key)
    with pytest.raises(FileGone):
        stored.read(first.key, campaign_id=campaign.pk)
    bucket = boto3.resource("s3", endpoint_url=endpoint).Bucket(urlsplit(url).netloc)
    bucket.objects.all().delete()
    bucket.delete()
    for image in Image.objects.all():
        with pytest.raises(StorageAway):
            stored.read(image.key, campaign_id=campaign.pk)
    with pytest.raises(StorageAway):
        stored.save("models/1/x.safetensors", b"x", campaign_id=campaign.pk)


@pytest.mark.django_db(transaction=True)
def test_an_import_fills_the_bucket_and_the_engine_reads_it(
    in_bucket: None, tmp_path: Path
) -> None:
    campaign = make_campaign(image_size=32)
    files = {"cat/1.png": picture(shade=1), "dog/2.jpg": picture("JPEG", (2000, 900))}
    folder = write_folder(tmp_path, files)
    for added in (2, 0):
        assert import_images(campaign=campaign, source=folder).added == added
    small, large = Image.objects.order_by("name")
    for image, data in zip((small, large), files.values(), strict=True):
        with default_storage.open(image.key, "rb") as file:
            assert file.read() == data
    assert large.display_key is not None
    for image in (small, large):
        assert get(addresses.image_url(image.shown_key))[0] == 200
    images = CampaignImages(campaign)
    positions = np.arange(2)
    assert images.available(positions).tolist() == [0, 1]
    assert images.rows(positions).shape == (2, 3, 32, 32)


@pytest.mark.django_db(transaction=True)
def test_weights_are_published_read_and_pruned(in_bucket: None) -> None:
    campaign = make_campaign()
    server = EngineProcess.objects.create(campaign=campaign, role="server", name="server-1")
    known = Publication(server.pk, "small_cnn", 10, 10, 1.0, None, None)
    published = [
        versions.publish(campaign_id=campaign.pk, weights=b"the same", publication=known)
        for _ in range(3)
    ]
    assert versions.prune(campaign_id=campaign.pk, keep=1) == 2
    assert versions.read_weights(published[-1]) == b"the same"
    default_storage.delete(published[-1].key)
    with pytest.raises(versions.WeightsDamaged):
        versions.read_weights(published[-1])


def test_pages_may_show_what_the_bucket_has(url: str, endpoint: str, tmp_path: Path) -> None:
    words = "from django.conf import settings; print(settings.CONTENT_SECURITY_POLICY)"
    policy = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", words],
        cwd=ROOT,
        env={**os.environ, "STORAGE_URL": url, "NOWAIT_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert policy.count(f"'{endpoint}'") == 2


def test_without_keys_the_web_does_not_start(
    in_bucket: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses.load()
    addresses._storage_signs.cache_clear()
    # Undone within the test: the site's own storage comes back at its end.
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.setattr(default_storage, "_wrapped", storage_at("s3://pictures?region=eu-west-1"))
        with pytest.raises(ImproperlyConfigured, match="set AWS_ACCESS_KEY_ID"):
            addresses.load()
