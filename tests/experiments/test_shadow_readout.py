"""The readout of a shadow: what decides, what is shown beside it, and what each verdict says.

The second way to every number is pandas over the logs of the test (``Expected``) and the formulas of ``analysis`` on raw
per-user sums.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.paired import (
    ClusterMoments,
    PairedTable,
    clustered_difference,
    clustered_noninferiority,
    mcnemar_exact,
    paired_noninferiority,
)
from experiments.logs.sources import Place
from experiments.shadows.design import declare_shadow
from experiments.shadows.judgement import make_shadow_readout
from experiments.shadows.logs import parse_prediction_sources
from experiments.shadows.looking import take_look
from experiments.shadows.readout import ShadowReadout
from tests.experiments.laboratory import real_data
from tests.experiments.shadows import Traffic, context_of, laboratory, limit

FOUR_EACH = {"size": {"requests_per_unit": 4}}
EVERYTHING: dict[str, Any] = {
    **FOUR_EACH,
    "segments": [{"attribute": "country"}],
    "limits": [
        {"measure": measure, **bound, "reason": "the error budget of the service"}
        for measure, bound in (
            ("error_share", {"worsening": 0.02}),
            ("error_share", {"at_most": 0.03}),
            ("latency_p50", {"worsening": 20}),
            ("latency_p95", {"worsening": 20}),
            ("latency_p99", {"at_most": 400}),
            ("latency_mean", {"worsening": 20}),
            ("cost", {"worsening": 0.001}),
            ("agreement", {"at_least": 0.7}),
            ("flipped_share", {"at_most": 0.3}),
            ("score_psi", {"at_most": 0.2}),
            ("prediction_psi", {"at_most": 0.2}),
        )
    ],
}


@pytest.fixture(scope="module")
def everything() -> tuple[ShadowReadout, pd.DataFrame]:
    """A readout with every limit, and its answered pairs by pandas."""
    lab = laboratory(EVERYTHING)
    return lab.readout(), answered(lab.frames)


def paired(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a request, with the label."""
    sides = dict(tuple(frames["predictions"].groupby("model")))
    both = sides["v3"].merge(sides["v4"], on="request", suffixes=("_champion", "_candidate"))
    return both.merge(frames["labels"], on="request", how="left")


def answered(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    both = paired(frames)
    failed = both.error_champion | both.error_candidate | both.timeout_champion | both.timeout_candidate
    return both[~failed]


def by_user(pairs: pd.DataFrame, value: pd.Series) -> ClusterMoments:
    summed = value.groupby(pairs.user_champion).agg(["sum", "count"])
    return ClusterMoments.of_sums(summed["sum"], summed["count"])


def right(pairs: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return (pairs.prediction_candidate == pairs.label), (pairs.prediction_champion == pairs.label)


# -- what decides ------------------------------------------------------------------------------------------------------


def test_the_deciding_difference_is_the_clustered_one_of_raw_sums_by_user(
    everything: tuple[ShadowReadout, pd.DataFrame],
) -> None:
    readout, pairs = everything
    candidate, champion = right(pairs)
    expected = clustered_noninferiority(
        by_user(pairs, candidate.astype(int) - champion.astype(int)), 0.05, method="obuchowski"
    )
    primary = readout.primary
    assert primary is not None
    assert primary.interval is not None
    assert expected.ci is not None
    assert (primary.pairs, primary.units) == (len(pairs), pairs.user_champion.nunique())
    assert primary.estimate == pytest.approx(candidate.mean() - champion.mean(), abs=1e-12)
    assert (primary.interval.low, primary.interval.high) == pytest.approx(expected.ci, abs=1e-12)
    assert primary.p_value == pytest.approx(expected.p_value, abs=1e-12)
    assert primary.interval.level == pytest.approx(0.95)
    assert (readout.verdict.code, readout.verdict.row) == ("PASS", 7)


def test_the_four_counts_and_mcnemar_are_those_of_the_pairs(
    everything: tuple[ShadowReadout, pd.DataFrame],
) -> None:
    readout, pairs = everything
    table = PairedTable.of(*(one.to_numpy() for one in right(pairs)))
    quality = readout.quality
    assert quality is not None
    found = quality.both, quality.candidate_only, quality.champion_only, quality.neither
    assert found == (table.both, table.candidate_only, table.champion_only, table.neither)
    assert quality.p_value == pytest.approx(mcnemar_exact(table).p_value, rel=1e-12)
    assert "takes requests for independent" in quality.note


def test_every_level_of_a_segment_is_judged_against_the_margin_at_its_whole_level(
    everything: tuple[ShadowReadout, pd.DataFrame],
) -> None:
    readout, pairs = everything
    (segment,) = readout.segments
    assert [one.level for one in segment.comparisons] == ["DE", "FR"]
    for one in segment.comparisons:
        own = pairs[pairs.country_champion == one.level]
        candidate, champion = right(own)
        expected = clustered_noninferiority(
            by_user(own, candidate.astype(int) - champion.astype(int)), 0.05, method="obuchowski"
        )
        assert one.interval is not None
        assert (one.interval.low, one.interval.high) == pytest.approx(expected.ci, abs=1e-12)
        assert one.state == "Within margin"
        assert one.adjusted_p_value is not None
    assert segment.heterogeneity_p_value is not None


def test_an_unclustered_shadow_is_judged_by_tangos_score() -> None:
    lab = laboratory({"unit": "request"})
    readout, pairs = lab.readout(), answered(lab.frames)
    table = PairedTable.of(*(one.to_numpy() for one in right(pairs)))
    expected = paired_noninferiority(table, 0.05)
    primary = readout.primary
    assert primary is not None
    assert primary.interval is not None
    assert (primary.interval.low, primary.interval.high) == pytest.approx(expected.ci, abs=1e-9)
    assert primary.p_value == pytest.approx(expected.p_value, rel=1e-9)
    assert primary.units == primary.pairs == len(pairs)


GSM8K = {
    ("6b_finetuning", "6b_verification"): (64, 293, 3.928874710490934e-36),
    ("6b_finetuning", "175b_finetuning"): (88, 260, 7.466006443046456e-21),
    ("6b_finetuning", "175b_verification"): (43, 499, 1.656933362397017e-99),
    ("6b_verification", "175b_finetuning"): (209, 152, 0.003150656880),
    ("6b_verification", "175b_verification"): (79, 306, 1.240053425072405e-32),
    ("175b_finetuning", "175b_verification"): (76, 360, 2.891394635034685e-45),
}
"""Candidate, champion: right alone, and 2·P(Bin(b + c, 1/2) ≤ min) as an exact fraction of Python's integers over the file;
209/152 and its p are those of the file's own notes."""


@pytest.mark.parametrize(("models", "expected"), GSM8K.items())
def test_paired_answers_to_school_problems_as_a_shadow_through_a_source(
    models: tuple[str, str], expected: tuple[int, int, float]
) -> None:
    file = real_data("gsm8k_paired_correct.csv")
    candidate, champion = models
    design = declare_shadow(
        title="Verification against finetuning on grade-school problems",
        hypothesis="a verifier makes up for size",
        model="gsm8k",
        champion={"version": champion},
        candidate={"version": candidate},
        task="binary",
        unit="request",
        primary={"purpose": "superiority"},
        no_limits_reason="nothing of operations is logged in this file",
        minimum_pairs=1319,
        minimum_labels=1319,
    )
    wide = {name: {"correct": name} for name in models}
    source = {
        "complete": True,
        "logs": [{"files": file.name, "columns": {"request": "item_id"}, "wide": wide}],
    }
    sources = parse_prediction_sources(json.dumps({"predictions": {"main": source}}), Place(file.parent))
    taken = take_look(design, sources)
    readout = make_shadow_readout(design, taken.evidence, context_of(design, taken))
    assert readout.quality is not None
    assert readout.primary is not None
    b, c, p = expected
    assert (readout.quality.candidate_only, readout.quality.champion_only) == (b, c)
    assert readout.primary.p_value == pytest.approx(p, rel=1e-9)
    assert readout.primary.pairs == 1319
    assert readout.verdict.code == ("PASS" if b > c else "DO NOT PASS")
    assert readout.detectable is not None
    assert readout.detectable.discordant_pairs == b + c


# -- verdicts ----------------------------------------------------------------------------------------------------------

COLLAPSED = {"DE": (0.80, 0.90), "FR": (0.80, 0.60)}
VERDICTS: dict[str, tuple[dict[str, Any], Traffic, str, int, str]] = {
    "a level collapses though the total passes": (
        {**FOUR_EACH, "segments": [{"attribute": "country"}]},
        Traffic(right={"DE": (0.80, 0.90), "FR": (0.80, 0.62), "IT": (0.80, 0.90)}),
        "DO NOT PASS",
        4,
        "Share right at country = FR was",
    ),
    "worse beyond the margin": (
        FOUR_EACH,
        Traffic(right={"DE": (0.80, 0.65)}),
        "DO NOT PASS",
        3,
        "That is beyond the margin of 5 percentage points.",
    ),
    "better and too slow": (
        {
            **FOUR_EACH,
            "limits": [{"measure": "latency_p95", "worsening": 20, "reason": "20 ms cost a session"}],
        },
        Traffic(latency=(100, 150)),
        "DO NOT PASS",
        2,
        "declared was a worsening of less than 20 ms. Whatever the labels say.",
    ),
    "errors beyond their limit": (
        FOUR_EACH,
        Traffic(errors=(0.01, 0.08)),
        "DO NOT PASS",
        2,
        "Share of errors was",
    ),
    "a limit not ruled out": (
        {
            **FOUR_EACH,
            "limits": [{"measure": "latency_p99", "worsening": 3, "reason": "20 ms cost a session"}],
        },
        Traffic(),
        "INCONCLUSIVE",
        8,
        "99th percentile of latency may be worse by up to",
    ),
    "too few to tell": (
        {"minimum_labels": 50, "minimum_pairs": 50, "primary": {"margin": 0.01}},
        Traffic(requests=200, users=60, errors=(0.0, 0.0)),
        "INCONCLUSIVE",
        10,
        "The shadow could not tell.",
    ),
    "within the margin": (FOUR_EACH, Traffic(), "PASS", 7, "It is within the margin of 5 percentage points"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_each_traffic_ends_where_it_should_for_the_right_reason(name: str) -> None:
    changes, traffic, code, row, said = VERDICTS[name]
    readout = laboratory(changes, traffic).readout()
    assert (readout.verdict.code, readout.verdict.row) == (code, row), readout.verdict.sentence
    assert said in readout.verdict.sentence
    assert readout.verdict.sentence in readout.verdict.paragraph
    states = {condition.state for condition in readout.gate}
    assert states <= {"holds", "broken", "not ruled out", "not measured"}
    assert (states == {"holds"}) == (code == "PASS")


def test_absence_of_evidence_is_not_called_an_equality_of_models() -> None:
    changes, traffic, *_ = VERDICTS["too few to tell"]
    sentence = laboratory(changes, traffic).readout().verdict.sentence
    assert "This is not evidence that the models are alike." in sentence
    for word in ("no effect", "flat", "neutral", "same", "significant"):
        assert word not in sentence


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_the_fields_stand_in_the_order_in_which_a_readout_is_read() -> None:
    names = list(ShadowReadout.model_fields)
    wanted = [
        "verdict",
        "validity",
        "pairing",
        "failures",
        "latency",
        "agreement",
        "flips",
        "quality",
        "segments",
        "calibration",
        "detectable",
        "limits",
    ]
    assert [name for name in names if name in wanted] == wanted


def test_what_a_shadow_cannot_tell_is_always_printed() -> None:
    for changes, traffic, *_ in VERDICTS.values():
        limits = laboratory(changes, traffic).readout().limits
        assert limits[0].startswith("Labels were produced under the champion's actions.")
        assert limits[1].startswith("Nobody saw what the candidate said.")


def test_limits_are_those_of_raw_sums_by_user(everything: tuple[ShadowReadout, pd.DataFrame]) -> None:
    readout, pairs = everything
    latency = limit(readout, "latency_mean")
    expected = clustered_difference(
        by_user(pairs, pairs.latency_ms_candidate - pairs.latency_ms_champion),
        method="obuchowski",
        null_difference=20.0,
    )
    assert latency.interval is not None
    assert expected.ci is not None
    assert (latency.interval.low, latency.interval.high) == pytest.approx(expected.ci, rel=1e-9)
    agreement = limit(readout, "agreement")
    assert agreement.estimate == pytest.approx(
        (pairs.prediction_candidate == pairs.prediction_champion).mean()
    )
    assert agreement.interval is not None
    assert agreement.interval.low is not None
    assert agreement.interval.low < agreement.estimate  # type: ignore[operator]
    flipped = limit(readout, "flipped_share")
    turned = (pairs.score_candidate >= 0.5) != (pairs.score_champion >= 0.5)
    assert flipped.estimate == pytest.approx(turned.mean())
    assert {one.state for one in readout.declared_limits} == {"Within margin"}


def test_percentiles_are_order_statistics_of_both_models_over_the_same_pairs() -> None:
    lab = laboratory(EVERYTHING)
    pairs = paired(lab.frames)
    for one in lab.readout().latency:
        values = one.comparison.control_value.value, one.comparison.treatment_value.value
        expected = tuple(
            np.quantile(pairs[f"latency_ms_{model}"], one.q, method="inverted_cdf")
            for model in ("champion", "candidate")
        )
        assert values == expected
        assert one.comparison.pairs == len(pairs)
        assert one.comparison.interval is not None


def test_errors_are_counted_by_pair(everything: tuple[ShadowReadout, pd.DataFrame]) -> None:
    readout, _ = everything
    pairs = paired(laboratory(EVERYTHING).frames)
    errors = readout.failures[0]
    table = pd.crosstab(pairs.error_candidate, pairs.error_champion)
    assert errors.name == "error_share"
    assert (errors.candidate_only, errors.champion_only) == (table.loc[True, False], table.loc[False, True])
    assert errors.both + errors.candidate_only + errors.champion_only + errors.neither == len(pairs)


def test_agreement_flips_and_stability_are_those_of_the_pairs(
    everything: tuple[ShadowReadout, pd.DataFrame],
) -> None:
    readout, pairs = everything
    agreement, flips = readout.agreement, readout.flips
    assert agreement is not None
    assert flips is not None
    table = pd.crosstab(pairs.prediction_champion, pairs.prediction_candidate)
    assert {(one.champion, one.candidate): one.pairs for one in agreement.answers} == {
        (str(h), str(c)): table.loc[h, c] for h in (0, 1) for c in (0, 1)
    }
    shares = table / len(pairs)
    chance = (shares.sum(axis=1) * shares.sum(axis=0)).sum()
    assert agreement.kappa is not None
    assert agreement.kappa.value == pytest.approx((np.trace(shares) - chance) / (1 - chance), abs=1e-12)
    assert agreement.score_correlation is not None
    assert agreement.score_correlation.value == pytest.approx(
        np.corrcoef(pairs.score_champion, pairs.score_candidate)[0, 1], abs=1e-4
    )
    up, down = pairs.score_candidate >= 0.5, pairs.score_champion >= 0.5
    assert (flips.to_positive, flips.to_negative) == ((up & ~down).sum(), (down & ~up).sum())
    champion = np.array([one.champion for one in agreement.score_bins])
    candidate = np.array([one.candidate for one in agreement.score_bins])
    assert champion.sum() == candidate.sum() == len(pairs)
    assert champion.max() - champion.min() <= 2  # deciles of the champion's own scores
    a, b = champion / len(pairs), candidate / len(pairs)
    assert agreement.score_stability is not None
    assert agreement.score_stability.value == pytest.approx(((b - a) * np.log(b / a)).sum(), rel=1e-9)
    assert agreement.score_stability.interval is not None  # a limit was declared on it
    assert agreement.noise_floor is None
    assert "no champion-against-champion control" in agreement.noise_note


def test_reliability_is_that_of_ten_bins_of_equal_width(
    everything: tuple[ShadowReadout, pd.DataFrame],
) -> None:
    readout, pairs = everything
    calibration = readout.calibration
    assert calibration is not None
    assert [one.model for one in calibration.models] == ["v3", "v4"]
    for one, model in zip(calibration.models, ("champion", "candidate"), strict=True):
        score = pairs[f"score_{model}"]
        bins = np.clip(np.ceil(score * 10) - 1, 0, 9).astype(int)
        for index, found in enumerate(one.bins):
            own = pairs[bins == index]
            assert found.requests == len(own)
            assert found.positive_share == pytest.approx(own.label.mean())
        assert one.brier is not None
        assert one.brier.value == pytest.approx(((score - pairs.label) ** 2).mean(), abs=1e-6)
        assert one.log_loss is None  # gathered where it decides


def test_a_control_shows_how_far_the_champion_differs_from_itself() -> None:
    lab = laboratory(FOUR_EACH)
    champion = lab.frames["predictions"].query("model == 'v3'")
    control = champion.assign(model="v3-again")
    control.loc[control.index[::10], "prediction"] = 1 - control.loc[control.index[::10], "prediction"]
    lab.frames["predictions"] = pd.concat([lab.frames["predictions"], control], ignore_index=True)
    lab.source["logs"][0]["models"] = {"v3": "v3", "v4": "v4", "v3-again": "control"}
    agreement = lab.readout().agreement
    assert agreement is not None
    assert agreement.noise_floor is not None
    assert agreement.noise_excess is not None
    assert agreement.noise_floor.value == pytest.approx(0.1, abs=0.005)
    assert agreement.same is not None
    assert agreement.same.value is not None
    assert agreement.noise_excess.value == pytest.approx(1 - agreement.same.value - 0.1, abs=0.01)


def test_the_machine_form_comes_back_and_a_changed_one_is_refused(
    everything: tuple[ShadowReadout, pd.DataFrame],
) -> None:
    readout, _ = everything
    document = json.loads(readout.canonical())
    assert ShadowReadout.of_document(document) == readout
    document["verdict"]["code"] = "PASS" if readout.verdict.code != "PASS" else "INVALID"
    with pytest.raises(ValueError, match="the seal does not match"):
        ShadowReadout.of_document(document)
    with pytest.raises(ValueError, match=r"this version reads shadow-readout/1"):
        ShadowReadout.of_document({**json.loads(readout.canonical()), "schema": "readout/1"})


def test_models_that_never_differ_rule_no_margin_out_that_so_few_pairs_could_not() -> None:
    few = {"primary": {"margin": 0.004}, "minimum_labels": 100, "size": {"requests_per_unit": 1}}
    lab = laboratory(few, traffic=Traffic(requests=200, users=200, errors=(0.0, 0.0)))
    answers = lab.frames["predictions"]
    champion = answers[answers["model"] == "v3"].set_index("request")
    for column in ("prediction", "score"):
        answers.loc[answers["model"] == "v4", column] = champion[column].to_numpy()
    found = lab.readout()
    assert found.quality is not None
    assert found.quality.candidate_only == found.quality.champion_only == 0
    assert found.primary is not None
    assert found.primary.state == "Margin not ruled out"
    assert found.verdict.code == "INCONCLUSIVE"
