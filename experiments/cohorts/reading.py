"""Reading the logs of one design: the cohort first, outcomes only when asked, exact sums at the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath

from experiments.cohorts import cohort, planning, quantities
from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.counted import ArmCount, Enrolled, FateCount
from experiments.cohorts.quantile_reading import requests_step
from experiments.cohorts.quantities import Layout
from experiments.logs.open_logs import OpenLogs
from experiments.logs.sql import DAY_US, Step, ident, text, whole


@dataclass(frozen=True, slots=True)
class Placed:
    """From which rows units were placed: those before ``until_us`` (all: None); ``last_us`` is the last time seen."""

    until_us: int | None
    last_us: int | None


class Reading(OpenLogs):
    """The cohort and the sums of one design's logs."""

    _placed: Placed | None = None

    def place_units(self, until_us: int | None = None) -> None:
        """Group assignments and exposures by unit and decide every unit's fate before any look.

        Args:
            until_us: read rows before this moment only; None reads all there are.
        """
        until_us = until_us if self.timed else None
        if self._placed is not None and self._holds_rows_until(until_us):
            self._placed = Placed(until_us, self._placed.last_us)
            return
        batched = self.experiments is not None
        assigned = cohort.assigned(
            self.design,
            self.assignments,
            self.rows_of("assignments", "assigned_us", until_us),
            delivered=self.delivered,
            batched=batched,
        )
        exposed = None
        if self.exposures is not None:
            only = self.rows_of("exposures", "exposed_us", until_us)
            exposed = cohort.first_exposure(self.exposures, only, batched=batched)
        self.engine.run(cohort.fate_step(self.design, assigned, exposed, delivered=self.delivered))
        last = self.engine.run(Step("last", "SELECT max(last_us) FROM fate"))[0][0]
        self._placed = Placed(until_us, None if last is None else int(last))

    @property
    def placed_until(self) -> int | None:
        """Before which moment rows were read when units were placed; None for all."""
        return None if self._placed is None else self._placed.until_us

    def _holds_rows_until(self, until_us: int | None) -> bool:
        """Whether the units placed last were placed from the same rows."""
        if self._placed is None:
            return False
        if self._placed.until_us == until_us:
            return True
        shorter = until_us is not None and (self._placed.until_us is None or until_us < self._placed.until_us)
        return shorter and (self._placed.last_us is None or self._placed.last_us < (until_us or 0))

    def rows_of(self, log: str, time: str, until_us: int | None) -> str:
        """Which rows of the assignments or the exposures belong to what is read."""
        named = self.source.exposures if log == "exposures" else self.source.assignments
        keys = None
        if named is not None and named.columns.experiment is not None:
            keys = self.experiments if self.experiments is not None else (self.design.key,)
        return cohort.rows_of(keys, time, until_us)

    def waterfall(self, cut_off: CutOff) -> tuple[FateCount, ...]:
        rows = self.engine.run(cohort.counts_step(self.design, cut_off))
        return tuple(
            FateCount(str(e), None if arm is None else int(arm), Fate(fate), int(n), int(a), int(x or 0))
            for e, arm, fate, n, a, x in rows
        )

    def first_exposure_us(self) -> int | None:
        """The earliest exposure of a unit that may be analysed."""
        if not self.timed:
            return None
        first = self.engine.run(cohort.first_exposure_step())[0][0]
        return None if first is None else int(first)

    def enrolment(self, start_us: int, step_us: int) -> tuple[Enrolled, ...]:
        return tuple(
            Enrolled(int(step), int(arm), int(came), int(units))
            for arm, step, came, units in self.engine.run(cohort.enrolment_step(start_us, step_us))
        )

    def analysed(self, cut_off: CutOff) -> tuple[int, ...]:
        """Analysed units by arm at a cut-off, from the rows up to its watermark."""
        self.place_units(cut_off.watermark_us)
        rows = self.engine.run(cohort.analysed_step(self.design, cut_off))
        found = {int(arm): int(n) for arm, n in rows}
        return tuple(found.get(arm, 0) for arm in range(len(self.design.arms)))

    def strata(self, cut_off: CutOff, attribute: str | None) -> tuple[ArmCount, ...]:
        """Analysed units by arm within each UTC day of first exposure, or each level of an attribute."""
        stratum = (
            whole("exposed_us", DAY_US)
            if attribute is None
            else f"coalesce(CAST({ident('attribute ' + attribute)} AS VARCHAR), '(none)')"
        )
        rows = self.engine.run(
            Step(
                "strata",
                f"SELECT experiment, {stratum} AS stratum, arm, count(*) FROM fate "
                f"WHERE {cohort.fate_at(self.design, cut_off)} = {int(Fate.ANALYSED)} "
                "GROUP BY experiment, stratum, arm ORDER BY experiment, stratum, arm",
            )
        )
        return tuple(ArmCount(str(e), str(s), int(arm), int(n)) for e, s, arm, n in rows)

    def as_delivered(self, cut_off: CutOff) -> tuple[ArmCount, ...]:
        """Analysed units by arm that were given the arm they were assigned."""
        rows = self.engine.run(
            Step(
                "as_delivered",
                f"SELECT experiment, arm, count(*) FROM fate WHERE {cohort.fate_at(self.design, cut_off)} = {int(Fate.ANALYSED)} "
                "AND differing_rows = 0 GROUP BY experiment, arm ORDER BY experiment, arm",
            )
        )
        return tuple(ArmCount(str(e), "", int(arm), int(n)) for e, arm, n in rows)

    def select_mature(self, cut_off: CutOff) -> None:
        """Give the units whose outcomes will be read their dense ids."""
        self.engine.run(cohort.mature_step(self.design, cut_off))

    def plan(self) -> Layout:
        """What has to be added up, from the events the outcome logs hold."""
        if self.outcome_source is None:
            raise ValueError("this reading was opened without outcomes")
        return planning.layout(self.design, self.outcome_source.logs, self.known_events(), timed=self.timed)

    def aggregate(self, plan: Layout) -> None:
        """One scan of each outcome log into one row per analysed unit."""
        if self.outcome_source is None:
            raise ValueError("this reading was opened without outcomes")
        exposed = self._reach()
        steps = []
        for index, log in enumerate(self.outcome_source.logs):
            if any(base.log == index for base in plan.bases):
                steps.append(index)
                self.engine.run(
                    quantities.outcome_step(
                        index, self.outcome_contract_of(index, plan.events[index]), log, plan, exposed
                    )
                )
        for index in self._quantile_measures():
            event = self.design.measures[index].metric.event or ""
            source = planning.log_of_event(event, self.outcome_source.logs, self.known_events())
            log, contract = self.outcome_source.logs[source], self.outcome_contract_of(source, (event,))
            self.engine.run(requests_step(index, self.design, log, contract, exposed))
        self.engine.run(quantities.per_unit_step(self.design, plan, len(self.outcome_source.logs), steps))

    def absent_events(self, plan: Layout) -> tuple[str, ...]:
        """Events the design needs that no row of any outcome log is of: their metrics were not measured."""
        wanted: list[tuple[int, str]] = [
            (index, event) for index, events in enumerate(plan.events) for event in events
        ]
        for measure in self._quantile_measures():
            event = self.design.measures[measure].metric.event or ""
            wanted.append((planning.log_of_event(event, self.outcome_logs, self.known_events()), event))
        absent = []
        for index, event in wanted:
            column = self.outcome_logs[index].columns.event
            if column is None:  # a column of a wide table is there, or its contract was refused
                continue
            sql = f"SELECT 1 FROM {self.opened[f'outcomes_{index}'].sql} WHERE {ident(column)} = {text(event)} LIMIT 1"
            if not self.engine.run(Step("seen", sql)):
                absent.append(event)
        return tuple(sorted(set(absent)))

    def _reach(self) -> tuple[int, int] | None:
        """First and last exposure of the units whose outcomes are read: with the windows they bound the scan."""
        if not self.timed:
            return None
        first, last = self.engine.run(Step("reach", "SELECT min(exposed_us), max(exposed_us) FROM mature"))[0]
        return None if first is None else (int(first), int(last))

    def write_extract(self, folder: FilePath) -> None:
        """The frozen per-unit rows behind a sealed readout, readable by their owner only."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for table in ("per_unit", *(f"requests_{index}" for index in self._quantile_measures())):
            file = folder / f"{table}.parquet"
            query = f"SELECT * FROM {table} ORDER BY experiment, arm, uid, value"
            if table == "per_unit":
                query = "SELECT mature.unit, per_unit.* FROM per_unit JOIN mature USING (uid) ORDER BY per_unit.experiment, unit"
            self.engine.write_parquet(Step("extract", query), file)
            file.chmod(0o600)

    def _quantile_measures(self) -> list[int]:
        return [i for i, measure in enumerate(self.design.measures) if measure.metric.type == "quantile"]
