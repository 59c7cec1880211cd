"""When the rungs of a rollout began, by their logs: the first mirrored request, the first exposed unit. Reads no outcome."""

from __future__ import annotations

from datetime import datetime

from experiments.canaries.cohort import cohort_of
from experiments.canaries.design import CanaryDesign
from experiments.canaries.reading import CanaryReading
from experiments.logs.arrival import _all_there, exposures_begun
from experiments.logs.sources import Sources
from experiments.logs.sql import Step, at_moment
from experiments.shadows.design import ShadowDesign
from experiments.shadows.logs import PredictionSources
from experiments.shadows.reading import ShadowReading


def predictions_begun(design: ShadowDesign, predictions: PredictionSources) -> bool:
    """Whether the logs are there from which the shadow's first request is known.

    Raises:
        Invalid: the predictions file does not name the design's source.
    """
    source = predictions[design.written.source]
    return _all_there(source.logs, predictions.place)


def first_request(design: ShadowDesign, predictions: PredictionSources) -> tuple[datetime | None, bool]:
    """When the first request was scored, and whether there is any; data without times have no when.

    Raises:
        Invalid: a log cannot be read.
    """
    with ShadowReading(design, predictions) as reading:
        rows = reading.pair(reading.watermark().us, content=False)
        if not reading.timed:
            return None, sum(rows) > 0
        (first,) = reading.one(Step("first", "SELECT min(at_us) FROM pairs"))
    return (None, False) if first is None else (at_moment(int(first)), True)


def canary_begun(design: CanaryDesign, sources: Sources) -> bool:
    """Whether the logs are there from which the canary's first exposure is known.

    Raises:
        Invalid: the sources file does not name the design's source.
    """
    return exposures_begun(cohort_of(design), sources)


def first_unit(design: CanaryDesign, sources: Sources) -> datetime | None:
    """When the first unit of a canary was exposed; None while none is.

    Raises:
        Invalid: a log cannot be read.
    """
    with CanaryReading(design, sources) as reading:
        reading.place_units()
        first = reading.first_exposure_us()
    return None if first is None else at_moment(first)
