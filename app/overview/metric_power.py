"""What a metric can show: the smallest effect it detects at typical traffic, and whether it raises false alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from analysis.power import (
    Comparison,
    MeansComparison,
    PowerPlan,
    ProportionsComparison,
    WeekOfTraffic,
    detectable_by_week,
)
from app.formats import count, shortest, significant
from experiments.designs.metrics import Metric
from registry.canonical import sha256_of

WEEKS: Final = 4
ASSUMED: Final = (
    "two equal arms, one look at the end, α 0.05 two-sided, power 80%, no adjustment by covariates"
)


@dataclass(frozen=True, slots=True)
class DetectableWeek:
    """The smallest effect that so many weeks of traffic show with the usual power."""

    weeks: int
    units: str
    effect: str


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What a metric detects at typical traffic.

    Attributes:
        traffic: units a day, the median of the designs that name it; None where none declares any.
        not_known: why there is nothing to show; then no weeks.
    """

    traffic: float | None
    designs: int
    weeks: tuple[DetectableWeek, ...]
    not_known: str | None


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """How often the whole rule of a design would ship where nothing differs, by simulation.

    Attributes:
        share, error: of the replays that ended with SHIP, and its Monte-Carlo standard error.
        nominal: the level at which the design's primary may be called better by chance.
    """

    experiment: str
    share: float
    error: float
    replays: int
    nominal: float

    @property
    def words(self) -> str:
        return (
            f"{self.experiment}: {100 * self.share:.1f}% ± {100 * self.error:.1f} of {count(self.replays)} replays without any "
            f"true effect ended with SHIP; its rule allows {shortest(100 * self.nominal)}%."
        )


def sensitivity(metric: Metric, declared: Sequence[float]) -> Sensitivity:
    """The smallest detectable effect by week.

    Args:
        declared: units a day of each design that names the metric and declares its traffic.
    """
    traffic = median(declared) if declared else None
    compared = _comparison(metric)
    if isinstance(compared, str):
        return Sensitivity(traffic, len(declared), (), compared)
    if traffic is None:
        return Sensitivity(None, 0, (), "no design that names it declares its traffic (power.units_per_day)")
    found = detectable_by_week(compared, [7 * traffic] * WEEKS, PowerPlan())
    return Sensitivity(traffic, len(declared), tuple(_week(metric, week) for week in found), None)


def false_alarms(
    reference: str, plans: Mapping[str, Mapping[str, Any]], simulated: Mapping[str, Mapping[str, Any]]
) -> tuple[FalseAlarms, ...]:
    """What simulations say of the designs whose primary is this metric version, as they are now.

    Args:
        simulated: the result of the last simulation of each experiment, by id.
    """
    found = (
        _false_alarms(experiment, plans[experiment], result)
        for experiment, result in simulated.items()
        if experiment in plans and _tests_for_better(plans[experiment], reference)
    )
    return tuple(one for one in found if one is not None)


def _false_alarms(experiment: str, plan: Mapping[str, Any], result: Mapping[str, Any]) -> FalseAlarms | None:
    if result["design_sha256"] != sha256_of(dict(plan)):
        return None  # of an earlier plan
    row = next(
        (
            row
            for row in result["rows"]
            if row["primary"] == 0 and row["guardrail_at_margin"] is None and row["not_computed"] is None
        ),
        None,
    )
    if row is None:
        return None
    nominal = plan["primary"]["alpha"] / plan["primary"]["sides"]
    return FalseAlarms(
        experiment, row["ship"]["value"], row["ship"]["standard_error"], result["replays"], nominal
    )


def _tests_for_better(plan: Mapping[str, Any], reference: str) -> bool:
    primary = plan.get("primary") or {}
    metric = primary.get("metric") or {}
    named = f"{metric.get('name')}@{metric.get('version')}"
    return plan.get("purpose") == "superiority" and named == reference


def _comparison(metric: Metric) -> Comparison | str:
    """What is compared, with a small planned effect as where to begin; or why nothing can be."""
    known = metric.baseline
    if known is None:
        return "the catalogue gives no baseline"
    sign = 1 if metric.direction == "higher" else -1
    if metric.is_binary:
        room = 1 - known.mean if sign > 0 else known.mean
        return ProportionsComparison(known.mean, sign * room / 100)
    if known.sd is None:
        return "the baseline in the catalogue has no standard deviation"
    return MeansComparison(known.sd, known.sd, sign * known.sd / 100)


def _week(metric: Metric, week: WeekOfTraffic) -> DetectableWeek:
    units = count(sum(week.n_per_arm))
    if week.effect is None:
        return DetectableWeek(week.week, units, f"not known: {week.not_computed}")
    size = abs(week.effect)
    if metric.is_binary:
        return DetectableWeek(week.week, units, f"{significant(100 * size, 2)} percentage points")
    return DetectableWeek(week.week, units, f"{significant(size, 2)} {metric.unit}".strip())
