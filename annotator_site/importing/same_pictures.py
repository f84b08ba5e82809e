"""One known label for each picture, even if its copies, other imports and CSVs disagree.

A picture that is given two classes has no known label until a person decides: in the holdout the
picture would count as an error of every model, in gold it would teach people something wrong. A
CSV decides: its labels replace the labels known before. Folder names do not decide; to correct
them, give a CSV.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from al_engine.pools.images import KnownImage
from annotator_site.importing.known_labels import PROBLEMS_KEPT

HOW_TO_DECIDE = "a table of path,label with one of the names decides (--known-labels)"


@dataclass(frozen=True, slots=True)
class _Said:
    choice_id: int
    name: str


class KnownPictures:
    """The known label of each picture of one import, by SHA-256.

    `classes`: names by id. `decides`: the labels come from a CSV. Keeps every label of a CSV, but
    folder labels of the current batch only: those of earlier batches are in the database.
    """

    def __init__(self, classes: Mapping[int, str], *, decides: bool) -> None:
        self.classes = classes
        self.decides = decides
        self.said: dict[str, _Said] = {}
        self.disputed: set[str] = set()
        self.problems: list[str] = []

    def begin_batch(self) -> None:
        """Forget the folder labels of earlier batches, which are in the database."""
        if not self.decides:
            self.said.clear()

    def take(self, sha256: str, name: str, choice_id: int | None) -> None:
        """Note the label of a file; two different labels for one picture are a dispute."""
        if choice_id is None:
            return
        now = _Said(choice_id, name)
        before = self.said.setdefault(sha256, now)
        if before.choice_id != choice_id:
            self._dispute(sha256, before, now)

    def choice_of(self, sha256: str) -> int | None:
        """The id of a picture's class; None if it is not known, or disputed."""
        said = self.said.get(sha256)
        return None if said is None or sha256 in self.disputed else said.choice_id

    def meet(self, sha256: str, image: KnownImage) -> bool:
        """Whether the known label of an image that the campaign has becomes `choice_of`."""
        now = self.said.get(sha256)
        if now is None:
            return False
        if not self.decides and sha256 not in self.disputed:
            if image.known_disputed:
                self.disputed.add(sha256)
                self._tell(f"“{now.name}” was given two classes before: {HOW_TO_DECIDE}")
            elif image.known_choice_id not in (None, now.choice_id):
                self._dispute(sha256, _Said(image.known_choice_id, image.name), now)
        if sha256 in self.disputed:
            return not image.known_disputed
        return image.known_choice_id != now.choice_id

    def _dispute(self, sha256: str, one: _Said, other: _Said) -> None:
        self.disputed.add(sha256)
        self._tell(
            f"“{one.name}” ({self.classes[one.choice_id]}) and “{other.name}” "
            f"({self.classes[other.choice_id]}) are the same picture, which has no known label "
            f"now: {HOW_TO_DECIDE}"
        )

    def _tell(self, problem: str) -> None:
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(problem)
