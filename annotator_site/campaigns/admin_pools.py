"""D, S and L in the admin: images, queries, turns, labels and what they add up to. Read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from al_engine.pools.models import Annotator, Assignment, Campaign, Consensus, Image, Label, Query
from annotator_site.campaigns.admin_base import (
    WINDOW,
    CampaignFilter,
    ReadOnlyAdmin,
    ValueFilter,
    as_id,
    value_filter,
)
from annotator_site.labeling.image_urls import image_url

SHA256_LENGTH = 64


def thumbnail(image: Image, side: int) -> SafeString:
    """The image, at most `side` px; small ones keep their pixels."""
    return format_html(
        '<img src="{}" alt="" loading="lazy" decoding="async" class="nw-thumb{}"'
        ' width="{}" height="{}">',
        image_url(image.key),
        " nw-pixels" if max(image.width, image.height) < side else "",
        side,
        side,
    )


def link(model: str, pk: int | None, text: object) -> SafeString | str:
    """A link to a row of the pools."""
    if pk is None:
        return "–"
    return format_html(
        '<a href="{}">{}</a>', reverse(f"admin:pools_{model}_change", args=[pk]), text
    )


class ImageStateFilter(ValueFilter):
    """By pool, along the index that each pool has: the image table has none of its own for it."""

    title = parameter_name = field = "state"
    choices_of = Image.State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Image]) -> QuerySet[Image]:
        state = self.value()
        if state is None:
            return queryset
        rows = queryset.filter(state=state)
        if state == Image.State.QUERIED:
            return rows.filter(Exists(Query.objects.filter(image=OuterRef("pk"), state="open")))
        if state == Image.State.LABELED:
            return rows.filter(Exists(Consensus.objects.filter(image=OuterRef("pk"))))
        if state == Image.State.RESERVED:
            return rows.exclude(split=Image.Split.POOL)
        return rows


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin):
    """Images: found by file name, hash or number."""

    list_display = ["preview", "name", "campaign", "state_label", "split", "known", "pixels", "id"]
    list_display_links = ["preview", "name"]
    list_select_related = ["campaign", "known_choice"]
    list_filter = [CampaignFilter, ImageStateFilter, value_filter("split", Image.Split.choices)]
    search_fields = ["name"]
    search_help_text = "Beginning of the name, whole SHA-256, or #number"
    fields = [
        "large", "name", "campaign", "state", "split", "known_choice", "problem", "answers",
        "queries", "sha256", "key", "pixels", "size", "cell", "position", "created_at",
    ]  # fmt: skip
    readonly_fields = ["large", "answers", "queries", "pixels"]

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Within a campaign the position is the order of import, and it has an index.
        return ("-position",) if request.GET.get("campaign") else ("-id",)

    def search(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        if term.startswith("#"):
            return super().search(rows, term)
        if len(term) == SHA256_LENGTH and set(term.lower()) <= set("0123456789abcdef"):
            # The index begins with the campaign, of which there are few.
            return rows.filter(campaign_id__in=Campaign.objects.values("pk"), sha256=term.lower())
        return rows.filter(name__startswith=term)

    @admin.display(description="image")
    def preview(self, image: Image) -> SafeString:
        return thumbnail(image, 40)

    @admin.display(description="image")
    def large(self, image: Image) -> SafeString:
        return thumbnail(image, 320)

    @admin.display(description="state")
    def state_label(self, image: Image) -> str:
        return image.get_state_display()

    @admin.display(description="known label")
    def known(self, image: Image) -> str:
        return image.known_choice.name if image.known_choice else "–"

    @admin.display(description="pixels")
    def pixels(self, image: Image) -> str:
        return f"{image.width} × {image.height}"

    @admin.display(description="answers that count")
    def answers(self, image: Image) -> SafeString | str:
        labels = Label.objects.filter(image=image, retracted_at=None).select_related(
            "choice", "annotator"
        )
        return format_html_join(
            "", "<div>{} – {}, {}</div>",
            [
                (link("label", label.pk, label.choice.name), label.annotator.pseudonym,
                 f"{label.answered_at:%Y-%m-%d %H:%M:%S} UTC")
                for label in labels
            ],
        ) or "none"  # fmt: skip

    @admin.display(description="queries")
    def queries(self, image: Image) -> SafeString | str:
        rows = Query.objects.filter(image=image).order_by("-id")[:20]
        return format_html_join(
            "", "<div>{} – {}, by {}, {}</div>",
            [
                (link("query", row.pk, f"#{row.pk}"), row.state, row.strategy,
                 f"{row.created_at:%Y-%m-%d %H:%M:%S} UTC")
                for row in rows
            ],
        ) or "none"  # fmt: skip


class ImageRowsAdmin(ReadOnlyAdmin):
    """Rows that belong to an image, found by their own number or by the image's."""

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
    """S and what was in it: which worker asked which image, and why."""

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


@admin.register(Assignment)
class AssignmentAdmin(ImageRowsAdmin):
    """Turns: who holds, answered or skipped what."""

    list_display = [
        "id", "query_number", "image_number", "state", "annotator", "lease_expires", "skip_reason",
    ]  # fmt: skip
    list_select_related = ["annotator"]
    list_filter = [
        CampaignFilter,
        value_filter("state", Assignment.State.choices),
        value_filter("skip_reason", Assignment.SkipReason.choices),
    ]
    unindexed_filters = ["campaign", "state", "skip_reason"]
    search_help_text = "#number, image:number or query:number"

    def search(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        what, colon, number = term.partition(":")
        if colon and what.strip().lower() == "query":
            found = as_id(number.strip().removeprefix("#"))
            return rows.none() if found is None else rows.filter(query_id=found)
        return super().search(rows, term)

    @admin.display(description="query")
    def query_number(self, turn: Assignment) -> SafeString | str:
        return link("query", turn.query_id, f"#{turn.query_id}")


@admin.register(Label)
class LabelAdmin(ImageRowsAdmin):
    """Answers: facts. They are written once, by people; the admin shows them."""

    list_display = [
        "id", "image_number", "choice", "annotator", "answered_at", "seconds", "staleness",
        "after_lease", "retracted_at",
    ]  # fmt: skip
    list_select_related = ["choice", "annotator"]
    list_filter = [CampaignFilter]
    search_help_text = f"#number, image:number, or pseudonym (newest {WINDOW:,} answers)"
    # The index by image has the answers that count.
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
    """What the answers add up to; the most recent changes of a campaign first."""

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
