"""Reading environment variables for `settings.py`; every error is one line with a remedy.

Starts no process. Imports nothing of the project, so that it can be tested alone.
"""

import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

EXAMPLE_DATABASE_URL = "postgresql://user:password@host:5432/nowait"
EXAMPLE_STORAGE_URL = "s3://bucket/prefix?region=eu-central-1&endpoint=https://s3.example.org"
_CONTACT: Final = re.compile(r"(mailto:[^\s@]+@|https://|tel:)[!-~]+")
_MAX_COUNT: Final = 100_000
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9-]+")
_ENDPOINT: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?/?")

# Milliseconds. No process that is stopped or lost may keep a row lock, and no statement may wait
# for a lock for so long that people see no answer at all.
SERVER_TIMEOUTS_MS = {"idle_in_transaction_session_timeout": 30_000, "lock_timeout": 15_000}
# A query uses one core of the database and is not compiled: the other cores serve labeling.
SERVER_SETTINGS = {"max_parallel_workers_per_gather": "0", "jit": "off"}
# Web requests only: a migration or an export may rightly take minutes in one statement.
WEB_STATEMENT_TIMEOUT_MS = 30_000


def flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off; `default` when unset or empty.

    Raises ImproperlyConfigured for anything else.
    """
    value = env.get(name, "").strip().lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither on nor off: set it to 1 or 0.")


def count(env: Mapping[str, str], name: str, *, default: int) -> int:
    """A whole number from 1 on; `default` when unset or empty. Raises ImproperlyConfigured."""
    value = env.get(name, "").strip()
    if not value:
        return default
    if value.isascii() and value.isdigit() and 1 <= int(value) <= _MAX_COUNT:
        return int(value)
    raise ImproperlyConfigured(
        f"{name}={value!r} is no number from 1 to {_MAX_COUNT:,}: set it to one."
    )


def names(env: Mapping[str, str], name: str) -> list[str]:
    """The comma-separated values of a variable, without blanks; [] when unset."""
    return [part.strip() for part in env.get(name, "").split(",") if part.strip()]


def contact(env: Mapping[str, str], name: str) -> str:
    """A contact address (mailto:, https: or tel:); "" when unset.

    Raises ImproperlyConfigured for anything else, so that no wrong address is published.
    """
    value = env.get(name, "").strip()
    if value and not _CONTACT.fullmatch(value):
        raise ImproperlyConfigured(
            f"{name}={value!r} is no address: write it like mailto:security@example.org or "
            "https://example.org/security."
        )
    return value


def role(env: Mapping[str, str], argv: Sequence[str]) -> str:
    """NOWAIT_ROLE, or else the management command in `argv`, or else the program's name."""
    if given := env.get("NOWAIT_ROLE", ""):
        return given
    program = Path(argv[0]).name if argv else ""
    if program == "manage.py" and len(argv) > 1 and argv[1].isidentifier():
        return argv[1]
    return program.removesuffix(".py") or "nowait"


def secret_key(env: Mapping[str, str], var: Path) -> str:
    """SECRET_KEY, or the key in `var/secret_key`, created on the first start with mode 0600.

    Processes that start together all get the same key: each writes its own candidate, and the
    candidate that is first linked to the final name wins. Raises ImproperlyConfigured when the key
    can neither be read nor written, or is too short.
    """
    if given := env.get("SECRET_KEY", ""):
        return given
    path = var / "secret_key"
    try:
        if not path.exists():
            candidate = var / f".secret_key.{os.getpid()}.{secrets.token_hex(4)}"
            try:
                descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(secrets.token_urlsafe(64))
                    file.flush()
                    os.fsync(file.fileno())
                with suppress(FileExistsError):
                    os.link(candidate, path)
            finally:
                candidate.unlink(missing_ok=True)
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The secret key {path} cannot be read or made ({error.strerror}): "
            "make the folder writable, or set NOWAIT_VAR or SECRET_KEY."
        ) from error
    if len(key) < 50:
        raise ImproperlyConfigured(f"The secret key {path} is damaged: delete it and start again.")
    return key


def make_var(var: Path) -> None:
    """Creates the folder of all state and its subfolders; no other user may list the folder.

    An existing folder with wider rights is narrowed. Under root the bundled PostgreSQL runs as
    another user, who must be able to pass through (0711). Raises ImproperlyConfigured if the folder
    cannot be created or made private, or is for everybody, like /tmp.
    """
    mode = 0o711 if os.name == "posix" and os.geteuid() == 0 else 0o700
    try:
        var.mkdir(mode=mode, parents=True, exist_ok=True)
        _make_private(var, mode)
        # Not media/, which the first file creates: an empty folder must not replace a lost mount.
        for name in ("static", "cache", "logs"):
            (var / name).mkdir(exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The folder {var} cannot be made ({error.strerror}): "
            "make its parent writable or set NOWAIT_VAR to another folder."
        ) from error


def _make_private(var: Path, mode: int) -> None:
    """Takes away a folder's rights beyond `mode`; adds none. Raises ImproperlyConfigured."""
    found = var.stat().st_mode
    if found & stat.S_ISVTX:
        raise ImproperlyConfigured(
            f"The folder {var} is everybody's: set NOWAIT_VAR to a folder of its own."
        )
    if not stat.S_IMODE(found) & ~mode:
        return
    try:
        var.chmod(stat.S_IMODE(found) & mode)
    except PermissionError as error:
        raise ImproperlyConfigured(
            f"Others may look into the folder {var}, which is not yours: have its owner run "
            f"`chmod {mode:o} {var}`, or set NOWAIT_VAR to another folder."
        ) from error


def database(
    url: str | None, bundled: Mapping[str, str], *, role: str, application_name: str
) -> dict[str, Any]:
    """The Django database dictionary for DATABASE_URL, or for the bundled server when it is unset.

    `bundled` holds NAME, USER, HOST and PORT of the bundled PostgreSQL. Raises
    ImproperlyConfigured, in one line, for an unusable address.
    """
    parsed: dict[str, Any] = (
        _parse_database_url(url)
        if url
        else {"ENGINE": "django.db.backends.postgresql", "PASSWORD": "", **bundled}
    )
    settings: dict[str, object] = {**SERVER_TIMEOUTS_MS, **SERVER_SETTINGS}
    if role == "web":
        settings["statement_timeout"] = WEB_STATEMENT_TIMEOUT_MS
    options: dict[str, Any] = {
        "connect_timeout": 5,
        "application_name": application_name,
        # Keepalives notice a vanished peer in about a minute (TCP only).
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        # Milliseconds. Without it data in flight is retransmitted for a quarter of an hour.
        "tcp_user_timeout": 60_000,
        **parsed.pop("OPTIONS", {}),
    }
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    options["options"] = f"{ours} {options.get('options', '')}".strip()
    if role == "web":
        # Under ASGI a connection must not live as long as a thread. The pool keeps a few
        # connections open, checks them before use, and bounds their number.
        parsed["CONN_MAX_AGE"] = 0
        options["pool"] = {"min_size": 1, "max_size": 16, "timeout": 10}
    else:
        # A process with one thread keeps one connection for its life.
        parsed["CONN_MAX_AGE"] = None
    parsed["CONN_HEALTH_CHECKS"] = True
    parsed["OPTIONS"] = options
    return parsed


def _parse_database_url(url: str) -> dict[str, Any]:
    # No error repeats the address itself: it may hold a password.
    try:
        parsed = dict(dj_database_url.parse(url))
    except dj_database_url.UnknownSchemeError as error:
        scheme = urlsplit(url).scheme or "none"
        raise ImproperlyConfigured(
            f"DATABASE_URL begins with the scheme {scheme!r}, but Nowait needs PostgreSQL: "
            f"write it like {EXAMPLE_DATABASE_URL}."
        ) from error
    except ValueError as error:
        raise ImproperlyConfigured(
            f"DATABASE_URL cannot be read as an address: write it like {EXAMPLE_DATABASE_URL} "
            "(special characters in the password as %xx)."
        ) from error
    if parsed["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured(
            f"DATABASE_URL names a database that is not PostgreSQL: "
            f"write it like {EXAMPLE_DATABASE_URL}, or unset it to use the bundled one."
        )
    if not parsed["NAME"]:
        raise ImproperlyConfigured(
            f"DATABASE_URL names no database: write it like {EXAMPLE_DATABASE_URL}."
        )
    return parsed


def storage(url: str | None, media: Path) -> dict[str, Any]:
    """The Django storage for STORAGE_URL: files under `media` when it is unset.

    Raises ImproperlyConfigured for anything but s3://bucket/prefix?region=…&endpoint=….
    """
    if not url:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(media)},
        }
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    endpoint = options.pop("endpoint", None)
    region = options.pop("region", None) or ("us-east-1" if endpoint else "")
    if problem := _storage_problem(parts, options, endpoint, region):
        raise ImproperlyConfigured(
            f"STORAGE_URL {problem}: write it like {EXAMPLE_STORAGE_URL}, "
            "or unset it to keep files under var/media."
        )
    return {
        "BACKEND": "annotator_site.object_storage.ObjectStorage",
        "OPTIONS": {
            "bucket_name": parts.netloc,
            "location": parts.path.strip("/"),
            "endpoint_url": endpoint,
            "region_name": region,
        },
    }


def _storage_problem(
    parts: SplitResult, unknown: Mapping[str, str], endpoint: str | None, region: str
) -> str:
    """Why an address names no usable bucket; "" if it does."""
    if parts.scheme != "s3":
        return f"has the scheme {parts.scheme or 'none'!r}"
    if "@" in parts.netloc:
        return "holds keys: they belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if not _BUCKET.fullmatch(parts.netloc):
        return f"names no bucket ({parts.netloc!r})"
    if unknown or parts.fragment:
        return f"has parts that are unknown: {', '.join(unknown) or parts.fragment}"
    if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
        return f"has an endpoint that is no address of a server ({endpoint!r})"
    if not _REGION.fullmatch(region):
        return "says no region"
    return ""
