"""Two campaigns, and one of every kind of person."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.db.models import F, Q, Value
from django.db.models.functions import Concat
from stock import make_annotator, make_campaign, make_user, make_version, stock

from al_engine.pools import campaigns
from al_engine.pools.models import (
    Annotator,
    Campaign,
    Cell,
    Consensus,
    EngineProcess,
    Image,
    Label,
    ModelVersion,
    Query,
    Turn,
)
from annotator_site.accounts.models import Token, User
from annotator_site.accounts.tokens import create_token

SECRET: Final = "quokka"
"""In all texts of campaign A."""
NAMES: Final = "wombat"
"""In the user names of its people."""
EVERYWHERE: Final = Q(codename="all_campaigns")
IN_POOLS: Final = Q(content_type__app_label="pools") & ~EVERYWHERE


@dataclass(frozen=True, slots=True)
class World:
    """Campaign A, with one row of each kind; B is like it. People by their kind."""

    campaign: Campaign
    users: dict[str, User | None]
    tokens: dict[str, str]
    rows: dict[str, int]
    """A row of campaign A of each model, by `app_model`."""

    def values(self, model: str | None) -> dict[str, object]:
        """What stands in addresses."""
        row = self.rows.get(model or "", 0)
        return {
            "slug": self.campaign.slug,
            "campaign_id": self.campaign.pk,
            "object_id": row,
            "id": row,
            "pk": self.rows["accounts_token"],
            "content_type_id": 1,
            "app_label": "pools",
            "url": "nowhere",
            "rest": "nowhere",
            "image_id": self.rows["pools_image"],
            "annotator_id": self.rows["pools_annotator"],
            "version": 1,
        }

    def state(self) -> dict[str, Any]:
        """All of campaign A that somebody could change."""
        mine = {"campaign": self.campaign}
        return {
            "campaign": Campaign.objects.filter(pk=self.campaign.pk).values().get(),
            "owners": list(self.campaign.owners.order_by("pk").values_list("pk", flat=True)),
            "choices": list(self.campaign.choices.order_by("pk").values()),
            "annotators": list(Annotator.objects.filter(**mine).order_by("pk").values()),
            "images": list(Image.objects.filter(**mine).order_by("pk").values()),
            "tokens": list(Token.objects.filter(pk=self.rows["accounts_token"]).values()),
            "turns": list(Turn.objects.filter(**mine).order_by("pk").values()),
            "labels": list(Label.objects.filter(**mine).order_by("pk").values()),
        }


def make_world() -> World:
    """The campaigns and their people."""
    a, b = make_campaign(**_texts(SECRET)), make_campaign(**_texts("beta"))
    people: dict[str, User | None] = {
        "stranger": None,
        "other_annotator": make_annotator(b).user,
        "annotator": make_annotator(a, stem=NAMES).user,
        "plain_staff": make_user(is_staff=True),
        "neighbor": _staff(IN_POOLS, b),
        "officer": _staff(Q(content_type__app_label__in=["accounts", "auth"]) | EVERYWHERE),
        "viewer": _staff(
            Q(content_type__app_label="pools", codename__startswith="view_") | EVERYWHERE
        ),
        "owner": _staff(IN_POOLS, a, stem=NAMES),
        "superuser": make_user(is_staff=True, is_superuser=True),
    }
    annotator = people["annotator"]
    assert annotator is not None
    rows = _one_of_each(a, SECRET)
    _one_of_each(b, "beta")
    rows["accounts_user"] = annotator.pk
    rows["accounts_token"] = Token.objects.filter(user=annotator)[0].pk
    rows["auth_group"] = Group.objects.create(name=uuid4().hex).pk
    # One that can be used, for the pages that ask for it again; nobody knows it.
    password = make_password(uuid4().hex)
    for user in filter(None, people.values()):
        user.password = password
        user.save()
    tokens = {kind: create_token(user=user) for kind, user in people.items() if user}
    return World(a, people, tokens, rows)


def _texts(word: str) -> dict[str, Any]:
    return {"title": word, "instructions": word, "classes": (f"{word} 1", f"{word} 2")}


def _staff(permissions: Q, *own: Campaign, stem: str = "staff") -> User:
    """Staff with these permissions, who own these campaigns."""
    user = make_user(is_staff=True, stem=stem)
    user.user_permissions.set(Permission.objects.filter(permissions))
    for campaign in own:
        campaigns.add_owners(campaign_id=campaign.pk, user_ids=[user.pk])
    return user


def _one_of_each(campaign: Campaign, word: str) -> dict[str, int]:
    """A row of each kind of the pools, all texts of which have the word in them."""
    stock(campaign, 2)
    mine: dict[str, Any] = {"campaign": campaign}
    EngineProcess.objects.filter(**mine).update(name=f"{word}-worker", last_error=word)
    Annotator.objects.filter(**mine).update(pseudonym=Concat(Value(f"{word}-"), F("pk")))
    turn = Turn.objects.filter(**mine)[0]
    choice, person = campaign.choices.all()[0], Annotator.objects.filter(**mine)[0]
    label = Label.objects.create(
        **mine, image=turn.image, query=turn.query, turn=turn, annotator=person,
        choice=choice, client_id=uuid4(), shown_ms=700,
    )  # fmt: skip
    Consensus.objects.create(
        **mine, image=turn.image, query=turn.query, choice=choice, confidence=1, answers=1
    )
    version = make_version(campaign, 1)
    ModelVersion.objects.filter(pk=version).update(architecture=word)
    return {
        "pools_campaign": campaign.pk,
        "pools_annotator": person.pk,
        "pools_image": turn.image_id,
        "pools_query": Query.objects.filter(**mine)[0].pk,
        "pools_turn": turn.pk,
        "pools_label": label.pk,
        "pools_consensus": turn.image_id,
        "pools_modelversion": version,
        "pools_engineprocess": EngineProcess.objects.filter(**mine)[0].pk,
        "pools_cell": Cell.objects.filter(**mine)[0].pk,
    }
