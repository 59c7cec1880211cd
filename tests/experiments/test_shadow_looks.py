"""When a shadow's look is due, what may be seen before it, and several looks counted in users."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.readouts.past import PastLook
from experiments.shadows.judgement import make_shadow_readout
from experiments.shadows.looking import look_status, take_look
from experiments.shadows.readout import ShadowReadout
from experiments.shadows.status import ShadowStatus, shadow_status
from tests.experiments.shadows import Laboratory, Traffic, changed, context_of, laboratory, shadow

NOW = datetime(2026, 5, 1, tzinfo=UTC)


# -- when it is due ----------------------------------------------------------------------------------------------------


def at(found: Laboratory, watermark: str) -> Laboratory:
    return replace(found, source={**found.source, "watermark": watermark})


def test_a_look_waits_for_its_labels_to_be_mature_and_says_until_when() -> None:
    found = laboratory({"size": {"requests_per_unit": 4}})
    early, _ = look_status(found.design, at(found, "2026-03-10T00:00:00Z").sources)
    assert not early.due
    assert early.missing == (
        "requests for this look end 09 Mar 2026 00:00 UTC and their labels are mature 11 Mar 2026 00:00 UTC; the logs are "
        "complete up to 10 Mar 2026 00:00 UTC",
    )
    assert early.expected == datetime(2026, 3, 11, tzinfo=UTC)
    due, _ = look_status(found.design, at(found, "2026-03-11T00:00:00Z").sources)
    assert due.due
    assert due.final
    assert due.cut_off.before_us == round(datetime(2026, 3, 9, tzinfo=UTC).timestamp() * 1e6)


def test_the_look_does_not_depend_on_when_it_is_taken() -> None:
    """Rows that come after the look's last label is mature are not read by it."""
    found = laboratory({"size": {"requests_per_unit": 4}}, Traffic(requests=6000, days=21))
    one = at(found, "2026-03-11T00:00:00Z").take()
    later = at(found, "2026-03-25T00:00:00Z").take()
    assert one.status.due
    assert one.status.cut_off == later.status.cut_off
    assert one.evidence.sha256 == later.evidence.sha256


def test_a_label_logged_too_late_for_the_look_is_no_label_of_it() -> None:
    found = laboratory({"size": {"requests_per_unit": 4}})
    plain = found.take().evidence.pairing
    late = found.frames["labels"].index[:50]
    found.frames["labels"].loc[late, "labelled_at"] = pd.Timestamp("2026-03-20", tz="UTC")
    taken = found.take().evidence.pairing
    assert plain.labelled - 50 <= taken.labelled < plain.labelled
    assert taken.cut_off == plain.cut_off


def test_too_few_units_at_the_maximum_duration_are_read_as_short() -> None:
    found = laboratory({"minimum_labels": 100_000, "whole_days": False})
    waiting, _ = look_status(found.design, at(found, "2026-03-12T00:00:00Z").sources)
    assert not waiting.due
    assert "1,962 of 100,000 labelled pairs" in waiting.missing
    readout = found.readout()
    assert readout.look.short
    assert readout.look.final
    assert (
        "It was read with fewer labelled units than planned, so a true difference may have been missed."
        in readout.limits
    )


# -- blind before it ---------------------------------------------------------------------------------------------------


def poisoned(found: Laboratory, draw: np.random.Generator) -> Laboratory:
    """The same traffic with other answers, scores, latencies, costs and labels."""
    log, labels = found.frames["predictions"].copy(), found.frames["labels"].copy()
    n = len(log)
    log["prediction"] = draw.integers(0, 2, n)
    log["score"] = draw.random(n)
    log["latency_ms"] = draw.random(n) * 1e6
    log["cost"] = draw.random(n) * 1e3
    labels["label"] = draw.integers(0, 2, len(labels))
    return replace(found, frames={"predictions": log, "labels": labels})


def status(found: Laboratory) -> ShadowStatus:
    return shadow_status(found.design, found.sources, now=NOW, experiment="SHD-0001")


SEGMENTED = {"size": {"requests_per_unit": 4}, "segments": [{"attribute": "country"}]}


def test_the_status_says_the_same_whatever_the_models_said_and_the_labels_are() -> None:
    found = laboratory(SEGMENTED)
    draw = np.random.default_rng(5)
    plain = status(found)
    for _ in range(3):
        assert status(poisoned(found, draw)) == plain


def test_the_status_reads_no_column_of_answers_scores_latencies_costs_or_labels() -> None:
    """None of them is even of the type that a look needs."""
    found = laboratory(SEGMENTED)
    log, labels = found.frames["predictions"].copy(), found.frames["labels"].copy()
    for column in ("score", "latency_ms", "cost"):
        log[column] = pd.Series([float("nan")] * len(log))
    log["prediction"] = "CANARY-7731"
    labels["label"] = "CANARY-7731"
    found = replace(found, frames={"predictions": log, "labels": labels})
    said = status(found).model_dump_json()
    assert "CANARY-7731" not in said
    assert json.loads(said) == json.loads(status(laboratory(SEGMENTED)).model_dump_json())


def test_the_status_shows_pairing_errors_timeouts_and_label_maturity() -> None:
    found = laboratory(SEGMENTED)
    now = status(at(found, "2026-03-06T12:00:00Z"))
    assert now.word == "Good"
    assert now.waiting > 0
    assert now.pairing.both == now.pairing.requests > 500
    assert now.pairing.label_share == 1.0
    assert [one.name for one in now.failures] == ["error_share", "timeout_share"]
    assert now.failures[0].comparison.interval is not None
    assert now.units > now.planned_units  # and still the week is not over
    assert not now.look_due
    assert now.missing == ("requests for this look come until 09 Mar 2026 00:00 UTC at the earliest",)
    assert {one.name for one in now.checks} >= {
        "Duplicated requests",
        "Same order",
        "Whole days",
        "Labels have come",
    }


def test_a_status_of_logs_without_pairs_is_failing_or_waiting_never_good() -> None:
    found = laboratory(SEGMENTED)
    log = found.frames["predictions"]
    found.frames["predictions"] = log[log.model == "v3"]
    assert status(found).word != "Good"
    found.frames["predictions"] = pd.concat([log, log.iloc[:9]])
    assert status(found).word == "Failing"


# -- several looks -----------------------------------------------------------------------------------------------------

SEVERAL: dict[str, Any] = {
    "window": "2d",
    "minimum_labels": 2000,
    "size": {"requests_per_unit": 2},
    "stopping": {
        "rule": "group-sequential",
        "looks": [0.4, 0.7, 1],
        "minimum_duration": "7d",
        "maximum_duration": "42d",
    },
}
ALWAYS: dict[str, Any] = {
    **SEVERAL,
    "stopping": {"rule": "always-valid", "burn_in": 100, "minimum_duration": "7d", "maximum_duration": "42d"},
}
LONG = Traffic(requests=7000, users=1600, days=35)
ALIKE = replace(LONG, right={"DE": (0.8, 0.8)})


def past_of(readout: ShadowReadout) -> PastLook:
    point = readout.sequential[0].points[-1]
    before = None if point.cut_off is None else round(point.cut_off.timestamp() * 1e6)
    return PastLook(point.k, before, point.cut_off, point.information, readout.sequential)


def looks(changes: dict[str, Any], traffic: Traffic) -> list[ShadowReadout]:
    """Every look until one ends the shadow, each building on the sealed ones."""
    found = laboratory(changes, traffic)
    past: tuple[PastLook, ...] = ()
    readouts: list[ShadowReadout] = []
    while not readouts or readouts[-1].verdict.code == "CONTINUE":
        taken = take_look(found.design, found.sources, past=past)
        assert taken.status.due, taken.status.missing
        readouts.append(
            make_shadow_readout(found.design, taken.evidence, context_of(found.design, taken, past))
        )
        past = (*past, past_of(readouts[-1]))
        assert len(readouts) < 20
    return readouts


def test_a_close_call_goes_on_and_says_only_that() -> None:
    first, *later = looks({**SEVERAL, "primary": {"margin": 0.02}}, ALIKE)
    assert first.verdict.code == "CONTINUE"
    assert first.verdict.sentence == "No boundary was crossed at look 1. The shadow continues as planned."
    assert first.look.decision == "CONTINUE"
    assert all(path.median_unbiased is None for path in first.sequential)
    assert len(later) >= 1
    assert [point.k for point in later[-1].sequential[0].points] == list(range(1, len(later) + 2))


def test_looks_count_users_and_each_once_its_window_is_over() -> None:
    every = looks({**SEVERAL, "primary": {"margin": 0.02}}, ALIKE)
    units = [readout.pairing.units for readout in every]
    assert units == sorted(set(units))
    for readout in every:
        assert readout.look.information == pytest.approx(readout.pairing.units / 1000)
        assert readout.pairing.incomplete > 0
    # second way: users whose first request and its two days lie before the cut-off, their requests of these two days
    found = laboratory(SEVERAL, ALIKE)
    log = found.frames["predictions"].query("model == 'v3'")
    first = log.groupby("user").scored_at.transform("min")
    cut = pd.Timestamp(every[0].look.cut_off)
    own = log[(first + pd.Timedelta(days=2) <= cut) & (log.scored_at < first + pd.Timedelta(days=2))]
    failed = found.frames["predictions"].query("error").request
    answered = own[~own.request.isin(failed)]
    assert every[0].pairing.answered == len(answered)
    assert every[0].pairing.units == answered.user.nunique()


def test_a_much_worse_candidate_is_stopped_at_the_first_look() -> None:
    (only,) = looks(SEVERAL, replace(LONG, right={"DE": (0.8, 0.6)}))
    assert (only.verdict.code, only.verdict.row) == ("DO NOT PASS", 3)
    assert only.look.decision == "STOP FOR HARM"
    assert only.look.information < 1


def test_a_better_candidate_passes_early_by_a_boundary_that_is_wider_than_a_single_look_s() -> None:
    (only, *_) = looks(SEVERAL, replace(LONG, right={"DE": (0.7, 0.8)}))
    assert only.verdict.code == "PASS"
    assert only.look.decision == "STOP FOR EFFICACY"
    path = only.sequential[0]
    (point,) = path.points
    assert point.critical is not None
    assert point.z is not None
    assert point.z > point.critical > 1.96
    assert path.stagewise_interval is not None
    assert path.median_unbiased is not None
    assert only.primary is not None
    assert only.primary.interval is not None


def test_limits_have_boundaries_of_their_own_at_a_look() -> None:
    (only, *_) = looks(SEVERAL, replace(LONG, right={"DE": (0.7, 0.8)}))
    limits = [path for path in only.sequential if path.metric == "error_share"]
    assert len(limits) == 1
    assert limits[0].alpha == 0.025
    assert limits[0].points[0].critical is not None
    assert limits[0].points[0].critical > 1.96


def test_an_always_valid_shadow_looks_at_every_step_and_may_stop_at_any() -> None:
    every = looks(ALWAYS, replace(LONG, right={"DE": (0.7, 0.8)}))
    assert every[-1].verdict.code == "PASS"
    last = every[-1].sequential[0]
    assert last.rule == "always-valid"
    assert "confidence sequence" in last.boundary
    assert last.points[-1].p_value is not None
    assert last.points[-1].p_value < 0.025
    assert every[-1].look.decision == "STOP FOR EFFICACY"
    assert every[-1].look.k < every[-1].look.of


def test_an_always_valid_shadow_of_equal_models_goes_on() -> None:
    first, *_ = looks({**ALWAYS, "primary": {"margin": 0.005}}, LONG)
    assert first.verdict.code == "CONTINUE"


def test_a_design_of_several_looks_needs_times() -> None:
    found = laboratory(SEVERAL)
    del found.source["logs"][0]["columns"]["scored_at"]
    found = Laboratory(
        shadow(changed(SEVERAL, {})), found.frames, {**found.source, "complete": True, "watermark": None}
    )
    found.source.pop("watermark")
    with pytest.raises(Exception, match="have no scored_at, so that there is no time for several looks"):
        found.take()
