"""The closed vocabulary of a shadow: what can decide and what can be limited, its unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from experiments.shadows.written import Limited, Loss, Task, Test

Direction = Literal["higher", "lower"]
POINTS: Final = "percentage points"


@dataclass(frozen=True, slots=True)
class LossMeasure:
    """A measure that may decide.

    Attributes:
        tasks: those it is of.
        largest_margin: a margin must be below it; None for no bound.
    """

    name: Loss
    tasks: frozenset[Task]
    direction: Direction
    unit: str
    words: str
    largest_margin: float | None = None


LOSSES: Final[dict[Loss, LossMeasure]] = {
    one.name: one
    for one in (
        LossMeasure(
            "correctness",
            frozenset({"binary", "multiclass"}),
            "higher",
            POINTS,
            "share right",
            largest_margin=1.0,
        ),
        LossMeasure("log_loss", frozenset({"binary"}), "lower", "nats", "log loss"),
        LossMeasure(
            "squared_error", frozenset({"binary", "regression"}), "lower", "squared units", "squared error"
        ),
        LossMeasure("absolute_error", frozenset({"regression"}), "lower", "units", "absolute error"),
        LossMeasure("score", frozenset({"ranking"}), "higher", "score", "ranking score"),
    )
}
DEFAULT_LOSS: Final[dict[Task, Loss]] = {
    "binary": "correctness",
    "multiclass": "correctness",
    "regression": "absolute_error",
    "ranking": "score",
}
TESTS_OF_CORRECTNESS: Final[dict[str, frozenset[Test]]] = {
    "request": frozenset({"exact", "midp", "tango", "sequence"}),
    "user": frozenset({"obuchowski", "linearised", "sequence"}),
}
TESTS_OF_LOSSES: Final[frozenset[Test]] = frozenset({"obuchowski", "linearised", "sequence"})

Bound = Literal["at_most", "at_least", "worsening"]


@dataclass(frozen=True, slots=True)
class LimitMeasure:
    """A measure that may be limited.

    Attributes:
        column: what a prediction log has to name for it.
        bounds: the limits that make sense of it.
        quantile: of the latency; None for means and shares.
        is_share: of pairs, so that its limit is between 0 and 1.
    """

    name: Limited
    column: str
    bounds: frozenset[Bound]
    unit: str
    words: str
    tasks: frozenset[Task]
    quantile: float | None = None
    is_share: bool = False

    @property
    def operational(self) -> bool:
        """Whether it is of how the candidate runs, not of what it says."""
        return self.column in {"latency_ms", "error", "timeout", "cost"}


_ALL: Final[frozenset[Task]] = frozenset({"binary", "multiclass", "regression", "ranking"})
_CLASSES: Final[frozenset[Task]] = frozenset({"binary", "multiclass"})
_BOTH: Final[frozenset[Bound]] = frozenset({"at_most", "worsening"})
LIMITED: Final[dict[Limited, LimitMeasure]] = {
    one.name: one
    for one in (
        LimitMeasure("latency_p50", "latency_ms", _BOTH, "ms", "median latency", _ALL, quantile=0.5),
        LimitMeasure(
            "latency_p95", "latency_ms", _BOTH, "ms", "95th percentile of latency", _ALL, quantile=0.95
        ),
        LimitMeasure(
            "latency_p99", "latency_ms", _BOTH, "ms", "99th percentile of latency", _ALL, quantile=0.99
        ),
        LimitMeasure("latency_mean", "latency_ms", _BOTH, "ms", "mean latency", _ALL),
        LimitMeasure("error_share", "error", _BOTH, POINTS, "share of errors", _ALL, is_share=True),
        LimitMeasure("timeout_share", "timeout", _BOTH, POINTS, "share of timeouts", _ALL, is_share=True),
        LimitMeasure("cost", "cost", _BOTH, "per request", "cost", _ALL),
        LimitMeasure(
            "agreement",
            "prediction",
            frozenset({"at_least"}),
            POINTS,
            "share of equal answers",
            _CLASSES,
            is_share=True,
        ),
        LimitMeasure(
            "flipped_share",
            "score",
            frozenset({"at_most"}),
            POINTS,
            "share of decisions flipped",
            frozenset({"binary"}),
            is_share=True,
        ),
        LimitMeasure(
            "score_psi", "score", frozenset({"at_most"}), "", "population stability index of the scores", _ALL
        ),
        LimitMeasure(
            "prediction_psi",
            "prediction",
            frozenset({"at_most"}),
            "",
            "population stability index of the answers",
            _ALL - {"ranking"},
        ),
    )
}
