"""Where a canary stands, from its sealed checks, the times at which its steps began, and the clock.

What the declared plan allows now: stay, let the share grow, hold, pause, roll back. It answers for the serving side between
checks as well, and when the logs are so late that the last check of a step cannot be taken. Only that last answer is the
clock's; what a check finds never depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from experiments.canaries.design import CanaryDesign
from experiments.canaries.past import PastCheck
from experiments.canaries.stopping import check_begun, end_of_step
from experiments.canaries.verdict import Action, CanaryCode


@dataclass(frozen=True, slots=True)
class CanaryState:
    """What the plan says now.

    Attributes:
        step: that is on, from 1.
        share: of all units that gets the candidate now; 0 after a breach, INVALID or a rollback.
        action: what the plan calls for; "advance" needs somebody's approval.
        following: the share that may be served next when the action is "advance", else None.
        ended: no check follows; ``code`` is then the verdict.
        time_up_at: when the time limit of the step is over.
        overdue: the time limit is over by the clock, and the check that answers it has not been taken.
        reason: in words.
    """

    step: int
    share: float
    action: Action
    following: float | None
    ended: bool
    code: CanaryCode
    time_up_at: datetime
    overdue: bool
    reason: str


def state_of(
    design: CanaryDesign, begun: Sequence[datetime], past: Sequence[PastCheck], now: datetime
) -> CanaryState:
    """The state of a canary whose first step has begun.

    Args:
        begun: when each step began, so far.
        past: every check sealed so far, the one that ended the canary as well.
        now: by the clock of whoever serves; it decides only whether a step is overdue.

    Raises:
        ValueError: for times at which steps began that cannot be.
    """
    check_begun(design, begun)
    number = len(begun)
    step, up = design.steps[number - 1], end_of_step(design, begun)
    last = past[-1] if past and past[-1].step == number else None
    if past and past[-1].code != "CONTINUE":
        ended = past[-1]
        share = 0.0 if ended.action in {"pause", "roll back"} else float(step.share)
        return CanaryState(
            number, share, ended.action, None, True, ended.code, up, False, f"check {ended.k}: {ended.call}"
        )
    if last is not None and last.action == "advance":
        following = float(design.steps[number].share)
        reason = f"check {last.k}: {last.call}; the share may grow to {following:.4g}"
        return CanaryState(
            number, float(step.share), "advance", following, False, "CONTINUE", up, False, reason
        )
    if now > up + timedelta(seconds=step.every):
        action: Action = "roll back" if step.when_unanswered == "roll back" else "hold"
        share = 0.0 if action == "roll back" else float(step.share)
        reason = (
            f"the time of step {number} was up {up:%d %b %Y %H:%M} UTC and its last check could not be taken; nothing passes on "
            "a check that was not taken"
        )
        return CanaryState(number, share, action, None, False, "CONTINUE", up, True, reason)
    reason = f"step {number} is on" + (
        f"; check {last.k}: {last.call}" if last else "; no check was taken yet"
    )
    return CanaryState(number, float(step.share), "stay", None, False, "CONTINUE", up, False, reason)
