"""What a canary must mean, beyond having the right types; every check runs as far as what it needs could be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from analysis.sequential.boundaries import MOST_LOOKS
from analysis.sequential.spending import spending_function
from experiments.assignment.hashing import text_problems
from experiments.canaries.written import LARGEST_SHARE, Step, WrittenCanary
from experiments.designs.meaning.measures import declared_test
from experiments.designs.meaning.sizes import (
    baseline_is_a_rate,
    baseline_is_known,
    margin_has_a_unit,
    margin_is_possible,
)
from experiments.designs.meaning.tested import Tested, metric_of
from experiments.designs.metrics import Catalogue
from experiments.designs.written import WrittenDesign
from experiments.designs.written_measures import Guardrail
from experiments.forms.drafts import Unreadable, as_far_as_readable
from experiments.forms.durations import SECONDS, written
from experiments.forms.problems import dotted
from experiments.forms.validation import Finding

DEFAULT_WINDOW = SECONDS["h"]


def canary_findings(canary: WrittenCanary, catalogue: Catalogue) -> Iterator[Finding]:
    """Every problem of meaning in a canary, or in the readable part of a draft of one."""
    for check in (*OF_CANARY, *OF_GUARDRAILS):
        yield from as_far_as_readable(check(canary, catalogue))
    with suppress(Unreadable):
        for index, step in enumerate(canary.steps):
            for check_step in OF_STEP:
                yield from as_far_as_readable(check_step(canary, step, index))
    with suppress(Unreadable):
        for index, declared in enumerate(canary.guardrails):
            one = Tested(("guardrails", index), cast(Guardrail, declared), catalogue)
            for check_one in (
                declared_test,
                margin_has_a_unit,
                baseline_is_known,
                baseline_is_a_rate,
                margin_is_possible,
            ):
                yield from as_far_as_readable(check_one(one, cast(WrittenDesign, canary)))


def growing_shares(canary: WrittenCanary, _catalogue: Catalogue) -> Iterator[Finding]:
    """A unit that has met the candidate keeps it, so a share never shrinks; beyond a half there is no control as large."""
    before = None
    for index, step in enumerate(canary.steps):
        with suppress(Unreadable):
            share = step.share
            if share > LARGEST_SHARE:
                yield (
                    ("steps", index, "share"),
                    f"{float(share):.4g} is not allowed; control is as large as the candidate, so give at most 0.5",
                )
            if before is not None and share <= before:
                yield (
                    ("steps", index, "share"),
                    f"{float(share):.4g} is not allowed; every step takes more than the one before ({float(before):.4g})",
                )
            before = share


def last_step_answers(canary: WrittenCanary, _catalogue: Catalogue) -> Iterator[Finding]:
    """A canary passes by its last step, so that step may neither be let go unanswered nor pass on absence of evidence."""
    last = len(canary.steps) - 1
    if last < 0:
        return
    step = canary.steps[last]
    if step.needs != "within margin":
        yield (
            ("steps", last, "needs"),
            f"{step.needs!r} is not allowed at the last step; a canary passes only with every guardrail within margin",
        )
    if (step.when_unanswered or canary.when_unanswered) == "proceed" and step.when_unanswered is not None:
        yield (
            ("steps", last, "when_unanswered"),
            "'proceed' is not allowed at the last step; there is nothing to go on to without an answer: hold, or roll back",
        )
    elif step.when_unanswered is None and canary.when_unanswered == "proceed":
        yield (
            ("when_unanswered",),
            "'proceed' cannot hold for the last step, where there is nothing to go on to; give that step hold or roll back",
        )


def two_arms(canary: WrittenCanary, _catalogue: Catalogue) -> Iterator[Finding]:
    control, candidate = canary.champion.arm or "control", canary.candidate.arm or "candidate"
    if control == candidate:
        yield (
            ("candidate", "arm"),
            f"{candidate!r} is the champion's as well; the logs must tell the arms apart",
        )
    if canary.assignment.outside in (control, candidate):
        yield (
            ("assignment", "outside"),
            f"{canary.assignment.outside!r} is an arm of the canary; the logs must tell those apart who are in neither",
        )
    if canary.champion.version == canary.candidate.version and canary.champion.hash == canary.candidate.hash:
        yield (
            ("candidate", "version"),
            f"{canary.candidate.version!r} is the champion; give the version that is to replace it",
        )


def few_enough_checks(canary: WrittenCanary, _catalogue: Catalogue) -> Iterator[Finding]:
    """Boundaries are computed for at most fifty checks."""
    checks = sum(_limit(canary, step) // (canary.checks.every or step.hold) for step in canary.steps)
    if checks > MOST_LOOKS:
        yield (
            ("checks", "every"),
            f"leads to {checks} checks until every time limit is up; at most {MOST_LOOKS} are allowed: check less often, or "
            "shorten the time limits",
        )


def spendings(canary: WrittenCanary, _catalogue: Catalogue) -> Iterator[Finding]:
    for name in ("harm", "checks"):
        with suppress(Unreadable):
            spent = canary.harm if name == "harm" else canary.checks
            try:
                spending_function(spent.spending, spent.parameter)
            except ValueError as error:
                yield (name, "parameter"), str(error).removeprefix("parameter: ")


def maturity(canary: WrittenCanary, _catalogue: Catalogue) -> Iterator[Finding]:
    window = canary.window or DEFAULT_WINDOW
    if canary.maturity is not None and canary.maturity < window + canary.label_delay:
        yield (
            ("maturity",),
            f"{written(canary.maturity)} is not allowed; it is shorter than window {written(window)} + label_delay "
            f"{written(canary.label_delay)}, so outcomes would be read before they are in the log",
        )


def crossovers(canary: WrittenCanary, _catalogue: Catalogue) -> Iterator[Finding]:
    warn, fail = canary.rules.warn_crossover, canary.rules.fail_crossover
    if warn > fail:
        yield ("rules", "warn_crossover"), f"{warn:g} is not allowed; give at most fail_crossover {fail:g}"


def key(canary: WrittenCanary, _catalogue: Catalogue) -> Iterator[Finding]:
    if canary.assignment.key is None and not any(sign.isalnum() for sign in canary.title):
        yield ("assignment", "key"), "is missing: the title has no letter or digit to make one from"
    if canary.assignment.method == "external" and canary.assignment.salt is not None:
        yield (
            ("assignment", "salt"),
            "needs method: fairtrial; assignment made elsewhere has a salt of its own",
        )
    if canary.assignment.salt is not None:
        for problem in text_problems("salt", canary.assignment.salt):
            yield ("assignment", "salt"), problem.removeprefix("salt: ")


def known_metrics(canary: WrittenCanary, catalogue: Catalogue) -> Iterator[Finding]:
    """Each metric is known, and stands once: over all units, or once for each segment."""
    first: dict[tuple[str, str | None], str] = {}
    for index, guardrail in enumerate(canary.guardrails):
        with suppress(Unreadable):
            path = ("guardrails", index, "metric")
            if guardrail.metric not in catalogue:
                yield path, catalogue.explain_missing(guardrail.metric)
                continue
            claim = catalogue[guardrail.metric].reference, guardrail.segment
            if claim in first:
                yield path, f"{claim[0]} already stands at {first[claim]}; a metric is guarded once"
            first.setdefault(claim, dotted(path))


def windows(canary: WrittenCanary, catalogue: Catalogue) -> Iterator[Finding]:
    base = canary.window or DEFAULT_WINDOW
    limit = canary.maturity or base + canary.label_delay
    for index, guardrail in enumerate(canary.guardrails):
        with suppress(Unreadable):
            metric = metric_of(guardrail.metric, catalogue)
            window = guardrail.window or metric.window or base
            path = ("guardrails", index, "window")
            if metric.starts >= window:
                yield (
                    path,
                    f"{metric.reference} starts at {written(metric.starts)}, not before its window ends at {written(window)}",
                )
            if window + canary.label_delay > limit >= base + canary.label_delay:
                yield (
                    path,
                    f"{metric.reference}'s window {written(window)} + label_delay {written(canary.label_delay)} is longer than "
                    f"the maturity {written(limit)}; give the guardrail a shorter window, or the canary a longer one",
                )


def hold_outlasts_maturity(canary: WrittenCanary, step: Step, index: int) -> Iterator[Finding]:
    matures = canary.maturity or (canary.window or DEFAULT_WINDOW) + canary.label_delay
    if step.hold <= matures:
        yield (
            ("steps", index, "hold"),
            f"{written(step.hold)} is not allowed; a unit is mature after {written(matures)}, so that nobody would be at the "
            "end of it: hold longer, or give a shorter window",
        )


def whole_checks(canary: WrittenCanary, step: Step, index: int) -> Iterator[Finding]:
    """Checks fall on the end of the hold time and of the time limit."""
    every, limit = canary.checks.every or step.hold, _limit(canary, step)
    if limit < step.hold:
        yield (
            ("steps", index, "time_limit"),
            f"{written(limit)} is not allowed; it is shorter than the hold time {written(step.hold)}",
        )
    for name, duration in (("hold", step.hold), ("time_limit", limit)):
        if duration % every:
            yield (
                ("steps", index, name),
                f"{written(duration)} is not allowed; checks come every {written(every)}, give a multiple of it",
            )


def _limit(canary: WrittenCanary, step: Step) -> int:
    return step.time_limit or canary.time_limit or 2 * step.hold


def levels(canary: WrittenCanary, _catalogue: Catalogue) -> Iterator[Finding]:
    """The harm test's α is shared over all tests there will be, so they are counted beforehand."""
    for index, guardrail in enumerate(canary.guardrails):
        with suppress(Unreadable):
            path = ("guardrails", index, "levels")
            if guardrail.segment is not None and not guardrail.levels:
                yield (
                    path,
                    f"is missing: list the levels of {guardrail.segment} that must hold, each has its own test",
                )
            if guardrail.segment is None and guardrail.levels:
                yield path, "needs a segment whose levels these are"
            if len(set(guardrail.levels)) < len(guardrail.levels):
                yield path, "has a level twice"


OF_CANARY = (
    growing_shares,
    last_step_answers,
    two_arms,
    few_enough_checks,
    spendings,
    maturity,
    crossovers,
    key,
)
OF_GUARDRAILS = (known_metrics, windows, levels)
OF_STEP = (hold_outlasts_maturity, whole_checks)
