"""Images that were not answered: called unusable, skipped by everybody, or not shown in a browser.

What people say and what machines find are kept apart.
"""

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from al_engine.pools.excluded import ASIDE, UNSHOWN
from al_engine.pools.models import Annotator, Campaign, Image, Label, PastSkip, Turn
from annotator_site.campaigns.admin.base import as_id

COUNTED: Final = 1_000
"""Counts stop here."""

_WORDS: Final = dict(Turn.SkipReason.choices)


def called_unusable(rows: QuerySet[Image]) -> QuerySet[Image]:
    """Images that two people excluded as unusable."""
    out = Image.State.EXCLUDED
    return rows.filter(state=out, resting=out, excluded_for=Image.ExcludedFor.VERDICT)


def set_aside(rows: QuerySet[Image]) -> QuerySet[Image]:
    """Images set aside until their missing or damaged files are back."""
    return rows.filter(excluded_for__in=ASIDE)


def unshown(rows: QuerySet[Image], *, campaign_id: int | None = None) -> QuerySet[Image]:
    """Images still in S whose picture did not show in somebody's browser."""
    reported = Q(skip_reason__in=UNSHOWN)
    return _skipped(rows, reported, by=1, campaign_id=campaign_id)


def skipped(rows: QuerySet[Image], *, by: int, campaign_id: int | None = None) -> QuerySet[Image]:
    """Images still in S that at least `by` people skipped."""
    by_person = Q(skip_sender=Turn.Sender.PERSON)
    return _skipped(rows, by_person, by=by, campaign_id=campaign_id)


def _skipped(
    rows: QuerySet[Image], which: Q, *, by: int, campaign_id: int | None
) -> QuerySet[Image]:
    turns = Turn.objects.filter(which, state=Turn.State.SKIPPED)
    if campaign_id is not None:
        turns = turns.filter(campaign=campaign_id)
    last = turns.order_by().filter(image=OuterRef("pk"))[by - 1 : by]
    return rows.filter(
        Exists(last), state=Image.State.QUERIED, pk__in=turns.order_by().values("image")
    )


def left_by_everybody(rows: QuerySet[Image], *, campaign_id: int | None = None) -> QuerySet[Image]:
    """Skipped images in S that no active annotator of the campaign is left to answer."""
    active = Annotator.objects.filter(campaign=OuterRef("campaign"), active=True)
    image = OuterRef(OuterRef("pk"))
    had = Turn.objects.filter(image=image, annotator=OuterRef("pk")).exclude(
        state=Turn.State.LEASED
    )
    said = Label.objects.filter(image=image, annotator=OuterRef("pk"), retracted_at=None)
    return _skipped(rows, Q(), by=1, campaign_id=campaign_id).filter(
        Exists(active), ~Exists(active.filter(~Exists(had), ~Exists(said)))
    )


class SkipFilter(admin.SimpleListFilter):
    """A filter by the reason why images were not answered."""

    title = "what was not answered"
    parameter_name = "said"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [
            ("unusable", "excluded by people"),
            ("everybody", "skipped by everybody"),
            ("unshown", "did not show"),
            ("aside", "files missing or damaged"),
            *[(str(n), f"skipped by {n} or more, still asked") for n in (1, 2, 3, 5)],
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Image]) -> QuerySet[Image]:
        value, campaign = self.value(), request.GET.get("campaign", "")
        campaign_id = as_id(campaign)
        match value:
            case "unusable":
                return called_unusable(queryset)
            case "everybody":
                return left_by_everybody(queryset, campaign_id=campaign_id)
            case "unshown":
                return unshown(queryset, campaign_id=campaign_id)
            case "aside":
                return set_aside(queryset)
            case "1" | "2" | "3" | "5":
                return skipped(queryset, by=int(value), campaign_id=campaign_id)
        return queryset


def skips_of(images: Iterable[Image]) -> dict[int, SafeString]:
    """By image id: who skipped the image, why and when. Images that nobody skipped are left out.

    Skips from before an image was put back come first.
    """
    chosen = list(images)
    past = (
        PastSkip.objects.filter(image__in=chosen)
        .order_by("skipped_at")
        .values_list("image", "annotator__pseudonym", "reason", "sender", "detail", "skipped_at")
    )
    now = (
        Turn.objects.filter(image__in=chosen, state=Turn.State.SKIPPED)
        .order_by("skipped_at")
        .values_list(
            "image", "annotator__pseudonym", "skip_reason", "skip_sender", "skip_detail",
            "skipped_at",
        )
    )  # fmt: skip
    told: dict[int, list[tuple[str, str, str, str]]] = {}
    for rows, after in ((past, ", before it was put back"), (now, "")):
        for image_id, who, why, sender, detail, at in rows:
            words = _WORDS.get(why, why)
            if sender == Turn.Sender.MACHINE:
                words = f"{words} (said by a machine{detail and f': {detail}'})"
            when = f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "–"
            told.setdefault(image_id, []).append((who, words, when, after))
    return {
        image_id: format_html_join("", "<div>{}: {}, {}{}</div>", lines)
        for image_id, lines in told.items()
    }


def to_look_at(campaign: Campaign) -> SafeString:
    """How many images of a campaign were not answered, by reason, with links to their lists."""
    images = Image.objects.filter(campaign=campaign)
    found = [
        ("unusable", "called unusable by two people", called_unusable(images)),
        ("everybody", "skipped by everybody", left_by_everybody(images, campaign_id=campaign.pk)),
        ("unshown", "that did not show in a browser", unshown(images, campaign_id=campaign.pk)),
        ("aside", "whose files are missing or damaged", set_aside(images)),
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
