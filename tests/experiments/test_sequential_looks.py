"""Designs of several looks, look by look through the real path: status, cohort, boundaries, verdict, what is said."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.anytime.sequence import SequencePlan, difference_sequence
from analysis.sequential.design import group_sequential_design
from analysis.sequential.inference import stagewise_inference
from analysis.sequential.monitoring import analyse
from experiments.logs.sql import at_moment, microseconds
from experiments.looks.looking import look_status, take_look
from experiments.looks.reproduction import verify_readout
from experiments.looks.watching import watch
from experiments.readouts.context import Context
from experiments.readouts.judgement import make_readout
from experiments.readouts.past import PastLook, as_past, past_of
from experiments.readouts.readout import Look, Readout, Registration
from tests.experiments.laboratory import MONDAY, RELEASED, Trial, assignments, events, small_trial

DAYS = 28
UNITS = 2800
PER_ARM = 1000

GUARDED: dict[str, Any] = {
    "no_guardrails_reason": None,
    "guardrails": [{"metric": "crashed", "margin": 0.03, "reason": "a crash costs a session"}],
}


def trial(
    folder: Path,
    lift: float,
    *,
    stopping: dict[str, Any],
    crash: float = 0.0,
    seed: int = 1,
    watermark: datetime | None = None,
    **design: Any,
) -> Trial:
    """A conversion of 30 % (plus ``lift`` in treatment), crashes of 5 % (plus ``crash``), 100 units a day in turn."""
    chance = np.random.default_rng(seed)
    rows = assignments(UNITS, days=DAYS)
    treated = rows.arm == "treatment"
    bought = chance.random(UNITS) < 0.3 + lift * treated
    crashed = chance.random(UNITS) < 0.05 + crash * treated
    outcomes = pd.concat([events(rows[bought], "buy"), events(rows[crashed], "crash")])
    ends = None if watermark is None else watermark.isoformat()
    declared = {"complete": watermark is None, "watermark": ends}
    return small_trial(
        folder,
        {"assignments": rows, "outcomes": outcomes},
        design={
            "power": {"units_per_arm": PER_ARM, "override_reason": "the logs of a test are small"},
            "stopping": {"maximum_duration": "28d", "step": "1d", "part_weeks_reason": "a test", **stopping},
            **design,
        },
        sources=declared,
        outcomes=declared,
    )


def sealed(found: Trial, past: tuple[PastLook, ...]) -> Readout:
    """The readout of the next look, as the registry would seal it."""
    design = found.design
    status, _ = look_status(design, found.sources, found.outcomes, past)
    assert status.due, status.missing
    taken = take_look(design, found.sources, found.outcomes, past=past, cut_off=status.cut_off)
    before = status.cut_off.before_us
    context = Context(
        registration=Registration(
            experiment="EXP-0001",
            title=design.title,
            owner="mira",
            reviewer="ola",
            version=1,
            design_sha256=design.sha256,
            locked_at=None,
        ),
        look=Look(
            k=status.k,
            of=status.of,
            final=status.final,
            cut_off=None if before is None else at_moment(before),
            watermark=None if taken.watermark.us is None else at_moment(taken.watermark.us),
            watermark_why=taken.watermark.why,
            information=taken.status.information,
            short=status.short,
            stopped_by_hand=False,
            enrolment_start=status.start,
        ),
        released_at=RELEASED,
        simulated=True,
        manifest=tuple(taken.manifest.as_list()),
        statements=taken.statements,
        held=taken.held,
        past=past,
    )
    return make_readout(design, taken.evidence, context)


def played(found: Trial) -> list[Readout]:
    """Every look until one ends it."""
    past: tuple[PastLook, ...] = ()
    readouts: list[Readout] = []
    while not readouts or readouts[-1].verdict.code == "CONTINUE":
        readouts.append(sealed(found, past))
        if readouts[-1].verdict.code == "CONTINUE":
            past = (*past, as_past(readouts[-1]))
    return readouts


def pooled_z(readout: Readout) -> float:
    control, treated = readout.primary[0].control_value, readout.primary[0].treatment_value
    a, n, b, m = control.successes or 0, control.n, treated.successes or 0, treated.n
    p = (a + b) / (n + m)
    return (b / m - a / n) / math.sqrt(p * (1 - p) * (1 / n + 1 / m))


def test_looks_come_with_their_information_and_no_earlier(tmp_path: Path) -> None:
    found = trial(tmp_path, 0.0, stopping={"rule": "group-sequential", "looks": [0.25, 0.6, 1]})
    readouts = played(found)
    assert [one.look.k for one in readouts] == [1, 2, 3]
    assert [one.look.of for one in readouts] == [3, 3, 3]
    assert [one.look.final for one in readouts] == [False, False, True]
    assert [one.look.information for one in readouts] == pytest.approx([0.25, 0.6, 1.0])
    start = MONDAY.to_pydatetime()
    assert [(one.look.cut_off - start).days for one in readouts if one.look.cut_off] == [5, 12, 20]


def test_the_path_is_that_of_the_analysis_package_on_hand_made_statistics(tmp_path: Path) -> None:
    found = trial(tmp_path, 0.03, stopping={"rule": "group-sequential", "looks": [0.25, 0.6, 1]})
    readouts = played(found)
    last = readouts[-1].sequential[0]
    z = [pooled_z(one) for one in readouts]
    assert [point.z for point in last.points] == pytest.approx(z, abs=1e-9)
    planned = group_sequential_design("lan-demets-obf", 0.05, [0.25, 0.6, 1], 2)
    expected = analyse(planned, [one.look.information for one in readouts], z, final=True)
    assert [point.critical for point in last.points] == pytest.approx(
        list(expected.boundaries.critical), abs=1e-9
    )
    assert [point.p_value for point in last.points] == pytest.approx(list(expected.repeated_p), abs=1e-9)
    if expected.stagewise_p is not None:
        assert last.stagewise_p_value == pytest.approx(expected.stagewise_p, abs=1e-9)


def test_a_repeated_interval_excludes_no_difference_exactly_when_the_boundary_is_crossed(
    tmp_path: Path,
) -> None:
    for seed in range(8):
        found = trial(
            tmp_path / str(seed), 0.08, seed=seed, stopping={"rule": "group-sequential", "boundary": "pocock"}
        )
        for one in played(found):
            point = one.sequential[0].points[-1]
            assert point.z is not None
            assert point.critical is not None
            assert point.low is not None
            assert point.p_value is not None
            assert (point.low > 0) == (point.z >= point.critical) == (point.p_value < 0.05)


def test_a_look_that_goes_on_says_only_that(tmp_path: Path) -> None:
    found = trial(tmp_path, 0.0, stopping={"rule": "group-sequential"})
    first = played(found)[0]
    assert first.verdict.code == "CONTINUE"
    assert first.look.decision == "CONTINUE"
    assert first.verdict.sentence == "No boundary was crossed at look 1. The experiment continues as planned."
    assert first.sequential[0].stagewise_p_value is None
    assert first.sequential[0].not_computed == "the test has not stopped"


def test_a_large_effect_stops_early_and_ships(tmp_path: Path) -> None:
    wide = {**GUARDED, "guardrails": [{**GUARDED["guardrails"][0], "margin": 0.1}]}
    found = trial(tmp_path, 0.2, stopping={"rule": "group-sequential"}, **wide)
    readouts = played(found)
    last = readouts[-1]
    assert last.look.k < 3
    assert last.look.decision == "STOP FOR EFFICACY"
    assert last.verdict.code == "SHIP"
    assert last.verdict.sentence.startswith(f"Stopped at look {last.look.k} of 3: the efficacy boundary")
    path = last.sequential[0]
    assert path.stagewise_interval is not None
    assert path.stagewise_interval.low is not None
    assert path.stagewise_interval.low > 0
    shown = last.primary[0].interval
    assert shown is not None
    assert shown.level == pytest.approx(0.95)
    naive_half = 1.96 * math.sqrt(2 * 0.4 * 0.6 / last.primary[0].control_value.n)
    assert shown.low is not None
    assert shown.high is not None
    assert (shown.high - shown.low) / 2 > 1.1 * naive_half


def test_a_guardrail_that_is_not_yet_ruled_out_keeps_an_experiment_going(tmp_path: Path) -> None:
    """The primary crosses at the first look, where its own order ends; the guardrail, at its margin, keeps it from shipping."""
    found = trial(
        tmp_path, 0.2, crash=0.03, stopping={"rule": "group-sequential", "looks": [0.3, 0.6, 1]}, **GUARDED
    )
    readouts = played(found)
    assert len(readouts) == 3
    first = readouts[0].sequential
    assert first[0].points[0].z is not None
    assert first[0].points[0].z > (first[0].points[0].critical or 0)
    assert readouts[-1].verdict.code in {"INCONCLUSIVE", "DO NOT SHIP"}
    path = readouts[-1].sequential[0]
    point = path.points[0]
    assert point.z is not None
    assert point.standard_error is not None
    own = stagewise_inference((point.information,), (point.critical or 0.0,), point.z, 0.05, 2)
    unit = point.standard_error * math.sqrt(point.information)
    assert path.stagewise_p_value == pytest.approx(own.p_value)
    assert path.stagewise_interval is not None
    assert path.stagewise_interval.low == pytest.approx(own.lower * unit)
    assert path.median_unbiased == pytest.approx(own.median_unbiased * unit)
    assert first[1].label == "crashed@1"


def test_harm_to_the_primary_stops(tmp_path: Path) -> None:
    found = trial(tmp_path, -0.2, stopping={"rule": "group-sequential"})
    last = played(found)[-1]
    assert last.look.k == 1
    assert last.look.decision == "STOP FOR HARM"
    assert last.verdict.code == "DO NOT SHIP"


def test_a_guardrail_beyond_its_margin_stops(tmp_path: Path) -> None:
    found = trial(tmp_path, 0.05, crash=0.2, stopping={"rule": "group-sequential"}, **GUARDED)
    last = played(found)[-1]
    assert last.look.k == 1
    assert last.look.decision == "STOP FOR HARM"
    assert last.verdict.by_treatment[0].row == 4


def test_futility_stops_where_it_is_declared_and_only_there(tmp_path: Path) -> None:
    rule = {"rule": "group-sequential", "looks": [0.3, 0.6, 1], "futility": {"spending": "lan-demets-pocock"}}
    without = {"rule": "group-sequential", "looks": [0.3, 0.6, 1]}
    for seed in range(20):
        found = trial(tmp_path / f"{seed}", -0.03, seed=seed, stopping=rule)
        first = sealed(found, ())
        point = first.sequential[0].points[0]
        assert point.futility is not None
        assert point.z is not None
        assert (first.look.decision == "STOP FOR FUTILITY") == (point.z <= point.futility)
        if first.look.decision == "STOP FOR FUTILITY":
            assert first.verdict.code == "DO NOT SHIP"
            assert first.verdict.by_treatment[0].row == 9
            other = trial(tmp_path / f"{seed}-without", -0.03, seed=seed, stopping=without)
            assert sealed(other, ()).verdict.code == "CONTINUE"
            return
    pytest.fail("no seed was futile at the first look")


def test_looks_at_declared_times_take_what_has_come(tmp_path: Path) -> None:
    found = trial(
        tmp_path,
        0.0,
        stopping={"rule": "group-sequential", "at": ["7d", "14d", "18d"], "maximum_duration": None},
    )
    stopping = {
        "rule": "group-sequential",
        "at": ["7d", "14d", "18d"],
        "step": "1d",
        "part_weeks_reason": "a test",
    }
    text = json.loads((found.folder / "design.yaml").read_text())
    (found.folder / "design.yaml").write_text(json.dumps({**text, "stopping": stopping}))
    readouts = played(found)
    assert [one.look.information for one in readouts] == pytest.approx([0.35, 0.7, 0.9])
    assert readouts[-1].look.final
    assert readouts[-1].look.short
    spent = [point.spent for point in readouts[-1].sequential[0].points]
    assert spent[-1] == pytest.approx(0.05, abs=1e-12)


def test_the_last_look_at_the_maximum_duration_spends_what_is_left(tmp_path: Path) -> None:
    """2,800 units are 1.4 of 2,000; with 4,000 planned the experiment ends at 0.7."""
    found = trial(
        tmp_path,
        0.0,
        stopping={"rule": "group-sequential", "looks": [0.5, 1]},
        power={"units_per_arm": 2000, "override_reason": "the logs of a test are small"},
    )
    readouts = played(found)
    assert [one.look.information for one in readouts] == pytest.approx([0.5, 0.7])
    points = readouts[-1].sequential[0].points
    assert points[0].spent is not None
    assert points[0].spent < 0.01
    assert points[-1].spent == pytest.approx(0.05, abs=1e-12)


def test_before_a_look_is_due_it_says_which_information_it_waits_for(tmp_path: Path) -> None:
    found = trial(
        tmp_path,
        0.0,
        watermark=(MONDAY + pd.Timedelta(days=9)).to_pydatetime(),
        stopping={"rule": "group-sequential", "looks": [0.6, 1]},
    )
    status = found.status()
    assert not status.due
    assert (status.k, status.of, status.final, status.wanted) == (1, 2, False, 0.6)
    assert "this look needs 60%" in status.missing[0]
    assert status.expected is not None


def test_an_always_valid_design_looks_at_every_step_after_its_burn_in(tmp_path: Path) -> None:
    found = trial(
        tmp_path,
        0.02,
        stopping={"rule": "always-valid", "burn_in": 450, "minimum_duration": "1d"},
        primary={"metric": "converted", "mde": 0.2},
    )
    readouts = played(found)
    start = MONDAY.to_pydatetime()
    days = [(one.look.cut_off - start).days for one in readouts if one.look.cut_off]
    assert days[0] == 5
    assert days == list(range(5, 5 + len(days)))
    design = found.design
    planned_n = sum(design.plan.n_per_arm)
    for one in readouts:
        control, treated = one.primary[0].control_value, one.primary[0].treatment_value
        p, q = (control.successes or 0) / control.n, (treated.successes or 0) / treated.n
        variance = p * (1 - p) / (control.n - 1) + q * (1 - q) / (treated.n - 1)
        expected = difference_sequence(
            SequencePlan(0.05, planned_n, 450), q - p, variance, control.n + treated.n
        )
        interval = one.primary[0].interval
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((expected.lower, expected.upper), abs=1e-12)
        assert one.primary[0].p_value == pytest.approx(expected.p_value, abs=1e-12)
    assert readouts[-1].look.decision in {"STOP FOR FUTILITY", "NO BOUNDARY"}


def test_an_always_valid_effect_ships_as_soon_as_the_sequence_excludes_zero(tmp_path: Path) -> None:
    found = trial(tmp_path, 0.2, stopping={"rule": "always-valid", "burn_in": 450, "minimum_duration": "1d"})
    last = played(found)[-1]
    assert last.verdict.code == "SHIP"
    assert last.look.decision == "STOP FOR EFFICACY"
    low = last.primary[0].interval.low if last.primary[0].interval else None
    assert low is not None
    assert low > 0


def test_a_sealed_look_comes_out_again(tmp_path: Path) -> None:
    found = trial(tmp_path, 0.08, stopping={"rule": "group-sequential"}, **GUARDED)
    for one in played(found):
        again = verify_readout(found.design, one, found.sources, found.outcomes, None)
        assert again.answer == "IDENTICAL", again.changes
        assert len(past_of(one)) == one.look.k - 1


def test_the_looks_of_a_design_share_the_alpha_of_its_checks(tmp_path: Path) -> None:
    found = trial(tmp_path, 0.0, stopping={"rule": "group-sequential", "looks": [0.5, 1]})
    check = next(one for one in sealed(found, ()).validity if one.name == "Allocation (SRM)")
    assert "of this look, one of at most 2" in check.rule
    assert "p ≥ 0.000225" in check.rule


def test_the_cut_off_of_a_later_look_does_not_depend_on_when_it_is_asked(tmp_path: Path) -> None:
    found = trial(tmp_path, 0.0, stopping={"rule": "group-sequential", "looks": [0.25, 0.6, 1]})
    first = sealed(found, ())
    past = (as_past(first),)
    at_once, _ = look_status(found.design, found.sources, found.outcomes, past)
    assert at_once.k == 2
    assert at_once.cut_off.before_us == microseconds((MONDAY + pd.Timedelta(days=12)).to_pydatetime())


# Harm stops

WATCHED: dict[str, Any] = {
    "no_guardrails_reason": None,
    "guardrails": [
        {
            "metric": "crashed",
            "role": "harm-stop",
            "margin": 0.03,
            "alpha": 0.01,
            "burn_in": 400,
            "reason": "a crash costs a session",
        }
    ],
}


@pytest.mark.parametrize(("crash", "trips"), [(0.0, False), (0.3, True)])
def test_a_harm_stop_trips_on_harm_and_reads_only_mature_units(
    tmp_path: Path, crash: float, trips: bool
) -> None:
    at = (MONDAY + pd.Timedelta(days=14, hours=5)).to_pydatetime()
    found = trial(tmp_path, 0.0, crash=crash, stopping={}, watermark=at, **WATCHED)
    read: list[int] = []
    watched = watch(found.design, found.sources, found.outcomes, read.append)
    assert watched.watched == ("crashed@1",)
    assert bool(watched.tripped) is trips
    assert read == [700]  # seven whole days are mature


def test_a_harm_stop_says_nothing_before_its_burn_in(tmp_path: Path) -> None:
    at = (MONDAY + pd.Timedelta(days=10)).to_pydatetime()
    watched = watch(*_parts(trial(tmp_path, 0.0, crash=0.5, stopping={}, watermark=at, **WATCHED)))
    assert not watched.tripped
    assert watched.silent == ("crashed@1 with treatment",)


def test_nobody_mature_means_nothing_is_read(tmp_path: Path) -> None:
    at = (MONDAY + pd.Timedelta(days=7)).to_pydatetime()
    found = trial(tmp_path, 0.0, stopping={}, watermark=at, **WATCHED)
    read: list[int] = []
    assert watch(found.design, found.sources, found.outcomes, read.append).silent == (
        "no unit is mature yet",
    )
    assert not read


def test_a_harm_stop_that_trips_at_the_look_is_a_do_not_ship(tmp_path: Path) -> None:
    found = trial(tmp_path, 0.2, crash=0.3, stopping={}, **WATCHED)
    last = sealed(found, ())
    assert last.verdict.code == "DO NOT SHIP"
    assert last.verdict.by_treatment[0].row == 2
    assert "harm stop on crashed@1 tripped" in last.verdict.sentence
    assert last.guardrails[0].state == "Tripped"


def _parts(found: Trial) -> tuple[Any, Any, Any]:
    return found.design, found.sources, found.outcomes
