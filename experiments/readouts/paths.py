"""A deciding measure over the looks taken: its boundaries, its z, and what the stage-wise order says after the stop."""

from __future__ import annotations

import math

from analysis.effects import Effect
from analysis.sequential.inference import LARGEST_Z, stagewise_inference
from analysis.sequential.monitoring import boundaries_at
from experiments.designs.design import Measure
from experiments.designs.sequential import futility_design
from experiments.readouts.boundaries import AtLook, LookTests
from experiments.readouts.comparisons import finite
from experiments.readouts.estimates import EVERYONE, Among
from experiments.readouts.past import SAME_INFORMATION
from experiments.readouts.readout import Interval, LookPoint, PlannedLook, SequentialPath


def path_of(
    tests: LookTests, index: int, treatment: int, at: AtLook, alpha: float, among: Among = EVERYONE
) -> SequentialPath | None:
    """A deciding measure over the looks taken; None with a single look."""
    measure, design = tests.design.measures[index], tests.design
    if tests.rule == "fixed":
        return None
    effect = at.answer.effect
    low, high = effect.ci or (None, None)
    futility = None if measure.role != "primary" else _futility_bounds(tests)
    point = LookPoint(
        k=tests.look.k,
        cut_off=tests.look.cut_off,
        information=tests.look.information,
        z=at.z,
        critical=None if at.boundaries is None else finite(at.boundaries.critical[-1]),
        futility=None if not futility or not tests.interim else finite(futility[-1]),
        spent=None if at.boundaries is None else at.boundaries.spent[-1],
        estimate=finite(effect.estimate),
        standard_error=_standard_error(effect),
        low=finite(low),
        high=finite(high),
        p_value=at.answer.p_value,
    )
    path = SequentialPath(
        metric=measure.metric.reference,
        label=measure.label,
        role="primary" if measure.role == "primary" else "must-hold",
        treatment=design.arms[treatment].name,
        segment=among.segment,
        segment_level=among.level,
        unit="percentage points" if measure.metric.is_binary else measure.metric.unit,
        scale=effect.scale,
        direction=measure.metric.direction,
        rule="always-valid" if tests.rule == "always-valid" else "group-sequential",
        boundary=_boundary_words(tests, at),
        alpha=alpha,
        sides=measure.sides,
        level=1 - (alpha if measure.sides == 2 else 2 * alpha),
        null=effect.null,
        points=(),
        planned=_planned(tests, at, measure),
    )
    before = [found for one in tests.past if (found := one.point(path)) is not None]
    path = path.model_copy(update={"points": (*before, point)})
    return path.model_copy(update=_stagewise(path, at, effect, futility))


def _futility_bounds(tests: LookTests) -> tuple[float | None, ...] | None:
    declared = futility_design(tests.design)
    return None if declared is None else boundaries_at(declared, tests.information, tests.ends).futility


def _boundary_words(tests: LookTests, at: AtLook) -> str:
    stopping = tests.design.stopping
    if at.boundary is None:
        return f"normal-mixture confidence sequence, burn-in {stopping.burn_in} units"
    parameter = "" if stopping.parameter is None else f" ({stopping.parameter:g})"
    return f"{at.boundary.boundary}{parameter}"


def _planned(tests: LookTests, at: AtLook, measure: Measure) -> tuple[PlannedLook, ...]:
    if at.boundary is None:
        return ()
    declared = futility_design(tests.design) if measure.role == "primary" else None
    inner = None if declared is None else declared.futility
    rows = zip(at.boundary.information, at.boundary.critical, at.boundary.spent, strict=True)
    return tuple(
        PlannedLook(
            information=information,
            critical=finite(critical),
            futility=finite(inner[look]) if inner is not None and look < len(inner) else None,
            spent=spent,
        )
        for look, (information, critical, spent) in enumerate(rows)
    )


def _stagewise(
    path: SequentialPath, at: AtLook, effect: Effect, futility: tuple[float | None, ...] | None
) -> dict[str, object]:
    """Inference by the stage-wise order once nothing follows; the caller drops it where the experiment goes on."""
    if at.boundaries is None or at.boundary is None:
        return {"not_computed": "a confidence sequence needs none: its interval holds at every look"}
    if path.role != "primary":
        return {"not_computed": "a guardrail does not order the stops; its repeated interval decides"}
    end = _end_of_the_primary(path, at, effect)
    if isinstance(end, str):
        return {"not_computed": end}
    looks, z, error = end
    information, critical = at.boundaries.information[:looks], at.boundaries.critical[:looks]
    before = None if futility is None else tuple(b for b in futility[: looks - 1] if b is not None)
    binding = at.boundary.binding
    found = stagewise_inference(
        information,
        critical,
        z,
        path.alpha,
        path.sides,
        before if binding else None,
        None if binding else before,
    )
    unit = error * math.sqrt(information[-1])
    sign = 1 if path.direction == "higher" else -1
    low, high = sorted(effect.null + sign * unit * drift for drift in (found.lower, found.upper))
    return {
        "stagewise_p_value": found.p_value,
        "stagewise_interval": Interval(low=low, high=high, level=found.level),
        "median_unbiased": effect.null + sign * unit * found.median_unbiased,
    }


def _end_of_the_primary(path: SequentialPath, at: AtLook, effect: Effect) -> tuple[int, float, float] | str:
    """Where the primary's own test ended: how many looks, its z there, and the standard error on the scale shown.

    It ended where its boundary was first crossed, also where a guardrail kept the experiment going. Shown only where it had
    not crossed before, the interval would be selected, and cover less (docs/guarantees.md).
    """
    error = _standard_error(effect)
    if at.boundaries is None or at.z is None or error is None or effect.statistic is None:
        return effect.not_computed or "no standard error"
    looks, z = len(at.boundaries.information), at.z
    for point in path.points[:-1]:
        taken = [t for t in at.boundaries.information if t <= point.information + SAME_INFORMATION]
        crossed = point.z is not None and point.critical is not None and abs(point.z) >= point.critical
        if crossed and taken and point.z is not None and point.standard_error is not None:
            looks, z, error = len(taken), point.z, point.standard_error
            break
    return (looks, z, error) if abs(z) <= LARGEST_Z else f"z = {z:.1f} at the stop is beyond {LARGEST_Z:g}"


def _standard_error(effect: Effect) -> float | None:
    """Of the contrast tested, on the scale of the estimate."""
    if effect.standard_error is None or effect.scale == "absolute":
        return effect.standard_error
    return effect.standard_error / abs(effect.control_mean or 1.0)


def going_on(path: SequentialPath) -> SequentialPath:
    """A path whose experiment goes on: what may be said after a stop is not said."""
    return path.model_copy(
        update={
            "stagewise_p_value": None,
            "stagewise_interval": None,
            "median_unbiased": None,
            "not_computed": "the test has not stopped",
        }
    )
