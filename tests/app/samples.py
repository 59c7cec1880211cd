"""Readouts to render: one of each verdict and of each kind of metric, with numbers that are easy to follow by eye.

They are written by hand, not computed: what is tested is that each form shows what the readout holds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from app.export import Form, render
from experiments.readouts.readout import (
    ArmVerdict,
    Check,
    Readout,
)
from tests.app import sample_paths
from tests.app.sample_parts import (
    KEPT,
    UNITS,
    VALID,
    arm,
    counted_only,
    errors,
    interval,
    latency,
    look,
    primary,
    registration,
    reproduce,
    revenue,
    secondary,
    segment,
    sensitivity,
    verdict,
)

__all__ = [
    "KEPT",
    "UNITS",
    "VALID",
    "arm",
    "counted_only",
    "errors",
    "interval",
    "latency",
    "look",
    "primary",
    "registration",
    "reproduce",
    "revenue",
    "secondary",
    "segment",
    "sensitivity",
    "verdict",
]


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
        "task_success@3 improved (95% CI +0.18 to +2.11) but p95_latency@1 may be worse by up to 26 ms; "
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
        look=look(k=1, of=3, final=False, information=0.4, decision="CONTINUE"),
        primary=(),
        guardrails=(),
        secondary=(),
        segments=(),
        sensitivity=(),
        reproduce=counted_only(),
        verdict=verdict("CONTINUE", sentence, sentence, row=0, reason="no boundary was crossed"),
    )


def stopped_early(**changes: Any) -> Readout:
    """A group-sequential design that crossed its efficacy boundary at look 2 of 3, latency within its margin."""
    sentence = (
        "Stopped at look 2 of 3: the efficacy boundary was crossed and every guardrail that must hold was within its margin. "
        "The declared success rule was met. task_success@3 was 1.65 percentage points higher with treatment (95% CI +0.26 to "
        "+3.04)."
    )
    repeated = primary(
        estimate=0.016508,
        interval=interval(0.002579, 0.030437),
        p_value=0.012634,
        method="score test of two proportions, its own inversion, repeated",
        relative=None,
        relative_interval=None,
        relative_method=None,
    )
    fields: dict[str, Any] = {
        "look": look(k=2, of=3, final=False, information=0.7311, decision="STOP FOR EFFICACY", watches=12),
        "primary": (repeated,),
        "guardrails": (latency(interval=interval(-3.8, 16.1), p_value=0.00731),),
        "segments": (),
        "sensitivity": (),
        "sequential": (sample_paths.efficacy(), sample_paths.latency_path()),
        "verdict": verdict("SHIP", sentence, sentence, row=7, reason="the declared success rule was met"),
    }
    return ship(**(fields | changes))


def stopped_as_futile() -> Readout:
    sentence = "Stopped at look 2 of 3: the futility boundary was crossed. Smaller benefits remain possible."
    path = sample_paths.futile()
    small = primary(
        estimate=0.002417,
        interval=interval(-0.01157, 0.0164),
        p_value=0.8711,
        relative=None,
        relative_interval=None,
        relative_method=None,
        state="Futility boundary crossed",
    )
    return stopped_early(
        look=look(k=2, of=3, final=False, information=0.7311, decision="STOP FOR FUTILITY"),
        primary=(small,),
        sequential=(path, sample_paths.latency_path()),
        verdict=verdict("DO NOT SHIP", sentence, sentence, row=9, reason="the futility boundary was crossed"),
    )


def always_valid() -> Readout:
    """An always-valid design that stopped at its fourth weekly look."""
    sentence = (
        "Stopped at look 4 of 12: the efficacy boundary was crossed. The declared success rule was met."
    )
    sequence = primary(
        estimate=0.01722,
        interval=interval(0.00201, 0.03243),
        p_value=0.01127,
        method="confidence sequence (normal mixture)",
        relative=None,
        relative_interval=None,
        relative_method=None,
    )
    return ship(
        look=look(k=4, of=12, final=False, information=0.77, decision="STOP FOR EFFICACY"),
        primary=(sequence,),
        guardrails=(),
        segments=(),
        sensitivity=(),
        sequential=(sample_paths.always_valid(),),
        verdict=verdict("SHIP", sentence, sentence, row=7, reason="the declared success rule was met"),
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
    "stopped_early": stopped_early,
    "stopped_as_futile": stopped_as_futile,
    "always_valid": always_valid,
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
