"""A draft held against the one check of a design: what is wrong, in which question and step, and what is saved of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from app.drafting.questions import Step, pattern_of
from app.drafting.steps import STEPS
from app.drafting.text import DraftText
from experiments.designs.design import Design, design_of
from experiments.designs.metrics import Catalogue
from experiments.forms.problems import Invalid, Path, Problem, dotted
from registry.lifecycle.drafting import unfinished
from registry.plans import plan_to_register
from registry.records import Plan

Mark = Literal["done", "open", "wrong"]
"""How a step stands: nothing to do, something not answered yet, something to mend."""

UNTITLED = "Untitled draft"
_TITLE_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of a design says of a draft.

    Attributes:
        design: the design; None while there are problems.
        problems: the same as ``fairtrial design check`` lists.
    """

    draft: DraftText
    design: Design | None
    problems: tuple[Problem, ...] = field(default=())

    def under(self, path: Path) -> tuple[Problem, ...]:
        """Problems of a question, and of what is written below it."""
        return tuple(problem for problem in self.problems if problem.path[: len(path)] == path)

    def at(self, path: Path) -> tuple[Problem, ...]:
        """Problems of exactly this place."""
        return tuple(problem for problem in self.problems if problem.path == path)

    def is_open(self, problem: Problem) -> bool:
        """Whether nothing is written yet where the problem is."""
        return self.draft.at(problem.path) is None

    def of_step(self, step: Step) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if step_of(problem.path) is step)

    def mark(self, step: Step) -> Mark:
        found = self.of_step(step)
        if not found:
            unanswered = step is STEPS[-1] and not self.outcome_data_answered
            return "open" if unanswered else "done"
        return "open" if all(self.is_open(problem) for problem in found) else "wrong"

    @property
    def outcome_data_answered(self) -> bool:
        """Whether it is written that outcome data were seen or not; a file may leave it out, a registration in the form not."""
        return self.draft.at(("outcome_data_seen",)) is not None

    @property
    def steps_done(self) -> int:
        return sum(self.mark(step) == "done" for step in STEPS)


def check(draft: DraftText, catalogue: Catalogue) -> Checked:
    """Check a draft as the command line checks a file."""
    try:
        return Checked(draft, design_of(draft.document, catalogue))
    except Invalid as invalid:
        return Checked(draft, None, invalid.problems)


def plan_to_save(checked: Checked) -> Plan:
    """What the registry keeps of a draft: the plan, or the text alone while it is no complete design."""
    if checked.design is not None:
        return plan_to_register(checked.design)
    title = checked.draft.at(("title",))
    named = title.strip()[:_TITLE_LENGTH] if isinstance(title, str) else ""
    team = checked.draft.at(("team",))
    about = {"team": team} if isinstance(team, str) else {}
    return unfinished(checked.draft.text, named or UNTITLED, about)


def step_of(path: Path) -> Step:
    """The step that asks for a field; what no question asks for is listed with the last."""
    pattern = pattern_of(path)
    best, closest = STEPS[-1], 0
    for step in STEPS:
        for asked in _patterns(step):
            shared = _shared(pattern, asked)
            if shared > closest:
                best, closest = step, shared
    return best


def label_of(path: Path) -> str:
    """What the form calls a field, with the number of the entry it belongs to; the path itself where nothing asks for it."""
    pattern = pattern_of(path)
    for step in STEPS:
        for question in step.questions():
            if pattern == question.path or pattern.startswith(f"{question.path}."):
                place = next((part for part in path if isinstance(part, int)), None)
                return question.label if place is None else f"{question.label} ({_nth(path, place)})"
    return dotted(path)


def _nth(path: Path, place: int) -> str:
    singular = {"arms": "arm", "guardrails": "guardrail", "eligibility": "condition"}
    return f"{singular.get(str(path[0]), 'entry')} {place + 1}"


def _patterns(step: Step) -> Iterable[str]:
    for item in step.items:
        yield item.path
    for question in step.questions():
        yield question.path


def _shared(pattern: str, asked: str) -> int:
    """How many names, from the left, two patterns have in common."""
    count = 0
    for one, other in zip(pattern.split("."), asked.split("."), strict=False):
        if one.removesuffix("[]") != other.removesuffix("[]"):
            break
        count += 1
    return count
