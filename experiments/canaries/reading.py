"""Reading a canary's logs: the cohort of a design, with every unit under the step of its first exposure.

A unit belongs to the step during which it was first exposed, for good: that is when its share was drawn and what the base
rate was then. Units exposed before the first step began are counted and take no part. The step stands where a batch of
experiments has its key, so that counts and sums come out by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from experiments.canaries.assignment import assignment_at, canary_audit_sql
from experiments.canaries.cohort import cohort_of
from experiments.canaries.design import CANDIDATE, CONTROL, CanaryDesign
from experiments.cohorts.cohort import CutOff, Fate, fate_at
from experiments.cohorts.log_checks import RowCounts, row_counts
from experiments.cohorts.reading import Reading
from experiments.forms.problems import Invalid, Problem
from experiments.logs.manifest import Manifest
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.sql import DAY_US, MICROSECONDS, Step, ident, microseconds, text, texts, whole

OUTSIDE = 2
"""The arm, by index, of units that are logged and not in the canary."""
BEFORE = "0"
"""Under this key stand units exposed before the first step; units never exposed stand under the empty one."""


@dataclass(frozen=True, slots=True)
class DayCount:
    """Units of an arm first exposed on a UTC day (whole days since 1970), within a step."""

    step: int
    day: int
    arm: int
    units: int


@dataclass(frozen=True, slots=True)
class FirstSeen:
    """Units by the step in which the log first knows them, and their arm then."""

    step: int
    arm: int
    units: int


@dataclass(frozen=True, slots=True)
class Reached:
    """Units of an arm first exposed on a UTC day of a step, and how many of them have any row in the outcome logs."""

    step: int
    day: int
    arm: int
    units: int
    known: int


class CanaryReading(Reading):
    """The cohort and the sums of one canary, by step.

    Raises:
        Invalid: every problem of every log at once; also logs without times, which have no steps.
    """

    def __init__(
        self,
        canary: CanaryDesign,
        sources: Sources,
        outcomes: OutcomeSources | None = None,
        *,
        threads: int | None = None,
        memory: str | None = None,
        sealed: Manifest | None = None,
    ) -> None:
        super().__init__(cohort_of(canary), sources, outcomes, threads=threads, memory=memory, sealed=sealed)
        self.canary = canary
        self._seen: set[str] = set()
        if not self.timed:
            self.engine.__exit__(None, None, None)
            message = "has no times; a canary's units belong to the step of their first exposure, so give assigned_at"
            raise Invalid("logs", [Problem(("assignments",), message)])

    def place_in_steps(self, begun: Sequence[datetime], until: datetime) -> RowCounts:
        """Decide every unit's fate from the rows before a moment, and put it under its step.

        Args:
            begun: when each step began, in order.

        Returns:
            What became of the rows.
        """
        self.place_units(microseconds(until))
        self.engine.run(Step("by_step", "UPDATE fate SET experiment = ''"))
        counted = row_counts(self).get("", RowCounts())
        step = _step_of("exposed_us", begun)
        self.engine.run(Step("by_step", f"UPDATE fate SET experiment = {step}"))
        return counted

    def rows_of(self, log: str, time: str, until_us: int | None) -> str:
        """Which rows belong to what is read; those that say a unit is outside of the canary place nobody."""
        where = super().rows_of(log, time, until_us)
        if log != "assignments" or self.canary.written.assignment.outside is None:
            return where
        return f"{where} {'AND' if where else 'WHERE'} (arm IS NULL OR arm <> {OUTSIDE})"

    def first_seen(self, begun: Sequence[datetime], until: datetime) -> tuple[FirstSeen, ...] | None:
        """Units by the step in which the log first knows them and their arm then, outside included; None where it names nobody
        outside.

        A unit that comes anew in a step has each arm with the step's share, whatever was before: units of earlier steps,
        who stay where they are, take no part.
        """
        if self.canary.written.assignment.outside is None:
            return None
        where = super().rows_of("assignments", "assigned_us", microseconds(until))
        rows = self.engine.run(
            Step(
                "first_seen",
                f"SELECT {_step_of('first_us', begun)} AS step, arm, count(*) FROM (SELECT packed & 63 AS arm, "
                "(packed - (packed & 63)) // 64 AS first_us FROM (SELECT min(assigned_us * 64 + arm) AS packed FROM "
                f"({self.assignments.sql}) AS assignments {where} GROUP BY unit) AS first_row) AS placed "
                f"WHERE arm IN ({CONTROL}, {CANDIDATE}, {OUTSIDE}) GROUP BY step, arm ORDER BY step, arm",
            )
        )
        return tuple(
            FirstSeen(int(step), int(arm), int(n)) for step, arm, n in rows if str(step) not in ("", BEFORE)
        )

    def select_in_steps(self, cut_off: CutOff) -> None:
        """Give the mature units of the steps their dense ids."""
        self.select_mature(cut_off)
        self.engine.run(Step("in_steps", f"DELETE FROM mature WHERE experiment = {text(BEFORE)}"))

    def analysed_by_step(self, cut_off: CutOff, steps: int) -> tuple[tuple[int, int], ...]:
        """Mature units of each step, control first."""
        found = [[0, 0] for _ in range(steps)]
        rows = self.engine.run(
            Step(
                "analysed",
                f"SELECT experiment, arm, count(*) FROM fate WHERE {fate_at(self.design, cut_off)} = {int(Fate.ANALYSED)} "
                f"AND experiment NOT IN ('', {text(BEFORE)}) GROUP BY experiment, arm",
            )
        )
        for step, arm, units in rows:
            found[int(step) - 1][int(arm)] = int(units)
        return tuple((control, candidate) for control, candidate in found)

    def exposed_by_day(self, cut_off: CutOff) -> tuple[DayCount, ...]:
        """Exposed and eligible units of every step and day, mature or not: allocation can be seen before maturity."""
        fates = f"{int(Fate.NOT_MATURE)}, {int(Fate.ANALYSED)}"
        rows = self.engine.run(
            Step(
                "exposed_by_day",
                f"SELECT experiment, {whole('exposed_us', DAY_US)} AS day, arm, count(*) FROM fate "
                f"WHERE {fate_at(self.design, cut_off)} IN ({fates}) AND experiment NOT IN ('', {text(BEFORE)}) "
                "GROUP BY experiment, day, arm ORDER BY experiment, day, arm",
            )
        )
        return tuple(DayCount(int(step), int(day), int(arm), int(n)) for step, day, arm, n in rows)

    def audit_by_step(self, steps: int) -> tuple[tuple[str, int], ...] | None:
        """Logged units by agreement with the hash at the share of their step; None when assignment is made elsewhere."""
        if self.canary.written.assignment.method != "fairtrial":
            return None
        arms = " ".join(f"WHEN {i} THEN {text(arm.name)}" for i, arm in enumerate(self.canary.arms))
        cases = []
        for number in range(1, steps + 1):
            audited = canary_audit_sql(
                exp.column("unit_text"), exp.column("arm_name"), assignment_at(self.canary, number)
            )
            cases.append(f"WHEN {text(str(number))} THEN {audited.sql('duckdb')}")
        rows = self.engine.run(
            Step(
                "audit",
                f"SELECT CASE experiment {' '.join(cases)} END AS result, count(*) FROM (SELECT experiment, CAST(unit AS VARCHAR) "
                f"AS unit_text, CASE first_assignment & 63 {arms} END AS arm_name FROM fate WHERE first_assignment IS NOT NULL "
                f"AND unit IS NOT NULL AND experiment NOT IN ('', {text(BEFORE)})) AS placed GROUP BY result ORDER BY result",
            )
        )
        return tuple((str(result), int(n)) for result, n in rows)

    def rows_by_day(
        self, index: int, events: Sequence[str], start: datetime, until: datetime
    ) -> dict[str | None, dict[int, int]]:
        """Rows of an outcome log by UTC day between two moments, all units pooled: in all (under None), and of these events.

        Times and, in a long log, the names of events are read; no value.
        """
        log, opened = self.outcome_logs[index].columns, self.opened[f"outcomes_{index}"]
        if log.occurred_at is None:
            return {}
        occurred = f"epoch_us({ident(log.occurred_at)})"
        event = "CAST(NULL AS VARCHAR)"
        if log.event is not None and events:
            event = f"CASE WHEN {ident(log.event)} IN {texts(events)} THEN {ident(log.event)} END"
        rows = self.engine.run(
            Step(
                "rows_by_day",
                f"SELECT {event} AS event, {whole(occurred, DAY_US)} AS day, count(*) FROM {opened.sql} WHERE {occurred} >= "
                f"{microseconds(start)} AND {occurred} < {microseconds(until)} GROUP BY 1, 2 ORDER BY 1, 2",
            )
        )
        found: dict[str | None, dict[int, int]] = {None: {}}
        for name, day, n in rows:
            found[None][int(day)] = found[None].get(int(day), 0) + int(n)
            if name is not None:
                found.setdefault(str(name), {})[int(day)] = int(n)
                self._seen.add(str(name))
        return found

    def silent_events(self) -> tuple[str, ...]:
        """Events of the guardrails that long logs ought to hold and of which none came in the time ``rows_by_day`` counted."""
        long = any(
            log.columns.event is not None and log.columns.occurred_at is not None for log in self.outcome_logs
        )
        wide = {event for log in self.outcome_logs for event in log.wide}
        wanted = {event for measure in self.canary.measures for event in measure.metric.events()}
        return tuple(sorted(wanted - wide - self._seen)) if long else ()

    def reached_by_day(self) -> tuple[Reached, ...]:
        """Selected units by step, day of first exposure and arm, and how many of them the outcome logs know at all.

        Any row counts, of any event, from the day of exposure until maturity; its value is not read.
        """
        logs = []
        for index in range(len(self.outcome_logs)):
            ids = self.outcome_ids(index)
            occurred = "NULL" if ids.time_column is None else "epoch_us(occurred_at)"
            logs.append(f"SELECT unit, {occurred} AS occurred_us FROM ({ids.sql}) AS log_{index}")
        span = self.canary.maturity * MICROSECONDS
        day = whole("exposed_us", DAY_US)
        known = (
            f"SELECT DISTINCT mature.uid FROM mature JOIN ({' UNION ALL '.join(logs)}) AS logged ON logged.unit = mature.unit "
            f"WHERE occurred_us IS NULL OR (occurred_us >= {day} * {DAY_US} AND occurred_us < exposed_us + {span})"
        )
        rows = self.engine.run(
            Step(
                "reached_by_day",
                f"WITH known AS ({known}) SELECT experiment, {day} AS day, arm, count(*), count(known.uid) FROM mature "
                "LEFT JOIN known ON known.uid = mature.uid GROUP BY experiment, day, arm ORDER BY experiment, day, arm",
            )
        )
        return tuple(
            Reached(int(s), int(day), int(arm), int(n), int(known)) for s, day, arm, n, known in rows
        )


def _step_of(time: str, begun: Sequence[datetime]) -> str:
    """SQL of the key under which a moment stands: its step, "0" before the first, empty without a time."""
    began = [microseconds(moment) for moment in begun]
    cases = [f"WHEN {time} IS NULL THEN ''", f"WHEN {time} < {began[0]} THEN {text(BEFORE)}"]
    cases += [f"WHEN {time} < {later} THEN {text(str(k))}" for k, later in enumerate(began[1:], start=1)]
    return f"CASE {' '.join(cases)} ELSE {text(str(len(began)))} END"
