"""The campaigns in which the permissions of a staff member apply: their own, or all.

Django's permissions say what a staff member may do; the owners of each campaign say where.
Superusers and staff with the permission `all_campaigns` may act in every campaign.
"""

from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib import admin
from django.db.models import ForeignKey, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest

from al_engine.pools.models import Campaign
from annotator_site.accounts.models import User

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
else:
    BaseAdmin = object

EVERYWHERE: Final = "pools.all_campaigns"


def campaigns_within(actor: User) -> QuerySet[Campaign]:
    """Campaigns in which the permissions of `actor` apply."""
    campaigns = Campaign.objects.all()
    return campaigns if actor.has_perm(EVERYWHERE) else campaigns.filter(owners=actor)


def own_campaigns(actor: User) -> list[int] | None:
    """Ids of the campaigns in which the permissions of `actor` apply; None: all campaigns."""
    if actor.has_perm(EVERYWHERE):
        return None
    return list(actor.owned_campaigns.order_by().values_list("pk", flat=True))


def may_see_pictures(actor: User) -> bool:
    """Whether `actor` may see images, in the campaigns in which their permissions apply."""
    return actor.has_perm("pools.view_image") or actor.has_perm("pools.change_image")


class WithinCampaigns(BaseAdmin):
    """Admin of rows that belong to a campaign; hides rows of other people's campaigns."""

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows = super().get_queryset(request)
        # Ids, not a subquery: PostgreSQL then plans as for a filter on a single campaign.
        own = own_campaigns(actor(request))
        lookup = "pk__in" if self.model is Campaign else "campaign__in"
        return rows if own is None else rows.filter(**{lookup: own})

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and self._is_within(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_within(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_within(request, obj)

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        if db_field.related_model is Campaign:
            kwargs["queryset"] = campaigns_within(actor(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def _is_within(self, request: HttpRequest, obj: Any) -> bool:
        # Django passes an inline its parent row.
        if not isinstance(obj, self.model) or obj.pk is None:
            return True
        own = own_campaigns(actor(request))
        return own is None or (obj.pk if self.model is Campaign else obj.campaign_id) in own


def actor(request: HttpRequest) -> User:
    """The user of this request; the admin admits only logged-in users."""
    return cast("User", request.user)
