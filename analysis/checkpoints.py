"""A running comparison known only by its checkpoints: each arm's units, mean and variance so far.

A dashboard's export or a published data set is like this. What cannot come from one cohort that only grows is
refused with the reason; the rest becomes an effect and its information at every checkpoint, ready for a
sequential rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from analysis.effects import Effect, compare_means
from analysis.moments import Moments

_MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ArmCheckpoints:
    """One arm, cumulative from checkpoint to checkpoint.

    Attributes:
        units: so far.
        means: of the metric over these units.
        variances: with n − 1 in the denominator; NaN where the source has none.
    """

    units: tuple[int, ...]
    means: tuple[float, ...]
    variances: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CheckpointEffect:
    """Treatment against control at one checkpoint.

    Attributes:
        checkpoint: its number, from 1.
        information: 1 / (1/n_control + 1/n_treatment), 0 while an arm has no unit.
        effect: by Welch's test.
    """

    checkpoint: int
    information: float
    effect: Effect


def checkpoint_problems(control: ArmCheckpoints, treatment: ArmCheckpoints) -> tuple[str, ...]:
    """Why these checkpoints are not those of one growing comparison; none where they may be.

    Refused are arms of different lengths, units that become fewer, and a mean or variance that is missing,
    infinite or negative although the arm has the units for it.
    """
    lengths = {
        len(values) for arm in (control, treatment) for values in (arm.units, arm.means, arm.variances)
    }
    if len(lengths) > 1 or not control.units:
        return (f"{sorted(lengths)} values: give units, mean and variance of both arms at every checkpoint",)
    return tuple(
        f"{name}: {problem}"
        for name, arm in (("control", control), ("treatment", treatment))
        for problem in _problems_of(arm)
    )


def checkpoint_effects(
    control: ArmCheckpoints, treatment: ArmCheckpoints, *, alpha: float = 0.05
) -> tuple[CheckpointEffect, ...]:
    """The effect at every checkpoint, each by itself: a naive reading of all of them errs far above ``alpha``.

    Raises:
        ValueError: with all of `checkpoint_problems`.
    """
    problems = checkpoint_problems(control, treatment)
    if problems:
        raise ValueError("\n".join(problems))
    found = []
    for index, (n_control, n_treatment) in enumerate(zip(control.units, treatment.units, strict=True)):
        arms = _moments(control, index), _moments(treatment, index)
        information = 1 / (1 / n_control + 1 / n_treatment) if n_control and n_treatment else 0.0
        found.append(
            CheckpointEffect(index + 1, information, compare_means(*arms, alpha=alpha, relative=None))
        )
    return tuple(found)


def looks_due(
    effects: Sequence[CheckpointEffect], planned_information: float, looks: int
) -> tuple[CheckpointEffect, ...]:
    """The checkpoints at which declared looks fall due, at 1/K, 2/K, … of the planned information.

    A look is the first checkpoint with a computed effect that reaches its share; where one checkpoint reaches
    several shares there are fewer looks. Nothing of the outcome's size enters the choice.

    Args:
        planned_information: in the unit of ``CheckpointEffect.information``.
        looks: K.

    Raises:
        ValueError: for a planned information that is not above 0, or fewer than one look.
    """
    faults = []
    if not 0 < planned_information < math.inf:
        faults.append(f"planned_information: {planned_information} is not allowed; give a number above 0")
    if looks < 1:
        faults.append(f"looks: {looks} is not allowed; give 1 or more")
    if faults:
        raise ValueError("; ".join(faults))
    found: list[CheckpointEffect] = []
    due = 1
    for one in effects:
        if due > looks:
            break
        # a rounding above the share itself would put off the last look for ever
        if one.effect.not_computed is None and one.information >= planned_information * due / looks * (
            1 - 1e-12
        ):
            found.append(one)
            due = math.floor(one.information / planned_information * looks * (1 + 1e-12)) + 1
    return tuple(found)


def _problems_of(arm: ArmCheckpoints) -> list[str]:
    problems = []
    negative = [k for k, n in enumerate(arm.units, 1) if n < 0]
    if negative:
        problems.append(f"units below 0 at checkpoint {_named(negative)}")
    falls = [k for k, (before, after) in enumerate(pairwise(arm.units), 2) if after < before]
    if falls:
        at = falls[0] - 1
        problems.append(
            f"units fall from {arm.units[at - 1]} to {arm.units[at]} at checkpoint {_named(falls)}; "
            "a cohort only grows, so rows were removed or the source changed"
        )
    for what, values, least in (("mean", arm.means, 1), ("variance", arm.variances, 2)):
        missing = [
            k
            for k, (n, value) in enumerate(zip(arm.units, values, strict=True), 1)
            if n >= least and not math.isfinite(value)
        ]
        if missing:
            problems.append(f"no {what} at checkpoint {_named(missing)}")
    below = [k for k, value in enumerate(arm.variances, 1) if value < 0]
    if below:
        problems.append(f"a variance below 0 at checkpoint {_named(below)}")
    return problems


def _named(checkpoints: Sequence[int]) -> str:
    shown = ", ".join(map(str, checkpoints[:_MOST_SHOWN]))
    more = len(checkpoints) - _MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _moments(arm: ArmCheckpoints, index: int) -> Moments:
    n = arm.units[index]
    if n == 0:
        return Moments(0, 0.0, 0.0)
    variance = arm.variances[index] if n > 1 else 0.0
    return Moments(n, arm.means[index], variance * (n - 1))
