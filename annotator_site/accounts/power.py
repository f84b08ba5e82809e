"""Who is more powerful than whom: nobody makes themselves or others more than they are.

A superuser may do everything. Other staff who look after people do so for those alone who may do
nothing that they themselves may not, anywhere, and give away nothing that they have not.
"""

from typing import TypeVar

from django.contrib.auth.models import Group, Permission
from django.db.models import Model, Q, QuerySet

from al_engine.pools.models import Campaign
from annotator_site.accounts.campaign_rights import campaigns_within
from annotator_site.accounts.models import User

M = TypeVar("M", bound=Model)


def permissions_of(user: User) -> QuerySet[Permission]:
    """What a person may do, by themselves and by their groups, switched off or not."""
    if user.is_superuser:
        return Permission.objects.all()
    own = Permission.objects.filter(Q(user=user) | Q(group__user=user)).values("pk")
    return Permission.objects.filter(pk__in=own)


def people_within(actor: User) -> QuerySet[User]:
    """People who may do nothing that `actor` may not, in no campaign that is not theirs.

    Whoever has somebody's password or token is that person, and sees what they are asked.
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
    """Groups that give nothing that `actor` has not."""
    if actor.is_superuser:
        return Group.objects.all()
    stronger = Group.objects.filter(permissions__in=_beyond(actor))
    return Group.objects.exclude(pk__in=stronger.values("pk"))


def is_among(row: Model | None, rows: QuerySet[M]) -> bool:
    """Whether a row is one of these; where there is none in question, that is no matter."""
    return row is None or rows.filter(pk=row.pk).exists()


def _beyond(actor: User) -> QuerySet[Permission]:
    return Permission.objects.exclude(pk__in=permissions_of(actor).values("pk"))
