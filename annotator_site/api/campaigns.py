"""Campaigns: read, made, changed, run, paused and finished; and their classes."""

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from al_engine.pools import campaigns
from al_engine.pools.campaigns import NewChoice
from al_engine.pools.classes import save_choices
from al_engine.pools.models import Campaign, Choice
from al_engine.pools.sizes import sizes
from annotator_site.accounts.campaign_rights import own_campaigns
from annotator_site.accounts.models import Scope, User
from annotator_site.api import paging, shapes
from annotator_site.api.base import Resource, checked
from annotator_site.api.idempotency import once
from annotator_site.api.inputs import (
    CampaignInput,
    ClassesInput,
    NewCampaignInput,
    as_choice,
    fields_of,
)
from annotator_site.api.problems import BadField, Conflict
from annotator_site.api.rights import may, may_view, no_campaign, require, visible
from annotator_site.api.schema import described
from annotator_site.api.shapes import (
    CampaignShape,
    ClassesShape,
    ClassShape,
    PoolSizes,
    SettingsShape,
)


class Campaigns(Resource):
    """The campaigns that somebody runs or labels in."""

    reads_with = (Scope.READ, Scope.MANAGE, Scope.LABEL, Scope.WATCH)

    @described("List campaigns", CampaignShape, many=True)
    def get(self, request: Request) -> Response:
        """In the order in which they were made."""
        return paging.listed(
            request, visible(self.user).prefetch_related("choices"), ("id",),
            lambda found: shaped(self.user, found),
        )  # fmt: skip

    @described("Make a campaign", CampaignShape, takes=NewCampaignInput, status=201)
    def post(self, request: Request) -> Response:
        """It runs at once, and whoever makes it owns it. With an Idempotency-Key, made once."""
        for model in ("campaign", "choice"):
            require(may(self.user, model, "add"), f"pools.add_{model}")
        values = checked(NewCampaignInput, request)
        return once(request, lambda: self._made(values))

    def _made(self, values: dict[str, Any]) -> dict[str, Any]:
        try:
            with transaction.atomic():
                campaign = campaigns.create_campaign(
                    slug=values["slug"],
                    title=values.get("title", ""),
                    instructions=values.get("instructions", ""),
                    choices=[
                        NewChoice(row["name"], row.get("hotkey", ""), row.get("color", ""))
                        for row in values["classes"]
                    ],
                    settings=values.get("settings"),
                )
                if own_campaigns(self.user) is not None:
                    campaigns.add_owners(campaign_id=campaign.pk, user_ids=[self.user.pk])
        except campaigns.BadSetting as error:
            if Campaign.objects.filter(slug=values["slug"]).exists():
                raise _taken(values["slug"]) from error
            raise BadField("settings", str(error)) from error
        except IntegrityError as error:
            raise _taken(values["slug"]) from error
        noted(self.user, campaign, ADDITION, "Made by the API.")
        # A trigger has counted the changes of its classes.
        campaign.refresh_from_db()
        return shaped(self.user, [campaign])[0]


class OneCampaign(Resource):
    """A campaign."""

    reads_with = Campaigns.reads_with

    @described("Read a campaign", CampaignShape)
    def get(self, request: Request, slug: str) -> Response:
        """With its classes, its settings and the sizes of its pools."""
        campaign = visible(self.user).filter(slug=slug).first()
        if campaign is None:
            raise no_campaign(slug)
        return Response(shaped(self.user, [campaign])[0])

    @described("Change a campaign", CampaignShape, takes=CampaignInput)
    def patch(self, request: Request, slug: str) -> Response:
        """Its words and settings; what is left out stays. The engine follows within seconds."""
        found = self.campaign("campaign", "change")
        values = checked(CampaignInput, request)
        settings = values.pop("settings", {})
        with transaction.atomic():
            campaign = Campaign.objects.select_for_update().get(pk=found.pk)
            for name, value in {**values, **settings}.items():
                setattr(campaign, name, value)
            try:
                campaign.full_clean()
            except ValidationError as error:
                raise fields_of(error) from error
            campaigns.save_settings(campaign=campaign)
        noted(
            self.user, campaign, CHANGE, f"Changed by the API: {', '.join([*values, *settings])}."
        )
        return Response(shaped(self.user, [campaign])[0])


class State(Resource):
    """What sets the state of a campaign."""

    def set_to(self, state: Campaign.State) -> Response:
        """Set it, and answer with the campaign."""
        campaign = self.campaign("campaign", "change")
        if campaigns.set_state(campaign_id=campaign.pk, state=state):
            noted(self.user, campaign, CHANGE, f"Set to {state.label} by the API.")
        campaign.refresh_from_db()
        return Response(shaped(self.user, [campaign])[0])


class Pause(State):
    """A pause."""

    @described("Pause a campaign", CampaignShape)
    def post(self, request: Request, slug: str) -> Response:
        """Nobody is asked for now."""
        return self.set_to(Campaign.State.PAUSED)


class Resume(State):
    """The end of a pause."""

    @described("Run a campaign", CampaignShape)
    def post(self, request: Request, slug: str) -> Response:
        """People are asked."""
        return self.set_to(Campaign.State.RUNNING)


class Finish(State):
    """The end."""

    @described("Finish a campaign", CampaignShape)
    def post(self, request: Request, slug: str) -> Response:
        """Nobody is asked any more; it can be run again."""
        return self.set_to(Campaign.State.FINISHED)


class Classes(Resource):
    """The list of classes of a campaign."""

    reads_with = Campaigns.reads_with

    @described("Read the classes", ClassesShape)
    def get(self, request: Request, slug: str) -> Response:
        """In the order of the labeling page."""
        campaign = visible(self.user).filter(slug=slug).first()
        if campaign is None:
            raise no_campaign(slug)
        return Response(_classes(campaign))

    @described("Replace the classes", ClassesShape, takes=ClassesInput)
    def put(self, request: Request, slug: str) -> Response:
        """Classes with their number are renamed, others are new; one is removed by leaving it out.

        Once a campaign has images, no class can be removed: answers refer to it.
        """
        campaign = self.campaign("campaign", "change")
        rows = checked(ClassesInput, request)["classes"]
        known = {choice.pk: choice for choice in campaign.choices.all()}
        kept = {row["choice"] for row in rows if "choice" in row}
        if unknown := kept - set(known):
            raise BadField("classes", f"This campaign has no class {min(unknown)}.")
        removed = [choice for choice in known.values() if choice.pk not in kept]
        self._check_rights(campaign, new=len(kept) < len(rows), removed=removed)
        try:
            choices = [as_choice(row, known) for row in rows]
            save_choices(campaign=campaign, choices=choices, removed=removed)
        except ValidationError as error:
            raise fields_of(error) from error
        noted(self.user, campaign, CHANGE, "Classes changed by the API.")
        campaign = Campaign.objects.get(pk=campaign.pk)
        return Response(_classes(campaign))

    def _check_rights(self, campaign: Campaign, *, new: bool, removed: list[Choice]) -> None:
        verbs = ["change", *(["add"] if new else []), *(["delete"] if removed else [])]
        for verb in verbs:
            require(may(self.user, "choice", verb), f"pools.{verb}_choice")
        now = sizes(campaign_id=campaign.pk)
        if removed and now.total + now.excluded + now.reserved:
            raise Conflict(
                f"“{removed[0].name}” cannot be removed: the campaign has images, and answers "
                "refer to classes. Rename it instead."
            )


def noted(user: User, campaign: Campaign, flag: int, words: str) -> None:
    """Write an entry of the administration's history of a campaign."""
    LogEntry.objects.log_actions(user.pk, [campaign], flag, words, single_object=True)


def _taken(slug: str) -> Conflict:
    return Conflict(f"There is a campaign “{slug}” already: take another slug.")


def _classes(campaign: Campaign) -> dict[str, Any]:
    classes = shapes.shaped(ClassShape, campaign.choices.all())
    return {"choices_version": campaign.choices_version, "classes": classes}


def shaped(user: User, rows: Any) -> list[dict[str, Any]]:
    """Campaigns as the API gives them: whole to those who run them, the job to those who label."""
    own = own_campaigns(user) if may_view(user, "campaign") else []
    return [_shaped(each, whole=own is None or each.pk in own) for each in rows]


def _shaped(campaign: Campaign, *, whole: bool) -> dict[str, Any]:
    return {
        "slug": campaign.slug,
        "title": campaign.title,
        "state": campaign.state,
        "instructions": campaign.instructions,
        "created_at": campaign.created_at.isoformat().replace("+00:00", "Z"),
        "choices_version": campaign.choices_version,
        "classes": ClassShape(campaign.choices.all(), many=True).data,
        "settings": SettingsShape(campaign).data if whole else None,
        "pools": PoolSizes(sizes(campaign_id=campaign.pk)).data if whole else None,
    }
