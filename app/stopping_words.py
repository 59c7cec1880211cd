"""A stopping rule in plain language: when outcomes are read, what each look may end in, and what is shown of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.declared_words import amount_in_words, boundary_in_words, duration_in_words, listed, sentence
from app.formats import count, share, shortest
from experiments.designs.design import Design
from experiments.designs.measures import Measure
from experiments.designs.sequential import boundary_of, planned_looks

WATCHED: Final = "machine-watched; only tripped or not tripped is shown"
"""What people see of a harm stop before the readout."""


def stopping_sentences(design: Design) -> Iterator[str]:
    """The declared rule, from the first look to the last."""
    rule = design.stopping.rule
    if rule == "fixed":
        yield "Outcomes are read once, at the end. Until then they are closed to everybody."
        yield (
            f"Enrolment ends on whole steps of {duration_in_words(design.stopping.step)}, after "
            f"{duration_in_words(design.minimum_duration)} at the earliest, when the planned units have come, and after "
            f"{duration_in_words(design.maximum_duration)} at the latest."
        )
        return
    if rule == "group-sequential":
        yield from _group_sequential(design)
    else:
        yield from _always_valid(design)
    if len(design.treatments) > 1:
        yield "The experiment goes on until one treatment may ship, or none can any more."
    yield "A look that goes on shows only that no boundary was crossed: no effect, no interval, no p-value."
    if rule == "group-sequential":
        yield (
            "Every interval shown is the repeated one, which holds over all looks; after the stop the stage-wise p and interval "
            "and the median-unbiased estimate stand beside it."
        )


def harm_stop_sentence(measure: Measure) -> str:
    """A harm stop, in the words of the protocol."""
    margin = "" if measure.margin is None else f" by more than {amount_in_words(measure, measure.margin)}"
    each = f" at any level of {measure.segment}" if measure.segment else ""
    return (
        f"{measure.metric.reference} is a harm stop: {WATCHED}. It trips when a confidence sequence at one-sided α "
        f"{shortest(measure.alpha)} shows it worse{margin}{each}, from {count(measure.burn_in or 0)} units of the two arms "
        "compared on, however often it is watched. The experiment then stops at once and the verdict is DO NOT SHIP. Why: "
        f"{sentence(measure.reason)}"
    )


def _group_sequential(design: Design) -> Iterator[str]:
    stopping, looks = design.stopping, planned_looks(design.stopping)
    times = "look" if len(looks) == 1 else "looks"
    if stopping.at is not None:
        when = f"after {listed([duration_in_words(at) for at in stopping.at])} of enrolment, with the information that has come by then"
    else:
        when = f"when {listed([share(look) for look in looks])} of the planned information has come"
    yield f"Outcomes are read at {len(looks)} {times} at most: {when}. Between looks they are closed to everybody."
    yield (
        f"The looks share the α of each test by {boundary_in_words(boundary_of(stopping), stopping.parameter)}. The boundaries "
        "are found again at the information that came, and together spend no more than α."
    )
    yield _efficacy(design, "crosses its boundary", "cross theirs")
    yield _harm(design, "crosses its boundary on the worse side")
    futility = stopping.futility
    if futility is None:
        yield "There is no futility boundary: no look stops because too little was shown."
    else:
        spending = boundary_in_words(futility.spending, futility.parameter)
        obeyed = (
            "It is binding: the critical values count on it."
            if futility.binding
            else "It is non-binding: α would hold even if it were ignored."
        )
        yield (
            f"STOP FOR FUTILITY: {design.primary.label} is at or below its futility boundary ({spending} of the type-II error). "
            f"The verdict is DO NOT SHIP. {obeyed}"
        )
    if stopping.at is None:
        yield (
            f"Enrolment for a look ends at the first whole step of {duration_in_words(stopping.step)} at which its information "
            f"has come, after {duration_in_words(design.minimum_duration)} at the earliest; the last look is taken after "
            f"{duration_in_words(design.maximum_duration)} at the latest, whatever has come, and spends what remains of α."
        )
    else:
        yield "The last of these looks is taken whatever has come, and spends what remains of α."


def _always_valid(design: Design) -> Iterator[str]:
    stopping = design.stopping
    yield (
        f"Outcomes are read after every step of {duration_in_words(stopping.step)} of enrolment, from "
        f"{duration_in_words(design.minimum_duration)} to {duration_in_words(design.maximum_duration)}, at {count(design.look_count)} "
        f"look{'' if design.look_count == 1 else 's'} at most. Between looks they are closed to everybody."
    )
    yield (
        "Every test is a confidence sequence, whose interval holds at all looks at once; its mixture is fixed from the planned "
        f"units, and nothing is said before {count(stopping.burn_in or 0)} units of the two arms compared have come."
    )
    margin = design.primary.margin is not None
    better = "lies wholly within its margin" if margin else "lies wholly on the better side of no difference"
    worse = "lies wholly beyond its margin" if margin else "lies wholly on the worse side of no difference"
    yield _efficacy(design, better, "lie within theirs")
    yield _harm(design, worse)
    yield "There is no futility stop. Enrolment ends when the planned units have come, or at the latest step; that is the last look."


def _efficacy(design: Design, primary: str, guardrails: str) -> str:
    together = ""
    if _must_hold(design):
        together = f" and, at the same look, the guardrails that must hold {guardrails}"
    return f"STOP FOR EFFICACY: {design.primary.label} {primary}{together}. The verdict is SHIP."


def _harm(design: Design, crossing: str) -> str:
    guardrail = " or a guardrail that must hold is beyond its margin" if _must_hold(design) else ""
    stops = " A harm stop that trips ends the experiment at once." if _harm_stops(design) else ""
    return f"STOP FOR HARM: {design.primary.label} {crossing}{guardrail}. The verdict is DO NOT SHIP.{stops}"


def _must_hold(design: Design) -> list[Measure]:
    return [guardrail for guardrail in design.guardrails if guardrail.role == "must-hold"]


def _harm_stops(design: Design) -> list[Measure]:
    return [guardrail for guardrail in design.guardrails if guardrail.role == "harm-stop"]
