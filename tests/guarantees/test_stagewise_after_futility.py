"""Stage-wise limits where futility that does not bind was obeyed, and where it was overruled.

Ignoring such futility keeps the lower limit and the p-value; the upper limit then takes ends that futility cut off for stronger
ones, and misses too often. Counting it keeps both.
"""

import math

import numpy as np
import pytest

from analysis.sequential import boundaries_at, group_sequential_design, replay, stagewise_inference

LEVEL = 0.1
DESIGN = group_sequential_design(
    "lan-demets-obf", LEVEL, (0.2, 0.4, 0.6, 0.8, 1.0), 1, None, 0.8, "lan-demets-pocock"
)


def limits_missed(replays, obeyed, counted):
    """Shares of replays whose lower limit is above, and whose upper limit is below, the planned effect."""
    looks = np.array(DESIGN.information)
    steps = np.diff(looks, prepend=0.0)
    chance = np.random.default_rng(71).standard_normal((replays, len(looks)))
    z = np.cumsum(DESIGN.drift * steps + np.sqrt(steps) * chance, axis=1) / np.sqrt(looks)
    bounds = boundaries_at(DESIGN, DESIGN.information)
    below = above = 0
    for row, k in zip(z, replay(DESIGN, looks, z, obey_futility=obeyed).stopped_at, strict=True):
        nonbinding = bounds.futility[: k - 1] if counted else None
        found = stagewise_inference(
            DESIGN.information[:k], bounds.critical, float(row[k - 1]), LEVEL, 1, None, nonbinding
        )
        above += found.lower > DESIGN.drift
        below += found.upper < DESIGN.drift
    return above / replays, below / replays


@pytest.mark.parametrize("replays", [1_500, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("obeyed", [True, False])
def test_both_limits_hold_whether_futility_is_obeyed_or_overruled(obeyed, replays):
    # 1,500 replays: Monte-Carlo standard error 0.0077
    most = LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / replays)
    assert max(limits_missed(replays, obeyed, counted=True)) < most


def test_an_upper_limit_that_ignores_obeyed_futility_misses_too_often():
    above, below = limits_missed(1_500, obeyed=True, counted=False)
    assert above < LEVEL + 3 * 0.0077
    assert below > LEVEL + 3 * 0.0077


def test_futility_that_may_be_obeyed_moves_the_upper_limit_only_and_only_outwards():
    looks, critical = (0.3, 0.6, 1.0), (2.9, 2.6, 2.3)
    for sides in (1, 2):
        plain = stagewise_inference(looks, critical, 1.4, 0.05, sides)
        counted = stagewise_inference(looks, critical, 1.4, 0.05, sides, None, (0.0, 0.9))
        assert counted.upper > plain.upper
        assert (counted.p_value, counted.lower, counted.median_unbiased) == (
            plain.p_value,
            plain.lower,
            plain.median_unbiased,
        )


def test_binding_and_nonbinding_futility_at_once_are_refused():
    with pytest.raises(ValueError, match="nonbinding: not allowed beside binding futility"):
        stagewise_inference((0.5, 1.0), (2.9, 2.0), 1.0, 0.05, 1, (0.3,), (0.3,))
