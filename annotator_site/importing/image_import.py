"""Importing images batch by batch: read, verify, store the files, write the rows.

An import can be stopped at any moment and run again. A file and its display copy are each stored
under their SHA-256, whole and on disk, before the row that names them is written. A file whose
row exists is a duplicate; its stored files are mended where they are missing or cut short.
Files come in mixed (`fair_order`), except those of gold, whose order people choose by names: what
practice and examples show is taken from the front.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from al_engine.pools import images as pool_images
from al_engine.pools import storage
from al_engine.pools.images import DisplayFile, KnownImage, NewImage
from al_engine.pools.models import Campaign, Choice, Image
from annotator_site.importing.decoder import Limits
from annotator_site.importing.decoders import Decoders
from annotator_site.importing.entries import Entry
from annotator_site.importing.image_files import BrokenImageError, ImageFacts
from annotator_site.importing.known_labels import KnownLabels, known_labels
from annotator_site.importing.layout import hint_at_order, survey
from annotator_site.importing.report import ImportReport, Tally
from annotator_site.importing.same_pictures import KnownPictures
from annotator_site.importing.sources import open_source
from annotator_site.importing.stored_images import mend_image, store_image

BATCH_IMAGES: Final = 200
BATCH_BYTES: Final = 32 * 1024 * 1024
# Storing is mostly waiting for the disk, and many threads wait no longer than one.
_THREADS: Final = 8


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: files read, of all files of the source, and images added."""

    done: int
    total: int
    added: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Run:
    """What all batches of an import share."""

    campaign_id: int
    split: str
    restore: bool
    labels: KnownLabels
    pictures: KnownPictures
    threads: ThreadPoolExecutor
    decoders: Decoders
    tally: Tally


def import_images(
    *,
    campaign: Campaign,
    source: Path,
    split: str = "pool",
    known: str | Path | None = None,
    name_encoding: str | None = None,
    restore: bool = False,
    limits: Limits | None = None,
    progress: Callable[[Progress], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> ImportReport:
    """Import a folder, zip or tar into a campaign.

    `split`: pool, holdout or gold. `known`: the source of known labels: "folder", "none", a CSV
    of path,label, or None for folders if every folder is a class. `name_encoding`: the encoding
    of file names that do not state one. `restore`: the campaign's stored files are lost for good;
    store them anew. `limits`: what decoding one file may cost. `progress` is called after every
    batch. `tell` is called with what people should know before the first image is in.

    Raises SourceError if the source or the CSV cannot be used; AddingElsewhereError if another
    import into the campaign is running; StorageAway (not with `restore`) if none of the
    campaign's files is where it was, because new files might go into the empty folder of a lost
    mount; OSError if the machine fails.
    """
    begun = time.monotonic()
    is_gold = split == Image.Split.GOLD
    opened = open_source(source, name_encoding=name_encoding, as_stored=is_gold)
    with pool_images.adding(campaign_id=campaign.pk):
        if not restore:
            storage.require(campaign.pk)
        seen = survey(opened.files())
        name_notes = opened.decoder.notes()  # before `entries` decodes all names once more
        order_note = "" if is_gold or not opened.as_stored else hint_at_order(seen)
        if tell and order_note:
            tell(order_note)
        choices = dict(Choice.objects.filter(campaign=campaign).values_list("name", "id"))
        labels = known_labels(how=known, choices=choices, seen=seen)
        decides = known not in (None, "folder", "none")
        pictures = KnownPictures({pk: name for name, pk in choices.items()}, decides=decides)
        tally = Tally(newest_before=pool_images.newest_id(campaign_id=campaign.pk))
        with (
            ThreadPoolExecutor(_THREADS, "import") as threads,
            Decoders(limits, files=seen.files) as decoders,
        ):
            run = _Run(campaign.pk, split, restore, labels, pictures, threads, decoders, tally)
            for batch in _batches(opened.entries()):
                _add_batch(run, batch)
                if progress:
                    elapsed = time.monotonic() - begun
                    progress(Progress(tally.done, seen.files, tally.added, elapsed))
    return tally.report(
        disputed=len(pictures.disputed),
        label_problems=(*pictures.problems, *labels.problems()),
        name_notes=tuple(name_notes),
        order_note=order_note,
        seconds=time.monotonic() - begun,
    )


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries in batches of at most BATCH_IMAGES, ended when they reach BATCH_BYTES."""
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


def _add_batch(run: _Run, batch: list[Entry]) -> None:
    """Store a batch and write its rows."""
    images = _take_batch(run, batch)
    if not run.restore:
        # Write no rows if the storage went away: the files may have gone elsewhere.
        storage.require(run.campaign_id)
    pool_images.add_images(campaign_id=run.campaign_id, split=run.split, images=images)
    run.tally.add(images)


def _take_batch(run: _Run, batch: list[Entry]) -> list[NewImage]:
    """Store the new images of a batch and return them; mend the files of the known images."""
    tally, pictures = run.tally, run.pictures
    tally.done += len(batch)
    tally.ignored += sum(entry.ignored for entry in batch)
    pictures.begin_batch()
    first: dict[str, Entry] = {}
    for entry in batch:
        if entry.ignored:
            continue
        if entry.problem:
            run.labels.pass_over(entry.name)
            tally.refuse(entry.name, entry.problem)
            continue
        choice = run.labels.choice_of(entry.name)
        sha256 = hashlib.sha256(entry.data).hexdigest()
        if sha256 in first:
            tally.duplicates += 1
            tally.drop(entry.name, first[sha256].name)
        else:
            first[sha256] = entry
        pictures.take(sha256, entry.name, choice)
    known = pool_images.known_images(campaign_id=run.campaign_id, sha256s=first.keys())
    _meet_again(run, known, first)

    def store(sha256: str, facts: ImageFacts) -> NewImage:
        entry, choice = first[sha256], pictures.choice_of(sha256)
        image = store_image(run.campaign_id, sha256, entry.name, entry.data, facts, choice)
        return replace(image, known_disputed=True) if sha256 in pictures.disputed else image

    new = [sha256 for sha256 in first if sha256 not in known]
    verdicts = run.decoders.inspect_all([first[sha256].data for sha256 in new])
    stored: list[Future[NewImage]] = []
    for sha256, verdict in zip(new, verdicts, strict=True):
        if isinstance(verdict, BrokenImageError):
            tally.refuse(first[sha256].name, str(verdict))
        else:
            stored.append(run.threads.submit(store, sha256, verdict))
    return [image.result() for image in stored]


def _meet_again(run: _Run, known: dict[str, KnownImage], first: dict[str, Entry]) -> None:
    """Count the images that the campaign has already; mend their files, update known labels."""
    tally, pictures = run.tally, run.pictures
    tally.duplicates += len(known)
    tally.in_other_split += sum(image.split != run.split for image in known.values())
    for sha256, image in known.items():
        tally.drop(first[sha256].name, image.name)

    def mend(sha256: str) -> DisplayFile | None:
        return mend_image(run.campaign_id, known[sha256], first[sha256].data, run.decoders.inspect)

    for sha256, display in zip(known, run.threads.map(mend, known), strict=True):
        if display is not None:
            pool_images.show_instead(image_id=known[sha256].image_id, display=display)
    changed = {
        image.image_id: (image, pictures.choice_of(sha256))
        for sha256, image in known.items()
        if pictures.meet(sha256, image)
    }
    if changed:
        pool_images.set_known_choices(
            known={image_id: choice for image_id, (_, choice) in changed.items()}
        )
        tally.relabel(changed)
