"""Critical values and inflation factors against published tables, other software and second routes."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from analysis.sequential import boundaries as boundaries_module
from analysis.sequential import efficacy_boundary, group_sequential_design
from analysis.sequential.boundaries import (
    BOUNDARY_TYPES,
    classic_boundary,
    null_crossing,
    spending_boundary,
)
from analysis.sequential.spending import spending_function
from tests.references.sequential_grid import (
    classic_critical,
    spending_critical,
    three_look_crossing,
    two_look_crossing,
    upper_crossing,
)

PARAMETERS = {"kim-demets": 2.0, "hwang-shih-decani": -4.0, "wang-tsiatis": 0.25}


def equal(looks):
    return [(look + 1) / looks for look in range(looks)]


FOUR = (0.3, 0.55, 0.8, 1.0)
SIX = (0.1, 0.25, 0.3, 0.7, 0.9, 1.0)
TWELVE = tuple(equal(12))
CLOSE = (0.15, 0.155, 0.6, 1.0)

# Bisection on the recursion of the PyPI package gsdesign 0.1.5 (gridpts, h1, hupdate with r = 100), a port
# of the C code of gsDesign; its own error is below 1e-7 where looks are 0.005 apart, below 2e-8 elsewhere.
GSDESIGN = [
    (
        "lan-demets-obf",
        None,
        0.05,
        2,
        FOUR,
        0.9,
        [3.92857254, 2.80787686, 2.27609808, 2.02924462],
        1.02215235,
    ),
    (
        "lan-demets-obf",
        None,
        0.025,
        1,
        SIX,
        0.8,
        [6.99135171, 4.33263366, 3.94251678, 2.43875351, 2.14593167, 2.06880201],
        1.03128831,
    ),
    (
        "lan-demets-obf",
        None,
        0.01,
        2,
        TWELVE,
        0.85,
        [
            9.65304558,
            6.77630825,
            5.49298286,
            4.72417171,
            4.20078006,
            3.81749161,
            3.52219038,
            3.2859958,
            3.09162354,
            2.92807669,
            2.78800327,
            2.6662851,
        ],
        1.02388833,
    ),
    ("lan-demets-obf", None, 0.1, 1, CLOSE, 0.7, [4.08895768, 4.07070294, 1.82897472, 1.3398568], 1.02819650),
    (
        "lan-demets-pocock",
        None,
        0.05,
        2,
        SIX,
        0.8,
        [2.65511005, 2.52475488, 2.64071016, 2.27811468, 2.36657316, 2.42661864],
        1.21018610,
    ),
    (
        "lan-demets-pocock",
        None,
        0.2,
        1,
        FOUR,
        0.9,
        [1.38421024, 1.32513826, 1.2513809, 1.22498834],
        1.18673218,
    ),
    (
        "lan-demets-pocock",
        None,
        0.005,
        1,
        CLOSE,
        0.95,
        [3.0493747, 3.24746528, 2.81030631, 2.8656307],
        1.11641632,
    ),
    (
        "kim-demets",
        1.0,
        0.05,
        2,
        TWELVE,
        0.8,
        [
            2.86526024,
            2.80228062,
            2.7373231,
            2.67908954,
            2.62718391,
            2.58048131,
            2.53800741,
            2.49900555,
            2.46289554,
            2.42922841,
            2.39765158,
            2.36788386,
        ],
        1.18267932,
    ),
    ("kim-demets", 3.0, 0.025, 1, FOUR, 0.9, [3.20513318, 2.6710999, 2.28926995, 2.04306515], 1.02840288),
    ("kim-demets", 0.5, 0.1, 2, CLOSE, 0.8, [2.06704585, 2.29598946, 2.00055439, 2.04031947], 1.23315820),
    (
        "hwang-shih-decani",
        -8.0,
        0.05,
        2,
        FOUR,
        0.8,
        [3.76256962, 3.22960758, 2.58909188, 1.97099401],
        1.00344190,
    ),
    (
        "hwang-shih-decani",
        1.0,
        0.025,
        1,
        SIX,
        0.9,
        [2.67257078, 2.52564477, 2.63560181, 2.26667773, 2.36646305, 2.43652139],
        1.19334039,
    ),
    (
        "hwang-shih-decani",
        2.5,
        0.1,
        2,
        TWELVE,
        0.8,
        [
            2.31728643,
            2.27983176,
            2.25535317,
            2.24647963,
            2.2496514,
            2.26193958,
            2.28122598,
            2.30597291,
            2.33503913,
            2.36755814,
            2.40285863,
            2.44041167,
        ],
        1.43108204,
    ),
    (
        "obrien-fleming",
        None,
        0.05,
        2,
        SIX,
        0.9,
        [6.49730242, 4.10925486, 3.7512193, 2.45574948, 2.16576747, 2.05462743],
        1.02591535,
    ),
    (
        "obrien-fleming",
        None,
        0.025,
        1,
        TWELVE,
        0.8,
        [
            7.26630184,
            5.1380513,
            4.19520132,
            3.63315092,
            3.24958897,
            2.9664553,
            2.74640395,
            2.56902565,
            2.42210061,
            2.2978064,
            2.19087244,
            2.09760066,
        ],
        1.04223150,
    ),
    ("pocock", None, 0.01, 2, FOUR, 0.8, [2.92623707, 2.92623707, 2.92623707, 2.92623707], 1.15322878),
    ("pocock", None, 0.05, 1, CLOSE, 0.9, [2.06107366, 2.06107366, 2.06107366, 2.06107366], 1.22458918),
    ("wang-tsiatis", 0.15, 0.025, 1, FOUR, 0.8, [3.16589659, 2.56072077, 2.24598923, 2.0772519], 1.04416543),
    (
        "wang-tsiatis",
        0.7,
        0.05,
        2,
        SIX,
        0.9,
        [2.08387185, 2.50298939, 2.59594363, 3.07532214, 3.2338473, 3.3027143],
        1.80493604,
    ),
    (
        "wang-tsiatis",
        -0.3,
        0.1,
        1,
        TWELVE,
        0.8,
        [
            10.33466367,
            5.93570558,
            4.29140343,
            3.40916762,
            2.8518084,
            2.46476403,
            2.17880275,
            1.95805262,
            1.78197801,
            1.63793381,
            1.51768695,
            1.41563519,
        ],
        1.04186196,
    ),
]


@pytest.mark.parametrize(
    ("kind", "parameter", "alpha", "sides", "information", "power", "critical", "inflation"), GSDESIGN
)
def test_critical_values_and_inflation_agree_with_gsdesign(
    kind, parameter, alpha, sides, information, power, critical, inflation
):
    design = group_sequential_design(kind, alpha, information, sides, parameter, power)
    assert design.critical == pytest.approx(critical, abs=2e-7)
    assert design.inflation == pytest.approx(inflation, abs=1e-7)


@pytest.mark.parametrize(
    ("information", "kind", "alpha", "sides", "critical", "within"),
    [
        # Reboussin et al. 2000 (ldbounds); the last published Pocock value, 2.3859, is cut, not rounded
        (equal(5), "lan-demets-obf", 0.05, 2, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310], 1.5e-4),
        (equal(5), "lan-demets-pocock", 0.05, 2, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859], 1.5e-4),
        (equal(2), "lan-demets-obf", 0.025, 1, [2.9626, 1.9686], 6e-5),
        # rpact tests/testthat/test-f_design_group_sequential.R L775-789: at alpha/2 on each side
        ((0.4, 0.65, 1.0), "lan-demets-obf", 0.09, 2, [2.9623919, 2.2442359, 1.7391729], 2e-7),
    ],
)
def test_spending_boundaries_agree_with_published_values(information, kind, alpha, sides, critical, within):
    assert efficacy_boundary(kind, alpha, information, sides).critical == pytest.approx(critical, abs=within)


# Jennison & Turnbull 2000, tables 2.1 and 2.3: constants of two-sided tests, K equally spaced looks
POCOCK = {
    0.10: {2: 1.875, 3: 1.992, 4: 2.067, 5: 2.122, 10: 2.270},
    0.05: {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555, 15: 2.626, 20: 2.672},
    0.01: {2: 2.772, 3: 2.873, 4: 2.939, 5: 2.986, 10: 3.117},
}
OBRIEN_FLEMING = {
    0.10: {2: 1.678, 3: 1.710, 4: 1.733, 5: 1.751, 10: 1.801},
    0.05: {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 10: 2.087, 15: 2.110, 20: 2.126},
    0.01: {2: 2.580, 3: 2.595, 4: 2.609, 5: 2.621, 10: 2.660},
}


@pytest.mark.parametrize(("kind", "table"), [("pocock", POCOCK), ("obrien-fleming", OBRIEN_FLEMING)])
@pytest.mark.parametrize("alpha", [0.10, 0.05, 0.01])
def test_classic_constants_agree_with_the_tables_of_jennison_and_turnbull(kind, table, alpha):
    for looks, constant in table[alpha].items():
        assert efficacy_boundary(kind, alpha, equal(looks), 2).critical[-1] == pytest.approx(
            constant, abs=5.1e-4
        )


# Jennison & Turnbull 2000, tables 2.2 and 2.4: maximum sample over the fixed one, K = 1 to 10
@pytest.mark.parametrize(
    ("kind", "alpha", "power", "inflation"),
    [
        ("pocock", 0.05, 0.8, [1, 1.11, 1.166, 1.202, 1.229, 1.249, 1.265, 1.279, 1.291, 1.301]),
        ("pocock", 0.1, 0.8, [1, 1.121, 1.184, 1.224, 1.254, 1.277, 1.296, 1.311, 1.325, 1.337]),
        ("pocock", 0.01, 0.9, [1, 1.084, 1.125, 1.152, 1.17, 1.185, 1.197, 1.206, 1.215, 1.222]),
        ("obrien-fleming", 0.1, 0.8, [1, 1.016, 1.027, 1.035, 1.04, 1.044, 1.047, 1.049, 1.051, 1.053]),
        ("obrien-fleming", 0.01, 0.9, [1, 1.001, 1.006, 1.01, 1.014, 1.016, 1.018, 1.02, 1.021, 1.022]),
        ("obrien-fleming", 0.05, 0.9, [1, 1.007, 1.016, 1.022, 1.026, 1.03, 1.032, 1.034, 1.036, 1.037]),
    ],
)
def test_inflation_factors_agree_with_the_tables_of_jennison_and_turnbull(kind, alpha, power, inflation):
    found = [
        group_sequential_design(kind, alpha, equal(looks), 2, power=power).inflation for looks in range(1, 11)
    ]
    assert found == pytest.approx(inflation, abs=5.1e-4)


def test_wang_tsiatis_with_unequal_looks_uses_the_information_fraction():
    # rpact tests/testthat/test-f_design_group_sequential.R L1339-1347
    boundary = efficacy_boundary("wang-tsiatis", 0.025, [0.3, 0.8, 1.0], 2, 0.24)
    assert boundary.critical == pytest.approx([3.2029374, 2.4819703, 2.3420706], abs=2e-7)
    assert boundary.spent == pytest.approx([0.0013603353, 0.013978861, 0.02499999], abs=2e-8)


@pytest.mark.parametrize(
    ("delta", "looks", "power", "inflation", "final_z"),
    # Jennison & Turnbull 2000, tables 2.9 and 2.10, as held by gsDesign (test-outputs.R, test.JT.WT)
    [(0.1, 9, 0.9, 1.048, 2.113), (0.25, 6, 0.8, 1.077, 2.154), (0.4, 7, 0.8, 1.159, 2.313)],
)
def test_wang_tsiatis_constants_and_inflation_agree_with_the_book(delta, looks, power, inflation, final_z):
    design = group_sequential_design("wang-tsiatis", 0.05, equal(looks), 2, delta, power)
    assert design.inflation == pytest.approx(inflation, abs=5.1e-4)
    assert design.critical[-1] == pytest.approx(final_z, abs=5.1e-4)


def test_naive_repeated_testing_errs_as_published():
    # Armitage, McPherson & Rowe 1969; gsDesign tests/testthat/test-outputs.R (test.Deming.gsProb), one tail
    for looks, one_tail in {2: 0.042, 4: 0.063, 10: 0.097, 20: 0.124}.items():
        assert sum(null_crossing([1.96] * looks, equal(looks), 2)) == pytest.approx(one_tail, abs=5.1e-4)


def test_haybittle_peto_spends_as_published():
    # rpact tests/testthat/test-f_design_group_sequential.R L1473-1478: z = 3 at three interim looks
    spent = np.cumsum(null_crossing([3, 3, 3, 1.9827514], equal(4), 1))
    assert spent == pytest.approx([0.001349898, 0.0024617416, 0.0033695882, 0.025], abs=2e-9)


def test_an_overrun_sample_has_the_levels_spotify_confidence_gives():
    # spotify/confidence tests/frequentist/test_bounds.py, test_seq_bounds_run_over: power family, rho = 2
    information = [n / 810 for n in (250, 450, 630, 810)]
    nominal = efficacy_boundary("kim-demets", 0.01, information, 2, 2.0).nominal
    assert [2 * level for level in nominal] == pytest.approx([0.00095, 0.00241, 0.0041, 0.00636], abs=1e-4)


@pytest.mark.parametrize("kind", ["lan-demets-obf", "lan-demets-pocock", "kim-demets", "hwang-shih-decani"])
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.001])
def test_spending_boundaries_agree_with_the_grid_of_jennison_and_turnbull(kind, sides, alpha):
    rng = np.random.default_rng([len(kind), sides, int(1 / alpha)])
    # Steps of 0.08 and more: closer looks would need a finer grid than the book's usual one.
    gaps = 0.08 + 0.6 * rng.dirichlet(np.ones(5))
    information = [*np.cumsum(gaps)[:-1].tolist(), 1.0]
    function = spending_function(kind, PARAMETERS.get(kind))
    spent = [sides * function(alpha / sides, t) for t in information]
    critical = efficacy_boundary(kind, alpha, information, sides, PARAMETERS.get(kind)).critical
    assert critical == pytest.approx(spending_critical(information, spent, sides), abs=1e-6)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("exponent", [-0.2, 0.0, 0.3, 0.5, 0.8])
def test_classic_boundaries_agree_with_the_grid_of_jennison_and_turnbull(exponent, sides):
    information = [0.22, 0.47, 0.81, 1.0]
    critical = classic_boundary(exponent, 0.06, tuple(information), sides).critical
    assert critical == pytest.approx(classic_critical(information, 0.06, exponent, sides), abs=1e-6)


@pytest.mark.parametrize("sides", [1, 2])
def test_two_looks_agree_with_adaptive_quadrature(sides):
    for alpha, t in ((0.05, 0.5), (1e-9, 0.3), (0.4, 0.995), (0.01, 0.02)):
        boundary = efficacy_boundary("lan-demets-pocock", alpha, [t, 1.0], sides)
        first, second = boundary.critical
        added = (boundary.spent[1] - boundary.spent[0]) / sides
        assert norm.sf(first) == pytest.approx(boundary.spent[0] / sides, rel=1e-12, abs=0)
        assert two_look_crossing(t, first, second, sides) == pytest.approx(added, rel=1e-8, abs=0)


@pytest.mark.parametrize("sides", [1, 2])
def test_three_looks_agree_with_nested_quadrature(sides):
    boundary = efficacy_boundary("hwang-shih-decani", 0.03, [0.25, 0.6, 1.0], sides, -2.0)
    added = (boundary.spent[2] - boundary.spent[1]) / sides
    assert three_look_crossing(0.25, 0.6, *boundary.critical, sides) == pytest.approx(added, abs=1e-9)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
def test_looks_half_a_percent_of_the_information_apart_are_right(kind, sides):
    # A grid fine enough for such steps has about 2000 nodes; see the package's 60.
    information = [0.5, 0.505, 0.51, 1.0]
    boundary = efficacy_boundary(kind, 0.05, information, sides, PARAMETERS.get(kind))
    lower = [-z if sides == 2 else -np.inf for z in boundary.critical]
    spent = sides * np.cumsum(upper_crossing(information, boundary.critical, lower, r=160))
    assert spent == pytest.approx(boundary.spent, abs=2e-9)


@pytest.mark.parametrize(
    "information",
    [equal(50), [0.001, 0.5, 0.5005, 1.0], [0.05, 0.9, 0.905, 1.0], [0.01, 0.02, 0.5, 1.0]],
    ids=["fifty", "tiny step", "close", "early"],
)
@pytest.mark.parametrize("alpha", [0.4, 0.05, 1e-9])
@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
def test_a_finer_quadrature_with_a_longer_reach_changes_nothing(kind, alpha, information, monkeypatch):
    parameter = PARAMETERS.get(kind)
    usual = efficacy_boundary(kind, alpha, information, 2, parameter).critical
    spending_boundary.cache_clear()
    classic_boundary.cache_clear()
    monkeypatch.setattr("analysis.sequential.recursion.PANEL_WIDTH", 3.0)
    monkeypatch.setattr(boundaries_module, "REACH", 9.0)
    monkeypatch.setattr(boundaries_module, "TAIL", 11.0)
    finer = efficacy_boundary(kind, alpha, information, 2, parameter).critical
    spending_boundary.cache_clear()
    classic_boundary.cache_clear()
    assert usual == pytest.approx(finer, abs=1e-10)


def test_a_look_that_can_spend_almost_nothing_has_an_infinite_critical_value():
    boundary = efficacy_boundary("lan-demets-obf", 0.05, [0.001, 0.5, 1.0], 2)
    assert boundary.critical[0] == math.inf
    assert boundary.nominal[0] == 0.0
    assert boundary.critical[1:] == pytest.approx(
        efficacy_boundary("lan-demets-obf", 0.05, [0.5, 1.0], 2).critical, abs=1e-9
    )


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
def test_one_look_is_the_fixed_test(kind, sides):
    design = group_sequential_design(kind, 0.05, [1.0], sides, PARAMETERS.get(kind), 0.8)
    assert design.critical == pytest.approx([norm.isf(0.05 / sides)], rel=1e-13)
    assert design.inflation == pytest.approx(1, rel=1e-13)
    assert design.expected_n_h1 == pytest.approx(1, rel=1e-13)


looks = st.lists(st.integers(1, 199), min_size=1, max_size=7, unique=True).map(
    lambda steps: [*(step / 200 for step in sorted(steps)), 1.0]
)


@given(
    information=looks,
    alpha=st.floats(1e-6, 0.45),
    sides=st.sampled_from([1, 2]),
    kind=st.sampled_from(BOUNDARY_TYPES),
)
@settings(max_examples=60, deadline=None)
def test_a_boundary_spends_its_level_and_falls_as_the_level_grows(information, alpha, sides, kind):
    boundary = efficacy_boundary(kind, alpha, information, sides, PARAMETERS.get(kind))
    assert boundary.spent[-1] == alpha
    assert list(boundary.spent) == sorted(boundary.spent)
    crossing = sides * sum(null_crossing(boundary.critical, information, sides))
    assert crossing == pytest.approx(alpha, rel=1e-8, abs=0)
    looser = efficacy_boundary(kind, alpha * 1.1, information, sides, PARAMETERS.get(kind))
    assert all(
        after < before for before, after in zip(boundary.critical, looser.critical, strict=True) if before < 9
    )


@given(information=looks, alpha=st.floats(1e-4, 0.3))
@settings(max_examples=30, deadline=None)
def test_the_unit_of_information_does_not_matter(information, alpha):
    spent = tuple(alpha * t for t in information)
    once = spending_boundary(spent, tuple(information), 2).critical
    scaled = spending_boundary(spent, tuple(3217.0 * t for t in information), 2).critical
    assert once == pytest.approx(scaled, abs=1e-11)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "obf"}, "type: 'obf' is not known; give one of lan-demets-obf"),
        ({"alpha": 0.0}, "alpha: 0.0 is not allowed"),
        ({"alpha": 0.5}, "above 0 and below 0.5"),
        ({"sides": 3}, "sides: 3 is not allowed; give 1 or 2"),
        ({"information": []}, "0 looks are not allowed; give 1 to 50"),
        ({"information": equal(51)}, "51 looks are not allowed"),
        ({"information": [0.5, 0.5, 1.0]}, "leave out a look that brought no information"),
        ({"information": [0.0, 1.0]}, "every look needs a finite number above 0"),
        ({"information": [0.5, math.nan, 1.0]}, "every look needs a finite number above 0"),
        ({"information": [0.5, 0.9]}, "it must be 1"),
        ({"kind": "wang-tsiatis"}, "give Delta, for example 0.25"),
        ({"kind": "wang-tsiatis", "parameter": 1.5}, "give -0.5 to 1"),
        ({"kind": "pocock", "parameter": 0.5}, "has none; leave it out"),
        ({"information": [0.5, 0.5 + 1e-9, 1.0]}, "too small to integrate"),
    ],
)
def test_bad_arguments_are_refused_with_what_is_allowed(change, says):
    arguments = {
        "kind": "lan-demets-obf",
        "alpha": 0.05,
        "information": [0.5, 1.0],
        "sides": 1,
        "parameter": None,
    }
    with pytest.raises(ValueError, match=says):
        efficacy_boundary(**(arguments | change))


def test_several_faults_of_the_level_are_told_at_once():
    with pytest.raises(ValueError, match=r"sides: 0 .*alpha: 2"):
        efficacy_boundary("pocock", 2.0, [1.0], 0)


@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
@pytest.mark.parametrize(("looks", "limit"), [(4, 0.005), (20, 0.050)])
def test_a_boundary_is_found_quickly(kind, looks, limit):
    def seconds():
        spending_boundary.cache_clear()
        classic_boundary.cache_clear()
        begin = time.perf_counter()
        efficacy_boundary(kind, 0.05, equal(looks), 2, PARAMETERS.get(kind))
        return time.perf_counter() - begin

    assert min(seconds() for _ in range(7)) < limit
