"""Importing images: read, verify, store, write the rows; a batch after the other.

Can be stopped at any moment and run again. A file and the copy that people are shown of it are
each stored under their SHA-256, whole and on disk, before the row that names them is written; a
file whose row is there is a duplicate, and what is stored of it is mended where it is missing or
cut short.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from al_engine.pools import images as pool_images
from al_engine.pools import storage
from al_engine.pools.images import DisplayFile, KnownImage, NewImage
from al_engine.pools.models import Campaign, Choice
from annotator_site.campaigns.known_labels import KnownLabels, known_labels
from annotator_site.campaigns.layout import survey
from annotator_site.campaigns.same_pictures import KnownPictures
from annotator_site.campaigns.sources import Entry, open_source
from annotator_site.campaigns.stored_images import mend_image, stored_name, take_image

BATCH_IMAGES: Final = 200
BATCH_BYTES: Final = 32 * 1024 * 1024
BROKEN_KEPT: Final = 1_000
COPIES_KEPT: Final = 1_000
# Waiting for the disk is most of the work, and many wait together as fast as one.
_THREADS: Final = 8


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: files of the source looked at, of all, and images added."""

    done: int
    total: int
    added: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. Every file of the source is counted once."""

    added: int
    duplicates: int
    copies_count: int
    """Of the duplicates: the same picture under another name than that which the campaign has."""
    copies: tuple[tuple[str, str], ...]
    """Name left out and name kept, the first COPIES_KEPT of them."""
    broken_count: int
    broken: tuple[tuple[str, str], ...]
    """Name and reason, the first BROKEN_KEPT of them."""
    ignored: int
    """Hidden files and what file managers leave behind."""
    with_known_label: int
    """Of those added, or there before without one."""
    labels_changed: int
    """Known labels of images that had another one: a table said so."""
    disputed: int
    """Pictures that were given two classes: they have no known label."""
    in_other_split: int
    """Of the duplicates: they belong to another split, and stay there."""
    label_problems: tuple[str, ...]
    """What did not fit of the known labels, a sentence each."""
    name_notes: tuple[str, ...]
    """How names were read that do not say how their characters are stored, a sentence each."""
    seconds: float


@dataclass(slots=True)
class _Tally:
    done: int = 0
    added: int = 0
    duplicates: int = 0
    copies_count: int = 0
    copies: list[tuple[str, str]] = field(default_factory=list)
    broken_count: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)
    ignored: int = 0
    labeled: int = 0
    relabeled: int = 0
    in_other_split: int = 0

    def drop(self, name: str, kept: str) -> None:
        """Count a copy, whose picture there is under the name `kept`."""
        if stored_name(name) != stored_name(kept):
            self.copies_count += 1
            if len(self.copies) < COPIES_KEPT:
                self.copies.append((name, kept))

    def refuse(self, name: str, reason: str) -> None:
        self.broken_count += 1
        if len(self.broken) < BROKEN_KEPT:
            self.broken.append((name, reason))


def import_images(
    *,
    campaign: Campaign,
    source: Path,
    split: str = "pool",
    known: str | Path | None = None,
    name_encoding: str | None = None,
    restore: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> ImportReport:
    """Import a folder, zip or tar into a campaign.

    `split`: pool, holdout or gold. `known`: where labels that are known beforehand come from:
    "folder", "none", a CSV of path,label, or None for folders if every one of them is a class.
    `name_encoding`: that of file names which do not say it themselves.
    `progress` is called after every batch. Raises SourceError where the source or the CSV
    cannot be used, AddingElsewhereError where another import into the campaign runs, and
    StorageAway where none of the campaign's files is where it was: new ones would go into the
    empty folder of a lost mount. With `restore` they are lost for good, and are stored anew.
    """
    begun = time.monotonic()
    opened = open_source(source, name_encoding=name_encoding)
    with pool_images.adding(campaign_id=campaign.pk):
        if not restore:
            storage.require(campaign.pk)
        seen = survey(opened.files())
        name_notes = opened.decoder.notes()  # before all names are read once more
        choices = dict(Choice.objects.filter(campaign=campaign).values_list("name", "id"))
        labels = known_labels(how=known, choices=choices, seen=seen)
        decides = known not in (None, "folder", "none")
        pictures = KnownPictures({pk: name for name, pk in choices.items()}, decides=decides)
        tally = _Tally()
        with ThreadPoolExecutor(_THREADS, "import") as threads:
            for batch in _batches(opened.entries()):
                images = _take_batch(campaign.pk, split, batch, labels, pictures, threads, tally)
                if not restore:
                    # Before a row names what may have gone elsewhere.
                    storage.require(campaign.pk)
                pool_images.add_images(campaign_id=campaign.pk, split=split, images=images)
                tally.added += len(images)
                tally.labeled += sum(image.known_choice_id is not None for image in images)
                if progress:
                    elapsed = time.monotonic() - begun
                    progress(Progress(tally.done, seen.files, tally.added, elapsed))
    return ImportReport(
        added=tally.added,
        duplicates=tally.duplicates,
        copies_count=tally.copies_count,
        copies=tuple(tally.copies),
        broken_count=tally.broken_count,
        broken=tuple(tally.broken),
        ignored=tally.ignored,
        with_known_label=tally.labeled,
        labels_changed=tally.relabeled,
        disputed=len(pictures.disputed),
        in_other_split=tally.in_other_split,
        label_problems=(*pictures.problems, *labels.problems()),
        name_notes=tuple(name_notes),
        seconds=time.monotonic() - begun,
    )


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries in groups that memory has room for."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.data)
        if len(batch) >= BATCH_IMAGES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _take_batch(
    campaign_id: int,
    split: str,
    batch: list[Entry],
    labels: KnownLabels,
    pictures: KnownPictures,
    threads: ThreadPoolExecutor,
    tally: _Tally,
) -> list[NewImage]:
    """Store a batch, and mend what is stored of images that the campaign has; the new images."""
    tally.done += len(batch)
    tally.ignored += sum(entry.ignored for entry in batch)
    pictures.begin_batch()
    first: dict[str, Entry] = {}
    for entry in batch:
        if entry.ignored:
            continue
        if entry.problem:
            labels.pass_over(entry.name)
            tally.refuse(entry.name, entry.problem)
            continue
        choice = labels.choice_of(entry.name)
        sha256 = hashlib.sha256(entry.data).hexdigest()
        if sha256 in first:
            tally.duplicates += 1
            tally.drop(entry.name, first[sha256].name)
        else:
            first[sha256] = entry
        pictures.take(sha256, entry.name, choice)
    known = pool_images.known_images(campaign_id=campaign_id, sha256s=first.keys())
    _meet_again(campaign_id, split, known, first, pictures, threads, tally)

    def take(sha256: str) -> NewImage | str:
        entry = first[sha256]
        choice = pictures.choice_of(sha256)
        image = take_image(campaign_id, sha256, entry.name, entry.data, choice)
        if sha256 in pictures.disputed and isinstance(image, NewImage):
            return replace(image, known_disputed=True)
        return image

    images: list[NewImage] = []
    new = [sha256 for sha256 in first if sha256 not in known]
    for sha256, result in zip(new, threads.map(take, new), strict=True):
        if isinstance(result, str):
            tally.refuse(first[sha256].name, result)
        else:
            images.append(result)
    return images


def _meet_again(
    campaign_id: int,
    split: str,
    known: dict[str, KnownImage],
    first: dict[str, Entry],
    pictures: KnownPictures,
    threads: ThreadPoolExecutor,
    tally: _Tally,
) -> None:
    """Count images that the campaign has; mend their stored files, learn their labels."""
    tally.duplicates += len(known)
    tally.in_other_split += sum(image.split != split for image in known.values())
    for sha256, image in known.items():
        tally.drop(first[sha256].name, image.name)

    def mend(sha256: str) -> DisplayFile | None:
        return mend_image(campaign_id, known[sha256], first[sha256].data)

    for sha256, display in zip(known, threads.map(mend, known), strict=True):
        if display is not None:
            pool_images.show_instead(image_id=known[sha256].image_id, display=display)
    changed = {
        image.image_id: pictures.choice_of(sha256)
        for sha256, image in known.items()
        if pictures.meet(sha256, image)
    }
    had = {image.image_id for image in known.values() if image.known_choice_id is not None}
    given = {image_id for image_id, choice in changed.items() if choice is not None}
    if changed:
        pool_images.set_known_choices(known=changed)
        tally.labeled += len(given - had)
        tally.relabeled += len(given & had)
