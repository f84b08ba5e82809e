"""What is exported: a campaign, which rows of it, and its classes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from al_engine.pools import storage
from al_engine.pools.models import Campaign
from annotator_site.exports.filters import Filters
from annotator_site.exports.rows import COLUMNS, FILE_COLUMNS, Rows, Value, reading_rows


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of a campaign that an export has."""

    campaign: Campaign
    rows: Rows
    filters: Filters
    images_at: str = ""
    """Goes before the names of images where a format has their addresses."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of `read`."""
        return COLUMNS[self.rows]

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in their order."""
        return list(self.campaign.choices.order_by("position").values_list("name", flat=True))

    def read(
        self, *, files: bool = False, by_image: bool = False
    ) -> AbstractContextManager[Iterator[tuple[Value, ...]]]:
        """The rows, from one snapshot; see `reading_rows`."""
        return reading_rows(
            campaign_id=self.campaign.pk,
            rows=self.rows,
            filters=self.filters,
            files=files,
            by_image=by_image,
        )


class ImagesAway(Exception):
    """The files of images cannot be read now; the message says why."""


class Missed(Protocol):
    """Told the name of an image whose file the storage does not have any more."""

    def __call__(self, name: str, /) -> None: ...


def reading_files(source: Source, missed: Missed) -> Iterator[tuple[dict[str, Value], str, bytes]]:
    """Each row by column, where the storage has its image's file, and the file as imported.

    Rows of images whose files are gone are left out, and told. Raises ImagesAway if the storage
    cannot be used now.
    """
    columns = (*source.columns, *FILE_COLUMNS)
    with source.read(files=True) as rows:
        for row in rows:
            found = dict(zip(columns, row, strict=True))
            key = str(found["key"])
            try:
                data = storage.read(key, campaign_id=source.campaign.pk)
            except storage.FileGone:
                missed(str(found["image"]))
            # An OSError would count as a failure of the output.
            except storage.StorageAway as error:
                raise ImagesAway(str(error)) from error
            else:
                yield found, key, data
