"""The nine steps of the form, in the order in which they are asked."""

from __future__ import annotations

from app.drafting.questions import (
    Group,
    Question,
    Step,
    always_valid,
    futile,
    harm_stop,
    non_inferiority,
    one_sided,
    several_looks,
    several_treatments,
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
_BOUNDARIES = {
    "lan-demets-obf": "Lan–DeMets, O'Brien–Fleming kind: strict early, nearly all α at the end",
    "lan-demets-pocock": "Lan–DeMets, Pocock kind: about equally strict at every look",
    "kim-demets": "Kim–DeMets power family (parameter ρ)",
    "hwang-shih-decani": "Hwang–Shih–DeCani (parameter γ)",
    "obrien-fleming": "O'Brien–Fleming, equal looks",
    "pocock": "Pocock, equal looks",
    "wang-tsiatis": "Wang–Tsiatis (parameter Δ)",
}


def _baseline(measure: str) -> tuple[Question, ...]:
    return (
        Question(
            f"{measure}.baseline.mean",
            "Baseline of your own",
            more=True,
            hint="What the metric was before, per unit; left empty, the catalogue's. A share is written 0.2",
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


_QUESTION = Step(
    1,
    "Question",
    "What do you want to find out?",
    (
        Question("title", "What changes, for whom?", example="Ranker v7 against v6 for signed-in search"),
        Question(
            "background",
            "What is different between the arms?",
            prose=True,
            hint="In words a stranger understands",
            example="v7 adds the last ten clicks to the ranking features; nothing else differs.",
        ),
        Question(
            "purpose",
            "What does the primary metric have to show?",
            words={
                "superiority": "that the change is better",
                "non-inferiority": "that the change is not worse by more than a margin (migrations, cost savings)",
            },
        ),
        Question(
            "hypothesis.because",
            "Why should it work?",
            prose=True,
            hint="We expect this because …",
            example="v7 puts the result people want higher, so fewer give up",
        ),
        Question("hypothesis.expect", "What will the primary metric do?"),
        Question("hypothesis.population", "For whom?", example="signed-in users of web search"),
        Question("team", "Team", more=True),
        Question(
            "owner",
            "Owner",
            more=True,
            hint="Who answers for it; left empty, you. Another name hands the draft over",
        ),
        Question("links", "Links", more=True, hint="Tickets and documents, separated by commas"),
        Question("tags", "Tags", more=True, hint="To find it again, separated by commas"),
        Question("expected_start", "Expected start", more=True, example="2026-12-07"),
        Question("rollback", "How do we undo this, and who does?", more=True, prose=True),
    ),
)

_UNITS = Step(
    2,
    "Units & arms",
    "Who is assigned to what?",
    (
        Question(
            "units.randomisation",
            "What is assigned to an arm?",
            example="user",
            hint="The thing that is assigned: user, session, store. Default: user",
        ),
        Group(
            "arms",
            "arm",
            (
                Question("arms[].name", "Name in the logs", example="candidate"),
                Question("arms[].share", "Share", example="equal shares"),
                Question("arms[].version", "Model or flag version", example="ranker-v7"),
                Question("arms[].description", "Description", more=True),
            ),
            most=20,
            least=2,
            hint="The first arm is control. Shares are planned: the allocation check compares against them.",
        ),
        Question(
            "assignment.exposure",
            "When could the arms first differ for a unit?",
            words={
                "assignment": "at its assignment",
                "exposures": "at its first row in the exposures log",
            },
        ),
        Group(
            "eligibility",
            "condition",
            (
                Question("eligibility[].attribute", "Attribute known before assignment", example="platform"),
                Question("eligibility[].is", "is"),
                Question("eligibility[].is_not", "is not", more=True),
                Question("eligibility[].one_of", "is one of", hint="These, separated by commas"),
                Question(
                    "eligibility[].none_of",
                    "is none of",
                    more=True,
                    hint="None of these, separated by commas",
                ),
                Question("eligibility[].at_least", "is at least"),
                Question("eligibility[].below", "is below", more=True),
            ),
            most=10,
            more=True,
            hint="Who can enter. Nothing that the treatment could change; all conditions hold, each says one thing.",
        ),
        Question("units.analysis", "What is averaged over?", more=True),
        Question("assignment.key", "Key in the logs", more=True),
        Question(
            "assignment.method",
            "Who assigns?",
            more=True,
            words={
                "fairtrial": "Fairtrial's hash, which can be audited",
                "external": "assignment made elsewhere",
            },
        ),
        Question("assignment.salt", "Salt of the hash", more=True),
        Question(
            "assignment.layer.name",
            "Layer",
            more=True,
            hint="Experiments in one layer can exclude one another",
        ),
        Question("assignment.layer.start", "From this part of the layer", more=True),
        Question("assignment.layer.end", "To this part of the layer", more=True),
    ),
)

_PRIMARY = Step(
    3,
    "Primary",
    "Which one metric decides?",
    (
        Question("primary.metric", "Primary metric", hint="Exactly one. Others can be secondary"),
        Question(
            "primary.mde",
            "Smallest improvement worth shipping",
            when=superiority,
            hint="Not the one you hope for. A smaller one needs more units",
        ),
        Question(
            "primary.margin",
            "Largest worsening you would still accept",
            when=non_inferiority,
            hint="Decide it from cost, not from data",
        ),
        Question("window", "How long outcomes count", more=True, example="7d"),
        Question("label_delay", "How long until an outcome is surely in the log", more=True, example="1d"),
        Question("maturity", "When a unit may be analysed", more=True),
        Question("primary.window", "Window of the primary metric alone", more=True),
        Question("primary.alpha", "α: the chance of a false alarm you accept", more=True, example="0.05"),
        Question("primary.sides", "Sides", more=True),
        Question("primary.one_sided_reason", "Why one-sided", more=True, prose=True, when=one_sided),
        Question("primary.test", "Test and interval", more=True, words=_TESTS),
        _covariates("primary"),
        Question("primary.without_history", "A unit without history before exposure", more=True, words={"zero": "its covariate is 0", "exclude": "it is left out"}),
        *_baseline("primary"),
    ),
)  # fmt: skip

_GUARDRAILS = Step(
    4,
    "Guardrails",
    "What must not be harmed?",
    (
        Group(
            "guardrails",
            "guardrail",
            (
                Question("guardrails[].metric", "Metric"),
                Question(
                    "guardrails[].margin",
                    "Largest worsening you would still accept",
                    hint="Decide it from cost, not from data",
                ),
                Question(
                    "guardrails[].reason",
                    "Why this margin?",
                    prose=True,
                    example="20 ms at the 95th percentile cost less than 0.1% of sessions (EXP-0021)",
                ),
                Question(
                    "guardrails[].role",
                    "What it is for",
                    words={
                        "must-hold": "must hold: the change ships only if the margin is ruled out",
                        "monitor": "monitor: shown, does not decide",
                        "harm-stop": "harm stop: watched by machine, ends the experiment at once",
                    },
                ),
                Question("guardrails[].burn_in", "Units before the harm stop speaks", when=harm_stop, example="2000"),
                Question("guardrails[].alpha", "α, one-sided", more=True),
                Question("guardrails[].test", "Test and interval", more=True, words=_TESTS),
                Question("guardrails[].window", "Window", more=True),
                Question("guardrails[].segment", "Must hold at every level of", more=True, example="platform"),
                Question("guardrails[].minimum_units", "Fewest units in an arm", more=True),
                Question("guardrails[].without_history", "A unit without history before exposure", more=True, words={"zero": "its covariate is 0", "exclude": "it is left out"}),
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
            hint="Without a guardrail, say why nothing else could be harmed",
        ),
    ),
)  # fmt: skip

_SAMPLE = Step(
    5,
    "Sample & power",
    "How many units, for how long?",
    (
        Question("power.units_per_day", "Units a day, all arms together", example="3000", hint="Expected traffic of this experiment. It gives the duration"),
        Question("power.power", "Power", hint="The probability of SHIP if the smallest improvement is true and nothing is harmed. Default: 0.8"),
        Question("power.reason", "Why power below 0.80", more=True, prose=True),
        Question("power.design_effect", "Design effect", more=True),
        Question("power.units_per_arm", "Units per arm set by hand", more=True),
        Question("power.override_reason", "Why fewer units than computed", more=True, prose=True),
    ),
)  # fmt: skip

_STOPPING = Step(
    6,
    "Stopping & looks",
    "When may anybody see results?",
    (
        Question(
            "stopping.rule",
            "When are outcomes read?",
            words={
                "fixed": "once, at the end",
                "group-sequential": "at a few declared looks, with boundaries",
                "always-valid": "after every step, by a confidence sequence (needs more units)",
            },
            hint="The only times anybody sees results",
        ),
        Question("stopping.looks", "Looks, as shares of the information", when=several_looks, example="0.4, 0.7, 1", hint="Strictly rising, the last 1. Default: 0.4, 0.7, 1"),
        Question("stopping.boundary", "Boundary", when=several_looks, words=_BOUNDARIES),
        Question("stopping.futility.spending", "Stop early for futility?", when=several_looks, words=_BOUNDARIES, hint="When the primary shows too little to go on. Non-binding: it keeps the false-alarm rate even if ignored. Default: no"),
        Question("stopping.futility.binding", "The stop for futility is binding", when=futile),
        Question("stopping.burn_in", "Units before the first word", when=always_valid, example="2000"),
        Question("stopping.at", "Looks at times of enrolment instead", more=True, when=several_looks, example="7d, 14d, 21d"),
        Question("stopping.parameter", "Parameter of the boundary", more=True, when=several_looks),
        Question("stopping.futility.parameter", "Parameter of the futility spending", more=True, when=futile),
        Question("stopping.minimum_duration", "Shortest enrolment", more=True, example="7d"),
        Question("stopping.maximum_duration", "Longest enrolment", more=True, example="28d"),
        Question("stopping.step", "Enrolment ends on whole", more=True, example="7d"),
        Question("stopping.part_weeks_reason", "Why part of a week", more=True, prose=True),
        Question("stopping.if_short", "Too few units at the longest enrolment", more=True, words={"read": "read it as it is", "abandon": "abandon it; outcomes stay closed"}),
    ),
)  # fmt: skip

_DATA = Step(
    7,
    "Exclusions & data",
    "Where do the data come from, and what becomes of irregular units?",
    (
        Question("source", "Data source", hint="Which source of the sources file. Default: main"),
        Question("rules.several_arms", "Units in more than one arm", words={"exclude": "are left out", "first arm": "count in the first arm they were seen in", "delivered arm": "count in the arm that was delivered"}),
        Question("rules.missing_outcomes", "Missing outcomes", words={"as the metric says": "as the metric says", "failure": "a missing yes/no outcome counts as no"}),
        Question("rules.warn_crossover", "Share in several arms that warns", more=True),
        Question("rules.fail_crossover", "Share in several arms that makes it INVALID", more=True),
        Question("rules.delivered_differs", "Delivered arm is not the assigned one", more=True, words={"keep": "keep the unit in its assigned arm", "exclude": "leave the unit out"}),
        Question("rules.max_missing", "Missing share above which a metric is not measured", more=True),
        Question("validity.alpha", "α of the checks that block a readout", more=True),
        Question("validity.minimum_join_rate", "Share of units that need any row", more=True),
        Question("validity.max_clock_oddities", "Share of rows with impossible times", more=True),
        Question("validity.max_assignment_mismatch", "Share of units whose arm is not the hash's", more=True),
    ),
)  # fmt: skip

_DECISION = Step(
    8,
    "Decision rule",
    "What will you do for each result?",
    (
        Question("secondary.metrics", "Secondary metrics", hint="Supporting evidence only; they do not change the verdict"),
        Question("segments", "Declared segments", example="platform, country", hint="Attributes known before exposure, separated by commas. Anything not listed is exploratory for ever"),
        Question("deciders", "Who decides", hint="Neither the owner nor the reviewer; left empty, any decider"),
        Question("anything_else", "Anything else that is fixed now", prose=True, hint="Left empty, the protocol says: Nothing else was pre-registered"),
        Question("secondary.multiplicity", "Secondary metrics are adjusted by", more=True, words={"holm": "Holm", "benjamini-hochberg": "Benjamini and Hochberg"}),
        Question("sensitivity", "Sensitivity analyses", more=True, words={"unadjusted": "without covariates", "uncapped": "without the cap", "per-protocol": "only units delivered as assigned"}),
        Question("decision_rule", "Decision rule", more=True, words={"R-1": "R-1 (superiority)", "R-2": "R-2 (non-inferiority)"}),
        Question("multiple_treatments", "Several treatments share α by", more=True, when=several_treatments),
        Question("which_ships", "When several treatments may ship", more=True, when=several_treatments),
    ),
)  # fmt: skip

_REVIEW = Step(
    9,
    "Review & lock",
    "Is this the plan?",
    (
        Question(
            "outcome_data_seen",
            "Have any outcome data of these units been seen?",
            hint="Pre-registration only counts before the answer is known",
        ),
        Question("reviewer", "Reviewer", hint="The reviewer locks the plan. They cannot be you"),
    ),
)

STEPS: tuple[Step, ...] = (
    _QUESTION,
    _UNITS,
    _PRIMARY,
    _GUARDRAILS,
    _SAMPLE,
    _STOPPING,
    _DATA,
    _DECISION,
    _REVIEW,
)

COVARIATES_OF_GUARDRAILS = _covariates("guardrails[]")
"""Asked within each guardrail, behind "more"."""
