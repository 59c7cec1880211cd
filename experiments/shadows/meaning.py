"""Every check of what a shadow design means; each runs as far as what it needs could be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

from experiments.designs.sequential import boundary_of
from experiments.forms.drafts import Unreadable, as_far_as_readable
from experiments.forms.durations import DAY, WEEK
from experiments.forms.durations import written as written_duration
from experiments.forms.problems import unknown_name
from experiments.forms.validation import Finding
from experiments.shadows.measures import DEFAULT_LOSS, LIMITED, LOSSES, TESTS_OF_CORRECTNESS, TESTS_OF_LOSSES
from experiments.shadows.written import WrittenShadow


def shadow_findings(design: WrittenShadow) -> Iterator[Finding]:
    """Every problem of meaning in a shadow design, or in the readable part of a draft of one."""
    for check in _CHECKS:
        yield from as_far_as_readable(check(design))


def versions(design: WrittenShadow) -> Iterator[Finding]:
    if design.champion.version == design.candidate.version:
        yield (
            ("candidate", "version"),
            f"{design.candidate.version!r} is the champion's too; a champion-against-champion control is a third logged model, "
            "mapped as control in the source",
        )


def measure_of_task(design: WrittenShadow) -> Iterator[Finding]:
    measure = design.primary.measure
    if measure is not None and design.task not in LOSSES[measure].tasks:
        allowed = [name for name, one in LOSSES.items() if design.task in one.tasks]
        yield ("primary", "measure"), unknown_name(measure, allowed, f"a measure of a {design.task} task")


def margin_or_mde(design: WrittenShadow) -> Iterator[Finding]:
    primary = design.primary
    if primary.purpose == "non-inferiority":
        if primary.margin is None:
            yield ("primary", "margin"), "is missing: the largest worsening you would still accept"
        if primary.mde is not None:
            yield ("primary", "mde"), "belongs to purpose: superiority; leave it out"
    else:
        if primary.margin is not None:
            yield (
                ("primary", "margin"),
                "belongs to purpose: non-inferiority; leave it out, or change the purpose",
            )
    if (primary.margin is None) != (primary.reason is None):
        yield (
            ("primary", "reason"),
            "is missing: say why this margin"
            if primary.reason is None
            else "there is no margin; leave it out",
        )


def margin_in_range(design: WrittenShadow) -> Iterator[Finding]:
    largest = LOSSES[design.primary.measure or DEFAULT_LOSS[design.task]].largest_margin
    if largest is not None and design.primary.margin is not None and design.primary.margin >= largest:
        yield (
            ("primary", "margin"),
            f"{design.primary.margin:g} is not allowed; give a share below 1: 0.005 is half a percentage point",
        )


def test_of_primary(design: WrittenShadow) -> Iterator[Finding]:
    test, primary = design.primary.test, design.primary
    if test is None:
        return
    correctness = (primary.measure or DEFAULT_LOSS[design.task]) == "correctness"
    allowed = TESTS_OF_CORRECTNESS[design.unit] if correctness else TESTS_OF_LOSSES
    if test not in allowed:
        what = f"a test of {primary.measure or DEFAULT_LOSS[design.task]} with unit: {design.unit}"
        yield ("primary", "test"), unknown_name(test, sorted(allowed), what)
    elif (test == "sequence") != (design.stopping.rule == "always-valid"):
        yield (
            ("primary", "test"),
            f"{test!r} does not fit stopping rule {design.stopping.rule}: an always-valid design rests on a confidence sequence, "
            "and no other rule does",
        )
    elif test in {"exact", "midp"} and primary.purpose == "non-inferiority":
        yield (
            ("primary", "test"),
            f"{test!r} tests for a difference; against a margin use tango, or leave it out",
        )
    elif test in {"exact", "midp"} and design.stopping.sequential:
        yield ("primary", "test"), f"{test!r} belongs to one look; with several use tango, or leave it out"


def some_limit(design: WrittenShadow) -> Iterator[Finding]:
    if not design.limits and design.no_limits_reason is None:
        yield (
            ("limits",),
            "is empty; name at least one thing the candidate must not worsen (latency_p95, error_share), or say why there is "
            "none in no_limits_reason",
        )
    if design.limits and design.no_limits_reason is not None:
        yield ("no_limits_reason",), "there are limits; leave it out"


def limits(design: WrittenShadow) -> Iterator[Finding]:
    seen: dict[tuple[str, str], int] = {}
    for index, limit in enumerate(design.limits):
        with suppress(Unreadable):
            measure = LIMITED[limit.measure]
            given = [
                bound for bound in ("at_most", "at_least", "worsening") if getattr(limit, bound) is not None
            ]
            allowed = sorted(measure.bounds)
            if len(given) != 1:
                yield ("limits", index), f"give exactly one of {', '.join(allowed)}"
                continue
            if given[0] not in measure.bounds:
                yield (
                    ("limits", index, given[0]),
                    unknown_name(given[0], allowed, f"a limit of {limit.measure}"),
                )
            if design.task not in measure.tasks:
                yield ("limits", index, "measure"), f"{limit.measure} is no measure of a {design.task} task"
            value = getattr(limit, given[0])
            if measure.is_share and not 0 <= value <= 1:
                yield ("limits", index, given[0]), f"{value:g} is not allowed; give a share from 0 to 1"
            if measure.quantile is not None and design.stopping.rule == "always-valid":
                yield (
                    ("limits", index, "measure"),
                    f"{limit.measure} is a quantile, which an always-valid design cannot watch; use latency_mean, or another rule",
                )
            same = (limit.measure, given[0])
            if same in seen:
                yield ("limits", index), f"limits {limit.measure} {given[0]} a second time; keep one"
            seen.setdefault(same, index)


def threshold(design: WrittenShadow) -> Iterator[Finding]:
    if design.threshold is not None and design.task != "binary":
        yield ("threshold",), f"belongs to a binary task, not to {design.task}; leave it out"
    for index, limit in enumerate(design.limits):
        with suppress(Unreadable):
            if limit.measure == "flipped_share" and design.threshold is None:
                yield ("limits", index, "measure"), "flipped_share needs the live threshold; give threshold"


def segments(design: WrittenShadow) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, segment in enumerate(design.segments):
        with suppress(Unreadable):
            if segment.attribute in first:
                yield ("segments", index, "attribute"), f"{segment.attribute!r} is listed twice"
            first.setdefault(segment.attribute, index)
            if segment.margin is None and design.primary.margin is None:
                yield ("segments", index, "margin"), "is missing, and the primary has none to take"
            if segment.margin is not None and segment.reason is None:
                yield ("segments", index, "reason"), "is missing: say why this margin"
            if len(set(segment.levels)) != len(segment.levels):
                yield ("segments", index, "levels"), "names a level twice"


def labels_planned(design: WrittenShadow) -> Iterator[Finding]:
    if design.minimum_labels is not None:
        return
    if (design.primary.measure or DEFAULT_LOSS[design.task]) != "correctness":
        yield ("minimum_labels",), "is missing; only for correctness does it follow from size"
    elif design.size.discordance is None:
        yield ("minimum_labels",), "is missing; give it, or size.discordance, from which it follows"
    elif design.primary.purpose == "superiority" and design.primary.mde is None:
        yield ("primary", "mde"), "is missing: minimum_labels follows from it, where it is not given"


def size_fits(design: WrittenShadow) -> Iterator[Finding]:
    if design.unit == "request" and (design.size.requests_per_unit != 1 or design.size.design_effect != 1):
        yield ("size",), "the request is the unit; leave requests_per_unit and design_effect out"


def stopping_rule(design: WrittenShadow) -> Iterator[Finding]:
    stopping = design.stopping
    if stopping.futility is not None:
        yield ("stopping", "futility"), "a shadow exposes nobody and has no futility stop; leave it out"
    if stopping.at is not None:
        yield (
            ("stopping", "at"),
            "a shadow looks when labels have come; use looks, shares of the planned units",
        )
    if stopping.if_short != "read":
        yield (
            ("stopping", "if_short"),
            "a shadow is read at its maximum duration whatever has come; leave it out",
        )
    for name in ("looks", "boundary", "parameter"):
        if getattr(stopping, name) is not None and stopping.rule != "group-sequential":
            yield (
                ("stopping", name),
                f"belongs to rule: group-sequential, not to {stopping.rule}; leave it out",
            )
    if (stopping.burn_in is None) == (stopping.rule == "always-valid"):
        yield (
            ("stopping", "burn_in"),
            "is missing: a confidence sequence says nothing before a declared number of units, for example 1000"
            if stopping.burn_in is None
            else f"belongs to rule: always-valid, not to {stopping.rule}; leave it out",
        )


def stopping_in_steps(design: WrittenShadow) -> Iterator[Finding]:
    stopping = design.stopping
    if stopping.step % DAY:
        yield (
            ("stopping", "step"),
            f"{written_duration(stopping.step)} is not allowed; give a whole number of days",
        )
        return
    if stopping.step % WEEK and stopping.part_weeks_reason is None:
        yield (
            ("stopping", "step"),
            f"{written_duration(stopping.step)} is not whole weeks, so weekdays would not balance; use 7d, or say why not in "
            "part_weeks_reason",
        )
    for name in ("minimum_duration", "maximum_duration"):
        duration = getattr(stopping, name)
        if duration is not None and duration % stopping.step:
            yield (
                ("stopping", name),
                f"{written_duration(duration)} is not allowed; give a multiple of the step {written_duration(stopping.step)}",
            )
    low, high = stopping.minimum_duration, stopping.maximum_duration
    if low is not None and high is not None and high < low:
        yield (
            ("stopping", "maximum_duration"),
            f"{written_duration(high)} is not allowed; it is shorter than the minimum_duration {written_duration(low)}",
        )


def boundary(design: WrittenShadow) -> Iterator[Finding]:
    stopping = design.stopping
    if stopping.rule != "group-sequential":
        return
    looks = stopping.looks
    if looks is not None and (looks[-1] != 1 or looks[0] <= 0 or any(b <= a for a, b in pairwise(looks))):
        listed = ", ".join(f"{look:g}" for look in looks)
        yield ("stopping", "looks"), f"{listed} is not allowed; give rising shares above 0, the last 1"
    if (
        boundary_of(stopping) in {"kim-demets", "hwang-shih-decani", "wang-tsiatis"}
        and stopping.parameter is None
    ):
        yield ("stopping", "parameter"), f"is missing: {boundary_of(stopping)} needs one"


def window(design: WrittenShadow) -> Iterator[Finding]:
    needed = design.unit == "user" and design.stopping.sequential
    if needed and design.window is None:
        yield (
            ("window",),
            "is missing: with several looks by user it says how long since a user's first request its requests count, for "
            "example 7d",
        )
    if not needed and design.window is not None:
        yield ("window",), "belongs to several looks with unit: user; leave it out"


def people(design: WrittenShadow) -> Iterator[Finding]:
    if design.owner is not None and design.owner == design.reviewer:
        yield ("reviewer",), f"{design.reviewer!r} is the owner; somebody else locks the plan"
    for index, decider in enumerate(design.deciders):
        if design.owner is not None and decider in {design.owner, design.model_owner}:
            yield ("deciders", index), f"{decider!r} owns the shadow or the model; somebody else approves it"


_CHECKS = (
    versions,
    measure_of_task,
    margin_or_mde,
    margin_in_range,
    test_of_primary,
    some_limit,
    limits,
    threshold,
    segments,
    labels_planned,
    size_fits,
    stopping_rule,
    stopping_in_steps,
    boundary,
    window,
    people,
)
