"""The addresses of the site, as its URL configuration has them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

_CONVERTED = re.compile(r"<(?:\w+:)?(\w+)>")
_GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")


@dataclass(frozen=True, slots=True)
class Address:
    """`name` is that of its view with its namespaces, or the route where it has none."""

    name: str
    route: str

    def path(self, values: Mapping[str, object]) -> str:
        """The address with these values; a KeyError names what has none."""
        plain = re.sub(r"(?<![\w>)])\^|\$$", "", self.route)
        for pattern in (_GROUP, _CONVERTED):
            plain = pattern.sub(lambda found: str(values[found[1]]), plain)
        return f"/{plain}"

    @property
    def model(self) -> str | None:
        """`app_model` of a page of the administration about a model."""
        found = re.match(r"admin/(\w+)/(\w+)/", self.route)
        return f"{found[1]}_{found[2]}" if found else None


def every_address() -> list[Address]:
    """All addresses that Django serves."""
    return list(_walk(get_resolver(), (), ""))


def _walk(resolver: URLResolver, spaces: tuple[str, ...], before: str) -> Iterator[Address]:
    for each in resolver.url_patterns:
        route = f"{before}{each.pattern}"
        if isinstance(each, URLPattern):
            name = ":".join([*spaces, each.name]) if each.name else route
            yield Address(name, route)
        else:
            deeper = (*spaces, each.namespace) if each.namespace else spaces
            yield from _walk(each, deeper, route)
