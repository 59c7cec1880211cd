"""What a check of a canary calls for: a total map from what was found to exactly one answer, evaluated top-down.

Harm acts before anything else, also while a validity check is failing. Nothing that was not measured ever passes, and nothing
that merely was not found harmful passes the last step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from analysis.guardrails import GuardrailState
from experiments.canaries.written import Needs, Unanswered

CanaryCode = Literal["PASS", "DO NOT PASS", "INCONCLUSIVE", "INVALID", "CONTINUE"]
Call = Literal[
    "BREACH",
    "INVALID",
    "PASS",
    "STEP MAY ADVANCE",
    "WITHIN THE STEP",
    "NOT MEASURED",
    "TOO FEW UNITS",
    "TOO SMALL TO JUDGE",
    "TIME IS UP",
]
Action = Literal["stay", "advance", "finish", "hold", "pause", "roll back"]
"""What follows: stay at this share and check again, may grow, done, keep the share until somebody decides, control at once
until somebody decides, control for good."""

RULE = (
    "Pass when, at the last step, every guardrail is within its margin on the units declared, and all validity checks passed. "
    "A guardrail beyond its margin stops the canary at any check."
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the map looks at.

    Attributes:
        guardrails: the states of all guardrails at this check.
        enough_units: whether this step has its minimum of mature units in each arm.
        held: whether the step's hold time is over.
        time_up: whether its time limit is.
        breach: what a breach does.
    """

    valid: bool
    guardrails: frozenset[GuardrailState]
    enough_units: bool
    held: bool
    time_up: bool
    last_step: bool
    needs: Needs
    when_unanswered: Unanswered
    breach: Literal["pause", "roll back"] = "roll back"

    @classmethod
    def of(
        cls,
        *,
        valid: bool,
        guardrails: Iterable[GuardrailState],
        enough_units: bool,
        held: bool,
        time_up: bool,
        last_step: bool,
        needs: Needs = "within margin",
        when_unanswered: Unanswered = "hold",
        breach: Literal["pause", "roll back"] = "roll back",
    ) -> Findings:
        return cls(
            valid,
            frozenset(guardrails),
            enough_units,
            held,
            time_up,
            last_step,
            needs,
            when_unanswered,
            breach,
        )


@dataclass(frozen=True, slots=True)
class MappedCheck:
    """The one answer: a verdict, what the check calls for, what follows, and the row of the map."""

    code: CanaryCode
    call: Call
    action: Action
    row: int
    reason: str


def verdict_of(found: Findings) -> MappedCheck:
    """The answer to a combination; the first row that applies decides."""
    states = found.guardrails
    if GuardrailState.BEYOND in states:
        return MappedCheck("DO NOT PASS", "BREACH", found.breach, 1, "a guardrail is beyond its margin")
    if not found.valid:
        return MappedCheck("INVALID", "INVALID", "pause", 2, "a validity check failed")
    if found.held and _answered(found):
        if found.last_step:
            return MappedCheck(
                "PASS", "PASS", "finish", 3, "every guardrail is within its margin at the last step"
            )
        return MappedCheck(
            "CONTINUE", "STEP MAY ADVANCE", "advance", 4, f"the step has what it needs: {found.needs}"
        )
    unanswered, why = _why_unanswered(found)
    if not found.time_up:
        return MappedCheck("CONTINUE", unanswered, "stay", 5, why)
    if unanswered == "TOO SMALL TO JUDGE" and found.when_unanswered == "proceed" and not found.last_step:
        return MappedCheck("CONTINUE", "TIME IS UP", "advance", 6, f"time is up, declared to proceed; {why}")
    action: Action = "roll back" if found.when_unanswered == "roll back" else "hold"
    return MappedCheck("INCONCLUSIVE", unanswered, action, 7, f"time is up; {why}")


def _answered(found: Findings) -> bool:
    """Whether the step has what it needs to go on."""
    measured = bool(found.guardrails) and GuardrailState.MISSING not in found.guardrails
    if not (found.enough_units and measured):
        return False
    passes = found.needs == "no breach" and not found.last_step
    return passes or found.guardrails == {GuardrailState.WITHIN}


def _why_unanswered(found: Findings) -> tuple[Call, str]:
    if not found.guardrails or GuardrailState.MISSING in found.guardrails:
        return "NOT MEASURED", "a guardrail was not measured"
    if not found.enough_units:
        return "TOO FEW UNITS", "too few mature units in this step"
    if _answered(found):
        return "WITHIN THE STEP", "the hold time is not over"
    if not found.held:
        return "WITHIN THE STEP", "no guardrail is beyond its margin; the hold time is not over"
    return "TOO SMALL TO JUDGE", "a guardrail's margin is not ruled out"
