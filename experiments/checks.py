"""What a design must mean, beyond having the right types. Every check runs whose fields could be read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from experiments.durations import DAY, WEEK, written
from experiments.metrics import BINARY, Catalogue, Metric
from experiments.problems import Path
from experiments.written import (
    Arm,
    AssignmentRule,
    Covariate,
    FixedRule,
    Guardrail,
    Hypothesis,
    Power,
    Primary,
    Rules,
    Secondary,
    Units,
)

Finding = tuple[Path, str]
TESTS: dict[str, tuple[str, ...]] = {
    "count": ("welch",),
    "sum": ("welch",),
    "mean": ("welch",),
    "proportion": ("score", "miettinen-nurminen", "welch"),
    "conversion": ("score", "miettinen-nurminen", "welch"),
    "retention": ("score", "miettinen-nurminen", "welch"),
    "ratio": ("delta",),
    "quantile": ("quantile",),
}
"""The deciding tests a metric type allows, the default first."""

DEFAULT_WINDOW = WEEK


def default_test(metric: Metric, covariates: tuple[Covariate, ...]) -> str:
    """The deciding test when none is named; an adjusted proportion is tested as a mean."""
    if covariates and metric.type in BINARY:
        return "welch"
    return TESTS[metric.type][0]


def findings(fields: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Finding]:
    """Every problem of meaning among the fields that could be read."""
    available = {**fields, "catalogue": catalogue}
    for check in _CHECKS:
        wanted = inspect.signature(check).parameters
        if all(name in available for name in wanted):
            yield from check(**{name: available[name] for name in wanted})


def _arms(arms: tuple[Arm, ...]) -> Iterator[Finding]:
    names = [arm.name for arm in arms]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("arms", index, "name"), f"{name!r} is used twice; every arm needs its own name"
    shares = [arm.share for arm in arms]
    given = [share for share in shares if share is not None]
    if given and len(given) < len(shares):
        for index, share in enumerate(shares):
            if share is None:
                yield (
                    ("arms", index),
                    "has no share while another arm has; give every arm one, or none for equal shares",
                )
        return
    for index, share in enumerate(shares):
        if share is not None and share < Fraction(1, 100):
            yield ("arms", index, "share"), f"{float(share):g} is not allowed; an arm takes at least 0.01"
    if given and sum(given) != 1:
        listed = " + ".join(f"{float(share):g}" for share in given)
        yield (
            ("arms",),
            f"shares sum to {float(sum(given)):.10g} ({listed}), not 1; for thirds write 1/3. "
            "To expose less traffic use assignment.layer",
        )


def _units(
    units: Units, catalogue: Catalogue, primary: Primary, guardrails: tuple[Guardrail, ...]
) -> Iterator[Finding]:
    if units.analysis is None or units.analysis == units.randomisation:
        return
    for path, reference in _references(primary, guardrails, Secondary()):
        metric = catalogue.get(reference, None)
        if metric is not None and metric.type not in {"ratio", "quantile"}:
            yield (
                path,
                f"{metric.reference} is a {metric.type} per {units.randomisation}; with analysis unit "
                f"{units.analysis!r} use a ratio or quantile metric, which are cluster-robust, or leave units.analysis out",
            )


def _references(
    primary: Primary, guardrails: tuple[Guardrail, ...], secondary: Secondary
) -> Iterator[tuple[Path, str]]:
    yield ("primary", "metric"), primary.metric
    for index, guardrail in enumerate(guardrails):
        yield ("guardrails", index, "metric"), guardrail.metric
    for index, reference in enumerate(secondary.metrics):
        yield ("secondary", "metrics", index), reference


def _known_metrics(
    primary: Primary, guardrails: tuple[Guardrail, ...], secondary: Secondary, catalogue: Catalogue
) -> Iterator[Finding]:
    seen: dict[str, Path] = {}
    for path, reference in _references(primary, guardrails, secondary):
        if reference not in catalogue:
            yield path, catalogue.explain_missing(reference)
            continue
        resolved = catalogue[reference].reference
        guarded = (
            guardrails[path[1]].segment if path[0] == "guardrails" and isinstance(path[1], int) else None
        )
        place = f"{resolved}|{guarded}" if guarded else resolved
        if place in seen:
            yield path, f"{resolved} already stands at {seen[place][0]}; a metric has one role"
        seen.setdefault(place, path)
    for where, covariates in _covariates(primary, guardrails):
        for index, covariate in enumerate(covariates):
            here: Path = (*where, "covariates", index, "metric")
            if covariate.metric is None:
                continue
            if covariate.metric not in catalogue:
                yield here, catalogue.explain_missing(covariate.metric)
            elif catalogue[covariate.metric].type in {"ratio", "quantile", "retention"}:
                yield (
                    here,
                    f"a {catalogue[covariate.metric].type} cannot be a covariate; use a count, sum, mean or conversion",
                )


def _covariates(
    primary: Primary, guardrails: tuple[Guardrail, ...]
) -> Iterator[tuple[Path, tuple[Covariate, ...]]]:
    yield ("primary",), primary.covariates
    for index, guardrail in enumerate(guardrails):
        yield ("guardrails", index), guardrail.covariates


def _covariates_fit(
    primary: Primary, guardrails: tuple[Guardrail, ...], catalogue: Catalogue
) -> Iterator[Finding]:
    for where, covariates in _covariates(primary, guardrails):
        reference = primary.metric if where == ("primary",) else guardrails[int(where[1])].metric
        if not covariates or reference not in catalogue:
            continue
        metric = catalogue[reference]
        if metric.type in {"ratio", "quantile"}:
            yield (*where, "covariates"), f"a {metric.type} metric takes no covariates yet; leave them out"
        written_test = primary.test if where == ("primary",) else guardrails[int(where[1])].test
        if metric.type in BINARY and written_test not in (None, "welch"):
            yield (
                (*where, "test"),
                f"{written_test!r} cannot use covariates; an adjusted proportion is tested as a mean: welch",
            )
        declared = [c.variance_reduction for c in covariates if c.variance_reduction is not None]
        if sum(declared) >= 1:
            yield (
                (*where, "covariates"),
                "variance reductions sum to 1 or more; give what all covariates together remove",
            )


def _primary(
    purpose: str, primary: Primary, hypothesis: Hypothesis, catalogue: Catalogue, decision_rule: str | None
) -> Iterator[Finding]:
    if purpose == "superiority":
        if primary.mde is None:
            yield (
                ("primary", "mde"),
                "is missing: the smallest improvement worth shipping, for example 0.015 (absolute)",
            )
        if primary.margin is not None:
            yield (
                ("primary", "margin"),
                "belongs to purpose: non-inferiority; a superiority primary has an mde",
            )
    elif primary.margin is None:
        yield ("primary", "margin"), "is missing: non-inferiority needs the largest worsening accepted"
    if primary.sides == 1 and purpose == "superiority" and primary.one_sided_reason is None:
        yield ("primary", "one_sided_reason"), "is missing: a one-sided test of superiority needs a reason"
    if primary.sides == 2 and purpose == "non-inferiority":
        yield ("primary", "sides"), "2 is not allowed; non-inferiority is one-sided"
    rule = {"superiority": "R-1", "non-inferiority": "R-2"}.get(purpose)
    if decision_rule is not None and decision_rule != rule:
        yield ("decision_rule",), f"{decision_rule!r} does not fit purpose {purpose!r}; that is {rule}"
    if primary.metric not in catalogue:
        return
    metric = catalogue[primary.metric]
    expected = (
        {"higher": "increase", "lower": "decrease"}[metric.direction]
        if purpose == "superiority"
        else "no worsening"
    )
    if hypothesis.expect != expected:
        yield (
            ("hypothesis", "expect"),
            f"{hypothesis.expect!r} does not fit: {metric.reference} is better when {metric.direction} and the purpose "
            f"is {purpose}; that is {expected!r}",
        )


def _tests_fit(
    primary: Primary, guardrails: tuple[Guardrail, ...], catalogue: Catalogue
) -> Iterator[Finding]:
    tested: list[tuple[Path, str, str | None]] = [(("primary", "test"), primary.metric, primary.test)]
    tested += [(("guardrails", i, "test"), g.metric, g.test) for i, g in enumerate(guardrails)]
    for path, reference, test in tested:
        if test is not None and reference in catalogue and test not in TESTS[catalogue[reference].type]:
            metric = catalogue[reference]
            allowed = ", ".join(TESTS[metric.type])
            yield (
                path,
                f"{test!r} is not a test for a {metric.type} ({metric.reference}). Allowed: {allowed}.",
            )


def _guardrails(guardrails: tuple[Guardrail, ...], no_guardrails_reason: str | None) -> Iterator[Finding]:
    if not guardrails and not no_guardrails_reason:
        yield (
            ("guardrails",),
            "is empty; name at least one metric the change must not harm, with its margin, or say why there is none "
            "in no_guardrails_reason",
        )


def _margins_have_units(guardrails: tuple[Guardrail, ...], catalogue: Catalogue) -> Iterator[Finding]:
    for index, guardrail in enumerate(guardrails):
        if guardrail.metric not in catalogue or guardrail.margin.absolute is None:
            continue
        metric = catalogue[guardrail.metric]
        if metric.type in BINARY:
            if guardrail.margin.absolute >= 1:
                yield (
                    ("guardrails", index, "margin"),
                    f"{guardrail.margin.absolute:g} is not allowed for a yes/no metric; 2 percentage points are 0.02",
                )
        elif not metric.unit:
            yield (
                ("guardrails", index, "margin"),
                f"{guardrail.margin.absolute:g} of what? {metric.reference} has no unit in the catalogue; add one, for example unit: ms",
            )


def _baselines(
    purpose: str, primary: Primary, guardrails: tuple[Guardrail, ...], catalogue: Catalogue
) -> Iterator[Finding]:
    needed: list[tuple[Path, str, Any]] = [(("primary", "baseline"), primary.metric, primary.baseline)]
    needed += [
        (("guardrails", index, "baseline"), guardrail.metric, guardrail.baseline)
        for index, guardrail in enumerate(guardrails)
        if guardrail.role == "must-hold"
    ]
    for path, reference, declared in needed:
        if reference not in catalogue:
            continue
        metric = catalogue[reference]
        baseline = declared or metric.baseline
        if baseline is None:
            yield (
                path,
                f"is missing: the sample size needs what {metric.reference} was before (mean, sd, source), here or in the catalogue",
            )
        elif metric.type in BINARY:
            if not 0 < baseline.mean < 1:
                yield (
                    (*path, "mean"),
                    f"{baseline.mean:g} is not allowed; a yes/no metric's baseline lies between 0 and 1",
                )
        elif baseline.sd is None:
            yield (*path, "sd"), f"is missing: a {metric.type} needs its per-unit standard deviation"
    mde = primary.mde
    if (
        purpose == "superiority"
        and mde is not None
        and mde.absolute is not None
        and primary.metric in catalogue
    ):
        metric = catalogue[primary.metric]
        base = primary.baseline or metric.baseline
        if base is not None and metric.type in BINARY and 0 < base.mean < 1:
            target = base.mean + (mde.absolute if metric.direction == "higher" else -mde.absolute)
            if not 0 < target < 1:
                yield (
                    ("primary", "mde"),
                    f"{mde.absolute:g} from a baseline of {base.mean:g} would be a rate of {target:g}",
                )


def _windows(
    window: int | None,
    label_delay: int,
    maturity: int | None,
    primary: Primary,
    guardrails: tuple[Guardrail, ...],
    secondary: Secondary,
    catalogue: Catalogue,
) -> Iterator[Finding]:
    if primary.metric not in catalogue:
        return
    base = window or primary.window or catalogue[primary.metric].window or DEFAULT_WINDOW
    limit = maturity or base + label_delay
    if maturity is not None and maturity < base + label_delay:
        yield (
            ("maturity",),
            f"{written(maturity)} is shorter than window {written(base)} + label_delay {written(label_delay)}; "
            "outcomes would be read before they are in the log",
        )
        return
    own: list[tuple[Path, str, int | None]] = [(("primary", "window"), primary.metric, primary.window)]
    own += [(("guardrails", i, "window"), g.metric, g.window) for i, g in enumerate(guardrails)]
    own += [(("secondary", "metrics", i), reference, None) for i, reference in enumerate(secondary.metrics)]
    for path, reference, declared in own:
        if reference not in catalogue:
            continue
        metric = catalogue[reference]
        length = declared or metric.window or base
        if length + label_delay > limit:
            yield (
                path,
                f"{metric.reference}'s window {written(length)} + label_delay {written(label_delay)} is longer than the "
                f"maturity {written(limit)}; set window: {written(length)} for the design, or a longer maturity",
            )
        if metric.starts >= length:
            yield (
                path,
                f"{metric.reference} starts at {written(metric.starts)}, not before its window ends at {written(length)}",
            )


def _stopping(stopping: FixedRule) -> Iterator[Finding]:
    low, high, step = stopping.minimum_duration, stopping.maximum_duration, stopping.step
    whole_weeks = step % WEEK == 0 and (low is None or low % WEEK == 0)
    if not whole_weeks and stopping.part_weeks_reason is None:
        yield (
            ("stopping",),
            f"minimum_duration {written(low) if low else '(default)'} and step {written(step)} are not whole weeks, so weekdays "
            "would not balance; use multiples of 7d, or say why not in part_weeks_reason",
        )
    if step % DAY:
        yield ("stopping", "step"), f"{written(step)} is not a whole number of days"
    for name, duration in (("minimum_duration", low), ("maximum_duration", high)):
        if duration is not None and duration % step:
            yield ("stopping", name), f"{written(duration)} is not a multiple of the step {written(step)}"
    if low is not None and high is not None and high < low:
        yield ("stopping", "maximum_duration"), f"{written(high)} is shorter than the minimum {written(low)}"


def _power(power: Power) -> Iterator[Finding]:
    if power.power < 0.80 and power.reason is None:
        yield ("power", "reason"), f"is missing: power {power.power:g} is below 0.80; say why"


def _rules(rules: Rules) -> Iterator[Finding]:
    if rules.warn_crossover > rules.fail_crossover:
        yield (
            ("rules", "warn_crossover"),
            f"{rules.warn_crossover:g} is above fail_crossover {rules.fail_crossover:g}",
        )


def _assignment(assignment: AssignmentRule) -> Iterator[Finding]:
    layer = assignment.layer
    if layer is not None and not 0 <= layer.start < layer.end <= 1:
        yield (
            ("assignment", "layer"),
            f"[{float(layer.start):g}, {float(layer.end):g}) is not a range within [0, 1)",
        )
    if layer is not None and assignment.method == "external":
        yield (
            ("assignment", "layer"),
            "needs method: fairtrial; layers made elsewhere cannot be kept apart here",
        )


def _seen(outcome_data_seen: str) -> Iterator[Finding]:
    if outcome_data_seen.casefold().startswith("yes"):
        yield (
            ("outcome_data_seen",),
            "results already known cannot be pre-registered; analyse them as exploratory",
        )
    elif outcome_data_seen != "no" and len(outcome_data_seen) < 50:
        yield (
            ("outcome_data_seen",),
            f"{outcome_data_seen!r}: write 'no', or what was seen, in at least 50 characters",
        )


def _attributes(segments: tuple[str, ...]) -> Iterator[Finding]:
    for index, segment in enumerate(segments):
        if segment in segments[:index]:
            yield ("segments", index), f"{segment!r} is listed twice"


_CHECKS: tuple[Callable[..., Iterator[Finding]], ...] = (
    _arms,
    _units,
    _known_metrics,
    _covariates_fit,
    _primary,
    _tests_fit,
    _guardrails,
    _margins_have_units,
    _baselines,
    _windows,
    _stopping,
    _power,
    _rules,
    _assignment,
    _seen,
    _attributes,
)
