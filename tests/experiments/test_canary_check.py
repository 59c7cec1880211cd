"""Checks of a canary from logs: what they find, what they refuse, and that nothing missing ever passes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.canaries.looking import NotDue, check_status
from experiments.canaries.past import as_past
from experiments.canaries.readout import CanaryReadout
from experiments.canaries.state import state_of
from experiments.forms.problems import Invalid
from experiments.logs.sources import OutcomeSources, Sources
from experiments.readouts.readout import Check
from tests.experiments.canary_logs import DESIGN, START, Canary, Truth
from tests.references.stratified import score_z

SMALL = Truth(units_per_day=4_000, days=5)
DAY = timedelta(days=1)


def held(checks: tuple[Check, ...]) -> dict[str, str]:
    return {check.name: check.detail for check in checks if check.result == "hold"}


def failed(readout: CanaryReadout) -> list[str]:
    return [check.name for check in readout.validity if check.result == "fail"]


def without(canary: Canary, keep: Any) -> Canary:
    canary.keep = keep
    return canary


def test_a_harmless_candidate_climbs_its_steps_and_passes() -> None:
    canary = Canary()
    last = canary.run()
    assert (last.verdict.code, last.verdict.call, last.verdict.action) == ("PASS", "PASS", "finish")
    assert [readout.verdict.call for readout in canary.readouts] == [
        "WITHIN THE STEP",
        "TOO SMALL TO JUDGE",
        "STEP MAY ADVANCE",
        "WITHIN THE STEP",
        "PASS",
    ]
    assert not any(failed(readout) for readout in canary.readouts)
    assert "it does not say that the candidate is better" in last.verdict.sentence
    assert CanaryReadout.of_document(last.document()) == last


def test_a_harmful_candidate_is_stopped_at_the_first_step_and_control_is_served_at_once() -> None:
    canary = Canary(Truth(worse=0.12))
    last = canary.run()
    assert (last.verdict.code, last.verdict.call, last.verdict.share) == ("DO NOT PASS", "BREACH", 0.0)
    assert last.look.step == 1
    assert (
        "failed@1 was worse with candidate by more than the accepted 5 percentage points"
        in last.verdict.sentence
    )
    state = state_of(canary.design, canary.begun, canary.past, last.look.at)
    assert (state.share, state.ended, state.code) == (0.0, True, "DO NOT PASS")


def test_the_statistic_is_that_of_a_second_implementation_over_the_logs() -> None:
    """Units by step of first exposure, mature at the check; the score statistic with pandas and bisection."""
    canary = Canary(Truth(failing=(0.03, 0.06, 0.12, 0.2), worse=0.01))
    last = canary.run()
    assert last.look.step == 2
    at = last.look.at.replace(tzinfo=None)
    users, events = canary.assignments, canary.outcomes
    mature = users[users["at"].dt.tz_localize(None) <= at - timedelta(hours=1)]
    errors = set(events.loc[events["event"] == "error", "user"])
    edge = canary.begun[1].replace(tzinfo=None)
    tables = []
    for step in (mature["at"].dt.tz_localize(None) < edge, mature["at"].dt.tz_localize(None) >= edge):
        arms = [mature.loc[step & (mature["arm"] == arm), "user"] for arm in ("control", "candidate")]
        tables.append(tuple(n for arm in arms for n in (int(arm.isin(errors).sum()), len(arm))))
    reading = next(g for g in last.guardrails if g.comparison.metric == "failed@1")
    assert [(v.n_control, v.n_candidate) for v in reading.by_step] == [
        (n_c, n_t) for _, n_c, _, n_t in tables
    ]
    assert reading.points[-1].z == pytest.approx(score_z(tables, 0.05, factor=False), rel=1e-7)
    weights = [n_c * n_t / (n_c + n_t) for _, n_c, _, n_t in tables]
    expected = sum(
        w * (x_t / n_t - x_c / n_c) for w, (x_c, n_c, x_t, n_t) in zip(weights, tables, strict=True)
    )
    assert reading.worsening == pytest.approx(expected / sum(weights), abs=1e-12)


def test_neither_the_order_of_rows_nor_the_threads_change_a_bit() -> None:
    canary = Canary(SMALL)
    first = canary.take(threads=1).evidence
    shuffled = Canary(SMALL)
    sources, outcomes = shuffled.logs()
    rng = np.random.default_rng(7)
    for place in (sources.place, outcomes.place):
        for name, frame in list(place.frames.items()):
            place.frames[name] = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    shuffled.logs = lambda: (sources, outcomes)  # type: ignore[method-assign]
    assert shuffled.take(threads=4).evidence.sha256 == first.sha256


def test_swapping_the_arms_mirrors_every_estimate() -> None:
    canary = Canary(SMALL)
    swapped = Canary(
        SMALL,
        DESIGN.replace("{version: v7}", "{version: v7, arm: candidate}")
        .replace("{version: v8}", "{version: v8, arm: control}")
        .replace("checks:", "assignment: {method: external}\nchecks:"),
    )
    there, back = canary.check(), swapped.check()
    for one, other in zip(there.guardrails, back.guardrails, strict=True):
        if one.comparison.scale == "absolute":
            assert one.worsening == pytest.approx(-other.worsening, abs=1e-12)
        assert one.by_step[0].control == other.by_step[0].candidate


def test_what_a_check_finds_does_not_depend_on_when_it_is_taken() -> None:
    """Rows that were logged after the check's time change nothing; the earliest time not taken comes first."""
    early, late = Canary(SMALL), Canary(SMALL)
    sources, outcomes = early.logs()
    at = early.take().status.at
    assert at == START + timedelta(hours=24)
    cut = {
        name: frame[frame["at"].dt.tz_localize("UTC") < at]
        if frame["at"].dt.tz is None
        else frame[frame["at"] < at]
        for name, frame in sources.place.frames.items()
    }
    for place in (sources.place, outcomes.place):
        place.frames.update(cut)
    early.logs = lambda: (sources, outcomes)  # type: ignore[method-assign]
    assert early.take().evidence.sha256 == late.take().evidence.sha256


def test_a_check_before_its_time_is_refused_and_says_when() -> None:
    canary = Canary(SMALL)
    sources, outcomes = canary.logs()
    early = _watermarked(sources, outcomes, "2026-11-02T10:00:00Z")
    status, _ = check_status(canary.design, *early, steps_begun=canary.begun)
    assert not status.due
    assert status.expected == START + timedelta(hours=12)
    assert (
        "02 Nov 2026 12:00 UTC needs logs complete up to then; they are complete up to 02 Nov 2026 10:00"
        in status.missing[0]
    )
    canary.logs = lambda: early  # type: ignore[method-assign]
    with pytest.raises(NotDue, match="check 1 is not due"):
        canary.take()


def test_a_time_with_too_few_mature_units_is_passed_over_and_counted() -> None:
    canary = Canary(Truth(units_per_day=3_000))
    status = canary.take().status
    assert (status.slot.place, status.passed_over) == (2, 1)
    assert min(status.units[0]) >= 100


def test_a_unit_of_the_first_step_stays_in_it_though_it_matures_in_the_second() -> None:
    canary = Canary()
    while len(canary.begun) == 1:
        canary.check()
    in_second = canary.check()
    first, second = in_second.steps
    before = canary.readouts[-2].steps[0]
    assert first.arms[0].analysed > before.arms[0].analysed
    assert second.arms[0].analysed > 0
    assert [value.step for value in in_second.guardrails[0].by_step] == [1, 2]


def test_units_exposed_before_the_first_step_are_counted_and_take_no_part() -> None:
    canary = Canary(SMALL)
    sources, outcomes = canary.logs()
    frame = sources.place.frames["assignments"]
    early = frame.head(50).assign(user=[f"early-{i}" for i in range(50)], at=frame["at"].iloc[0] - DAY)
    sources.place.frames["assignments"] = pd.concat([early, frame], ignore_index=True)
    canary.logs = lambda: (sources, outcomes)  # type: ignore[method-assign]
    plain, mixed = Canary(SMALL).check(), canary.check()
    assert mixed.flow["units exposed before the first step began"] == 50
    assert [u.analysed for u in mixed.steps[0].arms] == [u.analysed for u in plain.steps[0].arms]
    assert mixed.guardrails[0].worsening == plain.guardrails[0].worsening


# Nothing missing passes


def test_no_row_of_a_guardrails_event_is_not_measured_and_never_a_pass() -> None:
    canary = without(Canary(SMALL), lambda rows: rows["event"] != "error")
    last = canary.run()
    assert (last.verdict.code, last.verdict.call, last.verdict.action) == (
        "INCONCLUSIVE",
        "NOT MEASURED",
        "hold",
    )
    assert "no row of the outcome logs is of event 'error'" in last.verdict.sentence
    assert "Missing never passes" in last.verdict.sentence
    assert {readout.look.step for readout in canary.readouts} == {1}


def with_last_months_errors(canary: Canary) -> Canary:
    """Errors were logged before the canary began, and none since."""

    def logs() -> tuple[Sources, OutcomeSources]:
        sources, outcomes = Canary.logs(canary)
        rows = outcomes.place.frames["outcomes"]
        old = pd.DataFrame(
            {"user": "old", "event": "error", "value": 1.0, "at": [rows["at"].min() - 30 * DAY]}
        )
        outcomes.place.frames["outcomes"] = pd.concat(
            [rows[rows["event"] != "error"], old], ignore_index=True
        )
        return sources, outcomes

    canary.logs = logs  # type: ignore[method-assign]
    return canary


def test_an_event_that_stopped_being_logged_before_the_canary_began_is_not_measured() -> None:
    last = with_last_months_errors(Canary(SMALL)).run()
    assert (last.verdict.code, last.verdict.call) == ("INCONCLUSIVE", "NOT MEASURED")
    assert "since the canary began no row of the outcome logs is of event 'error'" in last.verdict.sentence


def test_no_event_at_all_is_taken_for_true_only_where_that_is_declared() -> None:
    readout = with_last_months_errors(Canary(SMALL, DESIGN + "days_without_rows: allow\n")).check()
    failed_at_all = next(g for g in readout.guardrails if g.comparison.metric == "failed@1")
    assert failed_at_all.comparison.control_value.value == 0.0
    assert failed_at_all.comparison.state != "Missing"


def test_a_guardrail_whose_values_are_missing_for_most_units_is_not_measured() -> None:
    canary = Canary(SMALL, DESIGN + "rules: {max_missing: 0.2}\n")
    canary.keep = lambda rows: (rows["event"] != "latency") | (rows["user"].str[-1].isin(list("01")))
    readout = canary.check()
    reading = next(g for g in readout.guardrails if g.comparison.metric == "latency@1")
    assert reading.comparison.state == "Missing"
    assert "has no value; at most 20% is allowed" in reading.comparison.not_computed
    assert readout.verdict.call == "NOT MEASURED"


def test_no_traffic_is_no_pass_and_says_that_there_was_none() -> None:
    canary = Canary(Truth(units_per_day=40))
    readout = canary.run()
    assert (readout.verdict.code, readout.verdict.action) == ("INCONCLUSIVE", "hold")
    assert readout.look.time_up
    assert readout.verdict.call in {"TOO FEW UNITS", "NOT MEASURED"}
    assert (
        "asks for 100 in each" in readout.verdict.sentence
        or "Missing never passes" in readout.verdict.sentence
    )


def test_nobody_at_all_in_one_arm_is_no_pass() -> None:
    canary = Canary(SMALL, DESIGN + "validity: {alpha: 0.05}\n")
    sources, outcomes = canary.logs()
    frame = sources.place.frames["assignments"]
    sources.place.frames["assignments"] = frame[frame["arm"] == "control"].reset_index(drop=True)
    canary.logs = lambda: (sources, outcomes)  # type: ignore[method-assign]
    readout = canary.check()
    assert readout.verdict.code == "INVALID"
    assert "Allocation (SRM), by step" in failed(readout)
    assert readout.verdict.share == 0.0


def test_outcome_logs_absent_for_a_day_hold_the_check_and_name_the_day() -> None:
    canary = Canary(
        Truth(units_per_day=1_500),
        DESIGN.replace("hold: 1d", "hold: 2d").replace("time_limit: 2d", "time_limit: 4d"),
    )
    canary.keep = lambda rows: rows["at"].dt.day != 3
    taken = canary.take()
    while not taken.is_held:
        canary.readouts.append(canary.readout_of(taken))
        canary.past.append(as_past(canary.readouts[-1]))
        taken = canary.take()
    assert held(taken.held)["Rows of every day (outcome log 0)"].startswith("none on 03 Nov 2026; ")
    assert not taken.evidence.read
    with pytest.raises(ValueError, match="a held check has no readout, mend the logs first"):
        canary.readout_of(taken)


def test_one_guardrails_events_absent_for_a_day_hold_the_check_though_other_rows_came() -> None:
    """Counted events: without this, a day without error rows would be a day without errors."""
    canary = Canary(Truth(failing=(0.3,), units_per_day=6_000))
    canary.begun = [START - timedelta(hours=1)]
    canary.keep = lambda rows: (rows["event"] != "error") | (rows["at"].dt.day != 2)
    canary.check()
    taken = canary.take()
    while taken.status.at.day < 4 and not taken.is_held:
        canary.past.append(as_past(canary.readout_of(taken)))
        taken = canary.take()
    assert held(taken.held)["Rows of every day: error (outcome log 0)"].startswith("none on 02 Nov 2026")


def test_logs_of_one_arm_absent_for_a_day_hold_the_check() -> None:
    """The candidate's own service did not log: its users have no row at all, control's do."""
    canary = Canary(SMALL)
    candidates = set(canary.assignments.query("arm == 'candidate'")["user"])
    canary.keep = lambda rows: ~(rows["user"].isin(candidates) & (rows["at"].dt.day == 2))
    taken = canary.take()
    assert "candidate on 02 Nov 2026, step 1 (0 of" in held(taken.held)["Outcome rows of every day and arm"]
    assert not taken.evidence.read


def test_a_declared_quiet_day_is_a_warning() -> None:
    text = DESIGN.replace("hold: 1d", "hold: 2d").replace("time_limit: 2d", "time_limit: 4d")
    canary = Canary(Truth(units_per_day=1_500), text + "days_without_rows: allow\n")
    canary.keep = lambda rows: rows["at"].dt.day != 3
    while len(canary.readouts) < 3:
        readout = canary.check()
    checks = {check.name: check.result for check in readout.validity}
    assert checks["Rows of every day (outcome log 0)"] == "warn"


def test_a_level_of_a_segment_that_the_plan_does_not_list_is_missing() -> None:
    text = DESIGN.replace(
        "reason: every failure costs a ticket",
        "reason: every failure costs a ticket, segment: platform, levels: [ios]",
    )
    readout = Canary(SMALL, text).check()
    states = {g.comparison.level: g.comparison.state for g in readout.guardrails if g.comparison.segment}
    assert states["android"] == "Missing"
    assert readout.verdict.call == "NOT MEASURED"
    assert "platform = android is logged, and the plan does not list it" in readout.verdict.sentence


def test_the_logs_of_another_experiment_hold_the_check() -> None:
    canary = Canary(SMALL)
    sources, outcomes = canary.logs()
    sources.place.frames["assignments"] = sources.place.frames["assignments"].assign(experiment="another")
    columns = sources.by_name["main"].assignments.columns.model_copy(update={"experiment": "experiment"})
    log = sources.by_name["main"].assignments.model_copy(update={"columns": columns})
    named = {"main": sources.by_name["main"].model_copy(update={"assignments": log})}
    canary.logs = lambda: (Sources(named, sources.place), outcomes)  # type: ignore[method-assign]
    canary.begun = [START]
    status = check_status(canary.design, *canary.logs(), steps_begun=canary.begun)[0]
    assert status.due  # at the time limit, whatever has come
    assert status.slot.time_up
    assert (
        "no unit of experiment 'ranker-v8-for-all-users'" in held(canary.take().held)["Units of this canary"]
    )


def test_logs_without_times_are_refused() -> None:
    canary = Canary(SMALL)
    sources, outcomes = canary.logs()
    columns = sources.by_name["main"].assignments.columns.model_copy(update={"assigned_at": None})
    log = sources.by_name["main"].assignments.model_copy(update={"columns": columns})
    named = {"main": sources.by_name["main"].model_copy(update={"assignments": log, "complete": True})}
    canary.logs = lambda: (Sources(named, sources.place), outcomes)  # type: ignore[method-assign]
    with pytest.raises(Invalid, match="units belong to the step of their first exposure"):
        canary.take()


# Validity


def test_an_allocation_that_is_off_in_one_step_is_invalid_and_shows_no_effect() -> None:
    canary = Canary(Truth(units_per_day=20_000))
    sources, outcomes = canary.logs()
    frame = sources.place.frames["assignments"]
    lost = (frame["arm"] == "candidate") & (np.arange(len(frame)) % 3 == 0)
    sources.place.frames["assignments"] = frame[~lost].reset_index(drop=True)
    canary.logs = lambda: (sources, outcomes)  # type: ignore[method-assign]
    readout = canary.check()
    assert (readout.verdict.code, readout.verdict.share) == ("INVALID", 0.0)
    assert "Allocation (SRM), by step" in failed(readout)
    assert readout.guardrails == ()
    assert "No effect is reported" in readout.verdict.sentence


def test_harm_is_acted_on_while_a_check_is_failing() -> None:
    canary = Canary(Truth(units_per_day=20_000, worse=0.3))
    sources, outcomes = canary.logs()
    frame = sources.place.frames["assignments"]
    lost = (frame["arm"] == "candidate") & (np.arange(len(frame)) % 3 == 0)
    sources.place.frames["assignments"] = frame[~lost].reset_index(drop=True)
    canary.logs = lambda: (sources, outcomes)  # type: ignore[method-assign]
    readout = canary.check()
    assert (readout.verdict.code, readout.verdict.call) == ("DO NOT PASS", "BREACH")
    assert "Beside it a validity check failed: Allocation" in readout.verdict.sentence


def test_logged_arms_that_are_not_the_hashs_are_invalid() -> None:
    canary = Canary(SMALL)
    sources, outcomes = canary.logs()
    frame = sources.place.frames["assignments"]
    swapped = frame["arm"].map({"control": "candidate", "candidate": "control"})
    sources.place.frames["assignments"] = frame.assign(arm=swapped)
    canary.logs = lambda: (sources, outcomes)  # type: ignore[method-assign]
    readout = canary.check()
    assert readout.verdict.code == "INVALID"
    assert failed(readout) == ["Assignment audit"]


def test_values_missing_more_often_in_one_arm_are_invalid() -> None:
    canary = Canary(Truth(units_per_day=20_000))
    candidates = set(canary.assignments.query("arm == 'candidate'")["user"])
    lost = {user for user in candidates if user.endswith(("1", "2", "3"))}
    canary.keep = lambda rows: ~(rows["user"].isin(lost) & (rows["event"] == "latency"))
    readout = canary.check()
    assert readout.verdict.code == "INVALID"
    assert failed(readout) == ["Missing outcomes by arm: latency@1"]


OUTSIDE = DESIGN.replace("checks:", "assignment: {outside: champion}\nchecks:")


def with_everybody(canary: Canary, keep: Any = None) -> Canary:
    """The canary with a log of all traffic."""

    def logs() -> tuple[Sources, OutcomeSources]:
        sources, outcomes = Canary.logs(canary)
        frame = canary.with_everybody()
        sources.place.frames["assignments"] = (
            frame if keep is None else frame[keep(frame)].reset_index(drop=True)
        )
        return sources, outcomes

    canary.logs = logs  # type: ignore[method-assign]
    return canary


def test_where_the_logs_name_everybody_the_shares_are_held_against_all_traffic() -> None:
    canary, plain = with_everybody(Canary(design_text=OUTSIDE)), Canary()
    last, same = canary.run(), plain.run()
    found = next(check for check in last.validity if check.name == "Allocation of all traffic")
    assert found.result == "pass"
    assert "step 1" in found.detail
    assert "(planned 20.00% each)" in found.detail
    assert last.verdict.code == "PASS"
    assert [g.worsening for g in last.guardrails] == [g.worsening for g in same.guardrails]


def test_too_few_of_both_slices_are_seen_only_against_all_traffic() -> None:
    """A service that drops every other user of both slices leaves them equal to one another."""
    canary = with_everybody(
        Canary(Truth(units_per_day=20_000), OUTSIDE),
        lambda frame: (frame["arm"] == "champion") | (frame["user"].str[-1].isin(list("02468"))),
    )
    readout = canary.check()
    assert readout.verdict.code == "INVALID"
    assert failed(readout) == ["Allocation of all traffic"]


# The record


def test_a_sealed_document_that_was_changed_is_refused() -> None:
    readout = Canary(SMALL).check()
    document = readout.document()
    document["verdict"]["code"] = "PASS"
    with pytest.raises(ValueError, match="the seal does not match"):
        CanaryReadout.of_document(document)


def test_no_primary_is_read_and_the_readout_says_so() -> None:
    readout = Canary(SMALL).check()
    assert "primary" not in readout.body()
    assert any("no primary metric was read" in limit for limit in readout.limits)


def test_steps_that_began_at_impossible_times_are_refused() -> None:
    canary = Canary(SMALL)
    sources, outcomes = canary.logs()
    for begun, said in (
        ([], "0 steps are not allowed"),
        ([START] * 3, "3 steps are not allowed"),
        ([START, START - DAY], "do not rise"),
        ([START.replace(tzinfo=None)], "without a time zone"),
    ):
        with pytest.raises(ValueError, match=said):
            check_status(canary.design, sources, outcomes, steps_begun=begun)


def test_a_step_left_unanswered_when_the_logs_never_came_is_held_by_the_clock() -> None:
    canary = Canary(SMALL)
    over = START + timedelta(days=2, hours=13)
    assert state_of(canary.design, canary.begun, [], START + DAY).action == "stay"
    state = state_of(canary.design, canary.begun, [], over)
    assert (state.action, state.overdue, state.share) == ("hold", True, 0.05)
    assert "nothing passes on a check that was not taken" in state.reason
    rolled = Canary(SMALL, DESIGN + "when_unanswered: roll back\n")
    state = state_of(rolled.design, rolled.begun, [], over)
    assert (state.action, state.share) == ("roll back", 0.0)


def _watermarked(sources: Sources, outcomes: OutcomeSources, until: str) -> tuple[Sources, OutcomeSources]:
    moment = pd.Timestamp(until).to_pydatetime()
    of_sources = {n: s.model_copy(update={"watermark": moment}) for n, s in sources.by_name.items()}
    of_outcomes = {n: s.model_copy(update={"watermark": moment}) for n, s in outcomes.by_name.items()}
    return Sources(of_sources, sources.place), OutcomeSources(of_outcomes, outcomes.place)
