"""Who may see and do what: exactly as in the administration, and labeling as on its page.

Staff need Django's permission for the kind of row, in a campaign of theirs or with `all_campaigns`.
A campaign that somebody may not see does not exist for them (404); one that they see, but not its
rows, says so (403).
"""

from typing import Final

from django.db.models import Q, QuerySet
from django.http import Http404
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from al_engine.pools.models import Annotator, Campaign
from annotator_site.accounts.campaign_rights import campaigns_within
from annotator_site.accounts.models import Scope, Token, User

READING: Final = (Scope.READ, Scope.MANAGE)
MANAGING: Final = (Scope.MANAGE,)


def check_scope(request: Request, *allowed: Scope) -> None:
    """Raise PermissionDenied if a token is for other things; sessions may do everything."""
    token = request.auth
    if isinstance(token, Token) and not set(allowed) & set(token.scopes):
        needed = " or ".join(f"“{scope}”" for scope in allowed)
        raise PermissionDenied(f"This needs a token with the scope {needed}: create another one.")


def may(user: User, model: str, *verbs: str) -> bool:
    """Whether the permissions of `user` have one of these verbs for rows of `model`, somewhere."""
    return user.is_staff and any(user.has_perm(f"pools.{verb}_{model}") for verb in verbs)


def may_view(user: User, model: str) -> bool:
    """Whether `user` may see rows of `model`, in the campaigns in which their permissions hold."""
    return may(user, model, "view", "change")


def visible(user: User) -> QuerySet[Campaign]:
    """The campaigns that `user` sees: those they run, and those in which they label."""
    labels_in = Q(pk__in=Annotator.objects.filter(user=user, active=True).values("campaign_id"))
    if not may_view(user, "campaign"):
        return Campaign.objects.filter(labels_in)
    return Campaign.objects.filter(labels_in | Q(pk__in=campaigns_within(user).values("pk")))


def runs(user: User, campaign: Campaign, model: str, *verbs: str) -> bool:
    """Whether `user` may do this to rows of `model` in this very campaign."""
    return may(user, model, *verbs) and campaigns_within(user).filter(pk=campaign.pk).exists()


def require(right: bool, permission: str) -> None:
    """Raise PermissionDenied, which names the permission, unless there is the right."""
    if not right:
        raise PermissionDenied(f"You lack a permission: {permission}.")


def campaign_for(user: User, slug: str, model: str, *verbs: str) -> Campaign:
    """The campaign with this slug, in which `user` may do this to rows of `model`.

    Raises Http404 if they may not see it, PermissionDenied if they see it, but may not do this.
    """
    campaign = Campaign.objects.filter(slug=slug).first()
    if campaign is not None and runs(user, campaign, model, *verbs):
        return campaign
    if campaign is None or not visible(user).filter(pk=campaign.pk).exists():
        raise no_campaign(slug)
    needed = " or ".join(f"pools.{verb}_{model}" for verb in verbs)
    raise PermissionDenied(f"You lack a permission in this campaign: {needed}.")


def no_campaign(slug: str) -> Http404:
    """What is said of a campaign that does not exist, or not for this user."""
    return Http404(f"There is no campaign “{slug}” for you.")
