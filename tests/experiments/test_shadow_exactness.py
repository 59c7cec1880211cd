"""The same logs give the same evidence, bit for bit: in any order of the rows, at any thread count, in any form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.logs.sources import Place
from experiments.shadows.design import ShadowDesign
from experiments.shadows.evidence import ShadowEvidence
from experiments.shadows.logs import parse_prediction_sources
from experiments.shadows.looking import take_look
from experiments.shadows.unit_sums import UnitSums
from tests.experiments.shadows import SOURCE, Laboratory, Traffic, changed, laboratory, shadow

CHANGES: dict[str, Any] = {
    "size": {"requests_per_unit": 4},
    "segments": [{"attribute": "country"}],
    "limits": [
        {"measure": measure, bound: value, "reason": "the error budget of the service"}
        for measure, bound, value in (
            ("error_share", "worsening", 0.02),
            ("latency_p95", "worsening", 20),
            ("latency_mean", "worsening", 20),
            ("score_psi", "at_most", 0.2),
            ("prediction_psi", "at_most", 0.2),
        )
    ],
}
LOSSY = Traffic(requests=3000, users=300, errors=(0.02, 0.02))


def lossy() -> Laboratory:
    """Traffic of which some requests are unmatched, more of them in one country, so that every statement has work."""
    found = laboratory({**CHANGES, "matched_share": 0.8, "pairing": {"alpha": 1e-300}}, LOSSY)
    log = found.frames["predictions"]
    found.frames["predictions"] = log[~((log.country == "FR") & (log.model == "v4") & (log.index % 12 == 0))]
    return found


@pytest.fixture(scope="module")
def evidence() -> ShadowEvidence:
    found = lossy().take(threads=1).evidence
    assert found.content is not None
    assert found.pairing.missing  # a gap large enough to be tested
    return found


@pytest.mark.parametrize("threads", [2, 5])
def test_the_evidence_is_the_same_at_any_thread_count(evidence: ShadowEvidence, threads: int) -> None:
    assert lossy().take(threads=threads).evidence.sha256 == evidence.sha256


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_evidence_is_the_same_in_any_order_of_the_rows(evidence: ShadowEvidence, seed: int) -> None:
    found = lossy()
    found.frames = {name: log.sample(frac=1, random_state=seed) for name, log in found.frames.items()}
    assert found.take().evidence.sha256 == evidence.sha256


def test_two_logs_one_a_model_say_what_one_log_of_both_says(evidence: ShadowEvidence) -> None:
    found = lossy()
    log = found.frames.pop("predictions")
    columns = {name: column for name, column in SOURCE["logs"][0]["columns"].items() if name != "model"}
    found.source["logs"] = [
        {"frame": f"of_{model}", "model": model, "columns": columns, "attributes": {"country": "country"}}
        for model in ("v3", "v4")
    ]
    found.frames |= {f"of_{model}": log[log.model == model] for model in ("v3", "v4")}
    assert found.take().evidence.sha256 == evidence.sha256


def test_a_wide_log_says_what_a_long_one_says() -> None:
    """Of pairs that are all there; a wide log's rows without an answer of either model are no requests."""
    found = laboratory(CHANGES)
    plain = found.take().evidence
    sides = dict(tuple(found.frames["predictions"].groupby("model")))
    both = sides["v3"].merge(sides["v4"], on=["request", "user", "country"], suffixes=("_v3", "_v4"))
    answers = ("prediction", "score", "latency_ms", "error", "timeout", "cost", "input_hash", "scored_at")
    found.frames["predictions"] = both
    found.source["logs"] = [
        {
            "frame": "predictions",
            "columns": {"request": "request", "unit": "user"},
            "wide": {model: {name: f"{name}_{model}" for name in answers} for model in ("v3", "v4")},
            "attributes": {"country": "country"},
        }
    ]
    assert found.take().evidence.sha256 == plain.sha256


def test_files_say_what_frames_say(tmp_path: Path, evidence: ShadowEvidence) -> None:
    found = lossy()
    log, labels = found.frames["predictions"], found.frames["labels"]
    for day, rows in log.groupby(log.scored_at.dt.date):
        (tmp_path / "predictions" / f"dt={day}").mkdir(parents=True)
        rows.to_parquet(tmp_path / "predictions" / f"dt={day}" / "part.parquet")
    labels.to_csv(tmp_path / "labels.csv", index=False)
    source = changed(SOURCE, {})
    source["logs"][0] = {**source["logs"][0], "files": "predictions/**/*.parquet"}
    source["logs"][0].pop("frame")
    source["labels"] = {"files": "labels.csv", "columns": SOURCE["labels"]["columns"]}
    sources = parse_prediction_sources(json.dumps({"predictions": {"main": source}}), Place(tmp_path))
    taken = take_look(found.design, sources)
    assert taken.evidence.sha256 == evidence.sha256
    assert {part.name for part in taken.manifest.parts if part.log == "labels"} == {"labels.csv"}


def test_whole_number_ids_and_true_or_false_say_what_text_and_numbers_say() -> None:
    found, plain = laboratory(CHANGES), laboratory(CHANGES).take().evidence
    for log in found.frames.values():
        log["request"] = log.request.str[1:].astype(int)
    log = found.frames["predictions"]
    found.frames["predictions"] = log.assign(
        user=log.user.str[1:].astype(int), prediction=log.prediction == 1, error=log.error.astype(int)
    )
    assert found.take().evidence.sha256 == plain.sha256


def test_the_sums_of_a_unit_are_exact(evidence: ShadowEvidence) -> None:
    """Against Python's integers over the rows: latencies in thousandths, whatever a double would round."""
    log = lossy().frames["predictions"]
    failed = log[log.error].request.unique()
    sides = {model: rows.set_index("request") for model, rows in log.groupby("model")}
    both = sides["v3"].index.intersection(sides["v4"].index).difference(pd.Index(failed))
    thousandths = {
        model: (sides[model].loc[both].latency_ms * 1000).round().astype(int).tolist() for model in sides
    }
    users: dict[str, list[int]] = {}
    for user, h, c in zip(sides["v3"].loc[both].user, thousandths["v3"], thousandths["v4"], strict=True):
        own = users.setdefault(user, [0, 0])
        own[0] += c - h
        own[1] += 1
    assert evidence.content is not None
    found = evidence.content.quantity("latency_mean")
    rows = list(users.values())
    assert found == UnitSums(
        "latency_mean",
        None,
        None,
        ("difference", "pairs"),
        (1000, 1),
        len(rows),
        tuple(sum(row[i] for row in rows) for i in range(2)),
        tuple(sum(row[i] * row[j] for row in rows) for i in range(2) for j in range(i, 2)),
        sum(thousandths["v3"]),
    )


def small(answers: list[tuple[int, int, int, int]], unit: str) -> tuple[ShadowDesign, Laboratory]:
    """Requests given as (user, champion's answer, candidate's answer, label)."""
    n = len(answers)
    rows = [
        pd.DataFrame(
            {
                "request": range(n),
                "user": [answer[0] for answer in answers],
                "scored_at": pd.date_range("2026-03-02", periods=n, freq="1h", tz="UTC"),
                "model": model,
                "prediction": [answer[place] for answer in answers],
            }
        )
        for place, model in ((1, "v3"), (2, "v4"))
    ]
    labels = pd.DataFrame({"request": range(n), "label": [answer[3] for answer in answers]})
    design = shadow(
        {
            "unit": unit,
            "threshold": None,
            "minimum_labels": 2,
            "minimum_pairs": 2,
            "limits": None,
            "no_limits_reason": "none is needed for this",
        }
    )
    columns = {
        name: name if name != "unit" else "user"
        for name in ("request", "unit", "scored_at", "model", "prediction")
    }
    source = {
        "complete": True,
        "logs": [{"frame": "predictions", "columns": columns}],
        "labels": {"frame": "labels", "columns": {"request": "request", "label": "label"}},
    }
    return design, Laboratory(design, {"predictions": pd.concat(rows), "labels": labels}, source)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), *[st.integers(0, 1)] * 3), min_size=2, max_size=30),
    st.sampled_from(["user", "request"]),
)
def test_any_pairs_give_the_counts_that_python_counts(
    answers: list[tuple[int, int, int, int]], unit: str
) -> None:
    _, found = small(answers, unit)
    content = found.take().evidence.content
    assert content is not None
    right = np.array([(h == label, c == label) for _, h, c, label in answers])
    table = content.table()
    assert table is not None
    assert (table.both, table.candidate_only, table.champion_only, table.neither) == (
        int((right[:, 0] & right[:, 1]).sum()),
        int((~right[:, 0] & right[:, 1]).sum()),
        int((right[:, 0] & ~right[:, 1]).sum()),
        int((~right[:, 0] & ~right[:, 1]).sum()),
    )
    sums = content.quantity("correctness")
    assert sums is not None
    assert sums.names == ("candidate", "champion", "both", "pairs")
    clusters = [answer[0] for answer in answers] if unit == "user" else list(range(len(answers)))
    totals = [
        [sum(right[i, side] for i, one in enumerate(clusters) if one == cluster) for side in (1, 0)]
        for cluster in sorted(set(clusters))
    ]
    assert sums.units == len(totals)
    assert sums.products[1] == sum(int(c) * int(h) for c, h in totals)


def test_swapping_the_models_mirrors_the_readout() -> None:
    found = laboratory({"size": {"requests_per_unit": 4}})
    swapped = Laboratory(
        shadow(
            {
                "size": {"requests_per_unit": 4},
                "champion": {"version": "v4"},
                "candidate": {"version": "v3"},
                "pairing": {"answer_within": "1h"},
            }
        ),
        found.frames,
        found.source,
    )
    one, other = found.readout(), swapped.readout()
    assert one.primary is not None
    assert other.primary is not None
    assert one.quality is not None
    assert other.quality is not None
    assert one.primary.estimate == pytest.approx(-(other.primary.estimate or 0.0), abs=1e-15)
    assert (one.quality.candidate_only, one.quality.champion_only) == (
        other.quality.champion_only,
        other.quality.candidate_only,
    )
    assert one.quality.p_value == other.quality.p_value


def test_users_with_more_requests_than_a_packed_counter_holds_are_counted_all_the_same() -> None:
    """4,096 is the first number that a field of twelve bits cannot hold."""
    n = 5_000
    log = pd.DataFrame(
        {
            "request": range(n),
            "user": np.where(np.arange(n) < 4_500, 1, np.arange(n) // 100),
            "scored_at": pd.date_range("2026-03-02", periods=n, freq="1min", tz="UTC"),
            "h": np.arange(n) % 3 == 0,
            "c": np.arange(n) % 2 == 0,
        }
    )
    design = shadow(
        {
            "threshold": None,
            "minimum_labels": n,
            "minimum_pairs": 2,
            "limits": None,
            "no_limits_reason": "none is needed for this",
        }
    )
    source = {
        "complete": True,
        "logs": [
            {
                "frame": "predictions",
                "columns": {"request": "request", "unit": "user", "scored_at": "scored_at"},
                "wide": {"v3": {"correct": "h"}, "v4": {"correct": "c"}},
            }
        ],
    }
    content = Laboratory(design, {"predictions": log}, source).take().evidence.content
    assert content is not None
    sums = content.quantity("correctness")
    assert sums is not None
    by_user = log.assign(both=log.h & log.c, n=1).groupby("user")[["c", "h", "both", "n"]].sum()
    assert by_user.n.max() == 4_500
    assert (sums.units, sums.sums) == (len(by_user), tuple(by_user.sum()))
    values = [tuple(int(value) for value in row) for row in by_user.itertuples(index=False)]
    assert sums.products == tuple(
        sum(row[i] * row[j] for row in values) for i in range(4) for j in range(i, 4)
    )


@pytest.mark.parametrize("twice", ["predictions", "labels"])
def test_a_wide_log_with_a_request_twice_counts_it_once(twice: str) -> None:
    log = pd.DataFrame({"request": range(40), "h": [True, False] * 20, "c": [True] * 40})
    labels = pd.DataFrame({"request": range(40), "label": [1, 0] * 20})
    frames = {"predictions": log, "labels": labels}
    frames[twice] = pd.concat([frames[twice], frames[twice].iloc[:3]], ignore_index=True)
    design = shadow(
        {
            "unit": "request",
            "threshold": None,
            "minimum_labels": 40,
            "minimum_pairs": 2,
            "pairing": {"duplicates": 0.5},
            "limits": None,
            "no_limits_reason": "none is needed for this",
        }
    )
    source = {
        "complete": True,
        "logs": [
            {
                "frame": "predictions",
                "columns": {"request": "request"},
                "wide": {"v3": {"prediction": "h"}, "v4": {"prediction": "c"}},
            }
        ],
        "labels": {"frame": "labels", "columns": {"request": "request", "label": "label"}},
    }
    taken = Laboratory(design, frames, source).take()
    assert taken.evidence.pairing.both == taken.evidence.pairing.labelled == 40
    assert taken.evidence.pairing.duplicated == (3 if twice == "predictions" else 0)
    assert taken.evidence.content is not None
    table = taken.evidence.content.table()
    assert table is not None
    assert (table.both, table.candidate_only, table.champion_only, table.neither) == (20, 0, 20, 0)
