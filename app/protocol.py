"""A design in plain language: what will be compared, what success means, and every rule decided beforehand.

The same sentences stand in the preview, on the registration page and in the printed protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.declared_words import amount_in_words, duration_in_words, listed, sentence
from app.formats import count, level, share, shortest
from app.stopping_words import harm_stop_sentence, stopping_sentences
from experiments.designs.design import Design, Measure, ResolvedCovariate
from experiments.designs.written import Condition
from experiments.readouts.verdict import RULES

_TESTS = {
    "score": "the score test of two proportions",
    "miettinen-nurminen": "the score test of Miettinen and Nurminen",
    "welch": "Welch's t test",
    "delta": "Welch's t test of the linearised ratio",
    "quantile": "the cluster-robust comparison of quantiles",
}
_INTERVALS = {
    "fixed": "{} interval",
    "group-sequential": "repeated {} interval",
    "always-valid": "{} confidence sequence",
}
_SENSITIVITY = {
    "unadjusted": "without covariates",
    "uncapped": "without the cap",
    "per-protocol": "with only the units whose delivered arm is the assigned one",
}


@dataclass(frozen=True, slots=True)
class Section:
    heading: str
    sentences: tuple[str, ...]


def protocol(design: Design) -> tuple[Section, ...]:
    """The whole design as sections of sentences, nothing left to be looked up."""
    parts = (
        ("Question", _question),
        ("Units and arms", _units),
        ("Success", _success),
        ("Guardrails", _guardrails),
        ("Sample size", _sample),
        ("When it ends", _ending),
        ("Rules for the data", _data_rules),
        ("Beside the verdict", _beside),
        ("Decision", _decision),
    )
    return tuple(Section(heading, tuple(sentences(design))) for heading, sentences in parts)


def _question(design: Design) -> Iterator[str]:
    written = design.written
    yield (
        f"We will compare {listed([arm.name for arm in design.treatments])} with {design.control.name}: "
        f"{design.title}."
    )
    if written.background:
        yield written.background
    expected = {
        "increase": f"{design.primary.label} to increase",
        "decrease": f"{design.primary.label} to decrease",
        "no worsening": f"{design.primary.label} not to get worse",
    }[written.hypothesis.expect]
    yield f"We expect {expected} for {written.hypothesis.population}, because {written.hypothesis.because}."
    if written.outcome_data_seen == "no":
        yield "Nobody has seen outcome data of these units."
    else:
        yield f"Outcome data seen before: {written.outcome_data_seen}"


def _units(design: Design) -> Iterator[str]:
    written, assignment = design.written, design.written.assignment
    arms = ", ".join(
        f"{arm.name} {share(float(arm.share))}" + (f" ({arm.version})" if arm.version else "")
        for arm in design.arms
    )
    yield f"Each {written.units.randomisation} is assigned to one arm: {arms}."
    if assignment.method == "fairtrial":
        yield f"Fairtrial's hash assigns with salt {design.salt!r}; experiment {design.key!r} in the logs."
    else:
        yield f"Assignment is made elsewhere; experiment {design.key!r} in the logs."
    if assignment.layer is not None:
        layer = assignment.layer
        yield f"It uses layer {layer.name} from {share(float(layer.start))} to {share(float(layer.end))}."
    exposed = (
        "its assignment" if assignment.exposure == "assignment" else "its first row in the exposures log"
    )
    yield f"A {written.units.randomisation} is exposed from {exposed} on."
    if written.units.analysis not in (None, written.units.randomisation):
        yield f"Analysed per {written.units.analysis}, with errors clustered by {written.units.randomisation}."
    for condition in written.eligibility:
        yield f"Eligible: {condition.attribute} {_condition(condition)}."


def _success(design: Design) -> Iterator[str]:
    primary = design.primary
    meaning = f" ({_clause(primary.metric.meaning)})" if primary.metric.meaning else ""
    sided = "two-sided" if primary.sides == 2 else "one-sided"
    test = f"shown by {_TESTS.get(primary.test, primary.test)} at α {shortest(primary.alpha)} {sided}"
    if primary.margin is not None:
        yield (
            f"Success means: {primary.label}{meaning} is not worse by {amount_in_words(primary, primary.margin)} or "
            f"more than with {design.control.name}, {test}; and every guardrail that must hold is within its margin."
        )
    else:
        better = "higher" if primary.metric.direction == "higher" else "lower"
        yield (
            f"Success means: {primary.label}{meaning} is {better} than with {design.control.name}, {test}; and every "
            "guardrail that must hold is within its margin."
        )
    if primary.mde is not None:
        yield f"The smallest improvement worth shipping is {amount_in_words(primary, primary.mde)}."
    if design.written.primary.one_sided_reason:
        yield f"One-sided because: {design.written.primary.one_sided_reason}"
    yield f"Outcomes count for {duration_in_words(primary.window)} from first exposure; {_missing(primary)}."
    if primary.metric.cap is not None:
        yield f"Values above {shortest(primary.metric.cap)} {primary.metric.unit} count as that."
    if primary.covariates:
        yield f"Adjusted for {listed([_covariate(c) for c in primary.covariates])}, all before first exposure."
    if len(design.treatments) > 1:
        ships = (
            "the one with the largest effect"
            if design.written.which_ships == "largest effect"
            else "the one listed first"
        )
        yield (
            f"Each treatment has its own verdict, adjusted by {design.multiple_treatments}; when several may ship, it "
            f"is {ships}."
        )


def _guardrails(design: Design) -> Iterator[str]:
    for guardrail in design.guardrails:
        if guardrail.role == "harm-stop":
            yield harm_stop_sentence(guardrail)
            continue
        if guardrail.margin is None:
            continue
        margin = amount_in_words(guardrail, guardrail.margin)
        each = f" at every level of {guardrail.segment}" if guardrail.segment else ""
        duty = "must hold" if guardrail.role == "must-hold" else "is watched and does not decide"
        yield (
            f"{guardrail.metric.reference} {duty}: not worse by {margin} or more{each}, judged by the "
            f"{_INTERVALS[design.stopping.rule].format(level(1 - 2 * guardrail.alpha))} over {duration_in_words(guardrail.window)}. Why: "
            f"{sentence(guardrail.reason)}"
        )
    if not design.guardrails:
        yield f"There is no guardrail, because: {sentence(design.written.no_guardrails_reason or '')}"


def _sample(design: Design) -> Iterator[str]:
    plan, power = design.plan, design.written.power
    arms = ", ".join(f"{arm.name} {count(n)}" for arm, n in zip(design.arms, plan.n_per_arm, strict=True))
    yield f"{count(plan.total)} units: {arms}. {plan.binding} needs the most."
    yield (
        f"With the planned effect and no guardrail harmed, the whole rule ships with probability {share(power.power)} or "
        f"more: each of its {len(plan.requirements)} tests is given {share(plan.power_per_test)}."
    )
    if plan.overridden:
        asked = ", ".join(count(n) for n in plan.computed)
        why = f" Why: {power.override_reason}" if power.override_reason else ""
        yield f"The number was set by hand; the power analysis asks for {asked} per arm.{why}"
    if plan.enrolment is not None and power.units_per_day is not None:
        weeks = plan.enrolment.enrolment_weeks
        yield (
            f"At {shortest(power.units_per_day)} units a day: {plan.enrolment.enrolment_days} days of enrolment, so {weeks} "
            f"whole week{'' if weeks == 1 else 's'}, and {plan.enrolment.maturity_days} days more until the last unit is mature."
        )


def _ending(design: Design) -> Iterator[str]:
    stopping = design.written.stopping
    yield from stopping_sentences(design)
    short = (
        "it is read as it is" if stopping.if_short == "read" else "it is abandoned, and outcomes stay closed"
    )
    yield f"If too few units have come by then, {short}."
    yield f"A unit is analysed once it is mature: {duration_in_words(design.maturity)} after its first exposure."


def _data_rules(design: Design) -> Iterator[str]:
    rules, validity = design.written.rules, design.written.validity
    several = {
        "exclude": "are left out",
        "first arm": "count in the first arm they were seen in",
        "delivered arm": "count in the arm that was delivered",
    }[rules.several_arms]
    yield (
        f"Units seen in several arms {several}; more than {share(rules.warn_crossover)} of them is a warning, more than "
        f"{share(rules.fail_crossover)} makes the experiment INVALID."
    )
    if rules.delivered_differs == "exclude":
        yield "Units whose delivered arm differs from the assigned one are left out."
    if rules.missing_outcomes == "failure":
        yield "A missing yes/no outcome counts as no."
    if rules.max_missing < 1:
        yield f"A metric missing for more than {share(rules.max_missing)} of the units counts as not measured."
    yield (
        f"Allocation and the other blocking checks share α {shortest(validity.alpha)}; if one fails, the answer is INVALID and "
        "no effect is shown."
    )


def _beside(design: Design) -> Iterator[str]:
    written = design.written
    if design.secondary:
        names = listed([measure.label for measure in design.secondary])
        yield f"Secondary: {names}, adjusted by {written.secondary.multiplicity}. They do not change the verdict."
    if written.segments:
        yield f"Declared segments: {listed(list(written.segments))}, with a test of interaction."
    for analysis in written.sensitivity:
        yield f"Sensitivity: the same analysis {_SENSITIVITY.get(analysis, analysis)}."
    yield "Anything not listed here is exploratory for ever."


def _decision(design: Design) -> Iterator[str]:
    yield f"Rule {design.decision_rule}: {RULES[design.decision_rule]}"
    yield "A person decides, and gives a reason; against the verdict a second person signs too."
    if design.written.rollback:
        yield f"To undo it: {sentence(design.written.rollback)}"
    yield design.written.anything_else or "Nothing else was pre-registered."


def _missing(measure: Measure) -> str:
    without = "counts as zero" if measure.metric.when_no_events == "zero" else "has no value and is left out"
    return f"a unit without any event {without}"


def _covariate(covariate: ResolvedCovariate) -> str:
    if covariate.metric is None:
        return covariate.label
    return f"{covariate.label} over {duration_in_words(covariate.window)}"


def _condition(condition: Condition) -> str:
    if condition.is_ is not None:
        return f"is {condition.is_}"
    if condition.is_not is not None:
        return f"is not {condition.is_not}"
    if condition.one_of is not None:
        return "is one of " + ", ".join(map(str, condition.one_of))
    if condition.none_of is not None:
        return "is none of " + ", ".join(map(str, condition.none_of))
    if condition.at_least is not None:
        return f"is at least {shortest(condition.at_least)}"
    return f"is below {shortest(condition.below or 0.0)}"


def _clause(text: str) -> str:
    bare = text.rstrip(".")
    return bare[:1].lower() + bare[1:]
