"""Balance of two arms in something that was measured before they could differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.effects import compare_means
from analysis.moments import Moments


@dataclass(frozen=True, slots=True)
class Balance:
    """How far a treatment arm lies from control in one covariate.

    Attributes:
        control, treatment: units with a value.
        standardised_difference: (mean of treatment − mean of control) in pooled standard deviations.
        p_value: of Welch's test that both means are the same, which random assignment makes true.
        not_computed: why the other two are missing, else None.
    """

    control: int
    treatment: int
    standardised_difference: float | None
    p_value: float | None
    not_computed: str | None = None


def balance_of(control: Moments, treatment: Moments) -> Balance:
    """The standardised difference of two arms, d = (x̄ₜ − x̄꜀) / √((sₜ² + s꜀²) / 2), with Welch's test.

    Austin (2009), "Balance diagnostics for comparing the distribution of baseline covariates between treatment
    groups", Statistics in Medicine 28, 3083. d does not depend on the unit of the covariate, nor, in
    expectation, on the number of units; the test does.
    """
    few = [n for n in (control.n, treatment.n) if n < 2]
    if few:
        return Balance(
            control.n, treatment.n, None, None, f"fewer than 2 units with a value (found {few[0]})"
        )
    pooled = (control.variance + treatment.variance) / 2
    if pooled == 0:
        return Balance(control.n, treatment.n, None, None, "every unit of an arm has the same value")
    compared = compare_means(control, treatment, relative=None)
    difference = (treatment.mean - control.mean) / math.sqrt(pooled)
    return Balance(control.n, treatment.n, difference, compared.p_value, compared.not_computed)
