"""What would become of a change to a locked plan, as people read it before they send it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.views_experiment.history import TIMINGS, Changed, changed
from registry.lifecycle import Judgement, Timing
from registry.lifecycle.paths import Change

ALLOWED: Final = "yes"

MAY_CHANGE: Final[dict[Timing, str]] = {
    Timing.BEFORE_EXPOSURE: "Nobody has been exposed: everything in the plan may be amended.",
    Timing.OUTCOMES_CLOSED: (
        "Units have been exposed, and nobody has seen an outcome. What decides the result stays: the primary metric, direction and "
        "purpose, α, margins (they may become stricter), looks and stopping rule, validity checks, exclusions, units, arms and their "
        "shares, the decision rule. A larger sample, a longer duration, segments, secondary metrics and a new guardrail may be amended."
    ),
    Timing.OUTCOMES_SEEN: (
        "Outcomes have been read: the plan cannot change any more. What is wanted now is an exploratory analysis, or a new "
        "experiment. Title, team, links, tags, owner and expected dates may still change."
    ),
}

CLASSES: Final = {
    "nothing": "Nothing differs from the plan yet.",
    "administrative": (
        "Administrative: words, people, links and expected dates. It is saved at once, and the plan keeps its version."
    ),
    "material": "Material: it makes a new version of the plan once the reviewer approves it.",
}


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One field that would change, and whether it may now."""

    changed: Changed
    allowed: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of a change.

    Attributes:
        class_words: administrative or material, and what that means.
        timing: how late it comes, in words; None where that is not known before the logs are asked.
        reasons: each thing in the way: why, when it is possible, what to do.
    """

    kind: str
    class_words: str
    timing: str | None
    rows: tuple[ChangeRow, ...]
    reasons: tuple[str, ...]

    @property
    def forbidden(self) -> bool:
        """Whether something of it may not change any more, so that it takes a new experiment."""
        return any(row.allowed != ALLOWED for row in self.rows)


def outlook_of(judged: Judgement, *, logs_asked: bool) -> Outlook:
    """A judgement as people read it.

    Args:
        logs_asked: whether it is known if units were exposed.
    """
    why = {name: what for what, names in judged.forbidden.items() for name in names}
    rows = tuple(
        ChangeRow(one, _allowed(change, why))
        for one, change in zip(changed(judged.material), judged.material, strict=True)
    )
    rows += tuple(ChangeRow(one, ALLOWED) for one in changed(judged.administrative))
    return Outlook(
        kind=judged.kind,
        class_words=CLASSES[judged.kind],
        timing=TIMINGS[judged.timing.value] if logs_asked else None,
        rows=rows,
        reasons=tuple(str(problem) for problem in judged.objections),
    )


def _allowed(change: Change, why: dict[str, str]) -> str:
    return f"no: it touches {why[change.name]}" if change.name in why else ALLOWED
