"""CUPED of a ratio a second time: on raw units, with a regression instead of co-moments, and by leaving units out."""

import numpy as np


def linearised(numerator, denominator):
    """A unit's part in its arm's ratio: R + (y − R·d) / mean(d) (Deng, Knoblich & Lu 2018, section 3)."""
    ratio = numerator.sum() / denominator.sum()
    return ratio + (numerator - ratio * denominator) / denominator.mean()


def adjusted_difference(control, treatment):
    """Slope on the arm and its standard error, from least squares on arm and covariates.

    Args:
        control, treatment: (outcome, covariate, …) of one arm, each a column or a pair of columns (a ratio).

    Returns:
        the difference, its standard error with each arm's own residual variance, θ by covariate.
    """
    columns = [
        np.column_stack([linearised(*part) if isinstance(part, tuple) else part for part in arm])
        for arm in (control, treatment)
    ]
    stacked = np.vstack(columns)
    arm = np.repeat([0.0, 1.0], [len(column) for column in columns])
    centred = stacked[:, 1:] - stacked[:, 1:].mean(axis=0)
    design = np.column_stack([np.ones(len(arm)), arm, centred])
    coefficients = np.linalg.lstsq(design, stacked[:, 0], rcond=None)[0]
    residual = stacked[:, 0] - design @ coefficients
    variances = [residual[arm == side].var(ddof=1) / (arm == side).sum() for side in (0, 1)]
    return coefficients[1], np.sqrt(sum(variances)), coefficients[2:]


def jackknife_standard_error(control, treatment, theta):
    """Standard error of (R_t − R_c) − Σ θ·(X_t − X_c) at given θ by leaving out one unit at a time, no linearising."""
    total = 0.0
    for arm in (control, treatment):
        left_out = 0.0
        for part, weight in zip(arm, [1.0, *(-theta)], strict=True):
            y, d = part if isinstance(part, tuple) else (part, np.ones(len(part)))
            left_out = left_out + weight * (y.sum() - y) / (d.sum() - d)
        n = len(left_out)
        total += (n - 1) / n * np.sum((left_out - left_out.mean()) ** 2)
    return np.sqrt(total)
