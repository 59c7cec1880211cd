"""Validity: what makes an experiment INVALID, at which level, and that nothing of its outcomes is then read or shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare, hypergeom

from experiments.looks.looking import take_look
from experiments.readouts.judgement import make_readout
from experiments.readouts.readout import Readout
from experiments.readouts.validity import missingness_p_value
from tests.experiments.laboratory import assignments, check, context_of, events, small_trial

CANARY = 918_273.645


def unbalanced(n_control: int, n_treatment: int, **columns: Any) -> pd.DataFrame:
    rows = assignments(n_control + n_treatment, **columns)
    arms = np.array(["control"] * n_control + ["treatment"] * n_treatment)
    return rows.assign(arm=np.random.default_rng(1).permutation(arms))


def test_allocation_takes_nine_tenths_of_alpha_and_missingness_the_rest(tmp_path: Path) -> None:
    rows = assignments(2_000, country=["NL", "BE"] * 1_000)
    rows["country"] = np.resize(["NL", "NL", "BE", "BE"], 2_000)
    readout = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": events(rows, "pay")},
        design={
            "primary": {"metric": "basket", "mde": 1.0},
            "segments": ["country"],
            "validity": {"alpha": 0.02},
            "guardrails": [{"metric": "revenue", "margin": 1.0, "reason": "a euro is what it would cost us"}],
            "no_guardrails_reason": None,
        },
        sources={
            "assignments": {
                "frame": "assignments",
                "columns": {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"},
                "attributes": {"country": "country"},
            }
        },
    ).readout()
    for name in ("Allocation (SRM)", "Allocation by day", "Allocation by country"):
        assert check(readout, name).rule == "p ≥ 0.006 (of α 0.02, 0.9 for 3 tests of allocation)"
    for metric in ("basket", "revenue"):
        assert check(readout, f"Missing outcomes by arm: {metric}@1").rule == (
            "p ≥ 0.001 (of α 0.02, 0.1 for 2 tests of missingness)"
        )


@pytest.mark.parametrize(("alpha", "invalid"), [(0.01, True), (0.001, False)])
def test_the_level_of_the_allocation_test_is_the_designs(tmp_path: Path, alpha: float, invalid: bool) -> None:
    """4,860 against 5,140: p = 0.0051 by scipy."""
    n = (4_860, 5_140)
    rows = unbalanced(*n)[["unit", "arm"]]
    readout = small_trial(
        tmp_path,
        {
            "assignments": rows,
            "outcomes": pd.DataFrame({"unit": rows.unit, "bought": np.arange(10_000) % 5 == 0}),
        },
        design={"validity": {"alpha": alpha}},
        sources={"assignments": {"frame": "assignments", "columns": {"unit": "unit", "arm": "arm"}}},
        outcomes={"logs": [{"frame": "outcomes", "columns": {"unit": "unit"}, "wide": {"buy": "bought"}}]},
    ).readout()
    assert check(readout, "Allocation (SRM)").p_value == pytest.approx(chisquare(n).pvalue, rel=1e-12)
    assert (readout.verdict.code == "INVALID") is invalid


def test_missing_outcomes_that_depend_on_the_arm_make_it_invalid(tmp_path: Path) -> None:
    rows = assignments(4_000)
    there = (rows.arm == "control") | (rows.index % 8 > 1)
    readout = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": pd.concat([events(rows[there], "solved"), events(rows, "ping")])},
        design={"primary": {"metric": "solved", "mde": 0.05}},
    ).readout()
    failed = check(readout, "Missing outcomes by arm: solved@1")
    assert failed.result == "fail"
    assert failed.detail == "0/2,000 vs 500/2,000 units without a value"
    assert readout.verdict.code == "INVALID"
    assert readout.primary == ()
    assert readout.reproduce.evidence["outcomes"] is None


def test_missing_outcomes_alike_in_both_arms_are_counted_and_pass(tmp_path: Path) -> None:
    rows = assignments(4_000)
    there = rows.index // 2 % 4 > 0
    readout = small_trial(
        tmp_path,
        {
            "assignments": rows,
            "outcomes": events(rows[there], "solved", (rows.index[there] % 3 == 0).astype(float)),
        },
        design={"primary": {"metric": "solved", "mde": 0.05}},
    ).readout()
    assert check(readout, "Missing outcomes by arm: solved@1").p_value == pytest.approx(1.0)
    assert readout.primary[0].control_value.missing == 500


def test_units_without_a_request_are_missing_to_a_quantile(tmp_path: Path) -> None:
    rows = assignments(4_000)
    there = (rows.arm == "control") | (rows.index % 8 > 1)
    requests = events(rows[there], "request", np.random.default_rng(2).gamma(2, 100, int(there.sum())))
    readout = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": requests},
        design={
            "primary": {"metric": "latency", "mde": 20.0},
            "hypothesis": {"because": "it is faster", "expect": "decrease"},
        },
    ).readout()
    assert readout.verdict.code == "INVALID"
    assert check(readout, "Missing outcomes by arm: latency@1").result == "fail"


@pytest.mark.parametrize("missing", [(0, 7), (1, 8), (3, 4), (5, 0)])
def test_few_missing_units_are_tested_exactly(missing: tuple[int, int]) -> None:
    """Against the hypergeometric: two-sided by probability, which the multinomial of the same counts bounds from above."""
    analysed = (1_000, 1_000)
    total = sum(missing)
    law = hypergeom(sum(analysed), analysed[0], total)
    probabilities = [law.pmf(k) for k in range(total + 1)]
    exact = sum(p for p in probabilities if p <= probabilities[missing[0]] * (1 + 1e-9))
    found = missingness_p_value(missing, analysed)
    assert found is not None
    assert exact <= found <= 1.05 * exact + 1e-12


def test_missingness_that_cannot_differ_has_no_p_value() -> None:
    assert missingness_p_value((0, 0), (10, 10)) is None
    assert missingness_p_value((10, 10), (10, 10)) is None
    assert missingness_p_value((3, 0), (10, 0)) is None


@pytest.mark.parametrize(("share", "result"), [(0.005, "pass"), (0.02, "warn"), (0.08, "fail")])
def test_units_in_several_arms_pass_warn_and_fail_by_the_declared_shares(
    tmp_path: Path, share: float, result: str
) -> None:
    rows = assignments(1_000)
    crossing = rows.iloc[: round(share * 1_000)].assign(
        arm=lambda t: t.arm.map({"control": "treatment", "treatment": "control"})
    )
    readout = small_trial(
        tmp_path, {"assignments": pd.concat([rows, crossing]), "outcomes": events(rows, "buy")}
    ).readout()
    assert check(readout, "Units in several arms").result == result
    assert (readout.verdict.code == "INVALID") is (result == "fail")


def test_arms_that_are_not_the_hashs_make_it_invalid(tmp_path: Path) -> None:
    from experiments.cohorts.log_checks import assignment_of

    rows = assignments(400)
    design = {"assignment": {"key": "small", "method": "fairtrial"}}
    trial = small_trial(
        tmp_path / "first", {"assignments": rows, "outcomes": events(rows, "buy")}, design=design
    )
    placed = assignment_of(trial.design)
    right = rows.assign(arm=[placed.names[i] for i in placed.arm_indices(list(rows.unit))])
    for name, logged, verdict in (("right", right, False), ("wrong", rows, True)):
        readout = small_trial(
            tmp_path / name, {"assignments": logged, "outcomes": events(rows, "buy")}, design=design
        ).readout()
        audit = check(readout, "Assignment audit")
        assert (audit.result == "fail") is verdict, audit.detail


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [n for item in value.values() for n in numbers_in(item)]
    if isinstance(value, list):
        return [n for item in value for n in numbers_in(item)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def keys_with_content(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {key for key, item in value.items() if item not in (None, [], {}, "")}
        return found.union(*(keys_with_content(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(keys_with_content(item) for item in value)) if value else set()
    return set()


def invalid(folder: Path, value: float) -> tuple[Readout, str]:
    rows = unbalanced(500, 900)
    outcomes = pd.concat(
        [events(rows, "pay", value), events(rows, "request", value), events(rows, "buy", value)]
    )
    readout = small_trial(
        folder,
        {"assignments": rows, "outcomes": outcomes},
        design={
            "primary": {"metric": "revenue", "mde": 1.0},
            "secondary": {"metrics": ["basket", "latency", "converted"]},
        },
    ).readout()
    return readout, json.dumps(readout.document())


def test_an_invalid_readout_holds_no_number_of_any_outcome(tmp_path: Path) -> None:
    """Whatever the outcomes are, the document is the same but for the digest of the log that holds them."""
    first, text = invalid(tmp_path / "a", CANARY)
    second, _ = invalid(tmp_path / "b", 7.0)
    assert first.verdict.code == "INVALID"
    for spelling in ("918273", "918,273", "918\u202f273", "9.18273"):
        assert spelling not in text
    assert CANARY not in numbers_in(first.document())
    effects = {
        "estimate",
        "interval",
        "relative",
        "treatment_value",
        "control_value",
        "by_treatment",
        "families",
    }
    assert not effects & keys_with_content(first.document())
    bodies = [one.body() for one in (first, second)]
    for body in bodies:
        body["reproduce"]["manifest"] = []
    assert bodies[0] == bodies[1]


def test_the_outcomes_of_an_invalid_cohort_are_never_opened_as_values(tmp_path: Path) -> None:
    """Their values could not even be read: the look is INVALID all the same, and says why."""
    rows = unbalanced(500, 900)
    outcomes = events(rows, "pay", float("inf"))
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": outcomes},
        design={"primary": {"metric": "revenue", "mde": 1.0}},
    )
    reads: list[int] = []
    taken = take_look(trial.design, trial.sources, trial.outcomes, before_outcomes=reads.append)
    assert reads == []
    assert taken.evidence.outcomes is None
    readout = make_readout(trial.design, taken.evidence, context_of(trial.design, taken))
    assert readout.verdict.code == "INVALID"
    assert not any('"value"' in statement.sql for statement in taken.statements)


def test_the_outcomes_of_a_held_look_are_never_read(tmp_path: Path) -> None:
    rows = assignments(100)
    rows.loc[0, "arm"] = "ghost"
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": events(rows, "pay", float("inf"))},
        design={"primary": {"metric": "revenue", "mde": 1.0}},
    )
    reads: list[int] = []
    taken = take_look(trial.design, trial.sources, trial.outcomes, before_outcomes=reads.append)
    assert taken.is_held
    assert reads == []


def test_the_read_of_outcomes_is_announced_with_the_number_of_units(tmp_path: Path) -> None:
    rows = assignments(100)
    trial = small_trial(tmp_path, {"assignments": rows, "outcomes": events(rows, "buy")})
    reads: list[int] = []
    take_look(trial.design, trial.sources, trial.outcomes, before_outcomes=reads.append)
    assert reads == [100]


def test_a_held_look_and_one_that_is_not_due_have_no_readout(tmp_path: Path) -> None:
    rows = assignments(100)
    held = small_trial(
        tmp_path / "held", {"assignments": rows, "outcomes": events(rows.assign(unit="x"), "buy")}
    )
    with pytest.raises(ValueError, match="Join rate; a held look has no readout"):
        held.readout()
    early = small_trial(
        tmp_path / "early",
        {"assignments": rows, "outcomes": events(rows, "buy")},
        sources={"complete": None, "watermark": "2026-03-05"},
    )
    with pytest.raises(ValueError, match="not due"):
        early.readout()


def test_clocks_that_run_wrong_warn_and_then_hold(tmp_path: Path) -> None:
    rows = assignments(1_000)
    logged = events(rows, "buy").assign(recorded_at=lambda t: t.occurred_at)
    for name, odd, result in (("few", 5, "warn"), ("many", 50, "hold")):
        wrong = logged.copy()
        wrong.loc[: odd - 1, "recorded_at"] -= pd.Timedelta("2h")
        taken = small_trial(
            tmp_path / name,
            {"assignments": rows, "outcomes": wrong},
            outcomes={
                "logs": [
                    {
                        "frame": "outcomes",
                        "columns": {
                            "unit": "unit",
                            "event": "event",
                            "occurred_at": "occurred_at",
                            "recorded_at": "recorded_at",
                        },
                    }
                ]
            },
        ).take()
        found = next(one for one in taken.held if one.name.startswith("Recorded before"))
        assert (found.result, found.detail) == (result, f"{odd} of 1,000 rows")
        assert (taken.evidence.outcomes is None) is (result == "hold")
