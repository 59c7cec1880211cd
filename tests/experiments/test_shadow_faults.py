"""What goes wrong with mirrored traffic never passes, and the readout (or the status) says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from experiments.forms.problems import Invalid
from experiments.shadows.readout import ShadowReadout
from tests.experiments.shadows import MONDAY, Laboratory, Traffic, check, laboratory, limit

DECLARED: dict[str, Any] = {
    "size": {"requests_per_unit": 4},
    "segments": [{"attribute": "country"}],
    "limits": [
        {"measure": "error_share", "worsening": 0.02, "reason": "the error budget of the service"},
        {"measure": "latency_p95", "worsening": 20, "reason": "20 ms cost a session"},
    ],
}


def lab(traffic: Traffic | None = None, changes: dict[str, Any] | None = None) -> Laboratory:
    return laboratory({**DECLARED, **(changes or {})}, traffic)


def with_predictions(change: Callable[[pd.DataFrame], pd.DataFrame], **kwargs: Any) -> Laboratory:
    found = lab(**kwargs)
    found.frames["predictions"] = change(found.frames["predictions"])
    return found


def until_time_is_up(found: Laboratory) -> ShadowReadout:
    """The readout of the last look there is, whatever holds it."""
    return found.readout()


def test_the_traffic_of_these_tests_passes_when_nothing_is_wrong() -> None:
    assert lab().readout().verdict.code == "PASS"


# -- held while there is time, not measured when it is up ---------------------------------------------------------------


def test_a_day_without_candidate_logs_holds_the_look_and_is_not_measured_when_time_is_up() -> None:
    def outage(log: pd.DataFrame) -> pd.DataFrame:
        gone = (log.model == "v4") & (log.scored_at.dt.floor("D") == MONDAY + pd.Timedelta(days=2))
        return log[~gone]

    found = with_predictions(outage, traffic=Traffic(requests=4000, days=14))
    found.source["watermark"] = "2026-03-12T00:00:00Z"  # a week of traffic is mature, the last look is not
    status = found.take().status
    assert not status.due
    assert any("no pair on 04 Mar 2026 (the candidate logged none)" in reason for reason in status.missing)
    found.source["watermark"] = "2026-04-30T00:00:00Z"
    readout = until_time_is_up(found)
    assert (readout.verdict.code, readout.verdict.row) == ("INCONCLUSIVE", 5)
    assert "no pair on 04 Mar 2026 (the candidate logged none)" in readout.verdict.sentence
    assert check(readout, "Whole days").result == "fail"


def test_labels_that_have_not_come_hold_the_look_and_the_status_says_what_share_has() -> None:
    found = lab()
    found.frames["labels"] = found.frames["labels"].iloc[::2]
    found.source["watermark"] = "2026-03-12T00:00:00Z"
    found = Laboratory(lab(changes={"minimum_labels": 400}).design, found.frames, found.source)
    status = found.take().status
    assert not status.due
    assert any("mature pairs have a label (50." in reason for reason in status.missing)
    assert any("at least 80% of the mature pairs" in reason for reason in status.missing)


def test_all_labels_missing_never_passes() -> None:
    found = lab()
    found.frames["labels"] = found.frames["labels"].iloc[:0]
    readout = until_time_is_up(found)
    assert (readout.verdict.code, readout.verdict.row) == ("INCONCLUSIVE", 5)
    assert "0 of 1 962 mature pairs have a label (0.00%)" in readout.verdict.sentence.replace("\u202f", " ")
    assert readout.primary is not None
    assert readout.primary.estimate is None
    assert readout.primary.not_computed is not None


def test_labels_that_come_after_their_delay_are_waited_for() -> None:
    found = lab()
    found.frames["labels"].labelled_at += pd.Timedelta(days=20)
    found.source["watermark"] = "2026-03-13T00:00:00Z"
    status = found.take().status
    assert not status.due
    assert any("0 of 500 labelled pairs" in reason for reason in status.missing)


def test_without_traffic_nothing_passes() -> None:
    found = with_predictions(lambda log: log.iloc[:0])
    status = found.take().status
    assert not status.due
    assert "no request is logged yet" in status.missing
    found.source = {**found.source, "complete": True}
    found.source.pop("watermark")
    readout = until_time_is_up(found)
    assert (readout.verdict.code, readout.verdict.row) == ("INCONCLUSIVE", 5)
    assert "no row of champion v3; no row of candidate v4" in readout.verdict.sentence


def test_without_a_row_of_the_candidate_nothing_passes() -> None:
    readout = until_time_is_up(with_predictions(lambda log: log[log.model == "v3"]))
    assert (readout.verdict.code, readout.verdict.row) == ("INCONCLUSIVE", 5)
    assert "no row of candidate v4" in readout.verdict.sentence
    assert check(readout, "Matched share").result == "fail"


def test_too_few_matched_requests_are_not_measured() -> None:
    def lossy(log: pd.DataFrame) -> pd.DataFrame:
        return log[~((log.model == "v4") & (log.index % 20 == 0))]

    readout = until_time_is_up(with_predictions(lossy))
    assert readout.verdict.row == 5
    assert check(readout, "Matched share").detail.startswith(
        "1\u202f900 of 2\u202f000 requests logged by both (95.00%)"
    )
    assert "100 requests were logged by one model only and are not compared." in " ".join(readout.limits)


# -- missing limits and levels ------------------------------------------------------------------------------------------


def test_a_limit_that_no_log_names_is_missing_and_never_passes() -> None:
    found = lab()
    del found.source["logs"][0]["columns"]["latency_ms"]
    readout = found.readout()
    assert (readout.verdict.code, readout.verdict.row) == ("INCONCLUSIVE", 5)
    assert limit(readout, "latency_p95").state == "Missing"
    assert "95th percentile of latency: no log names latency_ms of both models" in readout.verdict.sentence


def test_a_limit_without_a_value_of_the_candidate_is_missing_and_never_passes() -> None:
    def silent(log: pd.DataFrame) -> pd.DataFrame:
        return log.assign(latency_ms=log.latency_ms.where(log.model == "v3"))

    readout = with_predictions(silent).readout()
    assert readout.verdict.row == 5
    assert limit(readout, "latency_p95").not_computed == "no latency is logged of any pair"


def test_a_declared_level_without_pairs_is_missing_and_never_passes() -> None:
    segment = {"attribute": "country", "levels": ["DE", "FR", "IT"]}
    readout = lab(changes={"segments": [segment]}).readout()
    assert (readout.verdict.code, readout.verdict.row) == ("INCONCLUSIVE", 5)
    assert "share right at country = IT: 0 labelled pairs, 30 declared" in readout.verdict.sentence


def test_answers_that_are_missing_are_counted_and_never_pass() -> None:
    def mute(log: pd.DataFrame) -> pd.DataFrame:
        said = log.prediction.astype("Int64")
        return log.assign(prediction=said.mask((log.model == "v4") & (log.index % 10 == 0)))

    readout = with_predictions(mute).readout()
    assert readout.verdict.row == 5
    assert check(readout, "Answers of both models").result == "fail"


def test_labels_in_other_words_than_the_models_never_pass() -> None:
    found = lab()
    found.frames["labels"].label = found.frames["labels"].label.map({0: "no", 1: "yes"})
    found.frames["predictions"].prediction = found.frames["predictions"].prediction.map({0: "0", 1: "1"})
    readout = found.readout()
    assert readout.verdict.code != "PASS"
    assert check(readout, "Labels in the models' words").result == "fail"


# -- pairs that cannot be trusted ---------------------------------------------------------------------------------------


def invalid(found: Laboratory, name: str) -> ShadowReadout:
    """The readout, whose one failed check is the named one, and which shows nothing of the models."""
    readout = found.readout()
    assert (readout.verdict.code, readout.verdict.row) == ("INVALID", 1)
    assert [one.name for one in readout.validity if one.result == "fail" and one.blocking] == [name]
    assert name in readout.verdict.sentence
    shown = (readout.primary, readout.quality, readout.agreement, readout.flips, readout.calibration)
    assert shown == (None,) * 5
    assert readout.reproduce.evidence["content"] is None
    assert not readout.declared_limits
    assert not readout.segments
    assert not readout.latency
    return readout


@pytest.mark.parametrize("model", ["v3", "v4"])
def test_duplicated_requests_are_counted_and_invalid(model: str) -> None:
    def twice(log: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([log, log[log.model == model].iloc[:7]], ignore_index=True)

    readout = invalid(with_predictions(twice), "Duplicated requests")
    assert readout.pairing.duplicated == 7
    assert readout.pairing.both == 2000


def test_duplicated_requests_that_only_one_model_logged_are_found_as_well() -> None:
    def twice_unmatched(log: pd.DataFrame) -> pd.DataFrame:
        lone = log[log.model == "v4"].iloc[:2].assign(request="r-alone")
        return pd.concat([log, lone], ignore_index=True)

    invalid(with_predictions(twice_unmatched), "Duplicated requests")


def test_duplicates_within_a_declared_share_count_once() -> None:
    def twice(log: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([log, log.iloc[:7]], ignore_index=True)

    tolerant = {"pairing": {"duplicates": 0.01}}
    readout = with_predictions(twice, changes=tolerant).readout()
    plain = lab(changes=tolerant).readout()
    assert check(readout, "Duplicated requests").result == "warn"
    assert readout.primary == plain.primary
    assert readout.pairing.both == plain.pairing.both


def test_two_labels_of_one_request_that_differ_are_no_label() -> None:
    found, plain = lab(), lab()
    other = found.frames["labels"].iloc[:9].assign(label=lambda rows: 1 - rows.label)
    same = found.frames["labels"].iloc[9:20]
    found.frames["labels"] = pd.concat([found.frames["labels"], other, same], ignore_index=True)
    readout = found.readout()
    assert readout.pairing.conflicting_labels == 9
    assert readout.pairing.labelled == pytest.approx(plain.readout().pairing.labelled - 9, abs=1)


def test_other_inputs_are_invalid() -> None:
    def other(log: pd.DataFrame) -> pd.DataFrame:
        return log.assign(
            input_hash=log.input_hash.mask((log.model == "v4") & (log.index % 500 == 0), "other")
        )

    readout = invalid(with_predictions(other), "Same inputs")
    assert readout.pairing.other_inputs == 4


def test_re_ordered_requests_are_invalid() -> None:
    """The candidate answers the requests that a user sends within a short while from the last to the first."""

    def backwards(log: pd.DataFrame) -> pd.DataFrame:
        hour = log.scored_at.dt.floor("20min")
        candidate = log.model == "v4"
        turned = (
            log[candidate].groupby(["user", hour]).scored_at.transform(lambda times: times.to_numpy()[::-1])
        )
        return log.assign(scored_at=log.scored_at.mask(candidate, turned))

    busy = Traffic(requests=3000, users=3, days=7)
    invalid(with_predictions(backwards, traffic=busy), "Same order")


def test_answers_far_apart_are_invalid() -> None:
    def late(log: pd.DataFrame) -> pd.DataFrame:
        return log.assign(
            scored_at=log.scored_at.mask(log.model == "v4", log.scored_at + pd.Timedelta(hours=3))
        )

    invalid(with_predictions(late), "Answered together")


def test_requests_missing_in_one_country_alone_are_invalid() -> None:
    def lossy(log: pd.DataFrame) -> pd.DataFrame:
        gone = (log.model == "v4") & (log.country == "FR") & (log.index % 20 < 2)
        return log[~gone]

    found = with_predictions(lossy, traffic=Traffic(requests=6000, users=600), changes={"matched_share": 0.9})
    readout = invalid(found, "Missing at random by country")
    (by_country,) = readout.pairing.missing
    assert by_country.worst == "FR"
    assert by_country.p_value is not None
    assert by_country.p_value < 0.001


def test_requests_missing_where_the_champion_is_sure_are_invalid() -> None:
    def lossy(log: pd.DataFrame) -> pd.DataFrame:
        sure = log[(log.model == "v3") & (log.score > 0.85)].request
        gone = (log.model == "v4") & log.request.isin(sure.iloc[::2])
        return log[~gone]

    found = with_predictions(lossy, traffic=Traffic(requests=6000, users=600), changes={"matched_share": 0.9})
    invalid(found, "Missing at random by the champion's score")


def test_requests_missing_anywhere_are_counted_and_no_fault() -> None:
    def lossy(log: pd.DataFrame) -> pd.DataFrame:
        return log[~((log.model == "v4") & (log.index % 100 == 0))]

    readout = with_predictions(lossy).readout()
    assert readout.verdict.code == "PASS"
    assert readout.pairing.champion_only == 20


def test_without_input_hashes_the_same_input_is_taken_on_trust_and_said() -> None:
    found = lab()
    del found.source["logs"][0]["columns"]["input_hash"]
    readout = found.readout()
    assert check(readout, "Same inputs").result == "not applicable"
    assert (
        "No input hash is logged: that both models were given the same input is taken on trust."
        in readout.limits
    )


# -- logs that cannot be read -------------------------------------------------------------------------------------------


def test_every_problem_of_the_logs_is_told_at_once() -> None:
    found = lab()
    columns = found.source["logs"][0]["columns"]
    columns.update(score="scor", latency_ms="country")
    columns.pop("unit")
    found.source["logs"][0]["attributes"] = {"nation": "country"}
    with pytest.raises(Invalid) as raised:
        found.readout()
    told = [str(problem) for problem in raised.value.problems]
    assert told == [
        "predictions.logs[0].columns.score: 'scor' is not a column of predictions_0. Did you mean 'score'? Allowed: request, "
        "user, scored_at, model, prediction, score, latency_ms, error, timeout, cost, input_hash, country.",
        "predictions.logs[0].columns.latency_ms: country is VARCHAR; a value must be a number",
        "predictions.logs[0].attributes: 'country' is not an attribute of this source. Allowed: nation.",
        "predictions.logs[0].columns.unit: is missing: the design's unit is the user",
    ]


def test_a_version_that_no_log_names_is_told_with_those_that_are_named() -> None:
    found = lab()
    found.source["logs"][0]["models"] = {"router-a": "v3", "router-b": "v5"}
    with pytest.raises(Invalid, match=r"'v4' is not a version that a log names. Allowed: v3, v5\."):
        found.readout()
