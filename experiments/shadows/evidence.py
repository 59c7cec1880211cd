"""Evidence of a shadow: everything a readout rests on, as counts and exact integer sums, and nothing of any unit.

In two parts: what may be seen while it runs (pairs, errors, timeouts, whether labels have come), and, only at a due look
whose pairs can be trusted, what the models said and whether it was right. The seal hashes it; the same logs give the same
evidence, bit for bit, whatever the order of the rows and the number of threads.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from analysis.paired import PairedTable
from experiments.cohorts.cohort import CutOff
from experiments.forms.documents import sha256_of
from experiments.shadows.unit_sums import UnitSums

EXACT: Final = frozenset({"sums", "products"})
"""Sums that pass what a double can hold, kept as text."""


@dataclass(frozen=True, slots=True)
class Day:
    """Requests of one UTC day by which model logged them."""

    day: int
    both: int
    champion_only: int
    candidate_only: int


@dataclass(frozen=True, slots=True)
class LevelPlaces:
    """Requests at one level of an attribute, matched and not."""

    attribute: str
    level: str
    both: int
    champion_only: int
    candidate_only: int

    @property
    def requests(self) -> int:
        return self.both + self.champion_only + self.candidate_only


@dataclass(frozen=True, slots=True)
class PairingEvidence:
    """What may be seen before the look.

    Attributes:
        champion_rows, candidate_rows: rows read of each model, with a request id and a time.
        broken_rows: of all prediction logs, without a request id or a time.
        both, champion_only, candidate_only: requests before the cut-off, by which model logged them.
        duplicated: of them, logged more than once by a model. conflicting_labels: with labels that differ.
        with_hash, other_inputs: pairs with an input hash of both models, and those where they differ.
        too_far_apart: pairs answered further apart than declared; None without times of both.
        units_with_several, out_of_order: units with two pairs or more, and those whose first or last request differs.
        without_unit: pairs that belong to nobody. incomplete: of units whose window is not over, or after it.
        answered: pairs in which neither model failed nor ran out of time. labelled: of them, with a label.
        has_labels: whether there is a log of labels. complete: nothing more will come.
        units: with an answered and labelled pair.
        missing: where a level's unmatched share is beyond the declared gap, requests by unit at each level: those matched,
            then those not.
        failures: errors and timeouts by pair, of what is logged.
        logged: the contract's columns that the logs name of both models.
    """

    cut_off: CutOff
    champion_rows: int
    candidate_rows: int
    broken_rows: int
    both: int
    champion_only: int
    candidate_only: int
    duplicated: int
    with_hash: int
    other_inputs: int
    too_far_apart: int | None
    units_with_several: int
    out_of_order: int | None
    without_unit: int
    incomplete: int
    answered: int
    labelled: int
    conflicting_labels: int
    has_labels: bool
    complete: bool
    units: int
    days: tuple[Day, ...]
    levels: tuple[LevelPlaces, ...]
    missing: tuple[UnitSums, ...]
    failures: tuple[UnitSums, ...]
    logged: tuple[str, ...]

    @property
    def requests(self) -> int:
        return self.both + self.champion_only + self.candidate_only

    @property
    def matched_share(self) -> float | None:
        return self.both / self.requests if self.requests else None

    @property
    def label_share(self) -> float | None:
        return self.labelled / self.answered if self.answered else None


@dataclass(frozen=True, slots=True)
class ScoreCell:
    """Answered pairs by the bins of both models' scores."""

    champion_bin: int
    candidate_bin: int
    pairs: int


@dataclass(frozen=True, slots=True)
class ReliabilityCell:
    """Labelled pairs by the bins of both models' probabilities.

    Attributes:
        sums: of the champion's and the candidate's probabilities, in scaled units.
    """

    champion_bin: int
    candidate_bin: int
    pairs: int
    positive: int
    sums: tuple[int, int]


@dataclass(frozen=True, slots=True)
class AnswerCell:
    """Answered pairs by what both models said."""

    champion: str
    candidate: str
    pairs: int


@dataclass(frozen=True, slots=True)
class LatencyQuantile:
    """One percentile of both models' latency over the same pairs, in thousandths of a millisecond.

    Attributes:
        requests: over units, pairs at or below the champion's percentile, at or below the candidate's, and all.
        bounds: order statistics at the outer levels: champion's lower and upper, candidate's; None where there are none.
    """

    q: float
    champion: int
    candidate: int
    requests: UnitSums
    bounds: tuple[int | None, int | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class ContentEvidence:
    """What the models said of the answered pairs, and of the labelled ones whether it was right.

    Attributes:
        sums: by quantity; the deciding one also by level of every segment; those of bins by unit only where an index is limited.
        score_edges: upper edges of the bins of scores (of a regression its answers), in 1 / ``score_scale``.
        score_products: over answered pairs, their number and Σx, Σy, Σx², Σy², Σxy of the champion's and the candidate's
            scores, in 1 / ``SQUARED_AT``.
        levels, missing: requests by the champion's score, as ``PairingEvidence`` has them by attribute.
        noise: over units, requests that champion, candidate and control answered: on which the candidate differs from the
            champion, and on which the control does; of numbers the absolute differences.
        label_values: distinct labels. known_labels: labelled pairs whose label some answer of either model equals.
    """

    sums: tuple[UnitSums, ...]
    answers: tuple[AnswerCell, ...]
    score_cells: tuple[ScoreCell, ...]
    score_edges: tuple[int, ...]
    score_scale: int
    levels: tuple[LevelPlaces, ...]
    missing: tuple[UnitSums, ...]
    reliability: tuple[ReliabilityCell, ...]
    latency: tuple[LatencyQuantile, ...]
    score_products: tuple[int, ...]
    noise: UnitSums | None
    label_values: int
    known_labels: int

    def quantity(self, name: str, segment: str | None = None, level: str | None = None) -> UnitSums | None:
        wanted = (name, segment, level)
        return next((one for one in self.sums if (one.name, one.segment, one.level) == wanted), None)

    def table(self, segment: str | None = None, level: str | None = None) -> PairedTable | None:
        """The four counts of right and wrong, overall or at a level; None outside classification."""
        sums = self.quantity("correctness", segment, level)
        if sums is None:
            return None
        candidate, champion, both = (sums.total(name) for name in ("candidate", "champion", "both"))
        return PairedTable(both, candidate - both, champion - both, sums.pairs - candidate - champion + both)

    def levels_of(self, name: str, segment: str) -> tuple[str, ...]:
        return tuple(
            one.level
            for one in self.sums
            if (one.name, one.segment) == (name, segment) and one.level is not None
        )


@dataclass(frozen=True, slots=True)
class ShadowEvidence:
    pairing: PairingEvidence
    content: ContentEvidence | None

    def as_json(self) -> dict[str, Any]:
        """JSON values; exact sums as text."""
        values: dict[str, Any] = _plain(asdict(self))
        return values

    @property
    def sha256(self) -> str:
        return sha256_of(self.as_json())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: [str(number) for number in item] if key in EXACT and _exact(item) else _plain(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _exact(value: Any) -> bool:
    """Numbers added up, and not the list of families that is called sums as well."""
    return isinstance(value, list | tuple) and all(isinstance(item, int) for item in value)
