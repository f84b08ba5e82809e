"""Pages of lists: where the next one begins, without counting or skipping a row."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from annotator_site.api.problems import BadField

LIMIT: Final = 100
MOST: Final = 1_000
_LARGEST: Final = 2**63 - 1

Place = tuple[int, ...]
"""The numbers by which a list is ordered, of the last row that was read."""


def limit_of(request: Request) -> int:
    """The parameter `limit`. Raises BadField."""
    text = request.query_params.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MOST):
        raise BadField("limit", f"“{text}” is no number of rows.", f"Send 1 to {MOST}.")
    return int(text)


def since_of(request: Request, length: int) -> Place | None:
    """The parameter `since`: `length` numbers joined by dashes; None if left out.

    Raises BadField.
    """
    text = request.query_params.get("since")
    if text is None:
        return None
    numbers = text.split("-")
    if len(numbers) != length or not all(re.fullmatch(r"[0-9]{1,19}", each) for each in numbers):
        raise _bad_since(text)
    place = tuple(map(int, numbers))
    if max(place) > _LARGEST:
        raise _bad_since(text)
    return place


def said(place: Place) -> str:
    """A place as the parameter `since`."""
    return "-".join(map(str, place))


def after(rows: QuerySet[Any], columns: Sequence[str], place: Place | None) -> QuerySet[Any]:
    """The rows behind `place`, in the order of `columns`: along an index with these columns."""
    rows = rows.order_by(*columns)
    if place is None:
        return rows
    later = Q()
    for number in range(len(columns)):
        same = dict(zip(columns[:number], place[:number], strict=True))
        later |= Q(**same, **{f"{columns[number]}__gt": place[number]})
    # The first condition bounds the scan of the index, the second one chooses.
    return rows.filter(Q(**{f"{columns[0]}__gte": place[0]}) & later)


def page(
    request: Request, results: Sequence[Mapping[str, Any]], *, end: Place | None, full: bool
) -> Response:
    """A page of a list: `since` to go on from later, `next` if more is there already."""
    since = None if end is None else said(end)
    following = None
    if full and since is not None:
        query = request.query_params.copy()
        query["since"] = since
        following = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return Response({"results": chosen(request, results), "since": since, "next": following})


def listed(
    request: Request,
    rows: QuerySet[Any],
    columns: Sequence[str],
    shape: Callable[[Sequence[Any]], Sequence[Mapping[str, Any]]],
) -> Response:
    """A page of `rows` in the order of `columns`, each shaped by `shape`."""
    limit, place = limit_of(request), since_of(request, len(columns))
    found = list(after(rows, columns, place)[:limit])
    names = [column.replace("__", ".") for column in columns]
    end = tuple(_value(found[-1], name) for name in names) if found else place
    return page(request, shape(found), end=end, full=len(found) == limit)


def chosen(request: Request, results: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The rows with the fields of the parameter `fields` alone. Raises BadField."""
    text = request.query_params.get("fields")
    if not text or not results:
        return results
    known, wanted = results[0].keys(), [each.strip() for each in text.split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise BadField(
            "fields", f"There is no field “{unknown[0]}”.", f"Send some of: {', '.join(known)}."
        )
    return [{name: row[name] for name in wanted} for row in results]


def _value(row: Any, path: str) -> int:
    for name in path.split("."):
        row = getattr(row, name)
    return int(row)


def _bad_since(text: str) -> BadField:
    return BadField(
        "since", f"“{text}” is no place in this list.", "Send the `since` of an earlier page of it."
    )
