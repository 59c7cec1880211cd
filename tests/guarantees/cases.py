"""Every stopping rule offered, and what is measured of it: the rows of the table, by section."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, get_args

from experiments.designs.written_stopping import Boundary
from experiments.simulation.rule import Reason
from tests.guarantees.arrivals import Arrivals, by_chance, daily, exactly, unevenly
from tests.guarantees.designs import GUARDRAILS, OUTCOMES, design
from tests.guarantees.measuring import Case

BOUNDARIES: Final[tuple[Boundary, ...]] = get_args(Boundary)
PARAMETERS: Final = {"kim-demets": 3, "hwang-shih-decani": -4, "wang-tsiatis": 0.25}
DAYS: Final = 28
ASYMPTOTIC: Final = 1.1
DAILY_PART, UNEVEN_PART = 0.4, 0.1

SIGNIFICANT: Final = frozenset({Reason.EFFICACY, Reason.PRIMARY_HARMED})
SHIPS: Final = frozenset({Reason.EFFICACY})

DAILY: Final = "step: 1d, part_weeks_reason: the rule is measured"
ONE_SIDED: Final = "primary: {sides: 1, one_sided_reason: the rule is measured}\n"
THREE_ARMS: Final = "arms: [{name: control}, {name: a}, {name: b}]\n"
ONE_IN_TEN: Final = "arms: [{name: control, share: 90%}, {name: treatment, share: 10%}]\n"
MARGIN: Final = (
    "purpose: non-inferiority\nhypothesis: {expect: no worsening}\nprimary: {margin: {absolute: 0.1}}\n"
)
THREE, FIVE = "40, 70, 100 %", "20, 40, 60, 80, 100 %"
EVERY_DAY: Final = f"daily, {DAYS} days to the cap"


@dataclass(frozen=True)
class Section:
    title: str
    about: str
    cases: tuple[Case, ...]


def group_sequential(
    boundary: Boundary = "lan-demets-obf",
    looks: tuple[float, ...] | None = None,
    at: tuple[int, ...] | None = None,
    futility: str = "",
) -> str:
    """The stopping rule as a design says it; ``at`` in days."""
    parts = [f"rule: group-sequential, boundary: {boundary}, {DAILY}"]
    if boundary in PARAMETERS:
        parts.append(f"parameter: {PARAMETERS[boundary]}")
    if looks is not None:
        parts.append(f"looks: [{', '.join(f'{look:g}' for look in looks)}]")
    if at is not None:
        parts.append(f"at: [{', '.join(f'{day}d' for day in at)}]")
    if futility:
        parts.append(f"futility: {futility}")
    return f"stopping: {{{', '.join(parts)}}}\n"


def always_valid(burn_in: int = 600) -> str:
    return f"stopping: {{rule: always-valid, burn_in: {burn_in}, {DAILY}, minimum_duration: 1d, maximum_duration: {DAYS}d}}\n"


def named(boundary: Boundary) -> str:
    return f"{boundary} ({PARAMETERS[boundary]})" if boundary in PARAMETERS else boundary


def equal_looks(looks: int) -> tuple[float, ...]:
    return tuple((k + 1) / looks for k in range(looks))


def case(
    rule: str,
    looks: str,
    changes: str = "",
    *,
    primary: str = "points",
    arrivals: Arrivals | None = None,
    nominal: float = 0.05,
    allowed: float = 1.0,
) -> Case:
    """A true effect of 0: what is counted is a primary called better or worse."""
    return Case(
        rule,
        looks,
        OUTCOMES[primary],
        design(primary, changes),
        arrivals or exactly(),
        SIGNIFICANT,
        nominal,
        allowed=allowed,
        part=DAILY_PART if looks == EVERY_DAY else 1.0,
    )


def one_sided(one: Case, changes: str, primary: str = "points") -> Case:
    """The same with a one-sided primary: what is counted is a primary called better."""
    found = design(primary, changes + ONE_SIDED)
    return replace(one, rule=f"{one.rule}, one-sided", design=found, counted=SHIPS)


def one_look() -> Iterator[Case]:
    one = case("fixed", "100 %")
    yield one
    yield one_sided(one, "")


def every_boundary() -> Iterator[Case]:
    for boundary in BOUNDARIES:
        changes = group_sequential(boundary)
        one = case(named(boundary), THREE, changes)
        yield one
        yield one_sided(one, changes)


def other_numbers_of_looks() -> Iterator[Case]:
    for boundary in ("lan-demets-obf", "pocock"):
        for looks in (2, 5, 10):
            yield case(named(boundary), f"{looks} equal", group_sequential(boundary, equal_looks(looks)))


OTHER_INFORMATION: Final = {
    "early: 10, 30, 55, 100 %": (0.1, 0.3, 0.55, 1.0),
    "late: 40, 70, 95, 100 %": (0.4, 0.7, 0.95, 1.0),
    "uneven: 5, 50, 52, 100 %": (0.05, 0.5, 0.52, 1.0),
    "over-running: 30, 50, 80, 120 %": (0.3, 0.5, 0.8, 1.2),
    "under-running: 20, 30, 50, 70 %": (0.2, 0.3, 0.5, 0.7),
}


def looks_at_other_information() -> Iterator[Case]:
    for boundary in BOUNDARIES:
        for words, shares in OTHER_INFORMATION.items():
            changes = group_sequential(boundary, at=(7, 14, 21, 28))
            yield case(named(boundary), words, changes, arrivals=exactly(*shares))


def futility() -> Iterator[Case]:
    declared = "{spending: hwang-shih-decani, parameter: -2}"
    for boundary in ("lan-demets-obf", "pocock"):
        changes = group_sequential(boundary, futility=declared)
        obeyed = case(f"{named(boundary)}, non-binding futility, obeyed", THREE, changes)
        yield obeyed
        ignored = replace(obeyed, futility_obeyed=False, rule=obeyed.rule.replace("obeyed", "ignored"))
        yield ignored
        yield one_sided(ignored, changes)
    for spending in ("lan-demets-obf", "lan-demets-pocock"):
        changes = ONE_SIDED + group_sequential(futility=f"{{spending: {spending}, binding: true}}")
        one = case(f"lan-demets-obf, binding futility ({spending}), obeyed, one-sided", THREE, changes)
        yield replace(one, counted=SHIPS)


def uneven_cohorts() -> Iterator[Case]:
    for boundary in BOUNDARIES:
        changes = group_sequential(boundary)
        one = case(named(boundary), "when 40, 70, 100 % have come", changes, arrivals=unevenly())
        yield replace(one, part=UNEVEN_PART)
    one = case(
        "lan-demets-obf",
        f"{THREE}, arms by chance",
        group_sequential(),
        arrivals=by_chance(),
        primary="bought",
    )
    yield replace(one, part=UNEVEN_PART)


def other_outcomes() -> Iterator[Case]:
    changes = group_sequential(looks=equal_looks(5))
    for primary in ("bought", "spent", "click_rate", "adjusted"):
        for words, rule, more in (("100 %", "fixed", ""), (FIVE, "lan-demets-obf", changes)):
            one = case(rule, words, more, primary=primary, allowed=ASYMPTOTIC)
            yield one
            if primary == "bought":
                yield one_sided(one, more, primary)
    pocock = group_sequential("lan-demets-pocock", equal_looks(5))
    yield case("lan-demets-pocock", FIVE, pocock, primary="spent", allowed=ASYMPTOTIC)
    unequal = ONE_IN_TEN + changes
    yield case("lan-demets-obf, arms 90:10", FIVE, unequal, primary="bought", allowed=ASYMPTOTIC)


def always_valid_primaries() -> Iterator[Case]:
    for primary in ("points", "bought", "spent", "click_rate", "adjusted"):
        yield case(
            "always-valid, burn-in 600",
            EVERY_DAY,
            always_valid(),
            primary=primary,
            arrivals=daily(DAYS),
            allowed=ASYMPTOTIC,
        )
    one = case(
        "always-valid, burn-in 600", EVERY_DAY, always_valid(), arrivals=daily(DAYS), allowed=ASYMPTOTIC
    )
    yield one_sided(one, always_valid())
    for primary in ("bought", "spent"):
        yield case(
            "always-valid, arms 90:10, burn-in 1,200",
            EVERY_DAY,
            ONE_IN_TEN + always_valid(1_200),
            primary=primary,
            arrivals=daily(DAYS),
            allowed=ASYMPTOTIC,
        )


def several_treatments() -> Iterator[Case]:
    rules = (
        ("fixed, two treatments, Holm", "100 %", "", exactly()),
        ("lan-demets-obf, two treatments, Bonferroni", THREE, group_sequential(), exactly()),
        ("pocock, two treatments, Bonferroni", THREE, group_sequential("pocock"), exactly()),
        ("always-valid, two treatments, Bonferroni", EVERY_DAY, always_valid(), daily(DAYS)),
    )
    for rule, words, changes, arrivals in rules:
        one = case(rule, words, THREE_ARMS + changes, arrivals=arrivals, nominal=0.025)
        yield replace(one, counted=SHIPS, allowed=ASYMPTOTIC if "always" in rule else 1.0)


def rules_of_all_kinds() -> Iterator[tuple[str, str, str, Arrivals]]:
    """Rule, looks in words, what the design declares, how units come."""
    yield "fixed", "100 %", "", exactly()
    for boundary in BOUNDARIES:
        yield named(boundary), FIVE, group_sequential(boundary, equal_looks(5)), exactly()
    yield "always-valid, burn-in 1,200", EVERY_DAY, always_valid(1_200), daily(DAYS)


def guardrail_at_its_margin() -> Iterator[Case]:
    for rule, words, changes, arrivals in rules_of_all_kinds():
        one = case(rule, words, f"guardrails: {GUARDRAILS}\n{changes}", arrivals=arrivals, nominal=0.025)
        yield replace(
            one,
            outcome="guardrail yes/no, 5 %",
            counted=SHIPS,
            effects={"points": 0.3, "crashed": 0.02},
            allowed=ASYMPTOTIC,
        )


def non_inferiority_at_its_margin() -> Iterator[Case]:
    for rule, words, changes, arrivals in rules_of_all_kinds():
        one = case(rule, words, MARGIN + changes, arrivals=arrivals, nominal=0.025)
        allowed = ASYMPTOTIC if "always" in rule else 1.0
        yield replace(one, counted=SHIPS, effects={"points": -0.1}, allowed=allowed)


def error_sections() -> tuple[Section, ...]:
    """Where the truth is a null: how often a rule errs."""
    return (
        Section(
            "One look",
            "No effect: the primary called better or worse (one-sided: better).",
            tuple(one_look()),
        ),
        Section("Group-sequential: every boundary", "The same, over all looks.", tuple(every_boundary())),
        Section("Other numbers of looks", "The same.", tuple(other_numbers_of_looks())),
        Section(
            "Looks at other information than planned",
            "Looks declared at 7, 14, 21 and 28 days, planned as 25, 50, 75, 100 % of the information; what came by then is named. "
            "Over-running: the last look has more than planned. Under-running: the maximum duration ends it with less.",
            tuple(looks_at_other_information()),
        ),
        Section(
            "Futility",
            "Non-binding futility costs nothing when it is ignored; binding futility is obeyed, as the design says.",
            tuple(futility()),
        ),
        Section(
            "Cohorts that mature unevenly",
            f"Traffic by day and by replay at random (of a log, sd 0.4 each) over at most {DAYS} days, arms by chance: every replay has "
            "its own looks, at its own information, and some take fewer looks or end short.",
            tuple(uneven_cohorts()),
        ),
        Section(
            "Other outcomes",
            "Their tests are exact in the limit only: at most 1.1 times the level is allowed. 400 units or more at every look.",
            tuple(other_outcomes()),
        ),
        Section(
            "Always-valid",
            "A confidence sequence looked at every day from its burn-in to the cap. It holds for any number of looks, so that at these "
            "few it errs less.",
            tuple(always_valid_primaries()),
        ),
        Section(
            "Several treatments",
            "No effect in either of two treatments: any of them ships. Of the 5 %, two-sided, that is a half.",
            tuple(several_treatments()),
        ),
        Section(
            "A guardrail at its margin",
            "The primary is three MDEs better, one guardrail just at its margin and another unharmed: ships. Each guardrail has its own "
            "one-sided spending.",
            tuple(guardrail_at_its_margin()),
        ),
        Section(
            "A non-inferiority primary at its margin",
            "The true effect is the margin: ships.",
            tuple(non_inferiority_at_its_margin()),
        ),
    )


def under_the_effect() -> tuple[Case, ...]:
    """The primary at its MDE, guardrails unharmed: power of the whole rule, and intervals around that effect."""
    return tuple(_under_the_effect())


def _under_the_effect() -> Iterator[Case]:
    for rule, words, changes, arrivals in rules_of_all_kinds():
        yield _at_mde(rule, words, changes, arrivals)
    binding = ONE_SIDED + group_sequential(futility="{binding: true}")
    yield _at_mde("lan-demets-obf, binding futility, one-sided", THREE, binding, exactly())
    yield _at_mde("lan-demets-obf, non-binding futility", THREE, group_sequential(futility="{}"), exactly())
    guarded = f"guardrails: {GUARDRAILS}\n"
    for rule, words, changes, arrivals in rules_of_all_kinds():
        yield _at_mde(f"{rule}, two guardrails", words, guarded + changes, arrivals)


def _at_mde(rule: str, words: str, changes: str, arrivals: Arrivals) -> Case:
    one = case(rule, words, changes, arrivals=arrivals, nominal=0.8)
    return replace(one, counted=SHIPS, effects={"points": 0.1}, at_least=True)
