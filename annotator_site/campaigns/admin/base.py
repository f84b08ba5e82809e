"""What every list in the admin has in common, so that it stays fast at a million rows.

- Counts stop at MAX_ROWS; beyond it the page says about how many rows there are.
- Lists are ordered and filtered along indexes only. A filter without an index looks at the
  newest WINDOW rows, and the page says so.
- A URL cannot add other filters or orders.
- Rows written by the engine and the labeling path are read-only here.
- Staff with rights in some campaigns see only the rows of those campaigns.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from annotator_site.accounts.campaign_rights import (
    WithinCampaigns,
    actor,
    campaigns_within,
    own_campaigns,
)

if TYPE_CHECKING:
    SiteModelAdmin = admin.ModelAdmin[Any]
    SiteTabularInline = admin.TabularInline[Any, Any]
    RowPaginator = Paginator[Any]
else:
    from unfold.admin import ModelAdmin as SiteModelAdmin
    from unfold.admin import TabularInline as SiteTabularInline

    RowPaginator = Paginator


__all__ = [
    "WINDOW",
    "CampaignFilter",
    "PoolAdmin",
    "ReadOnlyAdmin",
    "SiteModelAdmin",
    "SiteTabularInline",
    "ValueFilter",
    "as_id",
    "label_column",
    "link",
    "lists_some_campaigns",
    "value_filter",
]

MAX_ROWS: Final = 10_000
"""Number of rows that can be paged through; filters and the search find the other rows."""

WINDOW: Final = 100_000
"""Number of newest rows that a filter without an index looks at."""

FILTER_CAMPAIGNS: Final = 50


class BoundedPaginator(RowPaginator):
    """A paginator that counts no further than MAX_ROWS."""

    template_name = "admin/pagination_bounded.html"

    @cached_property
    def found(self) -> int:
        """Rows found, at most MAX_ROWS + 1."""
        rows = self.object_list
        assert isinstance(rows, QuerySet)  # noqa: S101 - the admin pages querysets only
        # Keep the order of the page, so that counting uses the same index.
        return int(rows[: MAX_ROWS + 1].count())

    @cached_property
    def count(self) -> int:
        """Rows that can be paged through."""
        return min(self.found, MAX_ROWS)

    @property
    def words(self) -> str:
        """The number of rows, in words for the page."""
        rows = self.object_list
        assert isinstance(rows, QuerySet)  # noqa: S101 - see `found`
        names = rows.model._meta
        if self.found <= MAX_ROWS:
            name = names.verbose_name if self.found == 1 else names.verbose_name_plural
            return f"{self.found:,} {name}"
        return (
            f"The first {MAX_ROWS:,} of more; the table holds about {_estimate(rows):,}. "
            "Search or filter for the others."
        )


def _estimate(rows: QuerySet[Any]) -> int:
    """About how many rows the whole table has by PostgreSQL's statistics; MAX_ROWS at least."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
            [rows.model._meta.db_table],
        )
        return max(int(cursor.fetchone()[0]), MAX_ROWS)


class PoolChangeList(ChangeList):
    """A list whose heading never asks for a count of the whole table."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.has_active_filters and not self.query:
            self.full_result_count = self.result_count


class PoolAdmin(WithinCampaigns, SiteModelAdmin):
    """A list of the pools."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    list_fullwidth = True
    # Sorting by another column would sort the whole table.
    sortable_by = ()
    list_before_template = "admin/list_hint.html"

    unindexed_filters: Sequence[str] = ()
    """Parameters of filters that look at the newest WINDOW rows only."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PoolChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        oldest = self.oldest_row(request)
        return rows if oldest is None else rows.filter(pk__gt=oldest)

    def oldest_row(self, request: HttpRequest) -> int | None:
        """The id after which the list begins if it looks at the newest rows only, else None."""
        filtered = any(request.GET.get(name) for name in self.unindexed_filters)
        if not (filtered or lists_some_campaigns(request)):
            return None
        newest = self.model._default_manager.order_by("-pk").values_list("pk", flat=True).first()
        return None if newest is None or newest <= WINDOW else newest - WINDOW

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        window = None if self.oldest_row(request) is None else f"{WINDOW:,}"
        return super().changelist_view(request, {"window": window, **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        # Any other lookup in a URL would scan the table.
        names = (getattr(filter_, "parameter_name", None) for filter_ in self.list_filter)
        return lookup in set(names)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (self.search(queryset, term) if term else queryset), False

    def search(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        """The rows that match `term`, found along an index: by default the row's id."""
        number = as_id(term.removeprefix("#"))
        return rows.none() if number is None else rows.filter(pk=number)


class ReadOnlyAdmin(PoolAdmin):
    """A list of rows that the engine and the labeling path write: never changed by hand."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class CampaignFilter(admin.SimpleListFilter):
    """A filter by campaign; offers the newest campaigns."""

    title = "campaign"
    parameter_name = "campaign"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        newest = campaigns_within(actor(request)).order_by("-id").values_list("pk", "title")
        return [(str(pk), title) for pk, title in newest[:FILTER_CAMPAIGNS]]

    def has_output(self) -> bool:
        # Show the filter even with one campaign, because links from other pages set it.
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        number = as_id(self.value() or "")
        return queryset if number is None else queryset.filter(campaign_id=number)


class ValueFilter(admin.SimpleListFilter):
    """A filter by the value of a field with few values, which are listed without a query."""

    field: str
    choices_of: Sequence[tuple[str, str]]

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> Sequence[tuple[str, str]]:
        return self.choices_of

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(**{self.field: value})


def value_filter(field: str, choices: Sequence[tuple[Any, Any]]) -> type[ValueFilter]:
    """A filter by the values of `field`, in the URL as `?field=value`."""
    name = f"{field.title().replace('_', '')}Filter"
    listed = [(str(value), str(label)) for value, label in choices]
    return type(
        name,
        (ValueFilter,),
        {
            "field": field,
            "title": field.replace("_", " "),
            "parameter_name": field,
            "choices_of": listed,
        },
    )


def lists_some_campaigns(request: HttpRequest) -> bool:
    """Whether this is a list of several campaigns, seen by staff with rights in some only.

    Such a list and its filters look at the newest WINDOW rows, along the ids.
    """
    match = request.resolver_match
    return (
        match is not None
        and match.view_name.endswith("_changelist")
        and not request.GET.get("campaign")
        and own_campaigns(actor(request)) is not None
    )


def as_id(text: str) -> int | None:
    """The row id in a text that a person typed, or None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def label_column(
    description: str, colors: Mapping[str, str]
) -> Callable[[Callable[..., tuple[str, str]]], Callable[..., tuple[str, str]]]:
    """Decorator for a column that returns (value, words); unfold colors it by the value."""

    def mark(column: Callable[..., tuple[str, str]]) -> Callable[..., tuple[str, str]]:
        column.__dict__.update(short_description=description, label=dict(colors))
        return column

    return mark


def link(model: str, pk: int | None, text: object) -> SafeString | str:
    """A link to a row of the pools."""
    if pk is None:
        return "–"
    return format_html(
        '<a href="{}">{}</a>', reverse(f"admin:pools_{model}_change", args=[pk]), text
    )
