"""What is wrong with a declared scenario."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from experiments.traffic.faults import (
    Crossovers,
    LatePartition,
    LostUnits,
    Misassigned,
    MissingOutcomes,
    NullValues,
)
from experiments.traffic.means import cells_of, means_of

if TYPE_CHECKING:
    from experiments.traffic.scenario import Scenario

MOST_UNITS_PER_EXPERIMENT = 10**8


def own_problems(scenario: Scenario) -> Iterator[str]:
    if not scenario.experiment or not scenario.experiment.isascii() or "/" in scenario.experiment:
        yield f"experiment: {scenario.experiment!r} is not allowed; give ASCII text without a slash"
    if scenario.unit_prefix is not None and not scenario.unit_prefix.isascii():
        yield f"unit_prefix: {scenario.unit_prefix!r} is not allowed; give ASCII text"
    if not scenario.days >= 1:
        yield f"days: {scenario.days} is not allowed; give at least 1"
    if not 0 < scenario.units_per_day * max(scenario.days, 1) < MOST_UNITS_PER_EXPERIMENT / 2:
        yield f"units_per_day: {scenario.units_per_day} is not allowed; above 0, below 50 million in all"
    if not 1 <= scenario.replicates <= 99_999:
        yield f"replicates: {scenario.replicates} is not allowed; give 1 to 99,999"
    if not 0 < scenario.exposed <= 1:
        yield f"exposed: {scenario.exposed} is not allowed; give a share above 0, up to 1"
    if scenario.exposure_delay < timedelta(0):
        yield f"exposure_delay: {scenario.exposure_delay} is not allowed; give 0 or more"
    for name, pattern, length in (("weekdays", scenario.weekdays, 7), ("hours", scenario.hours, 24)):
        if len(pattern) != length or min(pattern) < 0 or sum(pattern) <= 0:
            yield f"{name}: {pattern} is not allowed; give {length} weights, none below 0"
    if not scenario.outcomes:
        yield "outcomes: none is not allowed; give at least one"
    events = [event for outcome in scenario.outcomes for event in outcome.events]
    for event in sorted({event for event in events if events.count(event) > 1}):
        yield f"outcomes: {event!r} is used twice; give every event its own name"
    for attribute in scenario.attributes:
        if len(attribute.levels) < 1 or min(attribute.shares) < 0 or abs(attribute.shares.sum() - 1) > 1e-9:
            yield f"attributes: the shares of {attribute.name!r} must be 0 or more and add up to 1"
        if attribute.name in ("experiment", "unit", "arm", "assigned_at", "dt"):
            yield f"attributes: {attribute.name!r} is a column of the log; give it another name"
    for outcome in scenario.outcomes:
        for problem in outcome.problems():
            yield f"outcomes.{outcome.event}.{problem}"


def effect_problems(scenario: Scenario) -> Iterator[str]:
    known = {(attribute.name, level) for attribute in scenario.attributes for level in attribute.names}
    for outcome in scenario.outcomes:
        for effect in outcome.effects:
            where = f"outcomes.{outcome.event}.effects"
            if effect.arm is not None and effect.arm not in scenario.assignment.names:
                yield f"{where}: {effect.arm!r} is no arm; give one of {', '.join(scenario.assignment.names)}"
            if effect.segment is not None and effect.segment not in known:
                yield f"{where}: {effect.segment} is no level of an attribute; declare it in attributes"
            if effect.arm is None and effect.segment is None:
                yield f"{where}: an effect of {effect.size} on everybody is a baseline; give arm or segment"


def fault_problems(scenario: Scenario) -> Iterator[str]:
    for fault in scenario.faults:
        where = f"faults.{type(fault).__name__}"
        if not isinstance(fault, LatePartition) and not 0 < fault.share <= 1:
            yield f"{where}.share: {fault.share} is not allowed; give a share above 0, up to 1"
        if isinstance(fault, LostUnits | MissingOutcomes) and fault.arm not in scenario.assignment.names:
            yield f"{where}.arm: {fault.arm!r} is no arm; give one of {', '.join(scenario.assignment.names)}"
        if isinstance(fault, MissingOutcomes | NullValues) and fault.event not in (None, *scenario.events):
            yield f"{where}.event: {fault.event!r} is no event; give one of {', '.join(scenario.events)}"
    for kind in (Crossovers, Misassigned):
        if sum(isinstance(fault, kind) for fault in scenario.faults) > 1:
            yield f"faults.{kind.__name__}: is given twice; give it once"


def mean_problems(scenario: Scenario) -> Iterator[str]:
    for outcome in scenario.outcomes:
        cells = cells_of(scenario, outcome)
        before, means = means_of(scenario, outcome, cells.arm, cells.levels)
        for problem in outcome.cell_problems(before, means):
            yield f"outcomes.{outcome.event}.{problem}"
