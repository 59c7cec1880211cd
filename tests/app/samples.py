"""Readouts to render: one of each verdict and of each kind of metric, with numbers that are easy to follow by eye.

They are written by hand, not computed: what is tested is that each form shows what the readout holds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from app.export import Form, render
from experiments.readout import (
    ArmUnits,
    ArmValue,
    ArmVerdict,
    Check,
    Comparison,
    Interval,
    Look,
    Readout,
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


def ship(**changes: Any) -> Readout:
    """The declared rule was met; every kind of metric is in it."""
    sentence = (
        "The declared success rule was met. task_success@3 was 1.14 percentage points higher with treatment "
        "(95% CI +0.18 to +2.11). All 3 guardrails stayed within their margins. All 2 validity checks passed."
    )
    fields: dict[str, Any] = {
        "simulated": False,
        "released_at": datetime(2026, 12, 1, 9, 12, tzinfo=UTC),
        "registration": registration(),
        "design": {
            "schema": "design/1",
            "hypothesis": {"because": "better recall", "expect": "increase", "population": "signed-in users"},
            "primary": {"metric": "task_success@3", "alpha": 0.05},
        },
        "look": look(),
        "validity": VALID,
        "units": UNITS,
        "flow": {
            "in more than one arm": 12,
            "assigned but never exposed": 716,
            "not eligible": 488,
            "window or label delay not over": 2169,
            "analysed": 27104,
        },
        "primary": (primary(),),
        "guardrails": (errors(), latency(), revenue()),
        "secondary": (secondary(),),
        "segments": (segment(),),
        "sensitivity": (sensitivity(),),
        "verdict": verdict(
            "SHIP",
            sentence,
            "The plan was locked before the first user was exposed and fixed what would count as success. "
            "It was read once, at its declared end. " + sentence,
            row=7,
            reason="the declared success rule was met",
        ),
        "limits": (
            "It holds for signed-in users in November 2026 and says nothing of other times of the year.",
            "Effects that appear later than 7 days after first exposure were not observed.",
        ),
        "plan_kept": KEPT,
        "reproduce": reproduce(),
    }
    return Readout(**(fields | changes))


def harmed() -> Readout:
    harm = primary(
        estimate=-0.013221,
        interval=interval(-0.022711, -0.003731),
        p_value=0.00629,
        treatment_value=arm("treatment", 13564, 2555 / 13564, successes=2555),
        relative=None,
        relative_interval=None,
        relative_method=None,
        state="Worse",
    )
    sentence = "task_success@3 was worse with treatment by 1.32 percentage points (95% CI −2.27 to −0.37)."
    return ship(
        primary=(harm,),
        segments=(),
        sensitivity=(),
        verdict=verdict("DO NOT SHIP", sentence, sentence, row=3, reason="the primary metric was harmed"),
    )


def breached() -> Readout:
    slow = latency(
        estimate=41.2,
        interval=interval(33.0, 49.4),
        p_value=1.0 - 3e-8,
        treatment_value=arm("treatment", 13564, 853.6, requests=403870),
        state="Beyond margin",
    )
    sentence = "p95_latency@1 was worse by more than the accepted 20 ms (95% CI +33.0 to +49.4), whatever the primary result."
    return ship(
        guardrails=(errors(), slow, revenue()),
        verdict=verdict("DO NOT SHIP", sentence, sentence, row=4, reason="a guardrail is beyond its margin"),
    )


def ruled_out() -> Readout:
    small = primary(
        estimate=0.0014, interval=interval(-0.0061, 0.0089), p_value=0.7144, state="Planned effect ruled out"
    )
    sentence = "An improvement of 1.5 percentage points or more was ruled out (95% CI −0.61 to +0.89). Smaller benefits remain possible."
    return ship(
        primary=(small,),
        verdict=verdict(
            "DO NOT SHIP", sentence, sentence, row=9, reason="an effect as large as planned was ruled out"
        ),
    )


def imprecise() -> Readout:
    wide = primary(
        estimate=0.0064,
        interval=interval(-0.0061, 0.0189),
        p_value=0.3156,
        state="No evidence of a difference",
    )
    sentence = (
        "The experiment could not tell. The data are compatible with anything from −0.61 to +1.89 percentage points; the plan "
        "needed 1.5. This is not evidence of no effect."
    )
    return ship(
        primary=(wide,),
        look=look(short=True, information=0.4512),
        verdict=verdict("INCONCLUSIVE", sentence, sentence, row=10, reason="not precise enough"),
    )


def guardrail_open() -> Readout:
    unsure = latency(
        estimate=14.0, interval=interval(2.0, 26.0), p_value=0.1634, state="Margin not ruled out"
    )
    sentence = (
        "task_success@3 improved (95% CI +0.18 to +2.11) but p95_latency@1 may be worse by up to +26 ms; "
        "the accepted limit is 20 ms."
    )
    return ship(
        guardrails=(errors(), unsure, revenue()),
        verdict=verdict(
            "INCONCLUSIVE", sentence, sentence, row=8, reason="a guardrail's margin is not ruled out"
        ),
    )


def not_measured() -> Readout:
    """A guardrail held per level, one of which nobody measured."""
    levels = tuple(
        latency(label="p95_latency@1 by country", segment="country", level=level) for level in ("DE", "FR")
    )
    nothing = latency(
        label="p95_latency@1 by country",
        segment="country",
        level="US",
        control_value=arm("control", 0, None, missing=4837),
        treatment_value=arm("treatment", 0, None, missing=4850),
        estimate=None,
        interval=None,
        p_value=None,
        state="Missing",
        not_computed="no requests in an arm",
    )
    sentence = "p95_latency@1 by country was not measured for US. A guardrail that is missing never passes."
    return ship(
        guardrails=(errors(), *levels, nothing),
        verdict=verdict("INCONCLUSIVE", sentence, sentence, row=5, reason="not measured"),
    )


def stopped_by_hand() -> Readout:
    sentence = "The experiment was stopped by hand before its declared end, so its rule cannot be applied."
    return ship(
        look=look(stopped_by_hand=True, short=True, information=0.3121),
        plan_kept=(
            *KEPT[:1],
            Check(
                name="Sample reached", result="fail", detail="8 411 of 26 960 units", rule="at least the plan"
            ),
        ),
        verdict=verdict("INCONCLUSIVE", sentence, sentence, row=6, reason="stopped early by hand"),
    )


def invalid(**changes: Any) -> Readout:
    """The allocation check failed: no effect numbers at all."""
    failed = Check(
        name="Allocation (SRM)",
        result="fail",
        detail="10 420 and 9 610 units, planned 1:1",
        rule="chi-squared, alpha 0.001",
        p_value=1.04e-8,
    )
    units = (
        UNITS[0].model_copy(
            update={"assigned": 10420, "exposed": 10200, "eligible": 10100, "mature": 9800, "analysed": 9800}
        ),
        UNITS[1].model_copy(
            update={"assigned": 9610, "exposed": 9480, "eligible": 9402, "mature": 9077, "analysed": 9077}
        ),
    )
    sentence = (
        "The groups were not formed as planned (10 420 vs 9 610; planned 1:1; p < 0.0001). Any difference could come from how "
        "units were assigned, so no effect is reported. Fix the cause and run again."
    )
    return ship(
        **(
            {
                "validity": (failed, *VALID[1:]),
                "units": units,
                "primary": (),
                "guardrails": (),
                "secondary": (),
                "segments": (),
                "sensitivity": (),
                "reproduce": counted_only(),
                "verdict": verdict("INVALID", sentence, sentence, row=1, reason="a validity check failed"),
            }
            | changes
        )
    )


def interim() -> Readout:
    sentence = "No boundary was crossed at look 1. The experiment continues as planned."
    return ship(
        look=look(k=1, of=3, final=False, information=0.4),
        primary=(),
        guardrails=(),
        secondary=(),
        segments=(),
        sensitivity=(),
        reproduce=counted_only(),
        verdict=verdict("CONTINUE", sentence, sentence, row=0, reason="no boundary was crossed"),
    )


def several_treatments() -> Readout:
    """Two treatments against one control, adjusted together."""
    family = {"multiplicity": "Dunnett, 2 treatments", "adjusted_p_value": 0.0371}
    bold = {
        "treatment": "bold_layout_with_a_long_name",
        "estimate": 0.0031,
        "interval": interval(-0.0071, 0.0133, 0.9747),
        "p_value": 0.5519,
        "adjusted_p_value": 0.7812,
        "state": "No evidence of a difference",
        "treatment_value": arm("bold_layout_with_a_long_name", 13499, 0.2047, successes=2763),
    }
    first = {"interval": interval(0.000904, 0.021972, 0.9747)}
    third = UNITS[1].model_copy(
        update={"arm": "bold_layout_with_a_long_name", "assigned": 15190, "analysed": 13499, "mature": 13499}
    )
    units = tuple(u.model_copy(update={"planned_share": 1 / 3}) for u in (*UNITS, third))
    result = ship()
    return result.model_copy(
        update={
            "units": units,
            "primary": (primary(**(family | first)), primary(**(family | bold))),
            "guardrails": (
                errors(),
                errors(
                    treatment="bold_layout_with_a_long_name",
                    state="Margin not ruled out",
                    estimate=0.0312,
                    interval=interval(0.0011, 0.0622),
                ),
                latency(),
                latency(
                    treatment="bold_layout_with_a_long_name",
                    state="Beyond margin",
                    estimate=31.0,
                    interval=interval(24.5, 37.5),
                ),
            ),
            "segments": (
                segment(),
                segment().model_copy(
                    update={
                        "comparisons": tuple(
                            c.model_copy(update={"treatment": "bold_layout_with_a_long_name"})
                            for c in segment().comparisons
                        )
                    }
                ),
            ),
            "verdict": result.verdict.model_copy(
                update={
                    "by_treatment": (
                        *result.verdict.by_treatment,
                        ArmVerdict(
                            treatment="bold_layout_with_a_long_name",
                            code="DO NOT SHIP",
                            row=4,
                            reason="a guardrail is beyond its margin",
                            sentence="p95_latency@1 was worse by more than the accepted 20 ms (95% CI +24.5 to +37.5).",
                        ),
                    )
                }
            ),
        }
    )


def non_inferior() -> Readout:
    """A migration: the primary is held against a margin, one-sided, with an open interval."""
    kept = primary(
        mde=None,
        margin=0.01,
        margin_kind="absolute",
        margin_reason="A point of task success is worth less than the servers saved.",
        limit=-0.01,
        estimate=-0.0012,
        interval=interval(-0.0093, None, 0.975),
        p_value=0.0167,
        state="Within margin",
    )
    sentence = "The declared success rule was met. task_success@3 is within its margin of 1 percentage point (lower limit −0.93)."
    return ship(
        primary=(kept,),
        segments=(),
        sensitivity=(),
        verdict=verdict(
            "SHIP", sentence, sentence, row=7, reason="the declared success rule was met", rule="R-2"
        ),
    )


def labelled() -> Readout:
    """Everything that stays printed for ever, and an amendment."""
    return ship(
        simulated=True,
        registration=registration(
            owner="ada",
            reviewer="ada",
            version=2,
            labels=("late", "retrospective", "self-reviewed", "simulated"),
            outcome_reads_before=1,
            amendments=(
                {
                    "version": 2,
                    "timing": "B",
                    "code": "missing information",
                    "explanation": "The log of the new region starts a week later than we believed.",
                    "inference": "less severe",
                    "approved_by": "grace",
                    "approved_at": "2026-11-09T08:00:00Z",
                    "outcome_reads_before": 0,
                    "diff": [
                        {
                            "field": "stopping.maximum_duration",
                            "change": "changed",
                            "old": 2419200,
                            "new": 3024000,
                        },
                        {"field": "secondary.metrics", "change": "added", "old": None, "new": "searches@1"},
                    ],
                },
            ),
        ),
    )


def hostile() -> Readout:
    """Text that tries to be markup, in every place where a person can write."""
    attack = "<script>alert('x')</script> | **bold** `code` [link](javascript:alert(1)) \"quoted\""
    return ship(
        registration=registration(title=attack, owner=attack),
        limits=(attack,),
        primary=(primary(label=attack, method=attack, notes=(attack,)),),
        validity=(VALID[0].model_copy(update={"detail": attack, "rule": attack}), *VALID[1:]),
        design={"title": attack, "closing": "</script></pre>-->"},
        segments=(),
    )


SAMPLES = {
    "ship": ship,
    "harmed": harmed,
    "breached": breached,
    "ruled_out": ruled_out,
    "imprecise": imprecise,
    "guardrail_open": guardrail_open,
    "not_measured": not_measured,
    "stopped_by_hand": stopped_by_hand,
    "invalid": invalid,
    "interim": interim,
    "several_treatments": several_treatments,
    "non_inferior": non_inferior,
    "labelled": labelled,
    "hostile": hostile,
}
"""Builders by name."""


@cache
def rendered(sample: str, form: Form) -> str | bytes:
    """A sample in one form, rendered once for all tests."""
    return render(SAMPLES[sample](), form)
