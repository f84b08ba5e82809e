"""Settings for how the site is reached: its host names, and the number of proxies in front.

As in `environment.py`, every error is one line with a remedy.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from django.core.exceptions import ImproperlyConfigured

from annotator_site.environment import flag, names

NO_SUB_PATH: Final = (
    "Nowait needs a name or a port of its own, like https://labels.example.org/, and does not work "
    "below a path"
)
# A Host as browsers send it. `*` is any name; a leading dot means any name of that domain.
_NAME: Final = re.compile(
    r"\*|\.?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f]*:[0-9a-f.:]+\]", re.ASCII | re.IGNORECASE
)
_PORT: Final = re.compile(r":\d*$")
# Variables that tell servers and frameworks of a sub-path.
_SUB_PATHS: Final = ("SCRIPT_NAME", "FORCE_SCRIPT_NAME", "ROOT_PATH", "UVICORN_ROOT_PATH")


def host_names(env: Mapping[str, str], variable: str) -> list[str]:
    """The names of the site; [] when unset.

    Raises ImproperlyConfigured for what no Host header can match: a URL, a port, a path.
    """
    found = names(env, variable)
    for name in found:
        if not _NAME.fullmatch(name):
            raise ImproperlyConfigured(f"{variable} holds {name!r}: {_remedy(name)}.")
    return found


def _remedy(name: str) -> str:
    host, slash, path = name.rpartition("://")[2].partition("/")
    if path.strip("/"):
        return NO_SUB_PATH
    if not host.isascii():
        return "write it as browsers send it, like xn--mnchen-3ya.example"
    if host.startswith("*."):
        return f"for all names of a domain write {host[1:]}"
    if host.count(":") > 1 and not host.startswith("["):
        return f"write an IPv6 address in brackets, like [{host}]"
    if " " in host:
        return "separate names by commas"
    if slash or "://" in name or _PORT.search(host):
        return f"write names alone, without https:// and without a port, like {_PORT.sub('', host)}"
    return "it is no name of a machine, like labels.example.org"


def proxies(env: Mapping[str, str], variable: str) -> int:
    """The number of chained proxies in front; 0 when unset or off, 1 when on.

    Raises ImproperlyConfigured for any other value that is not 2 to 9.
    """
    value = env.get(variable, "").strip()
    if re.fullmatch("[2-9]", value):
        return int(value)
    try:
        return int(flag(env, variable, default=False))
    except ImproperlyConfigured:
        raise ImproperlyConfigured(
            f"{variable}={value!r} is no number of proxies: set it to 1, to 0 for none, or to how "
            "many there are one behind the other, up to 9."
        ) from None


def refuse_sub_path(env: Mapping[str, str], argv: Sequence[str]) -> None:
    """Raise ImproperlyConfigured if the site is configured to be below a path."""
    told = {name: env.get(name, "") for name in _SUB_PATHS}
    for word, value in pairwise([*argv, ""]):
        option, equals, rest = word.partition("=")
        if option == "--root-path":
            told[option] = rest if equals else value
    for name, value in told.items():
        if value.strip(" /"):
            raise ImproperlyConfigured(f"{NO_SUB_PATH}: unset {name} (it is {value!r}).")
