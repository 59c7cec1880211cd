"""Boundaries over staged checks: what is known of group-sequential tests, and paths of their own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from analysis.sequential.design import group_sequential_design
from analysis.sequential.monitoring import boundaries_at, repeated_p_value
from analysis.sequential.spending import spending_function
from analysis.staged import (
    StagedCheck,
    rising,
    staged_boundary,
    staged_p_value,
    staged_power,
)

POCOCK = spending_function("lan-demets-pocock")
LOOKS = (0.2, 0.45, 0.7, 1.0)


def staged(shares: tuple[float, ...], variances: tuple[float, ...]) -> list[StagedCheck]:
    return [StagedCheck(share, 100 * v, v) for share, v in zip(shares, variances, strict=True)]


def criticals(alpha: float, checks: list[StagedCheck]) -> list[float]:
    return [staged_boundary(POCOCK, alpha, checks[: k + 1]).critical for k in range(len(checks))]


def test_with_one_clock_it_is_the_group_sequential_boundary() -> None:
    """Shares equal to the information: the boundaries of ``analysis.sequential``, which are held to gsDesign and rpact."""
    design = group_sequential_design("lan-demets-pocock", 0.025, LOOKS, 1)
    known = boundaries_at(design, LOOKS)
    assert criticals(0.025, staged(LOOKS, LOOKS)) == pytest.approx(known.critical, abs=1e-9)
    p_known = repeated_p_value(design, LOOKS[:3], 2.1, final=False)
    assert staged_p_value(POCOCK, staged(LOOKS[:3], LOOKS[:3]), 2.1) == pytest.approx(p_known, rel=1e-6)


def test_the_unit_of_the_variance_does_not_matter() -> None:
    thousandfold = [StagedCheck(c.share, c.weight, 1000 * c.variance) for c in staged(LOOKS, LOOKS)]
    assert criticals(0.05, thousandfold) == pytest.approx(criticals(0.05, staged(LOOKS, LOOKS)), abs=1e-9)


def test_two_clocks_keep_alpha_by_the_joint_distribution_of_the_checks() -> None:
    """Three checks whose α runs ahead of their information, integrated by scipy's multivariate normal."""
    shares, variances, alpha = (0.4, 0.7, 1.0), (0.1, 0.3, 1.0), 0.05
    c = criticals(alpha, staged(shares, variances))
    correlation = [[math.sqrt(min(a, b) / max(a, b)) for b in variances] for a in variances]
    stays = multivariate_normal(mean=np.zeros(3), cov=correlation, abseps=1e-9, releps=1e-9).cdf(np.array(c))
    assert 1 - stays == pytest.approx(alpha, abs=2e-6)
    first = 1 - multivariate_normal(mean=[0.0], cov=[[1.0]]).cdf([c[0]])
    assert first == pytest.approx(POCOCK(alpha, 0.4), rel=1e-9)


def test_taking_counts_for_information_would_break_alpha_where_the_spread_drifts() -> None:
    """The same four checks; the spread of a unit falls or rises tenfold. Boundaries by counts err, those by variance do not."""
    rng = np.random.default_rng(3)
    shares, counts, alpha, replays = (0.25, 0.5, 0.75, 1.0), np.array([1.0, 2.0, 3.0, 4.0]), 0.05, 200_000
    spread = np.array([1.0, 2.0, 5.0, 10.0])
    variances = np.cumsum(np.diff(counts, prepend=0) * spread)
    score = np.cumsum(rng.standard_normal((replays, 4)) * np.sqrt(np.diff(variances, prepend=0)), axis=1)
    z = score / np.sqrt(variances)
    by_variance = criticals(alpha, staged(shares, tuple(variances)))
    by_counts = criticals(alpha, staged(shares, tuple(counts)))
    error = 3 * math.sqrt(alpha * (1 - alpha) / replays)
    assert np.mean((z >= by_variance).any(axis=1)) == pytest.approx(alpha, abs=error)
    assert np.mean((z >= by_counts).any(axis=1)) > alpha + error


def test_the_power_is_that_of_simulated_paths() -> None:
    rng, replays = np.random.default_rng(5), 200_000
    shares, variances, drift, alpha = (0.2, 0.3, 0.8, 1.0), (40.0, 90.0, 150.0, 400.0), 0.14, 0.025
    checks = staged(shares, variances)
    steps = np.diff(np.array(variances), prepend=0)
    score = np.cumsum(rng.standard_normal((replays, 4)) * np.sqrt(steps) + drift * steps, axis=1)
    crossed = score / np.sqrt(variances) >= criticals(alpha, checks)
    seen = [np.mean(crossed[:, : k + 1].any(axis=1)) for k in range(4)]
    assert staged_power(POCOCK, alpha, checks, drift) == pytest.approx(seen, abs=0.004)
    assert staged_power(POCOCK, alpha, checks, 0.0) == pytest.approx(
        [POCOCK(alpha, share) for share in shares], rel=1e-7
    )


@given(st.lists(st.floats(0.02, 1.0), min_size=1, max_size=6), st.floats(0.001, 0.2))
def test_never_more_than_alpha_is_spent_and_all_of_it_by_the_last(steps: list[float], alpha: float) -> None:
    information = np.cumsum(steps)
    shares = np.cumsum(steps) / np.sum(steps)
    checks = staged((*shares[:-1].tolist(), 1.0), tuple(information.tolist()))
    found = staged_boundary(POCOCK, alpha, checks)
    assert list(found.spent) == sorted(found.spent)
    assert found.spent[-1] == pytest.approx(alpha)
    assert found.nominal <= alpha + 1e-12


@given(st.floats(0.1, 4.0))
def test_the_repeated_p_value_is_the_level_at_which_the_boundary_is_touched(z: float) -> None:
    checks = staged((0.3, 0.6), (1.0, 2.5))
    p = staged_p_value(POCOCK, checks, z)
    if p < 0.49:
        assert staged_boundary(POCOCK, p, checks).critical == pytest.approx(z, abs=1e-6)
    else:
        assert staged_boundary(POCOCK, 0.49, checks).critical > z - 1e-6


def test_a_variance_that_was_estimated_lower_than_before_only_raises_the_boundary() -> None:
    """Units were added, so the true variance rose; a fall is an accident of the estimate."""
    checks = [StagedCheck(0.5, 100.0, 10.0), StagedCheck(1.0, 150.0, 9.0)]
    assert rising(checks) == (10.0, 15.0)
    honest = [StagedCheck(0.5, 100.0, 10.0), StagedCheck(1.0, 150.0, 10.5)]
    assert staged_boundary(POCOCK, 0.05, checks).critical > staged_boundary(POCOCK, 0.05, honest).critical


def test_all_faults_of_the_checks_are_named_at_once() -> None:
    checks = [StagedCheck(0.5, 100.0, 10.0), StagedCheck(0.4, 100.0, 12.0), StagedCheck(1.2, 200.0, 14.0)]
    with pytest.raises(ValueError, match=r"alpha: 0\.7") as refused:
        staged_boundary(POCOCK, 0.7, checks)
    said = str(refused.value)
    assert "checks[1].weight: 100.0 does not rise" in said
    assert "checks[1].share: 0.4 is below 0.5" in said
    assert "checks[2]" in said
    with pytest.raises(ValueError, match="checks: none"):
        staged_boundary(POCOCK, 0.05, [])
