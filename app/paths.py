"""A sequential path as people read it: how its numbers are written, what its looks crossed, what its figures are called.

The interval of a look is always that of all looks together: the repeated interval, or the confidence sequence. The one a
single look would have is nowhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from app.declared_words import boundary_in_words, listed
from app.formats import NOTHING, Quantity, decimal, finite, level, share
from experiments.readouts.readout import (
    ArmValue,
    Comparison,
    Interval,
    LookPoint,
    PlannedLook,
    SequentialPath,
)

_NOBODY = ArmValue(arm="", n=0, missing=0, value=None)


def path_name(path: SequentialPath) -> str:
    """The metric, the level where it is one of a segment, and the treatment."""
    at = "" if path.segment_level is None else f": {path.segment_level}"
    return f"{path.label}{at} with {path.treatment}"


def path_quantity(path: SequentialPath) -> Quantity:
    """How the effects of all looks are written, by the same rule as in the tables of effects."""
    intervals = [(p.estimate, point_interval(path, p)) for p in path.points]
    intervals.append((path.median_unbiased, path.stagewise_interval))
    return Quantity.of([_comparison(path, estimate, interval) for estimate, interval in intervals])


def _comparison(path: SequentialPath, estimate: float | None, interval: Interval | None) -> Comparison:
    return Comparison(
        metric=path.metric,
        label=path.label,
        role=path.role,
        type="proportion" if path.unit == "percentage points" else "mean",
        unit=path.unit,
        direction=path.direction,
        treatment=path.treatment,
        control_value=_NOBODY,
        treatment_value=_NOBODY,
        estimate=estimate,
        interval=interval,
        p_value=None,
        method=path.boundary,
        scale=path.scale,
        limit=path.null or None,
    )


def point_interval(path: SequentialPath, point: LookPoint) -> Interval | None:
    """The interval at a look; None where it is open on both sides."""
    if finite(point.low) is None and finite(point.high) is None:
        return None
    return Interval(low=point.low, high=point.high, level=path.level)


def boundary_name(path: SequentialPath) -> str:
    """The boundary by its usual name; one that is not known stands as it is."""
    found = re.fullmatch(r"([\w-]+)(?: \((-?[\d.e+-]+)\))?", path.boundary)
    if found is None:
        return path.boundary
    kind, parameter = found.groups()
    return boundary_in_words(kind, None if parameter is None else float(parameter))


def interval_name(path: SequentialPath) -> str:
    if path.rule == "always-valid":
        return f"{level(path.level)} confidence sequence"
    return f"repeated {level(path.level)} confidence interval"


def p_name(path: SequentialPath) -> str:
    return "always-valid p" if path.rule == "always-valid" else "repeated p"


def bounds_words(path: SequentialPath, point: LookPoint, quantity: Quantity) -> str:
    """The interval at a look, or why nothing can be excluded there."""
    interval = point_interval(path, point)
    if interval is not None:
        return quantity.bounds(interval)
    if path.rule == "always-valid" or point.estimate is None:
        return "not computed"
    return "open: this look excludes nothing"


def held_against(path: SequentialPath, quantity: Quantity) -> str:
    """What is tested: no difference, or the margin."""
    return "no difference" if path.null == 0 else f"the margin, {quantity.declared_effect(path.null)}"


def nominal_level(path: SequentialPath, critical: float | None) -> float | None:
    """The level of a look by itself, over the sides of the test: that of a normal variable beyond its critical z."""
    return None if critical is None else path.sides * 0.5 * math.erfc(critical / math.sqrt(2))


def looks_to_come(path: SequentialPath) -> tuple[tuple[int, PlannedLook], ...]:
    """The declared looks that were not taken, by number: those beyond the information reached."""
    taken = path.points[-1] if path.points else None
    return tuple(
        (number, look)
        for number, look in enumerate(path.planned, start=1)
        if taken is None or look.information > taken.information
    )


def z_words(z: float | None) -> str:
    return "not computed" if z is None else decimal(z, 3)


def critical_words(critical: float | None) -> str:
    """A critical z; without one no z is large enough at that look."""
    return NOTHING if critical is None else decimal(critical, 3)


def crossed(path: SequentialPath, point: LookPoint) -> str | None:
    """Which boundary a look crossed, in words; None where it crossed none, or has none."""
    if path.rule == "always-valid":
        return _excluded(path, point)
    if point.z is None:
        return None
    if point.critical is not None and point.z >= point.critical:
        return "the efficacy boundary" if path.null == 0 else "the boundary inside the margin"
    if point.critical is not None and point.z <= -point.critical:
        return "the boundary on the worse side" if path.null == 0 else "the boundary beyond the margin"
    if point.futility is not None and point.z <= point.futility:
        return "the futility boundary"
    return None


def _excluded(path: SequentialPath, point: LookPoint) -> str | None:
    """On which side of what is tested the whole sequence lies."""
    low, high = finite(point.low), finite(point.high)
    above, below = low is not None and low > path.null, high is not None and high < path.null
    if not above and not below:
        return None
    if above == (path.direction == "higher"):
        return "the efficacy boundary" if path.null == 0 else "the boundary inside the margin"
    return "the boundary on the worse side" if path.null == 0 else "the boundary beyond the margin"


def path_sentence(path: SequentialPath) -> str:
    """What the looks taken show of one metric: which boundary was crossed, and when."""
    name = path_name(path)
    if not path.points:
        return f"{name}: no look was taken."
    found: dict[str, list[int]] = {}
    for point in path.points:
        if (boundary := crossed(path, point)) is not None:
            found.setdefault(boundary, []).append(point.k)
    if not found:
        return f"{name}: no boundary was crossed at {_looks([p.k for p in path.points])}{_last(path)}."
    which = "; ".join(f"{boundary} was crossed at {_looks(looks)}" for boundary, looks in found.items())
    return f"{name}: {which}{_last(path)}."


def _last(path: SequentialPath) -> str:
    """z at the last look, where the rule decides by z."""
    last = path.points[-1]
    if path.rule == "always-valid" or last.z is None or last.critical is None:
        return ""
    return (
        f" (z = {z_words(last.z)}, critical {critical_words(last.critical)}, at {share(last.information)} "
        "of the planned information)"
    )


def _looks(numbers: Sequence[int]) -> str:
    """look 2; looks 1 and 3; looks 8 to 15."""
    if len(numbers) == 1:
        return f"look {numbers[0]}"
    first, last = numbers[0], numbers[-1]
    if len(numbers) > 2 and last - first == len(numbers) - 1:
        return f"looks {first} to {last}"
    return f"looks {listed([str(number) for number in numbers])}"
