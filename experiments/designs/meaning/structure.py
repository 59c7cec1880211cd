"""Arms, assignment, rules and reasons: what has to fit together whatever the metrics are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

from experiments.designs.metrics import Catalogue
from experiments.designs.written import WrittenDesign
from experiments.forms.drafts import Unreadable
from experiments.forms.validation import Finding

SMALLEST_SHARE = Fraction(1, 100)
LONGEST_EXCUSE = 50


def arm_names(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, arm in enumerate(design.arms):
        with suppress(Unreadable):
            if arm.name in first:
                yield ("arms", index, "name"), f"{arm.name!r} is used twice; every arm needs its own name"
            first.setdefault(arm.name, index)


def shares(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    for index, arm in enumerate(design.arms):
        with suppress(Unreadable):
            if arm.share is not None and arm.share < SMALLEST_SHARE:
                yield (
                    ("arms", index, "share"),
                    f"{_decimal(arm.share)} is not allowed; an arm takes at least 0.01",
                )
            if arm.share is None and _some_share(design):
                yield (
                    ("arms", index),
                    "has no share while another arm has; give every arm one, or none for equal shares",
                )


def _some_share(design: WrittenDesign) -> bool:
    for arm in design.arms:
        with suppress(Unreadable):
            if arm.share is not None:
                return True
    return False


def allocation(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    given = [arm.share for arm in design.arms if arm.share is not None]
    if len(given) == len(design.arms) and sum(given) != 1:
        listed = " + ".join(_decimal(share) for share in given)
        yield (
            ("arms",),
            f"shares sum to {_decimal(sum(given, Fraction(0)))} ({listed}), not 1; for thirds write 1/3. "
            "To expose less traffic use assignment.layer",
        )


def _decimal(share: Fraction) -> str:
    return f"{float(share)!r}".removesuffix(".0")


def key(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    if design.assignment.key is None and not any(sign.isalnum() for sign in design.title):
        yield ("assignment", "key"), "is missing: the title has no letter or digit to make one from"


def layer(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    slot = design.assignment.layer
    if slot is None:
        return
    if not 0 <= slot.start < slot.end <= 1:
        yield (
            ("assignment", "layer"),
            f"from {_decimal(slot.start)} to {_decimal(slot.end)} is not a part of the layer; give start below end, both "
            "from 0 to 1",
        )
    if design.assignment.method == "external":
        yield (
            ("assignment", "layer"),
            "needs method: fairtrial; layers made elsewhere cannot be kept apart here",
        )


def salt(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    if design.assignment.method == "external" and design.assignment.salt is not None:
        yield (
            ("assignment", "salt"),
            "needs method: fairtrial; assignment made elsewhere has a salt of its own",
        )


def some_guardrail(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    if len(design.guardrails) == 0 and design.no_guardrails_reason is None:
        yield (
            ("guardrails",),
            "is empty; name at least one metric the change must not harm, with its margin, or say why there is none "
            "in no_guardrails_reason",
        )
    if len(design.guardrails) > 0 and design.no_guardrails_reason is not None:
        yield ("no_guardrails_reason",), "there are guardrails; leave it out"


def decision_rule(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    rule = {"superiority": "R-1", "non-inferiority": "R-2"}[design.purpose]
    if design.decision_rule is not None and design.decision_rule != rule:
        yield (
            ("decision_rule",),
            f"{design.decision_rule!r} does not fit purpose {design.purpose!r}; that is {rule}",
        )


def crossovers(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    warn, fail = design.rules.warn_crossover, design.rules.fail_crossover
    if warn > fail:
        yield ("rules", "warn_crossover"), f"{warn:g} is not allowed; give at most fail_crossover {fail:g}"


def seen(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    said = design.outcome_data_seen
    if said.casefold().startswith("yes"):
        yield (
            ("outcome_data_seen",),
            "results already known cannot be pre-registered; analyse them as exploratory",
        )
    elif said.casefold() != "no" and len(said) < LONGEST_EXCUSE:
        yield (
            ("outcome_data_seen",),
            f"{said!r}: write no, or what was seen, in at least {LONGEST_EXCUSE} characters",
        )


def people(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    if design.owner is not None and design.owner == design.reviewer:
        yield ("reviewer",), f"{design.reviewer!r} is the owner; somebody else locks the plan"


def segments(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, segment in enumerate(design.segments):
        with suppress(Unreadable):
            if segment in first:
                yield ("segments", index), f"{segment!r} is listed twice"
            first.setdefault(segment, index)


def low_power(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    if design.power.power < 0.80 and design.power.reason is None:
        yield ("power", "reason"), f"is missing: power {design.power.power:g} is below 0.80; say why"


def override(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    if design.power.override_reason is not None and design.power.units_per_arm is None:
        yield (
            ("power", "override_reason"),
            "nothing is overridden; give units_per_arm, or leave the reason out",
        )


STRUCTURE = (
    arm_names,
    shares,
    allocation,
    key,
    layer,
    salt,
    some_guardrail,
    decision_rule,
    crossovers,
    seen,
    people,
    segments,
    low_power,
    override,
)
