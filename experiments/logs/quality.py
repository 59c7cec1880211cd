"""How a log comes in: rows by day, how late they arrive, whether their units were assigned, what stands in it twice.

All of it is of rows, pooled over arms and events; no value is read. Of an outcome log only shares are kept beside the rows by
day, and not even those where it holds one event: there they would be that event's own count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from experiments.logs.contracts import unit_type
from experiments.logs.engines.duckdb import DuckDB, OpenedLog
from experiments.logs.sources import AssignmentLog, Log, OutcomeLog
from experiments.logs.sql import DAY_US, Step, at_moment, ident

MOST_DAYS: Final = 400
"""Days that are kept, the newest."""

MOST_DAYS_LATE: Final = 30
"""How far the curve of late arrivals goes at most."""

ONE_EVENT: Final = (
    "the log holds one event only: its rows by day would be that event's count, which is an outcome"
)


@dataclass(frozen=True, slots=True)
class Day:
    """Rows of one day by the log's own time; ``day`` is its midnight, UTC."""

    day: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How long rows take to arrive, over the rows that are old enough for all of the curve to be known.

    Attributes:
        shares: of the rows, how many had arrived at most 0, 1, 2, … whole days after they occurred.
        before: the curve is of rows that occurred before this moment: as many days before the newest arrival as it is long.
        not_computed: why there is no curve; then the others are empty and None.
    """

    shares: tuple[float, ...] = ()
    before: datetime | None = None
    not_computed: str | None = None

    def days_until(self, share: float) -> int | None:
        """The smallest number of days within which this share has arrived; None where the curve never gets there."""
        return next((days for days, reached in enumerate(self.shares) if reached >= share), None)


@dataclass(frozen=True, slots=True)
class Quality:
    """How one log comes in.

    Attributes:
        days: rows by day, oldest first, a day without rows as 0; empty where ``no_days`` says why.
        matched_share: of the rows with a unit, those whose unit stands in the assignments.
        repeated_share: of the rows, those that repeat another one in everything but their value.
        early_share: of the rows with both times, those recorded before they occurred.
    """

    days: tuple[Day, ...] = ()
    no_days: str | None = None
    arrivals: Arrivals = Arrivals(not_computed="nobody has looked")
    matched_share: float | None = None
    no_match: str | None = None
    repeated_share: float | None = None
    early_share: float | None = None


def quality_of(
    engine: DuckDB,
    opened: OpenedLog,
    log: Log,
    columns: Mapping[str, str],
    assigned: tuple[OpenedLog, str] | None,
    *,
    events: int | None = None,
) -> Quality:
    """How a log comes in, as far as its columns can be read.

    Args:
        columns: of the contract that can be read, by their role: ``unit``, ``event``, ``occurred_at``…
        assigned: the assignment log with its unit column; None for the assignment log itself, or where it cannot be read.
        events: how many events an outcome log holds, where it names them.
    """
    time = next(
        (columns[role] for role in ("assigned_at", "exposed_at", "occurred_at") if role in columns), None
    )
    days, no_days = _days(engine, opened, time, alone=isinstance(log, OutcomeLog) and events == 1)
    matched, no_match = _matched(engine, opened, log, columns.get("unit"), assigned)
    arrivals, early = _arrivals(engine, opened, time, columns.get("recorded_at"))
    return Quality(
        days=days,
        no_days=no_days,
        arrivals=arrivals,
        matched_share=matched,
        no_match=no_match,
        repeated_share=_repeated(engine, opened, log, columns, time),
        early_share=early,
    )


def _days(
    engine: DuckDB, opened: OpenedLog, time: str | None, *, alone: bool
) -> tuple[tuple[Day, ...], str | None]:
    if alone:
        return (), ONE_EVENT
    if time is None:
        return (), "the log has no time column that can be read"
    day = f"CAST({ident(time)} AS DATE)"
    found = engine.run(
        Step(
            "rows_by_day",
            f"SELECT epoch_us(CAST({day} AS TIMESTAMP)) AS day_us, count(*) AS n FROM {opened.sql} "
            f"WHERE {ident(time)} IS NOT NULL GROUP BY day_us ORDER BY day_us DESC LIMIT {MOST_DAYS}",
        )
    )
    rows = {int(us): int(n) for us, n in found}
    if not rows:
        return (), "the log holds no row with a time"
    newest = max(rows)
    oldest = max(min(rows), newest - (MOST_DAYS - 1) * DAY_US)
    return tuple(Day(at_moment(us), rows.get(us, 0)) for us in range(oldest, newest + 1, DAY_US)), None


def _matched(
    engine: DuckDB,
    opened: OpenedLog,
    log: Log,
    unit: str | None,
    assigned: tuple[OpenedLog, str] | None,
) -> tuple[float | None, str | None]:
    if isinstance(log, AssignmentLog):
        return None, "the other logs are matched to this one"
    if unit is None or assigned is None:
        return None, "a unit column cannot be read"
    other, other_unit = assigned
    kind = unit_type([(opened, unit), (other, other_unit)])
    found = engine.run(
        Step(
            "matched",
            f"WITH assigned AS (SELECT DISTINCT CAST({ident(other_unit)} AS {kind}) AS unit FROM {other.sql}) "
            f"SELECT count(*) AS n, count(assigned.unit) AS matched FROM (SELECT CAST({ident(unit)} AS {kind}) AS unit "
            f"FROM {opened.sql} WHERE {ident(unit)} IS NOT NULL) AS logged LEFT JOIN assigned ON logged.unit = assigned.unit",
        )
    )
    rows, matched = found[0]
    return (_share(matched, rows), None) if rows else (None, "the log holds no row with a unit")


def _repeated(
    engine: DuckDB, opened: OpenedLog, log: Log, columns: Mapping[str, str], time: str | None
) -> float | None:
    """Rows alike in all that tells one from another. Times that are mere dates tell nothing of an event apart."""
    if "unit" not in columns or (isinstance(log, OutcomeLog) and time and opened.types[time] == "DATE"):
        return None
    told_apart = ("experiment", "unit", "arm", "event", "assigned_at", "exposed_at", "occurred_at")
    keys = ", ".join(ident(columns[role]) for role in told_apart if role in columns)
    found = engine.run(
        Step(
            "repeated",
            f"SELECT sum(n), sum(n - 1) FROM (SELECT count(*) AS n FROM {opened.sql} GROUP BY {keys}) AS alike",
        )
    )
    rows, repeated = found[0]
    return _share(repeated, rows) if rows else None


def _arrivals(
    engine: DuckDB, opened: OpenedLog, time: str | None, recorded: str | None
) -> tuple[Arrivals, float | None]:
    if time is None or recorded is None:
        return Arrivals(not_computed="the log does not say when a row arrived (recorded_at)"), None
    at, came = f"epoch_us({ident(time)})", f"epoch_us({ident(recorded)})"
    both = f"FROM {opened.sql} WHERE {ident(time)} IS NOT NULL AND {ident(recorded)} IS NOT NULL"
    rows, first, newest, early = engine.run(
        Step(
            "arrivals",
            f"SELECT count(*), min({at}), max({came}), count(CASE WHEN {came} < {at} THEN 1 END) {both}",
        )
    )[0]
    if not rows:
        return Arrivals(not_computed="no row has both times"), None
    reach = min(MOST_DAYS_LATE, (int(newest) - int(first)) // (2 * DAY_US))
    if reach < 1:
        why = "the log covers less than 2 days, so late rows cannot have come yet"
        return Arrivals(not_computed=why), _share(early, rows)
    before = int(newest) - reach * DAY_US
    found = engine.run(
        Step(
            "days_late",
            f"SELECT CASE WHEN {came} <= {at} THEN 0 ELSE ({came} - {at} + {DAY_US - 1}) // {DAY_US} END AS days_late, "
            f"count(*) AS n {both} AND {at} < {before} GROUP BY days_late ORDER BY days_late",
        )
    )
    late = {int(days): int(n) for days, n in found}
    all_of_them = sum(late.values())
    if not all_of_them:
        return Arrivals(not_computed="no row is old enough for its late arrival to be known"), _share(
            early, rows
        )
    shares = tuple(
        _share(sum(n for days, n in late.items() if days <= within), all_of_them)
        for within in range(reach + 1)
    )
    return Arrivals(shares, at_moment(before)), _share(early, rows)


def _share(part: int, whole: int) -> float:
    """To six decimals: finer would count rows."""
    return round(int(part) / int(whole), 6)
