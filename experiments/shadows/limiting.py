"""The declared limits: what the candidate may cost or change, each an interval held against its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.special import ndtr

from analysis.distribution import StabilityIndex, paired_stability_index
from analysis.guardrails import GuardrailState
from analysis.paired import (
    ClusteredEstimate,
    DeclaredTest,
    OneEstimate,
    PairDifference,
    PairedQuantiles,
    PairedResult,
    paired_outer_levels,
    quantile_comparison,
)
from analysis.paired.comparisons import Comparison as Compared
from analysis.quantiles import QuantileArm, quantile_estimate
from analysis.sequential.monitoring import boundaries_at
from experiments.readouts.boundaries import LEAST_LEVEL
from experiments.shadows.comparing import ShadowTests, Subject, difference_of, shown, state_of, unmeasured
from experiments.shadows.contracts import LATENCY_DECIMALS
from experiments.shadows.design import Limit
from experiments.shadows.evidence import LatencyQuantile, ShadowEvidence
from experiments.shadows.measures import LIMITED, LimitMeasure
from experiments.shadows.readout import PairedComparison
from experiments.shadows.unit_sums import UnitSums


@dataclass(frozen=True, slots=True)
class JudgedLimit:
    comparison: PairedComparison
    state: GuardrailState
    result: PairedResult | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A limited number as it is tested, with both models' own values."""

    compared: Compared
    values: tuple[float | None, float | None]
    pairs: int


def judge_limits(tests: ShadowTests, evidence: ShadowEvidence) -> list[JudgedLimit]:
    return [judge_limit(tests, evidence, limit) for limit in tests.design.limits]


def judge_limit(tests: ShadowTests, evidence: ShadowEvidence, limit: Limit) -> JudgedLimit:
    measure = LIMITED[limit.measure]
    at_least = limit.bound == "at_least"
    subject = Subject(
        measure=limit.measure,
        label=measure.words,
        role="must-hold",
        unit=measure.unit,
        direction="higher" if at_least else "lower",
        bound=limit.bound,
        limit=limit.value,
        margin=limit.value if limit.bound == "worsening" else None,
        reason=limit.reason,
    )
    if limit.measure in {"score_psi", "prediction_psi"}:
        return _stability(tests, evidence, limit, subject)
    found = measured_of(evidence, measure, limit)
    if isinstance(found, str):
        return JudgedLimit(unmeasured(tests.design, subject, found), GuardrailState.MISSING)
    accepted = 1 - limit.value if at_least else limit.value
    result = tests.ask(found.compared, DeclaredTest(limit.alpha, 1, "lower", accepted))
    state = state_of(result)
    if at_least:
        result = _turned(result)
    return JudgedLimit(shown(tests.design, subject, result, found.values, found.pairs), state, result)


def measured_of(evidence: ShadowEvidence, measure: LimitMeasure, limit: Limit) -> Measured | str:
    """The number a limit is of, or why there is none."""
    content = evidence.content
    if measure.column not in evidence.pairing.logged:
        return f"no log names {measure.column} of both models"
    if content is None:
        return "answers were not read"
    if measure.quantile is not None:
        latency = next((one for one in content.latency if one.q == measure.quantile), None)
        return "no latency is logged of any pair" if latency is None else of_latency(latency, limit.bound)
    if limit.measure == "agreement":
        sums, weights = content.quantity("decisions"), {"pairs": 1, "agreeing": -1}
    elif limit.measure == "flipped_share":
        sums, weights = content.quantity("flips"), {"to_positive": 1, "to_negative": 1}
    else:
        failures = {one.name: one for one in evidence.pairing.failures}
        itself = content.quantity(f"{limit.measure} itself") if limit.bound == "at_most" else None
        sums, weights = (
            failures.get(limit.measure) or itself or content.quantity(limit.measure),
            {"candidate": 1},
        )
    if sums is None or sums.pairs == 0:
        return f"no pair says the {measure.words} of both models"
    values = (sums.mean("champion"), sums.mean("candidate")) if "candidate" in weights else (None, None)
    if limit.bound == "worsening":
        return Measured(difference_of(sums, by_score=True), values, sums.pairs)
    return Measured(PairDifference(sums.weighted(**weights), "obuchowski"), values, sums.pairs)


def of_latency(latency: LatencyQuantile, bound: str) -> Measured:
    """A percentile: the paired difference of both models', or the candidate's own."""
    found = paired_quantiles(latency)
    values = found.champion.estimate, found.candidate.estimate
    if bound == "worsening":
        return Measured(quantile_comparison(found), values, latency.requests.pairs)
    own = quantile_estimate(found.candidate)
    error = None if own.variance is None else math.sqrt(own.variance)
    estimate = ClusteredEstimate(latency.requests.units, own.value, error, None, 0.95, own.not_computed)
    return Measured(
        OneEstimate(estimate, f"candidate's {latency.q:g} quantile by user"), values, latency.requests.pairs
    )


def paired_quantiles(latency: LatencyQuantile) -> PairedQuantiles:
    scale = 10**LATENCY_DECIMALS
    levels = paired_outer_levels(latency.requests.comoments, latency.q)
    arms = []
    for own, estimate, bounds in zip(
        levels, (latency.champion, latency.candidate), (latency.bounds[:2], latency.bounds[2:]), strict=True
    ):
        low, high = bounds
        arms.append(
            QuantileArm(
                own,
                estimate / scale,
                None if low is None else low / scale,
                None if high is None else high / scale,
            )
        )
    return PairedQuantiles(arms[0], arms[1], latency.requests.comoments)


def _turned(result: PairedResult) -> PairedResult:
    """A share of disagreement as a share of agreement."""
    ci = None if result.ci is None else (1 - result.ci[1], 1 - result.ci[0])
    estimate = None if result.estimate is None else 1 - result.estimate
    return replace(result, estimate=estimate, ci=ci)


def _stability(tests: ShadowTests, evidence: ShadowEvidence, limit: Limit, subject: Subject) -> JudgedLimit:
    """A stability index by its own interval: it has no statistic at a null, so that the look's level is its interval's."""
    sums = None if evidence.content is None else evidence.content.quantity(limit.measure)
    if sums is None or sums.pairs == 0:
        why = f"no pair says the {subject.label} of both models"
        return JudgedLimit(unmeasured(tests.design, subject, why), GuardrailState.MISSING)
    test = DeclaredTest(limit.alpha, 1, "lower", limit.value)
    found = index_of(sums, 1 - 2 * _nominal(tests, test))
    low, high = found.ci or (None, None)
    result = PairedResult(
        rule=tests.rule,
        name="population stability index, interval by user",
        test=test,
        users=sums.units,
        estimate=found.value,
        ci=found.ci,
        z=None,
        critical=None,
        p_value=None,
        better=high is not None and high < limit.value,
        worse=low is not None and low > limit.value,
        not_computed=found.not_computed,
    )
    return JudgedLimit(shown(tests.design, subject, result, (None, None), sums.pairs), state_of(result))


def index_of(sums: UnitSums, level: float) -> StabilityIndex:
    return paired_stability_index(sums.comoments.select(_but_the_last(sums.names)), level=level)


def _but_the_last(names: Sequence[str]) -> list[int]:
    return list(range(len(names) - 1))


def _nominal(tests: ShadowTests, test: DeclaredTest) -> float:
    """The one-sided level of this look alone."""
    if tests.rule == "fixed":
        return test.alpha
    bounds = boundaries_at(tests.boundary(test.alpha, 1), tests.information, tests.ends)
    return max(float(ndtr(-bounds.critical[-1])), LEAST_LEVEL)
