"""Metrics in their roles: which are known, what is tested, by which test, adjusted for what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from experiments.designs.declared_tests import TESTS
from experiments.designs.meaning.tested import Tested, metric_of, references
from experiments.designs.metrics import Catalogue
from experiments.designs.written import WrittenDesign
from experiments.forms.drafts import Unreadable
from experiments.forms.problems import dotted
from experiments.forms.validation import Finding


def known_metrics(design: WrittenDesign, catalogue: Catalogue) -> Iterator[Finding]:
    for path, reference in references(design, catalogue):
        if reference not in catalogue:
            yield path, catalogue.explain_missing(reference)


def one_role_each(design: WrittenDesign, catalogue: Catalogue) -> Iterator[Finding]:
    """A guardrail within a segment is another claim than the guardrail over all units."""
    first: dict[tuple[str, str | None], str] = {}
    for path, reference in references(design, catalogue):
        with suppress(Unreadable):
            segment = (
                design.guardrails[path[1]].segment
                if path[0] == "guardrails" and isinstance(path[1], int)
                else None
            )
            claim = metric_of(reference, catalogue).reference, segment
            if claim in first:
                yield path, f"{claim[0]} already stands at {first[claim]}; a metric has one role"
            first.setdefault(claim, dotted(path))


def analysis_unit(one: Tested, design: WrittenDesign) -> Iterator[Finding]:
    finer, unit = design.units.analysis, design.units.randomisation
    if finer in (None, unit) or one.metric.type in {"ratio", "quantile"}:
        return
    yield (
        (*one.path, "metric"),
        f"{one.metric.reference} is a {one.metric.type} per {unit}; with analysis unit {finer!r} use a ratio or quantile "
        "metric, which are cluster-robust, or leave units.analysis out",
    )


def declared_test(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    test, metric = one.declared.test, one.metric
    if test is None:
        return
    if test not in TESTS[metric.type]:
        allowed = ", ".join(TESTS[metric.type])
        yield (
            (*one.path, "test"),
            f"{test!r} is not a test for a {metric.type} ({metric.reference}). Allowed: {allowed}.",
        )
    elif one.declared.covariates and metric.is_binary and test != "welch":
        yield (
            (*one.path, "test"),
            f"{test!r} cannot use covariates; an adjusted proportion is tested as a mean: welch",
        )


def known_covariates(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    for index, covariate in enumerate(one.declared.covariates):
        with suppress(Unreadable):
            path = (*one.path, "covariates", index, "metric")
            if covariate.metric is None:
                continue
            if covariate.metric not in one.catalogue:
                yield path, one.catalogue.explain_missing(covariate.metric)
            elif (kind := one.catalogue[covariate.metric].type) in {"quantile", "retention"}:
                yield (
                    path,
                    f"a {kind} cannot be a covariate; use a count, sum, mean, proportion, conversion or ratio",
                )


def covariates_once(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    first: dict[tuple[str, int], int] = {}
    for index, covariate in enumerate(one.declared.covariates):
        with suppress(Unreadable):
            if covariate.metric is None:
                same = f"attribute {covariate.attribute}", 0
            else:
                same = metric_of(covariate.metric, one.catalogue).reference, covariate.window
            if same in first:
                yield (
                    (*one.path, "covariates", index),
                    f"{same[0]} is listed twice; two equal covariates cannot be told apart",
                )
            first.setdefault(same, index)


def covariates_fit(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    if one.declared.covariates and one.metric.type == "quantile":
        yield (*one.path, "covariates"), "a quantile metric takes no covariates; leave them out"


def variance_reductions(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    expected = [c.variance_reduction for c in one.declared.covariates if c.variance_reduction is not None]
    if sum(expected) >= 1:
        yield (
            (*one.path, "covariates"),
            f"variance reductions sum to {sum(expected):g}; give what each removes beyond the others, below 1 together",
        )


def target(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    """A superiority primary has an MDE, a non-inferiority primary a margin."""
    primary = design.primary
    if design.purpose == "superiority":
        if primary.mde is None:
            yield (
                ("primary", "mde"),
                "is missing: the smallest improvement worth shipping, for example {absolute: 0.015}",
            )
        if primary.margin is not None:
            yield (
                ("primary", "margin"),
                "belongs to purpose: non-inferiority; a superiority primary has an mde",
            )
    else:
        if primary.margin is None:
            yield (
                ("primary", "margin"),
                "is missing: non-inferiority needs the largest worsening you would still accept",
            )
        if primary.mde is not None:
            yield (
                ("primary", "mde"),
                "belongs to purpose: superiority; a non-inferiority primary has a margin",
            )


def sides(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    primary = design.primary
    if design.purpose == "non-inferiority":
        if primary.sides == 2:
            yield (
                ("primary", "sides"),
                "2 is not allowed; non-inferiority is one-sided: only the harmful side can break it",
            )
    elif primary.sides == 1 and primary.one_sided_reason is None:
        yield ("primary", "one_sided_reason"), "is missing: a one-sided test of superiority needs a reason"


def hypothesis(design: WrittenDesign, catalogue: Catalogue) -> Iterator[Finding]:
    metric, purpose = metric_of(design.primary.metric, catalogue), design.purpose
    expected = {"higher": "increase", "lower": "decrease"}[metric.direction]
    if purpose == "non-inferiority":
        expected = "no worsening"
    if design.hypothesis.expect != expected:
        yield (
            ("hypothesis", "expect"),
            f"{design.hypothesis.expect!r} does not fit: {metric.reference} is better when {metric.direction} and the purpose "
            f"is {purpose}; that is {expected!r}",
        )


def sensitivity(design: WrittenDesign, catalogue: Catalogue) -> Iterator[Finding]:
    """An analysis that would only repeat the declared one is a slip."""
    for index, analysis in enumerate(design.sensitivity):
        with suppress(Unreadable):
            if analysis == "unadjusted" and not design.primary.covariates:
                yield ("sensitivity", index), "'unadjusted' is not allowed; the primary has no covariates"
            if analysis == "uncapped" and metric_of(design.primary.metric, catalogue).cap is None:
                yield ("sensitivity", index), "'uncapped' is not allowed; the primary metric has no cap"
            if analysis in design.sensitivity[:index]:
                yield ("sensitivity", index), f"{analysis!r} is listed twice"


MEASURES = (known_metrics, one_role_each, target, sides, hypothesis, sensitivity)
MEASURES_OF_TESTED = (
    analysis_unit,
    declared_test,
    known_covariates,
    covariates_once,
    covariates_fit,
    variance_reductions,
)
