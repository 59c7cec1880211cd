"""Steps 5 to 9: how many units, when anybody looks, what becomes of irregular units, what is decided."""

from __future__ import annotations

from app.drafting.questions import Question, Step, always_valid, futile, several_looks, several_treatments

_BOUNDARIES = {
    "lan-demets-obf": "Lan–DeMets, O'Brien–Fleming kind: strict early, nearly all α at the end",
    "lan-demets-pocock": "Lan–DeMets, Pocock kind: about equally strict at every look",
    "kim-demets": "Kim–DeMets power family (parameter ρ)",
    "hwang-shih-decani": "Hwang–Shih–DeCani (parameter γ)",
    "obrien-fleming": "O'Brien–Fleming, equal looks",
    "pocock": "Pocock, equal looks",
    "wang-tsiatis": "Wang–Tsiatis (parameter Δ)",
}


SAMPLE = Step(
    5,
    "Sample & power",
    "How many units, for how long?",
    (
        Question(
            "power.units_per_day",
            "Units a day, all arms together",
            example="3000",
            hint="Expected traffic of this experiment. Without it nobody can say how long it takes, or whether enough come.",
        ),
        Question(
            "power.power",
            "Power",
            hint="The probability of SHIP if the smallest improvement is true and nothing is harmed. Left empty: 0.8.",
        ),
        Question("power.reason", "Why power below 0.80", more=True, prose=True),
        Question("power.design_effect", "Design effect", more=True),
        Question("power.units_per_arm", "Units per arm set by hand", more=True),
        Question("power.override_reason", "Why fewer units than computed", more=True, prose=True),
    ),
)


STOPPING = Step(
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
            hint="The only times anybody sees results.",
        ),
        Question(
            "stopping.looks",
            "Looks, as shares of the information",
            when=several_looks,
            example="0.4, 0.7, 1",
            hint="Rising, the last 1. Left empty: 0.4, 0.7, 1.",
        ),
        Question(
            "stopping.boundary",
            "Boundary",
            when=several_looks,
            words=_BOUNDARIES,
            hint="How strict the early looks are.",
            blank="Lan–DeMets, O'Brien–Fleming kind (default)",
        ),
        Question(
            "stopping.futility.spending",
            "Stop early for futility?",
            when=several_looks,
            words=_BOUNDARIES,
            hint="When the primary shows too little to go on.",
            blank="No",
        ),
        Question(
            "stopping.futility.binding",
            "The stop for futility is binding",
            when=futile,
            hint="Non-binding keeps the false-alarm rate even if the stop is ignored; binding needs a one-sided primary.",
        ),
        Question("stopping.burn_in", "Units before the first word", when=always_valid, example="2000"),
        Question(
            "stopping.at",
            "Looks at times of enrolment instead",
            more=True,
            when=several_looks,
            example="7d, 14d, 21d",
        ),
        Question("stopping.parameter", "Parameter of the boundary", more=True, when=several_looks),
        Question("stopping.futility.parameter", "Parameter of the futility spending", more=True, when=futile),
        Question("stopping.minimum_duration", "Shortest enrolment", more=True, example="7d"),
        Question("stopping.maximum_duration", "Longest enrolment", more=True, example="28d"),
        Question("stopping.step", "Enrolment ends on whole", more=True, example="7d"),
        Question("stopping.part_weeks_reason", "Why part of a week", more=True, prose=True),
        Question(
            "stopping.if_short",
            "Too few units at the longest enrolment",
            more=True,
            words={"read": "read it as it is", "abandon": "abandon it; outcomes stay closed"},
            hint="",
        ),
    ),
)


DATA = Step(
    7,
    "Exclusions & data",
    "Where do the data come from, and what becomes of irregular units?",
    (
        Question("source", "Data source", hint="One of those on the page Data sources. Left empty: main."),
        Question(
            "rules.several_arms",
            "Units in more than one arm",
            words={
                "exclude": "are left out",
                "first arm": "count in the first arm they were seen in",
                "delivered arm": "count in the arm that was delivered",
            },
            hint="",
        ),
        Question(
            "rules.missing_outcomes",
            "Missing outcomes",
            words={
                "as the metric says": "as the metric says",
                "failure": "a missing yes/no outcome counts as no",
            },
            hint="",
        ),
        Question("rules.warn_crossover", "Share in several arms that warns", more=True),
        Question("rules.fail_crossover", "Share in several arms that makes it INVALID", more=True),
        Question(
            "rules.delivered_differs",
            "Delivered arm is not the assigned one",
            more=True,
            words={"keep": "keep the unit in its assigned arm", "exclude": "leave the unit out"},
            hint="",
        ),
        Question("rules.max_missing", "Missing share above which a metric is not measured", more=True),
        Question("validity.alpha", "α of the checks that block a readout", more=True),
        Question("validity.minimum_join_rate", "Share of units that need any row", more=True),
        Question("validity.max_clock_oddities", "Share of rows with impossible times", more=True),
        Question("validity.max_assignment_mismatch", "Share of units whose arm is not the hash's", more=True),
    ),
)


DECISION = Step(
    8,
    "Decision rule",
    "What will you do for each result?",
    (
        Question(
            "secondary.metrics",
            "Secondary metrics",
            hint="Supporting evidence only; they do not change the verdict.",
        ),
        Question(
            "segments",
            "Declared segments",
            example="platform, country",
            hint="Attributes known before exposure, separated by commas. Anything not listed is exploratory for ever.",
        ),
        Question(
            "deciders", "Who decides", hint="Neither the owner nor the reviewer; left empty, any decider."
        ),
        Question(
            "anything_else",
            "Anything else that is fixed now",
            prose=True,
            hint="Left empty, the protocol says: Nothing else was pre-registered.",
        ),
        Question(
            "secondary.multiplicity",
            "Secondary metrics are adjusted by",
            more=True,
            words={"holm": "Holm", "benjamini-hochberg": "Benjamini and Hochberg"},
            hint="",
        ),
        Question(
            "sensitivity",
            "Sensitivity analyses",
            more=True,
            words={
                "unadjusted": "without covariates",
                "uncapped": "without the cap",
                "per-protocol": "only units delivered as assigned",
            },
            hint="The primary once more, beside the verdict.",
        ),
        Question(
            "decision_rule",
            "Decision rule",
            more=True,
            words={"R-1": "R-1 (superiority)", "R-2": "R-2 (non-inferiority)"},
            hint="",
            blank="R-1 for superiority, R-2 for non-inferiority",
        ),
        Question(
            "multiple_treatments",
            "Several treatments share α by",
            more=True,
            when=several_treatments,
            hint="",
            blank="Holm with one look, Bonferroni with several",
        ),
        Question(
            "which_ships", "When several treatments may ship", more=True, when=several_treatments, hint=""
        ),
    ),
)


REVIEW = Step(
    9,
    "Review & lock",
    "Is this the plan?",
    (
        Question(
            "outcome_data_seen",
            "Have any outcome data of these units been seen?",
            hint="Pre-registration only counts before the answer is known.",
        ),
        Question("reviewer", "Reviewer", hint="The reviewer locks the plan. They cannot be you."),
    ),
)
