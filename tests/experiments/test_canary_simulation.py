"""The canary before it begins: what it can reach, what its checks would have to show, how it ends when it is replayed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from experiments.canaries.design import CanaryDesign, declare_canary
from experiments.canaries.endings import CanaryTruth
from experiments.canaries.preview import planned_checks, planned_readings
from experiments.canaries.reach import gap_and_variance, reach_of, weakest_reach
from experiments.canaries.simulation import (
    operating_characteristics,
    simulate_canary,
)
from experiments.designs.metrics import parse_catalogue
from experiments.forms.documents import parse_document
from tests.experiments.canary_logs import CATALOGUE, DESIGN

METRICS = parse_catalogue(CATALOGUE)
TRAFFIC = {"units_per_day": 8_000, "power": 0.5}


def canary(**changes: Any) -> CanaryDesign:
    body = dict(parse_document(DESIGN, "canary").body) | {"power": TRAFFIC}
    return declare_canary(METRICS, **(body | changes))


def test_the_gap_and_the_variance_of_a_rate_are_those_of_its_baseline() -> None:
    """5 % against 15 % (twice a margin of 5 points): 5 points beyond it, (0.05 · 0.95 + 0.15 · 0.85) / 2."""
    failed = next(g for g in canary().guardrails if g.metric.name == "failed")
    assert gap_and_variance(failed, 2.0) == pytest.approx((0.05, (0.05 * 0.95 + 0.15 * 0.85) / 2))
    latency = next(g for g in canary().guardrails if g.metric.name == "latency")
    assert gap_and_variance(latency, 2.0) == pytest.approx((20.0, 60**2 * (1 + 1.1**2) / 2))


def test_one_check_is_stopped_with_the_power_of_a_plain_test() -> None:
    """A single check at the time limit of a single step: Φ(gap · √(n / 2) / √variance − z_α)."""
    design = canary(
        steps=[{"share": "20%", "hold": "1d", "minimum_units": 100, "time_limit": "1d"}],
        checks={},
        time_limit=None,
    )
    failed = next(g for g in design.guardrails if g.metric.name == "failed")
    only = reach_of(design, failed).checks
    assert len(only) == 1
    gap, variance = gap_and_variance(failed, 2.0)
    drift = gap * math.sqrt(only[0].units / 2 / variance)
    assert only[0].stopped == pytest.approx(norm.cdf(drift - norm.isf(design.harm_alpha)), abs=1e-9)
    assert (only[0].units, only[0].exposed) == (1533, 1600)


def test_what_is_reached_agrees_with_replays() -> None:
    design = canary()
    for measure in design.guardrails:
        ends = simulate_canary(design, CanaryTruth({measure.label: 2.0}), replays=6_000, seed=4)
        reach = reach_of(design, measure)
        for check in reach.checks:
            # the score test knows the margin's variance and not the truth's: a few points either way
            assert ends.stopped_before(check.exposed) == pytest.approx(
                reach.stopped_before(check.exposed), abs=0.05
            )


def test_the_weakest_guardrail_is_the_one_whose_harm_is_stopped_least_surely() -> None:
    assert weakest_reach(canary()).measure.label == "failed@1"


def test_a_level_of_a_segment_has_fewer_units_and_is_stopped_later() -> None:
    one = {"metric": "failed", "margin": 0.05, "reason": "every failure costs a ticket"}
    levels = {"segment": "platform", "levels": ["ios", "android"]}
    whole = canary(guardrails=[one], harm={"shared": "each"}, power={})
    parted = canary(guardrails=[one | levels], harm={"shared": "each"}, power={})
    of_whole, of_level = (reach_of(d, d.guardrails[0]) for d in (whole, parted))
    assert of_level.stopped < of_whole.stopped
    readings = [planned_readings(d, d.guardrails[0])[0] for d in (whole, parted)]
    excess = [reading.breach_from - 0.05 for reading in readings]
    assert excess[1] == pytest.approx(excess[0] * math.sqrt(2), rel=1e-9)


def test_a_step_that_may_be_rolled_back_when_time_is_up_stops_for_sure() -> None:
    design = canary(when_unanswered="roll back")
    assert reach_of(design, design.guardrails[0]).stopped == 1.0


def test_the_planned_checks_are_those_of_a_candidate_that_goes_on_as_soon_as_it_may() -> None:
    checks = planned_checks(canary())
    assert [(c.slot.step, c.after // 3_600, c.exposed) for c in checks] == [
        (1, 12, 200),
        (1, 24, 400),
        (2, 36, 1_200),
        (2, 48, 2_000),
    ]
    assert [check.waits for check in checks] == [False] * 4
    assert planned_checks(
        canary(power={"units_per_day": 3_000, "power": 0.5}, breach="pause", harm={"alpha": 0.2})
    )[0].waits


def test_more_units_leave_less_room_between_breach_and_within_margin() -> None:
    design = canary()
    readings = planned_readings(design, design.guardrails[0])
    widths = [reading.breach_from - reading.within_up_to for reading in readings]
    assert widths == sorted(widths, reverse=True)
    assert [reading.harm_spent for reading in readings] == sorted(reading.harm_spent for reading in readings)
    assert readings[-1].harm_spent < design.harm_alpha  # something is left for a step that is held longer


def test_the_same_seed_gives_the_same_replays_and_another_seed_others() -> None:
    truth = CanaryTruth({"failed@1": 1.0}, drift=0.3)
    one, same, other = (simulate_canary(canary(), truth, replays=400, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.exposed, same.exposed)
    assert np.array_equal(one.row, same.row)
    assert not np.array_equal(one.seconds, other.seconds)


def test_the_worse_a_candidate_is_the_more_often_and_the_sooner_it_is_stopped() -> None:
    rows = operating_characteristics(canary(), worsenings=(1.0, 1.5, 2.0, 3.0), replays=2_000)
    of_failed = [row for row in rows if row.guardrail == "failed@1"]
    assert [row.rolled_back for row in of_failed] == sorted(row.rolled_back for row in of_failed)
    assert of_failed[-1].exposed < of_failed[0].exposed
    for row in rows:
        assert row.rolled_back + row.passed + row.undecided == pytest.approx(1.0)


def test_a_margin_far_below_what_the_units_can_tell_leaves_nearly_every_replay_undecided() -> None:
    tight = [{"metric": "failed", "margin": 0.001, "reason": "every failure costs a ticket"}]
    ends = simulate_canary(canary(power={}, guardrails=tight), CanaryTruth(), replays=500)
    assert np.mean(ends.row == 7) > 0.9
    assert np.mean(ends.passed) < 0.01


def test_a_delay_of_approval_is_paid_in_users_of_the_step_before() -> None:
    soon, late = (
        simulate_canary(canary(), CanaryTruth(approval=approval), replays=300, seed=2)
        for approval in (0, 43_200)
    )
    assert float(np.mean(late.exposed[late.passed])) > float(np.mean(soon.exposed[soon.passed])) + 100


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(ValueError, match=r"worsening: \['faild@1'\] are no guardrails"):
        simulate_canary(canary(), CanaryTruth({"faild@1": 2.0}))
    with pytest.raises(ValueError, match="replays: 0"):
        simulate_canary(canary(), CanaryTruth(), replays=0)
