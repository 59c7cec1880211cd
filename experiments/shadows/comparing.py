"""A shadow's numbers by its stopping rule: every test of one look, and what it says as a comparison of the readout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtr

from analysis.guardrails import GuardrailState
from analysis.paired import (
    DeclaredTest,
    PairDifference,
    PairedResult,
    PairedTable,
    at_any_look,
    at_declared_looks,
    at_one_look,
    paired_difference,
)
from analysis.paired.comparisons import Comparison as Compared
from analysis.paired.difference import tango_z
from analysis.sequential.design import GroupSequentialDesign, group_sequential_design
from experiments.designs.sequential import boundary_of, planned_looks
from experiments.readouts.comparisons import finite, interval
from experiments.readouts.deciding import MARGIN_WORDS
from experiments.readouts.past import SAME_INFORMATION, PastLook
from experiments.readouts.readout import ArmValue, Look
from experiments.shadows.design import ShadowDesign
from experiments.shadows.measures import Direction
from experiments.shadows.readout import Bound, PairedComparison
from experiments.shadows.unit_sums import UnitSums


@dataclass(frozen=True, slots=True)
class TableDifference:
    """Difference of the shares right by Tango's score test, where every request is a unit."""

    table: PairedTable
    name: str = "paired difference of shares (Tango score)"

    @property
    def users(self) -> int:
        return self.table.pairs

    @property
    def estimate(self) -> float | None:
        return self.table.difference if self.table.pairs else None

    def z(self, null: float) -> float | str:
        return tango_z(self.table, null) if self.table.pairs else "no pairs"

    def interval(self, critical: float) -> tuple[float, float] | None:
        return paired_difference(self.table, level=1 - 2 * float(ndtr(-critical))).ci


class ShadowTests:
    """Every test of one look, by the design's stopping rule."""

    def __init__(self, design: ShadowDesign, look: Look, past: Sequence[PastLook] = ()) -> None:
        self.design, self.look, self.past = design, look, tuple(past)
        self.rule = design.stopping.rule
        earlier = [one.information for one in past if one.information < look.information - SAME_INFORMATION]
        self.information = (*earlier, look.information)
        self.ends = look.final and not look.stopped_by_hand

    @property
    def interim(self) -> bool:
        """Whether the shadow goes on unless a boundary is crossed."""
        return not (self.look.final or self.look.stopped_by_hand)

    def ask(self, compared: Compared, test: DeclaredTest) -> PairedResult:
        if self.rule == "fixed":
            return at_one_look(compared, test)
        if self.rule == "always-valid":
            return at_any_look(
                compared,
                test,
                planned_users=self.design.planned_units,
                burn_in=self.design.stopping.burn_in or 1,
            )
        return at_declared_looks(
            compared, test, self.boundary(test.alpha, test.sides), self.information, final=self.ends
        )

    def boundary(self, alpha: float, sides: int) -> GroupSequentialDesign:
        stopping = self.design.stopping
        return group_sequential_design(
            boundary_of(stopping), alpha, planned_looks(stopping), sides, stopping.parameter
        )

    def of_primary(self, sums: UnitSums, table: PairedTable | None) -> Compared:
        """Candidate − champion of the deciding measure, by its declared test."""
        test = self.design.primary.test
        if table is not None and not self.design.by_user and test != "sequence":
            return TableDifference(table)
        counted = sums.name == "correctness"
        return difference_of(sums, by_score=test == "obuchowski" or (counted and test != "linearised"))


def difference_of(sums: UnitSums, *, by_score: bool) -> PairDifference:
    """Candidate − champion per pair, by unit.

    By score the spread is taken at the null, which also judges what never differed, or always by the same amount.
    """
    moments = sums.candidate_less_champion
    return PairDifference(moments, "obuchowski" if by_score else "linearised")


def state_of(result: PairedResult) -> GuardrailState:
    """A limit by the interval of its comparison against the null it was asked at."""
    if result.not_computed is not None or result.ci is None:
        return GuardrailState.MISSING
    if result.better:
        return GuardrailState.WITHIN
    return GuardrailState.BEYOND if result.worse else GuardrailState.NOT_RULED_OUT


@dataclass(frozen=True, slots=True)
class Subject:
    """What a comparison is of, and what it is held against."""

    measure: str
    label: str
    role: Literal["primary", "must-hold", "monitor"]
    unit: str
    direction: Direction
    bound: Bound
    limit: float | None = None
    margin: float | None = None
    reason: str = ""
    segment: str | None = None
    level: str | None = None


def shown(
    design: ShadowDesign,
    subject: Subject,
    result: PairedResult,
    values: tuple[float | None, float | None],
    pairs: int,
    state: str | None = None,
) -> PairedComparison:
    """A result as the readout holds it.

    Args:
        values: the champion's and the candidate's own.
        state: by default what the interval says of the limit.
    """
    champion, candidate = values
    return PairedComparison(
        metric=subject.measure,
        label=subject.label,
        role=subject.role,
        type="paired",
        unit=subject.unit,
        direction=subject.direction,
        treatment=design.candidate,
        control_value=ArmValue(arm=design.champion, n=pairs, missing=0, value=champion),
        treatment_value=ArmValue(arm=design.candidate, n=pairs, missing=0, value=candidate),
        estimate=finite(result.estimate),
        interval=interval(result.ci, result.test.level),
        p_value=result.p_value,
        method=result.name,
        margin=subject.margin,
        margin_kind=None if subject.margin is None else "absolute",
        margin_reason=subject.reason,
        limit=subject.limit,
        state=MARGIN_WORDS[state_of(result)] if state is None else state,
        segment=subject.segment,
        level=subject.level,
        not_computed=result.not_computed,
        bound=subject.bound,
        pairs=pairs,
        units=result.users,
    )


def nothing(why: str, test: DeclaredTest) -> PairedResult:
    """The result of a test of which there is nothing; it never passes."""
    return PairedResult("fixed", "not computed", test, 0, None, None, None, None, None, False, False, why)


def unmeasured(design: ShadowDesign, subject: Subject, why: str) -> PairedComparison:
    """A declared comparison of which there is nothing."""
    return shown(design, subject, nothing(why, DeclaredTest(0.025, 1)), (None, None), 0)
