"""Sequential paths to render: a group-sequential stop at look 2 of 3, and an always-valid one over four weeks.

The boundaries are those of Lan-DeMets spending of the O'Brien-Fleming kind at 40%, 70% and 100% of the information; the
rest is written by hand.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from experiments.readouts.readout import LookPoint, PlannedLook, SequentialPath
from tests.app.sample_parts import interval

START = datetime(2026, 11, 3, tzinfo=UTC)

PLANNED = (
    PlannedLook(information=0.4, critical=3.356869, futility=-0.428549, spent=0.000788),
    PlannedLook(information=0.7, critical=2.444542, futility=1.048236, spent=0.014769),
    PlannedLook(information=1.0, critical=2.000539, futility=None, spent=0.05),
)


def point(k: int, weeks: int, **changes: Any) -> LookPoint:
    fields: dict[str, Any] = {
        "k": k,
        "cut_off": START + timedelta(weeks=weeks),
        "futility": None,
        "p_value": None,
        "standard_error": 0.00471 if changes.get("estimate") is not None else None,
    }
    return LookPoint(**(fields | changes))


def efficacy(**changes: Any) -> SequentialPath:
    """Task success: went on at look 1, crossed at look 2."""
    fields: dict[str, Any] = {
        "metric": "task_success@3",
        "label": "task_success@3",
        "role": "primary",
        "treatment": "treatment",
        "segment": None,
        "segment_level": None,
        "unit": "percentage points",
        "scale": "absolute",
        "direction": "higher",
        "rule": "group-sequential",
        "boundary": "lan-demets-obf",
        "alpha": 0.05,
        "sides": 2,
        "level": 0.95,
        "null": 0.0,
        "points": (
            point(
                1,
                1,
                information=0.4123,
                z=1.3021,
                critical=3.304127,
                futility=-0.352614,
                spent=0.000911,
                estimate=0.01011,
                low=-0.015544,
                high=0.035764,
                p_value=0.318842,
            ),
            point(
                2,
                2,
                information=0.7311,
                z=2.83117,
                critical=2.388915,
                futility=1.140207,
                spent=0.017493,
                estimate=0.016508,
                low=0.002579,
                high=0.030437,
                p_value=0.012634,
            ),
        ),
        "planned": PLANNED,
        "stagewise_p_value": 0.005127,
        "stagewise_interval": interval(0.004911, 0.027862),
        "median_unbiased": 0.016373,
    }
    return SequentialPath(**(fields | changes))


def latency_path(**changes: Any) -> SequentialPath:
    """p95 latency: inside its margin of 20 ms at look 2; a lower latency is better."""
    fields: dict[str, Any] = {
        "metric": "p95_latency@1",
        "label": "p95_latency@1",
        "role": "must-hold",
        "unit": "ms",
        "direction": "lower",
        "alpha": 0.025,
        "sides": 1,
        "null": 20.0,
        "points": (
            point(
                1,
                1,
                information=0.4123,
                z=2.1142,
                critical=3.304127,
                spent=0.000455,
                estimate=4.9,
                low=-18.6,
                high=28.4,
                p_value=0.2207,
            ),
            point(
                2,
                2,
                information=0.7311,
                z=3.3419,
                critical=2.388915,
                spent=0.008747,
                estimate=6.1,
                low=-3.8,
                high=16.1,
                p_value=0.00731,
            ),
        ),
        "planned": tuple(
            look.model_copy(update={"futility": None, "spent": (look.spent or 0.0) / 2}) for look in PLANNED
        ),
        "stagewise_p_value": None,
        "stagewise_interval": None,
        "median_unbiased": None,
        "not_computed": "its boundary had been crossed at look 1 and the experiment went on",
    }
    return efficacy(**(fields | changes))


def futile(**changes: Any) -> SequentialPath:
    """Stopped at look 2: the futility boundary."""
    first, second = efficacy().points
    stopped = second.model_copy(
        update={"z": 0.4132, "estimate": 0.002417, "low": -0.01157, "high": 0.0164, "p_value": 0.8711}
    )
    return efficacy(
        **({"points": (first, stopped), "median_unbiased": 0.002431, "stagewise_p_value": 0.6907} | changes)
    )


def always_valid(**changes: Any) -> SequentialPath:
    """Task success by a confidence sequence: before the burn-in at look 1, above 0 at look 4."""
    rows = (
        (1, 0.11, None, None, None, None, None),
        (2, 0.29, 1.2207, 0.00912, -0.01533, 0.03357, 1.0),
        (3, 0.52, 2.4413, 0.01377, -0.00428, 0.03182, 0.2213),
        (4, 0.77, 3.7107, 0.01722, 0.00201, 0.03243, 0.01127),
    )
    fields: dict[str, Any] = {
        "rule": "always-valid",
        "boundary": "normal-mixture confidence sequence, burn-in 4000 units",
        "points": tuple(
            point(
                k,
                k,
                information=information,
                z=z,
                critical=None,
                spent=None,
                estimate=estimate,
                low=low,
                high=high,
                p_value=p,
            )
            for k, information, z, estimate, low, high, p in rows
        ),
        "planned": (),
        "stagewise_p_value": None,
        "stagewise_interval": None,
        "median_unbiased": None,
        "not_computed": "a confidence sequence needs none: its interval holds at every look",
    }
    return efficacy(**(fields | changes))
