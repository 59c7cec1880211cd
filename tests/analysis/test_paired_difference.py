import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.paired import PairedTable, mcnemar_asymptotic, paired_difference, paired_noninferiority
from analysis.paired.difference import tango_z
from tests.references.paired_formulas import tango_statistic_by_likelihood

METHODS = ("tango", "newcombe", "newcombe-uncorrected", "bonett-price")

small = st.integers(0, 60)
tables = st.builds(PairedTable, small, small, small, small).filter(lambda t: t.pairs > 0)


@pytest.mark.parametrize(
    ("cells", "method", "expected", "tolerance"),
    # cells as published: both, first only, second only, neither; the candidate is the first
    [
        # Fagerland, Lydersen & Laake, Statistical Analysis of Contingency Tables, chapter 8 (Cavo 2012)
        ((59, 6, 16, 80), "tango", (-0.124, -0.0054), 5.1e-5),
        ((59, 6, 16, 80), "newcombe", (-0.1186, -0.0046), 5.1e-5),
        ((59, 6, 16, 80), "newcombe-uncorrected", (-0.1174, -0.0059), 5.1e-5),
        ((59, 6, 16, 80), "bonett-price", (-0.1195, -0.0032), 5.1e-5),
        # Tango 1998, Table VII
        ((4, 9, 3, 16), "tango", (-0.027, 0.390), 5.1e-4),
        # Agresti & Min 2005
        ((53, 16, 8, 9), "tango", (-0.020, 0.207), 5.1e-4),
        # Newcombe 1998: methods 8 and 10
        ((20, 12, 2, 16), "newcombe-uncorrected", (0.0618, 0.3242), 5.1e-5),
        ((20, 12, 2, 16), "newcombe", (0.0562, 0.3292), 5.1e-5),
        # Chang 2024, as held by petelaud/ratesci test3.R
        ((7, 25, 2, 68), "tango", (0.139, 0.321), 5.1e-4),
        ((7, 25, 2, 68), "newcombe", (0.133, 0.318), 5.1e-4),
    ],
)
def test_published_intervals(cells, method, expected, tolerance):
    found = paired_difference(PairedTable(*cells), method=method)
    assert found.ci == pytest.approx(expected, abs=tolerance)


@settings(deadline=None)
@given(table=tables, difference=st.floats(-0.9, 0.9))
def test_the_score_statistic_maximises_the_trinomial_likelihood(table, difference):
    brute = tango_statistic_by_likelihood(table.candidate_only, table.champion_only, table.pairs, difference)
    assert tango_z(table, difference) == pytest.approx(brute, rel=1e-4, abs=1e-5)


@given(table=tables, level=st.floats(0.5, 0.999))
def test_tangos_interval_is_the_inversion_of_its_test(table, level):
    lower, upper = paired_difference(table, level=level).ci
    z = stats.norm.isf((1 - level) / 2)
    if lower > -1:
        assert tango_z(table, lower) == pytest.approx(z, abs=1e-6)
    if upper < 1:
        assert tango_z(table, upper) == pytest.approx(-z, abs=1e-6)


@given(table=tables.filter(lambda t: t.discordant > 0))
def test_tangos_interval_excludes_zero_exactly_when_mcnemars_chi_squared_rejects(table):
    lower, upper = paired_difference(table).ci
    p = mcnemar_asymptotic(table).p_value
    if abs(p - 0.05) > 1e-9:
        assert (lower > 0 or upper < 0) == (p < 0.05)


@given(table=tables, method=st.sampled_from(METHODS), level=st.floats(0.5, 0.999))
def test_swapping_the_models_mirrors_the_interval(table, method, level):
    there = paired_difference(table, method=method, level=level)
    back = paired_difference(table.swapped(), method=method, level=level)
    assert back.difference == -there.difference
    assert back.ci == pytest.approx((-there.ci[1], -there.ci[0]), abs=1e-9)


@given(table=tables, method=st.sampled_from(METHODS), level=st.floats(0.5, 0.99))
def test_a_higher_level_gives_a_wider_interval_inside_the_possible_range(table, method, level):
    narrow = paired_difference(table, method=method, level=level).ci
    wide = paired_difference(table, method=method, level=level + 0.009).ci
    assert -1 <= wide[0] <= narrow[0] <= narrow[1] <= wide[1] <= 1


def test_without_discordant_pairs_tangos_interval_has_a_closed_form():
    # variance n·δ(1 − δ) under δ > 0: upper = z² / (n + z²)
    z2 = stats.norm.isf(0.025) ** 2
    assert paired_difference(PairedTable(30, 0, 0, 70)).ci == pytest.approx(
        (-z2 / (100 + z2), z2 / (100 + z2))
    )


@pytest.mark.parametrize(
    ("n", "discordant", "difference"), [(30, 0.3, 0.0), (30, 0.3, 0.15), (60, 0.1, 0.05), (100, 0.2, -0.1)]
)
def test_coverage_over_every_outcome(n, discordant, difference):
    pb, pc = (discordant + difference) / 2, (discordant - difference) / 2
    cover = dict.fromkeys(METHODS, 0.0)
    for b in range(n + 1):
        for c in range(n + 1 - b):
            weight = stats.multinomial.pmf([b, c, n - b - c], n, [pb, pc, 1 - pb - pc])
            if weight < 1e-8:
                continue
            # the concordant pairs split as 3 to 1, which only Newcombe's intervals look at
            both = 3 * (n - b - c) // 4
            table = PairedTable(both, b, c, n - b - c - both)
            for method in METHODS:
                lower, upper = paired_difference(table, method=method).ci
                cover[method] += weight * (lower <= difference <= upper)
    # near the nominal 0.95; the uncorrected hybrid is known to be the least reliable of them
    assert all(0.93 <= cover[m] <= 0.99 for m in ("tango", "newcombe", "bonett-price")), cover
    assert cover["newcombe-uncorrected"] >= 0.92


class TestNonInferiority:
    def test_the_margin_is_ruled_out_exactly_when_it_lies_outside_the_interval(self):
        rng = np.random.default_rng(3)
        decided = set()
        for _ in range(400):
            cells = rng.multinomial(400, [0.55, 0.1, 0.1, 0.25])
            table = PairedTable(*map(int, cells))
            higher = paired_noninferiority(table, 0.05)
            lower = paired_noninferiority(table, 0.05, direction="lower")
            assert higher.ruled_out == (higher.p_value < 0.025) == (higher.ci[0] > -0.05)
            assert lower.ruled_out == (lower.p_value < 0.025) == (lower.ci[1] < 0.05)
            decided |= {(higher.ruled_out, lower.ruled_out)}
        assert len(decided) > 2

    def test_the_interval_is_two_sided_at_one_minus_twice_alpha(self):
        table = PairedTable(900, 60, 50, 300)
        found = paired_noninferiority(table, 0.01, alpha=0.05)
        assert found.ci == paired_difference(table, level=0.90).ci

    @given(table=tables, margin=st.floats(0.01, 0.5))
    def test_swapping_the_models_and_the_direction_mirrors_the_test(self, table, margin):
        there = paired_noninferiority(table, margin)
        back = paired_noninferiority(table.swapped(), margin, direction="lower")
        assert there.p_value == pytest.approx(back.p_value, rel=1e-6, abs=1e-12)

    def test_at_the_margin_it_errs_at_its_level(self):
        # pairs at exactly −0.03, discordance 0.2; Monte-Carlo standard error 0.0011
        rng = np.random.default_rng(20250305)
        cells = rng.multinomial(1000, [0.6, 0.085, 0.115, 0.2], size=20_000)
        unique, times = np.unique(cells[:, 1:3], axis=0, return_counts=True)
        wrong = sum(
            t * paired_noninferiority(PairedTable(1000 - int(b + c), int(b), int(c), 0), 0.03).ruled_out
            for (b, c), t in zip(unique, times, strict=True)
        )
        assert wrong / 20_000 == pytest.approx(0.025, abs=0.0045)

    def test_without_pairs_the_margin_is_never_ruled_out(self):
        found = paired_noninferiority(PairedTable(0, 0, 0, 0), 0.5)
        assert (found.ruled_out, found.p_value, found.ci, found.not_computed) == (
            False,
            None,
            None,
            "no pairs",
        )

    def test_bad_inputs_are_all_named(self):
        with pytest.raises(ValueError) as refusal:
            paired_noninferiority(PairedTable(1, 1, 1, 1), -1, alpha=0.7, direction="up")
        assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == [
            "margin",
            "alpha",
            "direction",
        ]
        with pytest.raises(ValueError, match="a share below 1"):
            paired_noninferiority(PairedTable(1, 1, 1, 1), 1.5)


def test_without_pairs_no_interval_is_computed():
    found = paired_difference(PairedTable(0, 0, 0, 0))
    assert (found.difference, found.ci, found.not_computed) == (None, None, "no pairs")


@pytest.mark.parametrize("arguments", [{"method": "wald"}, {"level": 1.0}, {"level": math.nan}])
def test_an_unknown_method_or_level_is_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        paired_difference(PairedTable(1, 1, 1, 1), **arguments)
