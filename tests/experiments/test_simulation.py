"""Operating characteristics of the whole rule: what it promises is kept, what is drawn is what was declared, and when.

Rates are held against their bound with four Monte-Carlo standard errors, √(p(1 − p)/R) for R replays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from analysis.anytime import SequencePlan, difference_sequence
from analysis.effects import Effect, compare_means, compare_to_multiple
from analysis.moments import Moments
from analysis.proportions import Proportion, compare_proportions, compare_proportions_to_multiple
from analysis.sequential import boundaries_at, group_sequential_design, stopping_probabilities
from experiments.designs.design import Design, declare
from experiments.designs.metrics import parse_catalogue
from experiments.designs.sequential import efficacy_design, futility_design
from experiments.readouts.validity import missingness_p_value
from experiments.simulation import Simulated, Simulation, Truth, simulate, truths_of
from experiments.simulation.critical import critical_of, futility_of, holm_levels, sequence_critical
from experiments.simulation.drawing import Drawn, draw
from experiments.simulation.pairs import Arm, Floats, Null, Pair, deviate, measured
from experiments.simulation.reasons import Reason, overall
from experiments.simulation.rule import Boundaries, endings
from experiments.simulation.samples import judged_measures
from experiments.simulation.schedule import schedule_of
from experiments.simulation.validity import allocation_fails, missingness_fails
from tests.experiments.designs import CATALOGUE_TEXT, NON_INFERIORITY, WRITTEN, changed, design, yaml

FOUR = """
guardrails:
  - {metric: errors, margin: {absolute: 0.0081}, reason: eight errors in a thousand}
  - {metric: revenue, margin: {relative: 15%}, reason: fifteen in a hundred is much}
  - {metric: failure_rate, margin: {absolute: 0.0008}, reason: one failure in a thousand}
"""
ALONE = "guardrails: []\nno_guardrails_reason: nothing can be harmed here\n"
LOOKS = "stopping: {rule: group-sequential, looks: [0.2, 0.4, 0.6, 0.8, 1]}"
FUTILITY = "stopping: {rule: group-sequential, looks: [0.2, 0.4, 0.6, 0.8, 1], futility: {}}"
POCOCK = "stopping: {rule: group-sequential, looks: [0.3, 0.5, 1], boundary: pocock}"
LOOKS_AT = (0.2, 0.4, 0.6, 0.8, 1.0)
ALWAYS = "stopping: {rule: always-valid, burn_in: 2000}\npower: {units_per_day: 2000}"
FEWER = "hypothesis: {expect: decrease}\n"
HARM_STOP = """
guardrails:
  - {metric: errors, margin: {absolute: 0.0081}, reason: eight errors in a thousand}
  - {metric: revenue, margin: {absolute: 0.4}, role: harm-stop, burn_in: 2000, reason: forty cents are much, alpha: 0.05}
"""
RULES: list[tuple[str, str, dict[str, Any]]] = [
    ("fixed", FOUR, WRITTEN),
    ("five looks", FOUR + LOOKS, WRITTEN),
    ("five looks, futility", FOUR + FUTILITY, WRITTEN),
    ("Pocock", FOUR + POCOCK, WRITTEN),
    ("always-valid", FOUR + ALWAYS, WRITTEN),
    ("one in five", "arms: [{name: a, share: 80%}, {name: b, share: 20%}]" + FOUR + FUTILITY, WRITTEN),
    ("two treatments", "arms: [{name: a}, {name: b}, {name: c}]" + FOUR + FUTILITY, WRITTEN),
    ("two treatments, Holm", "arms: [{name: a}, {name: b}, {name: c}]" + FOUR, WRITTEN),
    ("non-inferiority", FOUR, NON_INFERIORITY),
    ("non-inferiority, five looks", FOUR + FUTILITY, NON_INFERIORITY),
    ("harm stop", HARM_STOP + FUTILITY, WRITTEN),
]
EVERY_RULE = pytest.mark.parametrize(("changes", "base"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])


def at_most(rate: float, bound: float, replays: int) -> bool:
    return rate <= bound + 4 * math.sqrt(bound * (1 - bound) / replays)


def at_least(rate: float, bound: float, replays: int) -> bool:
    return rate >= bound - 4 * math.sqrt(bound * (1 - bound) / replays)


def rows_of(found: Simulation) -> dict[str, Simulated]:
    return {row.truth.name: row for row in found.rows}


def ships(found: Simulation, name: str) -> float:
    row = rows_of(found)[name].found
    assert row is not None
    return row.ship.value


def promises_kept(found: Design, replays: int) -> None:
    """A false SHIP at most at half of α (or α one-sided), SHIP at the planned effect with the declared power."""
    table = simulate(found, replays=replays, seed=2)
    primary = found.primary
    null, planned = ("at its margin", "0") if primary.margin is not None else ("0", "MDE")
    tail = primary.alpha / primary.sides
    assert at_most(ships(table, null), tail, replays)
    assert at_least(ships(table, planned), found.written.power.power, replays)
    for measure in found.guardrails:
        at_margin = rows_of(table)[f"{measure.label} at its margin"].found
        assert at_margin is not None
        if measure.role == "must-hold":
            assert at_most(at_margin.ship.value, measure.alpha * len(found.treatments), replays)
        else:
            tripped = sum(at.ended["harm stop"].value for at in at_margin.by_look if "harm stop" in at.ended)
            assert at_most(tripped, measure.alpha, replays)
    for row in table.rows:
        assert row.found is not None
        verdicts = (row.found.ship, row.found.do_not_ship, row.found.inconclusive, row.found.invalid)
        assert math.fsum(one.value for one in verdicts) == pytest.approx(1)
        assert math.fsum(e.value for at in row.found.by_look for e in at.ended.values()) == pytest.approx(1)
        assert at_most(row.found.invalid.value, found.written.validity.alpha, replays)


@EVERY_RULE
def test_every_rule_keeps_its_level_and_its_power(changes: str, base: dict[str, Any]) -> None:
    """4,000 replays: Monte-Carlo standard errors 0.0025 at 0.025 and 0.006 at 0.8."""
    promises_kept(design(changes, base), 4_000)


@pytest.mark.slow
@EVERY_RULE
def test_every_rule_keeps_its_level_and_its_power_over_many_replays(
    changes: str, base: dict[str, Any]
) -> None:
    """60,000 replays: Monte-Carlo standard errors 0.0006 at 0.025 and 0.0016 at 0.8."""
    promises_kept(design(changes, base), 60_000)


def test_the_bounds_have_teeth_the_false_ships_come_near_to_half_of_alpha() -> None:
    found = simulate(design(ALONE + LOOKS), replays=20_000)
    assert at_least(ships(found, "0"), 0.0245, 20_000)
    assert at_most(ships(found, "MDE"), 0.805, 20_000)


def test_fewer_units_than_the_power_needs_miss_it() -> None:
    short = design(ALONE + LOOKS + "\npower: {units_per_arm: 9500, override_reason: to see what is lost}")
    assert not at_least(ships(simulate(short, replays=4_000), "MDE"), 0.8, 4_000)


@pytest.mark.parametrize("changes", [LOOKS, FUTILITY, POCOCK])
def test_without_guardrails_it_stops_where_numerical_integration_says(changes: str) -> None:
    """A mean with thousands of units against the drift of its effect: 40,000 replays, standard errors up to 0.0025.

    A validity check fails in about one replay in a thousand; those that went on are compared.
    """
    found = design("primary: {metric: rating, mde: {absolute: 0.03}}\n" + ALONE + changes)
    schedule, plan = schedule_of(found), efficacy_design(found, found.primary)
    futile = futility_design(found)
    table = simulate(found, replays=40_000)
    baseline = found.primary.baseline
    assert baseline is not None
    assert baseline.sd is not None
    for name, size in (("0", 0.0), ("½ MDE", 0.5), ("MDE", 1.0)):
        drift = size * 0.03 / baseline.sd * math.sqrt(found.plan.information(1))
        lower = None if futile is None else futile.futility
        if lower is None:
            (expected,) = stopping_probabilities(schedule.expected, plan.critical, 2, (drift,))
        else:  # on the upper side alone: crossings of the lower one are futile as well
            (expected,) = stopping_probabilities(schedule.expected, plan.critical, 1, (drift,), lower)
        row = rows_of(table)[name].found
        assert row is not None
        for at, efficacy in zip(row.by_look, expected.efficacy, strict=True):
            seen = at.ended["ships"].value if "ships" in at.ended else 0.0
            assert seen == pytest.approx(efficacy, abs=4 * math.sqrt(max(efficacy, 1e-4) / 40_000) + 1e-3)
        stops = _stops(expected)
        assert row.looks.value == pytest.approx(np.dot(range(1, 1 + len(stops)), stops), abs=0.02)
        mean = sum(share * at.information for share, at in zip(stops, row.by_look, strict=True))
        assert row.units.value / found.plan.total == pytest.approx(mean, abs=0.005)


def _stops(expected: Any) -> list[float]:
    """Share of replays that end at each look."""
    ends = [
        sum(side[look] for side in (expected.efficacy, expected.harm, expected.futility) if look < len(side))
        for look in range(len(expected.efficacy))
    ]
    return [*ends[:-1], 1 - sum(ends[:-1])]


def test_the_same_seed_gives_the_same_numbers_whatever_else_is_asked() -> None:
    found = design(FOUR + FUTILITY)
    first, again = simulate(found, replays=3_000, seed=5), simulate(found, replays=3_000, seed=5)
    assert first == again
    truths = [truth for truth in truths_of(found) if truth.name == "MDE"]
    alone = simulate(found, replays=3_000, seed=5, truths=truths)
    assert alone.rows[0] == rows_of(first)["MDE"]
    assert simulate(found, replays=3_000, seed=6).rows != first.rows


def test_progress_is_told_up_to_the_last_replay() -> None:
    told: list[tuple[int, int]] = []
    simulate(design(FOUR), replays=3_000, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (8 * 3_000, 8 * 3_000)
    assert told == sorted(told)


def test_replays_and_seeds_that_cannot_be_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"replays: 0 is not allowed.*; seed: -1 is not allowed"):
        simulate(design(FOUR), replays=0, seed=-1)


def test_a_standard_error_is_not_0_where_every_replay_agrees() -> None:
    row = rows_of(simulate(design(FOUR), replays=100))["−MDE"].found
    assert row is not None
    assert row.ship.value == 0
    assert 0 < row.ship.standard_error < 0.01


def test_an_effect_that_no_rate_can_have_says_so_and_the_other_rows_stand() -> None:
    found = simulate(
        design(FEWER + "primary: {metric: errors, mde: {absolute: 0.03}}\n" + ALONE), replays=100
    )
    row = rows_of(found)["2 MDE"]
    assert row.truth.impossible == "errors@1: a rate of -0.01 is not between 0 and 1"
    assert row.found is None
    assert rows_of(found)["MDE"].found is not None


@pytest.mark.parametrize(
    ("changes", "base", "name", "effects"),
    [
        ("", WRITTEN, "2 MDE", {0: 0.03}),
        ("primary: {mde: {absolute: null, relative: 5%}}", WRITTEN, "−MDE", {0: -0.01}),
        ("", NON_INFERIORITY, "1½ margins worse", {0: -0.015}),
        ("", WRITTEN, "p95_latency@1 at its margin", {0: 0.015, 1: 20.0}),
        ("", NON_INFERIORITY, "p95_latency@1 at its margin", {0: 0.0, 1: 20.0}),
        (FOUR, WRITTEN, "revenue@2 at its margin", {0: 0.015, 3: -0.15 * 3.1}),
    ],
)
def test_truths_are_effects_in_the_metrics_own_units(
    changes: str, base: dict[str, Any], name: str, effects: dict[int, float]
) -> None:
    truth = next(one for one in truths_of(design(changes, base)) if one.name == name)
    assert dict(truth.effects) == pytest.approx(effects)


def test_a_metric_of_which_less_is_better_improves_downwards() -> None:
    found = design(FEWER + "primary: {metric: errors, mde: {absolute: 0.01}}\n" + ALONE)
    assert dict(next(t for t in truths_of(found) if t.name == "MDE").effects) == {0: -0.01}


def test_a_harm_stop_without_a_baseline_is_left_out_and_named() -> None:
    stop = "{metric: novelty, margin: {absolute: 1}, role: harm-stop, burn_in: 2000, reason: one item in each visit}"
    unlimited = parse_catalogue(CATALOGUE_TEXT.replace("unit: items}", "unit: items, cap: 50}"))
    fields = changed(WRITTEN, yaml(f"guardrails: [{stop}]"))
    found = simulate(declare(unlimited, **fields), replays=200)
    assert [row.truth.name for row in found.rows] == ["−MDE", "0", "½ MDE", "MDE", "2 MDE"]
    assert any("never trip here: novelty@1" in sentence for sentence in found.assumptions)


# The looks


def test_looks_are_at_the_planned_shares_of_the_units() -> None:
    found = design(FOUR + LOOKS)
    schedule = schedule_of(found)
    assert schedule.units == tuple(math.ceil(share * found.plan.total) for share in (0.2, 0.4, 0.6, 0.8, 1))
    assert schedule.expected == pytest.approx((0.2, 0.4, 0.6, 0.8, 1), abs=1e-4)


def test_an_always_valid_design_is_looked_at_every_step_until_its_units_have_come() -> None:
    found = design(FOUR + ALWAYS)
    schedule = schedule_of(found)
    weekly = [14_000 * week for week in range(1, 1 + found.plan.total // 14_000)]
    assert schedule.units == (*weekly, found.plan.total)
    later = design(FOUR + ALWAYS.replace("2000}", "2000, minimum_duration: 21d}", 1))
    assert schedule_of(later).units == (*weekly[2:], later.plan.total)


def test_without_traffic_an_always_valid_design_is_looked_at_ten_times_and_says_so() -> None:
    schedule = schedule_of(design(FOUR + "stopping: {rule: always-valid, burn_in: 2000}"))
    assert len(schedule.units) == 10
    assert "no traffic is declared" in schedule.words


def test_looks_at_times_have_what_the_declared_traffic_brings() -> None:
    """Traffic for 70 % of the plan leaves the design without its power; with too much the first sufficient look is the last."""
    at = FOUR + "stopping: {rule: group-sequential, at: [14d, 28d]}\n"

    def with_traffic(per_day: int) -> Design:
        return design(f"{at}power: {{units_per_day: {per_day}}}")

    total = design(at).plan.total
    assert schedule_of(design(at)).expected == pytest.approx((0.5, 1), abs=1e-4)
    short = with_traffic(math.floor(0.7 * total / 28))
    assert schedule_of(short).expected == pytest.approx((0.35, 0.7), abs=0.001)
    assert not at_least(ships(simulate(short, replays=2_000), "MDE"), 0.8, 2_000)
    plenty = schedule_of(with_traffic(math.ceil(1.1 * total / 14)))
    assert plenty.expected == pytest.approx((1.1,), abs=0.001)
    assert "looks after 14 days" in plenty.words


# What is drawn


def drawn(changes: str, effects: dict[int, float], replays: int = 4_000) -> tuple[Design, Any]:
    found = design(changes)
    units = schedule_of(found).units
    return found, draw(found, judged_measures(found), effects, units, replays, np.random.default_rng(3))


def test_units_and_moments_are_those_of_the_baselines() -> None:
    found, sample = drawn(FOUR + LOOKS, {0: 0.015, 3: -0.2})
    assert np.all(sample.units.sum(axis=2) == schedule_of(found).units)
    share = sample.units[:, -1, 1] / found.plan.total
    assert share.std() == pytest.approx(0.5 / math.sqrt(found.plan.total), rel=0.05)
    for index, effect in ((0, 0.015), (1, 0.0), (2, 0.0), (3, -0.2)):
        baseline = found.measures[index].baseline
        assert baseline is not None
        pair = sample.pair(index, 1)
        spread = baseline.sd or math.sqrt(baseline.mean * (1 - baseline.mean))
        difference = (pair.treatment.value - pair.control.value)[:, -1]
        error = spread * 2 / math.sqrt(found.plan.total)
        assert difference.mean() == pytest.approx(effect, abs=4 * error / math.sqrt(4_000))
        assert difference.std() == pytest.approx(error, rel=0.05)
        assert pair.control.variance[:, -1].mean() == pytest.approx(spread**2, rel=0.01)


def test_the_variance_of_a_mean_is_estimated_with_n_minus_1_degrees_of_freedom_at_every_look() -> None:
    small = "primary: {metric: rating, mde: {absolute: 0.3}}\n" + ALONE + LOOKS
    _, sample = drawn(small, {0: 0.3}, 20_000)
    arm = sample.pair(0, 1).treatment
    for look in range(5):
        relative = arm.variance[:, look]  # of an sd of 1, so (n − 1) s² is chi-squared
        chi_squared = relative * (arm.n[:, look] - 1)
        assert (chi_squared - (arm.n[:, look] - 1)).mean() == pytest.approx(
            0, abs=4 * chi_squared.std() / math.sqrt(20_000)
        )
        spread = ((chi_squared - (arm.n[:, look] - 1)) / np.sqrt(2 * (arm.n[:, look] - 1))).std()
        assert spread == pytest.approx(1, abs=0.03)


def test_looks_are_cumulative_what_is_added_is_independent_of_what_was_there() -> None:
    _, sample = drawn(FOUR + LOOKS, {})
    for index in (0, 3):
        arm = sample.pair(index, 1).control
        total = arm.value * arm.n
        centred = total - total.mean(axis=0) * arm.n / arm.n.mean(axis=0)
        added = np.diff(centred, axis=1)
        for look in range(4):
            correlation = np.corrcoef(centred[:, look], added[:, look])[0, 1]
            assert correlation == pytest.approx(0, abs=4 / math.sqrt(4_000))


def test_covariates_remove_the_declared_share_of_the_variance_and_clusters_add_theirs() -> None:
    changes = (
        "primary: {metric: revenue, mde: {absolute: 0.4}, covariates: [{metric: sessions, variance_reduction: 0.3}]}\n"
        + ALONE
        + "power: {design_effect: 1.5}"
    )
    _, sample = drawn(changes, {})
    assert sample.pair(0, 1).control.variance.mean() == pytest.approx(12**2 * 0.7 * 1.5, rel=0.01)


def test_a_broken_allocation_is_found_and_a_sound_one_is_not() -> None:
    found = design(FOUR + LOOKS)
    rng = np.random.default_rng(4)
    added = rng.multinomial(8_000, (0.5, 0.5), (50_000, 1)).astype(float)
    level = 0.9 * found.written.validity.alpha / 5
    assert at_most(allocation_fails(found, added).mean(), level, 50_000)
    assert allocation_fails(found, rng.multinomial(8_000, (0.54, 0.46), (100, 1)).astype(float)).all()


@dataclass(frozen=True)
class WithMissing:
    """A drawn sample in which some units have no value of the primary."""

    drawn: Drawn
    present: Floats

    @property
    def units(self) -> Floats:
        return self.drawn.units

    def with_value(self, measure: int) -> Floats | None:
        return self.present if measure == 0 else None

    def pair(self, measure: int, treatment: int) -> Pair:
        return self.drawn.pair(measure, treatment)


def test_missing_outcomes_by_arm_are_tested_as_in_a_readout() -> None:
    found = design(FOUR)
    _, sample = drawn(FOUR, {}, 300)
    rng = np.random.default_rng(5)
    odds = np.linspace(0.03, 0.045, 300)[:, None]  # from no difference to one that is sure to be found
    rates = np.stack([np.full((300, 1), 0.03), odds], axis=2)
    missing = rng.binomial(sample.units.astype(int), rates)
    fails = missingness_fails(found, WithMissing(sample, sample.units - missing))
    level = 0.1 * found.written.validity.alpha / 4
    for replay in range(300):
        units = [int(n) for n in sample.units[replay, 0]]
        p_value = missingness_p_value(missing[replay, 0].tolist(), units)
        assert p_value is not None
        assert fails[replay, 0] == (p_value < level)
    assert 0.1 < fails.mean() < 0.9


def test_a_metric_that_too_many_units_lack_is_not_measured() -> None:
    found = design(FOUR + "rules: {max_missing: 20%}")
    _, sample = drawn(FOUR, {0: 0.015}, 50)
    none = Boundaries({}, None)
    for share, is_measured in ((0.79, False), (0.81, True)):
        present = np.ceil(sample.units * share)
        reasons = set(endings(found, WithMissing(sample, present), none).reason.tolist())
        assert (reasons != {Reason.INCONCLUSIVE}) == is_measured


# The tests, against the analysis package


def pair_of(rng: np.random.Generator, n: tuple[int, int], rate: float | None) -> tuple[Pair, Any, Any]:
    """A pair of one replay at one look, and its arms as the analysis package takes them."""
    arms, scalars = [], []
    for size in n:
        if rate is not None:
            x = int(rng.binomial(size, rate))
            scalars.append(Proportion(x, size))
            value = x / size
            numbers = (size, value, value * (1 - value) * size / (size - 1), x)
        else:
            values = rng.normal(4, 1, size)
            squares = float(((values - values.mean()) ** 2).sum())
            scalars.append(Moments(size, float(values.mean()), squares))
            numbers = (size, values.mean(), squares / (size - 1))
        arms.append(Arm(*(np.array([[number]], dtype=float) for number in numbers)))
    return Pair(*arms), *scalars


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [(12, 20), (300, 90)])
def test_every_test_is_that_of_the_analysis_package(seed: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    score = design(FOUR).primary
    mn = replace(score, test="miettinen-nurminen")
    mean = design("primary: {metric: rating, mde: {absolute: 0.3}}\n" + ALONE).primary

    def same(measure: Any, pair: Pair, null: Null, effect: Effect) -> None:
        z = deviate(measure, pair, null, measured(measure, pair))
        assert effect.z == pytest.approx(z[0, 0], rel=1e-9, abs=1e-12)

    pair, c, t = pair_of(rng, size, 0.3)
    for measure, method in ((score, "score"), (mn, "miettinen-nurminen")):
        same(measure, pair, Null(), compare_proportions(c, t, method=method))
        same(measure, pair, Null(-0.05), compare_proportions(c, t, null=-0.05, method=method))
        ratio = compare_proportions_to_multiple(c, t, 0.9, method=method)
        same(measure, pair, Null(multiple=0.9), ratio)
    same(replace(score, test="welch"), pair, Null(0.01), compare_means(c.moments, t.moments, null=0.01))
    pair, c, t = pair_of(rng, size, None)
    same(mean, pair, Null(0.1), compare_means(c, t, null=0.1))
    same(mean, pair, Null(multiple=1.05), compare_to_multiple(c, t, 1.05))


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_a_sequence_s_critical_value_is_where_its_limit_meets_the_null(alternative: Any) -> None:
    plan = SequencePlan(alpha=0.05, planned_n=8_000, burn_in=1_000, alternative=alternative)
    n = np.random.default_rng(1).integers(900, 1_200, (200, 1)).astype(float)
    found = sequence_critical(plan, n)
    for units, critical in zip(n[:, 0], found[:, 0], strict=True):
        at = difference_sequence(plan, 1.0, 1.0, int(units))
        if units < 1_000:
            assert math.isinf(critical)
            assert at.lower is None
        else:
            assert at.lower == pytest.approx(1.0 - critical, abs=2e-5)


@pytest.mark.parametrize("kind", ["lan-demets-obf", "obrien-fleming", "pocock"])
@pytest.mark.parametrize(("deviation", "allowed"), [(0.02, 2e-4), (0.002, 5e-6)])
def test_a_boundary_expanded_around_the_plan_has_nearly_the_level_of_that_found_by_integration(
    kind: str, deviation: float, allowed: float
) -> None:
    """Information off by 2 % at the first look, as chance does to some 300 units, and by 0.2 %: levels per look compared."""
    plan = group_sequential_design(kind, 0.05, LOOKS_AT, 2, power=0.8, futility="lan-demets-obf")
    critical, futile = critical_of(plan, LOOKS_AT), futility_of(plan, LOOKS_AT)
    rng = np.random.default_rng(2)
    for _ in range(20):
        moved = np.array(LOOKS_AT) * (1 + deviation * rng.normal(size=5) / np.sqrt(np.arange(1, 6)))
        exact = boundaries_at(plan, moved.tolist(), final=True)
        found = ndtr(-critical.at(moved[None])[0])
        assert found == pytest.approx(exact.nominal, abs=allowed)
        lower = np.array([-np.inf if bound is None else bound for bound in exact.futility or ()])
        assert ndtr(futile.at(moved[None])[0]) == pytest.approx(ndtr(lower), abs=20 * allowed)


def test_a_look_that_may_spend_next_to_nothing_decides_nothing() -> None:
    early = (0.05, 0.5, 1.0)
    plan = group_sequential_design("lan-demets-obf", 0.05, early, 2)
    found = critical_of(plan, early).at(np.array([early]))[0]
    assert plan.critical[0] < math.inf
    assert found[0] == math.inf
    assert found[1:] == pytest.approx(plan.critical[1:])


def test_a_boundary_at_the_planned_information_is_the_design_s_own() -> None:
    plan = group_sequential_design("lan-demets-obf", 0.05, LOOKS_AT, 2)
    assert critical_of(plan, LOOKS_AT).at(np.array([LOOKS_AT]))[0] == pytest.approx(plan.critical, abs=1e-12)


# Several treatments


def test_holm_s_levels_are_those_of_the_step_at_which_each_treatment_stands() -> None:
    p_values = np.array(
        [[[0.03, 0.01, 0.9]], [[0.03, 0.02, 0.04]], [[0.001, 0.002, 0.003]], [[np.inf, 0.01, 0.02]]]
    )
    a = 0.05
    expected = [[a / 2, a / 3, a / 2], [a / 3, a / 3, a / 3], [a / 3, a / 2, a], [a, a / 3, a / 2]]
    np.testing.assert_allclose(holm_levels(p_values, a)[:, 0], expected)


@pytest.mark.parametrize(
    ("first", "second", "ended"),
    [
        (Reason.EFFICACY, Reason.INCONCLUSIVE, (Reason.EFFICACY, Reason.EFFICACY)),
        (Reason.EFFICACY, Reason.HARM_STOP, (Reason.EFFICACY, Reason.EFFICACY)),
        (Reason.FUTILITY, Reason.INCONCLUSIVE, (Reason.GOES_ON, Reason.INCONCLUSIVE)),
        (Reason.FUTILITY, Reason.PRIMARY_HARMED, (Reason.PRIMARY_HARMED, Reason.PRIMARY_HARMED)),
        (Reason.FUTILITY, Reason.RULED_OUT, (Reason.GOES_ON, Reason.FUTILITY)),
        (Reason.HARM_STOP, Reason.INCONCLUSIVE, (Reason.INCONCLUSIVE, Reason.INCONCLUSIVE)),
        (Reason.HARM_STOP, Reason.RULED_OUT, (Reason.HARM_STOP, Reason.HARM_STOP)),
    ],
)
def test_treatments_end_together(first: Reason, second: Reason, ended: tuple[Reason, Reason]) -> None:
    """At a look before the last, and at the last, in either order of the treatments."""
    for pair in ((first, second), (second, first)):
        both_looks = np.array([[pair, pair]], dtype=np.int8)
        assert tuple(overall(both_looks)[0]) == ended


def test_a_truth_of_one_s_own_can_be_tried() -> None:
    found = design(ALONE)
    truth = Truth("a third", 1 / 3, None, {0: 0.005})
    row = simulate(found, replays=2_000, truths=[truth]).rows[0]
    assert row.found is not None
    assert 0.1 < row.found.ship.value < 0.3
