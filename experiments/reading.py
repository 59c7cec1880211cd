"""Reading the logs of one design: the cohort first, outcomes only when asked, exact sums at the end.

A ``Reading`` is opened without outcomes by whatever watches health, and with them by what takes a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import TracebackType

from sqlglot import exp

from experiments import cohort, quantities
from experiments.assignment import Assignment, Layer, audit_sql
from experiments.cohort import CutOff, Fate
from experiments.contracts import (
    Contract,
    assignment_contract,
    exposure_contract,
    outcome_contract,
    unit_type,
)
from experiments.design import Design
from experiments.engines.duckdb import DuckDB, OpenedLog
from experiments.logs import Log, OutcomeSource, OutcomeSources, Place, Source, Sources
from experiments.manifest import Manifest, Part, file_part
from experiments.problems import Invalid, Problem
from experiments.quantile_reading import requests_step
from experiments.quantities import Layout
from experiments.sql import MICROSECONDS, Step, ident, text
from experiments.watermark import Watermark, earliest, watermark_of

DAY_US = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class FateCount:
    experiment: str
    arm: int | None
    fate: Fate
    units: int
    assignment_rows: int
    exposure_rows: int


@dataclass(frozen=True, slots=True)
class ArmCount:
    """Units of an arm in one stratum: a step of enrolment, a day, a level of an attribute."""

    experiment: str
    stratum: str
    arm: int
    units: int


@dataclass(frozen=True, slots=True)
class ArmSums:
    """Exact sums of one family of variables in one arm: n, Σd and Σd·d (upper triangle by rows)."""

    experiment: str
    arm: int
    level: str | None
    n: int
    sums: tuple[int, ...]
    products: tuple[int, ...]


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
        self.engine = DuckDB(threads, memory)
        self.opened: dict[str, OpenedLog] = {}
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
        units: list[tuple[OpenedLog, str]] = []
        for name, log, place, column in logs:
            only = self._sealed.files_of(name, place.folder) if self._sealed else None
            try:
                self.opened[name] = self.engine.open(name, log, place, only)
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

    def manifest(self) -> Manifest:
        """Every file read with its SHA-256; tables and frames by a digest of their rows."""
        parts: list[Part] = []
        for name, opened in self.opened.items():
            place = self.place if name in {"assignments", "exposures"} else self.outcome_place or self.place
            if opened.files:
                parts += [file_part(name, file, place.folder) for file in opened.files]
            else:
                log, _ = self._log(name)
                label = f"{log.table.database}:{log.table.name}" if log.table else f"frame {log.frame}"
                count, digest = self.engine.digest(opened)
                parts.append(Part(name, "table" if log.table else "frame", label, count, digest))
        return Manifest(tuple(parts))

    def place_units(self) -> None:
        """Group assignments and exposures by unit and decide every unit's fate before any look."""
        assignment_log = self.source.assignments
        where = cohort.experiment_filter(
            self.design, assignment_log.columns.experiment is not None, self.experiments
        )
        run = self.engine.run
        run(cohort.assigned_step(self.design, self.assignments, where, delivered=self.delivered))
        if self.exposures is not None and self.source.exposures is not None:
            has_experiment = self.source.exposures.columns.experiment is not None
            run(
                cohort.first_exposure_step(
                    self.exposures, cohort.experiment_filter(self.design, has_experiment, self.experiments)
                )
            )
        run(cohort.fate_step(self.design, exposures=self.exposures is not None, delivered=self.delivered))

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
        rows = self.engine.run(Step("first", "SELECT min(exposed_us) FROM fate WHERE exposed_us IS NOT NULL"))
        return None if rows[0][0] is None else int(rows[0][0])

    def enrolment(self, start_us: int, step_us: int) -> tuple[ArmCount, ...]:
        rows = self.engine.run(cohort.enrolment_step(start_us, step_us))
        return tuple(ArmCount(str(e), str(step), int(arm), int(n)) for e, arm, step, n, _ in rows)

    def strata(self, cut_off: CutOff, attribute: str | None) -> tuple[ArmCount, ...]:
        """Analysed units by arm within each UTC day of first exposure, or each level of an attribute."""
        stratum = (
            f"exposed_us // {DAY_US}"
            if attribute is None
            else f"CAST({ident('attribute ' + attribute)} AS VARCHAR)"
        )
        rows = self.engine.run(
            Step(
                "strata",
                f"SELECT experiment, {stratum} AS stratum, arm, count(*) FROM fate "
                f"WHERE {cohort.fate_at(self.design, cut_off)} = {int(Fate.ANALYSED)} "
                "GROUP BY experiment, stratum, arm ORDER BY experiment, stratum, arm",
            )
        )
        return tuple(
            ArmCount(str(e), "(none)" if s is None else str(s), int(arm), int(n)) for e, s, arm, n in rows
        )

    def audit(self) -> dict[str, int] | None:
        """Logged units by agreement with the hash; None when assignment is made elsewhere."""
        if self.design.written.assignment.method != "fairtrial":
            return None
        cases = " ".join(f"WHEN {i} THEN {text(arm.name)}" for i, arm in enumerate(self.design.arms))
        expression = audit_sql(exp.column("unit"), exp.column("arm_name"), assignment_of(self.design)).sql(
            "duckdb"
        )
        rows = self.engine.run(
            Step(
                "audit",
                f"SELECT result, count(*) FROM (SELECT {expression} AS result FROM (SELECT CAST(unit AS VARCHAR) AS unit, "
                f"CASE first_assignment % 64 {cases} END AS arm_name FROM assigned WHERE first_assignment IS NOT NULL "
                "AND unit IS NOT NULL) AS placed) AS audited GROUP BY result ORDER BY result",
            )
        )
        return {str(result): int(n) for result, n in rows}

    def clock_oddities(self) -> dict[str, tuple[int, int]]:
        """Rows with impossible times, and rows in all, by what is odd. Reads ids and times, never a value or an arm."""
        found: dict[str, tuple[int, int]] = {}
        if self.exposures is not None and self.assignments.time_column is not None:
            row = self.engine.run(
                Step(
                    "clock",
                    "SELECT count(CASE WHEN exposed_us < assigned_us THEN 1 END), count(*) FROM fate "
                    "WHERE exposed_us IS NOT NULL AND assigned_us IS NOT NULL",
                )
            )[0]
            found["Exposed before assigned"] = (int(row[0]), int(row[1]))
        for index, log in enumerate(self.outcome_source.logs if self.outcome_source else ()):
            if log.columns.recorded_at is None or log.columns.occurred_at is None:
                continue
            opened = self.opened[f"outcomes_{index}"]
            row = self.engine.run(
                Step(
                    "clock",
                    f"SELECT count(CASE WHEN {ident(log.columns.recorded_at)} < {ident(log.columns.occurred_at)} THEN 1 END), "
                    f"count(*) FROM {opened.sql}",
                )
            )[0]
            found[f"Recorded before it occurred (outcome log {index})"] = (int(row[0]), int(row[1]))
        return found

    def select_mature(self, cut_off: CutOff) -> None:
        """Give the units whose outcomes will be read their dense ids."""
        self.engine.run(cohort.mature_step(self.design, cut_off))

    def plan(self) -> Layout:
        """What has to be added up, from the events the outcome logs hold."""
        if self.outcome_source is None:
            raise ValueError("this reading was opened without outcomes")
        return quantities.layout(self.design, self.outcome_source.logs, self._known())

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
            source = quantities.log_of_event(event, self.outcome_source.logs, self._known())
            log, contract = self.outcome_source.logs[source], self._outcomes(source, (event,))
            self.engine.run(requests_step(index, self.design, log, contract, exposed))
        self.engine.run(quantities.per_unit_step(self.design, plan, len(self.outcome_source.logs), steps))

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
        return self._outcomes(index, ())

    def write_extract(self, folder: FilePath) -> None:
        """The frozen per-unit rows behind a sealed readout, readable by their owner only."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for table in ("per_unit", *(f"requests_{index}" for index in self._quantile_measures())):
            file = folder / f"{table}.parquet"
            order = "experiment, unit" if table == "per_unit" else "experiment, arm, uid, value"
            self.engine.write_parquet(Step("extract", f"SELECT * FROM {table} ORDER BY {order}"), file)
            file.chmod(0o600)

    def _quantile_measures(self) -> list[int]:
        return [i for i, measure in enumerate(self.design.measures) if measure.metric.type == "quantile"]


def assignment_of(design: Design) -> Assignment:
    """The hash assignment a design declares."""
    layer = design.layer
    return Assignment(
        design.salt,
        tuple((arm.name, arm.share) for arm in design.arms),
        None if layer is None else Layer(layer.name, layer.start, layer.end),
    )
