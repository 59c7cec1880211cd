"""Second implementations for power: the tests simulated, the constrained likelihood by brute force."""

import numpy as np
from scipy import special, stats


def constrained_control_by_likelihood(pc, pt, n_control, n_treatment, treatment_of):
    """Control proportion of greatest binomial likelihood with treatment = ``treatment_of(control)``."""

    def loss(x):
        y = treatment_of(x)
        if not (0 <= x <= 1 and 0 <= y <= 1):
            return np.inf
        terms = (
            special.xlogy(n_control * pc, x)
            + special.xlog1py(n_control * (1 - pc), -x)
            + special.xlogy(n_treatment * pt, y)
            + special.xlog1py(n_treatment * (1 - pt), -y)
        )
        return -terms

    grid = np.linspace(0, 1, 401)
    for _ in range(4):
        best = int(np.argmin([loss(x) for x in grid]))
        grid = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 81)
    return float(grid[np.argmin([loss(x) for x in grid])])


def simulated_score_power(rng, baseline, treated, n_control, n_treatment, tail_alpha, sign, replicates):
    """Share of experiments in which the pooled z test rejects in the direction ``sign``."""
    x = rng.binomial(n_control, baseline, replicates)
    y = rng.binomial(n_treatment, treated, replicates)
    pooled = (x + y) / (n_control + n_treatment)
    se = np.sqrt(pooled * (1 - pooled) * (1 / n_control + 1 / n_treatment))
    z = np.divide(y / n_treatment - x / n_control, se, out=np.zeros(replicates), where=se > 0)
    return float(np.mean(sign * z > stats.norm.isf(tail_alpha)))


def simulated_margin_power(
    rng, pc, pt, n_control, n_treatment, tail_alpha, treatment_of, ratio, sign, replicates
):
    """Share of experiments in which the score test at a margin rejects in the direction ``sign``.

    The constrained estimate is found for all experiments at once by bisection on the slope of the likelihood.
    """
    x = rng.binomial(n_control, pc, replicates) / n_control
    y = rng.binomial(n_treatment, pt, replicates) / n_treatment
    low, high = np.full(replicates, 1e-12), np.full(replicates, 1 - 1e-12)
    for _ in range(60):
        middle = (low + high) / 2
        at = treatment_of(middle)
        slope = n_control * (x - middle) / (middle * (1 - middle)) + ratio * n_treatment * (y - at) / (
            at * (1 - at)
        )
        above = np.where(at <= 0, True, np.where(at >= 1, False, slope > 0))
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    at = treatment_of(low)
    variance = ratio**2 * low * (1 - low) / n_control + at * (1 - at) / n_treatment
    z = (y - ratio * x - (at - ratio * low)) / np.sqrt(variance)
    return float(np.mean(sign * z > stats.norm.isf(tail_alpha)))


def simulated_welch_power(
    rng, sd_control, sd_treatment, distance, n_control, n_treatment, tail_alpha, replicates
):
    """Share of experiments with normal data in which the Welch t test rejects upwards.

    The mean and the variance of a normal sample are independent, so two draws stand for a whole arm.
    """
    mean_c = rng.normal(0, sd_control / np.sqrt(n_control), replicates)
    mean_t = rng.normal(distance, sd_treatment / np.sqrt(n_treatment), replicates)
    v_c = sd_control**2 * rng.chisquare(n_control - 1, replicates) / (n_control - 1) / n_control
    v_t = sd_treatment**2 * rng.chisquare(n_treatment - 1, replicates) / (n_treatment - 1) / n_treatment
    df = (v_c + v_t) ** 2 / (v_c**2 / (n_control - 1) + v_t**2 / (n_treatment - 1))
    p = stats.t.sf((mean_t - mean_c) / np.sqrt(v_c + v_t), df)
    return float(np.mean(p < tail_alpha))
