"""The stage-wise interval of the primary at the end of each replay, as a readout shows it."""

from __future__ import annotations

import math

import numpy as np

from analysis.sequential.inference import stagewise_inference
from analysis.sequential.monitoring import SequentialBoundaries, boundaries_at
from experiments.designs.design import Design
from experiments.designs.sequential import efficacy_design, futility_design
from experiments.simulation.pairs import Null, deviate
from experiments.simulation.rule import Endings
from tests.guarantees.arrivals import information
from tests.guarantees.populations import Cohorts


class Stagewise:
    """Intervals of a group-sequential design's primary, whose null is no difference.

    ``counting`` has the upper limit count futility that does not bind, as readouts do; without, as software does by convention.
    ``first_crossing`` ends the primary's own order at the look at which its boundary was first crossed, as readouts do, even where
    guardrails kept the experiment going; without, such a replay has no interval.
    """

    def __init__(
        self,
        found: Design,
        cohorts: Cohorts,
        ends: Endings,
        *,
        counting: bool = True,
        first_crossing: bool = True,
    ) -> None:
        pair = cohorts.pair(0, 1)
        self.measure, self.ends, self.first_crossing = found.primary, ends, first_crossing
        self.z = deviate(found.primary, pair, Null(), np.ones(pair.n.shape, dtype=bool))
        self.information, self.errors = information(found, cohorts.units), pair.standard_error()
        self.planned = efficacy_design(found, found.primary)
        futile = futility_design(found)
        self.futile = futile if futile is not None and counting and not futile.binding else None
        self._known: dict[
            tuple[tuple[float, ...], bool], tuple[SequentialBoundaries, list[float] | None]
        ] = {}

    def limits(self, replay: int) -> tuple[float, float] | None:
        """In the metric's unit; None where the boundary was crossed before the end, so that the order does not hold."""
        k = int(self.ends.look[replay]) + 1
        taken = tuple(self.information[replay, :k].tolist())
        bounds, nonbinding = self._boundaries(taken, k == self.information.shape[1])
        crossed = np.flatnonzero(np.abs(self.z[replay, : k - 1]) >= bounds.critical[: k - 1])
        if len(crossed):
            if not self.first_crossing:
                return None
            k = int(crossed[0]) + 1
            taken = taken[:k]
            bounds, nonbinding = self._boundaries(taken, final=False)
        binding = None
        if self.planned.binding and bounds.futility is not None:
            binding = [bound for bound in bounds.futility[: k - 1] if bound is not None]
        found = stagewise_inference(
            taken,
            bounds.critical,
            float(self.z[replay, k - 1]),
            self.measure.alpha,
            self.measure.sides,
            binding,
            nonbinding,
        )
        unit = float(self.errors[replay, k - 1]) * math.sqrt(taken[-1])
        return found.lower * unit, found.upper * unit

    def _boundaries(
        self, taken: tuple[float, ...], final: bool
    ) -> tuple[SequentialBoundaries, list[float] | None]:
        if (taken, final) not in self._known:
            nonbinding = None
            if self.futile is not None:
                inner = boundaries_at(self.futile, taken, final).futility or ()
                nonbinding = [bound for bound in inner[: len(taken) - 1] if bound is not None]
            self._known[taken, final] = boundaries_at(self.planned, taken, final), nonbinding
        return self._known[taken, final]
