"""A shadow's deciding numbers over the looks taken: boundaries, and what may be said after the stop."""

from __future__ import annotations

import math
from typing import Any

from analysis.paired import PairedResult
from analysis.sequential.inference import LARGEST_Z, stagewise_inference
from analysis.sequential.monitoring import SequentialBoundaries, boundaries_at
from experiments.readouts.comparisons import finite
from experiments.readouts.past import SAME_INFORMATION
from experiments.readouts.readout import Interval, LookPoint, PlannedLook, SequentialPath
from experiments.shadows.comparing import ShadowTests
from experiments.shadows.readout import PairedComparison


def path_of(tests: ShadowTests, found: PairedComparison, result: PairedResult) -> SequentialPath | None:
    """One comparison over the looks so far; None with a single look, or of a limit that has no test at a null."""
    stopping = tests.design.stopping
    if tests.rule == "fixed" or (result.z is None and found.role != "primary"):
        return None
    test, bounds = result.test, None
    planned: tuple[PlannedLook, ...] = ()
    words = f"normal-mixture confidence sequence, burn-in {stopping.burn_in} units"
    if tests.rule == "group-sequential":
        declared = tests.boundary(test.alpha, test.sides)
        bounds = boundaries_at(declared, tests.information, tests.ends)
        parameter = "" if stopping.parameter is None else f" ({stopping.parameter:g})"
        words = f"{declared.boundary}{parameter}"
        planned = tuple(
            PlannedLook(information=information, critical=finite(critical), futility=None, spent=spent)
            for information, critical, spent in zip(
                declared.information, declared.critical, declared.spent, strict=True
            )
        )
    path = SequentialPath(
        metric=found.metric,
        label=found.label,
        role="primary" if found.role == "primary" else "must-hold",
        treatment=found.treatment,
        segment=found.segment,
        segment_level=found.level,
        unit=found.unit,
        scale="absolute",
        direction=found.direction,
        rule=tests.rule,
        boundary=words,
        alpha=test.alpha,
        sides=test.sides,
        level=test.level,
        null=test.null,
        points=(),
        planned=planned,
    )
    point = LookPoint(
        k=tests.look.k,
        cut_off=tests.look.cut_off,
        information=tests.look.information,
        z=finite(result.z),
        critical=finite(result.critical) if tests.rule == "group-sequential" else None,
        futility=None,
        spent=None if bounds is None else bounds.spent[-1],
        estimate=found.estimate,
        standard_error=_standard_error(result),
        low=None if found.interval is None else found.interval.low,
        high=None if found.interval is None else found.interval.high,
        p_value=result.p_value,
    )
    before = [earlier for one in tests.past if (earlier := one.point(path)) is not None]
    path = path.model_copy(update={"points": (*before, point)})
    return path.model_copy(update=_after_the_stop(path, bounds))


def _standard_error(result: PairedResult) -> float | None:
    """Of the estimate as it enters z."""
    if result.estimate is None or not result.z:
        return None
    error = abs(result.estimate - result.test.null) / abs(result.z)
    return error if error > 0 and math.isfinite(error) else None


def _after_the_stop(path: SequentialPath, bounds: SequentialBoundaries | None) -> dict[str, Any]:
    """Inference by the stage-wise order, from where the primary's own boundary was first crossed."""
    if bounds is None:
        return {"not_computed": "a confidence sequence needs none: its interval holds at every look"}
    if path.role != "primary":
        return {"not_computed": "it does not order the stops; its repeated interval decides"}
    looks, end = len(bounds.information), path.points[-1]
    for point in path.points[:-1]:
        taken = [t for t in bounds.information if t <= point.information + SAME_INFORMATION]
        if taken and point.z is not None and point.critical is not None and abs(point.z) >= point.critical:
            looks, end = len(taken), point
            break
    if end.z is None or end.standard_error is None or abs(end.z) > LARGEST_Z:
        return {"not_computed": f"z = {end.z} at the stop gives no stage-wise interval"}
    information, critical = bounds.information[:looks], bounds.critical[:looks]
    found = stagewise_inference(information, critical, end.z, path.alpha, path.sides, None, None)
    unit = end.standard_error * math.sqrt(information[-1])
    sign = 1 if path.direction == "higher" else -1
    low, high = sorted(path.null + sign * unit * drift for drift in (found.lower, found.upper))
    return {
        "stagewise_p_value": found.p_value,
        "stagewise_interval": Interval(low=low, high=high, level=found.level),
        "median_unbiased": path.null + sign * unit * found.median_unbiased,
    }
