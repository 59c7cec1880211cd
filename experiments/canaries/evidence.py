"""Evidence of one check: what the cohort shows of every step, and, once it is read, the exact sums of its guardrails.

Nothing of any unit is in it, and the same logs give the same evidence, bit for bit; the seal hashes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from experiments.canaries.design import CanaryDesign
from experiments.canaries.reading import BEFORE, CanaryReading, DayCount, FirstSeen
from experiments.canaries.stopping import cut_off_at
from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.counted import ArmCount, FateCount
from experiments.cohorts.evidence import CohortEvidence, Evidence, OutcomeEvidence
from experiments.cohorts.gathering import sums_by_experiment
from experiments.cohorts.log_checks import RowCounts
from experiments.cohorts.quantities import Layout
from experiments.forms.documents import sha256_of
from experiments.logs.sql import Step, microseconds


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """One step: its units by fate, and the sums of the guardrails over those analysed.

    Attributes:
        begun_us: when it began.
        outcomes: None where none were read, or no unit of the step is mature.
    """

    step: int
    begun_us: int
    fates: tuple[FateCount, ...]
    by_attribute: tuple[tuple[str, tuple[ArmCount, ...]], ...]
    outcomes: OutcomeEvidence | None

    def analysed(self, arm: int) -> int:
        return sum(c.units for c in self.fates if c.arm == arm and c.fate is Fate.ANALYSED)


@dataclass(frozen=True, slots=True)
class CanaryEvidence:
    """What the logs show at a check.

    Attributes:
        outside: units of the log in no step: never exposed, exposed before the first step, or in no arm.
        exposed: exposed and eligible units by step, day and arm, mature or not.
        first_seen: units by the step in which the log first knows them, those outside included; None where it names none.
        audit: logged units by agreement with the hash; None when assignment is made elsewhere.
        read: whether outcomes were read.
    """

    cut_off: CutOff
    steps: tuple[StepEvidence, ...]
    outside: tuple[FateCount, ...]
    exposed: tuple[DayCount, ...]
    first_seen: tuple[FirstSeen, ...] | None
    several_arms: int
    units: int
    audit: tuple[tuple[str, int], ...] | None
    exposed_before_assigned: int
    rows: RowCounts
    read: bool

    def analysed(self, step: int) -> tuple[int, int]:
        """Mature units of a step (1 is the first), control first."""
        found = self.steps[step - 1]
        return found.analysed(0), found.analysed(1)

    def analysed_in_all(self) -> tuple[int, int]:
        return sum(step.analysed(0) for step in self.steps), sum(step.analysed(1) for step in self.steps)

    def absent_events(self) -> tuple[str, ...]:
        """Events that a guardrail needs and no row of the outcome logs is of, at all or since the canary began."""
        return tuple(
            sorted({event for step in self.steps if step.outcomes for event in step.outcomes.absent_events})
        )

    def of_step(self, step: StepEvidence) -> Evidence:
        """A step's evidence in the form of an experiment's, for what estimates from that."""
        cohort = CohortEvidence(
            cut_off=self.cut_off,
            fates=step.fates,
            by_day=(),
            by_attribute=step.by_attribute,
            as_delivered=None,
            several_arms=self.several_arms,
            delivered_differs=0,
            units=self.units,
            audit=None,
            exposed_before_assigned=self.exposed_before_assigned,
            rows=self.rows,
        )
        return Evidence(cohort, step.outcomes)

    def as_cohort(self) -> CohortEvidence:
        """All steps together, for what only counts rows."""
        fates = tuple(count for step in self.steps for count in step.fates) + self.outside
        return CohortEvidence(
            self.cut_off,
            fates,
            (),
            (),
            None,
            self.several_arms,
            0,
            self.units,
            self.audit,
            self.exposed_before_assigned,
            self.rows,
        )

    def without_outcomes(self) -> CanaryEvidence:
        """The counts of the cohort alone."""
        return replace(self, steps=tuple(replace(step, outcomes=None) for step in self.steps))

    def as_json(self) -> dict[str, Any]:
        """JSON values; exact sums as text, since they pass what a double can hold."""
        body: dict[str, Any] = _plain(asdict(self))
        for held, step in zip(body["steps"], self.steps, strict=True):
            held["outcomes"] = None if step.outcomes is None else step.outcomes.as_json()
        return body

    @property
    def sha256(self) -> str:
        return sha256_of(self.as_json())


def gather_steps(
    reading: CanaryReading, design: CanaryDesign, begun: Sequence[datetime], at: datetime, rows: RowCounts
) -> CanaryEvidence:
    """Counts of every step at a check; the units must have been placed in steps. No outcome is read."""
    cut_off = cut_off_at(at)
    by_step: dict[str, list[FateCount]] = {}
    for count in reading.waterfall(cut_off):
        by_step.setdefault(count.experiment, []).append(count)
    segments = tuple(dict.fromkeys(g.segment for g in design.guardrails if g.segment))
    levels = {name: reading.strata(cut_off, name) for name in segments}
    steps = tuple(
        StepEvidence(
            step=number,
            begun_us=microseconds(moment),
            fates=tuple(by_step.get(str(number), ())),
            by_attribute=tuple(
                (name, tuple(count for count in levels[name] if count.experiment == str(number)))
                for name in segments
            ),
            outcomes=None,
        )
        for number, moment in enumerate(begun, start=1)
    )
    several, early, units = reading.engine.run(
        Step(
            "flags",
            "SELECT count(CASE WHEN several_arms THEN unit END), count(CASE WHEN exposed_us < assigned_us THEN unit END), "
            "count(unit) FROM fate",
        )
    )[0]
    return CanaryEvidence(
        cut_off=cut_off,
        steps=steps,
        outside=tuple(by_step.get("", ())) + tuple(by_step.get(BEFORE, ())),
        exposed=reading.exposed_by_day(cut_off),
        first_seen=reading.first_seen(begun, at),
        several_arms=int(several),
        units=int(units),
        audit=reading.audit_by_step(len(begun)),
        exposed_before_assigned=int(early),
        rows=rows,
        read=False,
    )


def with_sums(
    evidence: CanaryEvidence, reading: CanaryReading, plan: Layout, absent: tuple[str, ...]
) -> CanaryEvidence:
    """The same evidence with the sums of the per-unit rows just made."""
    sums = sums_by_experiment(reading.engine, reading.design, plan, absent)
    steps = tuple(replace(step, outcomes=sums.get(str(step.step))) for step in evidence.steps)
    return replace(evidence, steps=steps, read=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Fate):
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
