"""The logs day by day, in the order of their days: what a live system would have written by each midnight."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.traffic.arrivals import DAY, arrivals, day_number, experiment_ids, unit_ids
from experiments.traffic.outcomes import Integers
from experiments.traffic.rows import Columns, assignment_rows, exposure_rows, outcome_rows
from experiments.traffic.scenario import Scenario

Log: TypeAlias = Literal["assignments", "exposures", "outcomes"]
LOGS: tuple[Log, ...] = ("assignments", "exposures", "outcomes")

TIME = pa.timestamp("us")
"""Times are UTC, and without a zone in their type, as most teams' Parquet logs have them."""


def days_of(scenario: Scenario, until: datetime | None = None) -> Iterator[tuple[date, dict[Log, pa.Table]]]:
    """Yield each day with the rows written on it, ordered by the time they were written.

    A row stands on the day it was written: an outcome on that of ``recorded_at``, not of ``occurred_at``.
    Every day has all three tables, if need be empty ones, so that the last day of each log says how far it is
    complete. Rows written at ``until`` or later are left out (default: nothing is, up to ``scenario.end``).

    Memory holds only the rows between the earliest history and the latest label of the units arriving.
    """
    until = scenario.end if until is None else until
    last_microsecond = (until - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    pending = {log: Pending(last_microsecond) for log in LOGS}
    history = (scenario.start - scenario.first_day).days
    day = scenario.first_day
    for number, arrived in enumerate(arrivals(scenario)):
        pending["assignments"].add(assignment_rows(scenario, number, arrived))
        pending["exposures"].add(exposure_rows(scenario, number, arrived))
        pending["outcomes"].add(outcome_rows(scenario, number, arrived))
        # Units of tomorrow bring no row from before tomorrow's history.
        while day <= scenario.start + timedelta(days=number - history) and midnight(day) < until:
            yield day, tables(scenario, day, pending)
            day += timedelta(days=1)
    while midnight(day) < until:
        yield day, tables(scenario, day, pending)
        day += timedelta(days=1)


@dataclass(slots=True)
class Pending:
    """Rows waiting for their day to be complete; those from ``until`` on are never kept."""

    until: int
    days: dict[int, list[Columns]] = field(default_factory=dict)

    def add(self, columns: Columns) -> None:
        time: Integers = columns["time"].astype(np.int64, copy=False)
        order = np.argsort(time, kind="stable")[: np.count_nonzero(time < self.until)]
        ordered = {name: column[order] for name, column in columns.items()}
        days = ordered["time"].astype(np.int64) // DAY
        starts = np.flatnonzero(np.diff(days, prepend=-1))
        for start, end in zip(starts, np.append(starts, len(days))[1:], strict=True):
            rows = {name: column[start:end].copy() for name, column in ordered.items()}
            self.days.setdefault(int(days[start]), []).append(rows)

    def take(self, day: int, empty: Columns) -> Columns:
        """Return the rows of a day by time, and forget them."""
        parts = self.days.pop(day, [empty])
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(columns["time"], kind="stable")
        return {name: column[order] for name, column in columns.items()}


def tables(scenario: Scenario, day: date, pending: dict[Log, Pending]) -> dict[Log, pa.Table]:
    number = day_number(day)
    levels = {attribute.name: np.zeros(0, np.int8) for attribute in scenario.attributes}
    nothing = {name: np.zeros(0, np.int64) for name in ("time", "unit", "occurred_at")}
    codes = {name: np.zeros(0, np.int8) for name in ("arm", "event")}
    empty: Columns = {**nothing, **codes, **levels, "value": np.zeros(0)}
    return {
        "assignments": assignments_table(scenario, pending["assignments"].take(number, empty)),
        "exposures": exposures_table(scenario, pending["exposures"].take(number, empty)),
        "outcomes": outcomes_table(scenario, pending["outcomes"].take(number, empty)),
    }


def assignments_table(scenario: Scenario, rows: Columns) -> pa.Table:
    unit = rows["unit"].astype(np.int64, copy=False)
    return pa.table(
        {
            "experiment": experiment_ids(scenario, unit),
            "unit": unit_ids(scenario, unit),
            "arm": words(scenario.assignment.names, rows["arm"]),
            "assigned_at": pa.array(rows["time"], TIME),
            **{a.name: words(a.names, rows[a.name]) for a in scenario.attributes},
        }
    )


def exposures_table(scenario: Scenario, rows: Columns) -> pa.Table:
    unit = rows["unit"].astype(np.int64, copy=False)
    return pa.table(
        {
            "experiment": experiment_ids(scenario, unit),
            "unit": unit_ids(scenario, unit),
            "exposed_at": pa.array(rows["time"], TIME),
        }
    )


def outcomes_table(scenario: Scenario, rows: Columns) -> pa.Table:
    return pa.table(
        {
            "unit": unit_ids(scenario, rows["unit"].astype(np.int64, copy=False)),
            "event": words(scenario.events, rows["event"]),
            "occurred_at": pa.array(rows["occurred_at"], TIME),
            "value": pa.array(rows["value"], pa.float64(), from_pandas=True),
            "recorded_at": pa.array(rows["time"], TIME),
        }
    )


def words(names: tuple[str, ...], codes: NDArray[np.generic]) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(codes, pa.int8()))


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
