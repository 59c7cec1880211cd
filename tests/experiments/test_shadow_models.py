"""Real models as shadows: scikit-learn on its bundled data, and late labels of car loans."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.logs.sources import Place
from experiments.shadows.design import declare_shadow
from experiments.shadows.judgement import make_shadow_readout
from experiments.shadows.logs import PredictionSources, parse_prediction_sources
from experiments.shadows.looking import look_status, take_look
from experiments.shadows.readout import ShadowReadout
from tests.experiments.laboratory import real_data
from tests.experiments.shadows import context_of, limit

sklearn = pytest.importorskip("sklearn", reason="scikit-learn (extra ml) is not installed")

from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine  # noqa: E402
from sklearn.ensemble import RandomForestRegressor  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.naive_bayes import GaussianNB  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

START = pd.Timestamp("2026-03-02", tz="UTC")


def readout_of(
    written: dict[str, Any], frames: dict[str, pd.DataFrame], columns: dict[str, str]
) -> ShadowReadout:
    n = len(frames["predictions"]) // 2
    design = declare_shadow(**{**written, "minimum_pairs": n, "minimum_labels": n})
    source = {
        "complete": True,
        "logs": [{"frame": "predictions", "columns": columns, "attributes": {"part": "part"}}],
        "labels": {"frame": "labels", "columns": {"request": "request", "label": "label"}},
    }
    sources = parse_prediction_sources(json.dumps({"predictions": {"main": source}}), Place(frames=frames))
    taken = take_look(design, sources)
    return make_shadow_readout(design, taken.evidence, context_of(design, taken))


def log_of(answers: dict[str, dict[str, Any]], part: np.ndarray) -> pd.DataFrame:
    n = len(part)
    at = START + pd.to_timedelta(np.arange(n), unit="h")
    rows = [
        pd.DataFrame({"request": range(n), "scored_at": at, "model": model, "part": part, **said})
        for model, said in answers.items()
    ]
    return pd.concat(rows, ignore_index=True)


def timed(predict: Any, x: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """What a model says of each request, and how long it took, in milliseconds."""
    said, took = [], []
    for row in x:
        begun = time.perf_counter()
        said.append(predict(row[None, :])[0])
        took.append((time.perf_counter() - begun) * 1000)
    return np.array(said), took


def written(task: str, **more: Any) -> dict[str, Any]:
    return {
        "title": "A candidate of another family in the shadow",
        "hypothesis": "it answers no worse than what serves now",
        "model": "bundled",
        "champion": {"version": "champion"},
        "candidate": {"version": "candidate"},
        "task": task,
        "unit": "request",
        "minimum_pairs": 50,
        "minimum_labels": 50,
        **more,
    }


def margin(value: float, **more: Any) -> dict[str, Any]:
    return {"margin": value, "reason": "what a review by hand would cost", **more}


COLUMNS = {name: name for name in ("request", "scored_at", "model", "prediction")}


def test_two_binary_models_on_tumours_give_a_full_readout() -> None:
    data = load_breast_cancer()
    order = np.random.default_rng(7).permutation(len(data.target))
    train, live = order[:250], order[250:]
    champion = GaussianNB().fit(data.data[train], data.target[train])
    scaled = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    candidate = scaled.fit(data.data[train], data.target[train])
    answers = {}
    for name, model in (("champion", champion), ("candidate", candidate)):
        probability, took = timed(lambda x, m=model: m.predict_proba(x)[:, 1], data.data[live])
        answers[name] = {
            "prediction": (probability >= 0.5).astype(int),
            "score": probability,
            "latency_ms": took,
            "error": False,
        }
    part = np.where(data.data[live, 0] > np.median(data.data[:, 0]), "large", "small")
    frames = {
        "predictions": log_of(answers, part),
        "labels": pd.DataFrame({"request": range(len(live)), "label": data.target[live]}),
    }
    columns = {**COLUMNS, "score": "score", "latency_ms": "latency_ms", "error": "error"}
    limits = [
        {"measure": "latency_p95", "at_most": 1000, "reason": "an answer within a second"},
        {"measure": "agreement", "at_least": 0.8, "reason": "most answers stay as they are"},
    ]
    design = written(
        "binary",
        threshold=0.5,
        primary=margin(0.03),
        limits=limits,
        segments=[{"attribute": "part", **margin(0.08)}],
    )
    readout = readout_of(design, frames, columns)
    # second way: scikit-learn's own scores of the two models
    assert readout.primary is not None
    assert readout.primary.control_value.value == pytest.approx(
        champion.score(data.data[live], data.target[live])
    )
    assert readout.primary.treatment_value.value == pytest.approx(
        candidate.score(data.data[live], data.target[live])
    )
    assert readout.verdict.code == "PASS", readout.verdict.sentence
    assert readout.quality is not None
    assert readout.quality.both + readout.quality.candidate_only > 300 * 0.9
    assert readout.calibration is not None
    from sklearn.metrics import brier_score_loss, cohen_kappa_score, log_loss

    for found, name in zip(readout.calibration.models, ("champion", "candidate"), strict=True):
        assert found.brier is not None
        score = answers[name]["score"]
        assert found.brier.value == pytest.approx(brier_score_loss(data.target[live], score), abs=1e-6)
    by_loss = readout_of({**design, "primary": margin(0.05, measure="log_loss")}, frames, columns).primary
    assert by_loss is not None
    for value, name in ((by_loss.control_value, "champion"), (by_loss.treatment_value, "candidate")):
        kept = np.clip(
            answers[name]["score"], 1e-15, 1 - 1e-15
        )  # scikit-learn keeps them from 0 and 1 by 2.2e-16
        assert value.value == pytest.approx(log_loss(data.target[live], kept), abs=1e-5)
    assert readout.agreement is not None
    assert readout.agreement.kappa is not None
    both = [answers[name]["prediction"] for name in ("champion", "candidate")]
    assert readout.agreement.kappa.value == pytest.approx(cohen_kappa_score(*both), abs=1e-12)
    assert limit(readout, "latency_p95").state == "Within margin"
    assert len(readout.latency) == 3
    assert {one.level for one in readout.segments[0].comparisons} == {"large", "small"}


def test_two_models_of_several_classes_on_wines() -> None:
    data = load_wine()
    order = np.random.default_rng(3).permutation(len(data.target))
    train, live = order[:60], order[60:]
    names = np.array(["barolo", "grignolino", "barbera"])
    few = data.data[:, :2]
    champion = GaussianNB().fit(few[train], data.target[train])
    scaled = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    candidate = scaled.fit(data.data[train], data.target[train])
    answers = {
        "champion": {"prediction": names[champion.predict(few[live])]},
        "candidate": {"prediction": names[candidate.predict(data.data[live])]},
    }
    frames = {
        "predictions": log_of(answers, np.full(len(live), "all")),
        "labels": pd.DataFrame({"request": range(len(live)), "label": names[data.target[live]]}),
    }
    design = written(
        "multiclass", primary={"purpose": "superiority"}, no_limits_reason="nothing of operations is logged"
    )
    readout = readout_of(design, frames, COLUMNS)
    assert readout.primary is not None
    assert readout.primary.treatment_value.value == pytest.approx(
        candidate.score(data.data[live], data.target[live])
    )
    assert readout.verdict.code == "PASS"
    assert readout.agreement is not None
    assert {one.champion for one in readout.agreement.answers} <= set(names)
    assert readout.agreement.kappa is not None
    assert readout.agreement.kappa.value is not None
    assert readout.calibration is None
    assert readout.flips is None


@pytest.mark.parametrize("measure", ["absolute_error", "squared_error"])
def test_two_regressions_on_diabetes(measure: str) -> None:
    data = load_diabetes()
    order = np.random.default_rng(5).permutation(len(data.target))
    train, live = order[:200], order[200:]
    champion = RandomForestRegressor(5, max_depth=2, random_state=1).fit(data.data[train], data.target[train])
    candidate = Ridge(0.1).fit(data.data[train], data.target[train])
    said = {"champion": champion.predict(data.data[live]), "candidate": candidate.predict(data.data[live])}
    frames = {
        "predictions": log_of(
            {name: {"prediction": one} for name, one in said.items()}, np.full(len(live), "all")
        ),
        "labels": pd.DataFrame({"request": range(len(live)), "label": data.target[live]}),
    }
    design = written(
        "regression",
        primary=margin({"absolute_error": 5.0, "squared_error": 500.0}[measure], measure=measure),
        limits=[{"measure": "prediction_psi", "at_most": 2.0, "reason": "predictions keep their spread"}],
    )
    readout = readout_of(design, frames, COLUMNS)
    power = {"absolute_error": 1, "squared_error": 2}[measure]
    loss = {name: np.abs(one - data.target[live]) ** power for name, one in said.items()}
    difference = loss["candidate"] - loss["champion"]
    assert readout.primary is not None
    assert readout.primary.interval is not None
    assert readout.primary.estimate == pytest.approx(difference.mean(), rel=1e-7)
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    half = (readout.primary.interval.high - readout.primary.interval.low) / 2  # type: ignore[operator]
    assert half == pytest.approx(1.96 * error, rel=0.01)
    assert readout.primary.direction == "lower"
    assert readout.verdict.code == "PASS", readout.verdict.sentence
    assert readout.quality is None
    assert readout.agreement is not None
    assert readout.agreement.score_difference is not None
    assert readout.agreement.score_difference.value == pytest.approx(
        (said["candidate"] - said["champion"]).mean(), abs=1e-5
    )
    assert sum(one.champion for one in readout.agreement.score_bins) == len(live)


def test_a_ranking_is_judged_by_its_quality_scores_without_labels() -> None:
    draw = np.random.default_rng(11)
    n = 800
    champion = draw.beta(4, 2, n)
    frames = {
        "predictions": log_of(
            {
                "champion": {"ndcg": champion},
                "candidate": {"ndcg": np.clip(champion + draw.normal(0.02, 0.1, n), 0, 1)},
            },
            np.full(n, "all"),
        )
    }
    design = declare_shadow(
        **written(
            "ranking",
            primary={"purpose": "superiority", "mde": 0.01},
            no_limits_reason="nothing of operations is logged",
            minimum_labels=n,
        )
    )
    columns = {"request": "request", "scored_at": "scored_at", "model": "model", "score": "ndcg"}
    sources = parse_prediction_sources(
        json.dumps(
            {
                "predictions": {
                    "main": {"complete": True, "logs": [{"frame": "predictions", "columns": columns}]}
                }
            }
        ),
        Place(frames=frames),
    )
    taken = take_look(design, sources)
    readout = make_shadow_readout(design, taken.evidence, context_of(design, taken))
    sides = frames["predictions"].pivot(index="request", columns="model", values="ndcg").round(6)
    assert readout.primary is not None
    assert readout.primary.metric == "score"
    assert readout.primary.estimate == pytest.approx((sides.candidate - sides.champion).mean(), abs=1e-9)
    assert readout.verdict.code == "PASS"
    assert readout.pairing.label_share is None


# -- car loans: the served model, a challenger, and labels that come weeks later ------------------------------------------

FEATURES = ["car_value", "debt_to_income_ratio", "loan_length", "repaid_loan_on_prev_car", "driver_tenure"]


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine weeks of loans: the served model's answers, a challenger's, and whether they were repaid, 30 days later.

    Of every eighth loan the label never comes.
    """
    reference = pd.read_parquet(real_data("car_loan_reference.parquet"))
    live = pd.read_parquet(real_data("car_loan_analysis.parquet"))
    repaid = pd.read_csv(real_data("car_loan_analysis_target.csv"))
    challenger = DecisionTreeClassifier(max_depth=8, min_samples_leaf=50, random_state=1)
    past = reference.iloc[::5]
    challenger.fit(past[FEATURES].astype(float), past.repaid)
    live = live.assign(at=pd.to_datetime(live.timestamp, utc=True))
    live = live[live["at"] < live["at"].min().floor("D") + pd.Timedelta(days=63)]
    score = challenger.predict_proba(live[FEATURES].astype(float))[:, 1]
    folder = tmp_path_factory.mktemp("loans")
    common = {"request": live.id, "at": live["at"], "salary": live.salary_range}
    served = pd.DataFrame({**common, "model": "served", "answer": live.y_pred, "score": live.y_pred_proba})
    shadowed = pd.DataFrame({**common, "model": "tree", "answer": (score >= 0.5).astype(int), "score": score})
    pd.concat([served, shadowed]).to_parquet(folder / "predictions.parquet", index=False)
    labels = live[["id", "at"]].merge(repaid, on="id")
    labels = labels[labels.id % 8 != 0].assign(at=lambda rows: rows["at"] + pd.Timedelta(days=30))
    labels.to_csv(folder / "labels.csv", index=False)
    return folder


LOANS = {
    "title": "A tree in the shadow of the served loan model",
    "hypothesis": "a tree judges loans as well as what serves",
    "model": "car-loan",
    "champion": {"version": "v1"},
    "candidate": {"version": "v2"},
    "task": "binary",
    "threshold": 0.5,
    "unit": "request",
    "primary": margin(0.01),
    "limits": [
        {"measure": "agreement", "at_least": 0.85, "reason": "most answers stay as they are"},
        {"measure": "score_psi", "at_most": 5, "reason": "scores keep their spread"},
    ],
    "segments": [{"attribute": "salary", **margin(0.04)}],
    "minimum_pairs": 5000,
    "minimum_labels": 5000,
    "label_delay": "31d",
    "stopping": {"minimum_duration": "42d", "maximum_duration": "63d"},
}


def loan_sources(folder: Path, watermark: str) -> PredictionSources:
    source = {
        "watermark": watermark,
        "logs": [
            {
                "files": "predictions.parquet",
                "columns": {
                    "request": "request",
                    "scored_at": "at",
                    "model": "model",
                    "prediction": "answer",
                    "score": "score",
                },
                "models": {"served": "v1", "tree": "v2"},
                "attributes": {"salary": "salary"},
            }
        ],
        "labels": {
            "files": "labels.csv",
            "columns": {"request": "id", "label": "repaid", "labelled_at": "at"},
        },
    }
    return parse_prediction_sources(json.dumps({"predictions": {"main": source}}), Place(folder))


@pytest.mark.parametrize(
    ("watermark", "missing"),
    [
        (
            "2018-12-20T00:00:00Z",
            ("2,926 of 5,000 requests with a labelled pair", "2,926 of 5,000 labelled pairs"),
        ),
        (
            "2019-01-09T00:00:00Z",
            (
                "requests for this look end 11 Dec 2018 00:00 UTC and their labels are mature 11 Jan 2019 00:00 UTC; the logs "
                "are complete up to 09 Jan 2019 00:00 UTC",
            ),
        ),
    ],
)
def test_labels_of_loans_that_are_not_mature_are_waited_for(
    loans: Path, watermark: str, missing: tuple[str, ...]
) -> None:
    design = declare_shadow(**LOANS)
    status, _ = look_status(design, loan_sources(loans, watermark))
    assert not status.due
    assert status.missing == missing
    due, _ = look_status(design, loan_sources(loans, "2019-01-11T00:00:00Z"))
    assert due.due


def test_a_full_readout_of_late_loans_says_what_share_of_labels_has_come(loans: Path) -> None:
    design = declare_shadow(**LOANS)
    sources = loan_sources(loans, "2019-02-10T00:00:00Z")
    taken = take_look(design, sources)
    readout = make_shadow_readout(design, taken.evidence, context_of(design, taken))
    assert readout.pairing.label_share == pytest.approx(7 / 8, abs=0.001)
    labels = next(one for one in readout.validity if one.name == "Labels have come")
    assert "(87.49%)" in labels.detail
    assert any("mature pairs have no label and are not judged" in one for one in readout.limits)
    assert readout.primary is not None
    assert readout.primary.not_computed is None
    assert len(readout.segments[0].comparisons) == 4
    assert readout.calibration is not None
    log = pd.read_parquet(loans / "predictions.parquet")
    known = pd.read_csv(loans / "labels.csv").set_index("id").repaid
    log = log[log["at"] < pd.Timestamp(readout.look.cut_off)]
    sides = log[log.request.isin(known.index)].pivot(index="request", columns="model", values="answer")
    truth = known.loc[sides.index]
    assert readout.primary.control_value.value == pytest.approx((sides.served == truth).mean())
    assert readout.primary.treatment_value.value == pytest.approx((sides.tree == truth).mean())
    assert (readout.verdict.code, readout.verdict.row) == ("DO NOT PASS", 3)
    assert readout.look.cut_off == pd.Timestamp("2018-12-11", tz="UTC")


def test_a_file_of_labels_that_is_not_there_yet_holds_no_label_and_is_no_fault(loans: Path) -> None:
    design = declare_shadow(**LOANS)
    sources = loan_sources(loans, "2019-02-10T00:00:00Z")
    source = sources["main"]
    assert source.labels is not None
    absent = source.model_copy(update={"labels": source.labels.model_copy(update={"files": "not-yet.csv"})})
    sources.by_name["main"] = absent
    waiting = replace(
        sources,
        by_name={"main": absent.model_copy(update={"watermark": pd.Timestamp("2019-01-11", tz="UTC")})},
    )
    status, _ = look_status(design, waiting)
    assert not status.due
    assert "0 of 5,000 labelled pairs" in status.missing
    taken = take_look(design, sources)
    assert taken.status.final
    readout = make_shadow_readout(design, taken.evidence, context_of(design, taken))
    assert (readout.verdict.code, readout.verdict.row) == ("INCONCLUSIVE", 5)
