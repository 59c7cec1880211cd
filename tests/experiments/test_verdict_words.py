"""The sentences of a verdict: each as it is read, and none with a word that claims more than was found."""

from __future__ import annotations

import itertools
import re

import pytest

from experiments.readouts import words
from experiments.readouts.readout import ArmValue, Check, Comparison, Interval

FORBIDDEN = re.compile(
    r"\b(winner|winning|loser|losing|significant\w*|statsig|trending|marginal\w*|flat|neutral|same|"
    r"no regression|no difference|doesn't work|probability that the effect|chance it's random|almost|"
    r"sure|proven|proves|confirms)\b",
    re.IGNORECASE,
)


def comparison(
    *,
    estimate: float | None = 0.0114,
    low: float | None = 0.0021,
    high: float | None = 0.0208,
    unit: str = "percentage points",
    direction: str = "higher",
    margin: float | None = None,
    margin_kind: str | None = None,
    mde: float | None = 0.015,
    scale: str = "absolute",
    level: float = 0.95,
    metric: str = "task_success@3",
    segment: str | None = None,
    segment_level: str | None = None,
    not_computed: str | None = None,
) -> Comparison:
    arm = {"n": 13_540, "missing": 0, "value": 0.2}
    return Comparison.model_validate(
        {
            "metric": metric,
            "label": metric if segment is None else f"{metric} by {segment}",
            "role": "primary",
            "type": "proportion",
            "unit": unit,
            "direction": direction,
            "treatment": "v7",
            "control_value": ArmValue(arm="v6", **arm),
            "treatment_value": ArmValue(arm="v7", **arm),
            "estimate": estimate,
            "interval": None if estimate is None else Interval(low=low, high=high, level=level),
            "p_value": 0.0162,
            "method": "score",
            "scale": scale,
            "mde": mde,
            "margin": margin,
            "margin_kind": margin_kind,
            "segment": segment,
            "level": segment_level,
            "not_computed": not_computed,
        }
    )


LATENCY = {"metric": "p95_latency@1", "unit": "ms", "direction": "lower", "mde": None, "level": 0.95}
CHECKS = [Check(name=f"check {i}", result="pass", detail="", rule="") for i in range(7)]
WARNED = [*CHECKS, Check(name="odd", result="warn", detail="", rule="")]
NOT_DONE = [*CHECKS, Check(name="audit", result="not applicable", detail="", rule="")]
SRM = Check(
    name="Allocation (SRM)",
    result="fail",
    detail="10,420 vs 9,610 analysed units, planned 0.5:0.5; chi-squared",
    rule="p ≥ 0.0009",
    p_value=3.1e-9,
)
GUARD = comparison(**LATENCY, estimate=6, low=1, high=11, margin=20, margin_kind="absolute")

TEMPLATES = {
    "ship": (
        words.ship(comparison(), [GUARD, GUARD], CHECKS),
        "The declared success rule was met. task_success@3 was 1.14 percentage points higher with v7 (95% CI +0.21 to +2.08). "
        "All 2 guardrails stayed within their margins. All 7 validity checks passed.",
    ),
    "ship, a warning, one guardrail": (
        words.ship(comparison(), [GUARD], WARNED),
        "The declared success rule was met. task_success@3 was 1.14 percentage points higher with v7 (95% CI +0.21 to +2.08). "
        "The guardrail stayed within its margin. All 8 validity checks passed, 1 of them with a warning.",
    ),
    "ship below the MDE": (
        words.ship(comparison(mde=0.03), [], NOT_DONE),
        "The declared success rule was met. task_success@3 was 1.14 percentage points higher with v7 (95% CI +0.21 to +2.08). "
        "No guardrail was declared. All 7 validity checks passed. The interval lies below the planned 3 percentage points: the "
        "improvement is smaller than the plan called worth shipping.",
    ),
    "non-inferiority": (
        words.within_margin(
            comparison(**LATENCY, estimate=6, low=1, high=11, margin=20, margin_kind="absolute"), [], CHECKS
        ),
        "The declared success rule was met. p95_latency@1 is within the margin of 20 ms (limit +11.0 ms; 95% CI +1.0 to +11.0). "
        "No guardrail was declared. All 7 validity checks passed.",
    ),
    "harm": (
        words.harmed(comparison(estimate=-0.0123, low=-0.02, high=-0.0046)),
        "task_success@3 was worse with v7 by 1.23 percentage points (95% CI −2.00 to −0.46).",
    ),
    "guardrail beyond": (
        words.guardrail_beyond(
            comparison(**LATENCY, estimate=31, low=26, high=36, margin=20, margin_kind="absolute")
        ),
        "p95_latency@1 was worse with v7 by more than the accepted 20 ms (95% CI +26.0 to +36.0), whatever the primary result.",
    ),
    "guardrail beyond at a level": (
        words.guardrail_beyond(
            comparison(
                **LATENCY,
                estimate=31,
                low=26,
                high=36,
                margin=20,
                margin_kind="absolute",
                segment="country",
                segment_level="NL",
            )
        ),
        "p95_latency@1 at country = NL was worse with v7 by more than the accepted 20 ms (95% CI +26.0 to +36.0), whatever the "
        "primary result.",
    ),
    "guardrail open": (
        words.guardrail_open(
            comparison(),
            comparison(**LATENCY, estimate=16, low=6, high=26, margin=20, margin_kind="absolute"),
        ),
        "task_success@3 improved (95% CI +0.21 to +2.08) but p95_latency@1 may be worse by up to 26 ms; the accepted limit is "
        "20 ms.",
    ),
    "guardrail open, relative": (
        words.guardrail_open(
            comparison(margin=0.01, margin_kind="absolute"),
            comparison(
                **LATENCY,
                estimate=0.031,
                low=0.01,
                high=0.052,
                margin=0.05,
                margin_kind="relative",
                scale="relative",
            ),
        ),
        "task_success@3 is within its margin (95% CI +0.21 to +2.08) but p95_latency@1 may be worse by up to 5.2%; the accepted "
        "limit is 5% of control.",
    ),
    "ruled out": (
        words.ruled_out(comparison(estimate=0.001, low=-0.006, high=0.009)),
        "An improvement of 1.5 percentage points or more was ruled out (95% CI −0.60 to +0.90). Smaller benefits remain "
        "possible.",
    ),
    "imprecise": (
        words.imprecise(comparison(estimate=0.005, low=-0.006, high=0.0161), 21_000),
        "The experiment could not tell. The data are compatible with anything from −0.6 to +1.6 percentage points; the plan "
        "needed 1.5 percentage points. This is not evidence of no effect. To decide, about 21\u202f000 units per arm in a new "
        "experiment.",
    ),
    "imprecise about a margin": (
        words.imprecise(
            comparison(estimate=-0.005, low=-0.016, high=0.0061, margin=0.01, margin_kind="absolute"), None
        ),
        "The experiment could not tell. The data are compatible with anything from −1.6 to +0.6 percentage points; the margin is "
        "1 percentage point. This is not evidence of no effect.",
    ),
    "not measured": (
        words.not_measured(
            [comparison(estimate=None, not_computed="fewer than 2 units in the treatment arm")]
        ),
        "The experiment cannot decide, because what it declared was not measured: task_success@3: fewer than 2 units in the "
        "treatment arm. Missing never passes.",
    ),
    "stopped by hand": (
        words.stopped_by_hand(comparison()),
        "The experiment was stopped by hand before its declared end, so its declared error rates do not hold for a decision. "
        "task_success@3 was 1.14 percentage points higher with v7 (95% CI +0.21 to +2.08).",
    ),
    "stopped by hand at nothing": (
        words.stopped_by_hand(comparison(estimate=0.0, low=-0.01, high=0.01)),
        "The experiment was stopped by hand before its declared end, so its declared error rates do not hold for a decision. "
        "task_success@3 differed by 0 between the arms (95% CI −1.0 to +1.0).",
    ),
    "invalid": (
        words.invalid([SRM]),
        "The groups were not formed as planned (Allocation (SRM): 10,420 vs 9,610 analysed units, planned 0.5:0.5; chi-squared; "
        "p < 0.0001). Any difference could come from how units were assigned. No effect is reported. Fix the cause and run again.",
    ),
    "invalid, data": (
        words.invalid(
            [Check(name="Units in several arms", result="fail", detail="7.00%", rule="fail above 5.0%")]
        ),
        "Units in several arms failed (7.00%; rule: fail above 5.0%). No effect is reported. Fix the cause and run again.",
    ),
    "secondary": (
        words.secondary_reading(comparison(), rejected=False),
        "No evidence of a difference in task_success@3 was found; the data are compatible with +0.21 to +2.08 percentage points.",
    ),
    "secondary, different": (
        words.secondary_reading(comparison(), rejected=True),
        "task_success@3 was 1.14 percentage points higher with v7 (95% CI +0.21 to +2.08).",
    ),
    "secondary, missing": (
        words.secondary_reading(comparison(estimate=None, not_computed="no units"), rejected=False),
        "task_success@3: not computed (no units).",
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_sentence_is_read_as_written(name: str) -> None:
    found, expected = TEMPLATES[name]
    assert found == expected


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_sentence_claims_more_than_was_found(name: str) -> None:
    found, _ = TEMPLATES[name]
    assert FORBIDDEN.search(found) is None
    assert "no effect" not in found.replace("This is not evidence of no effect.", "").lower().replace(
        "no effect is reported", ""
    )


def test_the_forbidden_words_are_found_where_they_stand() -> None:
    for word in ("winner", "statistically significant", "trending", "flat", "almost"):
        assert FORBIDDEN.search(f"It is {word} now.")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234.5678, "1235"), (0.000123456, "0.000123"), (0.2, "0.200"), (99.96, "100.0")],
)
def test_numbers_are_written_with_significant_digits_and_no_exponent(value: float, text: str) -> None:
    assert words.significant(value) == text


@pytest.mark.parametrize(
    ("half_width", "text"), [(0.004, "1.2346"), (0.04, "1.235"), (0.4, "1.23"), (40, "1")]
)
def test_digits_follow_the_width_of_the_interval(half_width: float, text: str) -> None:
    one = comparison(estimate=1.23456, low=1.23456 - half_width, high=1.23456 + half_width, unit="EUR")
    assert words.amount(one, one.estimate, unit=False) == text


def test_an_open_side_of_an_interval_is_called_unbounded() -> None:
    assert words.ci(comparison(high=None)) == "95% CI +0.2 to unbounded"


def test_every_pair_of_signs_has_a_side() -> None:
    for estimate, direction in itertools.product((0.01, -0.01), ("higher", "lower")):
        text = words.was(comparison(estimate=estimate, low=-0.02, high=0.02, direction=direction))
        assert ("higher" if estimate > 0 else "lower") in text
