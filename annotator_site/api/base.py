"""What every resource of the API has in common."""

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Final, cast

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from al_engine.pools.models import Campaign
from annotator_site.accounts.models import Scope, User
from annotator_site.api.rights import MANAGING, READING, campaign_for, check_scope
from annotator_site.api.throttles import AddressThrottle

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Resource(APIView):
    """A resource: addresses are throttled first, then scopes are checked; texts are in English."""

    http_method_names = ["get", "head", "post", "put", "patch", "options"]
    reads_with: ClassVar[tuple[Scope, ...]] = READING
    """Scopes of which a token needs one to read it."""
    writes_with: ClassVar[tuple[Scope, ...]] = MANAGING
    """The same to change it."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer in English, whichever language the browser prefers."""
        with translation.override("en"):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Throttle the address before anything is looked up; check the scope after the log-in."""
        address = AddressThrottle()
        if not address.allow_request(request, self):
            raise Throttled(address.wait())
        super().initial(request, *args, **kwargs)
        check_scope(request, *(self.reads_with if request.method in SAFE else self.writes_with))

    @property
    def user(self) -> User:
        """Who asks."""
        return cast("User", self.request.user)

    def campaign(self, model: str, *verbs: str) -> Campaign:
        """The campaign of the address, in which the user may do this to rows of `model`.

        Without verbs, to view them. Raises Http404 and PermissionDenied.
        """
        return campaign_for(self.user, self.kwargs["slug"], model, *(verbs or ("view", "change")))


def checked(shape: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """What the body says, checked. Raises ValidationError, which names each wrong field."""
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return cast("dict[str, Any]", given.validated_data)


def if_changed(request: Request, response: Response, contents: Mapping[str, Any]) -> Response:
    """The response with an ETag of its contents; 304 if the client has these already."""
    renderer = cast("Any", request).accepted_renderer
    return with_tag(request, response, hashlib.sha256(renderer.render(contents)).hexdigest()[:32])


def with_tag(request: Request, response: Response, tag: str) -> Response:
    """The response with this ETag; 304 if the client has it already."""
    quoted = f'"{tag}"'
    if has_tag(request, tag):
        response = Response(status=304)
    response["ETag"] = quoted
    return response


def has_tag(request: Request, tag: str) -> bool:
    """Whether the client says that it has what this ETag is of (If-None-Match)."""
    held = request.headers.get("If-None-Match", "").split(",")
    return bool({"*", f'"{tag}"'} & {each.strip().removeprefix("W/") for each in held})


class Nowhere(Resource):
    """What is no address of the API."""

    reads_with = writes_with = tuple(Scope)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Say so to everybody who is logged in, by whichever method."""
        super().initial(request, *args, **kwargs)
        raise Http404("There is nothing at this address: look at /api/docs/ for what there is.")
