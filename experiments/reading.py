"""Reading the logs of one design: the cohort first, outcomes only when asked, exact sums at the end.

A ``Reading`` is opened without outcomes by whatever watches health, and with them by what takes a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import TracebackType

from experiments import cohort, planning, quantities
from experiments.cohort import CutOff, Fate
from experiments.contracts import (
    Contract,
    assignment_contract,
    exposure_contract,
    outcome_contract,
    outcome_ids_contract,
    unit_type,
)
from experiments.counted import ArmCount, Enrolled, FateCount
from experiments.design import Design
from experiments.engines.duckdb import DuckDB, OpenedLog
from experiments.logs import Log, OutcomeLog, OutcomeSource, OutcomeSources, Place, Source, Sources
from experiments.manifest import Manifest, Part, file_part
from experiments.problems import Invalid, Problem
from experiments.quantile_reading import requests_step
from experiments.quantities import Layout
from experiments.sql import DAY_US, Step, ident, text, whole
from experiments.watermark import Watermark, earliest, watermark_of


@dataclass(frozen=True, slots=True)
class Placed:
    """From which rows units were placed: those before ``until_us`` (all: None); ``last_us`` is the last time seen."""

    until_us: int | None
    last_us: int | None


class Reading:
    """The logs of one design, open for reading in one engine session."""

    def __init__(
        self,
        design: Design,
        sources: Sources,
        outcomes: OutcomeSources | None = None,
        *,
        threads: int | None = None,
        memory: str | None = None,
        experiments: tuple[str, ...] | None = None,
        sealed: Manifest | None = None,
    ) -> None:
        self.design = design
        self.source: Source = sources[design.written.source]
        self.place: Place = sources.place
        self.outcome_source: OutcomeSource | None = None
        self.outcome_place: Place | None = None
        if outcomes is not None:
            self.outcome_source, self.outcome_place = outcomes[design.written.source], outcomes.place
        self.experiments = experiments
        self._sealed = sealed
        self._events: list[frozenset[str] | None] | None = None
        self._placed: Placed | None = None
        self.engine = DuckDB(threads, memory)
        self.opened: dict[str, OpenedLog] = {}
        self._stats: dict[str, tuple[tuple[int, int] | None, ...]] = {}
        try:
            self._open()
        except BaseException:
            self.engine.__exit__(None, None, None)
            raise

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.engine.__exit__(kind, error, trace)

    def _open(self) -> None:
        design, source = self.design, self.source
        problems: list[Problem] = []
        logs: list[tuple[str, Log, Place, str]] = [
            ("assignments", source.assignments, self.place, source.assignments.columns.unit)
        ]
        if design.written.assignment.exposure == "exposures":
            if source.exposures is None:
                problems.append(
                    Problem(
                        ("exposures",),
                        "the design counts from the exposures log, which this source does not name",
                    )
                )
            else:
                logs.append(("exposures", source.exposures, self.place, source.exposures.columns.unit))
        if self.outcome_source is not None and self.outcome_place is not None:
            logs += [
                (f"outcomes_{index}", outcome, self.outcome_place, outcome.columns.unit)
                for index, outcome in enumerate(self.outcome_source.logs)
            ]
        if source.assignments.columns.delivered is None:
            problems += _needs_delivered(design)
        units: list[tuple[OpenedLog, str]] = []
        for name, log, place, column in logs:
            only = self._sealed.files_of(name, place.folder) if self._sealed else None
            try:
                self.opened[name] = self.engine.open(name, log, place, only)
                self._stats[name] = _stats(self.opened[name])
                units.append((self.opened[name], column))
            except Invalid as error:
                problems += error.problems
        if problems:
            raise Invalid("logs", problems)
        self.unit_as = unit_type(units)
        arms = tuple(arm.name for arm in design.arms)
        try:
            self.assignments = assignment_contract(
                self.opened["assignments"], source.assignments, arms, self.unit_as, design.attributes
            )
        except Invalid as error:
            problems += error.problems
        self.exposures: Contract | None = None
        if "exposures" in self.opened and source.exposures is not None:
            try:
                self.exposures = exposure_contract(self.opened["exposures"], source.exposures, self.unit_as)
            except Invalid as error:
                problems += error.problems
        if problems:
            raise Invalid("logs", problems)

    @property
    def outcome_logs(self) -> tuple[OutcomeLog, ...]:
        return () if self.outcome_source is None else self.outcome_source.logs

    @property
    def delivered(self) -> bool:
        return self.source.assignments.columns.delivered is not None

    @property
    def timed(self) -> bool:
        """Whether exposures have times; without them there is no cut-off and no window."""
        return self.exposures is not None or self.assignments.time_column is not None

    def watermark(self) -> Watermark:
        """Up to when every log that is open is complete.

        Raises:
            Invalid: a log says nothing about its completeness.
        """
        found: list[Watermark] = []
        problems: list[Problem] = []
        for name, opened in self.opened.items():
            log, owner = self._log(name)
            result = watermark_of(name, log, owner, opened.files)
            (found if isinstance(result, Watermark) else problems).append(result)  # type: ignore[arg-type]
        if problems:
            raise Invalid("logs", problems)
        return earliest(found)

    def _log(self, name: str) -> tuple[Log, Source | OutcomeSource]:
        if name == "assignments":
            return self.source.assignments, self.source
        if name == "exposures" and self.source.exposures is not None:
            return self.source.exposures, self.source
        if self.outcome_source is None:
            raise ValueError(f"log {name!r} is not open")
        return self.outcome_source.logs[int(name.removeprefix("outcomes_"))], self.outcome_source

    def manifest(self, *, values_read: bool = True) -> Manifest:
        """Every file read with its SHA-256; tables and frames by a digest of their rows.

        Args:
            values_read: False where no value of an outcome was read: of an outcome table or frame the digest is then of
                unit ids and times alone.

        Raises:
            Invalid: a file was changed or taken away while it was read.
        """
        parts: list[Part] = []
        for name, opened in self.opened.items():
            place = self.place if name in {"assignments", "exposures"} else self.outcome_place or self.place
            if opened.files:
                if self._stats[name] != _stats(opened):
                    message = "was changed while it was read; do that again"
                    raise Invalid("logs", [Problem((name,), message)])
                parts += [file_part(name, file, place.folder) for file in opened.files]
                continue
            log, _ = self._log(name)
            label = f"{log.table.database}:{log.table.name}" if log.table else f"frame {log.frame}"
            columns = None
            if isinstance(log, OutcomeLog) and not values_read:
                columns = [c for c in (log.columns.unit, log.columns.occurred_at) if c is not None]
            count, digest = self.engine.digest(opened, columns)
            parts.append(Part(name, "table" if log.table else "frame", label, count, digest))
        return Manifest(tuple(parts))

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
        return planning.layout(self.design, self.outcome_source.logs, self._known(), timed=self.timed)

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
                        index, self._outcomes(index, plan.events[index]), log, plan, exposed
                    )
                )
        for index in self._quantile_measures():
            event = self.design.measures[index].metric.event or ""
            source = planning.log_of_event(event, self.outcome_source.logs, self._known())
            log, contract = self.outcome_source.logs[source], self._outcomes(source, (event,))
            self.engine.run(requests_step(index, self.design, log, contract, exposed))
        self.engine.run(quantities.per_unit_step(self.design, plan, len(self.outcome_source.logs), steps))

    def absent_events(self, plan: Layout) -> tuple[str, ...]:
        """Events the design needs that no row of any outcome log is of: their metrics were not measured."""
        wanted: list[tuple[int, str]] = [
            (index, event) for index, events in enumerate(plan.events) for event in events
        ]
        for measure in self._quantile_measures():
            event = self.design.measures[measure].metric.event or ""
            wanted.append((planning.log_of_event(event, self.outcome_logs, self._known()), event))
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

    def _known(self) -> list[frozenset[str] | None]:
        """The events of each long log, asked only when there are several to choose from."""
        logs = self.outcome_source.logs if self.outcome_source is not None else ()
        if sum(1 for log in logs if not log.wide) < 2:
            return [None] * len(logs)
        if self._events is None:
            self._events = []
            for index, log in enumerate(logs):
                if log.columns.event is None:
                    self._events.append(None)
                    continue
                sql = (
                    f"SELECT DISTINCT {ident(log.columns.event)} FROM {self.opened[f'outcomes_{index}'].sql}"
                )
                self._events.append(frozenset(str(row[0]) for row in self.engine.run(Step("events", sql))))
        return self._events

    def _outcomes(self, index: int, events: Sequence[str]) -> Contract:
        if self.outcome_source is None:
            raise ValueError("this reading was opened without outcomes")
        return outcome_contract(
            self.opened[f"outcomes_{index}"], self.outcome_source.logs[index], self.unit_as, events
        )

    def outcome_ids(self, index: int) -> Contract:
        """An outcome log's unit ids and times alone."""
        return outcome_ids_contract(self.opened[f"outcomes_{index}"], self.outcome_logs[index], self.unit_as)

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


def _needs_delivered(design: Design) -> list[Problem]:
    """What of a design asks for the delivered arm, which its source does not name."""
    rules = design.written.rules
    asked = {
        ("rules", "several_arms"): rules.several_arms == "delivered arm",
        ("rules", "delivered_differs"): rules.delivered_differs == "exclude",
        ("sensitivity",): "per-protocol" in design.written.sensitivity,
    }
    message = (
        "needs the arm that was delivered; name its column in the source's assignments.columns.delivered"
    )
    return [Problem(path, message) for path, needed in asked.items() if needed]


def _stats(opened: OpenedLog) -> tuple[tuple[int, int] | None, ...]:
    """Size and time of change of a log's files, None for one that is gone."""
    found: list[tuple[int, int] | None] = []
    for file in opened.files:
        try:
            stat = file.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((stat.st_size, stat.st_mtime_ns))
    return tuple(found)
