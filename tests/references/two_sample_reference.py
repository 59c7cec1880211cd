"""Two-sample methods a second time, written from the definitions and not from the formulas in `analysis`."""

import math
from itertools import product

import numpy as np
from scipy import stats


def restricted_rates_by_likelihood(x_c, n_c, x_t, n_t, delta):
    """Rates under p_t − p_c = delta: bisection of the sign of the log-likelihood's derivative."""
    low, high = max(0.0, -delta), min(1.0, 1 - delta)

    def slope(p):
        total = 0.0
        for count, rate, sign in (
            (x_c, p, 1),
            (n_c - x_c, 1 - p, -1),
            (x_t, p + delta, 1),
            (n_t - x_t, 1 - p - delta, -1),
        ):
            if count:
                if rate <= 0:
                    return sign * math.inf
                total += sign * count / rate
        return total

    a, b = low, high
    for _ in range(200):
        middle = (a + b) / 2
        if slope(middle) > 0:
            a = middle
        else:
            b = middle
    return (a + b) / 2, (a + b) / 2 + delta


def restricted_rates_for_ratio_by_likelihood(x_c, n_c, x_t, n_t, ratio):
    """Rates under p_t = ratio · p_c, as above."""
    a, b = 0.0, min(1.0, 1 / ratio)
    for _ in range(200):
        p = (a + b) / 2
        slope = (x_c + x_t) / p
        if n_c - x_c:
            slope -= (n_c - x_c) / (1 - p) if p < 1 else math.inf
        if n_t - x_t:
            slope -= (n_t - x_t) * ratio / (1 - ratio * p) if ratio * p < 1 else math.inf
        if slope > 0:
            a = p
        else:
            b = p
    return (a + b) / 2, ratio * (a + b) / 2


def score_p_value(x_c, n_c, x_t, n_t, delta, factor=False):
    """Two-sided p by the chi-squared form of the score test: Σ (x − n·p̃)² / (n·p̃·(1 − p̃)) over the arms."""
    chi_squared = 0.0
    for x, n, p in zip(
        (x_c, x_t), (n_c, n_t), restricted_rates_by_likelihood(x_c, n_c, x_t, n_t, delta), strict=True
    ):
        p = min(max(p, 0.0), 1.0)
        if x != n * p:
            chi_squared += (x - n * p) ** 2 / (n * p * (1 - p)) if 0 < p < 1 else math.inf
    total = n_c + n_t
    return stats.chi2.sf(chi_squared * ((total - 1) / total if factor else 1), 1)


def score_ratio_p_value(x_c, n_c, x_t, n_t, ratio, factor=False):
    """Koopman's chi-squared for a ratio."""
    chi_squared = 0.0
    rates = restricted_rates_for_ratio_by_likelihood(x_c, n_c, x_t, n_t, ratio)
    for x, n, p in zip((x_c, x_t), (n_c, n_t), rates, strict=True):
        if x != n * p:
            chi_squared += (x - n * p) ** 2 / (n * p * (1 - p)) if 0 < p < 1 else math.inf
    total = n_c + n_t
    return stats.chi2.sf(chi_squared * ((total - 1) / total if factor else 1), 1)


def interval_by_bisection(p_value_at, estimate, low, high, alpha):
    """All values whose p-value is at least α: both ends by bisection between the estimate and the limits."""

    def end(outside):
        inside = estimate
        for _ in range(200):
            middle = (inside + outside) / 2
            if p_value_at(middle) >= alpha:
                inside = middle
            else:
                outside = middle
        return inside

    return end(low), end(high)


def fieller_closed_form(control, control_variance, treatment, treatment_variance, q):
    """Fieller's interval of independent estimates for a fixed quantile q (1954), by the quadratic formula."""
    g = q * q * control_variance / control**2
    centre = treatment / control
    root = math.sqrt(treatment_variance + centre**2 * control_variance - g * treatment_variance)
    return (
        (centre - q / control * root) / (1 - g),
        (centre + q / control * root) / (1 - g),
    )


def multinomial_by_enumeration(counts, shares):
    """Exact p over every outcome, one by one."""
    n = sum(counts)
    distribution = stats.multinomial(n, shares)
    seen = distribution.pmf(counts)
    total = 0.0
    for head in product(range(n + 1), repeat=len(counts) - 1):
        if sum(head) <= n:
            probability = distribution.pmf([*head, n - sum(head)])
            if probability <= seen * (1 + 1e-7):
                total += probability
    return total


def cuped_by_least_squares(y_c, x_c, y_t, x_t):
    """θ as the slopes of one regression of the outcome on an arm indicator and the covariates."""
    y = np.concatenate([y_c, y_t])
    x = np.vstack([x_c, x_t])
    arm = np.concatenate([np.zeros(len(y_c)), np.ones(len(y_t))])
    design = np.column_stack([np.ones(len(y)), arm, x])
    coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
    return coefficients[1], coefficients[2:]


def bayes_factor_by_prediction(units, shares, prior):
    """Log Bayes factor of a Dirichlet mixture, one unit at a time by its posterior predictive probability."""
    alpha = np.array(prior, dtype=float)
    path, log_bayes_factor = [], 0.0
    for arm in units:
        log_bayes_factor += math.log(alpha[arm] / alpha.sum()) - math.log(shares[arm])
        alpha[arm] += 1
        path.append(log_bayes_factor)
    return path


def holm_by_steps(p_values):
    """Holm's adjusted p-values by walking up the sorted list."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def ratio_jackknife_variance(numerator, denominator):
    """Variance of a ratio of sums by leaving out one unit at a time."""
    n, d = np.asarray(numerator, float), np.asarray(denominator, float)
    left_out = (n.sum() - n) / (d.sum() - d)
    k = len(n)
    return (k - 1) / k * np.sum((left_out - left_out.mean()) ** 2)
