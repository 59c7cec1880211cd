"""The rows that a day's arrivals leave in the three logs, with the faults that were switched on."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from experiments.traffic.arrivals import DAY, Arrivals, another_arm
from experiments.traffic.faults import (
    Crossovers,
    DuplicatedExposures,
    FutureTimestamps,
    MissingOutcomes,
    NullValues,
    OutcomesBeforeExposure,
)
from experiments.traffic.means import means_of
from experiments.traffic.outcomes import Floats, Happened, Integers, Outcome, microseconds
from experiments.traffic.scenario import Scenario

Columns: TypeAlias = dict[str, NDArray[np.generic]]
"""Columns of equal length; ``time`` is when the row was written, in microseconds since 1970 (UTC)."""


def assignment_rows(scenario: Scenario, day: int, arrivals: Arrivals) -> Columns:
    """Return a row per logged unit, and a second one in another arm for crossovers."""
    logged = np.flatnonzero(arrivals.logged)
    row, arm, time = logged, arrivals.arm[logged], arrivals.assigned_at[logged]
    for fault in scenario.faults:
        if isinstance(fault, Crossovers):
            chance = scenario.chance("crossovers", day)
            crossed = chance.random(len(logged)) < fault.share
            other = another_arm(scenario, arrivals.arm[logged], chance)
            later = arrivals.assigned_at[logged] + chance.integers(1, DAY, len(logged))
            row = np.concatenate([logged, logged[crossed]])
            arm = np.concatenate([arm, other[crossed]])
            time = np.concatenate([time, later[crossed]])
    levels = {name: level[row] for name, level in arrivals.levels.items()}
    return {"time": time, "unit": arrivals.unit[row], "arm": arm, **levels}


def exposure_rows(scenario: Scenario, day: int, arrivals: Arrivals) -> Columns:
    """Return a row per exposed unit, and its duplicates."""
    exposed = np.flatnonzero(arrivals.exposed & arrivals.logged)
    units, times = [arrivals.unit[exposed]], [arrivals.reference[exposed]]
    for number, fault in enumerate(scenario.faults):
        if isinstance(fault, DuplicatedExposures):
            chance = scenario.chance(f"duplicates {number}", day)
            again = np.repeat(exposed[chance.random(len(exposed)) < fault.share], fault.copies)
            wait = chance.integers(0, microseconds(fault.spread), len(again), endpoint=True)
            units.append(arrivals.unit[again])
            times.append(arrivals.reference[again] + wait)
    return {"time": np.concatenate(times), "unit": np.concatenate(units)}


@dataclass(frozen=True, slots=True)
class Occurred:
    """Outcome rows of one event before they are written: ``unit`` is an index into the arrivals."""

    event: str
    unit: Integers
    occurred_at: Integers
    value: Floats
    recorded_at: Integers

    def only(self, kept: NDArray[np.bool_]) -> "Occurred":
        return Occurred(
            self.event, self.unit[kept], self.occurred_at[kept], self.value[kept], self.recorded_at[kept]
        )


def outcome_rows(scenario: Scenario, day: int, arrivals: Arrivals) -> Columns:
    """Return the rows of all outcomes of these units; a missing value is NaN."""
    happened = [
        occurred
        for outcome in scenario.outcomes
        for occurred in occurrences(scenario, day, arrivals, outcome)
    ]
    codes = {event: code for code, event in enumerate(scenario.events)}
    return {
        "time": np.concatenate([rows.recorded_at for rows in happened]),
        "unit": arrivals.unit[np.concatenate([rows.unit for rows in happened])],
        "event": np.concatenate([np.full(len(rows.unit), codes[rows.event], np.int8) for rows in happened]),
        "occurred_at": np.concatenate([rows.occurred_at for rows in happened]),
        "value": np.concatenate([rows.value for rows in happened]),
    }


def occurrences(scenario: Scenario, day: int, arrivals: Arrivals, outcome: Outcome) -> list[Occurred]:
    before, means = means_of(scenario, outcome, arrivals.treated_as, arrivals.levels)
    happened = [
        *outcome.draw(scenario.chance(f"draw {outcome.event}", day), before, means),
        *afterwards(scenario, day, outcome, before),
    ]
    chance = scenario.chance(f"times {outcome.event}", day)
    return [
        with_faults(scenario, day, arrivals, rows, timed(outcome, arrivals, rows, chance))
        for rows in happened
    ]


def afterwards(scenario: Scenario, day: int, outcome: Outcome, before: Floats) -> list[Happened]:
    """Return the rows of the window after the window, where there are any."""
    if outcome.afterwards == 0:
        return []
    counts = scenario.chance(f"afterwards {outcome.event}", day).poisson(outcome.afterwards, len(before))
    unit = np.repeat(np.arange(len(before)), counts)
    return [Happened(outcome.event, unit, outcome.row_values(before[unit]), "after")]


def timed(outcome: Outcome, arrivals: Arrivals, rows: Happened, chance: np.random.Generator) -> Occurred:
    opens, window, history = map(microseconds, (outcome.opens, outcome.window, outcome.history))
    # Offsets from exposure, each half-open: the window begins with the exposure, the history ends before it.
    first, beyond = {"before": (-history, 0), "within": (opens, window), "after": (window, 2 * window)}[
        rows.when
    ]
    occurred_at = arrivals.reference[rows.unit] + chance.integers(first, beyond, len(rows.unit))
    recorded_at = occurred_at + outcome.delay.draw(chance, len(rows.unit))
    return Occurred(rows.event, rows.unit, occurred_at, rows.value, recorded_at)


def with_faults(
    scenario: Scenario, day: int, arrivals: Arrivals, drawn: Happened, rows: Occurred
) -> Occurred:
    kept = ~arrivals.lost[rows.unit]
    for number, fault in enumerate(scenario.faults):
        purpose = f"{type(fault).__name__} {number}"
        chance = scenario.chance(f"{purpose} of {drawn.event} {drawn.when}", day)
        if isinstance(fault, MissingOutcomes):
            kept &= ~missing_units(scenario, day, arrivals, fault, purpose, drawn)[rows.unit]
        elif isinstance(fault, OutcomesBeforeExposure) and drawn.when == "within":
            # One draw per unit for all its events: its clock lags.
            lags = scenario.chance(purpose, day).random(len(arrivals.unit)) < fault.share
            early = arrivals.reference[rows.unit] - chance.integers(
                1, microseconds(fault.by), len(rows.unit), endpoint=True
            )
            delay = rows.recorded_at - rows.occurred_at
            occurred_at = np.where(lags[rows.unit], early, rows.occurred_at)
            rows = replace(rows, occurred_at=occurred_at, recorded_at=occurred_at + delay)
        elif isinstance(fault, FutureTimestamps):
            leads = chance.random(len(rows.unit)) < fault.share
            occurred_at = np.where(leads, rows.recorded_at + microseconds(fault.by), rows.occurred_at)
            rows = replace(rows, occurred_at=occurred_at)
        elif isinstance(fault, NullValues) and fault.event in (None, drawn.event):
            rows = replace(
                rows, value=np.where(chance.random(len(rows.unit)) < fault.share, np.nan, rows.value)
            )
    return rows.only(kept)


def missing_units(
    scenario: Scenario, day: int, arrivals: Arrivals, fault: MissingOutcomes, purpose: str, drawn: Happened
) -> NDArray[np.bool_]:
    if drawn.when == "before" or fault.event not in (None, drawn.event):
        return np.zeros(len(arrivals.unit), dtype=bool)
    here = arrivals.arm == scenario.assignment.names.index(fault.arm)
    missing: NDArray[np.bool_] = here & (scenario.chance(purpose, day).random(len(here)) < fault.share)
    return missing
