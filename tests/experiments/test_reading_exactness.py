"""Exact sums: the same bits whatever the threads, the order of rows and the files; right where doubles are not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.effects import compare_means
from analysis.moments import Moments
from experiments.forms.problems import Invalid
from tests.experiments.laboratory import Trial, assignments, events, of_metric, small_trial

DESIGN = {
    "primary": {
        "metric": "revenue",
        "mde": 1.0,
        "covariates": [{"metric": "revenue", "window": "14d"}, {"attribute": "age"}],
    },
    "secondary": {"metrics": ["basket", "visits", "latency", "click_rate", "converted"]},
    "segments": ["country"],
    "sensitivity": ["unadjusted"],
    "power": {"units_per_arm": 500, "override_reason": "the logs of a test are small"},
}


def population(seed: int = 5, n: int = 6_000) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    rows = assignments(n, country=random.choice(["NL", "BE", None], n), age=random.normal(40, 12, n).round(1))
    logged = []
    for event, hours in (
        ("pay", (-200, -30, 5, 50)),
        ("visit", (1, 2)),
        ("request", (3, 4, 9)),
        ("buy", (8,)),
    ):
        for hour in hours:
            some = rows[random.random(n) < 0.7]
            values = random.lognormal(3, 1, len(some)) / 3
            logged.append(events(some, event, values, after=f"{hour}h"))
    for event in ("view", "click"):
        logged.append(events(rows[random.random(n) < 0.5], event, after="20h"))
    return rows, pd.concat(logged, ignore_index=True)


def in_files(
    folder: Path, rows: pd.DataFrame, logged: pd.DataFrame, *, parts: int, seed: int | None
) -> Trial:
    folder.mkdir(parents=True)
    for name, table in (("assignments", rows), ("outcomes", logged)):
        table = table if seed is None else table.sample(frac=1, random_state=seed)
        for part in range(parts):
            table.iloc[part::parts].to_parquet(folder / f"{name}-{part}.parquet", row_group_size=2_048)
    return small_trial(
        folder,
        design=DESIGN,
        sources={
            "assignments": {
                "files": "assignments-*.parquet",
                "columns": {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"},
                "attributes": {"country": "country", "age": "age"},
            }
        },
        outcomes={
            "logs": [
                {
                    "files": "outcomes-*.parquet",
                    "columns": {
                        "unit": "unit",
                        "event": "event",
                        "value": "value",
                        "occurred_at": "occurred_at",
                    },
                }
            ]
        },
    )


def test_evidence_is_the_same_to_the_bit_at_any_threads_order_and_files(tmp_path: Path) -> None:
    rows, logged = population()
    whole = in_files(tmp_path / "whole", rows, logged, parts=1, seed=None)
    split = in_files(tmp_path / "split", rows, logged, parts=9, seed=11)
    hashes = {whole.take(threads=threads).evidence.sha256 for threads in (1, 2, 4, 4)}
    hashes |= {split.take(threads=threads).evidence.sha256 for threads in (1, 4)}
    assert len(hashes) == 1
    assert whole.take().manifest != split.take().manifest


def test_a_mean_of_1_7_billion_keeps_a_variance_of_one_twelfth(tmp_path: Path) -> None:
    """Timestamps as a metric: Σx² − n·mean² has no right digit left; the design of the whole rests on this case."""
    rows = assignments(4_000)
    random = np.random.default_rng(3)
    values = 1.7e9 + np.round(random.random(4_000), 6) + np.where(rows.arm == "treatment", 0.05, 0.0)
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": events(rows, "pay", values)},
        design={"primary": {"metric": "basket", "mde": 0.01}},
    )
    primary = trial.readout().primary[0]
    exact = {arm: [Fraction(f"{v:.6f}") for v in values[rows.arm == arm]] for arm in ("control", "treatment")}
    means = {arm: sum(v) / len(v) for arm, v in exact.items()}
    variances = {arm: sum((x - means[arm]) ** 2 for x in v) / (len(v) - 1) for arm, v in exact.items()}
    assert primary.estimate == pytest.approx(float(means["treatment"] - means["control"]), abs=3e-7)
    assert primary.control_value.sd is not None
    assert primary.control_value.sd**2 == pytest.approx(float(variances["control"]), rel=1e-6)
    assert primary.control_value.sd**2 == pytest.approx(1 / 12, rel=0.05)
    assert primary.interval is not None
    half = 1.9606 * float(variances["control"] / 2_000 + variances["treatment"] / 2_000) ** 0.5
    assert primary.interval.high - primary.interval.low == pytest.approx(2 * half, rel=1e-3)


def test_a_provisional_mean_changes_no_digit(tmp_path: Path) -> None:
    rows, logged = population(n=600)
    frames = {"assignments": rows, "outcomes": logged}
    readouts = []
    for centre in (None, 0.0, -1e6, 14.25):
        metrics = {"revenue": {} if centre is None else {"centre": centre}}
        trial = small_trial(
            tmp_path / f"{centre}",
            frames,
            design={"primary": {"metric": "revenue", "mde": 1.0}},
            metrics=metrics,
        )
        readouts.append(trial.readout().primary[0].model_copy(update={"method": ""}))
    assert all(one == readouts[0] for one in readouts)


def test_a_value_is_kept_with_its_declared_decimals(tmp_path: Path) -> None:
    rows = assignments(40)
    values = np.resize([0.005, 1.015, 2.5, -0.005], 40)
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": events(rows, "pay", values)},
        design={"primary": {"metric": "revenue", "mde": 1.0}},
        metrics={"revenue": {"decimals": 2}},
    )
    outcomes = trial.take().evidence.outcomes
    assert outcomes is not None
    family = outcomes.family(0)
    assert family is not None
    # half away from zero in the value's own binary digits: 1.015 is 1.01499…, times 100 is 101.49999999999999
    cents = {sums.arm: sums.sums[0] + family.centres[0] * sums.n for sums in family.arms}
    assert cents == {0: 10 * (1 + 250), 1: 10 * (101 - 1)}


def test_a_sum_too_large_for_its_integers_is_refused_not_wrapped(tmp_path: Path) -> None:
    rows = assignments(40)
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": events(rows, "pay", 9e12)},
        design={"primary": {"metric": "revenue", "mde": 1.0}},
        metrics={"revenue": {"decimals": 9}},
    )
    with pytest.raises(Invalid, match="fewer decimals"):
        trial.take()


@pytest.mark.parametrize(("microseconds", "counts"), [(-1, True), (0, False), (1, False)])
def test_a_covariate_lies_strictly_before_exposure(tmp_path: Path, microseconds: int, counts: bool) -> None:
    rows = assignments(40)
    history = events(rows, "pay", 3.0).assign(
        occurred_at=rows.assigned_at + pd.Timedelta(microseconds=microseconds)
    )
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": history},
        design={
            "primary": {"metric": "visits", "mde": 1.0, "covariates": [{"metric": "revenue", "window": "7d"}]}
        },
    )
    outcomes = trial.take().evidence.outcomes
    assert outcomes is not None
    family = outcomes.family(0)
    assert family is not None
    assert [family.comoments(sums).means[1] for sums in family.arms] == [3.0 * counts] * 2


def test_the_window_of_a_covariate_begins_where_it_is_declared(tmp_path: Path) -> None:
    rows = assignments(40)
    for name, microseconds, counts in (("in", 0, True), ("out", -1, False)):
        history = events(rows, "pay", 3.0).assign(
            occurred_at=rows.assigned_at - pd.Timedelta(days=7) + pd.Timedelta(microseconds=microseconds)
        )
        trial = small_trial(
            tmp_path / name,
            {"assignments": rows, "outcomes": pd.concat([history, events(rows, "pay", 1.0)])},
            design={
                "primary": {
                    "metric": "revenue",
                    "mde": 1.0,
                    "covariates": [{"metric": "revenue", "window": "7d"}],
                }
            },
        )
        outcomes = trial.take().evidence.outcomes
        assert outcomes is not None
        family = outcomes.family(0)
        assert family is not None
        assert [family.comoments(sums).means for sums in family.arms] == [(1.0, 3.0 * counts)] * 2


def test_an_outcome_with_a_date_only_beside_exposures_with_times_is_warned_of(tmp_path: Path) -> None:
    rows = assignments(100)
    outcomes = events(rows, "buy")
    outcomes["occurred_at"] = outcomes.occurred_at.dt.date
    readout = small_trial(tmp_path, {"assignments": rows, "outcomes": outcomes}).readout()
    warned = [one for one in readout.validity if one.name == "Times of day (outcome log 0)"]
    assert [one.result for one in warned] == ["warn"]
    by_dates = small_trial(
        tmp_path / "dates",
        {
            "assignments": rows.assign(assigned_at=rows.assigned_at.dt.date),
            "outcomes": events(rows, "buy").assign(occurred_at=rows.assigned_at.dt.date),
        },
    ).readout()
    assert by_dates.primary[0].control_value.successes == 50
    assert not [one for one in by_dates.validity if one.name.startswith("Times of day")]


def test_caps_hold_per_unit_and_are_undone_in_the_sensitivity_analysis(tmp_path: Path) -> None:
    rows = assignments(200)
    logged = pd.concat(
        [events(rows, "pay", np.arange(200.0) % 23 + 1), events(rows, "pay", 60.0, after="3h")]
    )
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": logged},
        design={"primary": {"metric": "revenue", "mde": 1.0}, "sensitivity": ["uncapped"]},
        metrics={"revenue": {"cap": 70.0}},
    )
    readout = trial.readout()
    totals = np.arange(200.0) % 23 + 61
    for comparison, values in (
        (readout.primary[0], np.minimum(totals, 70.0)),
        (readout.sensitivity[0].comparison, totals),
    ):
        arms = [Moments.of(values[(rows.arm == arm).to_numpy()]) for arm in ("control", "treatment")]
        expected = compare_means(*arms, alpha=0.05)
        assert comparison.estimate == pytest.approx(expected.estimate, rel=1e-12)
        assert comparison.p_value == pytest.approx(expected.p_value, rel=1e-9)


def test_a_quantile_with_few_values_is_shown_without_an_interval(tmp_path: Path) -> None:
    rows = assignments(100)
    twice = pd.concat([rows.iloc[:6], rows.iloc[:4]])
    requests = events(twice, "request", [100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 1.0, 2.0, 3.0, 4.0])
    readout = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": pd.concat([requests, events(rows, "buy")])},
        design={"secondary": {"metrics": ["latency"]}},
    ).readout()
    latency = of_metric(readout.secondary, "latency")
    assert latency.control_value.value == 500.0
    assert latency.treatment_value.value == 600.0
    assert (latency.control_value.requests, latency.control_value.n, latency.control_value.missing) == (
        5,
        3,
        47,
    )
    assert latency.interval is None
    assert latency.p_value is None
    assert "every unit has the same share of requests at or below the quantile" in str(latency.not_computed)


def test_a_quantile_is_the_order_statistic_of_all_requests_of_an_arm(tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    rows = assignments(300)
    some = rows.iloc[random.integers(0, 300, 4_000)]
    requests = events(some.reset_index(drop=True), "request", np.round(random.lognormal(5, 0.7, 4_000), 2))
    late = events(rows, "request", 1e6, after="200h")
    null = events(rows, "request", np.nan, after="2h")
    readout = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": pd.concat([requests, late, null])},
        design={
            "primary": {"metric": "latency", "mde": 20.0},
            "hypothesis": {"because": "it is faster", "expect": "decrease"},
        },
    ).readout()
    primary = readout.primary[0]
    arm_of = dict(zip(rows.unit, rows.arm, strict=True))
    for value in (primary.control_value, primary.treatment_value):
        ordered = np.sort(requests.value[requests.unit.map(arm_of) == value.arm].to_numpy())
        assert value.value == ordered[int(np.ceil(0.95 * len(ordered))) - 1]
        assert value.requests == len(ordered)
