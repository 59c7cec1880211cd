"""The words of the app in plain language, the states, who may do what, and the map from findings to verdict.

States and roles are read from the rules that the registry enforces, so that this page cannot say anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.overview.listing import state_words
from experiments.readouts.readout import VerdictCode
from experiments.readouts.verdict import RULES as DECISION_RULES
from registry.actors import Role
from registry.lifecycle.states import RULES, WORK, Who
from registry.records import State

HELD = {
    Who.ANALYST: Role.ANALYST,
    Who.OWNER: Role.ANALYST,
    Who.REVIEWER: Role.REVIEWER,
    Who.DECIDER: Role.DECIDER,
    Who.SYSTEM: Role.SYSTEM,
}
"""The role that each of the rules' people has to hold; a test holds this against what the registry permits."""

TERMS = {
    "Allocation check (SRM)": "Sample ratio mismatch: are the groups as large as planned? If not, something other than "
    "chance decided who is in which group, and their difference cannot be read.",
    "Alpha (α)": "The chance of a false alarm that was accepted in advance: how often an experiment without any true "
    "difference would still end as if there were one. Usually 5%.",
    "Amendment": "A change to a locked plan: in the open, with its reason, a reviewer's approval, and whether outcomes had been "
    "read before it.",
    "Arm": "One of the versions that are compared. The control is what everybody has today; a treatment is what is new.",
    "Baseline": "What a metric was before the experiment, and where that number comes from. The sample size rests on it.",
    "Confidence interval": "The effects that the data are compatible with. A 95% interval is made so that it contains the "
    "true value in 95% of experiments.",
    "Covariate": "Something known of a unit before the experiment, such as its past activity. It makes the answer more precise; "
    "nothing measured afterwards may be one.",
    "Crossover": "A unit seen in more than one arm. The plan says beforehand what becomes of it, and how many are too many.",
    "Decision": "What a person signs after the verdict. It may differ from the verdict, with a longer reason and a second decider.",
    "Exploratory": "Chosen after the data were seen. An idea for a new test, never a result.",
    "Exposure": "The first moment at which the arms could differ for a unit. Outcomes count from there.",
    "Guardrail": "A metric that must not get worse by more than its margin, whatever the primary metric does.",
    "Harm stop": "A guardrail that is watched all the time by a rule of its own. Before it trips, all that is shown is that it has not.",
    "Label delay": "How long outcomes take to arrive in the log after they happened.",
    "Ledger": "The record of every act, each entry sealing the one before. Nobody can change it unseen.",
    "Look": "A declared occasion to read outcomes. Outcome data are closed before it; each look is taken once.",
    "Margin": "The largest worsening that would still be accepted, decided from its cost before the data.",
    "Maturity": "A unit is mature when its whole outcome window, and the usual delay of the data, have passed. Only mature units "
    "are analysed.",
    "Minimum detectable effect": "The smallest improvement worth shipping. The sample size is chosen to find it.",
    "Non-inferiority": "The question whether something is not worse by more than a margin, rather than whether it is better.",
    "Outcome": "What happened to a unit after exposure: what the metrics are made of.",
    "p-value": "How often a difference this large or larger would be seen if there were no true difference.",
    "Percentage point": "The difference of two percentages: from 20% to 21% is one percentage point, and five percent more.",
    "Power": "The chance to find the minimum detectable effect if it is there. Usually 80%.",
    "Primary metric": "The one metric whose change decides, named before the start.",
    "Readout": "The sealed result of a look: verdict, numbers, checks, and how they were made. It is never edited.",
    "Sealed": "Stored under the hash of its own content: a single changed digit would show.",
    "Unit": "What is assigned to an arm: a user, a session, a shop.",
    "Validity check": "A check on the experiment itself rather than its result. If one fails, no effect is shown.",
    "Verdict": "What the declared rule says of the result: SHIP, DO NOT SHIP, INCONCLUSIVE or INVALID. Nobody types it.",
    "Verified metric": "A metric version for which a metric steward vouches: its sentence says what is counted, and it is counted "
    "so. A new version is not verified, and one that is edited in place no longer is.",
    "Watermark": "Up to when the logs are known to be complete.",
    "Window": "How long outcomes of a unit count, from its first exposure.",
}
"""Terms, in the order of the alphabet, each in one or two short sentences."""

VERDICTS: tuple[tuple[str, VerdictCode, str], ...] = (
    (
        "A validity check that cannot be mended failed",
        "INVALID",
        "No effect is shown: it could come from the fault.",
    ),
    ("A harm stop tripped", "DO NOT SHIP", "The metric is named."),
    ("The primary metric was harmed", "DO NOT SHIP", "It got worse by the declared test."),
    ("A guardrail that must hold is beyond its margin", "DO NOT SHIP", "Whatever the primary metric did."),
    ("The primary metric or a guardrail could not be measured", "INCONCLUSIVE", "Missing is never a pass."),
    (
        "Stopped by hand before its end, no boundary crossed",
        "INCONCLUSIVE",
        "Nobody stops an experiment into a success.",
    ),
    ("The primary rule was met and every guardrail holds", "SHIP", "The declared success rule, all of it."),
    (
        "The primary rule was met, a guardrail's margin is not ruled out",
        "INCONCLUSIVE",
        "It may be worse than accepted.",
    ),
    ("An effect as large as planned is ruled out", "DO NOT SHIP", "Smaller benefits remain possible."),
    ("Anything else", "INCONCLUSIVE", "Not precise enough. This is not evidence of no effect."),
)
"""The map from what was found to the verdict: the first line that applies decides."""

STATES = {
    State.DRAFT: "The owner writes the plan. Nothing is fixed yet.",
    State.IN_REVIEW: "The reviewer, who is not the owner, reads the whole plan and locks it or asks for changes.",
    State.REGISTERED: "The plan is locked and hashed. It waits for its first exposure.",
    State.RUNNING: "Units are exposed. Only health is shown; outcomes are closed until a declared look.",
    State.STOPPED: "No unit is added any more. It waits until all exposed units are mature.",
    State.MATURE: "Every unit is mature. The look is due.",
    State.READOUT: "The sealed readout is released to everybody. A decider signs what follows.",
    State.DECIDED: "Somebody signed. It is closed; to go on, clone it as a new experiment.",
    State.ABANDONED: "Given up by owner and reviewer, or withdrawn before the start. Its outcomes stay closed, and it stays listed.",
    State.INVALID: "A validity check failed that cannot be mended. The readout shows the checks and no effect.",
}

BY_HAND = (
    ("Take the readout as JSON", "It is the sealed document; every other form is drawn from it."),
    (
        "Hash it",
        "Without its last line, `sha256sum` must give the hash that stands on every export and in the audit log.",
    ),
    (
        "Compare the plan",
        "The plan's hash on the readout must be the one in the audit log at `register`, or at the last approved amendment.",
    ),
    (
        "Count again",
        "`fairtrial readout EXP-0001 --verify` takes it all again from the logs and says IDENTICAL, SOURCE CHANGED or CODE DIFFERS.",
    ),
    (
        "Check the numbers",
        "The sums behind every number stand in the JSON; `fairtrial calc` gives each test from such sums.",
    ),
    ("Verify the chain", "On the page Audit log, or with `fairtrial audit verify`."),
)
"""How somebody who trusts nobody checks a readout."""


@dataclass(frozen=True, slots=True)
class May:
    """What a role may do."""

    role: str
    acts: str


@dataclass(frozen=True, slots=True)
class InState:
    """A state, what it means, and what may be done in it by whom."""

    state: str
    meaning: str
    acts: str


def roles() -> tuple[May, ...]:
    """Who may do what, from the registry's own rules and the roles it knows."""
    return tuple(May(role.value, _acts_of(role)) for role in Role)


def states() -> tuple[InState, ...]:
    """Every state in the order of an experiment's life, from the registry's own rules."""
    return tuple(InState(state_words(state), STATES[state], "; ".join(_acts_in(state))) for state in State)


def decision_rules() -> tuple[tuple[str, str], ...]:
    """The declared rules a design may choose."""
    return tuple(DECISION_RULES.items())


_OTHERWISE = {
    Role.VIEWER: "see everything that is open to all; asks for nothing",
    Role.METRIC_STEWARD: "keep the metric catalogue; verify metrics, and take a verification back, with a reason",
    Role.DATA_STEWARD: "keep the sources",
    Role.MODEL_OWNER: "own models",
    Role.ON_CALL: "be called when something fails",
    Role.LOOK_COMMITTEE: "see a look's numbers before the release, where the design says so; each read is recorded",
    Role.ADMIN: "add people and grant roles to others. An admin has no power over outcomes, locks or the ledger",
}


def _acts_of(role: Role) -> str:
    said = [f"{rule.verb}{_as(who)}" for rule in RULES.values() for who in rule.who if HELD[who] is role]
    said += [what for what, allowed in WORK.items() if role in allowed]
    return "; ".join(dict.fromkeys([*said, *([_OTHERWISE[role]] if role in _OTHERWISE else [])]))


def _as(who: Who) -> str:
    return {Who.OWNER: " (own experiments)", Who.DECIDER: " (of others)", Who.REVIEWER: " (when named)"}.get(
        who, ""
    )


def _acts_in(state: State) -> Iterator[str]:
    for rule in RULES.values():
        if state in rule.states and len(rule.states) < len(State):
            yield f"{rule.verb}: {' or '.join(rule.who)}"
