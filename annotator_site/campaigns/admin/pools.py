"""S and L in the admin: queries, turns, labels and consensus. Read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from al_engine.pools.models import Annotator, Consensus, Label, Query, Turn
from annotator_site.campaigns.admin.base import (
    WINDOW,
    CampaignFilter,
    ReadOnlyAdmin,
    as_id,
    link,
    value_filter,
)


class ImageRowsAdmin(ReadOnlyAdmin):
    """Rows that belong to an image, found by their own id or by the image's id."""

    search_fields = ["id"]
    search_help_text = "#number, or image:number"
    image_lookup: dict[str, Any] = {}

    def search(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        what, colon, number = term.partition(":")
        if colon and what.strip().lower() == "image":
            found = as_id(number.strip().removeprefix("#"))
            return rows.none() if found is None else rows.filter(
                image_id=found, **self.image_lookup
            )  # fmt: skip
        return super().search(rows, term)

    @admin.display(description="image")
    def image_number(self, row: Any) -> SafeString | str:
        return link("image", row.image_id, f"#{row.image_id}")


@admin.register(Query)
class QueryAdmin(ImageRowsAdmin):
    """Queries in S and earlier ones: which worker selected which image, and why."""

    list_display = [
        "id", "image_number", "state", "purpose", "strategy", "rank", "version", "worker",
        "created_at", "closed_at",
    ]  # fmt: skip
    list_select_related = ["worker", "model_version"]
    list_filter = [
        CampaignFilter,
        value_filter("state", Query.State.choices),
        value_filter("purpose", Query.Purpose.choices),
    ]
    unindexed_filters = ["campaign", "state", "purpose"]

    @admin.display(description="score")
    def rank(self, query: Query) -> str:
        return "–" if query.score is None else f"{query.score:.3f}"

    @admin.display(description="model version")
    def version(self, query: Query) -> str:
        return str(query.model_version.version) if query.model_version else "none yet"


@admin.register(Turn)
class TurnAdmin(ImageRowsAdmin):
    """Turns: who holds, answered or skipped which query."""

    list_display = [
        "id", "query_number", "image_number", "state", "annotator", "lease_expires", "skip_reason",
        "skip_sender",
    ]  # fmt: skip
    list_select_related = ["annotator"]
    list_filter = [
        CampaignFilter,
        value_filter("state", Turn.State.choices),
        value_filter("skip_reason", Turn.SkipReason.choices),
    ]
    unindexed_filters = ["campaign", "state", "skip_reason"]
    search_help_text = "#number, image:number or query:number"

    def search(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        what, colon, number = term.partition(":")
        if colon and what.strip().lower() == "query":
            found = as_id(number.strip().removeprefix("#"))
            if found is None:
                return rows.none()
            # Search by image as well, because turns are indexed by image.
            image = Query.objects.filter(pk=found).values("image_id")[:1]
            return rows.filter(image_id=image, query_id=found)
        return super().search(rows, term)

    @admin.display(description="query")
    def query_number(self, turn: Turn) -> SafeString | str:
        return link("query", turn.query_id, f"#{turn.query_id}")


@admin.register(Label)
class LabelAdmin(ImageRowsAdmin):
    """Labels: facts that people wrote once; the admin only shows them."""

    list_display = [
        "id", "image_number", "choice", "annotator", "answered_at", "seconds", "staleness",
        "after_lease", "retracted_at",
    ]  # fmt: skip
    list_select_related = ["choice", "annotator"]
    list_filter = [CampaignFilter]
    search_help_text = f"#number, image:number, or pseudonym (newest {WINDOW:,} answers)"
    # The index by image holds only labels that are not retracted.
    image_lookup = {"retracted_at": None}

    def search(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        if ":" in term or as_id(term.removeprefix("#")) is not None:
            return super().search(rows, term)
        person = Annotator.objects.filter(pseudonym=term).values_list("pk", flat=True).first()
        newest = Label.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        return rows.filter(annotator_id=person, pk__gt=newest - WINDOW)

    @admin.display(description="late")
    def after_lease(self, label: Label) -> str:
        return "late" if label.late else "in time"

    @admin.display(description="in view, s")
    def seconds(self, label: Label) -> str:
        return f"{label.shown_ms / 1000:.1f}"


@admin.register(Consensus)
class ConsensusAdmin(ReadOnlyAdmin):
    """The consensus of each image; in one campaign, the latest change first."""

    list_display = ["image_number", "choice", "percent", "answers", "decided_at"]
    list_select_related = ["choice"]
    list_filter = [CampaignFilter]
    search_fields = ["image_id"]
    search_help_text = "image number"

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-changed_in",) if request.GET.get("campaign") else ("-image_id",)

    @admin.display(description="image")
    def image_number(self, row: Consensus) -> str:
        return f"#{row.image_id}"

    @admin.display(description="share of its answers")
    def percent(self, row: Consensus) -> str:
        return f"{row.confidence:.0%}"
