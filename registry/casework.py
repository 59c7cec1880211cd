"""The acts of a blinded case review: draw the cases once, judge them, finish, and open which model said what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from experiments.logs.manifest import Manifest
from experiments.shadows.cases import DrawnCases, draw_cases
from experiments.shadows.logs import PredictionSources
from registry import lifecycle
from registry.actors import SYSTEM_ID, Person, Role
from registry.acts import Act, act
from registry.canonical import canonical_json
from registry.casebook import (
    ENOUGH,
    MAY_REVIEW,
    SCHEMA,
    Casebook,
    Pick,
    book_in,
    casebook_of,
    cases_in,
    picks_in,
    required,
    review_in,
    reviews_in,
    why_not_reviewing,
)
from registry.database import Registry
from registry.lifecycle.states import OPEN_TO_ALL
from registry.plans import locked_shadow
from registry.records import Experiment
from registry.shadowing import sealed_look
from registry.store import show
from registry.tables import case_picks, case_reviews, casebooks

READ_FOR_CASES: Final = "cases for a blinded review"
"""The purpose under which the ledger has the read of answers and labels."""

LONGEST_NOTE: Final = 2_000
_MAY_DRAW: Final = (Role.SYSTEM, Role.ANALYST, Role.REVIEWER, Role.DECIDER)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Cases that were drawn, with the hash of their document."""

    sha256: str
    found: DrawnCases


def note_not_drawn(doing: Act, current: Experiment) -> Role:
    """Note why the cases cannot be drawn now; gives the role in which they are asked for."""
    if current.state not in OPEN_TO_ALL:
        doing.object(
            f"{current.id} has no released comparison; it is {current.state.value.replace('_', ' ')}.",
            when_possible="once its sealed look is released, and its pairs can be trusted.",
            what_to_do="Wait for the declared look.",
        )
    if book_in(doing.connection, current.id) is not None:
        doing.object(
            f"The cases of {current.id} are drawn already.",
            when_possible="never again: who could draw anew could draw until they suit.",
            what_to_do="Review those that are there.",
        )
    held = next((role for role in _MAY_DRAW if doing.actor.has(role)), None)
    if held is None:
        doing.object(
            f"Only an analyst, reviewer or decider may ask for cases; {doing.actor.id} is none.",
            when_possible="for an analyst, reviewer or decider.",
            what_to_do="Ask one of them, or an admin for the role.",
        )
    return held or min(doing.actor.roles, default=Role.VIEWER)


def draw(registry: Registry, actor: str, shadow: str, predictions: PredictionSources) -> Drawn:
    """Draw the cases of a released shadow from the files that its sealed look read; those that are drawn stay.

    Raises:
        Refused: it is not released, or the actor may not. The refusal is in the ledger.
        Invalid: the logs have changed since the look, or do not say what the models answered.
    """
    there = casebook_of(registry, shadow)
    if there is not None:
        return Drawn(there.sha256, cases_in(registry, there))
    with act(registry, actor, "draw cases", shadow) as doing:
        note_not_drawn(doing, doing.experiment(None))
        doing.refuse_if_objections()
    dossier = show(registry, shadow)
    design, plan = locked_shadow(dossier)
    readout_sha256 = str(dossier.experiment.readout_sha256)
    readout = sealed_look(registry, readout_sha256)
    found = draw_cases(
        design,
        predictions,
        before_us=_us(readout.look.cut_off),
        watermark_us=_us(readout.look.watermark),
        seed=plan.sha256,
        sealed=Manifest.of_list(list(readout.reproduce.manifest)),
        before_outcomes=lambda rows: lifecycle.record_outcome_read(
            registry, SYSTEM_ID, shadow, READ_FOR_CASES, rows
        ),
    )
    body = canonical_json(
        {"schema": SCHEMA, "experiment": shadow, "readout_sha256": readout_sha256}
        | found.model_dump(mode="json")
    )
    with act(registry, actor, "draw cases", shadow) as doing:
        doing.role = note_not_drawn(doing, doing.experiment(None))
        doing.refuse_if_objections()
        kept = doing.keep_document("cases", body)
        doing.insert(
            casebooks,
            {
                "experiment": shadow,
                "sha256": kept,
                "readout_sha256": readout_sha256,
                "cases": len(found.cases),
                "drawn_for": actor,
                "drawn_at": doing.now,
                "unblinded_by": None,
                "unblinded_at": None,
            },
        )
        doing.facts = {"seed": found.seed, "sha256": kept, "cases": len(found.cases)}
        doing.summary = f"Drew {len(found.cases)} cases for a blinded review."
    return Drawn(kept, found)


def judge_case(
    registry: Registry, actor: str, shadow: str, number: int, pick: Pick, note: str | None = None
) -> None:
    """Say which answer of a case is right. It may be changed until one has finished."""
    said = (note or "").strip() or None
    with act(registry, actor, "judge case", shadow) as doing:
        book = required(doing.connection, shadow)
        _permit_review(doing, book)
        if not 1 <= number <= book.cases:
            doing.object(
                f"There is no case {number}.",
                when_possible=f"for the cases 1 to {book.cases}.",
                what_to_do="Judge one of those.",
            )
        if said is not None and len(said) > LONGEST_NOTE:
            doing.object(
                f"The note has {len(said)} characters.",
                when_possible=f"with at most {LONGEST_NOTE} characters.",
                what_to_do="Shorten it.",
            )
        doing.refuse_if_objections()
        key = {"experiment": shadow, "reviewer": actor}
        if review_in(doing.connection, shadow, actor) is None:
            doing.insert(case_reviews, key | {"begun_at": doing.now, "finished_at": None})
        place, values = key | {"number": number}, {"pick": pick, "note": said, "picked_at": doing.now}
        if number in picks_in(doing.connection, shadow, actor):
            doing.update(case_picks, place, values)
        else:
            doing.insert(case_picks, place | values)
        doing.facts = {"case": number}
        doing.summary = f"Judged case {number} of {book.cases}."


def finish_review(registry: Registry, actor: str, shadow: str) -> None:
    """Say that one has finished: every case is judged, and nothing is changed any more."""
    with act(registry, actor, "finish cases", shadow) as doing:
        book = required(doing.connection, shadow)
        _permit_review(doing, book)
        left = book.cases - len(picks_in(doing.connection, shadow, actor))
        if left:
            doing.object(
                f"{left} of {book.cases} cases are not judged yet.",
                when_possible="once every case is judged; can't tell is an answer too.",
                what_to_do="Judge the others.",
            )
        doing.refuse_if_objections()
        doing.update(case_reviews, {"experiment": shadow, "reviewer": actor}, {"finished_at": doing.now})
        doing.facts = {"cases": book.cases}
        doing.summary = f"Finished the review of {book.cases} cases."


def unblind(registry: Registry, actor: str, shadow: str) -> None:
    """Open which model said what; possible once two people have finished, and it ends the review for all."""
    with act(registry, actor, "unblind cases", shadow) as doing:
        book, current = required(doing.connection, shadow), doing.experiment(None)
        finished = [
            one.reviewer for one in reviews_in(doing.connection, shadow) if one.finished_at is not None
        ]
        doing.role = _review_role(doing.actor)
        if actor != current.owner and actor not in finished:
            doing.object(
                f"{actor} neither owns {shadow} nor has finished the review.",
                when_possible=f"for the owner ({current.owner}), and for whoever has finished.",
                what_to_do=f"Ask {current.owner}.",
            )
        if len(finished) < ENOUGH:
            doing.object(
                f"{len(finished)} of the {ENOUGH} people needed have finished.",
                when_possible=f"once {ENOUGH} people have judged every case.",
                what_to_do="Ask another person to review the cases.",
            )
        _note_unblinded(doing, book)
        doing.refuse_if_objections()
        doing.update(casebooks, {"experiment": shadow}, {"unblinded_by": actor, "unblinded_at": doing.now})
        doing.facts = {"reviewers": finished}
        doing.summary = f"Unblinded the cases, which {len(finished)} people had judged."


def _permit_review(doing: Act, book: Casebook) -> None:
    doing.role = _review_role(doing.actor)
    why = why_not_reviewing(doing.actor, doing.experiment(None))
    if why is not None:
        doing.object(
            f"Cases of {book.experiment} are not judged by {doing.actor.id}: {why}",
            when_possible="for a reviewer, decider, analyst or model owner who never owned it.",
            what_to_do="Ask one of them.",
        )
    own = review_in(doing.connection, book.experiment, doing.actor.id)
    if own is not None and own.finished_at is not None:
        doing.object(
            f"{doing.actor.id} has finished the review.",
            when_possible="never again: what was finished stays.",
            what_to_do="Nothing.",
        )
    _note_unblinded(doing, book)


def _note_unblinded(doing: Act, book: Casebook) -> None:
    if book.unblinded_at is not None:
        doing.object(
            f"The cases were unblinded by {book.unblinded_by}.",
            when_possible="never again: everybody may know now which model said what.",
            what_to_do="Read what was found.",
        )


def _review_role(person: Person) -> Role:
    held = next((role for role in MAY_REVIEW if person.has(role)), None)
    return held or min(person.roles, default=Role.VIEWER)


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1_000_000)
