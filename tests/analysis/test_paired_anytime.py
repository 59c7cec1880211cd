import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.paired import anytime_mcnemar
from analysis.paired.anytime import log_e_value
from tests.references.paired_formulas import half_mixture_e_value_by_integration, mixture_e_value_by_betting

ALPHA = 0.05


def log_e_paths(tosses, concentration):
    """Evidence after every pair, for many sequences at once: the bets of a Pólya urn."""
    b = np.cumsum(tosses, axis=1)
    m = np.arange(1, tosses.shape[1] + 1)
    before = np.concatenate([np.zeros((len(tosses), 1)), b[:, :-1]], axis=1)
    share = (concentration + before) / (2 * concentration + m - 1)
    return np.cumsum(np.log(2 * np.where(tosses, share, 1 - share)), axis=1)


@given(outcomes=st.lists(st.booleans(), max_size=80), concentration=st.floats(0.2, 50))
def test_the_mixture_is_a_betting_game_against_a_fair_coin(outcomes, concentration):
    b = sum(outcomes)
    ours = log_e_value(b, len(outcomes) - b, concentration, "two-sided")
    assert ours == pytest.approx(mixture_e_value_by_betting(outcomes, concentration), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(b=st.integers(0, 60), c=st.integers(0, 60), concentration=st.floats(1, 20))
def test_the_one_sided_mixture_is_over_the_better_half(b, c, concentration):
    by_integration = half_mixture_e_value_by_integration(b, c, concentration)
    assert math.exp(log_e_value(b, c, concentration, "greater")) == pytest.approx(by_integration, rel=1e-6)
    assert log_e_value(b, c, concentration, "less") == log_e_value(c, b, concentration, "greater")


def test_the_e_value_has_mean_one_under_the_null():
    # over all 2^12 sequences of 12 fair tosses
    mean = (
        sum(math.comb(12, b) * math.exp(log_e_value(b, 12 - b, 1.0, "two-sided")) for b in range(13)) / 2**12
    )
    assert mean == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("concentration", [1.0, 10.0])
def test_looking_after_every_pair_keeps_the_level(concentration):
    rng = np.random.default_rng(20250312)
    tosses = rng.random((4000, 2000)) < 0.5
    crossed = log_e_paths(tosses, concentration).max(axis=1) >= math.log(1 / ALPHA)
    # never above alpha by Ville's inequality; Monte-Carlo standard error 0.0034
    assert crossed.mean() <= ALPHA


def test_a_difference_is_found():
    rng = np.random.default_rng(20250313)
    tosses = rng.random((1000, 1500)) < 0.58
    crossed = log_e_paths(tosses, 10.0).max(axis=1) >= math.log(1 / ALPHA)
    assert crossed.mean() > 0.95


def test_several_requests_per_user_break_it():
    # each user settles on one model and makes 30 disagreeing requests; the null of no difference is true
    rng = np.random.default_rng(20250314)
    preference = rng.beta(0.15, 0.15, size=(1000, 60))
    tosses = (rng.random((1000, 60, 30)) < preference[:, :, None]).reshape(1000, -1)
    crossed = log_e_paths(tosses, 1.0).max(axis=1) >= math.log(1 / ALPHA)
    assert crossed.mean() > 0.5


def test_p_is_one_over_the_largest_evidence_so_far_and_never_rises():
    b, c = [2, 12, 20, 25], [1, 2, 12, 25]
    p = [anytime_mcnemar(b[:k], c[:k]).p_value for k in range(1, 5)]
    assert p == sorted(p, reverse=True)
    last = anytime_mcnemar(b, c)
    largest = max(log_e_value(x, y, 1.0, "two-sided") for x, y in zip(b, c, strict=True))
    assert last.p_value == pytest.approx(math.exp(-largest))
    assert last.log_e < last.max_log_e


@given(
    steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=5),
    level=st.floats(0.5, 0.99),
)
def test_one_half_is_outside_the_sequence_exactly_when_p_is_below_alpha(steps, level):
    b, c = np.cumsum([s[0] for s in steps]).tolist(), np.cumsum([s[1] for s in steps]).tolist()
    found = anytime_mcnemar(b, c, level=level)
    if found.share_ci is None:
        assert found.not_computed is not None
    elif abs(found.p_value - (1 - level)) > 1e-9:
        lower, upper = found.share_ci
        assert (lower > 0.5 or upper < 0.5) == (found.p_value < 1 - level)


def test_the_sequence_covers_the_share_at_all_looks_together():
    rng = np.random.default_rng(20250315)
    inside = 0
    for _ in range(600):
        b = np.cumsum(rng.random(400) < 0.6)
        looks = np.arange(20, 401, 20)
        found = anytime_mcnemar(b[looks - 1].tolist(), (looks - b[looks - 1]).tolist())
        inside += found.share_ci is not None and found.share_ci[0] <= 0.6 <= found.share_ci[1]
    assert inside / 600 >= 0.95


@given(b=st.integers(0, 200), c=st.integers(0, 200))
def test_swapping_the_models_mirrors_the_evidence(b, c):
    there, back = anytime_mcnemar([b], [c]), anytime_mcnemar([c], [b])
    assert there.log_e == pytest.approx(back.log_e, abs=1e-9)
    assert there.share_ci == pytest.approx((1 - back.share_ci[1], 1 - back.share_ci[0]), abs=1e-9)


def test_without_discordant_pairs_nothing_is_known():
    found = anytime_mcnemar([0], [0])
    assert (found.log_e, found.p_value, found.share_ci) == (0.0, 1.0, (0.0, 1.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"candidate_only": [3, 2], "champion_only": [0, 1]}, "candidate_only: 2 at look 2 after 3"),
        ({"candidate_only": [3], "champion_only": [0, 1]}, "give both counts at each look"),
        ({"candidate_only": [], "champion_only": []}, "one look or more"),
        ({"candidate_only": [0.5], "champion_only": [0]}, "whole and never falling"),
        (
            {"candidate_only": [1], "champion_only": [0], "concentration": 0},
            "concentration: 0 is not allowed",
        ),
        (
            {"candidate_only": [1], "champion_only": [0], "alternative": "both"},
            "alternative: 'both' is unknown",
        ),
    ],
)
def test_a_bad_input_is_refused_with_what_to_do(arguments, message):
    with pytest.raises(ValueError) as refusal:
        anytime_mcnemar(**arguments)
    assert message in str(refusal.value)
