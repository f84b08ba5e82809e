"""What people skip, for those who run a campaign: images called unusable, images left by all."""

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from al_engine.pools.excluded import UNUSABLE
from al_engine.pools.models import Annotator, Assignment, Campaign, Image, Label

COUNTED: Final = 1_000
"""Counts stop here."""

_WORDS: Final = dict(Assignment.SkipReason.choices)


def called_unusable(rows: QuerySet[Image]) -> QuerySet[Image]:
    """Images that two people took out of the pools."""
    out = Image.State.EXCLUDED
    return rows.filter(state=out, resting=out, problem=UNUSABLE)


def skipped(rows: QuerySet[Image], *, by: int, campaign_id: int | None = None) -> QuerySet[Image]:
    """Images still in S that so many people skipped."""
    turns = Assignment.objects.filter(state=Assignment.State.SKIPPED)
    if campaign_id is not None:
        turns = turns.filter(campaign=campaign_id)
    last = turns.order_by().filter(image=OuterRef("pk"))[by - 1 : by]
    return rows.filter(
        Exists(last), state=Image.State.QUERIED, pk__in=turns.order_by().values("image")
    )


def left_by_everybody(rows: QuerySet[Image], *, campaign_id: int | None = None) -> QuerySet[Image]:
    """Images in S that were skipped and that nobody is left to ask, until somebody new comes."""
    active = Annotator.objects.filter(campaign=OuterRef("campaign"), active=True)
    image = OuterRef(OuterRef("pk"))
    had = Assignment.objects.filter(image=image, annotator=OuterRef("pk")).exclude(
        state=Assignment.State.LEASED
    )
    said = Label.objects.filter(image=image, annotator=OuterRef("pk"), retracted_at=None)
    return skipped(rows, by=1, campaign_id=campaign_id).filter(
        Exists(active), ~Exists(active.filter(~Exists(had), ~Exists(said)))
    )


class SkipFilter(admin.SimpleListFilter):
    """By what people said of images that they did not answer."""

    title = "what people skip"
    parameter_name = "said"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [
            ("unusable", "excluded by people"),
            ("everybody", "skipped by everybody"),
            *[(str(n), f"skipped by {n} or more, still asked") for n in (1, 2, 3, 5)],
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Image]) -> QuerySet[Image]:
        value, campaign = self.value(), request.GET.get("campaign", "")
        campaign_id = int(campaign) if campaign.isascii() and campaign.isdecimal() else None
        match value:
            case "unusable":
                return called_unusable(queryset)
            case "everybody":
                return left_by_everybody(queryset, campaign_id=campaign_id)
            case "1" | "2" | "3" | "5":
                return skipped(queryset, by=int(value), campaign_id=campaign_id)
        return queryset


def skips_of(images: Iterable[Image]) -> dict[int, SafeString]:
    """Who skipped each of these images, why and when; those that nobody skipped are left out."""
    told: dict[int, list[tuple[str, str, str]]] = {}
    for image_id, who, why, at in (
        Assignment.objects.filter(image__in=list(images), state=Assignment.State.SKIPPED)
        .order_by("skipped_at")
        .values_list("image", "annotator__pseudonym", "skip_reason", "skipped_at")
    ):
        when = f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "–"
        told.setdefault(image_id, []).append((who, _WORDS.get(why, why), when))
    return {
        image_id: format_html_join("", "<div>{}: {}, {}</div>", lines)
        for image_id, lines in told.items()
    }


def to_look_at(campaign: Campaign) -> SafeString:
    """How many images of a campaign people took out or left, with the way to them."""
    images = Image.objects.filter(campaign=campaign)
    found = [
        ("unusable", "called unusable by two people", called_unusable(images)),
        ("everybody", "skipped by everybody", left_by_everybody(images, campaign_id=campaign.pk)),
    ]
    address = reverse("admin:pools_image_changelist")
    return format_html_join(
        "",
        '<div><a class="nw-link" href="{}?campaign={}&amp;said={}">{} {}</a></div>',
        [(address, campaign.pk, said, _number(rows), words) for said, words, rows in found],
    )


def _number(rows: QuerySet[Image]) -> str:
    count = rows.order_by()[: COUNTED + 1].count()
    return format_html("{} images", f"{count:,}" if count <= COUNTED else f"more than {COUNTED:,}")
