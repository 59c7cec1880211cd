"""Second implementation of the group-sequential recursion, written from the book and not from the package.

The grid of Jennison & Turnbull (2000), section 19.2.1: knots at ``-3 - 4 log(r/i)`` in both tails and
evenly spaced in between, on the scale of Z; Simpson weights (19.2.2); one recursion for each drift; roots by
bisection. The error falls like ``r^-4``. And for two or three looks, nested adaptive quadrature of the
normal densities themselves.
"""

import math

import numpy as np
from scipy.integrate import dblquad, quad
from scipy.stats import norm


def knots(r, mean, lower, upper):
    """Simpson nodes and weights between two limits for a density near N(mean, 1)."""
    tail = [mean - 3 - 4 * math.log(r / i) for i in range(1, r)]
    middle = [mean - 3 + 3 * (i - r) / (2 * r) for i in range(r, 5 * r + 1)]
    head = [mean + 3 + 4 * math.log(r / i) for i in range(r - 1, 0, -1)]
    x = np.array(tail + middle + head)
    if x[0] < lower:
        x = np.concatenate([[lower], x[x > lower]])
    if x[-1] > upper:
        x = np.concatenate([x[x < upper], [upper]])
    z = np.empty(2 * len(x) - 1)
    z[::2], z[1::2] = x, (x[:-1] + x[1:]) / 2
    gap = np.diff(x)
    w = np.zeros_like(z)
    w[:-1:2] += gap / 6
    w[2::2] += gap / 6
    w[1::2] += 4 * gap / 6
    return z, w


class Walk:
    """The recursion for one drift; ``tail`` before each ``go_on``."""

    def __init__(self, information, drift=0.0, r=48):
        self.information, self.drift, self.r = information, drift, r
        self.look, self.z, self.h = 0, None, None

    def tail(self, bound, side=+1):
        """P(Z at this look beyond ``bound`` on that side, not stopped before)."""
        now = self.information[self.look]
        if self.look == 0:
            return norm.sf(side * (bound - self.drift * math.sqrt(now)))
        before = self.information[self.look - 1]
        step = now - before
        ahead = (bound * math.sqrt(now) - self.z * math.sqrt(before) - self.drift * step) / math.sqrt(step)
        return float(norm.sf(side * ahead) @ self.h)

    def go_on(self, lower, upper):
        now = self.information[self.look]
        z, w = knots(self.r, self.drift * math.sqrt(now), lower, upper)
        if self.look == 0:
            density = norm.pdf(z - self.drift * math.sqrt(now))
        else:
            before = self.information[self.look - 1]
            step = now - before
            ahead = z[:, None] * math.sqrt(now) - self.z * math.sqrt(before) - self.drift * step
            density = norm.pdf(ahead / math.sqrt(step)) * math.sqrt(now / step) @ self.h
        self.z, self.h, self.look = z, w * density, self.look + 1


def bisect(rising, low, high):
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def spending_critical(information, spent, sides, r=48):
    """Critical values from cumulative total error spent."""
    walk, before, critical = Walk(information, r=r), 0.0, []
    for error in spent:
        target = (error - before) / sides
        critical.append(bisect(lambda b, t=target: t - walk.tail(b), -9.0, 39.0))
        walk.go_on(-critical[-1] if sides == 2 else -np.inf, critical[-1])
        before = error
    return critical


def upper_crossing(information, critical, lower, drift=0.0, r=48):
    """P(first crossing upwards) at each look; the path goes on between ``lower`` and ``critical``."""
    walk, crossing = Walk(information, drift, r), []
    for bound, floor in zip(critical, lower, strict=True):
        crossing.append(walk.tail(bound))
        walk.go_on(floor, bound)
    return crossing


def classic_critical(information, alpha, exponent, sides, r=48):
    shape = [(t / information[-1]) ** (exponent - 0.5) for t in information]

    def missing(c):
        critical = [c * form for form in shape]
        lower = [-b if sides == 2 else -np.inf for b in critical]
        return alpha - sides * sum(upper_crossing(information, critical, lower, r=r))

    constant = bisect(missing, 0.5, 8.0)
    return [constant * form for form in shape]


def two_look_crossing(t1, b1, b2, sides, drift=0.0):
    """P(first crossing up at look 2) at information t1 and 1, by adaptive quadrature."""
    low = -b1 if sides == 2 else -12.0
    return quad(
        lambda z: norm.pdf(z - drift * math.sqrt(t1))
        * norm.sf((b2 - z * math.sqrt(t1) - drift * (1 - t1)) / math.sqrt(1 - t1)),
        low, b1, epsabs=1e-14, epsrel=1e-12, limit=400,
    )[0]  # fmt: skip


def three_look_crossing(t1, t2, b1, b2, b3, sides):
    """P(first crossing up at look 3) under the null at information t1, t2 and 1, by nested quadrature."""

    def density(z2, z1):
        step = t2 - t1
        ahead = (z2 * math.sqrt(t2) - z1 * math.sqrt(t1)) / math.sqrt(step)
        last = norm.sf((b3 - z2 * math.sqrt(t2)) / math.sqrt(1 - t2))
        return norm.pdf(z1) * norm.pdf(ahead) * math.sqrt(t2 / step) * last

    low1, low2 = (-b1, -b2) if sides == 2 else (-9.0, -9.0)
    return dblquad(density, low1, b1, low2, b2, epsabs=1e-12, epsrel=1e-10)[0]
