"""A team's log as its contract: columns renamed and typed, nothing filtered, nothing guessed.

Times become whole microseconds since 1970 (``*_us``); unit ids keep their type when every log agrees, else all
become text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from experiments.forms.problems import Invalid, Path, Problem, unknown_name
from experiments.logs.engines.duckdb import OpenedLog
from experiments.logs.sources import AssignmentLog, ExposureLog, OutcomeLog
from experiments.logs.sql import ident, text

INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
TIMES = ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATE")


@dataclass(frozen=True, slots=True)
class Contract:
    """A log under its contract: ``sql`` is a SELECT with the contract's columns."""

    log: OpenedLog
    sql: str
    time_column: str | None = None
    time_has_zone: bool = False

    @property
    def kind(self) -> str | None:
        """The type of the log's time column; None without one."""
        return None if self.time_column is None else self.log.types.get(self.time_column)


def is_number(kind: str) -> bool:
    return (
        kind in INTEGERS
        or kind in {"FLOAT", "DOUBLE", "HUGEINT", "UBIGINT", "BOOLEAN"}
        or kind.startswith("DECIMAL")
    )


def unit_type(opened: Iterable[tuple[OpenedLog, str]]) -> str:
    """BIGINT when every log's unit column is a whole number, else VARCHAR."""
    kinds = {log.types.get(column, "VARCHAR") for log, column in opened}
    return "BIGINT" if kinds <= INTEGERS else "VARCHAR"


class _Columns:
    """Collects what is missing or has a wrong type, with the nearest right name."""

    def __init__(self, log: OpenedLog, path: Path) -> None:
        self.log, self.path, self.problems = log, path, list[Problem]()

    def expect(self, role: str, column: str | None, kinds: str = "any") -> bool:
        if column is None:
            return False
        if column not in self.log.types:
            self.problems.append(
                Problem(
                    (*self.path, role),
                    unknown_name(column, list(self.log.types), f"a column of {self.log.name}"),
                )
            )
            return False
        kind = self.log.types[column]
        if kinds == "unit" and kind in {"FLOAT", "DOUBLE"}:
            self.problems.append(
                Problem(
                    (*self.path, role),
                    f"{column} is {kind}; a unit id must be text or a whole number (a missing id turns whole numbers of a "
                    "pandas frame into floats: drop those rows or use Int64)",
                )
            )
        if kinds == "time" and not kind.startswith(TIMES):
            self.problems.append(
                Problem((*self.path, role), f"{column} is {kind}; a time must be a timestamp or a date")
            )
        if kinds == "number" and not is_number(kind):
            self.problems.append(Problem((*self.path, role), f"{column} is {kind}; a value must be a number"))
        return True

    def done(self) -> None:
        if self.problems:
            raise Invalid(f"log {self.log.name}", self.problems)


def assignment_contract(
    opened: OpenedLog, log: AssignmentLog, arms: tuple[str, ...], unit_as: str, attributes: Iterable[str]
) -> Contract:
    """experiment, unit, arm (its place in the design, 62 for an arm it does not name), assigned_us, delivered, attributes.

    Raises:
        Invalid: missing columns, wrong types, mapped arms the design does not have.
    """
    columns = _Columns(opened, ("assignments", "columns"))
    c = log.columns
    columns.expect("unit", c.unit, "unit")
    for role, column in (("arm", c.arm), ("experiment", c.experiment), ("delivered", c.delivered)):
        columns.expect(role, column)
    columns.expect("assigned_at", c.assigned_at, "time")
    for name, mapping in (("arms", log.arms), ("delivered", log.delivered)):
        for logged, arm in mapping.items():
            if arm not in arms:
                columns.problems.append(
                    Problem(
                        ("assignments", name, logged), unknown_name(arm, list(arms), "an arm of the design")
                    )
                )
        absent = [arm for arm in arms if mapping and arm not in mapping.values()]
        if absent:
            columns.problems.append(
                Problem(
                    ("assignments", name),
                    f"no logged value is mapped to {', '.join(absent)}; map every arm of the design, or none where the log "
                    "uses the design's names",
                )
            )
    wanted = list(attributes)
    for attribute in wanted:
        if attribute not in log.attributes:
            columns.problems.append(
                Problem(
                    ("assignments", "attributes"),
                    unknown_name(
                        attribute, sorted(log.attributes), "a pre-exposure attribute of this source"
                    ),
                )
            )
        else:
            columns.expect(f"attributes.{attribute}", log.attributes[attribute])
    columns.done()
    parts = [
        f"{text('') if c.experiment is None else _as_text(opened, c.experiment)} AS experiment",
        f"{_unit(c.unit, opened, unit_as)} AS unit",
        f"{_arm(c.arm, log.arms, arms)} AS arm",
        f"{_us(c.assigned_at)} AS assigned_us",
    ]
    if c.delivered is not None:
        parts.append(f"{_arm(c.delivered, log.delivered, arms)} AS delivered")
    parts += [f"{ident(log.attributes[name])} AS {ident('attribute ' + name)}" for name in wanted]
    return Contract(opened, f"SELECT {', '.join(parts)} FROM {opened.sql}", c.assigned_at)


def exposure_contract(opened: OpenedLog, log: ExposureLog, unit_as: str) -> Contract:
    """experiment, unit, exposed_us."""
    columns = _Columns(opened, ("exposures", "columns"))
    c = log.columns
    columns.expect("unit", c.unit, "unit")
    columns.expect("experiment", c.experiment)
    columns.expect("exposed_at", c.exposed_at, "time")
    columns.done()
    experiment = text("") if c.experiment is None else _as_text(opened, c.experiment)
    sql = (
        f"SELECT {experiment} AS experiment, {_unit(c.unit, opened, unit_as)} AS unit, "
        f"{_us(c.exposed_at)} AS exposed_us FROM {opened.sql}"
    )
    return Contract(opened, sql, c.exposed_at)


def outcome_contract(opened: OpenedLog, log: OutcomeLog, unit_as: str, events: Iterable[str]) -> Contract:
    """unit, occurred_at (as logged, so that bounds reach the scan), recorded_at, and event and value, or wide columns."""
    columns = _Columns(opened, ("outcomes", "columns"))
    c = log.columns
    columns.expect("unit", c.unit, "unit")
    columns.expect("event", c.event)
    columns.expect("value", c.value, "number")
    columns.expect("occurred_at", c.occurred_at, "time")
    columns.expect("recorded_at", c.recorded_at, "time")
    wide = {event: log.wide[event] for event in events if event in log.wide}
    for event, column in wide.items():
        columns.expect(f"wide.{event}", column, "number")
    columns.done()
    parts = [f"{_unit(c.unit, opened, unit_as)} AS unit"]
    if c.occurred_at is not None:
        parts.append(f"{ident(c.occurred_at)} AS occurred_at")
    if c.recorded_at is not None:
        parts.append(f"{ident(c.recorded_at)} AS recorded_at")
    if c.event is not None:
        parts.append(f"{ident(c.event)} AS event")
    if c.value is not None:
        parts.append(f"{ident(c.value)} AS value")
    parts += [f"{ident(column)} AS {ident('event ' + event)}" for event, column in wide.items()]
    zone = c.occurred_at is not None and opened.types[c.occurred_at] == "TIMESTAMP WITH TIME ZONE"
    return Contract(opened, f"SELECT {', '.join(parts)} FROM {opened.sql}", c.occurred_at, zone)


def outcome_ids_contract(opened: OpenedLog, log: OutcomeLog, unit_as: str) -> Contract:
    """unit and occurred_at alone: all that anything but a look may read of an outcome log."""
    columns = _Columns(opened, ("outcomes", "columns"))
    columns.expect("unit", log.columns.unit, "unit")
    columns.expect("occurred_at", log.columns.occurred_at, "time")
    columns.done()
    parts = [f"{_unit(log.columns.unit, opened, unit_as)} AS unit"]
    if log.columns.occurred_at is not None:
        parts.append(f"{ident(log.columns.occurred_at)} AS occurred_at")
    return Contract(opened, f"SELECT {', '.join(parts)} FROM {opened.sql}", log.columns.occurred_at)


def _unit(column: str, opened: OpenedLog, unit_as: str) -> str:
    kind = opened.types.get(column)
    if kind == unit_as:
        return ident(column)
    return f"CAST({ident(column)} AS {unit_as})"


def _as_text(opened: OpenedLog, column: str) -> str:
    return ident(column) if opened.types.get(column) == "VARCHAR" else f"CAST({ident(column)} AS VARCHAR)"


def _us(column: str | None) -> str:
    """Microseconds since 1970; 0 for a log without times."""
    return "0" if column is None else f"epoch_us({ident(column)})"


def _arm(column: str, mapping: Mapping[str, str], arms: tuple[str, ...]) -> str:
    written = mapping or {arm: arm for arm in arms}
    cases = " ".join(
        f"WHEN CAST({ident(column)} AS VARCHAR) = {text(logged)} THEN {arms.index(arm)}"
        for logged, arm in written.items()
    )
    return f"CASE {cases} WHEN {ident(column)} IS NULL THEN NULL ELSE {UNKNOWN_ARM} END"


UNKNOWN_ARM = 62
"""The place of an arm that the design does not name; arms are packed with their times in one integer, times 64."""
