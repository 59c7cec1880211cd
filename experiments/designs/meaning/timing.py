"""Windows, maturity and the stopping rule."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.designs.meaning.tested import Tested, design_window, metric_of, references
from experiments.designs.metrics import Catalogue, Metric
from experiments.designs.written import WrittenDesign
from experiments.forms.durations import DAY, WEEK, written
from experiments.forms.problems import Path
from experiments.forms.validation import Finding


def maturity(design: WrittenDesign, catalogue: Catalogue) -> Iterator[Finding]:
    if design.maturity is None:
        return
    window = design_window(design, catalogue)
    if design.maturity < window + design.label_delay:
        yield (
            ("maturity",),
            f"{written(design.maturity)} is not allowed; it is shorter than window {written(window)} + label_delay "
            f"{written(design.label_delay)}, so outcomes would be read before they are in the log",
        )


def window_of_tested(one: Tested, design: WrittenDesign) -> Iterator[Finding]:
    declared = one.declared.window or one.metric.window
    window = declared or design_window(design, one.catalogue)
    yield from _fits((*one.path, "window"), one.metric, window, design, one.catalogue)


def windows_of_secondary(design: WrittenDesign, catalogue: Catalogue) -> Iterator[Finding]:
    for path, reference in references(design, catalogue):
        if path[0] == "secondary" and reference in catalogue:
            metric = metric_of(reference, catalogue)
            window = metric.window or design_window(design, catalogue)
            yield from _fits(path, metric, window, design, catalogue)


def _fits(
    path: Path, metric: Metric, window: int, design: WrittenDesign, catalogue: Catalogue
) -> Iterator[Finding]:
    if metric.starts >= window:
        yield (
            path,
            f"{metric.reference} starts at {written(metric.starts)}, not before its window ends at {written(window)}",
        )
    base = design_window(design, catalogue)
    limit = design.maturity or base + design.label_delay
    if limit < base + design.label_delay:
        return  # the maturity itself is wrong
    if window + design.label_delay > limit:
        yield (
            path,
            f"{metric.reference}'s window {written(window)} + label_delay {written(design.label_delay)} is longer than the "
            f"maturity {written(limit)}; set window: {written(window)} for the design, or a longer maturity",
        )


def whole_weeks(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    low, step = design.stopping.minimum_duration, design.stopping.step
    whole = step % WEEK == 0 and (low is None or low % WEEK == 0)
    if not whole and design.stopping.part_weeks_reason is None:
        yield (
            ("stopping",),
            f"minimum_duration {written(low) if low else '(default)'} and step {written(step)} are not whole weeks, so weekdays "
            "would not balance; use multiples of 7d, or say why not in part_weeks_reason",
        )


def whole_days(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    if design.stopping.step % DAY:
        step = written(design.stopping.step)
        yield ("stopping", "step"), f"{step} is not allowed; give a whole number of days"


def minimum_in_steps(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    yield from _in_steps("minimum_duration", design.stopping.minimum_duration, design.stopping.step)


def maximum_in_steps(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    yield from _in_steps("maximum_duration", design.stopping.maximum_duration, design.stopping.step)


def _in_steps(name: str, duration: int | None, step: int) -> Iterator[Finding]:
    if duration is not None and duration % step:
        yield (
            ("stopping", name),
            f"{written(duration)} is not allowed; give a multiple of the step {written(step)}",
        )


def shortest_first(design: WrittenDesign, _catalogue: Catalogue) -> Iterator[Finding]:
    low, high = design.stopping.minimum_duration, design.stopping.maximum_duration
    if low is not None and high is not None and high < low:
        yield (
            ("stopping", "maximum_duration"),
            f"{written(high)} is not allowed; it is shorter than the minimum_duration {written(low)}",
        )


TIMING = (
    maturity,
    windows_of_secondary,
    whole_weeks,
    whole_days,
    minimum_in_steps,
    maximum_in_steps,
    shortest_first,
)
TIMING_OF_TESTED = (window_of_tested,)
