import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from analysis.paired import (
    PairedTable,
    mcnemar,
    mcnemar_asymptotic,
    mcnemar_corrected,
    mcnemar_exact,
    mcnemar_midp,
)
from tests.references.paired_formulas import exact_mcnemar_by_counting

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "gsm8k_paired_correct.csv"

counts = st.integers(0, 400)
tables = st.builds(PairedTable, counts, counts, counts, counts)


def discordant(b, c):
    return PairedTable(both=100, candidate_only=b, champion_only=c, neither=50)


def test_two_language_models_on_the_same_problems():
    # gsm8k, 6b_verification v 175b_finetuning: discordant 209 / 152
    table = discordant(209, 152)
    assert mcnemar_exact(table).p_value == pytest.approx(0.003150656880, abs=1e-12)
    assert mcnemar_asymptotic(table).statistic == pytest.approx(9.0, abs=1e-12)
    assert mcnemar_corrected(table).statistic == pytest.approx(8.68698, abs=5e-6)


@pytest.mark.skipif(not DATA.exists(), reason="the shared data folder is absent")
def test_the_table_of_the_recorded_answers():
    with DATA.open() as file:
        rows = list(csv.DictReader(file))
    table = PairedTable.of(
        [row["6b_verification"] == "True" for row in rows], [row["175b_finetuning"] == "True" for row in rows]
    )
    assert (table.candidate_only, table.champion_only, table.pairs) == (209, 152, 1319)


@pytest.mark.parametrize(
    ("b", "c", "chi2", "p", "chi2_corrected", "p_corrected", "exact", "midp"),
    [
        # Vassar calculator and R mcnemar.test, as held by statsmodels test_nonparametric.py
        (121, 59, 21.35556, 3.815136e-06, 20.67222, 5.450095e-06, 4e-06, None),
        (30, 60, None, None, None, None, 0.00206, None),
        # Fagerland, Lydersen & Laake, Statistical Analysis of Contingency Tables, chapter 8 (Cavo 2012)
        (6, 16, 2.132**2, 0.033006, None, 0.055009, 0.052479, 0.03469),
        # R mcnemar.test
        (15, 7, 2.9091, 0.08808151, 2.2273, 0.135593, None, None),
        (8, 14, None, None, 1.1364, 0.2864, None, None),
        (10, 4, 2.571428571, None, 1.785714286, None, None, None),
        (20, 49, None, None, 11.362, 0.0007495, None, None),
    ],
)
def test_published_mcnemar_results(b, c, chi2, p, chi2_corrected, p_corrected, exact, midp):
    table = discordant(b, c)
    plain, corrected = mcnemar_asymptotic(table), mcnemar_corrected(table)
    published = [
        (plain.statistic, chi2, 2e-3 if b == 6 else 5e-5),
        (plain.p_value, p, 5.1e-7),
        (corrected.statistic, chi2_corrected, 5.1e-4),
        (corrected.p_value, p_corrected, 5.1e-5),
        (mcnemar_exact(table).p_value, exact, 5.1e-6),
        (mcnemar_midp(table).p_value, midp, 5.1e-6),
    ]
    for ours, theirs, tolerance in published:
        if theirs is not None:
            assert ours == pytest.approx(theirs, abs=tolerance)


@given(b=st.integers(0, 300), c=st.integers(0, 300))
def test_the_exact_p_is_a_ratio_of_whole_numbers(b, c):
    assert mcnemar_exact(discordant(b, c)).p_value == pytest.approx(exact_mcnemar_by_counting(b, c), rel=1e-9)


@given(b=st.integers(1, 300), c=st.integers(0, 300))
def test_statsmodels_agrees(b, c):
    table = [[100, b], [c, 50]]
    plain = statsmodels_mcnemar(table, exact=False, correction=False)
    assert mcnemar_asymptotic(discordant(b, c)).p_value == pytest.approx(plain.pvalue, rel=1e-9)
    if b != c:
        corrected = statsmodels_mcnemar(table, exact=False, correction=True)
        assert mcnemar_corrected(discordant(b, c)).statistic == pytest.approx(corrected.statistic, rel=1e-9)


def test_the_corrected_statistic_is_floored_at_zero_when_the_split_is_even():
    found = mcnemar_corrected(discordant(7, 7))
    assert (found.statistic, found.p_value) == (0.0, 1.0)


@given(
    table=tables.filter(lambda t: t.discordant > 0),
    method=st.sampled_from(["exact", "midp", "asymptotic", "corrected"]),
)
def test_swapping_the_models_mirrors_the_test(table, method):
    there, back = table, table.swapped()
    assert mcnemar(there, method=method).p_value == mcnemar(back, method=method).p_value
    better = mcnemar(there, method=method, alternative="greater").p_value
    worse = mcnemar(back, method=method, alternative="less").p_value
    assert better == worse


@given(b=st.integers(0, 60), c=st.integers(0, 60))
def test_the_mid_p_is_below_the_exact_p_and_its_two_tails_add_to_one(b, c):
    table = discordant(b, c)
    assert mcnemar_midp(table).p_value <= mcnemar_exact(table).p_value
    tails = [mcnemar_midp(table, alternative=a).p_value for a in ("greater", "less")]
    assert sum(tails) == pytest.approx(1)


def test_concordant_pairs_do_not_count():
    few, many = PairedTable(0, 12, 5, 0), PairedTable(10_000, 12, 5, 3_000)
    for method in ("exact", "midp", "asymptotic", "corrected"):
        assert mcnemar(few, method=method).p_value == mcnemar(many, method=method).p_value


def test_without_discordant_pairs_the_exact_test_cannot_reject_and_chi_squared_is_not_computed():
    table = PairedTable(10, 0, 0, 10)
    assert mcnemar_exact(table).p_value == 1.0
    assert mcnemar_midp(table).p_value == 1.0
    found = mcnemar_asymptotic(table)
    assert (found.statistic, found.p_value, found.not_computed) == (None, None, "no discordant pairs")


@pytest.mark.parametrize("method", ["exact", "midp", "asymptotic", "corrected"])
def test_without_pairs_nothing_is_computed(method):
    found = mcnemar(PairedTable(0, 0, 0, 0), method=method)
    assert (found.p_value, found.not_computed) == (None, "no pairs")


def test_the_exact_test_keeps_its_level_and_mid_p_comes_nearer_to_it():
    # every outcome of 25 discordant pairs, weighted by its probability under the null
    from scipy.stats import binom

    weights = binom.pmf(np.arange(26), 25, 0.5)
    level = {
        method: sum(
            w for b, w in enumerate(weights) if mcnemar(discordant(b, 25 - b), method=method).p_value < 0.05
        )
        for method in ("exact", "midp")
    }
    assert level["exact"] <= 0.05
    assert level["exact"] <= level["midp"]


def test_a_table_is_counted_from_right_and_wrong():
    table = PairedTable.of([1, 1, 0, 0, 1], [True, False, True, False, False])
    assert table == PairedTable(both=1, candidate_only=2, champion_only=1, neither=1)
    assert table.difference == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PairedTable(1, -1, 2, 0.5), "candidate_only: -1 is not allowed"),
        (lambda: PairedTable(1, -1, 2, 0.5), "neither: 0.5 is not allowed"),
        (lambda: PairedTable.of([1, 0], [1]), "give two arrays of the same length"),
        (lambda: PairedTable.of([1, 2], [1, 0]), "candidate_right: holds values other than 0 and 1"),
        (lambda: PairedTable.of([1, float("nan")], [1, 0]), "leave requests without a label out"),
        (lambda: mcnemar(PairedTable(1, 1, 1, 1), method="yates"), "method: 'yates' is unknown"),
        (lambda: mcnemar_exact(PairedTable(1, 1, 1, 1), alternative="up"), "alternative: 'up' is unknown"),
    ],
)
def test_a_bad_input_is_refused_with_what_to_do(build, message):
    with pytest.raises(ValueError) as refusal:
        build()
    assert message in str(refusal.value)
