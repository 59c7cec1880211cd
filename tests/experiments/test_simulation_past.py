"""A/A replays of past logs: the sums in buckets are those of the readout, and re-splitting gives no false alarm too many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.cohorts.cohort import CutOff
from experiments.designs.design import Design
from experiments.forms.problems import Invalid
from experiments.readouts.estimates import Asked, Estimator
from experiments.simulation.buckets import BUCKETS, Buckets, scan
from experiments.simulation.pairs import Null, deviate, measured
from experiments.simulation.resplitting import Resplit, resplit
from experiments.simulation.simulating import replay_past
from tests.experiments.laboratory import Trial, assignments, events, small_trial

UNITS = 20_000
GUARDRAILS = [
    {"metric": "click_rate", "margin": {"absolute": 0.02}, "reason": "fewer clicks than this are a loss"},
    {"metric": "latency", "margin": {"absolute": 40}, "reason": "slower than this and people leave"},
    {"metric": "crashed", "margin": {"absolute": 0.012}, "reason": "more than this and people leave"},
]
PRIMARY = {"metric": "revenue", "mde": 0.5, "covariates": [{"metric": "revenue", "window": "7d"}]}


def past_logs(seed: int = 3) -> dict[str, pd.DataFrame]:
    """Twenty thousand users of an experiment whose arms the design to come does not name."""
    random = np.random.default_rng(seed)
    rows = assignments(UNITS, days=28)
    rows["arm"] = np.where(np.arange(UNITS) % 3 == 0, "old", "new")
    before = np.round(random.gamma(2, 10, UNITS), 2)
    after = np.round(0.8 * before + random.gamma(2, 4, UNITS), 2)
    views = random.poisson(4, UNITS)
    clicks = random.binomial(views, random.beta(1.5, 3.5, UNITS))
    requests = random.poisson(2, UNITS)
    own = np.repeat(random.lognormal(5, 0.4, UNITS), requests)
    latency = np.round(own * random.lognormal(0, 0.5, requests.sum()), 2)
    crashed = random.random(UNITS) < 0.05

    def repeated(times: np.ndarray) -> pd.DataFrame:
        return rows.loc[rows.index.repeat(times)].reset_index(drop=True)

    logged = [
        events(rows, "pay", before, after="-24h"),
        events(rows, "pay", after),
        events(repeated(views), "view"),
        events(repeated(clicks), "click"),
        events(repeated(requests), "request", latency),
        events(rows[crashed].reset_index(drop=True), "crash"),
    ]
    return {"assignments": rows, "outcomes": pd.concat(logged)}


def trial_of(folder: Path, frames: dict[str, pd.DataFrame], **changes: Any) -> Trial:
    declared: dict[str, Any] = {
        "primary": PRIMARY,
        "guardrails": GUARDRAILS,
        "no_guardrails_reason": None,
        "power": {"units_per_arm": UNITS // 2, "override_reason": "what the logs of this test hold"},
        "stopping": {"rule": "group-sequential", "looks": [0.3, 0.6, 1]},
        **changes,
    }
    return small_trial(folder, frames, design=declared)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, Design, Buckets]:
    trial = trial_of(tmp_path_factory.mktemp("past"), past_logs())
    design = trial.design
    return trial, design, scan(design, trial.sources, trial.outcomes)


def bucket_of(units: pd.Series) -> np.ndarray:
    """The bucket by hashlib, beside the scan's SQL."""
    from hashlib import sha256

    return np.array([int(sha256(f"replay/buckets:{unit}".encode()).hexdigest()[:3], 16) for unit in units])


def test_the_units_of_all_arms_lie_in_their_hashed_buckets_in_order_of_enrolment(
    past: tuple[Trial, Design, Buckets],
) -> None:
    trial, _, buckets = past
    rows = trial.frames["assignments"]
    expected = np.zeros((BUCKETS, 3))
    look = np.searchsorted([6_000, 12_000, 20_000], np.arange(UNITS), side="right")
    np.add.at(expected, (bucket_of(rows.unit), look), 1)
    assert buckets.schedule.units == (6_000, 12_000, 20_000)
    np.testing.assert_array_equal(buckets.units, expected)


def test_a_resplit_is_judged_like_the_same_split_in_real_logs(
    tmp_path: Path, past: tuple[Trial, Design, Buckets]
) -> None:
    """The arms of a re-split are written into the assignment log and read by the real path: the same numbers, but for the
    quantile, whose slope is that of all requests together."""
    trial, design, buckets = past
    one = resplit(design, buckets, 1, np.random.default_rng(5))
    labels = one._in_arm[1][0].astype(int)
    rows = trial.frames["assignments"].copy()
    rows["arm"] = np.array(["control", "treatment"])[labels[bucket_of(rows.unit)]]
    again = trial_of(tmp_path, {**trial.frames, "assignments": rows})
    taken = again.take(cut_off=CutOff(None, None))
    estimator = Estimator(again.design, taken.evidence)
    for index, measure in enumerate(design.measures):
        pair = one.pair(index, 1)
        z = deviate(measure, pair, Null(), measured(measure, pair))[0, -1]
        estimate = pair.treatment.value[0, -1] - pair.control.value[0, -1]
        effect, _ = estimator.effect(index, 1, Asked(0.05))
        quantile = measure.metric.type == "quantile"
        assert effect.z == pytest.approx(z, **({"abs": 0.15} if quantile else {"rel": 1e-9})), measure.label
        assert effect.estimate == pytest.approx(estimate, **({"abs": 1.0} if quantile else {"rel": 1e-9}))
        assert effect.n_control == pair.control.n[0, -1]


def test_units_fall_to_the_arms_by_chance_as_single_units_would(past: tuple[Trial, Design, Buckets]) -> None:
    _, design, buckets = past
    units = resplit(design, buckets, 2_000, np.random.default_rng(1)).units[:, -1]
    assert np.all(units.sum(axis=1) == UNITS)
    assert units[:, 0].std() == pytest.approx(np.sqrt(UNITS / 4), rel=0.08)


def test_the_statistics_of_re_splits_are_standard_normal(past: tuple[Trial, Design, Buckets]) -> None:
    """2,000 re-splits; the spread is off by 1/√(2·2000) = 1.6 % by chance and 1.1 % by the buckets that were hashed."""
    _, design, buckets = past
    sample = resplit(design, buckets, 2_000, np.random.default_rng(2))
    for index, measure in enumerate(design.measures):
        pair = sample.pair(index, 1)
        z = deviate(measure, pair, Null(), measured(measure, pair))[:, -1]
        assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(2_000)), measure.label
        assert z.std() == pytest.approx(1, abs=4 * np.hypot(0.016, 0.011)), measure.label
        assert stats.kstest(z / z.std(), "norm").pvalue > 1e-4


def test_a_a_replays_ship_no_more_often_than_half_of_alpha(past: tuple[Trial, Design, Buckets]) -> None:
    """4,000 replays: Monte-Carlo standard error 0.0025, and 0.0013 for the buckets' own spread."""
    _, design, buckets = past
    done: list[tuple[int, int]] = []
    found = replay_past(
        design, buckets, replays=4_000, seed=9, progress=lambda now, total: done.append((now, total))
    )
    assert found.found.ship.value < 0.025 + 4 * np.hypot(0.0025, 0.0013)
    assert found.found.ship.value > 0.005
    assert found.found.invalid.value < 0.004
    assert done[-1] == (4_000, 4_000)
    assert (found.units, found.used, found.experiment) == (UNITS, UNITS, "small")
    assert replay_past(design, buckets, replays=500, seed=9) == replay_past(
        design, buckets, replays=500, seed=9
    )


def test_fewer_units_than_planned_set_the_looks_and_are_said(tmp_path: Path) -> None:
    more = {"units_per_arm": UNITS, "override_reason": "twice what the logs of this test hold"}
    trial = trial_of(tmp_path, past_logs(), power=more)
    buckets = scan(trial.design, trial.sources, trial.outcomes)
    assert buckets.schedule.units == (6_000, 12_000, 20_000)
    assert buckets.schedule.expected == pytest.approx((0.15, 0.3, 0.5))
    assert "only 20,000 of 40,000" in buckets.schedule.words


def test_missing_outcomes_are_counted_by_arm(tmp_path: Path) -> None:
    """A mean of a tenth of the units' values: the rest is missing, which may be more in one arm by chance only."""
    frames = past_logs()
    rated = frames["assignments"].iloc[::2].reset_index(drop=True)
    frames["outcomes"] = pd.concat([frames["outcomes"], events(rated, "solved")])
    trial = trial_of(tmp_path, frames, primary={"metric": "solved", "mde": 0.05}, rules={"max_missing": 0.6})
    buckets = scan(trial.design, trial.sources, trial.outcomes)
    sample = resplit(trial.design, buckets, 50, np.random.default_rng(1))
    assert np.all(sample.with_value(0).sum(axis=2)[:, -1] == UNITS / 2)
    assert isinstance(sample, Resplit)


def test_a_unit_without_history_has_a_value_though_it_takes_no_part_in_the_adjustment(tmp_path: Path) -> None:
    frames = past_logs()
    logged = frames["outcomes"]
    first = frames["assignments"].set_index("unit").assigned_at
    before = (logged.event == "pay") & (logged.occurred_at.to_numpy() < first.loc[logged.unit].to_numpy())
    newcomers = logged.unit.isin(frames["assignments"].unit[::4])
    frames["outcomes"] = logged[~(before & newcomers)]
    basket = {
        "metric": "basket",
        "mde": 0.5,
        "covariates": [{"metric": "basket"}],
        "without_history": "exclude",
    }
    trial = trial_of(tmp_path, frames, primary=basket)
    buckets = scan(trial.design, trial.sources, trial.outcomes)
    assert buckets.gathered[0].n.sum() == UNITS * 3 / 4
    assert buckets.with_value[0].sum() == UNITS


def test_too_few_units_are_refused(tmp_path: Path) -> None:
    frames = past_logs()
    frames["assignments"] = frames["assignments"].iloc[:5_000]
    trial = trial_of(tmp_path, frames)
    with pytest.raises(Invalid, match="5,000 mature units, and re-splitting them needs 8,192 or more"):
        scan(trial.design, trial.sources, trial.outcomes)
