"""Validity of a canary's check: allocation within every step, units in several arms, the audit, missingness by arm.

The blocking statistical tests share the canary's one α by Bonferroni, settled before any outcome is read: in equal parts over
the checks there may be; of a check's part nine tenths go to two tests of allocation (by step, and by day within steps), one
tenth to the tests of missingness by arm, one for each guardrail.
"""

from __future__ import annotations

from analysis.srm import StratifiedSRM, srm_test, stratified_srm
from analysis.stratified import shares_by_stratum
from experiments.canaries.cohort import cohort_of
from experiments.canaries.design import CANDIDATE, CONTROL, CanaryDesign
from experiments.canaries.evidence import CanaryEvidence
from experiments.logs.sql import DAY_US, at_moment
from experiments.readouts.readout import Check, CheckResult
from experiments.readouts.validity import (
    MISSINGNESS_SHARE,
    audit_check,
    crossover_check,
    missingness_p_value,
)

EQUAL = (1.0, 1.0)
"""Control and candidate are equal slices at every step."""


def validity_of(design: CanaryDesign, evidence: CanaryEvidence) -> list[Check]:
    """The blocking checks, with their shared α; those of missingness once outcomes were read."""
    cohort = evidence.as_cohort()
    checks = allocation_checks(design, evidence)
    checks += [crossover_check(cohort_of(design), cohort), audit_check(cohort_of(design), cohort)]
    if evidence.read:
        checks += missingness_checks(design, evidence)
    return checks


def check_alpha(design: CanaryDesign) -> float:
    """What one check may spend of the α that all blocking tests share."""
    return design.written.validity.alpha / design.check_count


def allocation_checks(design: CanaryDesign, evidence: CanaryEvidence) -> list[Check]:
    """Equal slices within every step, and within every day of every step, over units exposed (mature or not)."""
    outside = evidence.first_seen is not None
    tests = 3 if outside else 2
    level = (1 - MISSINGNESS_SHARE) * check_alpha(design) / tests
    rule = (
        f"p ≥ {level:.4g} (of α {design.written.validity.alpha:g} over at most {design.check_count} checks, "
        f"{1 - MISSINGNESS_SHARE:g} for {tests} tests of allocation)"
    )
    by_step: dict[str, list[int]] = {}
    by_day: dict[str, list[int]] = {}
    for count in evidence.exposed:
        day = f"{at_moment(count.day * DAY_US):%d %b %Y}"
        by_step.setdefault(f"step {count.step}", [0, 0])[count.arm] += count.units
        by_day.setdefault(f"step {count.step}, {day}", [0, 0])[count.arm] += count.units
    found = [_allocation("Allocation (SRM), by step", by_step, rule, level)]
    if len(by_day) > len(by_step):
        found.append(_allocation("Allocation by day within steps", by_day, rule, level))
    if outside:
        found.append(_of_all_traffic(design, evidence, rule, level))
    return found


def _of_all_traffic(design: CanaryDesign, evidence: CanaryEvidence, rule: str, level: float) -> Check:
    """Units that came anew in each step against its shares: candidate, control, and everybody else."""
    strata: dict[str, tuple[list[int], list[float]]] = {}
    for seen in evidence.first_seen or ():
        share = float(design.steps[seen.step - 1].share)
        counts, _ = strata.setdefault(f"step {seen.step}", ([0, 0, 0], [share, share, 1 - 2 * share]))
        counts[seen.arm] += seen.units
    name = "Allocation of all traffic"
    tested = shares_by_stratum(strata)
    if tested.p_value is None:
        why = tested.not_computed or "not computed"
        return Check(name=name, result="not applicable", detail=why, rule=rule)
    parts = [
        f"{where} {control:,} control, {candidate:,} candidate, {others:,} others (planned {shares[0]:.2%} each)"
        for where, ((control, candidate, others), shares) in strata.items()
    ]
    result: CheckResult = "fail" if tested.p_value < level else "pass"
    detail = f"{'; '.join(parts)}; units that came anew, sum of chi-squared"
    return Check(name=name, result=result, detail=detail, rule=rule, p_value=tested.p_value)


def missingness_checks(design: CanaryDesign, evidence: CanaryEvidence) -> list[Check]:
    """Units without a value, by arm, of every guardrail."""
    level = MISSINGNESS_SHARE * check_alpha(design) / len(design.measures)
    analysed = evidence.analysed_in_all()
    found = []
    for index, measure in enumerate(design.measures):
        with_value = [0, 0]
        for step in evidence.steps:
            if step.outcomes is not None:
                control, candidate = step.outcomes.units_with_value(index, 2)
                with_value[CONTROL] += control
                with_value[CANDIDATE] += candidate
        missing = [n - present for n, present in zip(analysed, with_value, strict=True)]
        p_value = missingness_p_value(missing, analysed)
        shares = " vs ".join(f"{m:,}/{n:,}" for m, n in zip(missing, analysed, strict=True))
        found.append(
            Check(
                name=f"Missing outcomes by arm: {measure.label}",
                result="fail" if p_value is not None and p_value < level else "pass",
                detail=f"{shares} units without a value" if sum(missing) else "no unit without a value",
                rule=f"p ≥ {level:.4g} ({MISSINGNESS_SHARE:g} of the check's α, for {len(design.measures)} guardrails)",
                p_value=p_value,
            )
        )
    return found


def _allocation(name: str, strata: dict[str, list[int]], rule: str, level: float) -> Check:
    """The sum over strata of chi-squared against equal slices; few units are tested exactly, all together."""
    tested: StratifiedSRM = stratified_srm(strata, EQUAL)
    p_value, how = tested.p_value, "sum of chi-squared"
    if p_value is None:
        together = [sum(arm) for arm in zip(*strata.values(), strict=True)] or [0, 0]
        small = srm_test(together, EQUAL)
        p_value, how = small.p_value, f"{small.method}, all together"
    counts = "; ".join(
        f"{where} {control:,} vs {candidate:,}" for where, (control, candidate) in _widest(strata)
    )
    detail = f"{counts or 'no units'}; control against candidate, planned 1:1; {how}"
    if p_value is None:
        return Check(name=name, result="not applicable", detail="no unit has been exposed", rule=rule)
    return Check(
        name=name, result="fail" if p_value < level else "pass", detail=detail, rule=rule, p_value=p_value
    )


def _widest(strata: dict[str, list[int]]) -> list[tuple[str, list[int]]]:
    """The strata that are furthest from equal, at most ten, in their own order."""

    def distance(counts: list[int]) -> float:
        control, candidate = counts
        return (control - candidate) ** 2 / max(1, control + candidate)

    shown = sorted(strata, key=lambda name: -distance(strata[name]))[:10]
    return [(name, strata[name]) for name in strata if name in shown]
