"""Recursive numerical integration of a score process watched at several looks.

The score after information I is normal with mean drift·I and variance I, with independent increments; Z =
score/√I (Armitage, McPherson & Rowe 1969; Jennison & Turnbull 2000, chapter 19). What is carried from look
to look is the sub-density of the score among the paths that have not stopped, as weighted quadrature nodes.

Three choices make it fast and exact to about 1e-11:

- Gauss-Legendre panels, as wide as the narrower of the two Gaussian kernels allows (the step that leads to
  the look and the step that leaves it), instead of one grid for all looks;
- one drift is integrated and every other follows by the likelihood ratio ``exp(Δdrift·score - ...)``, so
  that a power curve, an expected sample size or a root in the drift costs no further recursion;
- critical values by Newton's method on the log of the crossing probability. It is concave in the critical
  value where the continuation region is an interval (a normal smoothing of a log-concave density stays
  log-concave, Prékopa 1973), so the steps close in from one side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

FloatArray = NDArray[np.float64]

NODES_PER_PANEL: Final = 16
PANEL_WIDTH: Final = 5.0  # in standard deviations of the product of both kernels; error about 1e-13
MOST_NODES: Final = 6000
TAIL: Final = 8.5  # Φ(-8.5) = 9.5e-18: mass beyond it is left out
BAND: Final = 12.0  # a path further than this many standard deviations from the Brownian bridge weighs e^-72
DENSE_KERNEL: Final = 200_000  # above this many kernel values only the band is computed

LARGEST_MOVE: Final = 4.0  # of z in one step towards a critical value
LARGEST_EXPONENT: Final = 700.0  # beyond it the mass itself has underflowed to 0

LEAST_PROBABILITY: Final = 1e-290  # a look that spends less has no boundary (infinite critical value)


@dataclass(frozen=True, slots=True)
class SubDensity:
    """Paths that have not stopped by a look, as quadrature nodes.

    Attributes:
        information: at the look.
        drift: under which ``mass`` was integrated.
        score: nodes, shape (n,), ascending.
        mass: density times quadrature weight at each node, shape (n,).
    """

    information: float
    drift: float
    score: FloatArray
    mass: FloatArray

    def under(self, drift: float) -> FloatArray:
        """The mass at the nodes under another drift, by the likelihood ratio of the score."""
        if drift == self.drift:
            return self.mass
        exponent = (drift - self.drift) * (self.score - 0.5 * (drift + self.drift) * self.information)
        tilted: FloatArray = self.mass * np.exp(np.minimum(exponent, LARGEST_EXPONENT))
        return tilted

    def mirrored(self) -> "SubDensity":
        """The same paths with the sign of the score turned."""
        return SubDensity(self.information, -self.drift, -self.score[::-1], self.mass[::-1])


def start(drift: float = 0.0) -> SubDensity:
    """Before any information: all the mass at score 0."""
    return SubDensity(0.0, drift, np.zeros(1), np.ones(1))


def upper_probability(paths: SubDensity, information: float, z: float, drift: float = 0.0) -> float:
    """P(not stopped before, and Z at ``information`` is at least ``z``) under ``drift``."""
    if z == math.inf:
        return 0.0
    if z == -math.inf:
        return float(paths.under(drift).sum())
    step = information - paths.information
    ahead = (paths.score + (drift * step - z * math.sqrt(information))) / math.sqrt(step)
    return float(ndtr(ahead) @ paths.under(drift))


def lower_probability(paths: SubDensity, information: float, z: float, drift: float = 0.0) -> float:
    """P(not stopped before, and Z at ``information`` is at most ``z``) under ``drift``."""
    return upper_probability(paths.mirrored(), information, -z, -drift)


def upper_critical_value(
    paths: SubDensity, information: float, probability: float, drift: float = 0.0
) -> float:
    """The z with P(not stopped before, and Z >= z) = ``probability`` under ``drift``.

    Infinite where ``probability`` is below 1e-290; minus infinite where not that much mass is left.
    """
    if probability < LEAST_PROBABILITY:
        return math.inf
    mass = paths.under(drift)
    if probability >= mass.sum():
        return -math.inf
    step = math.sqrt(information - paths.information)
    root = math.sqrt(information)
    target = math.log(probability)
    # The marginal quantile lies at or above the root: some paths have stopped.
    z = drift * root - float(ndtri(probability))
    below, above = -math.inf, math.inf
    for _ in range(200):
        ahead = (paths.score + (drift * step * step - z * root)) / step
        log_tail = log_ndtr(ahead)
        shift = float(log_tail.max())
        tail = float(np.exp(log_tail - shift) @ mass)
        density = float(np.exp(-0.5 * ahead * ahead - shift) @ mass) * root / (step * math.sqrt(2 * math.pi))
        excess = math.log(tail) + shift - target
        if excess > 0:
            below = max(below, z)
        else:
            above = min(above, z)
        # Where there is next to no density, as in the gap that a futility wedge leaves, the tail is flat.
        flat = density <= abs(excess) * tail / LARGEST_MOVE
        move = math.copysign(LARGEST_MOVE, excess) if flat else excess * tail / density
        if abs(move) <= 1e-13 * (1 + abs(z)) or abs(excess) <= 1e-15:
            return z + move
        z = z + move if below < z + move < above else 0.5 * (below + above)
    raise ArithmeticError(
        f"no critical value found for probability {probability} at information {information}"
    )


def lower_critical_value(
    paths: SubDensity, information: float, probability: float, drift: float = 0.0
) -> float:
    """The z with P(not stopped before, and Z <= z) = ``probability`` under ``drift``; see the upper one."""
    return -upper_critical_value(paths.mirrored(), information, probability, -drift)


def advance(
    paths: SubDensity,
    information: float,
    next_information: float,
    regions: Sequence[tuple[float, float]],
) -> SubDensity:
    """The paths that go on after a look.

    Args:
        paths: those that went on after the look before.
        information: at this look.
        next_information: at the look after; the quadrature is as fine as that step needs.
        regions: intervals of z, ascending and finite, in which a path goes on.

    Raises:
        ValueError: if a step is so small beside the information that more than 6000 nodes would be needed.
    """
    step = information - paths.information
    finest = math.sqrt(1 / (1 / step + 1 / (next_information - information)))
    score, weight = _nodes(information, finest, regions)
    mass = _transition(paths, score, step) * weight
    return SubDensity(information, paths.drift, score, mass)


@cache
def _legendre() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES_PER_PANEL)
    return (nodes + 1) / 2, weights / 2


def _nodes(
    information: float, finest: float, regions: Sequence[tuple[float, float]]
) -> tuple[FloatArray, FloatArray]:
    root = math.sqrt(information)
    unit_nodes, unit_weights = _legendre()
    scores: list[FloatArray] = []
    weights: list[FloatArray] = []
    total = 0
    for low, high in regions:
        if not low < high:
            continue
        panels = max(1, math.ceil((high - low) * root / (PANEL_WIDTH * finest)))
        total += panels * NODES_PER_PANEL
        if total > MOST_NODES:
            raise ValueError(
                f"information: the step beside {information:.6g} is too small to integrate "
                f"(about {finest**2 / information:.1g} of the information so far); leave out a look"
            )
        width = (high - low) * root / panels
        edges = low * root + width * np.arange(panels)
        scores.append((edges[:, None] + width * unit_nodes).ravel())
        weights.append(np.tile(width * unit_weights, panels))
    if not scores:
        return np.zeros(1), np.zeros(1)
    return np.concatenate(scores), np.concatenate(weights)


def _transition(paths: SubDensity, score: FloatArray, step: float) -> FloatArray:
    """Density of the score at each node, from the mass one step before."""
    scale = 1 / math.sqrt(step)
    targets = (score - paths.drift * step) * scale
    sources = paths.score * scale
    factor = scale / math.sqrt(2 * math.pi)
    if sources.size * targets.size <= DENSE_KERNEL:
        dense: FloatArray = factor * (_kernel(targets, sources) @ paths.mass)
        return dense
    density = np.empty_like(targets)
    bridge = score * (scale * paths.information / (paths.information + step))
    for low in range(0, targets.size, 64):
        block = slice(low, low + 64)
        first, last = np.searchsorted(sources, (bridge[block][0] - BAND, bridge[block][-1] + BAND))
        density[block] = _kernel(targets[block], sources[first:last]) @ paths.mass[first:last]
    density *= factor
    return density


def _kernel(targets: FloatArray, sources: FloatArray) -> FloatArray:
    distance: FloatArray = np.subtract.outer(targets, sources)
    np.multiply(distance, distance, out=distance)
    distance *= -0.5
    np.exp(distance, out=distance)
    return distance
