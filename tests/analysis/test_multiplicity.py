import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.dunnett import adjust_dunnett, dunnett_level
from analysis.multiplicity import adjust
from tests.references.two_sample_reference import holm_by_steps

R_MULTTEST = [0.001, 0.002, 0.003, 0.004, 0.005, 0.05, 0.06, 0.07, 0.08, 0.09]
TEA = [0.005, 0.06, 0.007, 0.04, 0.01, 0.03]
p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def _named(p_values):
    return {f"metric {i}": p for i, p in enumerate(p_values)}


def _adjusted(family):
    return [member.adjusted for member in family.members.values()]


@pytest.mark.parametrize(
    ("p_values", "method", "expected", "tolerance"),
    [
        # R multtest, as held by statsmodels 0.15.0 test_multi.py, res_multtest3
        (R_MULTTEST, "holm", [0.01, 0.018, 0.024, 0.028, 0.03, 0.25, 0.25, 0.25, 0.25, 0.25], 1e-12),
        (
            R_MULTTEST,
            "benjamini-hochberg",
            [0.01] * 5 + [0.0833333333333, 0.0857142857143, 0.0875, 0.0888888888889, 0.09],
            1e-12,
        ),
        # e10v/tea-tasting 90306f1, tests/test_multiplicity.py: test_adjust_fdr_default and
        # test_adjust_fwer_arbitrary_dependence_bonferroni
        (TEA, "benjamini-hochberg", [0.02, 0.06, 0.02, 0.048, 0.02, 0.045], 1e-9),
        (TEA, "holm", [0.03, 0.09, 0.035, 0.09, 0.04, 0.09], 1e-9),
        (TEA, "bonferroni", [0.03, 0.36, 0.042, 0.24, 0.06, 0.18], 1e-12),
    ],
)
def test_adjusted_p_values_are_the_published_ones(p_values, method, expected, tolerance):
    assert _adjusted(adjust(_named(p_values), method=method)) == pytest.approx(expected, abs=tolerance)


@given(p_lists)
def test_holm_is_the_walk_up_the_sorted_list(p_values):
    assert _adjusted(adjust(_named(p_values), method="holm")) == pytest.approx(holm_by_steps(p_values))


@pytest.mark.parametrize("method", ["holm", "benjamini-hochberg", "bonferroni"])
def test_adjusted_p_values_are_those_of_statsmodels(method):
    theirs = {"holm": "holm", "benjamini-hochberg": "fdr_bh", "bonferroni": "bonferroni"}[method]
    chance = np.random.default_rng(50)
    for size in (1, 2, 5, 40):
        p_values = np.round(chance.beta(0.4, 1, size), 3)
        expected = multipletests(p_values, method=theirs)[1]
        assert _adjusted(adjust(_named(p_values.tolist()), method=method)) == pytest.approx(
            expected, rel=1e-12
        )


@given(p_lists, st.randoms())
def test_the_order_of_the_family_does_not_matter(p_values, chance):
    items = list(_named(p_values).items())
    before = adjust(dict(items), method="holm").members
    chance.shuffle(items)
    after = adjust(dict(items), method="holm").members
    assert {k: m.adjusted for k, m in after.items()} == pytest.approx(
        {k: m.adjusted for k, m in before.items()}
    )


def test_names_stay_with_their_values():
    family = adjust({"clicks": 0.04, "orders": 0.001}, method="holm", alpha=0.05)
    assert list(family.members) == ["clicks", "orders"]
    assert family.rejected == ("clicks", "orders")
    assert family.members["orders"].adjusted == pytest.approx(0.002)


def test_a_member_not_computed_counts_as_if_it_had_not_been_significant():
    family = adjust({"a": 0.01, "b": None, "c": 0.02}, method="holm")
    assert family.not_computed == ("b",)
    assert family.members["b"].adjusted is None
    assert not family.members["b"].rejected
    assert family.members["a"].adjusted == pytest.approx(0.03)
    assert family.members["c"].adjusted == pytest.approx(0.04)


def test_nothing_is_rejected_exactly_at_alpha():
    assert adjust({"a": 0.025, "b": 0.5}, method="holm", alpha=0.05).rejected == ()


def test_an_empty_family_is_empty():
    assert adjust({}, method="holm").members == {}


@pytest.mark.parametrize(
    ("p_values", "arguments", "message"),
    [
        ({"a": 1.2}, {"method": "holm"}, "give probabilities from 0 to 1"),
        ({"a": float("nan")}, {"method": "holm"}, "give probabilities from 0 to 1"),
        ({"a": 0.2}, {"method": "hochberg"}, "give one of holm, benjamini-hochberg, bonferroni"),
        ({"a": 0.2}, {"method": "holm", "alpha": 0}, "alpha: 0 is not allowed"),
    ],
)
def test_bad_parameters_are_refused(p_values, arguments, message):
    with pytest.raises(ValueError, match=message):
        adjust(p_values, **arguments)


@pytest.mark.parametrize(
    ("treatments", "two_sided", "one_sided"),
    # Dunnett (1955, 1964), df = ∞, 5 %: two-sided 2.21, 2.35, 2.44, 2.51; one-sided 1.92, 2.06, 2.16, 2.23
    [(2, 2.21, 1.92), (3, 2.35, 2.06), (4, 2.44, 2.16), (5, 2.51, 2.23)],
)
def test_dunnetts_critical_values_are_those_of_his_tables(treatments, two_sided, one_sided):
    level = dunnett_level(100, [100] * treatments)
    assert stats.norm.isf(level / 2) == pytest.approx(two_sided, abs=0.005)
    level = dunnett_level(100, [100] * treatments, alternative="greater")
    assert stats.norm.isf(level) == pytest.approx(one_sided, abs=0.005)


@pytest.mark.parametrize(
    ("treatments", "df", "two_sided"),
    # Dunnett (1964), Biometrics 20, 482, table of two-sided 5 % values
    [(2, 12, 2.50), (3, 16, 2.59), (4, 20, 2.65)],
)
def test_dunnetts_critical_values_with_few_degrees_of_freedom_are_those_of_his_tables(
    treatments, df, two_sided
):
    level = dunnett_level(5, [5] * treatments, df=df)
    assert stats.t.isf(level / 2, df) == pytest.approx(two_sided, abs=0.006)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_dunnetts_adjustment_is_that_of_scipy_on_raw_values(alternative):
    chance = np.random.default_rng(51)
    control, a, b = chance.normal(0, 1, 10), chance.normal(0.8, 1, 12), chance.normal(0.5, 1, 8)
    expected = stats.dunnett(a, b, control=control, alternative=alternative, rng=1)
    tail = {
        "two-sided": lambda t: 2 * stats.t.sf(abs(t), 27),
        "greater": lambda t: stats.t.sf(t, 27),
        "less": lambda t: stats.t.cdf(t, 27),
    }[alternative]
    p_values = {name: float(tail(t)) for name, t in zip("ab", expected.statistic, strict=True)}
    family = adjust_dunnett(p_values, 10, {"a": 12, "b": 8}, alternative=alternative, df=27)
    # scipy integrates by quasi-Monte-Carlo, to about 1e-4.
    assert _adjusted(family) == pytest.approx(list(expected.pvalue), abs=3e-4)


def test_dunnetts_adjustment_is_a_multivariate_normal_probability():
    n_control, n_treatments, p = 300, {"a": 100, "b": 200, "c": 400}, 0.02
    loading = np.sqrt(
        np.array(list(n_treatments.values())) / (n_control + np.array(list(n_treatments.values())))
    )
    correlation = np.outer(loading, loading)
    np.fill_diagonal(correlation, 1.0)
    c = stats.norm.isf(p / 2)
    inside = stats.multivariate_normal(cov=correlation).cdf([c] * 3, lower_limit=[-c] * 3)
    family = adjust_dunnett(dict.fromkeys(n_treatments, p), n_control, n_treatments)
    assert _adjusted(family) == pytest.approx([1 - inside] * 3, abs=1e-4)


@settings(max_examples=20)
@given(st.lists(st.floats(1e-300, 1), min_size=1, max_size=4), st.sampled_from(["two-sided", "greater"]))
def test_dunnett_lies_between_no_adjustment_and_bonferroni(p_values, alternative):
    named = _named(p_values)
    n = {name: 50 + 10 * i for i, name in enumerate(named)}
    for p, adjusted in zip(
        p_values, _adjusted(adjust_dunnett(named, 80, n, alternative=alternative)), strict=True
    ):
        assert p <= adjusted <= min(1.0, len(p_values) * p) * (1 + 1e-9)


def test_the_adjusted_p_is_below_alpha_exactly_when_p_is_below_dunnetts_level():
    level = dunnett_level(100, [100, 50], alpha=0.03)
    for p, rejected in ((level * (1 - 1e-9), ("a",)), (level * (1 + 1e-9), ())):
        family = adjust_dunnett({"a": p, "b": 0.9}, 100, {"a": 100, "b": 50}, alpha=0.03)
        assert family.rejected == rejected


def test_one_treatment_needs_no_adjustment():
    assert dunnett_level(100, [100], alpha=0.05) == 0.05
    assert _adjusted(adjust_dunnett({"a": 0.03}, 100, {"a": 90})) == [0.03]


def test_a_treatment_not_computed_still_counts_for_dunnett():
    with_missing = adjust_dunnett({"a": 0.02, "b": None}, 100, {"a": 100, "b": 100})
    complete = adjust_dunnett({"a": 0.02, "b": 0.9}, 100, {"a": 100, "b": 100})
    assert with_missing.members["a"] == complete.members["a"]
    assert with_missing.not_computed == ("b",)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adjust_dunnett({"a": 0.1}, 10, {"b": 10}), "give the units of each treatment compared"),
        (lambda: adjust_dunnett({"a": 0.1}, 0, {"a": 10}), "every arm needs units"),
        (lambda: adjust_dunnett({"a": 1.1}, 10, {"a": 10}), "give probabilities from 0 to 1"),
        (lambda: dunnett_level(10, []), "no treatment"),
        (lambda: dunnett_level(10, [10], alpha=2), "alpha: 2 is not allowed"),
    ],
)
def test_bad_families_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_dunnetts_level_holds_the_family_wise_error():
    # 40,000 replays of three treatments of unequal size, all null: Monte-Carlo standard error 0.0011.
    chance = np.random.default_rng(52)
    n = np.array([300.0, 100.0, 200.0, 400.0])
    means = chance.normal(0, 1 / np.sqrt(n), (40_000, 4))
    z = (means[:, 1:] - means[:, :1]) / np.sqrt(1 / n[1:] + 1 / n[0])
    critical = stats.norm.isf(dunnett_level(300, [100, 200, 400]) / 2)
    assert abs(np.mean(np.any(np.abs(z) > critical, axis=1)) - 0.05) < 0.0033
