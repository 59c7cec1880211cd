"""What stands in the way of a change to a locked plan, and how late it comes: asked before it is proposed, and again when it is.

How late a change comes is computed from the record and the logs, never typed:

    A   before the first exposure: everything may be amended
    B   after it, outcomes closed to all: only what `paths.FORBIDDEN_AFTER_EXPOSURE` does not list
    C   after outcomes were read, by anybody or by a look, or released: nothing; what is wanted becomes an
        exploratory analysis
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from registry import ledger
from registry.actors import find_person
from registry.acts import Act, load_experiment
from registry.database import Registry
from registry.errors import Problem, Refused, Unknown
from registry.lifecycle.checks import first_exposure, new_owner, note_clashes
from registry.lifecycle.drafting import plan_of
from registry.lifecycle.exposures import Exposure, exposure_found
from registry.lifecycle.paths import Change, differences, forbidden_after_exposure
from registry.lifecycle.proposals import AMENDMENT, note_open_already
from registry.lifecycle.states import permit
from registry.records import Experiment, Plan, State


class Timing(StrEnum):
    """How late a change comes."""

    BEFORE_EXPOSURE = "A"
    OUTCOMES_CLOSED = "B"
    OUTCOMES_SEEN = "C"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What would become of a changed plan now; what the change has to say for itself is not judged.

    Attributes:
        kind: a material change makes a new version and needs the reviewer; an administrative one, be it of a comment in the text,
            is saved at once.
        material, administrative: what differs.
        forbidden: what the change touches that may not change any more, in words, with the names of the fields.
        objections: everything in the way; empty where it can be sent.
    """

    kind: Literal["nothing", "administrative", "material"]
    timing: Timing
    material: tuple[Change, ...]
    administrative: tuple[Change, ...]
    forbidden: Mapping[str, tuple[str, ...]]
    objections: tuple[Problem, ...]


_SEEN: Final = (ledger.READ_OUTCOMES, "seal look", "release")
"""Acts after which somebody, or the look's rule, knows something of the outcomes."""


def judge_change(
    registry: Registry, actor: str, experiment: str, plan: Plan, exposure: Exposure | None = None
) -> Judgement:
    """What would become of this plan if the actor sent it as a change now. Nothing is saved or recorded.

    Args:
        exposure: what the logs say now; None to take what the worker found last.

    Raises:
        Unknown: no such person, or no such experiment.
    """
    plan.checked()
    with registry.reading() as connection:
        person = find_person(connection, actor)
        if person is None:
            raise Unknown(f"nobody here is called {actor!r}")
        doing = Act(registry, connection, person, "amend", experiment)
        current = load_experiment(connection, experiment)
        old = plan_of(doing, current)
        material = differences(old.material, plan.material)
        administrative = administrative_differences(current, old, plan)
        kind: Literal["nothing", "administrative", "material"] = "nothing"
        if material:
            kind, timing = "material", note_in_the_way(doing, current, plan, material, exposure)
        else:
            timing = timing_of(Act(registry, connection, person, "amend", experiment), current, exposure)
            if administrative or plan.written != old.written:
                kind = "administrative"
                note_in_the_way_of_words(doing, current, plan)
        return Judgement(
            kind,
            timing,
            material,
            administrative,
            forbidden_now(material, timing, current.kind),
            _objections(doing),
        )


def forbidden_now(changes: tuple[Change, ...], timing: Timing, kind: str) -> Mapping[str, tuple[str, ...]]:
    """What the changes touch that may not change at this timing, in words, with the names of the fields.

    Args:
        kind: of the entry, see `registry.kinds`.
    """
    if timing is Timing.OUTCOMES_SEEN and changes:
        return {"the plan, whose outcomes were read": tuple(change.name for change in changes)}
    if timing is Timing.OUTCOMES_CLOSED:
        return {what: tuple(names) for what, names in forbidden_after_exposure(changes, kind).items()}
    return {}


def note_in_the_way(
    doing: Act, current: Experiment, plan: Plan, changes: tuple[Change, ...], exposure: Exposure | None
) -> Timing:
    """Note what stands in the way of a material change, but for its reasons; gives how late it comes."""
    permit(doing, current)
    timing = timing_of(doing, current, exposure)
    note_forbidden(doing, current, changes, timing)
    note_open_already(doing, AMENDMENT)
    if new_owner(doing, current, plan):
        doing.object(
            "The owner changes in the same step.",
            when_possible="as an amendment of its own.",
            what_to_do="Hand it over first; then the new owner proposes the change.",
        )
    note_clashes(doing, current.id, plan.title, plan)
    return timing


def note_in_the_way_of_words(doing: Act, current: Experiment, plan: Plan) -> dict[str, Any]:
    """Note what stands in the way of an administrative change; gives the columns by which it hands the experiment over."""
    permit(doing, current, "amend administrative")
    handed_over = new_owner(doing, current, plan)
    if plan.title.strip() != current.title and current.closed_at is None:
        note_clashes(doing, current.id, plan.title, None)
    return handed_over


def timing_of(doing: Act, current: Experiment, told: Exposure | None) -> Timing:
    """How late a change comes; where that takes the logs and nobody asked them, that is noted as an objection."""
    if current.released_at is not None or ledger.count(doing.connection, current.id, _SEEN):
        return Timing.OUTCOMES_SEEN
    if current.state is not State.REGISTERED:
        return Timing.OUTCOMES_CLOSED
    exposure = told or exposure_found(doing, current.draft_sha256)
    exposed = first_exposure(current.first_exposure_at, exposure.first_exposure_at) is not None
    exposed = exposed or exposure.data_complete
    return Timing.OUTCOMES_CLOSED if exposed else Timing.BEFORE_EXPOSURE


def note_forbidden(doing: Act, current: Experiment, changes: tuple[Change, ...], timing: Timing) -> None:
    """Note what may not change any more."""
    if timing is Timing.OUTCOMES_SEEN:
        doing.object(
            "Outcomes have been read or released: the plan cannot change any more.",
            when_possible="never for this experiment.",
            what_to_do="Declare it as an exploratory analysis, or clone the plan as a new experiment.",
        )
        return
    for what, names in forbidden_now(changes, timing, current.kind).items():
        doing.object(
            f"Units have been exposed, and the change touches {what} ({', '.join(names)}).",
            when_possible="only before the first exposure.",
            what_to_do="Clone the plan as a new experiment.",
        )


def administrative_differences(current: Experiment, old: Plan, plan: Plan) -> tuple[Change, ...]:
    """What differs in words, links, people and expected dates, by field; an owner who is not named stays."""
    before = {**old.administrative, "title": current.title, "owner": current.owner}
    named = plan.administrative.get("owner") or current.owner
    return differences(before, {**plan.administrative, "title": plan.title.strip(), "owner": named})


def names_of(changes: tuple[Change, ...]) -> str:
    return ", ".join(change.name for change in changes)


def _objections(doing: Act) -> tuple[Problem, ...]:
    try:
        doing.refuse_if_objections()
    except Refused as refused:
        return refused.problems
    return ()
