"""What is added up: per-unit values of every metric from one scan of each outcome log, then exact moments per arm.

Sums of doubles change with the thread count; sums of integers do not. A logged value is kept as a whole number of
``10**-decimals``, per-unit values and their centred products are summed as 128-bit integers, and only the finished sums
become floating point (``analysis.moments.exact_comoments``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.designs.design import Design
from experiments.forms.problems import Invalid, Problem
from experiments.logs.contracts import Contract
from experiments.logs.sources import OutcomeLog
from experiments.logs.sql import MICROSECONDS, Step, ident, moment, text

What = Literal["rows", "values", "nulls", "total", "largest"]
"""Of a unit's rows in a span: how many, how many with a value, without one, the sum and the largest (NULL without any)."""


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds relative to first exposure, half-open: [start, end)."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Base:
    """One aggregate per unit over one outcome log; equal bases are computed once."""

    log: int
    event: str
    what: What
    span: Span
    decimals: int

    def column(self) -> str:
        return ident(f"{self.what} of {self.event} [{self.span.start}, {self.span.end}) e{self.decimals}")


@dataclass(frozen=True, slots=True)
class Variable:
    """One per-unit number that enters moments: a whole number of ``1 / scale``; NULL is missing.

    ``centre`` is the provisional mean in scaled units from which squares are taken, so that they stay small; no result
    depends on it. None: the values' own mean, rounded.
    """

    name: str
    sql: str
    scale: int
    centre: int | None

    @property
    def column(self) -> str:
        return ident(self.name)


Variant = Literal["declared", "unadjusted", "uncapped", "per-protocol"]
"""The declared analysis of a measure, or a sensitivity analysis of it."""

ONLY_WHERE: dict[Variant, str] = {"per-protocol": "differing_rows = 0"}
"""The units that an analysis is restricted to."""


@dataclass(frozen=True, slots=True)
class Family:
    """The variables whose joint moments one measure needs; a unit counts when none of them is missing."""

    measure: int
    variant: Variant
    variables: tuple[Variable, ...]
    only_where: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything the statements need: bases by log, families of variables, events by log."""

    bases: tuple[Base, ...]
    families: tuple[Family, ...]
    events: tuple[tuple[str, ...], ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every variable once, in order of first use."""
        return tuple({v.name: v for family in self.families for v in family.variables}.values())


def outcome_step(
    index: int, contract: Contract, log: OutcomeLog, plan: Layout, exposed: tuple[int, int] | None
) -> Step:
    """One scan of an outcome log: every base of it per unit, in the unit's own window.

    ``exposed`` holds the first and last exposure of the mature units; with the spans they bound the scan.
    """
    bases = [base for base in plan.bases if base.log == index]
    timed = contract.time_column is not None and exposed is not None
    codes = {event: code for code, event in enumerate(plan.events[index])}
    reach = (min(b.span.start for b in bases), max(b.span.end for b in bases)) if timed else None
    columns = ", ".join(f"{_aggregate(base, log, codes, reach)} AS {base.column()}" for base in bases)
    _refuse_without_value(bases, log)
    wanted = ["mature.uid", *_carried(bases, log, contract, codes)]
    where = []
    if not log.wide:
        where.append(f"outcomes.event IN ({', '.join(text(event) for event in codes)})")
    if reach is not None and exposed is not None:
        earliest = exposed[0] + reach[0] * MICROSECONDS
        latest = exposed[1] + reach[1] * MICROSECONDS
        wanted.append("epoch_us(outcomes.occurred_at) - mature.exposed_us AS since_exposure")
        where += bounds(earliest, latest, contract)
    filtered = f" WHERE {' AND '.join(where)}" if where else ""
    within = ""
    if reach is not None:
        within = f" WHERE since_exposure >= {reach[0] * MICROSECONDS} AND since_exposure < {reach[1] * MICROSECONDS}"
    return Step(
        f"outcome_{index}",
        f"CREATE OR REPLACE TEMP TABLE outcome_{index} AS SELECT uid, {columns} FROM (SELECT {', '.join(wanted)} "
        f"FROM ({contract.sql}) AS outcomes JOIN mature ON outcomes.unit = mature.unit{filtered}) AS in_reach{within} GROUP BY uid",
    )


def _carried(
    bases: Sequence[Base], log: OutcomeLog, contract: Contract, codes: Mapping[str, int]
) -> list[str]:
    """What each row carries into the sums: its event as a small number, and its value as it is added up.

    Both are made once per row here, since every aggregate would make them again.
    """
    if log.wide:
        carried = [f"outcomes.{ident('event ' + event)}" for event in codes]
        once = {_made(b, log, codes): b for b in bases if b.what in {"total", "largest"}}
        for name, base in once.items():
            make = scaled if base.what == "total" else rounded_up
            carried.append(
                f"{make('outcomes.' + ident('event ' + base.event), base, contract, log)} AS {name}"
            )
        return carried
    cases = " ".join(f"WHEN {text(event)} THEN {code}" for event, code in codes.items())
    carried = [f"CAST(CASE outcomes.event {cases} END AS TINYINT) AS event"]
    if log.columns.value is not None:
        carried.append("outcomes.value")
    columns: dict[str, list[Base]] = {}
    for base in bases:
        if base.what in {"total", "largest"}:
            columns.setdefault(_made(base, log, codes), []).append(base)
    for name, made in sorted(columns.items()):
        make = scaled if made[0].what == "total" else rounded_up
        of = ", ".join(text(event) for event in sorted({base.event for base in made}))
        carried.append(
            f"CASE WHEN outcomes.event IN ({of}) THEN {make('outcomes.value', made[0], contract, log)} END AS {name}"
        )
    return carried


def _made(base: Base, log: OutcomeLog, codes: Mapping[str, int]) -> str:
    """The column that carries a row's value as it is added up, or rounded up."""
    name = f"whole_{base.decimals}" if base.what == "total" else "rounded_up"
    return f"{name}_{codes[base.event]}" if log.wide else name


def _refuse_without_value(bases: Sequence[Base], log: OutcomeLog) -> None:
    if log.wide or log.columns.value is not None:
        return
    problems = [
        Problem(
            (base.event,), f"needs a value, but log {base.log} has no value column; name it in columns.value"
        )
        for base in bases
        if base.what != "rows"
    ]
    if problems:
        raise Invalid("outcomes", problems)


def _aggregate(base: Base, log: OutcomeLog, codes: Mapping[str, int], reach: tuple[int, int] | None) -> str:
    """One sum per unit; an end of its span that is the end of what is read needs no second comparison."""
    conditions = [] if log.wide else [f"event = {codes[base.event]}"]
    if reach is not None and base.span.start > reach[0]:
        conditions.append(f"since_exposure >= {base.span.start * MICROSECONDS}")
    if reach is not None and base.span.end < reach[1]:
        conditions.append(f"since_exposure < {base.span.end * MICROSECONDS}")
    value = ident("event " + base.event) if log.wide else "value"
    if base.what == "values":
        conditions.append(f"{value} IS NOT NULL")
    elif base.what == "nulls":
        conditions.append(f"{value} IS NULL")
    when = " AND ".join(conditions) or "TRUE"
    if base.what in {"total", "largest"}:
        aggregate = "sum" if base.what == "total" else "max"
        return f"{aggregate}(CASE WHEN {when} THEN {_made(base, log, codes)} END)"
    return f"count(CASE WHEN {when} THEN 1 END)"


def bounds(earliest: int, latest: int, contract: Contract) -> list[str]:
    """Bounds of an outcome log's times that reach its scan; wider by a microsecond than the exact ones, for nanoseconds."""
    zone = contract.time_has_zone
    return [
        f"outcomes.occurred_at >= {moment(earliest - 1, with_zone=zone)}",
        f"outcomes.occurred_at < {moment(latest + 1, with_zone=zone)}",
    ]


def rounded_up(value: str, base: Base, contract: Contract, log: OutcomeLog) -> str:
    """A logged value as the next whole number, above 0 when the value is.

    In SQL what is not a number is above everything; it cannot become a whole number, so it is refused here.
    """
    kind = _kind(base, contract, log)
    if kind in {"FLOAT", "DOUBLE"} or kind.startswith("DECIMAL"):
        return f"CAST(ceil({value}) AS BIGINT)"
    return f"CAST({value} AS BIGINT)"


def scaled(value: str, base: Base, contract: Contract, log: OutcomeLog) -> str:
    """A logged value as a whole number of 10**-decimals, rounded half away from zero."""
    kind = _kind(base, contract, log)
    if kind == "BOOLEAN":
        value = f"CAST({value} AS INTEGER)"
    factor = 10**base.decimals
    if kind in {"FLOAT", "DOUBLE"}:
        return f"CAST(round(CAST({value} AS DOUBLE) * {factor}) AS BIGINT)"
    return (
        f"CAST(round(CAST({value} AS DECIMAL(38, 9)) * {factor}) AS BIGINT)"
        if kind.startswith("DECIMAL")
        else f"CAST({value} AS BIGINT) * {factor}"
    )


def _kind(base: Base, contract: Contract, log: OutcomeLog) -> str:
    """The type of the logged values of an event."""
    column = log.wide.get(base.event) if log.wide else log.columns.value
    return contract.log.types.get(column or "", "DOUBLE")


def per_unit_step(design: Design, plan: Layout, logs: int, steps: Sequence[int]) -> Step:
    """One row per analysed unit; a unit without any row in the logs is there, with what its metric declares."""
    attributes = "".join(f", mature.{ident('attribute ' + name)}" for name in design.attributes)
    columns = "".join(f", {variable.sql} AS {variable.column}" for variable in plan.variables)
    joins = " ".join(
        f"LEFT JOIN outcome_{index} ON outcome_{index}.uid = mature.uid"
        for index in range(logs)
        if index in steps
    )
    found = (
        " OR ".join(f"outcome_{index}.uid IS NOT NULL" for index in range(logs) if index in steps) or "FALSE"
    )
    return Step(
        "per_unit",
        "CREATE OR REPLACE TEMP TABLE per_unit AS SELECT mature.uid, mature.experiment, mature.arm, mature.exposed_us, "
        f"mature.differing_rows, {found} AS any_outcome{attributes}{columns} FROM mature {joins}",
    )


def centres_step(variables: Sequence[Variable]) -> Step:
    """Number and sum of the values of each variable, over all arms."""
    sums = ", ".join(f"count({v.column}), sum(CAST({v.column} AS HUGEINT))" for v in variables)
    return Step("centres", f"SELECT {sums} FROM per_unit")


def moments_step(family: Family, table: str, segment: str | None = None) -> Step:
    """Exact sums of centred values and their products, per experiment and arm (and level of a segment)."""
    variables = family.variables
    present = " AND ".join(f"{v.column} IS NOT NULL" for v in variables)
    centred = ", ".join(
        f"CAST({v.column} AS HUGEINT) - {v.centre or 0} AS d{i}" for i, v in enumerate(variables)
    )
    sums = [f"sum(d{i})" for i in range(len(variables))]
    products = [f"sum(d{i} * d{j})" for i in range(len(variables)) for j in range(i, len(variables))]
    level = ""
    if segment is not None:
        level = f", coalesce(CAST({ident('attribute ' + segment)} AS VARCHAR), '(none)') AS level"
    group = "experiment, arm" + ("" if segment is None else ", level")
    only = "" if family.only_where is None else f" AND {family.only_where}"
    return Step(
        "per_arm",
        f"SELECT {group}, count(*), {', '.join(sums + products)} FROM (SELECT experiment, arm{level}, {centred} FROM {table} "
        f"WHERE {present}{only}) AS centred GROUP BY {group} ORDER BY {group}",
    )
