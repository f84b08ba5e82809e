"""What can be read of a campaign: images, labels, consensus, queries, models, people, numbers."""

from collections.abc import Callable
from typing import IO, Any, ClassVar, Final

from asgiref.sync import sync_to_async
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.http import Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from al_engine.pools import excluded, status
from al_engine.pools.models import Campaign, Consensus, Image, ModelVersion, Query
from annotator_site.accounts.models import Scope
from annotator_site.api import paging
from annotator_site.api.base import Resource, checked, has_tag, if_changed
from annotator_site.api.inputs import ExclusionInput, ImagesInput
from annotator_site.api.problems import BadField, Conflict, NotReady
from annotator_site.api.schema import described
from annotator_site.api.shapes import (
    ConsensusShape,
    ImageShape,
    ImagesShape,
    ModelShape,
    QueryShape,
    shaped,
)
from annotator_site.exports.row_pages import LostPlace, PagedRows, read_page

PIECE_BYTES: Final = 1 << 20

Order = tuple[str, ...]
Get = Callable[[Any], Image]


class Images(Resource):
    """The images of a campaign."""

    @described("List images", ImageShape, many=True, state=Image.State.values)
    def get(self, request: Request, slug: str) -> Response:
        """In the order of their import; with `state`, those of one pool."""
        campaign = self.campaign("image")
        rows, columns, image = _images_in(campaign, request.query_params.get("state"))
        return paging.listed(
            request, rows, columns, lambda found: shaped(ImageShape, map(image, found))
        )


class PutBack(Resource):
    """Excluded or skipped images that come back."""

    @described("Put images back", ImagesShape, takes=ImagesInput)
    def post(self, request: Request, slug: str) -> Response:
        """For everybody: what was said of them does not count any more. Gives what changed."""
        campaign = self.campaign("image", "change")
        mine = _of(campaign, checked(ImagesInput, request)["images"])
        return Response({"images": excluded.put_back(image_ids=mine)})


class Exclude(Resource):
    """Images that nobody is asked about any more."""

    @described("Exclude images", ImagesShape, takes=ExclusionInput)
    def post(self, request: Request, slug: str) -> Response:
        """Until they are put back. Images with a consensus stay. Gives what changed."""
        campaign = self.campaign("image", "change")
        asked = checked(ExclusionInput, request)
        mine = _of(campaign, asked["images"])
        out = excluded.exclude(campaign_id=campaign.pk, image_ids=mine, words=asked["reason"])
        return Response({"images": sorted(out)})


class OneImage(Resource):
    """An image."""

    @described("Read an image", ImageShape)
    def get(self, request: Request, slug: str, image_id: int) -> Response:
        """By its number."""
        rows = Image.objects.filter(campaign=self.campaign("image"), pk=image_id)
        image = rows.select_related("known_choice").first()
        if image is None:
            raise Http404(f"This campaign has no image {image_id}.")
        return Response(ImageShape(image).data)


class Followed(Resource):
    """A list of exported rows that can be followed: each row once, and none missed."""

    rows: ClassVar[PagedRows]
    model: ClassVar[str]

    def read(self, request: Request) -> Response:
        """A page of rows after `since`."""
        campaign = self.campaign(self.model)
        limit = paging.limit_of(request)
        length = 1 if self.rows == "labels" else 2
        place = paging.since_of(request, length) or (0, 0)
        start = (place[0], place[-1])
        try:
            found = read_page(campaign_id=campaign.pk, rows=self.rows, after=start, limit=limit)
        except LostPlace as error:
            raise BadField(
                "since",
                "This place is behind all that there is: the database was restored from a backup.",
                "Send no `since`, and read the list anew.",
            ) from error
        full = len(found.rows) == limit
        response = paging.page(request, found.rows, end=found.end[:length], full=full)
        return if_changed(request, response, response.data)


class ConsensusRows(Followed):
    """One consensus for each image that was answered."""

    rows = "consensus"
    model = "consensus"

    @described("List the consensus", ConsensusShape, many=True, followed=True)
    def get(self, request: Request, slug: str) -> Response:
        """In the order of the last change: whoever follows gets an image again when it changes."""
        return self.read(request)


class Queries(Resource):
    """The open queries of a campaign: S."""

    @described("List open queries", QueryShape, many=True)
    def get(self, request: Request, slug: str) -> Response:
        """What waits for people now."""
        rows = Query.objects.filter(campaign=self.campaign("query"), state=Query.State.OPEN)
        return paging.listed(
            request, rows.select_related("image", "worker", "model_version"), ("cell", "id"),
            lambda found: shaped(QueryShape, found),
        )  # fmt: skip


class Models(Resource):
    """The published versions of a campaign's models."""

    @described("List model versions", ModelShape, many=True, followed=True)
    def get(self, request: Request, slug: str) -> Response:
        """In the order of their publication."""
        rows = ModelVersion.objects.filter(campaign=self.campaign("modelversion"))
        response = paging.listed(
            request, rows.select_related("server"), ("version",),
            lambda found: shaped(ModelShape, found),
        )  # fmt: skip
        return if_changed(request, response, response.data)


class OneModel(Resource):
    """A published version."""

    @described("Read a model version", ModelShape)
    def get(self, request: Request, slug: str, version: int) -> Response:
        """By its number."""
        return Response(ModelShape(_version(self.campaign("modelversion"), version)).data)


class Weights(Resource):
    """The weights of a version."""

    @described("Download the weights", bytes)
    def get(self, request: Request, slug: str, version: int) -> HttpResponseBase:
        """A safetensors file; its ETag is its SHA-256."""
        row = _version(self.campaign("modelversion"), version)
        if not row.key:
            raise Conflict(
                f"The weights of version {version} are no longer kept: take a newer version, one "
                "with “stored”: true."
            )
        if has_tag(request, row.sha256):
            return Response(status=304, headers={"ETag": f'"{row.sha256}"'})
        try:
            file = default_storage.open(row.key)
        except OSError as error:
            raise NotReady("The storage of this site does not give the weights now.") from error
        return StreamingHttpResponse(
            _Pieces(file),
            content_type="application/octet-stream",
            headers={
                "ETag": f'"{row.sha256}"',
                "Content-Length": str(row.size),
                "Content-Disposition": f'attachment; filename="{slug}-{version}.safetensors"',
            },
        )


class Stats(Resource):
    """What happens in a campaign."""

    reads_with = (Scope.READ, Scope.MANAGE, Scope.WATCH)

    @described("Read the state of the pools", dict)
    def get(self, request: Request, slug: str) -> Response:
        """What `campaign_status --json` prints: pools, rates, waits, staleness, models."""
        told = dict(status.status(self.campaign("campaign")))
        return if_changed(request, Response(told), told)


def _images_in(campaign: Campaign, state: str | None) -> tuple[QuerySet[Any], Order, Get]:
    """What lists the images of a state (None: all): rows, the columns of an index, a row's image.

    Each state has an index in whose order its images come, so that no page walks a pool.
    """
    images = Image.objects.filter(campaign=campaign).select_related("known_choice")
    match state:
        case None:
            return images, ("position",), _itself
        case Image.State.UNLABELED:
            return images.filter(resting=state), ("cell", "position"), _itself
        case Image.State.EXCLUDED:
            return images.filter(resting=state), ("id",), _itself
        case Image.State.RESERVED:
            return images.exclude(split=Image.Split.POOL).filter(state=state), ("id",), _itself
        case Image.State.QUERIED:
            asked = Query.objects.filter(campaign=campaign, state=Query.State.OPEN)
            return asked.select_related("image__known_choice"), ("cell", "id"), _its_image
        case Image.State.LABELED:
            decided = Consensus.objects.filter(campaign=campaign, choice__isnull=False)
            with_images = decided.select_related("image__known_choice")
            return with_images, ("changed_in", "image_id"), _its_image
    raise BadField(
        "state", f"There is no state “{state}”.", f"Send one of: {', '.join(Image.State.values)}."
    )


def _of(campaign: Campaign, image_ids: list[int]) -> list[int]:
    """Those of these images that are the campaign's."""
    rows = Image.objects.filter(campaign=campaign, pk__in=image_ids)
    return list(rows.values_list("pk", flat=True))


def _itself(image: Image) -> Image:
    return image


def _its_image(row: Query | Consensus) -> Image:
    return row.image


def _version(campaign: Campaign, number: int) -> ModelVersion:
    rows = ModelVersion.objects.filter(campaign=campaign, version=number)
    found = rows.select_related("server").first()
    if found is None:
        raise Http404(f"This campaign has no model version {number}.")
    return found


class _Pieces:
    """A file, a piece at a time, each read in a thread; closed with the response."""

    def __init__(self, file: IO[Any]) -> None:
        self._file = file

    def __aiter__(self) -> "_Pieces":
        return self

    async def __anext__(self) -> bytes:
        piece: bytes = await sync_to_async(self._file.read)(PIECE_BYTES)
        if not piece:
            raise StopAsyncIteration
        return piece

    def close(self) -> None:
        self._file.close()
