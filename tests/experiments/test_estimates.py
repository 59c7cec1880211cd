"""Effects in the readout against scipy and statsmodels on the same rows, and how several treatments share α."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from experiments.readouts.readout import Comparison, Readout
from tests.experiments.laboratory import assignments, events, of_metric, small_trial
from tests.references.ratio_adjustment_reference import adjusted_difference

ARMS3 = {"arms": [{"name": "control"}, {"name": "mild"}, {"name": "strong"}, {"name": "wild"}]}
DECREASE = {"because": "it is faster", "expect": "decrease"}
NO_WORSE = {"because": "it is cheaper to run", "expect": "no worsening"}


def guardrail(metric: str, margin: Any, **more: Any) -> dict[str, Any]:
    return {
        "guardrails": [
            {"metric": metric, "margin": margin, "reason": "more would cost us customers", **more}
        ],
        "no_guardrails_reason": None,
    }


def bounds(comparison: Comparison) -> tuple[float, float]:
    found = comparison.interval
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def spending(n: int = 2_000, *, shift: float = 0.0, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    rows = assignments(n)
    # both arms draw the same values, so that the difference is the shift
    values = np.round(
        np.repeat(random.gamma(2, 10, n // 2), 2) + np.where(rows.arm == "treatment", shift, 0), 2
    )
    return rows, events(rows, "pay", values)


def by_arm(rows: pd.DataFrame, values: pd.Series) -> list[np.ndarray]:
    return [values[(rows.arm == arm).to_numpy()].to_numpy() for arm in dict.fromkeys(rows.arm)]


def readout_of(
    folder: Path,
    rows: pd.DataFrame,
    logged: pd.DataFrame,
    *,
    metrics: dict[str, dict[str, Any]] | None = None,
    **design: Any,
) -> Readout:
    attributes = {
        name: name for name in rows.columns if name not in {"unit", "arm", "assigned_at", "delivered"}
    }
    columns = {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"}
    if "delivered" in rows:
        columns["delivered"] = "delivered"
    return small_trial(
        folder,
        {"assignments": rows, "outcomes": logged},
        design=design,
        sources={"assignments": {"frame": "assignments", "columns": columns, "attributes": attributes}},
        metrics=metrics,
    ).readout()


def test_a_mean_is_compared_by_welchs_test(tmp_path: Path) -> None:
    rows, logged = spending(shift=1.0)
    primary = readout_of(tmp_path, rows, logged, primary={"metric": "revenue", "mde": 1.0}).primary[0]
    control, treatment = by_arm(rows, logged.value)
    expected = stats.ttest_ind(treatment, control, equal_var=False)
    interval = expected.confidence_interval()
    assert primary.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert bounds(primary) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_a_ratio_is_compared_by_the_delta_method(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    rows = assignments(3_000)
    views = random.poisson(4, 3_000)
    clicks = random.binomial(views, np.where(rows.arm == "treatment", 0.33, 0.3))
    logged = pd.concat(
        [
            events(rows.loc[rows.index.repeat(n)].reset_index(drop=True), e)
            for e, n in (("view", views), ("click", clicks))
        ]
    )
    primary = readout_of(tmp_path, rows, logged, primary={"metric": "click_rate", "mde": 0.01}).primary[0]
    estimates, variances = [], []
    for arm in ("control", "treatment"):
        mine = (rows.arm == arm).to_numpy()
        ratio = clicks[mine].sum() / views[mine].sum()
        residual = (clicks[mine] - ratio * views[mine]) / views[mine].mean()
        estimates.append(ratio)
        variances.append(residual.var(ddof=1) / mine.sum())
    assert primary.estimate == pytest.approx(estimates[1] - estimates[0], rel=1e-9)
    z = (estimates[1] - estimates[0]) / np.sqrt(sum(variances))
    assert primary.p_value == pytest.approx(2 * stats.t.sf(abs(z), 2_998), rel=1e-3)
    assert primary.control_value.value == pytest.approx(estimates[0], rel=1e-12)


def test_an_adjusted_mean_is_that_of_least_squares_with_the_unadjusted_beside(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    rows = assignments(2_000)
    before = np.round(random.gamma(2, 10, 2_000), 2)
    after = np.round(0.8 * before + random.gamma(2, 4, 2_000) + np.where(rows.arm == "treatment", 1.0, 0), 2)
    logged = pd.concat([events(rows, "pay", before, after="-24h"), events(rows, "pay", after)])
    readout = readout_of(
        tmp_path,
        rows,
        logged,
        primary={"metric": "revenue", "mde": 1.0, "covariates": [{"metric": "revenue", "window": "7d"}]},
        sensitivity=["unadjusted"],
    )
    primary = readout.primary[0]
    treated = (rows.arm == "treatment").to_numpy().astype(float)
    x = np.column_stack([np.ones(2_000), treated, before - before.mean()])
    slope = np.linalg.lstsq(x, after, rcond=None)[0][1]
    assert primary.estimate == pytest.approx(slope, rel=1e-6)
    plain = stats.ttest_ind(after[treated == 1], after[treated == 0], equal_var=False).confidence_interval()
    assert primary.unadjusted is not None
    assert (primary.unadjusted.low, primary.unadjusted.high) == pytest.approx(
        (plain.low, plain.high), rel=1e-9
    )
    adjusted_width, plain_width = np.diff(bounds(primary))[0], plain.high - plain.low
    assert primary.variance_reduction == pytest.approx(1 - (adjusted_width / plain_width) ** 2, abs=2e-3)
    assert primary.variance_reduction is not None
    assert primary.variance_reduction > 0.7
    assert primary.method.endswith("adjusted for 1 covariate")
    unadjusted = readout.sensitivity[0]
    assert unadjusted.analysis == "unadjusted"
    assert bounds(unadjusted.comparison) == pytest.approx((plain.low, plain.high), rel=1e-9)


def requests_of_users(seed: int, n: int) -> tuple[pd.DataFrame, dict[str, np.ndarray], pd.DataFrame]:
    """Users who click more or less readily, before exposure and after; every tenth has no history."""
    random = np.random.default_rng(seed)
    rows = assignments(n, age=[float(age) for age in 20 + random.integers(0, 50, n)])
    rate = random.beta(1.5, 3.5, n)
    # in steps of 20 units, so that both arms have as many without history
    newcomer = np.arange(n) % 20 < 2
    views, before = 1 + random.poisson(6, n), np.where(newcomer, 0, 1 + random.poisson(9, n))
    lift = np.where(rows.arm == "treatment", 0.02, 0)
    counts = {
        "view": views,
        "click": random.binomial(views, np.clip(rate + lift, 0, 1)),
        "view before": before,
        "click before": random.binomial(before, rate),
    }
    logged = [
        events(rows.loc[rows.index.repeat(n)], name.split()[0], after="-24h" if "before" in name else "1h")
        for name, n in counts.items()
    ]
    return rows, counts, pd.concat(logged, ignore_index=True)


@pytest.mark.parametrize("without_history", ["zero", "exclude"])
def test_an_adjusted_ratio_is_that_of_least_squares_on_the_linearised_units(
    tmp_path: Path, without_history: str
) -> None:
    rows, counts, logged = requests_of_users(11, 3_000)
    readout = readout_of(
        tmp_path,
        rows,
        logged,
        metrics={"click_rate": {"no_events": "missing"}},
        primary={
            "metric": "click_rate",
            "mde": 0.02,
            "covariates": [{"metric": "click_rate", "window": "7d"}, {"attribute": "age"}],
            "without_history": without_history,
        },
        sensitivity=["unadjusted"],
    )
    primary = readout.primary[0]
    kept = counts["view before"] >= (1 if without_history == "exclude" else 0)
    arms = [
        (
            (counts["click"][mine], counts["view"][mine]),
            rows.age.to_numpy()[mine],
            (counts["click before"][mine], counts["view before"][mine]),
        )
        for mine in ((rows.arm == arm).to_numpy() & kept for arm in ("control", "treatment"))
    ]
    difference, standard_error, _ = adjusted_difference(*arms)
    assert primary.estimate == pytest.approx(difference, rel=1e-9)
    low, high = bounds(primary)
    assert (high - low) / 2 == pytest.approx(stats.t.isf(0.025, kept.sum() - 2) * standard_error, rel=1e-4)
    assert primary.method.endswith("(delta method), adjusted for 2 covariates")
    assert primary.variance_reduction is not None
    assert primary.variance_reduction > 0.1
    plain = [
        counts["click"][(rows.arm == arm).to_numpy()].sum()
        / counts["view"][(rows.arm == arm).to_numpy()].sum()
        for arm in ("control", "treatment")
    ]
    assert primary.control_value.value == pytest.approx(plain[0], rel=1e-12)
    unadjusted = readout.sensitivity[0].comparison
    assert unadjusted.estimate == pytest.approx(plain[1] - plain[0], rel=1e-9)
    excluded = any(
        "150 control and 150 treatment units without a covariate" in note for note in primary.notes
    )
    assert excluded is (without_history == "exclude")


def test_an_adjusted_ratio_is_held_against_a_relative_margin_in_every_segment(tmp_path: Path) -> None:
    rows, counts, logged = requests_of_users(12, 3_000)
    rows["country"] = np.where(np.arange(3_000) % 3 == 0, "BE", "NL")
    readout = readout_of(
        tmp_path,
        rows,
        pd.concat([logged, events(rows[rows.index % 5 == 0], "buy")]),
        **guardrail(
            "click_rate",
            {"relative": 0.1},
            segment="country",
            covariates=[{"metric": "click_rate", "window": "7d"}],
        ),
    )
    assert [g.level for g in readout.guardrails] == ["BE", "NL"]
    for found in readout.guardrails:
        mine = [
            ((rows.arm == arm) & (rows.country == found.level)).to_numpy() for arm in ("control", "treatment")
        ]
        arms = [
            ((counts["click"][m], counts["view"][m]), (counts["click before"][m], counts["view before"][m]))
            for m in mine
        ]
        _, _, theta = adjusted_difference(*arms)
        after, before = (np.array([y.sum() / d.sum() for y, d in part]) for part in zip(*arms, strict=True))
        units = np.array([m.sum() for m in mine])
        adjusted = after - theta[0] * (before - before @ units / units.sum())
        assert found.scale == "relative"
        assert found.estimate == pytest.approx(adjusted[1] / adjusted[0] - 1, rel=1e-9)
        assert (bounds(found)[0] > -0.1) is (found.state == "Within margin")


def test_a_mean_is_adjusted_by_a_ratio_before_exposure(tmp_path: Path) -> None:
    rows, counts, logged = requests_of_users(13, 2_000)
    spent = np.round(np.random.default_rng(14).gamma(2, 5, 2_000) + counts["click before"], 2)
    readout = readout_of(
        tmp_path,
        rows,
        pd.concat([logged, events(rows, "pay", spent)]),
        primary={
            "metric": "revenue",
            "mde": 1.0,
            "covariates": [{"metric": "click_rate", "window": "7d"}],
        },
    )
    arms = [
        (spent[mine], (counts["click before"][mine], counts["view before"][mine]))
        for mine in ((rows.arm == arm).to_numpy() for arm in ("control", "treatment"))
    ]
    assert readout.primary[0].estimate == pytest.approx(adjusted_difference(*arms)[0], rel=1e-9)


def test_units_without_history_are_left_out_of_the_adjusted_comparison_and_counted(tmp_path: Path) -> None:
    rows, logged = spending(400)
    history = events(rows.iloc[:300], "pay", 5.0, after="-24h").assign(value=np.arange(300) % 7)
    primary = readout_of(
        tmp_path,
        rows,
        pd.concat([logged, history]),
        primary={
            "metric": "revenue",
            "mde": 1.0,
            "covariates": [{"metric": "basket", "window": "7d"}],
            "without_history": "exclude",
        },
    ).primary[0]
    assert primary.control_value.n == 200
    assert any(
        "50 control and 50 treatment units without a covariate value" in note for note in primary.notes
    )


def test_a_relative_margin_tests_the_multiple_of_control(tmp_path: Path) -> None:
    """μt − 1.05·μc by Welch's test of the scaled values, and the state from its 95 % interval (Fieller)."""
    rows, logged = spending(4_000)
    requests = logged.assign(event="request")
    spent = pd.concat([logged, events(rows[rows.index % 5 == 0], "buy"), requests])
    readout = readout_of(tmp_path, rows, spent, **guardrail("revenue", {"relative": 0.05}))
    guarded = of_metric(readout.guardrails, "revenue")
    control, treatment = by_arm(rows, logged.value)
    expected = stats.ttest_ind(treatment, 0.95 * control, equal_var=False, alternative="greater")
    assert guarded.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert guarded.scale == "relative"
    assert guarded.estimate == pytest.approx(treatment.mean() / control.mean() - 1, rel=1e-12)
    low, high = bounds(guarded)
    for bound in (low, high):  # each bound is the multiple that its own one-sided test just rejects
        tail = stats.ttest_ind(treatment, (1 + bound) * control, equal_var=False).pvalue
        assert tail == pytest.approx(0.05, rel=2e-3)
    assert (guarded.state == "Within margin") is bool(expected.pvalue < 0.025)


@pytest.mark.parametrize("metric", ["latency", "click_rate", "converted", "visits", "basket"])
@pytest.mark.parametrize("kind", ["absolute", "relative"])
@pytest.mark.parametrize("size", [0.02, 0.4])
def test_every_kind_of_metric_is_within_its_margin_exactly_when_its_test_rejects_there(
    tmp_path: Path, metric: str, kind: str, size: float
) -> None:
    random = np.random.default_rng(6)
    rows = assignments(600)
    logged = [
        events(rows[random.random(600) < 0.3], "buy"),
        events(rows, "solved", (random.random(600) < 0.4) * 1.0),
    ]
    for event, times in (("request", 4), ("view", 3), ("click", 1), ("visit", 2), ("pay", 1)):
        for hour in range(times):
            some = rows[random.random(600) < 0.7]
            logged.append(
                events(some, event, np.round(random.gamma(4, 10, len(some)), 2), after=f"{hour + 1}h")
            )
    baseline = {"latency": 90.0, "click_rate": 0.33, "converted": 0.3, "visits": 1.4, "basket": 40.0}[metric]
    margin = {"relative": size} if kind == "relative" else {"absolute": size * baseline}
    design = {"primary": {"metric": "solved", "mde": 0.1}, **guardrail(metric, margin)}
    guarded = readout_of(tmp_path, rows, pd.concat(logged), **design).guardrails[0]
    low, high = bounds(guarded)
    limit = guarded.limit or 0.0
    assert guarded.p_value is not None
    inside = low > limit if guarded.direction == "higher" else high < limit
    assert inside is bool(guarded.p_value < 0.025) is (guarded.state == "Within margin")
    assert guarded.interval is not None
    assert guarded.interval.level == pytest.approx(0.95)
    assert guarded.scale == kind


@pytest.mark.parametrize(
    ("shift", "state"), [(0.0, "Within margin"), (4.0, "Beyond margin"), (1.2, "Margin not ruled out")]
)
def test_an_absolute_margin_is_held_against_the_interval(tmp_path: Path, shift: float, state: str) -> None:
    rows, logged = spending(2_000, shift=-shift)
    both = pd.concat([logged, events(rows[rows.index % 5 == 0], "buy")])
    guarded = of_metric(readout_of(tmp_path, rows, both, **guardrail("revenue", 2.0)).guardrails, "revenue")
    low, high = bounds(guarded)
    assert guarded.state == state
    assert {"Within margin": low > -2, "Beyond margin": high < -2, "Margin not ruled out": low < -2 < high}[
        state
    ]
    assert guarded.interval is not None
    assert guarded.interval.level == pytest.approx(0.95)


def test_a_guardrail_with_a_segment_must_hold_at_every_level_and_an_empty_one_is_missing(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(5)
    rows, logged = spending(4_000)
    rows["country"] = np.where(random.random(4_000) < 0.3, "BE", "NL")
    converted = (rows.arm == "treatment") & (rows.index % 3 == 0) | (rows.index % 10 == 0)
    everything = pd.concat([logged, events(rows[converted], "buy")])
    design = guardrail("basket", 2.0, segment="country")
    kept = readout_of(tmp_path / "kept", rows, everything, **design)
    assert kept.verdict.code == "SHIP"
    assert [(g.level, g.state) for g in kept.guardrails] == [("BE", "Within margin"), ("NL", "Within margin")]
    lost = everything[~((everything.event == "pay") & everything.unit.isin(rows.unit[rows.country == "BE"]))]
    empty = readout_of(tmp_path / "empty", rows, lost, **design, validity={"alpha": 1e-6})
    assert empty.verdict.code == "INCONCLUSIVE"
    assert [(g.level, g.state) for g in empty.guardrails] == [("BE", "Missing"), ("NL", "Within margin")]
    worse = everything.copy()
    hit = (worse.event == "pay") & worse.unit.isin(
        rows.unit[(rows.country == "BE") & (rows.arm == "treatment")]
    )
    worse.loc[hit, "value"] -= 6.0
    beyond = readout_of(tmp_path / "beyond", rows, worse, **design)
    assert beyond.verdict.code == "DO NOT SHIP"
    assert "basket@1 at country = BE was worse" in beyond.verdict.sentence


def test_a_monitored_guardrail_decides_nothing(tmp_path: Path) -> None:
    rows, logged = spending(4_000, shift=-10.0)
    converted = (rows.arm == "treatment") & (rows.index % 3 == 0) | (rows.index % 10 == 0)
    both = pd.concat([logged, events(rows[converted], "buy")])
    assert (
        readout_of(tmp_path / "must", rows, both, **guardrail("revenue", 1.0)).verdict.code == "DO NOT SHIP"
    )
    watched = readout_of(tmp_path / "watch", rows, both, **guardrail("revenue", 1.0, role="monitor"))
    assert watched.verdict.code == "SHIP"
    assert watched.guardrails[0].state == "Beyond margin"


def test_fewer_units_than_the_guardrail_needs_are_missing(tmp_path: Path) -> None:
    rows, logged = spending(400)
    converted = (rows.arm == "treatment") & (rows.index % 3 == 0) | (rows.index % 10 == 0)
    both = pd.concat([logged, events(rows[converted], "buy")])
    readout = readout_of(tmp_path, rows, both, **guardrail("revenue", 50.0, minimum_units=201))
    assert readout.guardrails[0].state == "Missing"
    assert "200 units, 201 declared" in str(readout.guardrails[0].not_computed)
    assert readout.verdict.code == "INCONCLUSIVE"


@pytest.mark.parametrize("direction", ["higher", "lower"])
@pytest.mark.parametrize(("shift", "state"), [(3.0, "Improved"), (-3.0, "Worse"), (0.0, None)])
def test_improved_and_worse_follow_the_direction_of_the_metric(
    tmp_path: Path, direction: str, shift: float, state: str | None
) -> None:
    sign = 1 if direction == "higher" else -1
    rows, logged = spending(2_000, shift=sign * shift)
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": logged},
        design={
            "primary": {"metric": "revenue", "mde": 1.0},
            "hypothesis": {"because": "why not", "expect": "increase" if sign > 0 else "decrease"},
        },
        metrics={"revenue": {"direction": direction}},
    )
    found = trial.readout().primary[0].state
    assert found == state or (
        state is None and found in {"No evidence of a difference", "Planned effect ruled out"}
    )


@pytest.mark.parametrize(("mde", "row"), [(1.1, 10), (1.4, 9)])
def test_a_planned_effect_outside_the_interval_is_ruled_out(tmp_path: Path, mde: float, row: int) -> None:
    rows, logged = spending(2_000)
    readout = readout_of(tmp_path, rows, logged, primary={"metric": "revenue", "mde": mde})
    assert readout.verdict.by_treatment[0].row == row
    assert (bounds(readout.primary[0])[1] < mde) is (row == 9)


@pytest.mark.parametrize(("shift", "row"), [(1.5, 7), (-3.0, 3), (0.0, 9)])
def test_a_one_sided_test_decides_at_its_level_and_still_sees_harm(
    tmp_path: Path, shift: float, row: int
) -> None:
    rows, logged = spending(2_000, shift=shift)
    primary = {"metric": "revenue", "mde": 2.5, "sides": 1, "one_sided_reason": "harm is watched elsewhere"}
    readout = readout_of(tmp_path, rows, logged, primary=primary)
    control, treatment = by_arm(rows, logged.value)
    one_sided = stats.ttest_ind(treatment, control, equal_var=False, alternative="greater")
    assert readout.primary[0].p_value == pytest.approx(one_sided.pvalue, rel=1e-9)
    assert readout.verdict.by_treatment[0].row == row
    assert readout.primary[0].interval is not None
    assert readout.primary[0].interval.level == pytest.approx(0.90)
    assert (bounds(readout.primary[0])[0] > 0) is bool(one_sided.pvalue < 0.05)


@pytest.mark.parametrize(("shift", "row"), [(0.0, 7), (-4.0, 3), (-1.0, 10)])
def test_non_inferiority_is_decided_at_its_margin(tmp_path: Path, shift: float, row: int) -> None:
    rows, logged = spending(1_000, shift=shift)
    readout = readout_of(
        tmp_path,
        rows,
        logged,
        purpose="non-inferiority",
        hypothesis=NO_WORSE,
        primary={"metric": "revenue", "margin": 2.0},
    )
    control, treatment = by_arm(rows, logged.value)
    expected = stats.ttest_ind(treatment, control - 2.0, equal_var=False, alternative="greater")
    assert readout.primary[0].p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert readout.verdict.by_treatment[0].row == row
    assert readout.verdict.rule == "R-2"


def several(n: int, shifts: tuple[float, ...], seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    names = [arm["name"] for arm in ARMS3["arms"]]
    rows = assignments(n).assign(arm=np.resize(names, n))
    values = random.normal(20, 10, n) + rows.arm.map(dict(zip(names, shifts, strict=True))).to_numpy()
    return rows, events(rows, "pay", np.round(values, 3))


@pytest.mark.parametrize("method", ["holm", "bonferroni"])
@pytest.mark.parametrize("non_inferior", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_with_several_treatments_an_interval_excludes_the_null_exactly_when_its_test_rejects(
    tmp_path: Path, method: str, non_inferior: bool, seed: int
) -> None:
    rows, logged = several(1_600, (0.0, 1.6, 2.2, 0.4), seed)
    if non_inferior:
        question = {
            "purpose": "non-inferiority",
            "hypothesis": NO_WORSE,
            "primary": {"metric": "revenue", "margin": 1.0},
        }
    else:
        question = {"primary": {"metric": "revenue", "mde": 2.0}}
    readout = readout_of(tmp_path, rows, logged, **ARMS3, **question, multiple_treatments=method)
    arms = by_arm(rows, logged.value)
    raw = [
        stats.ttest_ind(t, arms[0] - 1.0, equal_var=False, alternative="greater").pvalue
        if non_inferior
        else stats.ttest_ind(t, arms[0], equal_var=False).pvalue
        for t in arms[1:]
    ]
    alpha, null = (0.025, -1.0) if non_inferior else (0.05, 0.0)
    rejected, adjusted, _, _ = multipletests(raw, alpha=alpha, method=method)
    for one, p, q, reject in zip(readout.primary, raw, adjusted, rejected, strict=True):
        low, high = bounds(one)
        assert one.p_value == pytest.approx(p, rel=1e-9)
        assert one.adjusted_p_value == pytest.approx(q, rel=1e-9)
        assert (not low <= null <= high) is bool(reject)
        assert (one.state in {"Improved", "Worse", "Within margin", "Beyond margin"}) is bool(reject)
    ships = [v.treatment for v in readout.verdict.by_treatment if v.code == "SHIP"]
    if ships:
        estimates = {one.treatment: one.estimate or 0.0 for one in readout.primary}
        assert readout.verdict.ships == max(ships, key=estimates.__getitem__)


@pytest.mark.parametrize("seed", range(3))
def test_dunnett_s_levels_are_those_of_scipy_s_test_and_keep_interval_and_test_together(
    tmp_path: Path, seed: int
) -> None:
    """scipy's test pools the variance over the arms and integrates by quasi-Monte-Carlo: near, and not the same."""
    rows, logged = several(4_000, (0.0, 0.5, 0.9, 1.4), seed)
    readout = readout_of(
        tmp_path,
        rows,
        logged,
        **ARMS3,
        primary={"metric": "revenue", "mde": 2.0},
        multiple_treatments="dunnett",
    )
    arms = by_arm(rows, logged.value)
    expected = stats.dunnett(*arms[1:], control=arms[0], rng=np.random.default_rng(1)).pvalue
    for one, q in zip(readout.primary, expected, strict=True):
        low, high = bounds(one)
        assert one.multiplicity == "dunnett"
        assert one.adjusted_p_value == pytest.approx(q, abs=0.01)
        assert (not low <= 0 <= high) is (one.adjusted_p_value < 0.05)
        assert 0.95 < one.interval.level < 1 - 0.05 / 3


@pytest.mark.parametrize(
    ("wanted", "rejected"),
    [
        ((0.010, 0.020, 0.040), (True, True, True)),  # below 0.05/3, 0.05/2 and 0.05
        (
            (0.010, 0.030, 0.040),
            (True, False, False),
        ),  # the second is above 0.05/2 and ends it, though the third is below
        ((0.040, 0.020, 0.010), (True, True, True)),
        ((0.020, 0.020, 0.020), (False, False, False)),
    ],
)
def test_holm_goes_down_step_by_step(
    tmp_path: Path, wanted: tuple[float, ...], rejected: tuple[bool, ...]
) -> None:
    n = 400
    spread = 10 * stats.norm.ppf((np.arange(n) + 0.5) / n)
    error = np.sqrt(2 * spread.var(ddof=1) / n)
    shifts = [0.0, *(stats.t.isf(p / 2, 2 * n - 2) * error for p in wanted)]
    rows, _ = several(4 * n, (0.0,) * 4, 1)
    logged = events(rows, "pay", np.round(np.repeat(spread, 4) + np.resize(shifts, 4 * n), 6))
    readout = readout_of(tmp_path, rows, logged, **ARMS3, primary={"metric": "revenue", "mde": 2.0})
    assert [one.p_value for one in readout.primary] == pytest.approx(wanted, rel=1e-4)
    assert [bounds(one)[0] > 0 for one in readout.primary] == list(rejected)
    assert [one.state == "Improved" for one in readout.primary] == list(rejected)
    assert [(one.adjusted_p_value or 1) < 0.05 for one in readout.primary] == list(rejected)


def test_of_two_treatments_that_may_ship_the_declared_rule_names_one(tmp_path: Path) -> None:
    rows, logged = several(4_000, (0.0, 3.0, 5.0, 0.0), 1)
    for rule, ships in (("largest effect", "strong"), ("first listed", "mild")):
        readout = readout_of(
            tmp_path / ships,
            rows,
            logged,
            **ARMS3,
            primary={"metric": "revenue", "mde": 1.0},
            which_ships=rule,
        )
        assert readout.verdict.ships == ships
        assert readout.verdict.code == "SHIP"
        assert f"with {ships}" in readout.verdict.sentence


def test_secondary_metrics_are_called_different_only_after_adjustment(tmp_path: Path) -> None:
    rows, logged = spending(2_000, shift=1.4, seed=3)
    more = [logged, events(rows, "visit"), events(rows[rows.index % 5 == 0], "buy")]
    random = np.random.default_rng(8)
    for event in ("solved", "crash"):
        more.append(events(rows[random.random(2_000) < 0.5], event))
    readout = readout_of(
        tmp_path, rows, pd.concat(more), secondary={"metrics": ["revenue", "basket", "crashed", "visits"]}
    )
    raw = {c.metric: c.p_value for c in readout.secondary}
    known = [p for p in raw.values() if p is not None]
    assert len(known) == 3  # visits do not vary: no p, and it still counts as one of the family
    _, adjusted, _, _ = multipletests([*known, 1.0], method="holm")
    assert known[0] < 0.05 < adjusted[0]  # what would be called a difference without the adjustment
    for one in readout.secondary:
        if one.p_value is not None:
            assert one.adjusted_p_value == pytest.approx(adjusted[known.index(one.p_value)], rel=1e-9)
            rejected = (one.adjusted_p_value or 1) < 0.05
            assert one.state.startswith("No evidence of a difference") is not rejected


def test_per_protocol_leaves_out_the_units_that_were_given_something_else(tmp_path: Path) -> None:
    rows, logged = spending(2_000, shift=1.0)
    rows["delivered"] = rows.arm.where(rows.index % 20 > 1, "control")
    readout = readout_of(
        tmp_path,
        rows,
        logged,
        primary={"metric": "revenue", "mde": 1.0},
        sensitivity=["per-protocol"],
    )
    one = readout.sensitivity[0].comparison
    same = (rows.arm == rows.delivered).to_numpy()
    control, treatment = by_arm(rows[same], logged.value[same].reset_index(drop=True))
    expected = stats.ttest_ind(treatment, control, equal_var=False)
    assert one.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert (one.treatment_value.n, one.treatment_value.missing) == (len(treatment), 0)
    assert readout.primary[0].treatment_value.n == 1_000


def test_segments_show_each_level_and_a_test_that_they_agree(tmp_path: Path) -> None:
    rows, logged = spending(4_000, shift=0.0)
    rows["country"] = np.resize(["NL", "NL", "BE", "BE", None, None], 4_000)
    rows["country"] = rows.country.astype("string")
    hit = logged.unit.isin(rows.unit[(rows.country == "BE") & (rows.arm == "treatment")])
    logged.loc[hit, "value"] += 4.0
    readout = readout_of(
        tmp_path, rows, logged, primary={"metric": "revenue", "mde": 1.0}, segments=["country"]
    )
    segment = readout.segments[0]
    assert [c.level for c in segment.comparisons] == ["(none)", "BE", "NL"]
    weights, estimates = [], []
    for one in segment.comparisons:
        level = rows.country.isna() if one.level == "(none)" else rows.country == one.level
        control, treatment = by_arm(rows[level], logged.value[level.fillna(False).to_numpy(dtype=bool)])
        expected = stats.ttest_ind(treatment, control, equal_var=False)
        assert one.p_value == pytest.approx(expected.pvalue, rel=1e-9)
        estimates.append(treatment.mean() - control.mean())
        weights.append(1 / (control.var(ddof=1) / len(control) + treatment.var(ddof=1) / len(treatment)))
    q = float(np.sum(weights * (np.array(estimates) - np.average(estimates, weights=weights)) ** 2))
    assert segment.interaction_p_value == pytest.approx(stats.chi2.sf(q, 2), rel=1e-6)
    assert segment.interaction_p_value < 0.01


def test_too_many_missing_units_leave_the_primary_unmeasured(tmp_path: Path) -> None:
    rows, logged = spending(2_000, shift=5.0)
    readout = readout_of(
        tmp_path,
        rows,
        logged[logged.index // 2 % 4 == 0],
        primary={"metric": "basket", "mde": 1.0},
        rules={"max_missing": 0.5},
    )
    assert readout.verdict.by_treatment[0].row == 5
    assert "75.0% of control has no value; at most 50% is allowed" in readout.verdict.sentence
