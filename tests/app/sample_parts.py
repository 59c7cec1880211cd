"""The parts that sample readouts are put together from: metrics of every kind, units, checks, a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from experiments.readouts.readout import (
    ArmUnits,
    ArmValue,
    ArmVerdict,
    Check,
    Comparison,
    Interval,
    Look,
    Registration,
    Reproduce,
    Segment,
    Sensitivity,
    Statement,
    Verdict,
    VerdictCode,
)

SHA = "9f3c1e5a7b2d4860c1f0a9e8d7b6a5948372615049382716a5b4c3d2e1f00918"
OTHER_SHA = "41d7aa0e5c3b29f8e6d1c0b7a4938271605f4e3d2c1b0a99887766554433221f"
EVIDENCE_SHA = "77aa01b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e"

VALID = (
    Check(
        name="Allocation (SRM)",
        result="pass",
        detail="13 540 and 13 564 units, planned 1:1",
        rule="chi-squared, alpha 0.001",
        p_value=0.8841,
    ),
    Check(
        name="Units in more than one arm", result="pass", detail="12 of 27 116 (0.04%)", rule="fails above 5%"
    ),
    Check(
        name="Missing outcomes by arm",
        result="warn",
        detail="0.8% and 0.9% of the units have no outcome",
        rule="fails above 5%, or when the arms differ at 0.001",
        p_value=0.3127,
    ),
    Check(
        name="Assignment audit",
        result="not applicable",
        detail="units are assigned elsewhere",
        rule="every logged arm is the arm of the hash",
        blocking=False,
    ),
)

KEPT = (
    Check(
        name="Registered before the first exposure",
        result="pass",
        detail="3 Nov 2026, 10:14 UTC",
        rule="before",
    ),
    Check(name="Sample reached", result="pass", detail="27 104 of 26 960 units", rule="at least the plan"),
    Check(name="Looks as planned", result="pass", detail="1 of 1", rule="no other look"),
)

UNITS = (
    ArmUnits(
        arm="control",
        planned_share=0.5,
        planned=13480,
        assigned=15233,
        exposed=14871,
        eligible=14622,
        mature=13540,
        analysed=13540,
        excluded={
            "assigned but never exposed": 362,
            "not eligible": 249,
            "window or label delay not over": 1082,
        },
    ),
    ArmUnits(
        arm="treatment",
        planned_share=0.5,
        planned=13480,
        assigned=15244,
        exposed=14890,
        eligible=14651,
        mature=13564,
        analysed=13564,
        excluded={
            "assigned but never exposed": 354,
            "not eligible": 239,
            "window or label delay not over": 1087,
        },
    ),
)


def arm(name: str, n: int, value: float | None, **more: Any) -> ArmValue:
    return ArmValue(**({"arm": name, "n": n, "missing": 0, "value": value} | more))


def interval(low: float | None, high: float | None, level: float = 0.95) -> Interval:
    return Interval(low=low, high=high, level=level)


def primary(**changes: Any) -> Comparison:
    """Task success, a yes/no metric; improved."""
    fields: dict[str, Any] = {
        "metric": "task_success@3",
        "label": "task_success@3",
        "role": "primary",
        "type": "proportion",
        "unit": "percentage points",
        "direction": "higher",
        "treatment": "treatment",
        "control_value": arm("control", 13540, 2729 / 13540, successes=2729, missing=110),
        "treatment_value": arm("treatment", 13564, 2889 / 13564, successes=2889, missing=121),
        "estimate": 0.011438,
        "interval": interval(0.001822, 0.021054),
        "p_value": 0.01973,
        "method": "score test of two proportions, its own inversion",
        "relative": 0.056749,
        "relative_interval": interval(0.008902, 0.106851),
        "relative_method": "delta method on the log ratio",
        "mde": 0.015,
        "state": "Improved",
    }
    return Comparison(**(fields | changes))


def latency(**changes: Any) -> Comparison:
    """p95 latency, a quantile over requests; within its margin of 20 ms."""
    fields: dict[str, Any] = {
        "metric": "p95_latency@1",
        "label": "p95_latency@1",
        "role": "must-hold",
        "type": "quantile",
        "unit": "ms",
        "direction": "lower",
        "treatment": "treatment",
        "control_value": arm("control", 13540, 812.4, requests=402311),
        "treatment_value": arm("treatment", 13564, 818.5, requests=403870),
        "estimate": 6.1,
        "interval": interval(1.2, 11.0),
        "p_value": 0.00000002,
        "method": "t of the difference of quantiles, clustered by unit",
        "margin": 20.0,
        "margin_kind": "absolute",
        "margin_reason": "20 ms more at p95 cost less than 0.1% of sessions in EXP-0021.",
        "limit": 20.0,
        "state": "Within margin",
    }
    return Comparison(**(fields | changes))


def errors(**changes: Any) -> Comparison:
    """Errors per request, a ratio; margin relative to control."""
    fields: dict[str, Any] = {
        "metric": "errors_per_request@2",
        "label": "errors_per_request@2",
        "role": "must-hold",
        "type": "ratio",
        "unit": "",
        "direction": "lower",
        "treatment": "treatment",
        "control_value": arm("control", 13540, 0.012481, requests=402311),
        "treatment_value": arm("treatment", 13564, 0.012502, requests=403870),
        "estimate": 0.00168,
        "interval": interval(-0.02114, 0.02503),
        "p_value": 0.00041,
        "method": "ratio of sums, delta method, against a multiple of control",
        "scale": "relative",
        "margin": 0.05,
        "margin_kind": "relative",
        "margin_reason": "One error in 2 000 requests more is what support can take.",
        "limit": 0.05,
        "state": "Within margin",
    }
    return Comparison(**(fields | changes))


def revenue(**changes: Any) -> Comparison:
    """Revenue per unit, a mean adjusted by a covariate; higher is better."""
    fields: dict[str, Any] = {
        "metric": "revenue@1",
        "label": "revenue@1",
        "role": "monitor",
        "type": "sum",
        "unit": "EUR",
        "direction": "higher",
        "treatment": "treatment",
        "control_value": arm("control", 13540, 14.2071, sd=38.114),
        "treatment_value": arm("treatment", 13564, 14.3988, sd=38.902),
        "estimate": 0.1817,
        "interval": interval(-0.5322, 0.8956),
        "p_value": 0.0000731,
        "method": "Welch's t, adjusted for 1 covariate(s)",
        "margin": 1.0,
        "margin_kind": "absolute",
        "margin_reason": "A euro per user and month is the cost of the old model.",
        "limit": -1.0,
        "state": "Within margin",
        "variance_reduction": 0.3418,
        "unadjusted_estimate": 0.1917,
        "unadjusted": interval(-0.6841, 1.0675),
        "notes": ("covariate visits_before was not used: it is constant",),
    }
    return Comparison(**(fields | changes))


def secondary(**changes: Any) -> Comparison:
    return revenue(
        **(
            {
                "metric": "searches@1",
                "label": "searches@1",
                "role": "secondary",
                "type": "count",
                "unit": "searches",
                "margin": None,
                "margin_kind": None,
                "margin_reason": "",
                "limit": None,
                "state": "No evidence of a difference in searches@1 was found; the data are compatible with −9 to +30 searches.",
                "control_value": arm("control", 13540, 1240.33, sd=811.2),
                "treatment_value": arm("treatment", 13564, 1251.07, sd=815.9),
                "estimate": 10.7388,
                "interval": interval(-8.61, 30.09),
                "unadjusted_estimate": None,
                "unadjusted": None,
                "variance_reduction": None,
                "notes": (),
                "method": "Welch's t",
                "p_value": 0.2766,
                "adjusted_p_value": 0.5532,
                "multiplicity": "Holm over 2 metrics",
            }
            | changes
        )
    )


def segment() -> Segment:
    rows = (
        ("DE", 0.0151, (-0.0011, 0.0313), 4802, 4815),
        ("FR", 0.0086, (-0.0094, 0.0266), 3901, 3899),
        ("US", 0.0104, (-0.0048, 0.0256), 4837, 4850),
    )
    return Segment(
        attribute="country",
        comparisons=tuple(
            primary(
                level=level,
                segment="country",
                estimate=estimate,
                interval=interval(*bounds),
                p_value=None,
                state="",
                relative=None,
                relative_interval=None,
                relative_method=None,
                mde=None,
                control_value=arm("control", n, 0.2001),
                treatment_value=arm("treatment", m, 0.2001 + estimate),
            )
            for level, estimate, bounds, n, m in rows
        ),
        interaction_p_value=0.8732,
        interaction_method="Cochran's Q, 2 df",
        adjusted_interaction_p_value=0.9311,
    )


def sensitivity() -> Sensitivity:
    return Sensitivity(
        analysis="without covariates",
        comparison=primary(estimate=0.011101, interval=interval(0.001203, 0.020999), p_value=0.02793),
    )


def registration(**changes: Any) -> Registration:
    fields: dict[str, Any] = {
        "experiment": "EXP-0042",
        "title": "Ranker v7 vs v6 for signed-in search",
        "owner": "ada",
        "reviewer": "grace",
        "version": 1,
        "design_sha256": SHA,
        "locked_at": datetime(2026, 11, 3, 10, 14, tzinfo=UTC),
    }
    return Registration(**(fields | changes))


def look(**changes: Any) -> Look:
    fields: dict[str, Any] = {
        "k": 1,
        "of": 1,
        "final": True,
        "cut_off": datetime(2026, 11, 23, 23, 59, tzinfo=UTC),
        "watermark": datetime(2026, 11, 30, 23, 59, tzinfo=UTC),
        "watermark_why": "declared by the source",
        "information": 1.0053,
        "short": False,
        "stopped_by_hand": False,
        "enrolment_start": datetime(2026, 11, 3, 11, 0, tzinfo=UTC),
    }
    return Look(**(fields | changes))


def verdict(
    code: VerdictCode, sentence: str, paragraph: str, *, row: int, reason: str, **changes: Any
) -> Verdict:
    fields: dict[str, Any] = {
        "code": code,
        "rule": "R-1",
        "rule_in_words": "Ship when the primary metric improved by the declared test, every must-hold guardrail is within "
        "its margin, and all validity checks passed.",
        "ships": "treatment" if code == "SHIP" else None,
        "reasons": (reason,),
        "sentence": sentence,
        "paragraph": paragraph,
        "by_treatment": (
            ArmVerdict(treatment="treatment", code=code, row=row, reason=reason, sentence=sentence),
        ),
    }
    return Verdict(**(fields | changes))


def reproduce(**changes: Any) -> Reproduce:
    fields: dict[str, Any] = {
        "design_sha256": SHA,
        "manifest": (
            {
                "log": "assignments",
                "kind": "file",
                "name": "assignments.parquet",
                "size": 1403221,
                "sha256": OTHER_SHA,
            },
            {
                "log": "outcomes",
                "kind": "file",
                "name": "outcomes/day=2026-11-03.parquet",
                "size": 88123,
                "sha256": SHA,
            },
        ),
        "evidence_sha256": EVIDENCE_SHA,
        "evidence": {
            "cohort": {"units": 30489},
            "outcomes": {"families": [{"names": ["task_success@3"], "sums": ["2729"]}]},
        },
        "versions": {"fairtrial": "0.1.0", "numpy": "2.4.0", "python": "3.11.9"},
        "statements": (
            Statement(
                step="first_exposure",
                sql="SELECT unit, min(exposed_us) AS exposed_us\nFROM exposures\nWHERE unit <> ''\nGROUP BY unit",
            ),
            Statement(step="per_arm", sql="SELECT arm, count(*) AS n FROM per_unit GROUP BY arm"),
        ),
        "ledger_head": OTHER_SHA,
        "ledger_count": 14203,
    }
    return Reproduce(**(fields | changes))


def counted_only() -> Reproduce:
    """What a readout without effects keeps: the counts of the cohort, and no sums of outcomes."""
    return reproduce(evidence={"cohort": {"units": 30489}, "outcomes": None})
