"""The readout as one object: its machine form, its seal, its account of the plan, and its words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.readouts.judgement import make_readout
from experiments.readouts.readout import Readout
from tests.experiments.laboratory import Trial, assignments, context_of, events, of_metric, small_trial
from tests.experiments.test_verdict_words import FORBIDDEN

GUARDED = {
    "guardrails": [
        {"metric": "crashed", "margin": 0.05, "reason": "a crash costs a customer's patience"},
        {
            "metric": "revenue",
            "margin": {"relative": 0.2},
            "reason": "more would eat the gain",
            "role": "monitor",
        },
    ],
    "no_guardrails_reason": None,
    "secondary": {"metrics": ["visits", "click_rate"]},
    "segments": ["country"],
}


def trial_of(
    folder: Path,
    *,
    n: int = 2_000,
    lift: float = 0.1,
    crashes: float = 0.0,
    lost: float = 0.0,
    **design: Any,
) -> Trial:
    """Conversions of 20 % in control; ``crashes`` more in treatment; a share of treatment units lost."""
    chance = np.random.default_rng(17).permutation(n)
    rows = assignments(n, country=np.resize(["NL", "NL", "BE", "BE"], n))
    treated = (rows.arm == "treatment").to_numpy()
    quantile = chance / n
    if lost:
        keep = ~(treated & (quantile < lost))
        rows, treated, quantile = rows[keep], treated[keep], quantile[keep]
    logged = pd.concat(
        [
            events(rows[quantile < 0.2 + lift * treated], "buy"),
            events(rows[quantile > 0.95 - crashes * treated], "crash"),
            events(rows, "pay", np.round(5 + 10 * quantile, 2)),
            events(rows, "visit"),
            events(rows[quantile < 0.5], "visit", after="2h"),
            events(rows, "view"),
            events(rows[quantile > 0.6], "click"),
        ]
    )
    attributes = {"country": "country"}
    return small_trial(
        folder,
        {"assignments": rows, "outcomes": logged},
        design={**GUARDED, **design},
        sources={
            "assignments": {
                "frame": "assignments",
                "columns": {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"},
                "attributes": attributes,
            }
        },
    )


CASES: dict[str, tuple[dict[str, Any], str, int]] = {
    "ship": ({}, "SHIP", 7),
    "harmed": ({"lift": -0.1}, "DO NOT SHIP", 3),
    "guardrail beyond": ({"crashes": 0.2}, "DO NOT SHIP", 4),
    "guardrail open": ({"crashes": 0.05}, "INCONCLUSIVE", 8),
    "ruled out": ({"lift": 0.0, "n": 8_000}, "DO NOT SHIP", 9),
    "imprecise": ({"lift": 0.02, "n": 400}, "INCONCLUSIVE", 10),
    "invalid": ({"lost": 0.3}, "INVALID", 1),
}


@pytest.fixture(scope="module")
def readouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Readout]:
    return {
        name: trial_of(tmp_path_factory.mktemp("case") / "trial", **made).readout()
        for name, (made, _, _) in CASES.items()
    }


@pytest.mark.parametrize("name", CASES)
def test_each_case_has_its_verdict(readouts: dict[str, Readout], name: str) -> None:
    _, code, row = CASES[name]
    verdict = readouts[name].verdict
    assert verdict.code == code, verdict.sentence
    assert [one.row for one in verdict.by_treatment] == ([] if code == "INVALID" else [row])


@pytest.mark.parametrize("name", CASES)
def test_the_machine_form_comes_back_as_the_same_readout(readouts: dict[str, Readout], name: str) -> None:
    document = json.loads(readouts[name].canonical())
    assert document["schema"] == "readout/1"
    again = Readout.of_document(document)
    assert again == readouts[name]
    assert again.canonical() == readouts[name].canonical()


@pytest.mark.parametrize("name", CASES)
def test_no_text_of_a_readout_claims_more_than_was_found(readouts: dict[str, Readout], name: str) -> None:
    def texts(value: Any, key: str = "") -> list[str]:
        if isinstance(value, dict):
            return [text for k, item in value.items() for text in texts(item, k)]
        if isinstance(value, list):
            return [text for item in value for text in texts(item, key)]
        return [value] if isinstance(value, str) and key not in {"sql", "hypothesis"} else []

    for text in texts(readouts[name].body()):
        assert FORBIDDEN.search(text) is None, text


@pytest.mark.parametrize("name", CASES)
def test_units_are_accounted_for_by_arm(readouts: dict[str, Readout], name: str) -> None:
    readout = readouts[name]
    for units in readout.units:
        assert units.assigned == units.analysed + sum(units.excluded.values())
        assert units.assigned >= units.exposed >= units.eligible >= units.mature >= units.analysed
    assert sum(units.assigned for units in readout.units) == readout.flow["units in the assignment log"]


def test_the_same_evidence_and_context_give_the_same_bytes(tmp_path: Path) -> None:
    trial = trial_of(tmp_path)
    taken = trial.take()
    context = context_of(trial.design, taken)
    made = {make_readout(trial.design, taken.evidence, context).canonical() for _ in range(2)}
    assert len(made) == 1


def test_a_document_that_was_changed_or_is_of_another_schema_does_not_open(
    readouts: dict[str, Readout],
) -> None:
    document = readouts["ship"].document()
    with pytest.raises(ValueError, match="the seal does not match the content"):
        Readout.of_document({**document, "simulated": False})
    with pytest.raises(ValueError, match="'readout/9' is not allowed; this version reads readout/1"):
        Readout.of_document({**document, "schema": "readout/9"})
    with pytest.raises(ValueError, match="the seal does not match"):
        Readout.of_document({key: value for key, value in document.items() if key != "sha256"})


def test_the_paragraph_says_what_was_declared_found_and_how_sure(readouts: dict[str, Readout]) -> None:
    assert readouts["ship"].verdict.paragraph == (
        "Before any unit was exposed we declared that treatment would be compared with control on one metric, converted@1, which "
        "should improve, 5 percentage points being the smallest improvement worth shipping; that 1 guardrail had to hold; and "
        "when we would look. 2\u202f000 units were analysed. "
        + readouts["ship"].verdict.sentence
        + " The 95% confidence interval of converted@1 is +7.6 to +15.0 percentage points: intervals made this way contain the true value "
        "in 95% of experiments. A difference this large or larger would be seen in less than 0.01% of experiments if there were no "
        "true difference (p < 0.0001). It speaks of all eligible units, in the period of this experiment; another population or "
        "season may differ."
    )


def test_the_paragraph_of_an_invalid_readout_ends_with_the_reason(readouts: dict[str, Readout]) -> None:
    verdict = readouts["invalid"].verdict
    assert verdict.paragraph.endswith(verdict.sentence)
    assert "Fix the cause and run again." in verdict.sentence
    assert "confidence interval" not in verdict.paragraph


def test_what_was_not_as_planned_is_said(tmp_path: Path) -> None:
    trial = trial_of(tmp_path)
    taken = trial.take()
    context = context_of(trial.design, taken, stopped_by_hand=True)
    registration = context.registration.model_copy(
        update={
            "labels": ("late", "self-reviewed"),
            "amendments": ({"version": 2}, {"version": 3}),
            "outcome_reads_before": 1,
        }
    )
    readout = make_readout(
        trial.design, taken.evidence, type(context)(**{**_fields(context), "registration": registration})
    )
    results = {check.name: check.result for check in readout.plan_kept}
    assert results == {
        "Registered before first exposure": "warn",
        "Sample reached": "pass",
        "Looks as planned": "warn",
        "Maturity": "pass",
        "Amendments": "warn",
        "Outcome reads before this look": "warn",
    }
    assert readout.verdict.by_treatment[0].row == 6
    assert "Registered after the first exposure. Treat the result as exploratory." in readout.limits
    assert any("Owner and reviewer are the same person" in limit for limit in readout.limits)
    assert readout.verdict.paragraph.startswith("After exposure had begun we declared")
    assert "the plan was amended 2 times after it was locked" in readout.verdict.paragraph


def _fields(context: Any) -> dict[str, Any]:
    return {name: getattr(context, name) for name in context.__slots__}


def test_a_ship_below_the_planned_effect_says_so(tmp_path: Path) -> None:
    readout = trial_of(
        tmp_path,
        n=8_000,
        primary={"metric": "converted", "mde": 0.2},
        power={"units_per_arm": 20, "override_reason": "small logs"},
    ).readout()
    assert readout.verdict.code == "SHIP"
    assert "The interval lies below the planned 20 percentage points" in readout.verdict.sentence


def test_the_sentence_for_imprecision_says_how_many_units_would_decide(readouts: dict[str, Readout]) -> None:
    """The interval's half width is w at n; at n·(2w/MDE)² it is half the MDE, since width goes with 1/√n."""
    readout = readouts["imprecise"]
    found = readout.primary[0].interval
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    n = round(200 * ((found.high - found.low) / 0.05) ** 2)
    assert f"about {n:,} units per arm in a new experiment".replace(",", "\u202f") in readout.verdict.sentence


def test_every_reading_of_the_readout_names_what_it_is_about(readouts: dict[str, Readout]) -> None:
    readout = readouts["ship"]
    assert of_metric(readout.guardrails, "revenue").role == "monitor"
    assert {c.metric for c in readout.secondary} == {"visits@1", "click_rate@1"}
    assert all(c.adjusted_p_value is None or c.multiplicity == "holm" for c in readout.secondary)
    assert readout.segments[0].attribute == "country"
    assert [c.level for c in readout.segments[0].comparisons] == ["BE", "NL"]
    assert readout.reproduce.versions["duckdb"]
    steps = [statement.step for statement in readout.reproduce.statements]
    assert steps.index("fate") < steps.index("mature") < steps.index("per_unit") < steps.index("per_arm")
    assert len({statement.sql for statement in readout.reproduce.statements}) == len(steps)
