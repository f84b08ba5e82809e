"""The annotators of a campaign: read, invited, switched off and on."""

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator
from annotator_site.accounts.models import User
from annotator_site.api import paging
from annotator_site.api.base import Resource, checked
from annotator_site.api.inputs import ActiveInput, AnnotatorInput
from annotator_site.api.problems import BadField
from annotator_site.api.rights import require
from annotator_site.api.schema import described
from annotator_site.api.shapes import AnnotatorShape, shaped


class Annotators(Resource):
    """The people of a campaign."""

    @described("List annotators", AnnotatorShape, many=True)
    def get(self, request: Request, slug: str) -> Response:
        """In the order in which they came."""
        rows = Annotator.objects.filter(campaign=self.campaign("annotator"))
        return paging.listed(
            request, rows.select_related("user"), ("id",),
            lambda found: shaped(AnnotatorShape, found),
        )  # fmt: skip

    @described("Let somebody label", AnnotatorShape, takes=AnnotatorInput, status=201)
    def post(self, request: Request, slug: str) -> Response:
        """An account that there is; again, it changes nothing."""
        campaign = self.campaign("annotator", "add")
        require(self.user.has_perm("accounts.view_user"), "accounts.view_user")
        name = checked(AnnotatorInput, request)["username"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise BadField("username", f"Nobody is called “{name}”.", "Make the account first.")
        annotator = campaigns.join(campaign_id=campaign.pk, user_id=user.pk)
        return Response(AnnotatorShape(annotator).data, status=201)


class OneAnnotator(Resource):
    """Somebody's part in a campaign."""

    @described("Read an annotator", AnnotatorShape)
    def get(self, request: Request, slug: str, annotator_id: int) -> Response:
        """By its number."""
        return Response(AnnotatorShape(self._annotator(annotator_id)).data)

    @described("Switch an annotator off or on", AnnotatorShape, takes=ActiveInput)
    def patch(self, request: Request, slug: str, annotator_id: int) -> Response:
        """Who is switched off is sent away within two seconds; the answers stay."""
        annotator = self._annotator(annotator_id, "change")
        active = checked(ActiveInput, request)["active"]
        campaigns.set_active(annotators=Annotator.objects.filter(pk=annotator.pk), active=active)
        annotator.refresh_from_db()
        return Response(AnnotatorShape(annotator).data)

    def _annotator(self, number: int, *verbs: str) -> Annotator:
        rows = Annotator.objects.filter(campaign=self.campaign("annotator", *verbs), pk=number)
        found = rows.select_related("user").first()
        if found is None:
            raise Http404(f"This campaign has no annotator {number}.")
        return found
