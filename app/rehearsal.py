"""A rehearsal before launch: the readout this design would give, on drawn numbers, judged by the real rule.

Every measure's sums are drawn at the design's baselines under a chosen truth and taken look by look through the judgement
that real evidence goes through. What comes out is a readout like any other, simulated for ever.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal, get_args

import numpy as np

from analysis.inference import critical_value
from analysis.quantiles import outer_levels
from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.counted import ArmSums, FateCount
from experiments.cohorts.evidence import (
    CohortEvidence,
    Evidence,
    FamilyEvidence,
    OutcomeEvidence,
    QuantileEvidence,
)
from experiments.cohorts.log_checks import RowCounts
from experiments.cohorts.quantile_reading import QuantileSums, comoments
from experiments.designs.design import Design, declare
from experiments.designs.measures import Measure
from experiments.designs.metrics import Catalogue
from experiments.looks.stopping import information
from experiments.readouts.context import Context
from experiments.readouts.judgement import make_readout
from experiments.readouts.past import as_past
from experiments.readouts.readout import Look, Readout, Registration
from experiments.simulation.drawing import draw
from experiments.simulation.pairs import Arm
from experiments.simulation.schedule import schedule_of
from experiments.simulation.truths import effect_of

Truth = Literal["no effect", "the planned effect", "worse by the margin", "a broken allocation"]
TRUTHS: Final[tuple[Truth, ...]] = get_args(Truth)

_SCALE: Final = 10**6
"""Drawn values are kept to a millionth of the metric's unit, as logged ones are kept exactly."""

_FAR: Final = 10.0
"""Standard errors by which a broken allocation is off: no look can pass it for chance."""


def rehearse(
    design: Design, truth: Truth, *, experiment: str, owner: str, now: datetime, seed: int = 1
) -> Readout:
    """The last readout of one simulated run of a design.

    Args:
        truth: what is true in it; guardrails and secondary metrics do not move.
        experiment: id that stands on the readout.
        now: stands as the moment of release.

    Raises:
        ValueError: a truth there is not; a measure that decides without a baseline to draw from.
    """
    allowed = truths_to_rehearse(design)
    if truth not in allowed:
        raise ValueError(f"truth: {truth!r} is not allowed; give one of {', '.join(allowed)}")
    rehearsed, measures = rehearsable(design)
    size = {"the planned effect": 1.0, "worse by the margin": -1.0}.get(truth, 0.0)
    schedule = schedule_of(rehearsed)
    random = np.random.default_rng(seed)
    drawn = draw(
        design,
        tuple(measures.values()),
        {0: effect_of(design.primary, size)},
        schedule.units,
        1,
        random,
    )
    taken: list[Readout] = []
    looks = len(schedule.units)
    for look in range(looks):
        arms = {mine: drawn.arms[theirs] for mine, theirs in measures.items()}
        units = tuple(int(n) for n in drawn.units[0, look])
        evidence = _evidence(rehearsed, arms, look, units)
        if truth == "a broken allocation":
            evidence = _broken(rehearsed, evidence, units)
        context = Context(
            registration=Registration(
                experiment=experiment,
                title=design.title,
                owner=owner,
                reviewer=None,
                version=0,
                design_sha256=design.sha256,
                locked_at=None,
                labels=("simulated",),
            ),
            look=_look(rehearsed, look, looks, units),
            released_at=now,
            simulated=True,
            manifest=(),
            statements=(),
            past=tuple(as_past(one) for one in taken),
        )
        taken.append(make_readout(rehearsed, evidence, context))
        if taken[-1].verdict.code != "CONTINUE":
            break
    return taken[-1]


def truths_to_rehearse(design: Design) -> tuple[Truth, ...]:
    """What may be true in a rehearsal: a superiority design has a planned effect, a non-inferiority design a margin."""
    other: Truth = "worse by the margin" if design.primary.mde is None else "the planned effect"
    return ("no effect", other, "a broken allocation")


def left_out(design: Design) -> tuple[str, ...]:
    """What a rehearsal of this design does not show, in words."""
    found = []
    if any(measure.covariates for measure in design.measures):
        found.append("the adjustment by covariates (their declared gain in precision is drawn)")
    if design.written.segments or any(guardrail.segment for guardrail in design.guardrails):
        found.append("segments")
    if design.written.sensitivity:
        found.append("sensitivity analyses")
    missing = [m.label for m in design.measures[1:] if not _can_be_drawn(m)]
    if missing:
        found.append(f"{', '.join(missing)}, without a baseline to draw from")
    return tuple(found)


def rehearsable(design: Design) -> tuple[Design, dict[int, int]]:
    """The design without what cannot be drawn, and which measure of the original each of its measures is.

    Sizes, looks, levels and margins stay as they are planned.
    """
    catalogue = Catalogue(tuple(dict.fromkeys(measure.metric for measure in design.measures)))
    kept = {measure.metric.reference for measure in design.measures if _can_be_drawn(measure)}
    body: dict[str, Any] = design.written.model_dump(mode="json", by_alias=True, exclude_none=True)
    for name in ("segments", "sensitivity", "eligibility"):
        body.pop(name)
    guardrails = [one for one in body["guardrails"] if catalogue[one["metric"]].reference in kept]
    body["primary"] = _alone(body["primary"], design.primary)
    body["guardrails"] = [_alone(one, None) for one in guardrails]
    if not guardrails:
        body["no_guardrails_reason"] = "the design has none that can be drawn"
    secondary = [one for one in body["secondary"]["metrics"] if catalogue[one].reference in kept]
    body["secondary"]["metrics"] = secondary
    body["power"] |= {
        "units_per_arm": min(design.plan.n_per_arm),
        "override_reason": "the number of units of the plan that is rehearsed",
    }
    found = declare(catalogue, **body)
    return found, _matched(found, design)


def _alone(written: dict[str, Any], primary: Measure | None) -> dict[str, Any]:
    """A measure without covariates and levels of a segment, by the test that it has with them."""
    plain = {name: value for name, value in written.items() if name not in {"covariates", "segment"}}
    if primary is not None and primary.covariates:
        plain["test"] = primary.test
    return plain


def _matched(rehearsed: Design, design: Design) -> dict[int, int]:
    """By the place of each rehearsed measure, that of the original's; both are in the order of their names."""
    left = list(enumerate(design.measures))
    found = {}
    for mine, measure in enumerate(rehearsed.measures):
        place = next(
            at
            for at, (_, other) in enumerate(left)
            if (other.role, other.metric.reference) == (measure.role, measure.metric.reference)
        )
        found[mine] = left.pop(place)[0]
    return found


def _can_be_drawn(measure: Measure) -> bool:
    baseline = measure.baseline
    return baseline is not None and (measure.metric.is_binary or baseline.sd is not None)


def _look(design: Design, look: int, looks: int, units: tuple[int, ...]) -> Look:
    return Look(
        k=look + 1,
        of=design.look_count,
        final=look == looks - 1,
        cut_off=None,
        watermark=None,
        watermark_why="drawn numbers, no logs",
        information=information(design, units),
        short=False,
        stopped_by_hand=False,
        enrolment_start=None,
    )


def _evidence(
    design: Design, drawn: Mapping[int, tuple[Arm, ...]], look: int, units: tuple[int, ...]
) -> Evidence:
    """What the logs of such a run would show: every unit analysed, none without a value."""
    families, quantiles = [], []
    for index, arms in drawn.items():
        measure = design.measures[index]
        if measure.metric.type == "quantile":
            quantiles.append(_quantile(measure, index, arms, look))
        else:
            families.append(_family(measure, index, arms, look))
    total = sum(units)
    outcomes = OutcomeEvidence(tuple(families), tuple(quantiles), total, total)
    return Evidence(_cohort(units, total), outcomes)


def _cohort(units: tuple[int, ...], assigned: int) -> CohortEvidence:
    fates = tuple(FateCount("", arm, Fate.ANALYSED, n, n, n) for arm, n in enumerate(units))
    return CohortEvidence(
        cut_off=CutOff(None, None),
        fates=fates,
        by_day=(),
        by_attribute=(),
        as_delivered=None,
        several_arms=0,
        delivered_differs=0,
        units=assigned,
        audit=None,
        exposed_before_assigned=0,
        rows=RowCounts(assigned),
    )


def _broken(design: Design, evidence: Evidence, units: tuple[int, ...]) -> Evidence:
    """The same run with units of the last arm lost, so many that it cannot be by chance; outcomes stay unread."""
    share = float(design.arms[-1].share)
    lost = math.ceil(_FAR * math.sqrt(sum(units) * share / (1 - share)))
    left = (*units[:-1], max(units[-1] - lost, 0))
    return replace(evidence, cohort=_cohort(left, sum(left)), outcomes=None)


def _family(measure: Measure, index: int, arms: tuple[Arm, ...], look: int) -> FamilyEvidence:
    """Sums that give back each arm's mean and variance; a ratio's denominator is 1 for every unit."""
    of_ratio = measure.metric.type == "ratio"
    counted = measure.metric.is_binary and all(arm.successes is not None for arm in arms)
    scale = 1 if counted else _SCALE
    sums = []
    for place, arm in enumerate(arms):
        n, value, variance = _moments(arm, look)
        if arm.successes is not None and counted:
            total = square = round(arm.successes[0, look])
        else:
            total = round(n * value * scale)
            square = round(variance * scale**2 * max(n - 1, 0) + total * total / n) if n else 0
        both = (total, n) if of_ratio else (total,)
        products = (square, total, n) if of_ratio else (square,)
        sums.append(ArmSums("", place, None, n, both, products))
    names, scales = (("numerator", "denominator"), (scale, 1)) if of_ratio else (("value",), (scale,))
    return FamilyEvidence(index, "declared", None, names, scales, (0,) * len(names), tuple(sums))


def _quantile(measure: Measure, index: int, arms: tuple[Arm, ...], look: int) -> QuantileEvidence:
    """One request for every unit, and order statistics as far apart as the drawn standard error says."""
    q = measure.metric.quantile or 0.5
    alpha = measure.alpha if measure.sides == 2 else 2 * measure.alpha
    sums = []
    for place, arm in enumerate(arms):
        n, value, variance = _moments(arm, look)
        below = round(q * n)
        reach = critical_value(alpha, n - 1, "two-sided") * math.sqrt(variance / n)
        levels = outer_levels(comoments(n, (below, n), (below, below, n)), q, alpha=alpha)
        known = levels.not_computed is None
        sums.append(
            QuantileSums(
                experiment="",
                arm=place,
                level=None,
                requests=n,
                units=n,
                estimate=round(value * _SCALE),
                sums=(below, n),
                products=(below, below, n),
                lower=round((value - reach) * _SCALE) if known else None,
                upper=round((value + reach) * _SCALE) if known else None,
            )
        )
    return QuantileEvidence(index, None, alpha, _SCALE, tuple(sums))


def _moments(arm: Arm, look: int) -> tuple[int, float, float]:
    return int(arm.n[0, look]), float(arm.value[0, look]), float(arm.variance[0, look])
