"""Validity at a look: checks that outrank any effect. A failed one makes the experiment INVALID; a fault that can be
mended holds the look with outcomes closed.

The statistical checks that block (allocation overall, by day and by declared attribute, missingness by arm) share the
design's one α by Bonferroni. A check that cannot reject (a single stratum, or no missing unit at all) takes no share:
both are settled by totals that carry nothing about the arms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import chi2_contingency

from analysis.srm import localise_srm, srm_test, stratified_srm
from experiments.cohort import FATE_WORDS, Fate
from experiments.design import Design
from experiments.evidence import CohortEvidence, OutcomeEvidence, units_in
from experiments.reading import ArmCount
from experiments.readout import Check, CheckResult
from experiments.sql import at_moment


@dataclass(frozen=True, slots=True)
class Allocation:
    """One allocation test that is to share α: overall, or within strata."""

    name: str
    p_value: float
    detail: str


def allocation_tests(design: Design, cohort: CohortEvidence) -> list[Allocation]:
    """The allocation tests that can reject, with their p-values."""
    planned = [float(arm.share) for arm in design.arms]
    observed = [units_in(cohort.fates, arm, Fate.ANALYSED) for arm in range(len(design.arms))]
    overall = srm_test(observed, planned)
    tests = []
    if overall.p_value is not None:
        counts = " vs ".join(f"{n:,}" for n in observed)
        shares = ":".join(f"{share:g}" for share in planned)
        tests.append(
            Allocation(
                "Allocation (SRM)",
                overall.p_value,
                f"{counts} analysed units, planned {shares}; {overall.method}",
            )
        )
    families: list[tuple[str, Sequence[ArmCount]]] = [("Allocation by day", cohort.by_day)]
    families += [(f"Allocation by {name}", counts) for name, counts in cohort.by_attribute]
    for name, units in families:
        strata = by_stratum(units, len(design.arms))
        if len(strata) < 2:
            continue
        if name == "Allocation by day":
            strata = {
                f"{at_moment(int(day) * 86_400_000_000):%d %b %Y}": units for day, units in strata.items()
            }
        stratified = stratified_srm(strata, planned)
        if stratified.p_value is None:
            continue
        tests.append(
            Allocation(name, stratified.p_value, _where(strata, planned, design.written.validity.alpha))
        )
    return tests


def by_stratum(counts: Sequence[ArmCount], arms: int) -> dict[str, tuple[int, ...]]:
    """Units per arm of every stratum, in order of the stratum."""
    strata: dict[str, list[int]] = {}
    for count in counts:
        strata.setdefault(count.stratum, [0] * arms)[count.arm] += count.units
    keys = sorted(strata, key=lambda key: (len(key), key) if key.isdigit() else (0, key))
    return {key: tuple(strata[key]) for key in keys}


def missing_units(
    design: Design, cohort: CohortEvidence, outcomes: OutcomeEvidence
) -> dict[str, tuple[int, ...]]:
    """Analysed units without a value, by arm, for each deciding metric."""
    analysed = [units_in(cohort.fates, arm, Fate.ANALYSED) for arm in range(len(design.arms))]
    found: dict[str, tuple[int, ...]] = {}
    for index, measure in enumerate(design.measures):
        if measure.role not in {"primary", "must-hold"} or measure.metric.type == "quantile":
            continue
        variant = "unadjusted" if measure.covariates else "declared"
        family = outcomes.family(index, variant)
        if family is None:
            continue
        with_value = {sums.arm: sums.n for sums in family.arms}
        found[measure.metric.reference] = tuple(n - with_value.get(arm, 0) for arm, n in enumerate(analysed))
    return found


def missingness_p_value(missing: Sequence[int], analysed: Sequence[int]) -> float | None:
    """Chi-squared test that the share of missing units is the same in every arm; None when it cannot differ."""
    present = [n - m for n, m in zip(analysed, missing, strict=True)]
    if sum(missing) == 0 or sum(present) == 0 or min(analysed) == 0:
        return None
    return float(chi2_contingency([list(missing), present], correction=False).pvalue)


def cohort_checks(design: Design, cohort: CohortEvidence, shared_by: int) -> list[Check]:
    """Checks that need no outcome; ``shared_by`` is how many tests share α."""
    rules, validity = design.written.rules, design.written.validity
    alpha = validity.alpha / max(shared_by, 1)
    rule = f"p ≥ {alpha:g} (α {validity.alpha:g} shared by {shared_by} blocking test{'s' if shared_by != 1 else ''})"
    checks = [
        Check(
            name=test.name,
            result="fail" if test.p_value < alpha else "pass",
            detail=test.detail,
            rule=rule,
            p_value=test.p_value,
        )
        for test in allocation_tests(design, cohort)
    ]
    if not any(check.name == "Allocation (SRM)" for check in checks):
        checks.insert(
            0, Check(name="Allocation (SRM)", result="fail", detail="no analysed units to test", rule=rule)
        )
    share = cohort.several_arms / cohort.units if cohort.units else 0.0
    result: CheckResult = (
        "fail" if share > rules.fail_crossover else "warn" if share > rules.warn_crossover else "pass"
    )
    checks.append(
        Check(
            name="Units in several arms",
            result=result,
            detail=f"{cohort.several_arms:,} of {cohort.units:,} units ({share:.2%}); rule: {rules.several_arms}",
            rule=f"warn above {rules.warn_crossover:.1%}, fail above {rules.fail_crossover:.1%}",
        )
    )
    checks.append(_audit_check(design, cohort))
    return checks


def _audit_check(design: Design, cohort: CohortEvidence) -> Check:
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


def outcome_checks(
    design: Design, cohort: CohortEvidence, outcomes: OutcomeEvidence, shared_by: int
) -> list[Check]:
    """Missingness by arm of every deciding metric."""
    alpha = design.written.validity.alpha / max(shared_by, 1)
    analysed = [units_in(cohort.fates, arm, Fate.ANALYSED) for arm in range(len(design.arms))]
    checks = []
    for name, missing in missing_units(design, cohort, outcomes).items():
        p = missingness_p_value(missing, analysed)
        shares = " vs ".join(f"{m:,}/{n:,}" for m, n in zip(missing, analysed, strict=True))
        checks.append(
            Check(
                name=f"Missing outcomes by arm: {name}",
                result="pass" if p is None or p >= alpha else "fail",
                detail=f"{shares} units without a value" if sum(missing) else "no unit without a value",
                rule=f"p ≥ {alpha:g}",
                p_value=p,
            )
        )
    return checks


def tests_sharing_alpha(design: Design, cohort: CohortEvidence, outcomes: OutcomeEvidence | None) -> int:
    """How many blocking tests can reject, from totals over arms only."""
    count = len(allocation_tests(design, cohort))
    if outcomes is not None:
        count += sum(1 for missing in missing_units(design, cohort, outcomes).values() if sum(missing) > 0)
    return count


def holds(
    design: Design,
    cohort: CohortEvidence,
    *,
    joined: tuple[int, int] | None,
    clock: Mapping[str, tuple[int, int]],
) -> list[Check]:
    """Faults that can be mended: while one stands the look is held and outcomes stay closed."""
    unknown = sum(c.units for c in cohort.fates if c.fate is Fate.UNKNOWN_ARM)
    broken = sum(c.units for c in cohort.fates if c.fate is Fate.BROKEN_ROWS)
    found = [
        Check(
            name="Arms named by the design",
            result="hold" if unknown else "pass",
            detail=f"{unknown:,} units only {FATE_WORDS[Fate.UNKNOWN_ARM]}; map them in the source's arms"
            if unknown
            else "all",
            rule="every logged arm is an arm of the design",
        ),
        Check(
            name="Readable assignment rows",
            result="warn" if broken else "pass",
            detail=f"{broken:,} units with only {FATE_WORDS[Fate.BROKEN_ROWS]}" if broken else "all",
            rule="counted; never dropped in silence",
            blocking=False,
        ),
    ]
    if joined is not None:
        with_any, units = joined
        share = with_any / units if units else 0.0
        least = design.written.validity.minimum_join_rate
        found.append(
            Check(
                name="Join rate",
                result="hold" if share < least else "pass",
                detail=f"{share:.1%} of {units:,} analysed units have any row in the outcome logs",
                rule=f"at least {least:.1%}, arms pooled; below it the unit ids do not match",
            )
        )
    limit = design.written.validity.max_clock_oddities
    for name, (odd, rows) in clock.items():
        share = odd / rows if rows else 0.0
        found.append(
            Check(
                name=name,
                result="hold" if share > limit else "warn" if odd else "pass",
                detail=f"{odd:,} of {rows:,} rows",
                rule=f"at most {limit:.1%} of rows",
            )
        )
    return found


def _where(strata: Mapping[str, Sequence[int]], planned: Sequence[float], alpha: float) -> str:
    """Which strata are off, by Holm over the strata."""
    adjusted = localise_srm(strata, planned, alpha=alpha).adjusted
    off = adjusted.rejected
    if not off:
        return f"{len(strata)} strata, none off by itself"
    worst = ", ".join(f"{name} ({' vs '.join(f'{n:,}' for n in strata[name])})" for name in list(off)[:3])
    return f"{len(off)} of {len(strata)} strata off: {worst}{', …' if len(off) > 3 else ''}"
