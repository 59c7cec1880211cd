import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.power import (
    MeansComparison,
    PowerPlan,
    ProportionsComparison,
    design_effect,
    detectable_by_week,
    detectable_effect,
    detectable_margin,
    duration,
    largest_requirement,
    power_of,
    sample_size,
    sample_size_means,
    sample_size_proportions,
    split_beta,
)
from analysis.power.many_to_one import dunnett_tail_alpha


def test_each_arm_is_rounded_up_on_its_own():
    found = sample_size_means(10, 1, allocation=(0.9, 0.1))
    assert found.n_per_arm == tuple(math.ceil(u) for u in found.unrounded)
    assert found.unrounded[0] / found.unrounded[1] == pytest.approx(9)
    assert found.total == sum(found.n_per_arm)


def test_only_the_ratios_of_the_allocation_matter():
    halves = sample_size_proportions(0.1, 0.01, allocation=(0.5, 0.5))
    assert halves.n_per_arm == sample_size_proportions(0.1, 0.01, allocation=(7, 7)).n_per_arm


def test_rounding_error_does_not_add_a_unit():
    for exact in range(20, 400):
        sd = math.sqrt(exact / sample_size_means(1, 1).unrounded[0])
        assert sample_size_means(sd, 1).n_per_arm == (exact, exact)


@settings(max_examples=60, deadline=None)
@given(
    n=st.tuples(st.integers(20, 5000), st.integers(20, 5000)),
    baseline=st.floats(0.02, 0.9),
    sign=st.sampled_from([-1, 1]),
    power=st.floats(0.5, 0.95),
)
def test_the_detectable_effect_has_exactly_the_power(n, baseline, sign, power):
    plan = PowerPlan(power=power)
    planned = ProportionsComparison(baseline, sign * 1e-3)
    found = detectable_effect(planned, n, plan)
    if found.value is None:
        assert "no possible effect" in found.not_computed
        return
    assert math.copysign(1, found.value) == sign
    assert power_of(planned.with_effect(found.value), n, plan) == pytest.approx(power, abs=1e-6)
    assert power_of(planned.with_effect(found.value), n, plan) >= power


def test_the_detectable_effect_of_a_mean_is_the_closed_form():
    found = detectable_effect(MeansComparison(3, 4, -0.2), (500, 800), PowerPlan(power=0.9))
    closed = (stats.norm.isf(0.025) + stats.norm.ppf(0.9)) * math.sqrt(9 / 500 + 16 / 800)
    assert found.value == pytest.approx(-closed, rel=1e-9)


@pytest.mark.parametrize("relative", [False, True])
def test_the_detectable_margin_is_the_inverse_of_the_sample_size(relative):
    planned = ProportionsComparison(0.2, 0.0, 0.1, relative=relative)
    plan = PowerPlan(alpha=0.025, sides=1)
    found = detectable_margin(planned, (4000, 4000), plan)
    again = sample_size_proportions(0.2, margin=found.value, relative=relative)
    assert again.n_per_arm == (4000, 4000)


def test_a_margin_smaller_than_the_true_harm_cannot_be_ruled_out():
    planned = MeansComparison(10, 10, -0.5, 2.0)
    found = detectable_margin(planned, (10_000, 10_000), PowerPlan(alpha=0.025, sides=1))
    closed = 0.5 + (stats.norm.isf(0.025) + stats.norm.ppf(0.8)) * 10 * math.sqrt(2 / 10_000)
    assert found.value == pytest.approx(closed, rel=1e-9)


def test_two_units_detect_no_effect_and_say_so():
    found = detectable_effect(ProportionsComparison(0.2, 0.01), (2, 2), PowerPlan())
    assert found.value is None
    assert found.not_computed == "no possible effect reaches power 0.8 with (2, 2) units"


def test_the_two_questions_are_not_mixed():
    with pytest.raises(ValueError, match="ask detectable_margin"):
        detectable_effect(ProportionsComparison(0.2, 0, 0.02), (100, 100), PowerPlan())
    with pytest.raises(ValueError, match="margin: missing"):
        detectable_margin(ProportionsComparison(0.2, 0.02), (100, 100), PowerPlan())
    with pytest.raises(ValueError, match="n_per_arm"):
        power_of(ProportionsComparison(0.2, 0.02), (100, 0), PowerPlan())
    with pytest.raises(ValueError, match="2 planned for 1 treatment"):
        sample_size([ProportionsComparison(0.2, 0.02)] * 2, PowerPlan())


class TestSeveralTreatmentArms:
    def test_by_default_they_share_alpha_by_bonferroni(self):
        three = sample_size_proportions(0.2, 0.02, allocation=(1, 1, 1))
        assert three.tail_alpha == pytest.approx(0.0125)
        assert three.n_per_arm[:2] == sample_size_proportions(0.2, 0.02, alpha=0.025).n_per_arm

    def test_the_first_step_of_holm_is_bonferroni(self):
        holm = sample_size_proportions(0.2, 0.02, allocation=(1, 1, 1), multiplicity="holm")
        assert holm.n_per_arm == sample_size_proportions(0.2, 0.02, allocation=(1, 1, 1)).n_per_arm

    def test_without_sharing_each_has_the_whole_alpha(self):
        alone = sample_size_proportions(0.2, 0.02, allocation=(1, 1, 1), multiplicity="none")
        assert alone.n_per_arm[:2] == sample_size_proportions(0.2, 0.02).n_per_arm

    @pytest.mark.parametrize(
        ("arms", "sides", "alpha", "critical"),
        # Dunnett (1955, 1964) tables at infinite degrees of freedom, equal arms
        [
            (2, 2, 0.05, 2.21),
            (3, 2, 0.05, 2.35),
            (9, 2, 0.05, 2.69),
            (2, 1, 0.05, 1.92),
            (3, 1, 0.05, 2.06),
            (3, 2, 0.01, 2.91),
            (3, 1, 0.01, 2.68),
        ],
    )
    def test_dunnett_critical_values_are_those_of_the_tables(self, arms, sides, alpha, critical):
        tail = dunnett_tail_alpha(alpha, sides, (1,) * (arms + 1))
        assert stats.norm.isf(tail) == pytest.approx(critical, abs=0.0051)

    def test_dunnett_agrees_with_the_multivariate_normal_at_unequal_allocation(self):
        allocation = np.array([2.0, 1.0, 3.0, 0.5])
        critical = stats.norm.isf(dunnett_tail_alpha(0.05, 1, tuple(allocation)))
        loading = np.sqrt(allocation[1:] / (allocation[0] + allocation[1:]))
        correlation = np.outer(loading, loading)
        np.fill_diagonal(correlation, 1)
        joint = stats.multivariate_normal(cov=correlation, abseps=1e-7, maxpts=10**6, seed=1)
        assert 1 - joint.cdf(np.full(3, critical)) == pytest.approx(0.05, abs=1e-5)

    def test_dunnett_lies_between_no_sharing_and_bonferroni(self):
        def needed(multiplicity):
            return sample_size_means(1, 0.1, allocation=(1, 1, 1, 1), multiplicity=multiplicity).total

        assert needed("none") < needed("dunnett") < needed("bonferroni")

    def test_dunnett_is_about_the_treatment_arms_alone(self):
        with pytest.raises(ValueError, match="not allowed with dunnett"):
            sample_size_means(1, 0.1, comparisons=4, multiplicity="dunnett")


class TestClusters:
    def test_equal_clusters_have_kishs_design_effect(self):
        assert design_effect(20, 0.05) == pytest.approx(1.95)

    def test_unequal_clusters_cost_more(self):
        # Eldridge, Ashby & Kerry (2006): CV 0.65 at m 20, ICC 0.05
        assert design_effect(20, 0.05, 0.65) == pytest.approx(1 + ((1 + 0.65**2) * 20 - 1) * 0.05)

    def test_bad_inputs_are_all_named(self):
        with pytest.raises(ValueError) as refusal:
            design_effect(0.5, 2, -1)
        assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == [
            "cluster_size",
            "icc",
            "cluster_size_cv",
        ]


class TestTraffic:
    def test_enrolment_is_in_whole_weeks_and_outcomes_mature_after_it(self):
        found = duration(22_944, 1500, share=0.5, window_days=7, label_delay_days=2.5)
        assert (found.enrolment_days, found.enrolment_weeks) == (31, 5)
        assert (found.maturity_days, found.total_days) == (10, 45)

    def test_a_whole_number_of_days_is_not_rounded_up(self):
        assert duration(2100, 100 * 3, share=1.0).enrolment_days == 7
        assert duration(2101, 300).enrolment_days == 8

    def test_bad_inputs_are_all_named(self):
        with pytest.raises(ValueError) as refusal:
            duration(0, 0, share=2, window_days=-1)
        assert len(str(refusal.value).splitlines()) == 4

    def test_each_week_detects_less(self):
        planned = ProportionsComparison(0.2, 0.015)
        weeks = detectable_by_week(planned, [4000] * 6, PowerPlan())
        assert [w.n_per_arm for w in weeks] == [(2000 * k, 2000 * k) for k in range(1, 7)]
        effects = [w.effect for w in weeks]
        assert effects == sorted(effects, reverse=True)
        assert weeks[-1].power == power_of(planned, (12_000, 12_000), PowerPlan())
        assert (weeks[4].power >= 0.8, weeks[5].power >= 0.8) == (False, True)

    def test_a_week_without_units_says_so(self):
        week = detectable_by_week(MeansComparison(1, 1, 1), [1, 100], PowerPlan())[0]
        assert (week.effect, week.power, week.not_computed) == (None, None, "fewer than 2 units in an arm")

    def test_no_weeks_are_refused(self):
        with pytest.raises(ValueError, match="weekly_units"):
            detectable_by_week(MeansComparison(1, 1, 1), [], PowerPlan())


class TestWholeRule:
    def test_beta_is_shared_equally(self):
        split = split_beta(0.8, 3)
        assert split.tests == 4
        assert split.beta_per_test == pytest.approx(0.05)
        assert split.power_per_test == pytest.approx(0.95)
        assert split_beta(0.8, 0).power_per_test == 0.8

    @pytest.mark.parametrize("correlation", [-0.4, 0.0, 0.9])
    def test_all_tests_together_reach_the_declared_power(self, correlation):
        split = split_beta(0.8, 2)
        rng = np.random.default_rng(11)
        covariance = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
        z = rng.multivariate_normal(np.zeros(3), covariance, 200_000)
        together = np.mean((z > stats.norm.isf(split.power_per_test)).all(axis=1))
        assert together >= 0.8 - 3 * 0.0009  # Monte-Carlo standard error 0.0009

    def test_the_largest_requirement_names_its_metric(self):
        needs = {
            "conversion": sample_size_proportions(0.2, 0.02),
            "latency": sample_size_means(200, margin=5, direction="lower"),
            "errors": sample_size_proportions(0.01, margin=0.005, direction="lower"),
        }
        found = largest_requirement(needs)
        assert found.name == "latency"
        assert found.n_per_arm == needs["latency"].n_per_arm
        assert dict(found.totals) == {name: need.total for name, need in needs.items()}

    def test_the_first_declared_of_equals_is_named(self):
        need = sample_size_means(1, 0.1)
        assert largest_requirement({"b": need, "a": need}).name == "b"

    def test_nothing_to_compare_and_different_allocations_are_refused(self):
        with pytest.raises(ValueError, match="none given"):
            largest_requirement({})
        with pytest.raises(ValueError, match="allocation"):
            largest_requirement(
                {"a": sample_size_means(1, 0.1), "b": sample_size_means(1, 0.1, allocation=(1, 2))}
            )
        with pytest.raises(ValueError) as refusal:
            split_beta(0.2, -1)
        assert len(str(refusal.value).splitlines()) == 2
