"""Signatures that prove that a person was shown an image as a turn of theirs.

A query is sent before its lease is known to be on disk, so a crash of the database may lose the
lease. The proof travels with the query and comes back with the answer, so that the answer can be
stored even then, also if no web process survived.
"""

import base64
import hashlib
import hmac
from functools import cache
from typing import Final

from django.conf import settings

_SIGNATURE_BYTES: Final = 18
_MAX_DIGITS: Final = 19


def proof_of(annotator_id: int, turn_id: int, image_id: int) -> str:
    """The proof that this person was shown this image as this turn: `IMAGE_ID.SIGNATURE`."""
    return f"{image_id}.{_signature(annotator_id, turn_id, image_id)}"


def image_of(proof: str, annotator_id: int, turn_id: int) -> int:
    """The image that `proof` says this person was shown as this turn; 0 if it proves nothing."""
    written, _, signature = proof.partition(".")
    if not (written.isascii() and written.isdecimal() and len(written) <= _MAX_DIGITS):
        return 0
    image_id = int(written)
    # As bytes: `compare_digest` raises for text that is not ASCII.
    good = _signature(annotator_id, turn_id, image_id).encode()
    return image_id if hmac.compare_digest(good, signature.encode()) else 0


def _signature(annotator_id: int, turn_id: int, image_id: int) -> str:
    said = f"{annotator_id}:{turn_id}:{image_id}".encode()
    # Keyed BLAKE2 needs no HMAC, and takes half the time.
    digest = hashlib.blake2b(said, key=_key(), digest_size=_SIGNATURE_BYTES).digest()
    return base64.urlsafe_b64encode(digest).decode()


@cache
def _key() -> bytes:
    return hashlib.sha256(b"nowait turns:" + settings.SECRET_KEY.encode()).digest()
