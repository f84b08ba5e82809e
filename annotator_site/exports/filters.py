"""Which rows of a campaign an export has; without any filter all of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

FilterValue = str | int | float | datetime

_LABEL_TIME: Final = "label.answered_at"


@dataclass(frozen=True, slots=True)
class Filters:
    """What rows must fulfil, all at once; None and empty text ask for nothing.

    `least_confidence`: of the image's consensus, 0 to 1; images without a consensus are left out.
    `since`: answered, or for consensus rows decided, at this time or later. `choice`: the name of
    the row's class. `annotator`: the pseudonym of who gave the answer; for consensus rows the last
    one. `purpose` and `model_version`: of the query behind it.
    """

    least_confidence: float | None = None
    since: datetime | None = None
    choice: str = ""
    annotator: str = ""
    purpose: str = ""
    model_version: int | None = None

    def conditions(self, rows: str) -> tuple[list[str], list[FilterValue]]:
        """SQL conditions over the tables of `rows.py`, and their parameters in order."""
        found: list[tuple[str, FilterValue]] = []
        if self.least_confidence is not None:
            condition = (
                "consensus.confidence >= %s"
                if rows != "labels"
                # `labels` does not join the consensus.
                else "(SELECT c.confidence FROM pools_consensus c WHERE c.image_id = label.image_id"
                " AND c.choice_id IS NOT NULL) >= %s"
            )
            found.append((condition, self.least_confidence))
        if self.since is not None:
            time = "consensus.decided_at" if rows == "consensus" else _LABEL_TIME
            found.append((f"{time} >= %s", self.since))
        if self.choice:
            found.append(("choice.name = %s", self.choice))
        if self.annotator:
            found.append(("annotator.pseudonym = %s", self.annotator))
        if self.purpose:
            found.append(("query.purpose = %s", self.purpose))
        if self.model_version is not None:
            found.append(("version.version = %s", self.model_version))
        return [condition for condition, _ in found], [value for _, value in found]
