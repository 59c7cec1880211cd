"""Evidence: everything a readout rests on, as counts and exact integer sums, and nothing of any unit.

It is gathered in two parts: what the cohort shows without outcomes, and, only when that is valid, the sums of outcomes.
The seal hashes it; the same logs give the same evidence, bit for bit, whatever the thread count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.moments import CoMoments, exact_comoments
from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.counted import ArmCount, ArmSums, FateCount
from experiments.cohorts.log_checks import RowCounts
from experiments.cohorts.quantile_reading import QuantileSums
from experiments.forms.documents import sha256_of


@dataclass(frozen=True, slots=True)
class CohortEvidence:
    """What the assignment and exposure logs show at a cut-off. No outcome was read for it.

    Attributes:
        fates: every unit of the log once, by arm; rows without a unit are counted as rows.
        by_day, by_attribute: analysed units.
        as_delivered: analysed units by arm none of whose rows has another delivered arm than the assigned one; None when
            the log names no delivered arm.
        units: units in the assignment log.
    """

    cut_off: CutOff
    fates: tuple[FateCount, ...]
    by_day: tuple[ArmCount, ...]
    by_attribute: tuple[tuple[str, tuple[ArmCount, ...]], ...]
    as_delivered: tuple[ArmCount, ...] | None
    several_arms: int
    delivered_differs: int
    units: int
    audit: tuple[tuple[str, int], ...] | None
    exposed_before_assigned: int
    rows: RowCounts


@dataclass(frozen=True, slots=True)
class FamilyEvidence:
    """Exact sums of one family of variables, overall or by the levels of a segment."""

    measure: int
    variant: str
    segment: str | None
    names: tuple[str, ...]
    scales: tuple[int, ...]
    centres: tuple[int, ...]
    arms: tuple[ArmSums, ...]

    def comoments(self, sums: ArmSums) -> CoMoments:
        """Co-moments of one arm, rounded once."""
        k = len(self.scales)
        cross = [[0] * k for _ in range(k)]
        position = 0
        for i in range(k):
            for j in range(i, k):
                cross[i][j] = cross[j][i] = sums.products[position]
                position += 1
        return exact_comoments(sums.n, sums.sums, cross, self.scales, self.centres)


@dataclass(frozen=True, slots=True)
class QuantileEvidence:
    measure: int
    segment: str | None
    alpha: float
    scale: int
    arms: tuple[QuantileSums, ...]


@dataclass(frozen=True, slots=True)
class OutcomeEvidence:
    """What the outcome logs show of the analysed units.

    Attributes:
        units_with_any: analysed units with any row in reach of the metrics' windows.
        absent_events: events that the design needs and no row of any log is of.
    """

    families: tuple[FamilyEvidence, ...]
    quantiles: tuple[QuantileEvidence, ...]
    units_with_any: int
    units: int
    absent_events: tuple[str, ...] = ()

    def family(
        self, measure: int, variant: str = "declared", segment: str | None = None
    ) -> FamilyEvidence | None:
        for family in self.families:
            if (family.measure, family.variant, family.segment) == (measure, variant, segment):
                return family
        return None

    def quantile(self, measure: int, segment: str | None = None) -> QuantileEvidence | None:
        for quantile in self.quantiles:
            if (quantile.measure, quantile.segment) == (measure, segment):
                return quantile
        return None

    def units_with_value(self, measure: int, arms: int) -> tuple[int, ...]:
        """Units with a value of a measure, by arm, whether or not they have its covariates."""
        quantile = self.quantile(measure)
        counted: dict[int, int] = {}
        if quantile is not None:
            counted = {sums.arm: sums.units for sums in quantile.arms}
        else:
            family = self.family(measure, "unadjusted") or self.family(measure)
            counted = {sums.arm: sums.n for sums in family.arms} if family else {}
        return tuple(counted.get(arm, 0) for arm in range(arms))

    def as_json(self) -> dict[str, Any]:
        values: dict[str, Any] = _plain(asdict(self))
        return values


@dataclass(frozen=True, slots=True)
class Evidence:
    cohort: CohortEvidence
    outcomes: OutcomeEvidence | None

    def as_json(self) -> dict[str, Any]:
        """JSON values; exact sums as text, since they pass what a double can hold."""
        values: dict[str, Any] = _plain(asdict(self))
        return values

    @property
    def sha256(self) -> str:
        return sha256_of(self.as_json())


def units_in(fates: Sequence[FateCount], arm: int, *wanted: Fate) -> int:
    return sum(count.units for count in fates if count.arm == arm and count.fate in wanted)


def _plain(value: Any) -> Any:
    """JSON values: enums as numbers, tuples as lists."""
    if isinstance(value, Fate):
        return int(value)
    if isinstance(value, dict):
        return {key: _texts(item) if key in EXACT else _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


EXACT = frozenset({"sums", "products"})


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value]
