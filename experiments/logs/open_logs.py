"""The logs of one design, open for reading: contracts checked, completeness known, every file accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from experiments.designs.design import Design
from experiments.forms.problems import Invalid, Problem
from experiments.logs.contracts import (
    Contract,
    assignment_contract,
    exposure_contract,
    outcome_contract,
    outcome_ids_contract,
    unit_type,
)
from experiments.logs.engines.duckdb import DuckDB, OpenedLog
from experiments.logs.manifest import Manifest, Part, file_part
from experiments.logs.sources import Log, OutcomeLog, OutcomeSource, OutcomeSources, Place, Source, Sources
from experiments.logs.sql import Step, ident
from experiments.logs.watermark import Watermark, earliest, watermark_of


class OpenLogs:
    """The logs of one design in one engine session; without the outcomes for whatever may not read them.

    Args:
        experiments: keys of many experiments of this design that lie in the same logs, instead of the design's own.
        sealed: only the files that a seal names are opened.

    Raises:
        Invalid: every problem of every log at once.
    """

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
        self._stats: dict[str, tuple[tuple[int, int] | None, ...]] = {}
        try:
            self._open()
        except BaseException:
            self.engine.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
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

    def known_events(self) -> list[frozenset[str] | None]:
        """The events of each long log, asked only when there are several to choose from."""
        logs = self.outcome_logs
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

    def outcome_contract_of(self, index: int, events: Sequence[str]) -> Contract:
        """An outcome log under its contract, with these of its events."""
        log = self.outcome_logs[index]
        return outcome_contract(self.opened[f"outcomes_{index}"], log, self.unit_as, events)

    def outcome_ids(self, index: int) -> Contract:
        """An outcome log's unit ids and times alone."""
        return outcome_ids_contract(self.opened[f"outcomes_{index}"], self.outcome_logs[index], self.unit_as)


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
