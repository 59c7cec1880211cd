"""The nine steps of the form, in the order in which they are asked."""

from __future__ import annotations

from app.drafting.questions import Step
from app.drafting.steps_measures import COVARIATES_OF_GUARDRAILS as COVARIATES_OF_GUARDRAILS
from app.drafting.steps_measures import GUARDRAILS, PRIMARY
from app.drafting.steps_question import QUESTION, UNITS
from app.drafting.steps_rules import DATA, DECISION, REVIEW, SAMPLE, STOPPING

STEPS: tuple[Step, ...] = (
    QUESTION,
    UNITS,
    PRIMARY,
    GUARDRAILS,
    SAMPLE,
    STOPPING,
    DATA,
    DECISION,
    REVIEW,
)
