"""Prevents privilege escalation: which users and groups a staff member may change.

A superuser may change all. Other staff may change only users with no right, in any campaign, that
they lack themselves, and grant only permissions that they have.
"""

from typing import TypeVar

from django.contrib.auth.models import Group, Permission
from django.db.models import Model, Q, QuerySet

from al_engine.pools.models import Campaign
from annotator_site.accounts.campaign_rights import campaigns_within
from annotator_site.accounts.models import User

M = TypeVar("M", bound=Model)


def permissions_of(user: User) -> QuerySet[Permission]:
    """The permissions of a user, their own and their groups', whether they are active or not."""
    if user.is_superuser:
        return Permission.objects.all()
    own = Permission.objects.filter(Q(user=user) | Q(group__user=user)).values("pk")
    return Permission.objects.filter(pk__in=own)


def people_within(actor: User) -> QuerySet[User]:
    """Users with no permission that `actor` lacks, and no part in a campaign outside theirs.

    Who sets a user's password or token can act as that user, and see the images they are asked.
    """
    if actor.is_superuser:
        return User.objects.all()
    beyond = _beyond(actor)
    elsewhere = Campaign.objects.exclude(pk__in=campaigns_within(actor).values("pk"))
    others = User.objects.exclude(pk=actor.pk)
    people = User.objects.all()
    for stronger in (
        others.filter(is_superuser=True),
        others.filter(user_permissions__in=beyond),
        others.filter(groups__permissions__in=beyond),
        others.filter(owned_campaigns__in=elsewhere),
        others.filter(memberships__campaign__in=elsewhere),
    ):
        people = people.exclude(pk__in=stronger.values("pk"))
    return people


def groups_within(actor: User) -> QuerySet[Group]:
    """Groups that grant no permission that `actor` lacks."""
    if actor.is_superuser:
        return Group.objects.all()
    stronger = Group.objects.filter(permissions__in=_beyond(actor))
    return Group.objects.exclude(pk__in=stronger.values("pk"))


def is_among(row: Model | None, rows: QuerySet[M]) -> bool:
    """Whether `row` is one of `rows`; True if it is None (no row is in question)."""
    return row is None or rows.filter(pk=row.pk).exists()


def _beyond(actor: User) -> QuerySet[Permission]:
    return Permission.objects.exclude(pk__in=permissions_of(actor).values("pk"))
