"""What an import did, counted while it goes on."""

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
    """Of the duplicates: the same picture under another name than that which the campaign has."""
    copies: tuple[tuple[str, str], ...]
    """Name left out and name kept, the first COPIES_KEPT of them."""
    broken_count: int
    broken: tuple[tuple[str, str], ...]
    """Name and reason, the first BROKEN_KEPT of them."""
    ignored: int
    """Hidden files and what file managers leave behind."""
    with_known_label: int
    """Of those added, or there before without one; they have it when the import ends."""
    labels_changed: int
    """Images that have another known label than before: a table said so."""
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
class Tally:
    """Counts of one import. `newest_before`: the largest id of an image that was there before."""

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
    # A label that one file gives, a later one may take away again. So it is kept which images that
    # were there before this import gave one, or another one; of its own a count is enough.
    _added_with_label: int = 0
    _given: set[int] = field(default_factory=set)
    _changed: set[int] = field(default_factory=set)

    @property
    def with_known_label(self) -> int:
        """Images that have a known label by this import, and had none before."""
        return self._added_with_label + len(self._given)

    @property
    def labels_changed(self) -> int:
        """Images that had a known label before this import, and have another one."""
        return len(self._changed)

    def add(self, images: list[NewImage]) -> None:
        """Count images that came in."""
        self.added += len(images)
        self._added_with_label += sum(image.known_choice_id is not None for image in images)

    def relabel(self, images: Mapping[int, tuple[KnownImage, int | None]]) -> None:
        """Count images that the campaign has, by id, whose known label is another from now on."""
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
        """Count a copy, whose picture there is under the name `kept`."""
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
        seconds: float,
    ) -> ImportReport:
        """What was counted, with what others know of the import."""
        return ImportReport(
            added=self.added,
            duplicates=self.duplicates,
            copies_count=self.copies_count,
            copies=tuple(self.copies),
            broken_count=self.broken_count,
            broken=tuple(self.broken),
            ignored=self.ignored,
            with_known_label=self.with_known_label,
            labels_changed=self.labels_changed,
            disputed=disputed,
            in_other_split=self.in_other_split,
            label_problems=label_problems,
            name_notes=name_notes,
            seconds=seconds,
        )
