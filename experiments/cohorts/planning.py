"""What every measure of a design needs per unit: aggregates of the logs, and the SQL that makes a unit's value of them.

Three kinds of missing stay apart. A unit without a row of its event has what ``no_events`` says. A row whose value is NULL
has what ``null_values`` says; where all of a unit's values are NULL and these are skipped, its value is missing, never 0.
A unit whose window is not over is not here at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.cohorts.quantities import ONLY_WHERE, Base, Family, Layout, Span, Variable, What
from experiments.designs.design import Design, Measure, ResolvedCovariate
from experiments.designs.metrics import COUNTED, Metric, Part, parts_of
from experiments.forms.problems import Invalid, Problem, unknown_name
from experiments.logs.sources import OutcomeLog
from experiments.logs.sql import ident

MEAN_DECIMALS = 3  # kept beyond a metric's own, since a unit's mean is no whole multiple of its scale
ATTRIBUTE_DECIMALS = 6

Known = Sequence[frozenset[str] | None]
"""The events each log is known to have; None where nobody asked."""


def layout(design: Design, logs: Sequence[OutcomeLog], known: Known, *, timed: bool) -> Layout:
    """Plan every per-unit number of a design.

    Args:
        timed: whether exposures have times; without them there is no "before exposure".

    Raises:
        Invalid: an event that no outcome log can hold, or a covariate that nobody can tell from an outcome.
    """
    planner = Planner(design, logs, known, timed)
    families: list[Family] = []
    problems: list[Problem] = []
    for index, measure in enumerate(design.measures):
        try:
            if measure.metric.type == "quantile":
                log_of_event(measure.metric.event or "", logs, known)
            else:
                families += planner.families(index, measure)
        except Invalid as error:
            problems += error.problems
    if problems:
        raise Invalid("outcomes", problems)
    return Layout(tuple(planner.bases), tuple(families), planner.events())


def log_of_event(event: str, logs: Sequence[OutcomeLog], known: Known) -> int:
    """Which outcome log holds an event: the wide one that names it, else the long one that has it.

    Raises:
        Invalid: no log can hold it, or more than one does.
    """
    wide = [index for index, log in enumerate(logs) if event in log.wide]
    long = [index for index, log in enumerate(logs) if not log.wide]
    candidates = wide or [i for i in long if known[i] is None or event in (known[i] or ())] or long[:1]
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        names = sorted({name for log in logs for name in log.wide})
        raise Invalid(
            "outcomes", [Problem((event,), unknown_name(event, names, "an event of the outcome logs"))]
        )
    raise Invalid(
        "outcomes",
        [
            Problem(
                (event,),
                f"is found in outcome logs {', '.join(map(str, candidates))}; keep it in one of them",
            )
        ],
    )


class Planner:
    """Collects the aggregates that the values of all measures are made of."""

    def __init__(self, design: Design, logs: Sequence[OutcomeLog], known: Known, timed: bool) -> None:
        self.design, self.logs, self.known, self.timed = design, logs, known, timed
        self.bases: dict[Base, None] = {}

    def events(self) -> tuple[tuple[str, ...], ...]:
        """The events that are read, by log."""
        return tuple(
            tuple(sorted({base.event for base in self.bases if base.log == index}))
            for index in range(len(self.logs))
        )

    def families(self, index: int, measure: Measure) -> list[Family]:
        """The declared analysis of a measure and, of the primary, the sensitivity analyses."""
        outcome = self.outcome(measure)
        covariates = tuple(v for c in measure.covariates for v in self.covariate(c, measure.without_history))
        found = [Family(index, "declared", outcome + covariates)]
        if covariates:
            found.append(Family(index, "unadjusted", outcome))
        wanted = self.design.written.sensitivity if measure.role == "primary" else ()
        if "uncapped" in wanted and is_capped(measure.metric):
            found.append(Family(index, "uncapped", self.outcome(measure, capped=False) + covariates))
        if "per-protocol" in wanted:
            found.append(Family(index, "per-protocol", outcome + covariates, ONLY_WHERE["per-protocol"]))
        return found

    def outcome(self, measure: Measure, *, capped: bool = True) -> tuple[Variable, ...]:
        """The variables of a measure in its window: one, or numerator and denominator."""
        metric, span = measure.metric, Span(measure.metric.starts, measure.window)
        place = f"[{span.start}, {span.end}){'' if capped else ' uncapped'}"
        if metric.type == "ratio":
            return self._ratio(metric, span, place, capped=capped)
        sql, scale = self.unit_value(metric, span)
        if capped and metric.cap is not None:
            sql = at_most(sql, round(metric.cap * scale))
        return (Variable(f"{metric.reference} {place}", sql, scale, centre_of(metric, scale)),)

    def covariate(self, covariate: ResolvedCovariate, without_history: str) -> tuple[Variable, ...]:
        """The variables of a covariate, strictly before exposure: one, or numerator and denominator."""
        metric = covariate.metric
        variables: tuple[Variable, ...]
        if metric is None:
            scale = 10**ATTRIBUTE_DECIMALS
            column = ident(f"attribute {covariate.attribute}")
            sql = f"CAST(round(CAST({column} AS DOUBLE) * {scale}) AS BIGINT)"
            variables = (Variable(f"attribute {covariate.attribute} as covariate", sql, scale, None),)
        else:
            span = Span(-covariate.window, 0)
            place = f"before exposure [{span.start}, 0)"
            self._refuse_without_times(metric)
            if metric.type == "ratio":
                variables = self._ratio(metric, span, place, capped=True)
            else:
                sql, scale = self.unit_value(metric, span)
                if metric.cap is not None:
                    sql = at_most(sql, round(metric.cap * scale))
                variables = (Variable(f"{metric.reference} {place}", sql, scale, centre_of(metric, scale)),)
        if without_history == "zero":
            return tuple(
                Variable(f"{v.name}, none is 0", f"coalesce({v.sql}, 0)", v.scale, v.centre)
                for v in variables
            )
        return variables

    def unit_value(self, metric: Metric, span: Span) -> tuple[str, int]:
        """SQL of a unit's value of a metric over a span, and its scale."""
        event = metric.event or ""
        if metric.type in COUNTED:
            sql, scale = self._counted(metric, event, span), 1
        elif metric.type == "proportion":
            positive = f"CASE WHEN {self.base(event, 'largest', span)} > 0 THEN 1 ELSE 0 END"
            sql, scale = self._unless_missing(metric, event, span, positive), 1
        elif metric.type == "sum":
            sql, scale = self._total(metric, event, span, metric.decimals), 10**metric.decimals
        elif metric.type == "mean":
            total = self.base(event, "total", span, metric.decimals)
            divisor = self.base(event, "rows" if metric.null_values == "zero" else "values", span)
            mean = f"CAST(round(CAST({total} AS DOUBLE) * {10**MEAN_DECIMALS} / {divisor}) AS HUGEINT)"
            sql, scale = (
                self._unless_missing(metric, event, span, mean),
                10 ** (metric.decimals + MEAN_DECIMALS),
            )
        else:
            raise ValueError(f"{metric.reference}: a {metric.type} has no value per unit")
        if metric.null_values == "missing":
            sql = f"CASE WHEN {self.base(event, 'nulls', span)} > 0 THEN NULL ELSE {sql} END"
        if metric.is_binary and self.design.written.rules.missing_outcomes == "failure":
            sql = f"coalesce({sql}, 0)"
        return sql, scale

    def base(self, event: str, what: What, span: Span, decimals: int = 0) -> str:
        """An aggregate of a unit's rows, 0 without any."""
        return f"coalesce({self._bare(event, what, span, decimals)}, 0)"

    def _bare(self, event: str, what: What, span: Span, decimals: int = 0) -> str:
        found = Base(self._log(event), event, what, span, decimals if what == "total" else 0)
        self.bases[found] = None
        return found.column()

    def _log(self, event: str) -> int:
        return log_of_event(event, self.logs, self.known)

    def _is_wide(self, event: str) -> bool:
        return bool(self.logs[self._log(event)].wide)

    def _counted(self, metric: Metric, event: str, span: Span) -> str:
        """Events counted. A cell of a wide table says how many; a row of a long one is one, whatever its value."""
        wide = self._is_wide(event)
        n = self.base(event, "total" if wide else "rows", span)
        value = n if metric.type == "count" else f"CASE WHEN {n} >= {metric.at_least} THEN 1 ELSE 0 END"
        if wide:
            return self._unless_missing(metric, event, span, value)
        return f"CASE WHEN {n} = 0 THEN {_without_events(metric)} ELSE {value} END"

    def _total(self, metric: Metric, event: str, span: Span, decimals: int) -> str:
        """The sum, which the engine itself leaves NULL where all values are."""
        rows, total = self.base(event, "rows", span), self._bare(event, "total", span, decimals)
        if metric.null_values == "zero":
            total = f"coalesce({total}, 0)"
        return f"CASE WHEN {rows} = 0 THEN {_without_events(metric)} ELSE {total} END"

    def _unless_missing(self, metric: Metric, event: str, span: Span, value: str) -> str:
        """``value`` for a unit with one; else what the metric says of no rows, and of NULLs alone."""
        if metric.null_values == "zero":
            rows = self.base(event, "rows", span)
            return f"CASE WHEN {rows} = 0 THEN {_without_events(metric)} ELSE {value} END"
        values = self.base(event, "values", span)
        if metric.when_no_events == "missing":
            return f"CASE WHEN {values} = 0 THEN NULL ELSE {value} END"
        rows = self.base(event, "rows", span)
        return f"CASE WHEN {rows} = 0 THEN 0 WHEN {values} = 0 THEN NULL ELSE {value} END"

    def _ratio(self, metric: Metric, span: Span, place: str, *, capped: bool) -> tuple[Variable, ...]:
        parts = parts_of(metric)
        variables = []
        for role, part in zip(("numerator", "denominator"), parts, strict=True):
            sql, scale = self._part(metric, part, span)
            if capped and part.cap is not None:
                sql = at_most(sql, round(part.cap * scale))
            variables.append(Variable(f"{metric.reference} {role} {place}", sql, scale, None))
        missing = []
        if metric.when_no_events == "missing":
            missing.append(" AND ".join(f"{self.base(part.event, 'rows', span)} = 0" for part in parts))
        if metric.null_values == "missing":
            missing += [
                f"{self.base(part.event, 'nulls', span)} > 0" for part in parts if part.aggregate == "sum"
            ]
        if missing:
            when = " OR ".join(f"({condition})" for condition in missing)
            variables = [
                Variable(v.name, f"CASE WHEN {when} THEN NULL ELSE {v.sql} END", v.scale, v.centre)
                for v in variables
            ]
        return tuple(variables)

    def _part(self, metric: Metric, part: Part, span: Span) -> tuple[str, int]:
        if part.aggregate == "count" and not self._is_wide(part.event):
            return self.base(part.event, "rows", span), 1
        decimals = 0 if part.aggregate == "count" else metric.decimals
        rows, total = self.base(part.event, "rows", span), self._bare(part.event, "total", span, decimals)
        if metric.null_values == "zero":
            total = f"coalesce({total}, 0)"
        return f"CASE WHEN {rows} = 0 THEN 0 ELSE {total} END", 10**decimals

    def _refuse_without_times(self, metric: Metric) -> None:
        untimed = [
            event for event in metric.events() if self.logs[self._log(event)].columns.occurred_at is None
        ]
        if self.timed and not untimed:
            return
        what = f"the outcome log of {', '.join(map(repr, untimed))} has" if self.timed else "exposures have"
        raise Invalid(
            "outcomes",
            [
                Problem(
                    ("covariates", metric.reference),
                    f"is a covariate over a window before exposure, but {what} no times: what came before cannot be told from "
                    "the outcome itself; name the time column, or use an attribute",
                )
            ],
        )


def at_most(sql: str, cap: int) -> str:
    """A capped value. NULL stays NULL: ``least`` would skip it and turn a missing unit into the cap."""
    return f"CASE WHEN ({sql}) > {cap} THEN {cap} ELSE ({sql}) END"


def is_capped(metric: Metric) -> bool:
    parts = parts_of(metric) if metric.type == "ratio" else ()
    return metric.cap is not None or any(part.cap is not None for part in parts)


def centre_of(metric: Metric, scale: int) -> int | None:
    """The declared provisional mean in scaled integers; a yes/no metric is counted from 0."""
    if metric.is_binary:
        return 0
    return None if metric.centre is None else round(metric.centre * scale)


def _without_events(metric: Metric) -> str:
    return "0" if metric.when_no_events == "zero" else "NULL"
