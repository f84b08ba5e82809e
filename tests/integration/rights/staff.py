"""Staff with rights in some campaigns, and the forms that they post."""

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q
from stock import make_user

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign
from annotator_site.accounts.models import User


def staff(*codenames: str, own: Campaign | None = None) -> User:
    """Staff with these permissions; all of the pools and of people but `all_campaigns` if none."""
    user = make_user(is_staff=True)
    chosen = Q(codename__in=codenames) if codenames else ~Q(codename="all_campaigns")
    user.user_permissions.set(Permission.objects.filter(chosen))
    if own:
        campaigns.add_owners(campaign_id=own.pk, user_ids=[user.pk])
    return user


def token_of(user_id: int | None) -> dict[str, Any]:
    """The form of a token that is to be made."""
    return {"user": user_id, "name": "a robot", "scopes": ["label"], "lifetime": "30"}


def membership(campaign: Campaign, user: User) -> dict[str, Any]:
    """The form of a user with a campaign more."""
    return {
        "username": user.username, "first_name": "", "last_name": "", "email": "",
        "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "12:00:00",
        "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0,
        "memberships-0-campaign": campaign.pk, "memberships-0-active": "on",
        "memberships-0-user": user.pk,
    }  # fmt: skip


def settings_of(campaign: Campaign, **fields: Any) -> dict[str, Any]:
    """The form of a campaign as it is, with these fields."""
    values = {
        "title": campaign.title, "instructions": "", "answers_per_image": 1, "max_answers": "",
        "confidence": 0.5, "lease_seconds": 120, "resume_seconds": 30, "messages_per_second": 20,
        "strategies": "entropy", "architectures": "small_cnn", "image_size": 32, "servers": 1,
        "workers": 2, "batch_size": 0, "refresh": "on", "model_choice": "latest",
        "warm_start": "scratch", "min_new_labels": 1, "partition": "random", "audit_rate": 0.05,
        "budget": 0, "examples_per_class": 4, "practice_images": 0,
        "owners": list(campaign.owners.values_list("pk", flat=True)), **fields,
        "choices-TOTAL_FORMS": 2, "choices-INITIAL_FORMS": 2,
    }  # fmt: skip
    for place, choice in enumerate(campaign.choices.all()):
        for name in ("id", "name", "hotkey", "color", "campaign_id"):
            values[f"choices-{place}-{name.removesuffix('_id')}"] = getattr(choice, name)
    return values
