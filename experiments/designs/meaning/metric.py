"""What a metric must mean: which fields belong to its type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from experiments.forms.drafts import as_far_as_readable
from experiments.forms.durations import written
from experiments.forms.validation import Finding

if TYPE_CHECKING:
    from experiments.designs.metrics import Metric


def metric_findings(metric: Metric) -> Iterator[Finding]:
    """What is wrong with what a metric says, beyond the types; of a draft, as far as it can be read."""
    for check in _CHECKS:
        yield from as_far_as_readable(check(metric))


def _ratio_parts(metric: Metric) -> Iterator[Finding]:
    for name in ("numerator", "denominator"):
        given = getattr(metric, name) is not None
        if metric.type == "ratio" and not given:
            yield (name,), "is missing: a ratio needs numerator and denominator, each with an event"
        if metric.type != "ratio" and given:
            yield (name,), f"belongs to a ratio, not to a {metric.type}"


def _event(metric: Metric) -> Iterator[Finding]:
    if metric.type == "ratio" and metric.event is not None:
        yield ("event",), "a ratio names its events in numerator and denominator; leave event out"
    if metric.type != "ratio" and metric.event is None:
        yield ("event",), f"is missing: which event (or wide column) the {metric.type} is made of"


def _quantile(metric: Metric) -> Iterator[Finding]:
    if metric.type == "quantile" and metric.quantile is None:
        yield ("quantile",), "is missing: the level, for example 0.95"
    if metric.type != "quantile" and metric.quantile is not None:
        yield ("quantile",), f"belongs to a quantile, not to a {metric.type}"


def _at_least(metric: Metric) -> Iterator[Finding]:
    if metric.type != "conversion" and metric.at_least != 1:
        yield ("at_least",), f"belongs to a conversion, not to a {metric.type}"


def _starts(metric: Metric) -> Iterator[Finding]:
    if metric.type != "retention" and metric.starts:
        yield ("starts",), f"belongs to a retention, not to a {metric.type}"
    if metric.type == "retention" and metric.starts == 0:
        yield ("starts",), "is missing: from when on an event counts as a return, for example 7d"


def _window(metric: Metric) -> Iterator[Finding]:
    if metric.type == "retention" and metric.window is not None and metric.window <= metric.starts:
        yield (
            ("window",),
            f"{written(metric.window)} is not allowed; it must be longer than starts {written(metric.starts)}",
        )


def _cap(metric: Metric) -> Iterator[Finding]:
    if metric.cap is None:
        return
    if metric.is_binary or metric.type in {"ratio", "quantile"}:
        where = "; cap its parts instead" if metric.type == "ratio" else ""
        yield ("cap",), f"has no meaning for a {metric.type}{where}"


def _baseline(metric: Metric) -> Iterator[Finding]:
    if metric.baseline is None:
        return
    mean = metric.baseline.mean
    if metric.is_binary and not 0 < mean < 1:
        yield (
            ("baseline", "mean"),
            f"{mean:g} is not allowed; a yes/no metric's baseline lies between 0 and 1",
        )


_CHECKS: tuple[Callable[[Metric], Iterator[Finding]], ...] = (
    _ratio_parts,
    _event,
    _quantile,
    _at_least,
    _starts,
    _window,
    _cap,
    _baseline,
)
