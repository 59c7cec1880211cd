"""Effects, margins and the baselines they are measured from: everything the sample size needs."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.designs.meaning.tested import Tested
from experiments.designs.written import WrittenDesign
from experiments.designs.written_measures import Amount
from experiments.forms.validation import Finding


def margin_has_a_unit(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    """20 of what? A yes/no metric is counted in itself, a relative margin in control's."""
    margin = one.declared.margin
    if margin is None or margin.kind == "relative" or one.metric.is_binary:
        return
    if not one.metric.unit:
        yield (
            (*one.path, "margin"),
            f"{margin.value:g} of what? {one.metric.reference} has no unit in the catalogue; add one, for example unit: ms",
        )


def baseline_is_known(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    """Monitored guardrails do not decide, so the sample size asks nothing of them."""
    if not one.decides:
        return
    if one.baseline is None:
        yield (
            (*one.path, "baseline"),
            f"is missing: the sample size needs what {one.metric.reference} was before (mean, sd, source), here or in the "
            "catalogue",
        )
    elif not one.metric.is_binary and one.baseline.sd is None:
        yield (
            (*one.path, "baseline", "sd"),
            f"is missing: a {one.metric.type} needs its per-unit standard deviation",
        )


def baseline_is_a_rate(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    if one.metric.is_binary and one.baseline is not None and not 0 < one.baseline.mean < 1:
        yield (
            (*one.path, "baseline", "mean"),
            f"{one.baseline.mean:g} is not allowed; a yes/no metric's baseline lies between 0 and 1",
        )


def mde_is_possible(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    if one.mde is not None:
        yield from _possible(one, "mde", one.mde, better=True)


def margin_is_possible(one: Tested, _design: WrittenDesign) -> Iterator[Finding]:
    if one.declared.margin is not None:
        yield from _possible(one, "margin", one.declared.margin, better=False)


def _possible(one: Tested, name: str, amount: Amount, *, better: bool) -> Iterator[Finding]:
    if one.baseline is None:
        return
    mean, written = one.baseline.mean, f"{amount.value:g} ({amount.kind})"
    if one.metric.is_binary:
        size = amount.value * (mean if amount.kind == "relative" else 1)
        rate = mean + size if better == (one.metric.direction == "higher") else mean - size
        if 0 < mean < 1 and not 0 < rate < 1:
            points = "; 2 percentage points are 0.02" if amount.kind == "absolute" else ""
            yield (
                (*one.path, name),
                f"{written} is not allowed; from a baseline of {mean:g} it leads to a rate of {rate:g}, which is not between 0 "
                f"and 1{points}",
            )
    elif amount.kind == "relative" and mean <= 0:
        yield (
            (*one.path, name),
            f"{written} is not allowed; it is a share of control, whose baseline {mean:g} is not above 0; give it as absolute",
        )


SIZES_OF_TESTED = (
    margin_has_a_unit,
    baseline_is_known,
    baseline_is_a_rate,
    mde_is_possible,
    margin_is_possible,
)
