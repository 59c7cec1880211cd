"""Steps 3 and 4: the metric that decides, and what must not be harmed."""

from __future__ import annotations

from app.drafting.questions import (
    Group,
    Question,
    Step,
    harm_stop,
    non_inferiority,
    one_sided,
    superiority,
    without_guardrails,
)

_TESTS = {
    "welch": "Welch's t test",
    "score": "score test of two proportions",
    "miettinen-nurminen": "Miettinen and Nurminen's score test",
    "delta": "delta method for ratios",
    "quantile": "cluster-robust comparison of quantiles",
}


def _baseline(measure: str) -> tuple[Question, ...]:
    return (
        Question(
            f"{measure}.baseline.mean",
            "Baseline of your own",
            more=True,
            hint="What the metric was before, per unit; left empty, the catalogue's. A share is written 0.2.",
        ),
        Question(f"{measure}.baseline.sd", "Standard deviation of the baseline", more=True),
        Question(
            f"{measure}.baseline.source",
            "Where the baseline comes from",
            more=True,
            example="Logs of 1 to 28 October 2026, 48,112 users",
        ),
    )


def _covariates(measure: str) -> Group:
    return Group(
        f"{measure}.covariates",
        "covariate",
        (
            Question(f"{measure}.covariates[].metric", "Metric before exposure"),
            Question(f"{measure}.covariates[].attribute", "Or an attribute that is a number"),
            Question(f"{measure}.covariates[].window", "Counted over", example="14d"),
            Question(
                f"{measure}.covariates[].variance_reduction",
                "Variance it is expected to remove",
                example="20%",
            ),
        ),
        most=5,
        more=True,
        hint="Measured before exposure only; they make the estimate more precise (CUPED).",
    )


PRIMARY = Step(
    3,
    "Primary",
    "Which one metric decides?",
    (
        Question("primary.metric", "Primary metric", hint="Exactly one. Others can be secondary."),
        Question(
            "primary.mde",
            "Smallest improvement worth shipping",
            when=superiority,
            hint="Not the one you hope for. A smaller one needs more units.",
        ),
        Question(
            "primary.margin",
            "Largest worsening you would still accept",
            when=non_inferiority,
            hint="Decide it from cost, not from data.",
        ),
        Question("window", "How long outcomes count", more=True, example="7d"),
        Question("label_delay", "How long until an outcome is surely in the log", more=True, example="1d"),
        Question("maturity", "When a unit may be analysed", more=True),
        Question("primary.window", "Window of the primary metric alone", more=True),
        Question("primary.alpha", "α: the chance of a false alarm you accept", more=True, example="0.05"),
        Question(
            "primary.sides", "Sides", more=True, hint="", blank="2 for superiority, 1 for non-inferiority"
        ),
        Question("primary.one_sided_reason", "Why one-sided", more=True, prose=True, when=one_sided),
        Question(
            "primary.test",
            "Test and interval",
            more=True,
            words=_TESTS,
            hint="It cannot be changed later.",
            blank="By the metric's type",
        ),
        _covariates("primary"),
        Question(
            "primary.without_history",
            "A unit without history before exposure",
            more=True,
            words={"zero": "its covariate is 0", "exclude": "it is left out"},
            hint="",
        ),
        *_baseline("primary"),
    ),
)


GUARDRAILS = Step(
    4,
    "Guardrails",
    "What must not be harmed?",
    (
        Group(
            "guardrails",
            "guardrail",
            (
                Question("guardrails[].metric", "Metric", hint=""),
                Question(
                    "guardrails[].margin",
                    "Largest worsening you would still accept",
                    hint="Decide it from cost, not from data.",
                ),
                Question(
                    "guardrails[].reason",
                    "Why this margin?",
                    prose=True,
                    example="20 ms at the 95th percentile cost less than 0.1% of sessions (EXP-0021)",
                    hint="From cost, not from data.",
                ),
                Question(
                    "guardrails[].role",
                    "What it is for",
                    words={
                        "must-hold": "must hold: the change ships only if the margin is ruled out",
                        "monitor": "monitor: shown, does not decide",
                        "harm-stop": "harm stop: watched by machine, ends the experiment at once",
                    },
                    hint="",
                ),
                Question(
                    "guardrails[].burn_in",
                    "Units before the harm stop speaks",
                    when=harm_stop,
                    example="2000",
                ),
                Question("guardrails[].alpha", "α, one-sided", more=True),
                Question(
                    "guardrails[].test",
                    "Test and interval",
                    more=True,
                    words=_TESTS,
                    hint="",
                    blank="By the metric's type",
                ),
                Question("guardrails[].window", "Window", more=True),
                Question(
                    "guardrails[].segment", "Must hold at every level of", more=True, example="platform"
                ),
                Question("guardrails[].minimum_units", "Fewest units in an arm", more=True),
                Question(
                    "guardrails[].without_history",
                    "A unit without history before exposure",
                    more=True,
                    words={"zero": "its covariate is 0", "exclude": "it is left out"},
                    hint="",
                ),
                *_baseline("guardrails[]"),
            ),
            first={"role": "must-hold"},
            most=8,
            hint="Each with a margin: the largest worsening you would still accept.",
        ),
        Question(
            "no_guardrails_reason",
            "Why there is no guardrail",
            prose=True,
            when=without_guardrails,
            hint="Without a guardrail, say why nothing else could be harmed.",
        ),
    ),
)


COVARIATES_OF_GUARDRAILS = _covariates("guardrails[]")
"""Asked within each guardrail, behind "more"."""
