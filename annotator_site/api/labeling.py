"""Labeling by requests: the socket's messages and promises, for programs that hold no socket."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import Context
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from al_engine.pools.labeled import Standing
from al_engine.pools.models import Annotator
from annotator_site.accounts.models import Scope
from annotator_site.api.base import Resource, checked
from annotator_site.api.inputs import ClaimInput, MessagesInput
from annotator_site.api.problems import NotReady
from annotator_site.api.reading import Followed
from annotator_site.api.rights import no_campaign, visible
from annotator_site.api.schema import described
from annotator_site.api.shapes import ClaimShape, LabelShape, ReceiptsShape
from annotator_site.labeling import by_request
from annotator_site.labeling.by_request import Handed, TooSlow
from annotator_site.labeling.desk import Desk

_LONGEST_S: Final = 20.0
_NO_PART: Final = "You are no annotator of this campaign."
_LATER: Final = (
    "The site is slow now: send the same again. Messages with the same ids have no second effect."
)

Work = Callable[[Desk, Standing], Awaitable[Handed]]


class ForAnnotators(Resource):
    """What an annotator of the campaign does."""

    writes_with = (Scope.LABEL,)

    def check_part(self, slug: str) -> None:
        """Raise Http404 if the user sees no such campaign, PermissionDenied if they only see it."""
        if not visible(self.user).filter(slug=slug).exists():
            raise no_campaign(slug)
        parts = Annotator.objects.filter(campaign__slug=slug, user=self.user, active=True)
        if not parts.exists():
            raise PermissionDenied(_NO_PART)

    def at_the_desk(self, slug: str, work: Work) -> Handed:
        """Do something at the campaign's desk, which serves all who label here.

        Raises PermissionDenied and NotReady.
        """
        loop: asyncio.AbstractEventLoop = getattr(self.request._request, "event_loop")  # noqa: B009
        doing = _work(slug, self.user.pk, work)
        # In a new context: a desk that opens now outlives this request, and its context.
        future = Context().run(asyncio.run_coroutine_threadsafe, doing, loop)
        try:
            handed = future.result(_LONGEST_S)
        except (TooSlow, FutureTimeoutError, PoolTimeout, psycopg.Error, OSError) as error:
            future.cancel()
            raise NotReady(_LATER) from error
        if handed is None:
            raise PermissionDenied(_NO_PART)
        return handed


class Claim(ForAnnotators):
    """Queries for the person who asks."""

    @described("Lease queries", ClaimShape, takes=ClaimInput)
    def post(self, request: Request, slug: str) -> Response:
        """Each for `lease_seconds`; an answer that comes later is stored all the same.

        Send the `session` of the last claim along: what is leased to it comes first.
        """
        self.check_part(slug)
        asked = checked(ClaimInput, request)
        count: int = asked["count"]
        resume: UUID | None = asked.get("session")

        async def claim(desk: Desk, person: Standing) -> Handed:
            return await by_request.claim(desk, person, count=count, resume=resume)

        handed = self.at_the_desk(slug, claim)
        idle = None if handed.queries else handed.idle
        return Response({"session": handed.session, "queries": handed.queries, "idle": idle})


class Labels(ForAnnotators, Followed):
    """Raw answers: read by those who run the campaign, given by its annotators."""

    rows = "labels"
    model = "label"

    @described("List raw answers", LabelShape, many=True, followed=True)
    def get(self, request: Request, slug: str) -> Response:
        """In the order in which they were given. Undone answers are told by the consensus."""
        return self.read(request)

    @described("Answer, skip, report and undo", ReceiptsShape, takes=MessagesInput)
    def post(self, request: Request, slug: str) -> Response:
        """Messages of the labeling protocol, with its ids, limits and receipts, at most 50 at once.

        An `ack` is on disk. A message that is sent again gets the same receipt and has no second
        effect.
        """
        self.check_part(slug)
        messages = [_plain(each) for each in checked(MessagesInput, request)["messages"]]

        async def act(desk: Desk, person: Standing) -> Handed:
            return await by_request.act(desk, person, messages)

        handed = self.at_the_desk(slug, act)
        return Response(
            {"session": handed.session, "receipts": handed.receipts, "queries": handed.queries}
        )


async def _work(slug: str, user_id: int, work: Work) -> Handed | None:
    found = await by_request.desk_for(slug, user_id)
    return None if found is None else await work(*found)


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, UUID) else value for name, value in message.items()
    }
