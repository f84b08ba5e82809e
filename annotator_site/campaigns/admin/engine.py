"""Model versions, engine processes, cells and annotators in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Cell, EngineProcess, ModelVersion
from al_engine.pools.processes import SILENT_AFTER_SECONDS
from annotator_site.campaigns.admin.base import (
    CampaignFilter,
    PoolAdmin,
    ReadOnlyAdmin,
    as_id,
    value_filter,
)


def accuracy_words(value: float | None, low: float | None, high: float | None) -> str:
    """An accuracy with its 95 % interval."""
    if value is None:
        return "–"
    if low is None or high is None:
        return f"{value:.1%}"
    return f"{value:.1%} ({low:.1%} to {high:.1%})"


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """The models that the servers published."""

    list_display = [
        "version", "campaign", "server", "role", "architecture", "labels", "on_holdout",
        "on_audit", "off_by", "trained_for", "published_at", "kept",
    ]  # fmt: skip
    list_select_related = ["campaign", "server"]
    list_filter = [CampaignFilter]
    fields = [
        "campaign", "version", "server", "role", "architecture", "labels_seen", "trained_on",
        "trained_for", "on_holdout", "on_audit", "audit_count", "off_by", "divisor", "published_at",
        "key", "sha256", "size",
    ]  # fmt: skip
    readonly_fields = ["trained_for", "on_holdout", "on_audit", "off_by", "divisor"]
    search_fields = ["sha256"]
    search_help_text = "#number of the row"

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-version",) if request.GET.get("campaign") else ("-id",)

    @admin.display(description="labels seen")
    def labels(self, row: ModelVersion) -> str:
        # `al_engine/roles/zero_shot.py` publishes the only versions that were trained on nothing.
        return f"{row.labels_seen:,}" if row.trained_on else "none: from the names of the classes"

    @admin.display(description="accuracy on the holdout (95 %)")
    def on_holdout(self, row: ModelVersion) -> str:
        return accuracy_words(row.accuracy, row.accuracy_low, row.accuracy_high)

    @admin.display(description="on audit labels (95 %)")
    def on_audit(self, row: ModelVersion) -> str:
        return accuracy_words(row.audit_accuracy, row.audit_low, row.audit_high)

    @admin.display(description="calibration error")
    def off_by(self, row: ModelVersion) -> str:
        return "–" if row.ece is None else f"{row.ece:.3f}"

    @admin.display(description="temperature")
    def divisor(self, row: ModelVersion) -> str:
        return f"{row.temperature:.3f}"

    @admin.display(description="trained for, s")
    def trained_for(self, row: ModelVersion) -> str:
        return f"{row.train_seconds:.1f}"

    @admin.display(description="weights kept", boolean=True)
    def kept(self, row: ModelVersion) -> bool:
        return bool(row.key)


@admin.register(EngineProcess)
class EngineProcessAdmin(ReadOnlyAdmin):
    """Servers and workers: what they do, and when they last sent a heartbeat."""

    list_display = [
        "name", "role", "campaign", "alive", "state", "device", "strategy", "depth",
        "heartbeat_at", "last_error",
    ]  # fmt: skip
    list_select_related = ["campaign"]
    list_filter = [CampaignFilter, value_filter("role", EngineProcess.Role.choices)]
    ordering = ["-id"]

    @admin.display(description="heard lately", boolean=True)
    def alive(self, row: EngineProcess) -> bool:
        silence = timezone.now() - row.heartbeat_at
        return silence.total_seconds() < SILENT_AFTER_SECONDS


@admin.register(Cell)
class CellAdmin(ReadOnlyAdmin):
    """Which worker holds which slice of D."""

    list_display = ["cell", "campaign", "worker", "lease_expires"]
    list_select_related = ["campaign", "worker"]
    list_filter = [CampaignFilter]
    list_per_page = 64

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("cell",) if request.GET.get("campaign") else ("-id",)


@admin.register(Annotator)
class AnnotatorAdmin(PoolAdmin):
    """Who may label in which campaign. Never deleted, because answers name their pseudonym."""

    list_display = ["pseudonym", "user", "campaign", "active", "joined_at"]
    list_select_related = ["user", "campaign"]
    list_filter = [CampaignFilter, value_filter("active", [("1", "active"), ("0", "switched off")])]
    autocomplete_fields = ["campaign", "user"]
    fields = ["campaign", "user", "pseudonym", "active", "joined_at"]
    readonly_fields = ["pseudonym", "joined_at"]
    search_fields = ["pseudonym"]
    search_help_text = "Pseudonym or user name, in full, or #number"
    ordering = ["-id"]
    actions = ["switch_off", "switch_on"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # A membership with answers cannot move to another person or campaign.
        return [*self.readonly_fields, *(["campaign", "user"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Annotator, form: "ModelForm[Any]", change: bool
    ) -> None:
        campaigns.save_annotator(annotator=obj)

    def search(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        if term.startswith("#"):
            number = as_id(term[1:])
            return rows.none() if number is None else rows.filter(pk=number)
        named = rows.filter(user__username=term)
        return named if named.exists() else rows.filter(pseudonym=term)

    @admin.action(description="Switch off: may not label any more", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Annotator]) -> None:
        changed = campaigns.set_active(annotators=queryset, active=False)
        self.message_user(request, f"{changed} may not label any more; their answers stay.")

    @admin.action(description="Switch on: may label", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Annotator]) -> None:
        changed = campaigns.set_active(annotators=queryset, active=True)
        self.message_user(request, f"{changed} may label.")
