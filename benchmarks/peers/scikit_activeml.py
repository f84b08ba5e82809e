"""scikit-activeml's strategies on the same selection as ours, with given probabilities.

They take a classifier; here it only looks up probabilities and embeddings by row number, so that
nothing but the selection is timed.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from skactiveml.base import SkactivemlClassifier
from skactiveml.pool import (
    Badge,
    CoreSet,
    GreedyBALD,
    QueryByCommittee,
    RandomSampling,
    TypiClust,
    UncertaintySampling,
)

from al_engine.strategies import Evidence

_UNCERTAINTY: Final = {
    "entropy": "entropy",
    "least_confidence": "least_confident",
    "margin": "margin_sampling",
}
STRATEGIES: Final = frozenset(
    {*_UNCERTAINTY, "random", "badge", "core_set", "typiclust", "bald", "committee"}
)


class Given(SkactivemlClassifier):  # type: ignore[misc]  # the base class has no types
    """A classifier of row numbers, X (n, 1), that returns given probabilities and embeddings."""

    def __init__(
        self,
        probabilities: NDArray[np.float32],
        embeddings: NDArray[np.float32] | None = None,
        classes: Any = None,
        missing_label: float = np.nan,
        cost_matrix: Any = None,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            classes=classes,
            missing_label=missing_label,
            cost_matrix=cost_matrix,
            random_state=random_state,
        )
        self.probabilities = probabilities
        self.embeddings = embeddings
        self.classes_ = np.arange(probabilities.shape[1])

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Given":  # noqa: N803
        """Do nothing: the probabilities are given."""
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The likeliest class of each row."""
        return self.probabilities[X[:, 0].astype(int)].argmax(axis=1)

    def predict_proba(self, X: Any, return_embeddings: bool = False) -> Any:  # noqa: N803
        """The probabilities of each row, and its embedding with `return_embeddings`."""
        rows = X[:, 0].astype(int)
        if return_embeddings and self.embeddings is not None:
            return self.probabilities[rows], self.embeddings[rows]
        return self.probabilities[rows]


def query(name: str, evidence: Evidence, budget: int) -> Callable[[], object]:
    """A call of the peer's counterpart of our strategy of this name."""
    probabilities = evidence.probabilities.numpy()
    rows = np.arange(len(probabilities), dtype=np.float64)[:, None]
    unknown = np.full(len(rows), np.nan)
    asked = {"fit_clf": False, "batch_size": budget}
    if name == "random":
        return lambda: RandomSampling(random_state=0).query(rows, unknown, batch_size=budget)
    if name in _UNCERTAINTY:
        uncertainty = UncertaintySampling(method=_UNCERTAINTY[name], random_state=0)
        return lambda: uncertainty.query(rows, unknown, Given(probabilities), **asked)
    if name in ("bald", "committee"):
        assert evidence.members is not None
        ensemble = [Given(each.numpy()) for each in evidence.members]
        strategy = (
            GreedyBALD(random_state=0)
            if name == "bald"
            else QueryByCommittee(method="vote_entropy", random_state=0)
        )
        return lambda: strategy.query(
            rows, unknown, ensemble, fit_ensemble=False, batch_size=budget
        )
    assert evidence.embeddings is not None
    assert evidence.labeled is not None
    embeddings = evidence.embeddings[:].numpy()
    if name == "badge":
        badge = Badge(clf_embedding_flag_name="return_embeddings", random_state=0)
        classifier = Given(probabilities, embeddings)
        return lambda: badge.query(rows, unknown, classifier, **asked)
    everything = np.concatenate([evidence.labeled.numpy(), embeddings])
    labels = np.concatenate([np.zeros(len(evidence.labeled)), unknown])
    spread = {"core_set": CoreSet, "typiclust": TypiClust}[name](random_state=0)
    return lambda: spread.query(everything, labels, batch_size=budget)
