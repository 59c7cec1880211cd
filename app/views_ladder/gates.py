"""What the next step waits for, in the order health, sample, time, guardrails, and approval last.

The registry alone says whether a step may be taken (`registry.ladder.NextStep`); the gates say where each thing it rests on
stands, in counts, in declared times and in what was sealed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.declared_words import duration_in_words
from app.formats import count, instant
from app.readings import Reading
from app.views_ladder.opened import CanaryStanding, LadderView
from registry.ladder import RolloutState
from registry.records import Verdict
from registry.store import Dossier

NOT_LEFT: Final = frozenset({RolloutState.PROMOTED, RolloutState.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: whether it is passed, and why."""

    name: str
    passed: bool
    words: str

    @property
    def reading(self) -> Reading:
        return (
            Reading("passed", "✓", "circle", "good")
            if self.passed
            else Reading("waits", "▲", "triangle-up", "warning")
        )


def gates_of(view: LadderView) -> tuple[Gate, ...]:
    """The gates to the next step; none after the end."""
    state = view.file.rollout.state
    if state in NOT_LEFT:
        return ()
    return (*_before_approval(view), _approval(view))


def _before_approval(view: LadderView) -> Iterator[Gate]:
    rung = view.file.rollout.rung
    if rung is None:
        yield Gate("Health", True, "nothing is served or mirrored yet, so there is nothing to check.")
        return
    if rung is RolloutState.CANARY and view.canary is not None:
        yield from canary_gates(view.canary, view.now)
        return
    dossier = view.entries.get(rung)
    if dossier is not None:
        yield from _sealed_rung(rung, dossier)


def canary_gates(canary: CanaryStanding, now: datetime) -> Iterator[Gate]:
    """Health, sample, time and guardrails of the step that is on, by its last sealed check, else by counts and the clock."""
    if not canary.steps.begun:
        yield Gate("Time", False, "no step has begun.")
        return
    step = canary.design.steps[len(canary.steps.begun) - 1]
    check = canary.last_of_step
    if check is None:
        yield Gate(
            "Health",
            False,
            f"no check of step {step.number} is sealed yet; each begins with the checks of the logs.",
        )
        yield _sample_so_far(canary)
    else:
        failed = [one.name for one in check.validity if one.result in {"fail", "hold"} and one.blocking]
        said = (
            f"not passed at check {check.look.k}: {', '.join(failed)}."
            if failed
            else (
                f"{sum(one.result == 'pass' for one in check.validity)} checks passed at check {check.look.k}."
            )
        )
        yield Gate("Health", not failed, said)
        own = next(one for one in check.steps if one.step == step.number)
        yield _sample([arm.analysed for arm in own.arms], step.minimum_units)
    held = canary.steps.begun[-1] + timedelta(seconds=step.hold)
    left = held - now
    yield Gate(
        "Time",
        left <= timedelta(0),
        f"held for {duration_in_words(step.hold)} since {instant(canary.steps.begun[-1])}."
        if left <= timedelta(0)
        else f"{_left(left)} left of {duration_in_words(step.hold)}, until {instant(held)}.",
    )
    yield _guardrails(canary)


def _sample(analysed: Sequence[int], least: int) -> Gate:
    fewest = min(analysed, default=0)
    return Gate(
        "Sample", fewest >= least, f"{count(fewest)} users in the smaller arm of at least {count(least)}."
    )


def _sample_so_far(canary: CanaryStanding) -> Gate:
    standing = canary.findings.standing
    if standing is None:
        return Gate("Sample", False, "not counted yet: ask the logs.")
    return _sample(standing.enrolled, min(standing.planned, default=0))


def _guardrails(canary: CanaryStanding) -> Gate:
    check = canary.last_of_step
    if check is None:
        return Gate("Guardrails", False, "closed until the check that is due is taken and sealed.")
    if check.verdict.code == "INVALID":
        return Gate("Guardrails", False, f"check {check.look.k} is INVALID: no effect is reported.")
    on = check.verdict.action in {"advance", "finish"}
    return Gate(
        "Guardrails", on, f"check {check.look.k}: {check.verdict.call.lower()}. {check.verdict.sentence}"
    )


def _sealed_rung(rung: RolloutState, dossier: Dossier) -> Iterator[Gate]:
    """A shadow or an A/B is judged as a whole: by its own page until the release, then by its verdict."""
    current = dossier.experiment
    noun = "shadow" if rung is RolloutState.SHADOW else "A/B"
    if current.released_at is None or current.verdict is None:
        closed = f"closed until the look of {current.id} is released; its page says what that waits for."
        for name in ("Health", "Sample", "Time", "Guardrails"):
            yield Gate(name, False, closed)
        return
    valid = current.verdict is not Verdict.INVALID
    yield Gate("Health", valid, f"the {noun}'s validity checks {'passed' if valid else 'did not pass'}.")
    yield Gate(
        "Sample", valid, f"the look of {current.id} had what its plan asks for." if valid else "not judged."
    )
    yield Gate("Time", True, f"released {instant(current.released_at)}.")
    passing = current.verdict in {Verdict.PASS, Verdict.SHIP}
    yield Gate("Guardrails", passing, f"verdict of {current.id}: {current.verdict.value}.")


def _approval(view: LadderView) -> Gate:
    following, asked = view.file.next, view.file.waiting
    if asked is not None:
        return Gate(
            "Approval",
            False,
            f"{asked.requested_by} asked on {instant(asked.requested_at)}; a decider has to sign it.",
        )
    if following.movement is None:
        return Gate("Approval", False, "nothing can be approved while it is paused.")
    if following.movement.signed:
        return Gate(
            "Approval", False, "comes last: a decider who is neither owner, author nor reviewer signs it."
        )
    rung = view.file.rollout.rung
    dossier = None if rung is None else view.entries.get(rung)
    if dossier is None:
        return Gate("Approval", True, "this step serves the candidate to nobody and needs none.")
    decision = dossier.decision
    if decision is None:
        return Gate("Approval", False, f"comes last: the decision on {dossier.experiment.id} is not signed.")
    by = decision.decided_by + (f" and {decision.approved_by}" if decision.approved_by else "")
    return Gate(
        "Approval",
        not following.missing,
        f"{dossier.experiment.id}: {decision.decision.replace('_', ' ')}, signed by {by}.",
    )


def _left(left: timedelta) -> str:
    hours = left.total_seconds() / 3600
    if hours < 1:
        return f"{max(1, round(hours * 60))} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
