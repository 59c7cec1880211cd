import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.moments import CoMoments
from analysis.paired import score_agreement
from tests.references.influence import error_by_user, sums_by_user, users_and_requests

# Peak flow of 17 people by two meters, first readings (Bland & Altman 1986, Lancet i:307, table).
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def sums(x, y, user=None):
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    user = np.arange(len(x)) if user is None else user
    return CoMoments.of(sums_by_user(user, np.ones(len(x)), x, y, x * x, y * y, x * y))


def drawn(seed, users=40):
    rng = np.random.default_rng(seed)
    _, user = users_and_requests(rng, users)
    x = rng.normal(0, 1, users)[user] + rng.normal(0, 1, len(user))
    y = 0.2 + 0.8 * x + 0.3 * rng.normal(0, 1, users)[user] + rng.normal(0, 0.5, len(user))
    return x, y, user


def test_the_peak_flow_meters_of_bland_and_altman():
    # Bland & Altman 1986, p. 308: mean difference Wright − mini −2.1 l/min, standard deviation 38.8 (n − 1).
    found = score_agreement(sums(WRIGHT, MINI))
    assert found.bias.estimate == pytest.approx(2.1, abs=0.05)
    assert found.sd_difference * math.sqrt(17 / 16) == pytest.approx(38.8, abs=0.05)


def test_lins_coefficient_is_2_covariances_over_its_parts():
    # Lin 1989, Biometrics 45:255, equation 2, all moments with n
    x, y = np.array(WRIGHT, dtype=float), np.array(MINI, dtype=float)
    by_hand = 2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    found = score_agreement(sums(x - 450, y - 450))
    assert found.concordance.estimate == pytest.approx(by_hand, rel=1e-10)
    assert found.correlation.estimate == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-10)


def weighted(x, y, w):
    mx, my = np.average(x, weights=w), np.average(y, weights=w)
    vx, vy = np.average((x - mx) ** 2, weights=w), np.average((y - my) ** 2, weights=w)
    c = np.average((x - mx) * (y - my), weights=w)
    d = y - x
    sd = math.sqrt(np.average((d - (my - mx)) ** 2, weights=w))
    return mx, my, vx, vy, c, sd


@pytest.mark.parametrize("seed", range(3))
def test_every_standard_error_is_that_of_weighing_a_user_a_little_more(seed):
    x, y, user = drawn(seed)
    found = score_agreement(sums(x, y, user), level=0.9)

    def correlation(w):
        _, _, vx, vy, c, _ = weighted(x, y, w)
        return c / math.sqrt(vx * vy)

    def concordance(w):
        mx, my, vx, vy, c, _ = weighted(x, y, w)
        return 2 * c / (vx + vy + (mx - my) ** 2)

    def limit(sign):
        def at(w):
            mx, my, *_, sd = weighted(x, y, w)
            return my - mx + sign * 1.959963984540054 * sd

        return at

    for estimate, statistic in (
        (found.bias, lambda w: np.average(y - x, weights=w)),
        (found.correlation, correlation),
        (found.concordance, concordance),
        (found.lower_limit, limit(-1)),
        (found.upper_limit, limit(1)),
    ):
        assert estimate.estimate == pytest.approx(statistic(np.ones(len(x))), rel=1e-10)
        assert estimate.standard_error == pytest.approx(error_by_user(statistic, user), rel=1e-5)


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-5, 5))
def test_swapping_the_models_mirrors_the_bias_and_keeps_the_agreement(seed, shift):
    x, y, user = drawn(seed, users=12)
    there, back = score_agreement(sums(x, y, user)), score_agreement(sums(y, x, user))
    assert back.bias.estimate == pytest.approx(-there.bias.estimate)
    assert back.concordance.ci == pytest.approx(there.concordance.ci)
    assert back.upper_limit.ci == pytest.approx((-there.lower_limit.ci[1], -there.lower_limit.ci[0]))
    centred = score_agreement(sums(x + shift, y + shift, user))
    assert centred.concordance.ci == pytest.approx(there.concordance.ci, rel=1e-7)
    assert centred.correlation.standard_error == pytest.approx(there.correlation.standard_error, rel=1e-6)


def test_equal_scores_agree_fully_and_have_no_interval():
    x, _, user = drawn(1)
    found = score_agreement(sums(x, x, user))
    assert found.concordance.estimate == pytest.approx(1)
    assert found.sd_difference == 0
    assert found.bias.not_computed == "no spread over users: the interval has no width"
    assert found.lower_limit.not_computed == "every difference is the same"
    assert found.concordance.ci is None
    assert found.concordance.not_computed is not None


@pytest.mark.parametrize(
    ("x", "y", "part", "reason"),
    [
        ([], [], "bias", "no pairs"),
        ([1.0], [2.0], "bias", "fewer than 2 users (found 1)"),
        ([3.0, 3.0, 3.0], [1.0, 2.0, 4.0], "correlation", "a model gives every request the same score"),
    ],
)
def test_what_cannot_be_computed_says_why(x, y, part, reason):
    found = score_agreement(sums(x, y) if x else CoMoments(0, (0.0,) * 6, ((0.0,) * 6,) * 6))
    assert getattr(found, part).not_computed == reason
    assert getattr(found, part).ci is None


def test_another_number_of_sums_is_refused():
    with pytest.raises(ValueError, match="sums: 2 variables; give pairs"):
        score_agreement(CoMoments.of([[1.0, 2.0]]))


@pytest.mark.slow
def test_concordance_by_user_covers_and_the_one_by_request_does_not():
    # 1,000 replays of 150 users: Monte-Carlo standard error 0.007
    rng = np.random.default_rng(20250311)
    truth = 2 * 0.8 * 2 / (2 + (0.64 * 2 + 0.5) + 0.04)
    by_user = by_request = 0
    for _ in range(1000):
        user = np.repeat(np.arange(150), rng.integers(1, 30, 150))
        x = rng.normal(0, 1, 150)[user] + rng.normal(0, 1, len(user))
        y = 0.2 + 0.8 * x + rng.normal(0, 0.5, 150)[user] + rng.normal(0, 0.5, len(user))
        low, high = score_agreement(sums(x, y, user)).concordance.ci
        by_user += low <= truth <= high
        low, high = score_agreement(sums(x, y)).concordance.ci
        by_request += low <= truth <= high
    assert by_user / 1000 == pytest.approx(0.95, abs=0.025)
    assert by_request / 1000 < 0.85
