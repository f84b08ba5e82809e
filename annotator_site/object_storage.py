"""Images and weights in S3-compatible object storage; used if STORAGE_URL is set.

Callers use it as Django's file storage: S3 errors become file errors, and an object is read in
one request. Images have signed addresses of the bucket itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from django.core.files.base import ContentFile

from annotator_site.images.object_addresses import Keys, endpoint_of, signed_address

if TYPE_CHECKING:
    from django.core.files.storage import Storage as S3Storage
else:
    from storages.backends.s3 import S3Storage

_TYPES: Final = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_MISSING: Final = ("404", "NoSuchKey", "NotFound")
NO_KEYS: Final = (
    "no keys for the object storage of STORAGE_URL were found: set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY"
)


class ObjectStorage(S3Storage):
    """A private bucket. Failures raise OSError; a missing object raises FileNotFoundError."""

    bucket_name: str
    region_name: str
    endpoint_url: str | None
    location: str
    access_key: str | None
    secret_key: str | None

    def __init__(self, **options: Any) -> None:
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if options.get("endpoint_url") else "auto"},
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 4},
            max_pool_connections=32,
            # Not every S3-compatible storage supports the checksums that boto3 sends by default.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # A new file never overwrites another, as in a folder: two versions never share weights.
        options |= {"client_config": config, "file_overwrite": False}
        super().__init__(**options)
        self._making = Lock()
        self._resource: Any = None
        self._credentials: Any = None
        self._base = endpoint_of(
            bucket=self.bucket_name, region=self.region_name, endpoint=self.endpoint_url
        )

    @property
    def connection(self) -> Any:
        """One boto3 resource for all threads, created on first use.

        Raises OSError if only one of the two keys is set.
        """
        if bool(self.access_key) != bool(self.secret_key):
            raise OSError(NO_KEYS)
        with self._making:
            if self._resource is None:
                session = self._create_session()  # type: ignore[attr-defined]  # of S3Storage
                self._credentials = session.get_credentials()
                self._resource = session.resource(
                    "s3",
                    region_name=self.region_name,
                    endpoint_url=self.endpoint_url,
                    config=self.client_config,  # type: ignore[attr-defined]  # of S3Storage
                )
        return self._resource

    def signed_url(self, key: str) -> str:
        """The address of an object for a browser: the same all day, valid for six more days.

        Raises OSError if there are no keys to sign with.
        """
        if self._credentials is None and not (self.connection and self._credentials):
            raise OSError(NO_KEYS)
        # This call renews temporary keys shortly before they expire.
        keys = self._credentials.get_frozen_credentials()
        return signed_address(
            self._base,
            self._object_key(key),
            region=self.region_name,
            keys=Keys(keys.access_key, keys.secret_key, keys.token),
            now=datetime.now(UTC),
        )

    def get_object_parameters(self, name: str) -> dict[str, str]:
        """The headers stored with an object: for an image its type, and caching for a week."""
        kind = _TYPES.get(name.rpartition(".")[2])
        if kind is None:
            return {}
        return {"ContentType": kind, "CacheControl": "private, max-age=604800, immutable"}

    def _open(self, name: str, mode: str = "rb") -> "ContentFile[bytes]":
        if mode != "rb":
            raise ValueError("Objects are written by `save`, whole.")
        with _as_files(name):
            client = self.connection.meta.client
            answer = client.get_object(Bucket=self.bucket_name, Key=self._object_key(name))
            return ContentFile(answer["Body"].read(), name)

    def _save(self, name: str, content: Any) -> str:
        with _as_files(name):
            return str(super()._save(name, content))  # type: ignore[misc]  # of S3Storage

    def delete(self, name: str) -> None:
        with _as_files(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        with _as_files(name):
            return bool(super().exists(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with _as_files(path):
            return super().listdir(path)

    def size(self, name: str) -> int:
        with _as_files(name):
            return int(super().size(name))

    def _object_key(self, name: str) -> str:
        return f"{self.location}/{name}" if self.location else name


@contextmanager
def _as_files(name: str) -> Iterator[None]:
    try:
        yield
    except NoCredentialsError as error:
        raise OSError(NO_KEYS) from error
    except ClientError as error:
        answer = error.response.get("Error", {})
        if answer.get("Code") in _MISSING:
            raise FileNotFoundError(f"The object storage has no {name}.") from error
        raise OSError(
            f"the object storage refuses {name}: {answer.get('Code')}, {answer.get('Message')}"
        ) from error
    except (BotoCoreError, Boto3Error) as error:
        raise OSError(f"the object storage does not answer: {error}") from error
