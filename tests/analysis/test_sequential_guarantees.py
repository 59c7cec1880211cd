"""The guarantees of group-sequential tests themselves, by seeded simulation through the looks.

Each bound is the nominal level plus or minus four Monte-Carlo standard errors, so that a right program fails
about once in 16,000 tests; the seeds are fixed, so it does not fail at all. The slow runs are twenty times
as large.
"""

import math

import numpy as np
import pytest

from analysis.sequential import boundaries_at, group_sequential_design, replay, stagewise_inference
from analysis.sequential.boundaries import BOUNDARY_TYPES

PARAMETERS = {"kim-demets": 2.0, "hwang-shih-decani": -4.0, "wang-tsiatis": 0.25}
SIZES = [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)]
ALPHA = 0.05


def paths(replays, information, drift, seed):
    """Z at each look of Brownian scores with that drift; ``information`` is (looks,) or (replays, looks)."""
    rng = np.random.default_rng(seed)
    information = np.broadcast_to(information, (replays, np.shape(information)[-1]))
    steps = np.diff(information, axis=1, prepend=0.0)
    scores = np.cumsum(drift * steps + np.sqrt(steps) * rng.standard_normal(information.shape), axis=1)
    return scores / np.sqrt(information)


def within_error(share, nominal, replays):
    return abs(share - nominal) < 4 * math.sqrt(nominal * (1 - nominal) / replays)


@pytest.mark.parametrize("replays", SIZES)
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
@pytest.mark.parametrize(
    ("information", "final"),
    [
        ([0.25, 0.5, 0.75, 1.0], False),
        ([0.11, 0.52, 0.55, 0.97, 1.2], False),
        ([0.4, 0.7], True),
    ],
    ids=["as planned", "other looks, overrun", "fewer looks, underrun"],
)
def test_the_type_one_error_is_the_level_at_any_information(kind, sides, information, final, replays):
    design = group_sequential_design(kind, ALPHA, [0.25, 0.5, 0.75, 1.0], sides, PARAMETERS.get(kind))
    ends = replay(design, information, paths(replays, information, 0.0, 11), final)
    assert within_error((ends.efficacy | ends.harm).mean(), ALPHA, replays)


@pytest.mark.parametrize("replays", [3_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_the_type_one_error_is_the_level_when_information_arrives_at_random(replays):
    rng = np.random.default_rng(5)
    looks = np.array([0.2, 0.5, 0.8, 1.0]) * rng.uniform(0.85, 1.15, (replays, 1))
    looks = np.sort(looks * rng.uniform(0.95, 1.05, looks.shape), axis=1)
    looks[:, :-1] = np.minimum(looks[:, :-1], [0.97, 0.98, 0.99])
    looks = np.sort(np.round(looks, 3), axis=1)
    looks[:, -1] = np.maximum(looks[:, -1], looks[:, -2] + 0.01)
    design = group_sequential_design("lan-demets-obf", ALPHA, [0.2, 0.5, 0.8, 1.0], 2)
    ends = replay(design, looks, paths(replays, looks, 0.0, 6), final=True)
    assert within_error((ends.efficacy | ends.harm).mean(), ALPHA, replays)


@pytest.mark.parametrize("replays", SIZES)
@pytest.mark.parametrize(("kind", "sides"), [("lan-demets-obf", 1), ("obrien-fleming", 1), ("kim-demets", 2)])
def test_ignoring_futility_that_does_not_bind_keeps_the_level_and_obeying_it_keeps_the_power(
    kind, sides, replays
):
    design = group_sequential_design(
        kind, ALPHA, [0.3, 0.6, 1.0], sides, PARAMETERS.get(kind), 0.8, "hwang-shih-decani", -2.0
    )
    z = paths(replays, design.information, 0.0, 21)
    ignored = replay(design, design.information, z, obey_futility=False)
    assert within_error((ignored.efficacy | ignored.harm).mean(), ALPHA, replays)
    obeyed = replay(design, design.information, z)
    assert (obeyed.efficacy | obeyed.harm).mean() <= (ignored.efficacy | ignored.harm).mean()
    under_effect = replay(design, design.information, paths(replays, design.information, design.drift, 22))
    assert within_error(under_effect.efficacy.mean(), 0.8, replays)


@pytest.mark.parametrize("replays", SIZES)
def test_binding_futility_keeps_level_and_power_when_it_is_obeyed(replays):
    design = group_sequential_design(
        "lan-demets-obf", ALPHA, [0.3, 0.6, 1.0], 1, None, 0.8, "lan-demets-pocock", None, binding=True
    )
    null = replay(design, design.information, paths(replays, design.information, 0.0, 31))
    assert within_error(null.efficacy.mean(), ALPHA, replays)
    effect = replay(design, design.information, paths(replays, design.information, design.drift, 32))
    assert within_error(effect.efficacy.mean(), 0.8, replays)


@pytest.mark.parametrize("replays", SIZES)
@pytest.mark.parametrize("drift", [0.0, 2.0])
def test_repeated_intervals_hold_at_all_looks_at_once(drift, replays):
    information = [0.2, 0.45, 0.9, 1.1]
    design = group_sequential_design("pocock", ALPHA, [0.25, 0.5, 0.75, 1.0], 2)
    z = paths(replays, information, drift, 41)
    critical = np.array(boundaries_at(design, information).robust_critical)
    missed = np.abs(z - drift * np.sqrt(information)) >= critical
    assert within_error(missed.any(axis=1).mean(), ALPHA, replays)


@pytest.mark.parametrize("replays", SIZES)
def test_repeated_intervals_hold_with_binding_futility_obeyed(replays):
    design = group_sequential_design(
        "lan-demets-obf", ALPHA, [0.3, 0.6, 1.0], 1, None, 0.8, "lan-demets-pocock", None, binding=True
    )
    for drift in (0.0, design.drift / 2, design.drift):
        z = paths(replays, design.information, drift, 42)
        boundaries = boundaries_at(design, design.information)
        missed = z - drift * np.sqrt(design.information) >= boundaries.robust_critical
        seen = np.arange(1, 4) <= replay(design, design.information, z).stopped_at[:, None]
        assert (missed & seen).any(axis=1).mean() < ALPHA + 4 * math.sqrt(ALPHA / replays)


@pytest.mark.parametrize("replays", [1_500, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("sides", "drift", "binding"),
    [(2, 0.0, False), (2, 2.8, False), (1, 1.5, False), (1, 2.5, True)],
)
def test_stage_wise_intervals_cover_and_the_estimate_is_median_unbiased(sides, drift, binding, replays):
    information = [0.35, 0.6, 1.0]
    futility = {"power": 0.8, "futility": "lan-demets-pocock", "binding": True} if binding else {}
    design = group_sequential_design("lan-demets-pocock", ALPHA, information, sides, **futility)
    boundaries = boundaries_at(design, information)
    z = paths(replays, information, drift, 51)
    stopped_at = replay(design, information, z).stopped_at
    covered = below = 0
    for row, looks in zip(z, stopped_at, strict=True):
        found = stagewise_inference(
            information[:looks],
            boundaries.critical,
            float(row[looks - 1]),
            ALPHA,
            sides,
            boundaries.futility[: looks - 1] if binding else None,
        )
        covered += found.lower < drift < found.upper
        below += found.median_unbiased < drift
    assert within_error(covered / replays, 1 - 2 * ALPHA / sides, replays)
    assert within_error(below / replays, 0.5, replays)


def test_the_naive_interval_after_a_stop_misses_its_level_which_is_why_it_is_never_shown():
    design = group_sequential_design("pocock", ALPHA, [0.2, 0.4, 0.6, 0.8, 1.0], 2)
    z = paths(20_000, design.information, 1.0, 61)
    looks = replay(design, design.information, z).stopped_at - 1
    ends = z[np.arange(len(z)), looks]
    root = np.sqrt(np.array(design.information)[looks])
    assert (np.abs(ends - root) > 1.96).mean() > 0.06
