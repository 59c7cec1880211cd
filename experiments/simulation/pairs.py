"""Control and one treatment in many replays at once, and the declared tests of them as normal deviates.

The vectorised twin of ``experiments.readouts.estimates`` and the tests of ``analysis`` behind it. Every decision of the rule
is an interval held against a value, and an interval excludes a value exactly when the test of that value rejects on that
side; so all that is needed of a test is its statistic at the values that decide, on the normal scale. No interval is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from analysis import score
from experiments.designs.design import Measure

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Null:
    """What is tested: a difference in the metric's unit, or treatment = multiple · control."""

    difference: float = 0.0
    multiple: float | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of every replay at every look; arrays of shape (replays, looks).

    Attributes:
        n: units with a value.
        value: mean, rate, ratio or quantile.
        variance: of one unit's (linearised) value, so that the estimate's is ``variance / n``.
        successes: of a yes/no metric tested as a rate; None elsewhere.
    """

    n: Floats
    value: Floats
    variance: Floats
    successes: Floats | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Control and one treatment, as one measure's test takes them."""

    control: Arm
    treatment: Arm

    @property
    def n(self) -> Floats:
        """Units of both arms."""
        total: Floats = self.control.n + self.treatment.n
        return total

    def standard_error(self, multiple: float = 1.0) -> Floats:
        """Of treatment − multiple · control."""
        treated = self.treatment.variance / np.maximum(self.treatment.n, 1)
        control = self.control.variance / np.maximum(self.control.n, 1)
        found: Floats = np.sqrt(treated + multiple**2 * control)
        return found


def measured(measure: Measure, pair: Pair) -> Flags:
    """Where the measure's test can be computed: enough units, something that varies, and a control above 0 to be a multiple of."""
    least = max(2, measure.minimum_units)
    enough: Flags = (pair.control.n >= least) & (pair.treatment.n >= least)
    if pair.control.successes is None:
        enough &= pair.standard_error() > 0
    if measure.margin is not None and measure.margin.kind == "relative":
        enough &= pair.control.value > 0
    return enough


def deviate(measure: Measure, pair: Pair, null: Null, where: Flags) -> Floats:
    """The declared test's statistic on the normal scale, above 0 where the treatment is above the null; 0 outside ``where``.

    Welch's t by its one-sided p (Satterthwaite's degrees of freedom), a score statistic as it is.
    """
    if measure.test in {"score", "miettinen-nurminen"} and pair.control.successes is not None:
        return np.where(where, _score(measure, pair, null), 0.0)
    t = standardised(pair, null, where)
    tail = stdtr(_degrees_of_freedom(pair, null.multiple or 1.0), -np.abs(t))
    # beyond what a double can hold the exact tail does not matter: no boundary is that far out
    found: Floats = np.copysign(-ndtri(np.maximum(tail, 1e-300)), t)
    return found


def standardised(pair: Pair, null: Null, where: Flags) -> Floats:
    """(treatment − multiple · control − difference) / standard error, as a confidence sequence takes it; 0 outside ``where``."""
    multiple = 1.0 if null.multiple is None else null.multiple
    gap = pair.treatment.value - multiple * pair.control.value - null.difference
    found: Floats = np.divide(gap, pair.standard_error(multiple), out=np.zeros_like(gap), where=where)
    return found


def _degrees_of_freedom(pair: Pair, multiple: float) -> Floats:
    treated = pair.treatment.variance / np.maximum(pair.treatment.n, 1)
    control = multiple**2 * pair.control.variance / np.maximum(pair.control.n, 1)
    whole = np.maximum(treated + control, np.finfo(float).tiny)
    spread = (treated / whole) ** 2 / np.maximum(pair.treatment.n - 1, 1) + (
        control / whole
    ) ** 2 / np.maximum(pair.control.n - 1, 1)
    found: Floats = 1 / np.maximum(spread, np.finfo(float).tiny)
    return found


def _score(measure: Measure, pair: Pair, null: Null) -> Floats:
    control, treatment = pair.control, pair.treatment
    if control.successes is None or treatment.successes is None:
        raise ValueError(f"{measure.label}: {measure.test} needs successes")
    counts = (control.successes, np.maximum(control.n, 1), treatment.successes, np.maximum(treatment.n, 1))
    factor = measure.test == "miettinen-nurminen"
    if null.multiple is None:
        return score.difference_statistic(*counts, null.difference, factor=factor)[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return score.ratio_statistic(*counts, null.multiple, factor=factor)[0]
