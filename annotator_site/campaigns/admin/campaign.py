"""Campaigns in the admin: create, set up, run, pause and finish them; never delete them."""

from typing import Any

from django.contrib import admin
from django.db.models import IntegerField, Model, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from al_engine.pools import campaigns
from al_engine.pools.class_names import MAX_CLASSES
from al_engine.pools.classes import save_choices
from al_engine.pools.models import Campaign, Choice, Counter
from al_engine.pools.readings import read_network
from al_engine.pools.sizes import sizes
from al_engine.pools.status import network_words
from annotator_site.accounts.campaign_rights import WithinCampaigns, actor, own_campaigns
from annotator_site.campaigns.admin.base import (
    PoolAdmin,
    SiteModelAdmin,
    SiteTabularInline,
    label_column,
    value_filter,
)
from annotator_site.campaigns.admin.campaign_forms import CampaignForm, ChoiceForm, ChoicesFormSet
from annotator_site.campaigns.admin.skips import to_look_at
from annotator_site.monitor import views

STATE_COLORS = {"running": "success", "paused": "warning", "finished": "info"}


class ChoiceInline(SiteTabularInline):
    """The classes, in the order in which they were added."""

    model = Choice
    form = ChoiceForm
    formset = ChoicesFormSet
    fields = ["name", "hotkey", "color"]
    extra = 0
    min_num = 2
    max_num = MAX_CLASSES
    hide_title = True
    ordering = ["position"]
    verbose_name = "class"
    verbose_name_plural = "classes"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Answers and known labels refer to classes. A class can always be renamed.
        if obj is not None and _has_images(obj.pk):
            return False
        return super().has_delete_permission(request, obj)


@admin.register(Campaign)
class CampaignAdmin(WithinCampaigns, SiteModelAdmin):
    """Campaigns, each with its classes and a link to its live page."""

    form = CampaignForm
    inlines = [ChoiceInline]
    list_display = ["title", "state_label", "labeled", "answers", "live", "slug", "created_at"]
    list_filter = [value_filter("state", Campaign.State.choices)]
    list_fullwidth = True
    search_fields = ["title", "slug"]
    search_help_text = "Title or short name"
    ordering = ["-id"]
    sortable_by = ()
    lookup_allowed = PoolAdmin.lookup_allowed
    prepopulated_fields = {"slug": ["title"]}
    autocomplete_fields = ["owners"]
    actions = ["run", "pause", "finish"]
    warn_unsaved_form = True
    compressed_fields = False
    fieldsets = [
        ("The job", {"fields": ["title", "slug", "state_words", "to_look_at", "instructions"]}),
        (
            "How much is asked",
            {
                "description": "Ask one person and move on, or let several people agree.",
                "fields": [
                    ("answers_per_image", "max_answers", "confidence"),
                    ("audit_rate", "budget"),
                ],
            },
        ),
        (
            "The people",
            {
                "fields": [
                    "owners",
                    ("examples_per_class", "practice_images"),
                    ("lease_seconds", "resume_seconds", "messages_per_second"),
                ]
            },
        ),
        (
            "The models",
            {
                "description": "Servers train models on what was labeled and publish them.",
                "fields": [
                    "architectures",
                    ("image_size", "servers"),
                    "network_words",
                    "delivery_architecture",
                    ("min_new_labels", "warm_start", "model_choice"),
                ],
            },
        ),
        (
            "What is asked next",
            {
                "description": "Workers look for the most useful images with the newest model.",
                "fields": ["strategies", ("workers", "batch_size", "refresh"), "partition"],
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        counters = Counter.objects.filter(campaign=OuterRef("pk")).order_by().values("campaign")

        def total(expression: Any) -> Coalesce:
            summed = counters.annotate(total=Sum(expression)).values("total")
            return Coalesce(Subquery(summed, output_field=IntegerField()), 0)

        rows: QuerySet[Campaign] = super().get_queryset(request)
        return rows.annotate(labeled_images=total("labeled"), answers_stored=total("answers"))

    # The list.

    @label_column("state", STATE_COLORS)
    def state_label(self, campaign: Campaign) -> tuple[str, str]:
        return campaign.state, campaign.get_state_display()

    @admin.display(description="labeled images")
    def labeled(self, campaign: Any) -> str:
        return f"{campaign.labeled_images:,}"

    @admin.display(description="answers")
    def answers(self, campaign: Any) -> str:
        return f"{campaign.answers_stored:,}"

    @admin.display(description="live page")
    def live(self, campaign: Campaign) -> SafeString:
        return format_html(
            '<a class="nw-link" href="{}" aria-label="Watch it live: {}">Watch it live</a>',
            reverse("admin:pools_campaign_live", args=[campaign.pk]),
            campaign.title,
        )

    @admin.action(description="Run: people are asked", permissions=["change"])
    def run(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._set_state(request, queryset, Campaign.State.RUNNING)

    @admin.action(description="Pause: nobody is asked for now", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._set_state(request, queryset, Campaign.State.PAUSED)

    @admin.action(description="Finish: nobody is asked any more", permissions=["change"])
    def finish(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._set_state(request, queryset, Campaign.State.FINISHED)

    def _set_state(
        self, request: HttpRequest, queryset: QuerySet[Campaign], state: Campaign.State
    ) -> None:
        for campaign in queryset:
            if campaigns.set_state(campaign_id=campaign.pk, state=state):
                self.log_change(request, campaign, f"Set to {state.label}.")
                self.message_user(request, f"“{campaign}” is {state.label} now.")
            else:
                self.message_user(request, f"“{campaign}” was {state.label} already.")

    # The form.

    @admin.display(description="state")
    def state_words(self, campaign: Campaign) -> SafeString | str:
        if campaign._state.adding:
            return "It runs as soon as it is saved. Import images next, then start the engine."
        return format_html(
            '{}. {}Pause it or run it on its <a class="nw-link" href="{}">live page</a>, finish it '
            "with the action in the list. A campaign is never deleted: it holds people’s work.",
            campaign.get_state_display().capitalize(),
            "" if _has_images(campaign.pk) else _no_images(campaign.slug),
            reverse("admin:pools_campaign_live", args=[campaign.pk]),
        )

    @admin.display(description="to look at")
    def to_look_at(self, campaign: Campaign) -> SafeString | str:
        return "–" if campaign._state.adding else to_look_at(campaign)

    @admin.display(description="network")
    def network_words(self, campaign: Campaign) -> str:
        if campaign._state.adding:
            return "chosen automatically, once there are images, unless you write another"
        network = read_network(campaign)
        return f"{network_words(network)} {network['problem']}".strip()

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # The slug is in people's links and scripts, so it never changes. Staff without the right
        # to view users get no user names to choose from.
        may_name = request.user.has_perm("accounts.view_user")
        return [
            *("state_words", "to_look_at", "network_words"),
            *(["slug"] if obj else []),
            *([] if may_name else ["owners"]),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Campaign, form: "ModelForm[Any]", change: bool
    ) -> None:
        if change:
            campaigns.save_settings(campaign=obj)
        else:
            campaigns.add_campaign(campaign=obj)

    def save_formset(
        self,
        request: HttpRequest,
        form: "ModelForm[Any]",
        formset: "BaseInlineFormSet[Choice, Campaign, Any]",
        change: bool,
    ) -> None:
        formset.save(commit=False)
        removed = formset.deleted_objects
        kept = [
            row.instance
            for row in formset.forms
            if row.instance.name and row.instance not in removed
        ]
        save_choices(campaign=form.instance, choices=kept, removed=removed)

    def save_related(
        self, request: HttpRequest, form: "ModelForm[Any]", formsets: Any, change: bool
    ) -> None:
        by, campaign_id = actor(request), form.instance.pk
        if "owners" in form.cleaned_data:
            owners = form.cleaned_data["owners"]
            campaigns.set_owners(campaign_id=campaign_id, user_ids=[owner.pk for owner in owners])
        for formset in formsets:
            self.save_formset(request, form, formset, change)
        if not change or own_campaigns(by) is not None:
            # This person stays an owner: people cannot remove themselves, only other owners can.
            campaigns.add_owners(campaign_id=campaign_id, user_ids=[by.pk])

    def get_urls(self) -> list[URLPattern]:
        admin_view = self.admin_site.admin_view
        own = {"model_admin": self}
        return [
            path(
                "<int:campaign_id>/live/",
                admin_view(views.live_page),
                own,
                name="pools_campaign_live",
            ),
            path(
                "<int:campaign_id>/state/",
                admin_view(views.change_state),
                own,
                name="pools_campaign_state",
            ),
            *super().get_urls(),
        ]


def _no_images(slug: str) -> SafeString:
    return format_html(
        "It has no images yet, so nobody is asked anything: import some with "
        "<code>manage.py import_images {} PATH</code>. ",
        slug,
    )


def _has_images(campaign_id: int) -> bool:
    now = sizes(campaign_id=campaign_id)
    return now.total + now.excluded + now.reserved > 0
