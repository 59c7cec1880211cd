"""Score tests for the difference and the ratio of two independent proportions, and their inversions.

All arguments may be arrays that broadcast together, so that ten thousand replays are one call. Letters: x
successes of n units, c control and t treatment, p̃ the maximum-likelihood rates under the null value tested.

The score statistic is (p̂_t − p̂_c − δ) / √Ṽ(δ) for a difference δ, (p̂_t − φ·p̂_c) / √Ṽ(φ) for a ratio φ,
with the variance taken at the rates p̃. With Ṽ as it stands this is the pooled z test at δ = 0, Farrington &
Manning's (1990, Statistics in Medicine 9, 1447) at another δ, and its inversion Mee's (1984, Biometrics 40,
1175) or, for ratios, Koopman's (1984, Biometrics 40, 513). With Ṽ · N/(N − 1) it is Miettinen & Nurminen's
(1985, Statistics in Medicine 4, 213).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.inference import Alternative, critical_value

Array = NDArray[np.float64]


def difference_statistic(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    null: ArrayLike = 0.0,
    *,
    factor: bool = False,
) -> tuple[Array, Array]:
    """Score statistic of the null p_t − p_c = `null`, and the standard error it was divided by.

    Args:
        null: difference tested, in [−1, 1].
        factor: whether the variance carries Miettinen & Nurminen's N/(N − 1).

    Returns:
        z, standard normal under the null for large arms, and √Ṽ. Where Ṽ is 0 the data either are the only
        ones the null allows (z = 0, the limit from either side) or are impossible under it (z = ±∞).
    """
    xc, nc, xt, nt, delta = _arrays(x_c, n_c, x_t, n_t, null)
    gap = xt / nt - xc / nc - delta
    return _studentised(gap, _difference_variance(xc, nc, xt, nt, delta, factor))


def ratio_statistic(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    null: ArrayLike = 1.0,
    *,
    factor: bool = False,
) -> tuple[Array, Array]:
    """Score statistic of the null p_t = `null` · p_c, and the standard error of p̂_t − null · p̂_c in it.

    Args:
        null: ratio tested, above 0.
        factor: whether the variance carries Miettinen & Nurminen's N/(N − 1).
    """
    xc, nc, xt, nt, phi = _arrays(x_c, n_c, x_t, n_t, null)
    return _studentised(xt / nt - phi * (xc / nc), _ratio_variance(xc, nc, xt, nt, phi, factor))


def difference_interval(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    alpha: float = 0.05,
    *,
    alternative: Alternative = "two-sided",
    factor: bool = False,
) -> tuple[Array, Array]:
    """All differences that the score test does not reject at level α, as (lower, upper), within [−1, 1].

    The open side of a one-sided interval is infinite.
    """
    xc, nc, xt, nt, _ = _arrays(x_c, n_c, x_t, n_t, 0.0)
    q = critical_value(alpha, math.inf, alternative)
    observed = xt / nt - xc / nc
    # At the estimate itself Ṽ may be 0 (no successes at all); a hair beside it, it is not.
    hair = np.where(observed == 0, 1e-290, np.abs(np.spacing(observed)))
    reach = 1.5 * q * np.hypot(np.sqrt(_wald_variance(xc, nc, xt, nt)), q / (nc + nt))

    def bound(side: Array) -> Array:
        def beyond(delta: Array) -> Array:
            variance = _difference_variance(xc, nc, xt, nt, delta, factor)
            return side * (delta - observed) - q * np.sqrt(variance)

        near = observed + side * np.maximum(reach, hair)
        root = _root(beyond, np.clip(observed + side * hair, -1.0, 1.0), np.clip(near, -1.0, 1.0), side)
        return np.where(observed == side, side, root)

    return _sides(bound, alternative, observed)


def ratio_interval(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    alpha: float = 0.05,
    *,
    alternative: Alternative = "two-sided",
    factor: bool = False,
) -> tuple[Array, Array]:
    """All ratios p_t / p_c that the score test does not reject at level α, as (lower, upper), within [0, ∞].

    Without successes in the control there is no upper bound, without successes in the treatment the lower is
    0.
    """
    xc, nc, xt, nt, _ = _arrays(x_c, n_c, x_t, n_t, 1.0)
    q = critical_value(alpha, math.inf, alternative)
    farthest = 300.0
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.clip(np.nan_to_num(np.log(xt / nt) - np.log(xc / nc)), -farthest, farthest)
    hair = 8 * np.spacing(np.maximum(np.abs(observed), 1.0))
    reach = 1.5 * q * np.sqrt(1 / (xc + 0.5) + 1 / (xt + 0.5))

    def bound(side: Array) -> Array:
        def beyond(log_ratio: Array) -> Array:
            phi = np.exp(log_ratio)
            gap = side * (phi * (xc / nc) - xt / nt)
            variance = _ratio_variance(xc, nc, xt, nt, phi, factor)
            excess: Array = (gap - q * np.sqrt(variance)) / (1 + phi)
            return excess

        near = np.clip(observed + side * (reach + hair), -farthest, farthest)
        root = np.exp(_root(beyond, observed + side * hair, near, side * farthest))
        without_end = np.where(side > 0, xc == 0, xt == 0)
        return np.where(without_end, np.where(side > 0, np.inf, 0.0), root)

    return _sides(bound, alternative, observed)


def restricted_rates(
    x_c: ArrayLike, n_c: ArrayLike, x_t: ArrayLike, n_t: ArrayLike, delta: ArrayLike
) -> tuple[Array, Array]:
    """Maximum-likelihood rates (p̃_c, p̃_t) under p_t − p_c = delta.

    The closed form of the cubic (Miettinen & Nurminen 1985, appendix I) loses half the digits where two of
    its roots are close, so up to three Newton steps on the likelihood's own derivative, which is decreasing,
    restore them.
    """
    xc, nc, xt, nt, d = _arrays(x_c, n_c, x_t, n_t, delta)
    return _restricted_rates(xc, nc, xt, nt, d)


def _restricted_rates(xc: Array, nc: Array, xt: Array, nt: Array, d: Array) -> tuple[Array, Array]:
    N, C = nc + nt, xc + xt
    L2 = ((nt + 2 * nc) * d - N - C) / (3 * N)
    L1 = ((nc * d - N - 2 * xc) * d + C) / (3 * N)
    L0 = xc * d * (1 - d) / N
    q = L2**3 - 1.5 * L1 * L2 + L0 / 2
    p = np.copysign(np.sqrt(np.maximum(L2**2 - L1, 0.0)), q)
    lowest, highest = np.maximum(0.0, -d), np.minimum(1.0, 1 - d)
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = (np.pi + np.arccos(np.clip(np.nan_to_num(q / p**3), -1.0, 1.0))) / 3
        rate = np.clip(2 * p * np.cos(angle) - L2, lowest, highest)
        fc, ft = nc - xc, nt - xt
        for _ in range(3):
            slope = _terms(xc, rate) - _terms(fc, 1 - rate) + _terms(xt, rate + d) - _terms(ft, 1 - rate - d)
            bend = (
                _terms(xc, rate**2)
                + _terms(fc, (1 - rate) ** 2)
                + _terms(xt, (rate + d) ** 2)
                + _terms(ft, (1 - rate - d) ** 2)
            )
            step = np.nan_to_num(slope / bend, nan=0.0, posinf=0.0, neginf=0.0)
            rate = np.clip(rate + step, lowest, highest)
            # The error of a Newton step is of the order of the square of its length.
            if np.all(np.abs(step) <= 1e-9 * rate):
                break
    rate = np.where(d == 0, C / N, rate)
    return rate, np.clip(rate + d, 0.0, 1.0)


def _difference_variance(xc: Array, nc: Array, xt: Array, nt: Array, delta: Array, factor: bool) -> Array:
    # Ṽ is the same for failures; counting the rarer of the two keeps the digits of a rate next to 1.
    failures = xc + xt > (nc + nt) / 2
    pc, pt = _restricted_rates(
        np.where(failures, nc - xc, xc),
        nc,
        np.where(failures, nt - xt, xt),
        nt,
        np.where(failures, -delta, delta),
    )
    N = nc + nt
    variance: Array = (pc * (1 - pc) / nc + pt * (1 - pt) / nt) * (N / (N - 1) if factor else 1.0)
    return variance


def _ratio_variance(xc: Array, nc: Array, xt: Array, nt: Array, phi: Array, factor: bool) -> Array:
    # Miettinen & Nurminen (1985), equation 12: A·p̃_c² + B·p̃_c + C = 0, smaller root, free of cancellation.
    N = nc + nt
    A, B, C = N * phi, -(nt * phi + xt + nc + xc * phi), xc + xt
    pc = np.minimum(2 * C / (-B + np.sqrt(np.maximum(B * B - 4 * A * C, 0.0))), 1.0)
    pt = np.minimum(phi * pc, 1.0)
    variance: Array = (phi**2 * pc * (1 - pc) / nc + pt * (1 - pt) / nt) * (N / (N - 1) if factor else 1.0)
    return variance


def _studentised(gap: Array, variance: Array) -> tuple[Array, Array]:
    se = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where((se == 0) & (gap == 0), 0.0, gap / se)
    return z, se


def _terms(count: Array, rate: Array) -> Array:
    """count / rate, where nothing counted contributes nothing even at rate 0."""
    contribution: Array = np.where(count == 0, 0.0, count / rate)
    return contribution


def _wald_variance(xc: Array, nc: Array, xt: Array, nt: Array) -> Array:
    pc, pt = xc / nc, xt / nt
    variance: Array = pc * (1 - pc) / nc + pt * (1 - pt) / nt
    return variance


def _sides(bound: Callable[[Array], Array], alternative: Alternative, like: Array) -> tuple[Array, Array]:
    """The bounds asked for, both solved for at once; the open side of a one-sided interval is infinite."""
    if alternative == "greater":
        return bound(np.full_like(like, -1.0)), np.full_like(like, np.inf)
    if alternative == "less":
        return np.full_like(like, -np.inf), bound(np.full_like(like, 1.0))
    lower, upper = bound(np.stack([np.full_like(like, -1.0), np.full_like(like, 1.0)]))
    return lower, upper


def _root(f: Callable[[Array], Array], inside: Array, near: Array, end: Array) -> Array:
    """Where f turns from below 0 (inside) to above (end), by Chandrupatla's (1997) method, elementwise.

    Inverse quadratic steps where they are safe, halving elsewhere; stops at the spacing of doubles. `near` is
    a guess beyond the root, which shortens the way where it is right.
    """
    f_near, f_inside = f(near), f(inside)
    held = f_near > 0
    a = np.where(held, near, end)
    b, fb = np.where(held, inside, near), np.where(held, f_inside, f_near)
    fa = np.where(held, f_near, f(a))
    c, fc = b, fb
    t = np.full_like(a, 0.5)
    for _ in range(200):
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        width = np.abs(b - a)
        tolerance = 4 * np.spacing(np.abs(best))
        done = (width <= 2 * tolerance) | (fa == 0) | (fb == 0)
        if np.all(done):
            break
        with np.errstate(divide="ignore", invalid="ignore"):
            smallest = tolerance / width
            t = np.where(done, 0.0, np.clip(t, smallest, 1 - smallest))
        x = np.where(done, best, a + t * (b - a))
        fx = f(x)
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        with np.errstate(divide="ignore", invalid="ignore"):
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
            quadratic = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        t = np.where(safe & np.isfinite(quadratic), quadratic, 0.5)
    return np.where(np.abs(fa) < np.abs(fb), a, b)


def _arrays(
    x_c: ArrayLike, n_c: ArrayLike, x_t: ArrayLike, n_t: ArrayLike, null: ArrayLike
) -> tuple[Array, Array, Array, Array, Array]:
    xc, nc, xt, nt, value = np.broadcast_arrays(
        *(np.asarray(a, dtype=float) for a in (x_c, n_c, x_t, n_t, null))
    )
    if not (np.all(nc >= 1) and np.all(nt >= 1)):
        raise ValueError("n: every arm needs 1 or more units; leave out the comparisons without units")
    if not (np.all((xc >= 0) & (xc <= nc)) and np.all((xt >= 0) & (xt <= nt))):
        raise ValueError("x: successes must lie between 0 and the units of their arm")
    return xc, nc, xt, nt, value
