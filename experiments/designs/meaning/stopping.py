"""The stopping rule: what belongs to which rule, looks in order, and what a confidence sequence needs to be declared."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from analysis.anytime.burn_in import least_burn_in
from analysis.sequential.boundaries import CLASSIC_TYPES, shape_exponent
from analysis.sequential.spending import spending_function
from experiments.designs.meaning.tested import Tested
from experiments.designs.metrics import Catalogue
from experiments.designs.sequential import boundary_of
from experiments.designs.written import WrittenDesign
from experiments.forms.durations import written
from experiments.forms.validation import Finding

SMALLEST_STEP = 0.01
ONLY_GROUP_SEQUENTIAL = ("looks", "at", "boundary", "parameter", "futility")
NEED_A_CAP = frozenset({"count", "sum", "mean"})


def fields_of_the_rule(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    stopping = design.stopping
    for name in ONLY_GROUP_SEQUENTIAL:
        if getattr(stopping, name) is not None and stopping.rule != "group-sequential":
            yield (
                ("stopping", name),
                f"belongs to rule: group-sequential, not to {stopping.rule}; leave it out",
            )
    if stopping.burn_in is not None and stopping.rule != "always-valid":
        yield ("stopping", "burn_in"), f"belongs to rule: always-valid, not to {stopping.rule}; leave it out"
    if stopping.burn_in is None and stopping.rule == "always-valid":
        yield (
            ("stopping", "burn_in"),
            "is missing: a confidence sequence is a limit theorem and says nothing before a declared number of units, "
            "for example 1000",
        )


def looks_in_order(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    looks = design.stopping.looks
    if looks is None:
        return
    listed = ", ".join(f"{look:g}" for look in looks)
    if looks[-1] != 1:
        yield ("stopping", "looks"), f"{listed} is not allowed; the last look has all the information: 1"
    if looks[0] <= 0 or any(b - a < SMALLEST_STEP - 1e-9 for a, b in pairwise(looks)):
        yield (
            ("stopping", "looks"),
            f"{listed} is not allowed; give shares above 0 that rise by at least {SMALLEST_STEP:g} from look to look",
        )


def times_in_order(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    stopping = design.stopping
    if stopping.at is None:
        return
    if stopping.looks is not None:
        yield (
            ("stopping", "at"),
            "stands beside looks; give one of them: at times, or at shares of the information",
        )
    if any(b <= a for a, b in pairwise(stopping.at)):
        listed = ", ".join(written(when) for when in stopping.at)
        yield ("stopping", "at"), f"{listed} is not allowed; give rising times"
    for index, when in enumerate(stopping.at):
        if when <= 0 or when % stopping.step:
            yield (
                ("stopping", "at", index),
                f"{written(when)} is not allowed; give a multiple of the step {written(stopping.step)}",
            )
    for name in ("minimum_duration", "maximum_duration"):
        if getattr(stopping, name) is not None:
            yield ("stopping", name), "follows from at, its first and last time; leave it out"


def parameters(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    stopping = design.stopping
    if stopping.rule != "group-sequential":
        return
    kind = boundary_of(stopping)
    try:
        if kind in CLASSIC_TYPES:
            shape_exponent(kind, stopping.parameter)
        else:
            spending_function(kind, stopping.parameter)
    except ValueError as error:
        yield ("stopping", "parameter"), f"{error}"
    if stopping.futility is None:
        return
    try:
        spending_function(stopping.futility.spending, stopping.futility.parameter)
    except ValueError as error:
        yield ("stopping", "futility", "parameter"), f"{error}"


def binding_futility(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    futility = design.stopping.futility
    if futility is None or not futility.binding:
        return
    if design.purpose == "superiority" and design.primary.sides != 1:
        yield (
            ("stopping", "futility", "binding"),
            "true needs a one-sided primary, whose critical values it lowers; leave it out, or give primary.sides: 1",
        )


def treatments_share_alpha(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    method = design.multiple_treatments
    if design.stopping.sequential and len(design.arms) > 2 and method in {"holm", "dunnett"}:
        yield (
            ("multiple_treatments",),
            f"{method} is not allowed with several looks; treatments share α by bonferroni then",
        )


def sequence_can_be_built(one: Tested, design: WrittenDesign) -> Iterator[Finding]:
    """An asymptotic sequence needs a mean with a bounded tail: misses of 9 to 20 % at 5 % were seen without."""
    watched = one.role == "harm-stop" or (design.stopping.rule == "always-valid" and one.decides)
    if not watched:
        return
    metric, what = one.metric, "a harm stop" if one.role == "harm-stop" else "an always-valid design"
    if metric.type == "quantile":
        yield (
            (*one.path, "metric"),
            f"{metric.reference} is a quantile, which {what} cannot watch; use a mean or a rate",
        )
    if metric.type in NEED_A_CAP and metric.cap is None:
        yield (
            (*one.path, "metric"),
            f"{metric.reference} has no cap, and a confidence sequence misses its level under heavy tails; give it a cap in the "
            "catalogue (a new version), for example cap: 1000",
        )
    if one.declared.test in {"score", "miettinen-nurminen"}:
        yield (
            (*one.path, "test"),
            f"{one.declared.test!r} is not a test of {what}, which rests on the confidence sequence of a mean; leave it out",
        )


def burn_in_suffices(one: Tested, design: WrittenDesign) -> Iterator[Finding]:
    """For a yes/no metric the least burn-in follows from its baseline; elsewhere the declared one stands."""
    if not one.metric.is_binary or one.baseline is None or not 0 < one.baseline.mean < 1:
        return
    own = one.role == "harm-stop"
    burn_in = one.burn_in if own else design.stopping.burn_in
    if burn_in is None or (not own and not (one.decides and design.stopping.rule == "always-valid")):
        return
    p, arms = one.baseline.mean, design.arms
    shares = [float(arm.share) if arm.share is not None else 1 / len(arms) for arm in arms]
    superiority = one.is_primary and design.purpose == "superiority"
    alpha = one.declared.alpha or (0.05 if superiority else 0.025)
    pairs = [(shares[0] / (shares[0] + share), share / (shares[0] + share)) for share in shares[1:]]
    least = max(
        least_burn_in(alpha, pair, (p * (1 - p),) * 2, (p * (1 - p) * (1 - 2 * p),) * 2) for pair in pairs
    )
    if burn_in < least:
        path = (*one.path, "burn_in") if own else ("stopping", "burn_in")
        yield (
            path,
            f"{burn_in} is not allowed; {one.metric.reference} at a baseline of {p:g} needs at least {least}",
        )


def harm_stop_is_declared(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    if one.is_primary:
        return
    if one.role == "harm-stop" and one.burn_in is None:
        yield (
            (*one.path, "burn_in"),
            "is missing: a harm stop watches by a confidence sequence, which says nothing before a declared number of units, "
            "for example 1000",
        )
    if one.role != "harm-stop" and one.burn_in is not None:
        yield (*one.path, "burn_in"), f"belongs to role: harm-stop, not to {one.role}; leave it out"


STOPPING = (
    fields_of_the_rule,
    looks_in_order,
    times_in_order,
    parameters,
    binding_futility,
    treatments_share_alpha,
)
STOPPING_OF_TESTED = (harm_stop_is_declared, sequence_can_be_built, burn_in_suffices)
