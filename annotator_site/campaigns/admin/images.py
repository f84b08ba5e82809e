"""Images in the admin: view them, find them, and put skipped or excluded images back."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from al_engine.pools import excluded
from al_engine.pools.models import Campaign, Consensus, Image, Label, Query
from annotator_site.campaigns.admin.base import (
    CampaignFilter,
    ReadOnlyAdmin,
    ValueFilter,
    link,
    lists_some_campaigns,
    value_filter,
)
from annotator_site.campaigns.admin.similar import similar_images
from annotator_site.campaigns.admin.skips import SkipFilter, skips_of
from annotator_site.images.addresses import image_url

SHA256_LENGTH = 64
# Extra column of the list by the value of SkipFilter; for all other values it is "skips".
_TELLING = {"aside": "problem"}


def thumbnail(image: Image, side: int) -> SafeString:
    """An `img` of `side` × `side` px; smaller images are enlarged without smoothing."""
    return format_html(
        '<img src="{}" alt="" loading="lazy" decoding="async" class="nw-thumb{}"'
        ' width="{}" height="{}">',
        image_url(image.shown_key),
        " nw-pixels" if max(image.width, image.height) < side else "",
        side,
        side,
    )


class ImageStateFilter(ValueFilter):
    """A filter by state that uses the index of each pool; the image table has none for `state`."""

    title = parameter_name = field = "state"
    choices_of = Image.State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Image]) -> QuerySet[Image]:
        state = self.value()
        if state is None:
            return queryset
        rows = queryset.filter(state=state)
        if lists_some_campaigns(request):
            return rows
        if state in (Image.State.UNLABELED, Image.State.EXCLUDED):
            return rows.filter(resting=state)
        if state == Image.State.QUERIED:
            return rows.filter(Exists(Query.objects.filter(image=OuterRef("pk"), state="open")))
        if state == Image.State.LABELED:
            return rows.filter(Exists(Consensus.objects.filter(image=OuterRef("pk"))))
        if state == Image.State.RESERVED:
            return rows.exclude(split=Image.Split.POOL)
        return rows


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin):
    """Images, found by file name, hash or id."""

    list_display = ["preview", "name", "campaign", "state_label", "split", "known", "pixels", "id"]
    list_display_links = ["preview", "name"]
    list_select_related = ["campaign", "known_choice"]
    list_filter = [
        CampaignFilter,
        ImageStateFilter,
        SkipFilter,
        value_filter("split", Image.Split.choices),
    ]
    actions = ["put_back"]  # type: ignore[assignment]  # read-only otherwise
    search_fields = ["name"]
    search_help_text = "Beginning of the name, whole SHA-256, or #number"
    fields = [
        "large", "similar", "name", "campaign", "state", "split", "known", "problem",
        "excluded_for", "skips", "put_back_at", "answers", "queries", "sha256", "key", "pixels",
        "size", "shown", "cell", "position", "created_at",
    ]  # fmt: skip
    readonly_fields = [
        "large", "similar", "known", "skips", "answers", "queries", "pixels", "shown",
    ]  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:image_id>/similar/",
                self.admin_site.admin_view(similar_images),
                {"model_admin": self},
                name="pools_image_similar",
            ),
            *super().get_urls(),
        ]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        # One statement for the whole page: an annotation of the list's own queryset would be
        # computed for the count of rows as well.
        changelist = super().get_changelist_instance(request)
        if request.GET.get("said"):
            found = skips_of(changelist.result_list)
            for image in changelist.result_list:
                image.skipped_by = found.get(image.pk, "nobody")
        return changelist

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        said = request.GET.get("said")
        return [*self.list_display, *([_TELLING.get(said, "skips")] if said else [])]

    def has_put_back_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("pools.change_image")

    @admin.action(description="Put back, for everybody", permissions=["put_back"])
    def put_back(self, request: HttpRequest, queryset: QuerySet[Image]) -> None:
        chosen = {image.pk: image for image in queryset}
        done = excluded.put_back(image_ids=chosen)
        for image_id in done:
            self.log_change(request, chosen[image_id], "Put back, for everybody.")
        self.message_user(
            request,
            f"{len(done):,} of {len(chosen):,} images put back: what was said of them until now "
            "does not count any more, and everybody who has not answered may be asked. Others were "
            "neither excluded nor skipped.",
            messages.SUCCESS if done else messages.WARNING,
        )

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Within a campaign, `position` is the order of import and is indexed.
        return ("-position",) if request.GET.get("campaign") else ("-id",)

    def search(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        if term.startswith("#"):
            return super().search(rows, term)
        if len(term) == SHA256_LENGTH and set(term.lower()) <= set("0123456789abcdef"):
            # The index begins with the campaign; there are few campaigns, so name them all.
            return rows.filter(campaign_id__in=Campaign.objects.values("pk"), sha256=term.lower())
        return rows.filter(name__startswith=term)

    @admin.display(description="image")
    def preview(self, image: Image) -> SafeString:
        return thumbnail(image, 40)

    @admin.display(description="image")
    def large(self, image: Image) -> SafeString:
        return thumbnail(image, 320)

    @admin.display(description="similar images")
    def similar(self, image: Image) -> SafeString:
        # `static/monitor/similar.js` fills it in after the page.
        address = reverse("admin:pools_image_similar", args=[image.pk])
        return render_to_string("admin/pools/image/similar_place.html", {"address": address})

    @admin.display(description="state")
    def state_label(self, image: Image) -> str:
        return image.get_state_display()

    @admin.display(description="skipped by")
    def skips(self, image: Any) -> SafeString | str:
        if not hasattr(image, "skipped_by"):
            image.skipped_by = skips_of([image]).get(image.pk, "nobody")
        told: SafeString | str = image.skipped_by
        return told

    @admin.display(description="known label")
    def known(self, image: Image) -> str:
        if image.known_disputed:
            return "two classes were given: a table decides"
        return image.known_choice.name if image.known_choice else "–"

    @admin.display(description="pixels")
    def pixels(self, image: Image) -> str:
        return f"{image.width} × {image.height}"

    @admin.display(description="what people are shown")
    def shown(self, image: Image) -> SafeString | str:
        if image.display_key is None:
            return "The file as it was imported."
        return format_html(
            "A copy of {} × {} pixels, {} bytes: {}",
            image.display_width,
            image.display_height,
            f"{image.display_size:,}",
            image.display_key,
        )

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
