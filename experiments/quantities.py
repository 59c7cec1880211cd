"""What is added up: per-unit values of every metric from one scan of each outcome log, then exact moments per arm.

Sums of doubles change with the thread count; sums of integers do not. A logged value is kept as a whole number of
``10**-decimals``, per-unit values and their centred products are summed as 128-bit integers, and only the finished sums
become floating point (``analysis.moments.exact_comoments``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.contracts import Contract
from experiments.design import Design, Measure, ResolvedCovariate
from experiments.logs import OutcomeLog
from experiments.metrics import Metric, parts_of
from experiments.problems import Invalid, Problem, unknown_name
from experiments.sql import MICROSECONDS, Step, ident, moment, text

MEAN_DECIMALS = 3  # kept beyond a metric's own, since a unit's mean is no whole multiple of its scale
ATTRIBUTE_DECIMALS = 6

What = Literal["rows", "values", "nulls", "total", "positive"]
"""Of a unit's events in a span: how many, how many with a value, without one, the sum, how many above 0."""


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
    """One per-unit number that enters moments: a whole number of ``1 / scale``; NULL is missing."""

    name: str
    sql: str
    scale: int
    centre: int

    @property
    def column(self) -> str:
        return ident(self.name)


@dataclass(frozen=True, slots=True)
class Family:
    """The variables whose joint moments one measure needs; a unit counts when none of them is missing.

    ``variant`` tells the declared analysis from a sensitivity analysis of the same measure.
    """

    measure: int
    variant: Literal["declared", "unadjusted", "uncapped", "per-protocol"]
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


def log_of_event(event: str, logs: Sequence[OutcomeLog], known: Sequence[frozenset[str] | None]) -> int:
    """Which outcome log holds an event: the wide one that names it, else the long one.

    Raises:
        Invalid: no log, or more than one, can hold it.
    """
    wide = [index for index, log in enumerate(logs) if event in log.wide]
    long = [index for index, log in enumerate(logs) if not log.wide]
    candidates = wide or [i for i in long if known[i] is None or event in (known[i] or ())] or long
    if len(candidates) == 1:
        return candidates[0]
    names = sorted({name for log in logs for name in log.wide})
    if not candidates:
        raise Invalid(
            "outcomes", [Problem((event,), unknown_name(event, names, "an event of the outcome logs"))]
        )
    raise Invalid(
        "outcomes", [Problem((event,), f"is found in several outcome logs: {candidates}; name it in one")]
    )


class _Planner:
    def __init__(
        self, design: Design, logs: Sequence[OutcomeLog], known: Sequence[frozenset[str] | None]
    ) -> None:
        self.design, self.logs, self.known = design, logs, known
        self.bases: dict[Base, None] = {}

    def base(self, event: str, what: What, span: Span, decimals: int) -> str:
        log = log_of_event(event, self.logs, self.known)
        found = Base(log, event, what, span, decimals if what == "total" else 0)
        self.bases[found] = None
        return f"coalesce({found.column()}, 0)"

    def occurrences(self, event: str, span: Span) -> str:
        """How often an event happened. A cell of a wide table says how often; a row of a long one is one time."""
        log = self.logs[log_of_event(event, self.logs, self.known)]
        return self.base(event, "total" if log.wide else "rows", span, 0)

    def unit_value(self, metric: Metric, span: Span, *, capped: bool = True) -> tuple[str, int]:
        """SQL of a unit's value of a metric over a span, and its scale."""
        event = metric.event or ""
        empty = "0" if metric.when_no_events == "zero" else "NULL"
        if metric.type in {"count", "conversion", "retention"}:
            n = self.occurrences(event, span)
            if metric.type == "count":
                value, scale = n, 1
            else:
                value, scale = f"CASE WHEN {n} >= {metric.at_least} THEN 1 ELSE 0 END", 1
            rows = self.base(event, "values", span, 0) if self.logs[self._log(event)].wide else n
            return self._cap(
                self._missing(metric, span, f"CASE WHEN {rows} = 0 THEN {empty} ELSE {value} END"),
                metric,
                scale,
                capped,
            ), scale
        decimals = 0 if metric.type == "proportion" else metric.decimals
        counted = self.base(event, "rows" if metric.null_values == "zero" else "values", span, 0)
        if metric.type == "proportion":
            value, scale = f"CASE WHEN {self.base(event, 'positive', span, 0)} > 0 THEN 1 ELSE 0 END", 1
        elif metric.type == "sum":
            value, scale = self.base(event, "total", span, decimals), 10**decimals
        elif metric.type == "mean":
            total = self.base(event, "total", span, decimals)
            value = f"CAST(round(CAST({total} AS DOUBLE) * {10**MEAN_DECIMALS} / {counted}) AS BIGINT)"
            scale = 10 ** (decimals + MEAN_DECIMALS)
        else:
            raise ValueError(f"{metric.reference}: a {metric.type} has no value per unit")
        sql = self._missing(metric, span, f"CASE WHEN {counted} = 0 THEN {empty} ELSE {value} END")
        return self._cap(sql, metric, scale, capped), scale

    def _log(self, event: str) -> int:
        return log_of_event(event, self.logs, self.known)

    def _missing(self, metric: Metric, span: Span, sql: str) -> str:
        if metric.null_values == "missing" and metric.event is not None:
            sql = f"CASE WHEN {self.base(metric.event, 'nulls', span, 0)} > 0 THEN NULL ELSE {sql} END"
        if metric.is_binary and self.design.written.rules.missing_outcomes == "failure":
            sql = f"coalesce({sql}, 0)"
        return sql

    def _cap(self, sql: str, metric: Metric, scale: int, capped: bool) -> str:
        if metric.cap is None or not capped:
            return sql
        # NULL stays NULL: least() would skip it and turn a missing unit into the cap
        return f"CASE WHEN ({sql}) > {round(metric.cap * scale)} THEN {round(metric.cap * scale)} ELSE ({sql}) END"

    def covariate(self, covariate: ResolvedCovariate, without_history: str) -> Variable:
        if covariate.metric is None:
            scale = 10**ATTRIBUTE_DECIMALS
            column = ident(f"attribute {covariate.attribute}")
            sql = f"CAST(round(CAST({column} AS DOUBLE) * {scale}) AS BIGINT)"
            name, centre = f"attribute {covariate.attribute} as covariate", 0
        else:
            span = Span(-covariate.window, 0)
            sql, scale = self.unit_value(covariate.metric, span)
            name = f"{covariate.metric.reference} before exposure [{span.start}, 0)"
            centre = centre_of(covariate.metric, scale)
        if without_history == "zero":
            sql, name = f"coalesce({sql}, 0)", f"{name}, none is 0"
        return Variable(name, sql, scale, centre)

    def outcome(self, measure: Measure, *, capped: bool = True) -> tuple[Variable, ...]:
        metric, span = measure.metric, Span(measure.metric.starts, measure.window)
        suffix = "" if capped else " uncapped"
        if metric.type == "ratio":
            variables = []
            for role, part in zip(("numerator", "denominator"), parts_of(metric), strict=True):
                if part.aggregate == "count":
                    sql, scale = self.occurrences(part.event, span), 1
                else:
                    sql, scale = self.base(part.event, "total", span, metric.decimals), 10**metric.decimals
                if part.cap is not None and capped:
                    sql = f"least({sql}, {round(part.cap * scale)})"
                variables.append(
                    Variable(
                        f"{measure.metric.reference} {role} [{span.start}, {span.end}){suffix}", sql, scale, 0
                    )
                )
            if metric.when_no_events == "missing":
                nothing = " AND ".join(f"({v.sql}) = 0" for v in variables)
                variables = [
                    Variable(v.name, f"CASE WHEN {nothing} THEN NULL ELSE {v.sql} END", v.scale, v.centre)
                    for v in variables
                ]
            return tuple(variables)
        sql, scale = self.unit_value(metric, span, capped=capped)
        name = f"{metric.reference} [{span.start}, {span.end}){suffix}"
        return (Variable(name, sql, scale, centre_of(metric, scale, measure)),)


def centre_of(metric: Metric, scale: int, measure: Measure | None = None) -> int:
    """The declared provisional mean in scaled integers; sums are centred there and no result depends on it."""
    if metric.centre is not None:
        return round(metric.centre * scale)
    baseline = (measure.baseline if measure else None) or metric.baseline
    return round(baseline.mean * scale) if baseline is not None and not metric.is_binary else 0


def layout(design: Design, logs: Sequence[OutcomeLog], known: Sequence[frozenset[str] | None]) -> Layout:
    """Plan every per-unit number of a design. ``known`` holds the events each long log is known to have, if asked.

    Raises:
        Invalid: an event that no outcome log can hold.
    """
    planner = _Planner(design, logs, known)
    families: list[Family] = []
    problems: list[Problem] = []
    for index, measure in enumerate(design.measures):
        if measure.metric.type == "quantile":
            try:
                log_of_event(measure.metric.event or "", logs, known)
            except Invalid as error:
                problems += error.problems
            continue
        try:
            outcome = planner.outcome(measure)
            covariates = tuple(planner.covariate(c, measure.without_history) for c in measure.covariates)
            families.append(Family(index, "declared", outcome + covariates))
            if covariates:
                families.append(Family(index, "unadjusted", outcome))
            if (
                measure.role == "primary"
                and "uncapped" in design.written.sensitivity
                and measure.metric.cap is not None
            ):
                families.append(
                    Family(index, "uncapped", planner.outcome(measure, capped=False) + covariates)
                )
            if measure.role == "primary" and "per-protocol" in design.written.sensitivity:
                families.append(Family(index, "per-protocol", outcome + covariates, "differing_rows = 0"))
        except Invalid as error:
            problems += error.problems
    if problems:
        raise Invalid("outcomes", problems)
    events = tuple(
        tuple(sorted({base.event for base in planner.bases if base.log == index}))
        for index in range(len(logs))
    )
    return Layout(tuple(planner.bases), tuple(families), events)


def outcome_step(
    index: int, contract: Contract, log: OutcomeLog, plan: Layout, exposed: tuple[int, int] | None
) -> Step:
    """One scan of an outcome log: every base of it per unit, in the unit's own window.

    ``exposed`` holds the first and last exposure of the mature units; with the spans they bound the scan.
    """
    bases = [base for base in plan.bases if base.log == index]
    timed = contract.time_column is not None and exposed is not None
    codes = {event: code for code, event in enumerate(plan.events[index])}
    columns = ", ".join(f"{_aggregate(base, log, codes, timed)} AS {base.column()}" for base in bases)
    wanted = ["mature.uid", *_carried(bases, log, contract, codes)]
    where = []
    if not log.wide:
        where.append(f"outcomes.event IN ({', '.join(text(event) for event in codes)})")
    if timed and exposed is not None:
        earliest = exposed[0] + min(base.span.start for base in bases) * MICROSECONDS
        latest = exposed[1] + max(base.span.end for base in bases) * MICROSECONDS
        wanted.append("epoch_us(outcomes.occurred_at) - mature.exposed_us AS since_exposure")
        where.append(f"outcomes.occurred_at >= {moment(earliest, with_zone=contract.time_has_zone)}")
        where.append(f"outcomes.occurred_at < {moment(latest, with_zone=contract.time_has_zone)}")
    filtered = f" WHERE {' AND '.join(where)}" if where else ""
    within = ""
    if timed:
        first, last = min(b.span.start for b in bases), max(b.span.end for b in bases)
        within = f" WHERE since_exposure >= {first * MICROSECONDS} AND since_exposure < {last * MICROSECONDS}"
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
    _refuse_without_value(bases, log)
    if log.wide:
        columns = [f"outcomes.{ident('event ' + event)}" for event in codes]
        totals_of = {_whole(b, codes): b for b in bases if b.what == "total"}
        return columns + [
            f"{scaled('outcomes.' + ident('event ' + b.event), b, contract, log)} AS {name}"
            for name, b in totals_of.items()
        ]
    cases = " ".join(f"WHEN {text(event)} THEN {code}" for event, code in codes.items())
    carried = [f"CAST(CASE outcomes.event {cases} END AS TINYINT) AS event"]
    if log.columns.value is not None:
        carried.append("outcomes.value")
    totals: dict[int, set[str]] = {}
    for base in bases:
        if base.what == "total":
            totals.setdefault(base.decimals, set()).add(base.event)
    for decimals, events in sorted(totals.items()):
        example = Base(0, "", "total", Span(0, 0), decimals)
        added_up = ", ".join(text(event) for event in sorted(events))
        whole = scaled("outcomes.value", example, contract, log)
        carried.append(f"CASE WHEN outcomes.event IN ({added_up}) THEN {whole} END AS whole_{decimals}")
    return carried


def _whole(base: Base, codes: Mapping[str, int]) -> str:
    return f"whole_{codes[base.event]}_{base.decimals}"


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


def _aggregate(base: Base, log: OutcomeLog, codes: Mapping[str, int], timed: bool) -> str:
    conditions = [] if log.wide else [f"event = {codes[base.event]}"]
    if timed:
        conditions.append(f"since_exposure >= {base.span.start * MICROSECONDS}")
        conditions.append(f"since_exposure < {base.span.end * MICROSECONDS}")
    value = ident("event " + base.event) if log.wide else "value"
    if base.what == "values":
        conditions.append(f"{value} IS NOT NULL")
    elif base.what == "nulls":
        conditions.append(f"{value} IS NULL")
    elif base.what == "positive":
        conditions.append(f"{value} > 0")
    when = " AND ".join(conditions) or "TRUE"
    if base.what == "total":
        return (
            f"sum(CASE WHEN {when} THEN {_whole(base, codes) if log.wide else f'whole_{base.decimals}'} END)"
        )
    return f"count(CASE WHEN {when} THEN 1 END)"


def scaled(value: str, base: Base, contract: Contract, log: OutcomeLog) -> str:
    """A logged value as a whole number of 10**-decimals, rounded half away from zero."""
    column = log.wide.get(base.event) if log.wide else log.columns.value
    kind = contract.log.types.get(column or "", "DOUBLE")
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


def moments_step(family: Family, table: str, segment: str | None = None) -> Step:
    """Exact sums of centred values and their products, per experiment and arm (and level of a segment)."""
    variables = family.variables
    present = " AND ".join(f"{v.column} IS NOT NULL" for v in variables)
    centred = ", ".join(f"CAST({v.column} AS HUGEINT) - {v.centre} AS d{i}" for i, v in enumerate(variables))
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
