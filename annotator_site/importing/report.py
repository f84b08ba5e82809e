"""The counts of an import, kept while it runs, and its report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from al_engine.pools.images import KnownImage, NewImage
from annotator_site.importing.stored_images import stored_name

BROKEN_KEPT: Final = 1_000
COPIES_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. Every file of the source is counted once."""

    added: int
    duplicates: int
    copies_count: int
    """Of the duplicates: those whose name differs from the one that the campaign has."""
    copies: tuple[tuple[str, str], ...]
    """Pairs of the name left out and the name kept, by name; the first COPIES_KEPT that came."""
    broken_count: int
    broken: tuple[tuple[str, str], ...]
    """Pairs of name and reason, by name; the first BROKEN_KEPT that came."""
    ignored: int
    """Hidden files and what file managers leave behind."""
    with_known_label: int
    """Images that the import added with a known label, or that had none before and have one now."""
    labels_changed: int
    """Images whose known label a CSV changed."""
    disputed: int
    """Pictures that were given two classes and so have no known label."""
    in_other_split: int
    """Of the duplicates: those that belong to another split, and stay there."""
    label_problems: tuple[str, ...]
    """One sentence for each known label that did not fit."""
    name_notes: tuple[str, ...]
    """One sentence for each guessed encoding of file names."""
    order_note: str
    """What the order of a source that cannot be mixed means for people and models; else ""."""
    seconds: float


@dataclass(slots=True)
class Tally:
    """Counts of one import. `newest_before`: the largest image id before the import."""

    newest_before: int
    done: int = 0
    added: int = 0
    duplicates: int = 0
    copies_count: int = 0
    copies: list[tuple[str, str]] = field(default_factory=list)
    broken_count: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)
    ignored: int = 0
    in_other_split: int = 0
    # A later file may take away the known label that an earlier file gave. So the ids are kept of
    # the earlier images that this import gave a label, or another one; for its own images, added
    # by this import, a count is enough.
    _added_with_label: int = 0
    _given: set[int] = field(default_factory=set)
    _changed: set[int] = field(default_factory=set)

    @property
    def with_known_label(self) -> int:
        """Images that have a known label from this import, and had none before."""
        return self._added_with_label + len(self._given)

    @property
    def labels_changed(self) -> int:
        """Images that had another known label before this import."""
        return len(self._changed)

    def add(self, images: list[NewImage]) -> None:
        """Count images that were added."""
        self.added += len(images)
        self._added_with_label += sum(image.known_choice_id is not None for image in images)

    def relabel(self, images: Mapping[int, tuple[KnownImage, int | None]]) -> None:
        """Count changed known labels of the campaign's images.

        `images`: by id, the image as it was and the id of its new known label.
        """
        for image_id, (image, choice_id) in images.items():
            had, has = image.known_choice_id is not None, choice_id is not None
            if image_id > self.newest_before:
                self._added_with_label += has - had
            elif not has:
                self._given.discard(image_id)
                self._changed.discard(image_id)
            elif image_id not in self._given:
                (self._changed if had else self._given).add(image_id)

    def drop(self, name: str, kept: str) -> None:
        """Count a duplicate of the picture that is kept under the name `kept`."""
        if stored_name(name) != stored_name(kept):
            self.copies_count += 1
            if len(self.copies) < COPIES_KEPT:
                self.copies.append((name, kept))

    def refuse(self, name: str, reason: str) -> None:
        """Count a file that cannot be used."""
        self.broken_count += 1
        if len(self.broken) < BROKEN_KEPT:
            self.broken.append((name, reason))

    def report(
        self,
        *,
        disputed: int,
        label_problems: tuple[str, ...],
        name_notes: tuple[str, ...],
        order_note: str,
        seconds: float,
    ) -> ImportReport:
        """The counts, together with those that are kept elsewhere."""
        return ImportReport(
            added=self.added,
            duplicates=self.duplicates,
            copies_count=self.copies_count,
            copies=tuple(sorted(self.copies)),
            broken_count=self.broken_count,
            broken=tuple(sorted(self.broken)),
            ignored=self.ignored,
            with_known_label=self.with_known_label,
            labels_changed=self.labels_changed,
            disputed=disputed,
            in_other_split=self.in_other_split,
            label_problems=label_problems,
            name_notes=name_notes,
            order_note=order_note,
            seconds=seconds,
        )
