"""The cohort: who is analysed, and how everybody else is counted."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.evidence import CohortEvidence, units_in
from experiments.logs.sql import microseconds
from tests.experiments.laboratory import (
    MONDAY,
    assignments,
    check,
    events,
    of_metric,
    small_trial,
)


def fates(cohort: CohortEvidence) -> dict[Fate, int]:
    totals: dict[Fate, int] = {}
    for count in cohort.fates:
        totals[count.fate] = totals.get(count.fate, 0) + count.units
    return {fate: n for fate, n in totals.items() if n}


def test_a_unit_in_both_arms_is_found_though_one_of_its_rows_is_not_eligible(tmp_path: Path) -> None:
    """Crossovers come before any filter: the second arm's row must not vanish with its attribute."""
    rows = assignments(100, country="NL")
    crossing = rows.iloc[[0]].assign(arm="treatment", country="XX", assigned_at=rows.assigned_at[50])
    trial = small_trial(
        tmp_path,
        {"assignments": pd.concat([rows, crossing]), "outcomes": events(rows, "buy")},
        design={"eligibility": [{"attribute": "country", "is_not": "XX"}]},
        sources={
            "assignments": {
                "frame": "assignments",
                "columns": {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"},
                "attributes": {"country": "country"},
            }
        },
    )
    cohort = trial.take().evidence.cohort
    assert fates(cohort) == {Fate.SEVERAL_ARMS: 1, Fate.ANALYSED: 99}
    assert cohort.several_arms == 1


def test_exposures_repeated_a_hundredfold_change_nothing_but_their_count(tmp_path: Path) -> None:
    rows = assignments(200)
    first = pd.DataFrame({"unit": rows.unit, "exposed_at": rows.assigned_at + pd.Timedelta("10min")})
    again = pd.concat([first.assign(exposed_at=first.exposed_at + pd.Timedelta(hours=h)) for h in range(100)])
    outcomes = events(rows[rows.index % 3 == 0], "buy")
    readouts = []
    for name, exposures in (("once", first), ("hundredfold", again)):
        trial = small_trial(
            tmp_path / name,
            {"assignments": rows, "exposures": exposures, "outcomes": outcomes},
            design={"assignment": {"key": "small", "method": "external", "exposure": "exposures"}},
            sources={
                "exposures": {"frame": "exposures", "columns": {"unit": "unit", "exposed_at": "exposed_at"}}
            },
        )
        readouts.append(trial.readout())
    once, hundredfold = readouts
    assert once.primary == hundredfold.primary
    assert once.units == hundredfold.units
    assert once.flow.pop("exposure rows") == 200
    assert hundredfold.flow.pop("exposure rows") == 20_000
    assert once.flow == hundredfold.flow


@pytest.mark.parametrize("place", [0, 41, 99], ids=["first exposed", "in between", "last exposed"])
@pytest.mark.parametrize(
    ("microseconds_after", "counts"),
    [(-1, False), (0, True), (7 * 86_400_000_000 - 1, True), (7 * 86_400_000_000, False)],
)
def test_the_window_is_half_open_to_the_microsecond(
    tmp_path: Path, microseconds_after: int, counts: bool, place: int
) -> None:
    """Also of the units whose windows bound the scan, where the value of nanoseconds would be cut as well."""
    rows = assignments(100).astype({"assigned_at": "datetime64[ns, UTC]"})
    rows["assigned_at"] += pd.Timedelta(nanoseconds=400)
    outcomes = events(rows.iloc[[place]], "buy").assign(
        occurred_at=rows.assigned_at.iloc[place] + pd.Timedelta(microseconds=microseconds_after)
    )
    elsewhere = events(rows.iloc[[2, 3]], "ping")
    taken = small_trial(tmp_path, {"assignments": rows, "outcomes": pd.concat([outcomes, elsewhere])}).take()
    found = taken.evidence.outcomes
    assert found is not None
    family = found.family(0)
    assert family is not None
    assert sum(sums.sums[0] for sums in family.arms) == int(counts)


def test_each_metric_counts_in_its_own_window(tmp_path: Path) -> None:
    rows = assignments(100)
    logged = [events(rows, "visit", after=f"{hours}h") for hours in (0, 23, 24, 47, 48, 49)]
    readout = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": pd.concat([*logged, events(rows.iloc[:20], "buy")])},
        design={"secondary": {"metrics": ["visits", "early", "returned"]}, "window": "7d"},
        metrics={
            "early": {
                "type": "count",
                "direction": "higher",
                "event": "visit",
                "window": "24h",
                "unit": "visits",
            },
            "returned": {
                "type": "retention",
                "direction": "higher",
                "event": "visit",
                "starts": "49h",
                "window": "50h",
                "baseline": {"mean": 0.5, "source": "made up"},
            },
        },
    ).readout()
    values = {one.metric: one.control_value.value for one in readout.secondary}
    assert values == {"visits@1": 6.0, "early@1": 2.0, "returned@1": 1.0}


@pytest.mark.parametrize(("microseconds_after", "fate"), [(-1, Fate.ANALYSED), (0, Fate.AFTER_CUT_OFF)])
def test_the_cut_off_is_the_first_moment_that_no_longer_belongs_to_the_look(
    tmp_path: Path, microseconds_after: int, fate: Fate
) -> None:
    rows = assignments(100)
    at = MONDAY + pd.Timedelta(days=20)
    last = rows.iloc[[0]].assign(unit="last", assigned_at=at + pd.Timedelta(microseconds=microseconds_after))
    trial = small_trial(tmp_path, {"assignments": pd.concat([rows, last]), "outcomes": events(rows, "buy")})
    cohort = trial.take(cut_off=CutOff(microseconds(at.to_pydatetime()), None)).evidence.cohort
    assert fates(cohort) == ({fate: 101} if fate is Fate.ANALYSED else {Fate.ANALYSED: 100, fate: 1})


@pytest.mark.parametrize(("microseconds_before", "fate"), [(0, Fate.ANALYSED), (-1, Fate.NOT_MATURE)])
def test_a_unit_is_mature_the_moment_its_window_and_label_delay_are_over(
    tmp_path: Path, microseconds_before: int, fate: Fate
) -> None:
    """Window 7 days and label delay 2: the last unit of 100 needs the logs up to nine days after its exposure."""
    rows = assignments(100)
    over = rows.assigned_at.iloc[-1] + pd.Timedelta(days=9) + pd.Timedelta(microseconds=microseconds_before)
    trial = small_trial(
        tmp_path, {"assignments": rows, "outcomes": events(rows, "buy")}, design={"label_delay": "2d"}
    )
    cohort = trial.take(cut_off=CutOff(None, microseconds(over.to_pydatetime()))).evidence.cohort
    assert fates(cohort) == ({fate: 100} if fate is Fate.ANALYSED else {Fate.ANALYSED: 99, fate: 1})


def test_every_row_that_is_not_used_is_counted_with_its_reason(tmp_path: Path) -> None:
    rows = assignments(1_000)
    odd = pd.DataFrame(
        {
            "unit": [None, None, "only_no_arm", "u000000", "only_no_time", "u000001"],
            "arm": ["control", "treatment", None, None, "control", "treatment"],
            "assigned_at": [*[MONDAY] * 4, pd.NaT, pd.NaT],
        }
    )
    exposures = pd.DataFrame(
        {
            "unit": [*rows.unit[10:], "stranger", "stranger", None, "u000000"],
            "exposed_at": [*rows.assigned_at[10:], MONDAY, MONDAY, MONDAY, pd.NaT],
        }
    )
    outcomes = pd.concat(
        [
            events(rows, "buy"),
            events(rows.iloc[:3], "buy").assign(unit=None),
            events(rows.iloc[:2], "buy").assign(occurred_at=pd.NaT),
        ]
    )
    trial = small_trial(
        tmp_path,
        {"assignments": pd.concat([rows, odd]), "exposures": exposures, "outcomes": outcomes},
        design={"assignment": {"key": "small", "method": "external", "exposure": "exposures"}},
        sources={
            "exposures": {"frame": "exposures", "columns": {"unit": "unit", "exposed_at": "exposed_at"}}
        },
    )
    readout = trial.readout()
    cohort = trial.take().evidence.cohort
    assert cohort.units == 1_002
    assert fates(cohort) == {Fate.BROKEN_ROWS: 2, Fate.NOT_EXPOSED: 10, Fate.ANALYSED: 990}
    assert sum(count.assignment_rows for count in cohort.fates) == 1_006
    assert check(readout, "Readable assignment rows").detail.startswith("6 of 1,006 ")
    assert check(readout, "Readable exposure rows").detail == (
        "of 994 rows 2 without unit or time, 2 of units that were never assigned"
    )
    assert check(readout, "Readable outcome rows (log 0)").detail == "5 of 1,005 rows"
    assert readout.flow["assignment rows without unit, arm or time"] == 6


def test_an_arm_the_design_does_not_name_holds_the_look(tmp_path: Path) -> None:
    rows = assignments(100)
    rows.loc[3, "arm"] = "ghost"
    stray = rows.iloc[[4]].assign(arm="ghost")
    for name, logged in (("alone", rows), ("beside", pd.concat([assignments(100), stray]))):
        taken = small_trial(tmp_path / name, {"assignments": logged, "outcomes": events(rows, "buy")}).take()
        assert taken.is_held
        held = next(one for one in taken.held if one.name == "Arms named by the design")
        assert held.detail.startswith("1 of ")
        assert taken.evidence.outcomes is None


def test_a_key_that_no_row_has_holds_the_look_and_says_so(tmp_path: Path) -> None:
    rows = assignments(100, experiment="another")
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": events(rows, "buy")},
        sources={
            "assignments": {
                "frame": "assignments",
                "columns": {
                    "unit": "unit",
                    "arm": "arm",
                    "assigned_at": "assigned_at",
                    "experiment": "experiment",
                },
            }
        },
    )
    taken = trial.take()
    assert taken.is_held
    assert "no unit of experiment 'small'" in taken.held[0].detail


def test_an_empty_log_holds_the_look(tmp_path: Path) -> None:
    rows = assignments(10)
    empty = rows.iloc[:0]
    trial = small_trial(tmp_path, {"assignments": empty, "outcomes": events(rows, "buy")})
    assert trial.take().is_held


def test_an_empty_outcome_log_is_held_by_its_join_rate(tmp_path: Path) -> None:
    rows = assignments(100)
    trial = small_trial(tmp_path, {"assignments": rows, "outcomes": events(rows.iloc[:0], "buy")})
    taken = trial.take()
    assert [one.name for one in taken.held if one.result == "hold"] == ["Join rate"]
    assert taken.evidence.outcomes is None


def test_rare_events_do_not_pass_for_ids_that_do_not_match(tmp_path: Path) -> None:
    """One buyer in 400 is below a declared join rate of 1 %, but everybody has a row of something else."""
    rows = assignments(400)
    outcomes = pd.concat([events(rows.iloc[:1], "buy"), events(rows, "ping")])
    strict = {"validity": {"minimum_join_rate": 0.01}}
    readout = small_trial(tmp_path, {"assignments": rows, "outcomes": outcomes}, design=strict).readout()
    assert check(readout, "Join rate").detail.startswith("100.0% of 400")
    assert readout.primary[0].control_value.successes == 1


def test_a_log_of_rare_events_alone_is_no_reason_to_hold(tmp_path: Path) -> None:
    rows = assignments(400)
    outcomes = events(rows.iloc[:1], "buy")
    readout = small_trial(tmp_path, {"assignments": rows, "outcomes": outcomes}).readout()
    assert check(readout, "Join rate").result == "pass"
    assert readout.primary[0].control_value.successes == 1


def test_with_one_arm_empty_the_allocation_fails(tmp_path: Path) -> None:
    rows = assignments(100).assign(arm="control")
    readout = small_trial(tmp_path, {"assignments": rows, "outcomes": events(rows, "buy")}).readout()
    assert readout.verdict.code == "INVALID"
    assert "100 vs 0" in check(readout, "Allocation (SRM)").detail


def test_times_before_1970_and_two_arms_at_one_moment_are_placed_like_any_other(tmp_path: Path) -> None:
    rows = assignments(100, start=pd.Timestamp("1969-12-29", tz="UTC"))
    cohort = (
        small_trial(tmp_path / "early", {"assignments": rows, "outcomes": events(rows, "buy")})
        .take(cut_off=CutOff(None, None))
        .evidence.cohort
    )
    assert [units_in(cohort.fates, arm, Fate.ANALYSED) for arm in (0, 1)] == [50, 50]
    assert [int(count.stratum) for count in cohort.by_day] == sorted([-3, -2, -1, 0, 1, 2, 3] * 2)
    both = pd.concat([assignments(10), assignments(10).assign(arm="treatment")])
    tied = small_trial(
        tmp_path / "tied",
        {"assignments": both, "outcomes": events(assignments(10), "buy")},
        design={"rules": {"several_arms": "first arm", "fail_crossover": 1.0}},
    ).take(cut_off=CutOff(None, None))
    assert [units_in(tied.evidence.cohort.fates, arm, Fate.ANALYSED) for arm in (0, 1)] == [5, 5]


def test_a_time_beyond_what_can_be_packed_is_refused_with_words(tmp_path: Path) -> None:
    rows = assignments(10)
    rows["assigned_at"] = rows.assigned_at.astype("datetime64[us, UTC]")
    rows.loc[0, "assigned_at"] = pd.Timestamp("9999-12-31", tz="UTC").as_unit("us")
    with pytest.raises(ValueError, match="cannot be read as its contract says"):
        small_trial(tmp_path, {"assignments": rows, "outcomes": events(rows.iloc[1:], "buy")}).take()


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": {"several_arms": "delivered arm"}},
        {"rules": {"delivered_differs": "exclude"}},
        {"sensitivity": ["per-protocol"]},
    ],
)
def test_rules_about_the_delivered_arm_need_a_source_that_names_it(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    rows = assignments(10)
    trial = small_trial(tmp_path, {"assignments": rows, "outcomes": events(rows, "buy")}, design=changes)
    with pytest.raises(ValueError, match="needs the arm that was delivered"):
        trial.take()


def test_a_metric_with_three_quarters_null_has_the_interval_of_its_real_n(tmp_path: Path) -> None:
    from analysis.effects import compare_means
    from analysis.moments import Moments

    rows = assignments(400)
    values = pd.Series([float(i % 17) for i in range(400)]).where(rows.index // 2 % 4 == 0)
    outcomes = events(rows, "pay", values)
    for metric in ("basket", "revenue"):
        readout = small_trial(
            tmp_path / metric,
            {"assignments": rows, "outcomes": outcomes},
            design={"primary": {"metric": metric, "mde": 1.0}, "rules": {"max_missing": 0.8}},
        ).readout()
        primary = readout.primary[0]
        known = values.notna()
        arms = [Moments.of(values[known & (rows.arm == arm)]) for arm in ("control", "treatment")]
        expected = compare_means(*arms, alpha=0.05)
        assert (primary.control_value.n, primary.control_value.missing) == (50, 150)
        assert primary.interval is not None
        assert expected.ci is not None
        assert primary.interval.low == pytest.approx(expected.ci[0], rel=1e-9)
        assert primary.interval.high == pytest.approx(expected.ci[1], rel=1e-9)


@pytest.mark.parametrize("kind", ["sum", "mean", "proportion"])
@pytest.mark.parametrize("no_events", ["zero", "missing"])
@pytest.mark.parametrize("null_values", ["skip", "missing", "zero"])
@pytest.mark.parametrize("wide", [False, True])
def test_no_row_a_null_and_a_zero_are_three_different_things(
    tmp_path: Path, kind: str, no_events: str, null_values: str, wide: bool
) -> None:
    """Of 40 units in control 10 have no row, 10 a NULL alone, 10 a NULL and a 1, 10 a 0."""
    rows = assignments(80)
    mine = rows[rows.arm == "control"].reset_index(drop=True)
    null = events(mine.iloc[10:30], "it", None).astype({"value": "float64"})
    logged = pd.concat(
        [null, events(mine.iloc[20:30], "it", 1.0, after="2h"), events(mine.iloc[30:], "it", 0.0)]
    )
    metric = {
        "type": kind,
        "direction": "higher",
        "event": "it",
        "unit": "EUR",
        "no_events": no_events,
        "null_values": null_values,
        "baseline": {"mean": 0.5, "sd": 1.0, "source": "made up"},
    }
    log = {
        "frame": "outcomes",
        "columns": {"unit": "unit", "occurred_at": "occurred_at"},
        "wide": {"it": "value"},
    }
    taken = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": logged},
        design={"primary": {"metric": "it", "mde": 0.1}},
        metrics={"it": metric},
        outcomes={"logs": [log]} if wide else {},
    ).take()
    outcomes = taken.evidence.outcomes
    assert outcomes is not None
    n = 10 * (1 + (no_events == "zero") + (null_values == "zero") + (null_values != "missing"))
    of_one = {"sum": 1.0, "mean": 0.5 if null_values == "zero" else 1.0, "proportion": 1.0}[kind]
    total = 0.0 if null_values == "missing" else 10 * of_one
    family = outcomes.family(0)
    assert family is not None
    control = family.comoments(family.arms[0])
    assert (control.n, control.means[0]) == (n, pytest.approx(total / n))


def test_a_guardrail_whose_event_nobody_logged_is_missing_and_never_ships(tmp_path: Path) -> None:
    """A misspelt event would be 0 in both arms, which no margin minds."""
    rows = assignments(4_000)
    buyers = rows[(rows.index % 10 == 0) | (rows.arm == "treatment") & (rows.index % 3 == 0)]
    guardrail = {"metric": "crashed", "margin": 0.05, "reason": "a crash costs a customer's patience"}
    logged = pd.concat([events(buyers, "buy"), events(rows.iloc[[0]], "crash", after="-48h")])
    for name, outcomes, verdict in (
        ("absent", events(buyers, "buy"), "INCONCLUSIVE"),
        ("elsewhere", logged, "SHIP"),
    ):
        readout = small_trial(
            tmp_path / name,
            {"assignments": rows, "outcomes": outcomes},
            design={"guardrails": [guardrail], "no_guardrails_reason": None},
        ).readout()
        assert readout.verdict.code == verdict, readout.verdict.sentence
    guarded = of_metric(readout.guardrails, "crashed")
    assert guarded.state == "Within margin"


def test_all_outcomes_of_a_metric_missing_is_not_measured(tmp_path: Path) -> None:
    rows = assignments(100)
    outcomes = events(rows, "pay", None)
    outcomes["value"] = outcomes["value"].astype("float64")
    readout = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": outcomes},
        design={"primary": {"metric": "basket", "mde": 1.0}},
    ).readout()
    assert readout.verdict.code == "INCONCLUSIVE"
    assert readout.verdict.by_treatment[0].row == 5
    assert readout.primary[0].estimate is None
