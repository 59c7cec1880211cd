"""A shadow or a canary in plain language: what is asked, what it takes to pass, and every rule decided beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.declared_words import amount_in_words, boundary_in_words, duration_in_words, listed, sentence
from app.formats import count, share, shortest
from app.protocol import Section
from experiments.canaries.design import CanaryDesign, ResolvedStep
from experiments.canaries.verdict import RULE as CANARY_RULE
from experiments.shadows.design import Limit, ShadowDesign
from experiments.shadows.verdict import RULE as SHADOW_RULE

_BOUNDS: Final = {
    "at_most": "is at most {}",
    "at_least": "is at least {}",
    "worsening": "is worse than the champion's by at most {}",
}
_UNANSWERED: Final = {
    "hold": "the share is held until somebody decides",
    "proceed": "the next step may be taken all the same",
    "roll back": "it is rolled back",
}


def rung_protocol(design: ShadowDesign | CanaryDesign) -> tuple[Section, ...]:
    """The whole design as sections of sentences."""
    if isinstance(design, ShadowDesign):
        parts = (
            ("Question", _shadow_question),
            ("What it takes to pass", _shadow_success),
            ("Pairs that can be trusted", _pairs),
            ("When it ends", _shadow_ending),
        )
        return tuple(Section(heading, tuple(sentences(design))) for heading, sentences in parts)
    steps = (
        ("Question", _canary_question),
        ("Steps", _steps),
        ("Guardrails", _guardrails),
        ("What happens by itself", _consequences),
    )
    return tuple(Section(heading, tuple(sentences(design))) for heading, sentences in steps)


def _shadow_question(design: ShadowDesign) -> Iterator[str]:
    written = design.written
    yield (
        f"Candidate {design.candidate} scores the requests that champion {design.champion} of {written.model} answers; "
        "nobody sees what it says."
    )
    if written.background:
        yield sentence(written.background)
    yield sentence(f"We expect: {written.hypothesis}")
    yield f"{share(float(written.sample))} of the traffic is mirrored; a {written.unit} is what is independent."


def _shadow_success(design: ShadowDesign) -> Iterator[str]:
    yield SHADOW_RULE
    primary = design.primary
    if primary.margin is not None:
        yield (
            f"The deciding measure is {primary.measure.words}: the candidate is worse by less than {shortest(primary.margin)}, "
            f"at one-sided α = {shortest(primary.alpha)} ({primary.test}). Why this margin: {sentence(primary.reason)}"
        )
    else:
        yield (
            f"The deciding measure is {primary.measure.words}: the candidate is better, at two-sided α = "
            f"{shortest(primary.alpha)} ({primary.test}); an improvement of {shortest(primary.mde or 0.0)} is worth having."
        )
    yield from (_limit(limit) for limit in design.limits)
    if design.written.no_limits_reason:
        yield f"There are no limits of operation: {sentence(design.written.no_limits_reason)}"
    for segment in design.segments:
        yield (
            f"Every level of {segment.attribute} is worse by less than {shortest(segment.margin)}, at one-sided α = "
            f"{shortest(segment.alpha)}. Why: {sentence(segment.reason)}"
        )


def _limit(limit: Limit) -> str:
    holds = _BOUNDS[limit.bound].format(shortest(limit.value))
    name = limit.measure.replace("_", " ")
    return f"{name[0].upper()}{name[1:]} {holds}, at one-sided α = {shortest(limit.alpha)}. Why: {sentence(limit.reason)}"


def _pairs(design: ShadowDesign) -> Iterator[str]:
    written, pairing = design.written, design.written.pairing
    yield (
        f"Both models answer at least {share(written.matched_share)} of the mirrored requests, and at least "
        f"{count(written.minimum_pairs)} of them; {share(written.label_share)} of the mature pairs have a label."
    )
    yield (
        f"Invalid: more than {share(pairing.duplicates)} of the requests logged twice, other inputs in more than "
        f"{share(pairing.other_inputs)} of the pairs, or pairs missing by more than {share(pairing.largest_gap)} in some part."
    )
    yield f"A pair is mature {duration_in_words(design.maturity)} after its request."


def _shadow_ending(design: ShadowDesign) -> Iterator[str]:
    noun = "users" if design.by_user else "requests"
    looks = design.look_count
    yield (
        f"Answers and labels are read at {'one declared look' if looks == 1 else f'at most {looks} declared looks'}, once "
        f"{count(design.planned_units)} {noun} have a labelled pair and {count(design.planned_labels)} pairs a label."
    )
    yield f"It ends after {duration_in_words(design.maximum_duration)} at the latest; what was not measured then never passes."


def _canary_question(design: CanaryDesign) -> Iterator[str]:
    written = design.written
    yield (
        f"{design.candidate.version} of {written.model} is served to a small share of the {written.unit}s in place of "
        f"{design.control.version}. Is it safe? Whether it is better is left to the A/B."
    )
    if written.background:
        yield sentence(written.background)
    yield (
        "The candidate has the low end of the hash and control as much at the other end; nobody is moved from one to the other, "
        "and everybody between is served the champion."
    )


def _steps(design: CanaryDesign) -> Iterator[str]:
    yield from (_step(step) for step in design.steps)
    yield "The next step needs a sealed check that says so, and somebody's signature who neither owns nor wrote it."


def _step(step: ResolvedStep) -> str:
    return (
        f"Step {step.number}: {share(float(step.share))} for {duration_in_words(step.hold)}, checked every "
        f"{duration_in_words(step.every)}; it needs {count(step.minimum_units)} mature units in each arm and every guardrail "
        f"{step.needs if step.needs == 'within margin' else 'without a breach'}. Without an answer after "
        f"{duration_in_words(step.time_limit)} {_UNANSWERED[step.when_unanswered]}."
    )


def _guardrails(design: CanaryDesign) -> Iterator[str]:
    for one in design.guardrails:
        margin = "" if one.margin is None else amount_in_words(one, one.margin)
        where = "" if one.segment is None else f" at every level of {one.segment}"
        yield f"{one.label} gets worse by at most {margin}{where}. Why: {sentence(one.reason or '')}"
    harm = design.written.harm
    names = listed([one.label for one in design.guardrails])
    yield (
        f"Harm is tested one-sided at α = {shortest(harm.alpha)} over all steps and checks of {names} together, by "
        f"{boundary_in_words(harm.spending, harm.parameter)}."
    )


def _consequences(design: CanaryDesign) -> Iterator[str]:
    action = {"pause": "pauses the rollout", "roll back": "rolls it back"}[design.written.breach]
    yield CANARY_RULE
    yield f"A breach {action} in the moment in which it is sealed; a failed validity check pauses it. Control at once for everybody."
