"""What the logs of a scenario ought to say: expected values, never estimates."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy.optimize import brentq

from experiments.traffic.kinds import Latency
from experiments.traffic.means import cells_of, means_of
from experiments.traffic.outcomes import Floats, Outcome
from experiments.traffic.scenario import Scenario

QUANTILES = (0.50, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class ArmTruth:
    """The expected value of an outcome in an arm.

    ``sd`` is that of one unit's value; for Latency of one request's value; for Ratio of a unit's linearised
    ratio, so that the standard error of the arm's ratio is ``sd`` over the root of the number of units.
    ``effect`` is the difference to control in the outcome's own unit, ``relative_effect`` over control.
    ``quantiles`` holds pairs of level and value, for Latency only.
    """

    arm: str
    mean: float
    sd: float
    effect: float
    relative_effect: float
    quantiles: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class OutcomeTruth:
    """An outcome by arm (control first), within its window and without any fault."""

    event: str
    kind: str
    arms: tuple[ArmTruth, ...]
    history_correlation: float | None
    mean_delay_seconds: float


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a scenario; ``mature_at`` is when its last unit can be read."""

    experiment: str
    expected_units: float
    mature_at: datetime
    outcomes: tuple[OutcomeTruth, ...]


def truth_of(scenario: Scenario) -> Truth:
    """Return the expected values of every outcome in every arm, for exposed units."""
    arrivals = sum(scenario.expected_units(day) for day in range(scenario.days)) * scenario.replicates
    layer = scenario.assignment.layer
    return Truth(
        experiment=scenario.experiment,
        expected_units=arrivals * (1.0 if layer is None else float(layer.range.share)),
        mature_at=scenario.mature_at,
        outcomes=tuple(outcome_truth(scenario, outcome) for outcome in scenario.outcomes),
    )


def outcome_truth(scenario: Scenario, outcome: Outcome) -> OutcomeTruth:
    cells = cells_of(scenario, outcome)
    _, means = means_of(scenario, outcome, cells.arm, cells.levels)
    truths: list[ArmTruth] = []
    for index, arm in enumerate(scenario.assignment.names):
        here = cells.arm == index
        share = cells.share[here]
        mean = float(share @ means[here])
        variance = outcome.mixture_variance(share, means[here])
        control = truths[0].mean if truths else mean
        quantiles = latency_quantiles(outcome, share, means[here]) if isinstance(outcome, Latency) else ()
        truths.append(ArmTruth(arm, mean, variance**0.5, mean - control, mean / control - 1, quantiles))
    return OutcomeTruth(
        event=outcome.event,
        kind=type(outcome).__name__,
        arms=tuple(truths),
        history_correlation=outcome.history_correlation,
        mean_delay_seconds=outcome.delay.mean.total_seconds(),
    )


def latency_quantiles(outcome: Latency, share: Floats, means: Floats) -> tuple[tuple[float, float], ...]:
    """Return the quantiles of all requests: of a mixture of lognormals, one per segment."""
    low = float(np.min(means)) * np.exp(-12 * outcome.log_variance**0.5 - outcome.log_variance)
    high = float(np.max(means)) * np.exp(12 * outcome.log_variance**0.5)
    return tuple(
        (
            level,
            float(
                brentq(
                    lambda value, at=level: share @ outcome.distribution(value, means) - at,
                    low,
                    high,
                    xtol=1e-12,
                )
            ),
        )
        for level in QUANTILES
    )
