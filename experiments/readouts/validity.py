"""Validity at a look: checks that outrank any effect. A failed one makes the experiment INVALID; what can be mended
holds the look with outcomes closed instead (``holds``).

The statistical checks that block share the design's one α by a weighted Bonferroni that is settled before any outcome is
read: nine tenths go in equal parts to the tests of allocation (overall, by day, by declared attribute), one tenth to the
tests of missingness by arm (one for each deciding metric). A single stratum cannot be tested and takes no part: how many
strata there are says nothing about the arms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import chi2_contingency

from analysis.srm import SMALLEST_EXPECTED, localise_srm, srm_test, stratified_srm
from experiments.cohorts.cohort import Fate
from experiments.cohorts.counted import ArmCount
from experiments.cohorts.evidence import CohortEvidence, OutcomeEvidence, units_in
from experiments.designs.design import Design
from experiments.logs.sql import DAY_US, at_moment
from experiments.readouts.readout import Check, CheckResult

MISSINGNESS_SHARE = 0.1
"""Of α: for the tests of missingness by arm together."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """One allocation test that shares α: overall, or within strata."""

    name: str
    p_value: float
    detail: str


@dataclass(frozen=True, slots=True)
class Missingness:
    """Analysed units without a value of one deciding metric, by arm."""

    metric: str
    missing: tuple[int, ...]
    p_value: float | None


def look_alpha(design: Design) -> float:
    """What one look may spend of the α that all blocking checks share, in equal parts over the looks there may be."""
    return design.written.validity.alpha / design.look_count


def cohort_checks(design: Design, cohort: CohortEvidence) -> list[Check]:
    """Checks that need no outcome: allocation, units in several arms, assignment audit."""
    declared = look_alpha(design)
    tests = allocation_tests(design, cohort)
    level = allocation_level(design, tests)
    shared = "one test" if len(tests) == 1 else f"{len(tests)} tests"
    rule = f"p ≥ {level:.4g} (of α {declared:g}{over(design)}, {1 - MISSINGNESS_SHARE:g} for {shared} of allocation)"
    checks = [
        Check(
            name=test.name,
            result="fail" if test.p_value < level else "pass",
            detail=test.detail,
            rule=rule,
            p_value=test.p_value,
        )
        for test in tests
    ]
    if not any(check.name == "Allocation (SRM)" for check in checks):
        why = srm_test(_analysed(design, cohort), _planned(design)).not_computed or "not computed"
        checks.insert(0, Check(name="Allocation (SRM)", result="fail", detail=why, rule=rule))
    return [*checks, crossover_check(design, cohort), audit_check(design, cohort)]


def outcome_checks(design: Design, cohort: CohortEvidence, outcomes: OutcomeEvidence) -> list[Check]:
    """Missingness by arm of every deciding metric."""
    declared = look_alpha(design)
    tests = missingness_tests(design, cohort, outcomes)
    level = MISSINGNESS_SHARE * declared / len(tests)
    shared = "one test" if len(tests) == 1 else f"{len(tests)} tests"
    analysed = _analysed(design, cohort)
    checks = []
    for test in tests:
        shares = " vs ".join(f"{m:,}/{n:,}" for m, n in zip(test.missing, analysed, strict=True))
        checks.append(
            Check(
                name=f"Missing outcomes by arm: {test.metric}",
                result="fail" if test.p_value is not None and test.p_value < level else "pass",
                detail=f"{shares} units without a value" if sum(test.missing) else "no unit without a value",
                rule=f"p ≥ {level:.4g} (of α {declared:g}{over(design)}, {MISSINGNESS_SHARE:g} for {shared} of missingness)",
                p_value=test.p_value,
            )
        )
    return checks


def over(design: Design) -> str:
    return "" if design.look_count == 1 else f" of this look, one of at most {design.look_count}"


def allocation_level(design: Design, tests: Sequence[Allocation]) -> float:
    """The level of each allocation test."""
    return (1 - MISSINGNESS_SHARE) * look_alpha(design) / max(len(tests), 1)


def allocation_tests(design: Design, cohort: CohortEvidence) -> list[Allocation]:
    """The allocation tests that can be computed, with their p-values."""
    planned, observed = _planned(design), _analysed(design, cohort)
    overall = srm_test(observed, planned)
    tests = []
    if overall.p_value is not None:
        counts = " vs ".join(f"{n:,}" for n in observed)
        shares = ":".join(f"{share:g}" for share in planned)
        detail = f"{counts} analysed units, planned {shares}; {overall.method}"
        tests.append(Allocation("Allocation (SRM)", overall.p_value, detail))
    families: list[tuple[str, str, Sequence[ArmCount]]] = [("Allocation by day", "days", cohort.by_day)]
    families += [(f"Allocation by {name}", "levels", counts) for name, counts in cohort.by_attribute]
    for name, noun, units in families:
        strata = by_stratum(units, len(design.arms))
        if len(strata) < 2:
            continue
        if noun == "days":
            strata = {f"{at_moment(int(day) * DAY_US):%d %b %Y}": units for day, units in strata.items()}
        stratified = stratified_srm(strata, planned)
        if stratified.p_value is not None:
            where = _where(strata, planned, look_alpha(design), noun)
            tests.append(Allocation(name, stratified.p_value, where))
    return tests


def missingness_tests(design: Design, cohort: CohortEvidence, outcomes: OutcomeEvidence) -> list[Missingness]:
    """One test for each deciding metric; without a p-value where nothing is missing."""
    analysed = _analysed(design, cohort)
    found = []
    for index, measure in enumerate(design.measures):
        if measure.role not in {"primary", "must-hold"}:
            continue
        with_value = outcomes.units_with_value(index, len(design.arms))
        missing = tuple(n - present for n, present in zip(analysed, with_value, strict=True))
        found.append(Missingness(measure.label, missing, missingness_p_value(missing, analysed)))
    return found


def missingness_p_value(missing: Sequence[int], analysed: Sequence[int]) -> float | None:
    """Test that the share of missing units is the same in every arm; None when it cannot differ.

    Pearson's chi-squared; where an expected count is below 5, the rarer of missing and present against the arms' units by
    the exact multinomial, which is wider than the hypergeometric and so errs towards no alarm.
    """
    present = [n - m for n, m in zip(analysed, missing, strict=True)]
    if sum(missing) == 0 or sum(present) == 0 or min(analysed) == 0:
        return None
    rarer = list(missing) if sum(missing) <= sum(present) else present
    if sum(rarer) * min(analysed) / sum(analysed) < SMALLEST_EXPECTED:
        return srm_test(rarer, analysed).p_value
    return float(chi2_contingency([list(missing), present], correction=False).pvalue)


def by_stratum(counts: Sequence[ArmCount], arms: int) -> dict[str, tuple[int, ...]]:
    """Units per arm of every stratum, in order of the stratum."""
    strata: dict[str, list[int]] = {}
    for count in counts:
        strata.setdefault(count.stratum, [0] * arms)[count.arm] += count.units
    keys = sorted(strata, key=lambda key: (len(key), key) if key.isdigit() else (0, key))
    return {key: tuple(strata[key]) for key in keys}


def crossover_check(design: Design, cohort: CohortEvidence) -> Check:
    rules = design.written.rules
    share = cohort.several_arms / cohort.units if cohort.units else 0.0
    result: CheckResult = (
        "fail" if share > rules.fail_crossover else "warn" if share > rules.warn_crossover else "pass"
    )
    return Check(
        name="Units in several arms",
        result=result,
        detail=f"{cohort.several_arms:,} of {cohort.units:,} units ({share:.2%}); rule: {rules.several_arms}",
        rule=f"warn above {rules.warn_crossover:.1%}, fail above {rules.fail_crossover:.1%}",
    )


def audit_check(design: Design, cohort: CohortEvidence) -> Check:
    limit = design.written.validity.max_assignment_mismatch
    rule = f"at most {limit:.2%} of logged units differ from the declared hash"
    if cohort.audit is None:
        return Check(
            name="Assignment audit",
            result="not applicable",
            detail="units are assigned outside Fairtrial",
            rule=rule,
        )
    counts = dict(cohort.audit)
    total = sum(counts.values())
    wrong = total - counts.get("agrees", 0)
    share = wrong / total if total else 0.0
    detail = f"{wrong:,} of {total:,} units differ from the hash"
    if wrong:
        detail += (
            " ("
            + ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in cohort.audit if name != "agrees")
            + ")"
        )
    return Check(
        name="Assignment audit", result="fail" if share > limit else "pass", detail=detail, rule=rule
    )


def _where(strata: Mapping[str, Sequence[int]], planned: Sequence[float], alpha: float, noun: str) -> str:
    """Which strata are off, by Holm over the strata."""
    off = localise_srm(strata, planned, alpha=alpha).adjusted.rejected
    if not off:
        return f"{len(strata)} {noun}, none off by itself"
    worst = ", ".join(f"{name} ({' vs '.join(f'{n:,}' for n in strata[name])})" for name in list(off)[:3])
    return f"{len(off)} of {len(strata)} {noun} off: {worst}{', …' if len(off) > 3 else ''}"


def _analysed(design: Design, cohort: CohortEvidence) -> list[int]:
    return [units_in(cohort.fates, arm, Fate.ANALYSED) for arm in range(len(design.arms))]


def _planned(design: Design) -> list[float]:
    return [float(arm.share) for arm in design.arms]
