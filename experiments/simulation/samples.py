"""What the rule is applied to: many replays of one experiment, drawn or re-split from past logs."""

from __future__ import annotations

from typing import Protocol

from experiments.designs.design import Design, Measure
from experiments.simulation.pairs import Floats, Pair


class Sample(Protocol):
    """Replays of one experiment: units by replay, look and arm, and the pair of arms of every measure that is judged."""

    @property
    def units(self) -> Floats: ...

    def with_value(self, measure: int) -> Floats | None:
        """Units with a value of the measure, by replay, look and arm; None where none is missing."""
        ...

    def pair(self, measure: int, treatment: int) -> Pair: ...


def judged_measures(design: Design) -> tuple[int, ...]:
    """The measures that can end an experiment, by their place in the design."""
    roles = {"primary", "must-hold", "harm-stop"}
    return tuple(index for index, measure in enumerate(design.measures) if measure.role in roles)


def drawn_measures(design: Design) -> tuple[int, ...]:
    """Those of them that can be drawn: all but harm stops without a baseline, which a design may leave open."""
    return tuple(i for i in judged_measures(design) if _has_baseline(design.measures[i]))


def deciding_measures(design: Design) -> tuple[int, ...]:
    """The primary and the must-hold guardrails."""
    return tuple(i for i in judged_measures(design) if design.measures[i].role != "harm-stop")


def _has_baseline(measure: Measure) -> bool:
    found = measure.baseline
    return found is not None and (measure.metric.is_binary or found.sd is not None)
