"""Which column of a file that somebody hands in is which of the log it is to join."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from experiments.forms.problems import unknown_name
from experiments.logs.contracts import INTEGERS, TIMES, is_number
from experiments.logs.inspection import MappedColumn

LogKind = Literal["assignments", "exposures", "outcomes"]


@dataclass(frozen=True, slots=True)
class Role:
    """A column of a log's contract.

    Attributes:
        also: names under which teams often log it.
        kind: what its values must be.
    """

    name: str
    needed: bool
    kind: Literal["unit", "time", "number", "name"]
    says: str
    also: tuple[str, ...] = ()


ROLES: Final[Mapping[LogKind, tuple[Role, ...]]] = {
    "assignments": (
        Role(
            "unit", True, "unit", "who or what was assigned", ("unit_id", "user_id", "userid", "user", "id")
        ),
        Role("arm", True, "name", "the arm it was assigned to", ("variant", "group", "version", "treatment")),
        Role("assigned_at", True, "time", "when, UTC", ("timestamp", "time", "assigned", "at", "date")),
        Role("experiment", False, "name", "the assignment key, where the log is of several", ("key",)),
        Role("delivered", False, "name", "the arm that was really served", ("served", "served_variant")),
    ),
    "exposures": (
        Role("unit", True, "unit", "who or what was exposed", ("unit_id", "user_id", "userid", "user", "id")),
        Role("exposed_at", True, "time", "when first, UTC", ("timestamp", "time", "exposed", "at", "date")),
        Role("experiment", False, "name", "the assignment key, where the log is of several", ("key",)),
    ),
    "outcomes": (
        Role("unit", True, "unit", "to whom it happened", ("unit_id", "user_id", "userid", "user", "id")),
        Role("event", True, "name", "what happened", ("event_name", "name", "metric", "type")),
        Role("occurred_at", True, "time", "when, UTC", ("timestamp", "time", "event_time", "at", "date")),
        Role(
            "recorded_at", False, "time", "when the row arrived", ("received_at", "ingested_at", "loaded_at")
        ),
        Role("value", False, "number", "how much, where the event has an amount", ("amount", "revenue")),
    ),
}
"""The columns of each log; a new log needs the needed ones, a time only where more rows will come."""

TIME_OF: Final[Mapping[LogKind, str]] = {
    "assignments": "assigned_at",
    "exposures": "exposed_at",
    "outcomes": "occurred_at",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The log that a file is to join.

    Attributes:
        columns: of the log as it is, by role; of a new one the roles themselves.
        needed: roles without which nothing can be added.
        types: of the log's columns as they lie there; empty for a new one.
    """

    kind: LogKind
    columns: Mapping[str, str]
    needed: tuple[str, ...]
    types: Mapping[str, str]


def proposed(wanted: Wanted, types: Mapping[str, str]) -> dict[str, str]:
    """Which column is likely which: by the log's own name for it, else by one of its usual names and a fitting type."""
    found: dict[str, str] = {}
    roles = {role.name: role for role in ROLES[wanted.kind]}
    by_fold = {name.casefold(): name for name in types}
    for name, logged in wanted.columns.items():
        role = roles.get(name)
        names = (logged, name.partition(".")[2] or name, *(role.also if role else ()))
        for candidate in names:
            column = by_fold.get(candidate.casefold())
            if column is None or column in found.values():
                continue
            if candidate == logged or role is None or _fits(role.kind, types[column]) is None:
                found[name] = column
                break
    return found


def mapped_column(role: str, column: str, wanted: Wanted, types: Mapping[str, str]) -> MappedColumn:
    """A column as it was mapped, with what is wrong about that.

    Args:
        types: of the file's columns.
    """
    kind = types.get(column)
    if role not in wanted.columns:
        why = unknown_name(role, list(wanted.columns), "a column of this log")
        return MappedColumn(role, column, kind, why)
    if kind is None:
        return MappedColumn(role, column, None, unknown_name(column, list(types), "a column of the file"))
    known = {one.name: one for one in ROLES[wanted.kind]}.get(role)
    needs = "number" if role.startswith("wide.") else None if known is None else known.kind
    wrong = None if needs is None else _fits(needs, kind)
    there = wanted.types.get(wanted.columns[role])
    if wrong is None and there is not None and not _can_become(kind, there):
        wrong = f"is {kind} here and {there} in the log, where it is called {wanted.columns[role]}"
    return MappedColumn(role, column, kind, None if wrong is None else f"{column} {wrong}")


def _fits(needs: str, kind: str) -> str | None:
    """Why a type does not do."""
    if needs == "time" and not kind.startswith(TIMES):
        return f"is {kind}; a time must be a timestamp or a date, written as 2026-11-01 09:30:00 (UTC)"
    if needs == "number" and not is_number(kind):
        return f"is {kind}; a value must be a number"
    if needs in {"unit", "name"} and kind not in INTEGERS | {
        "VARCHAR",
        "UUID",
        "HUGEINT",
        "UBIGINT",
        "BOOLEAN",
    }:
        what = "a unit id" if needs == "unit" else "a name"
        return f"is {kind}; {what} must be text or a whole number"
    return None


def _can_become(kind: str, there: str) -> bool:
    """Whether values of one type may be written into a column of another without being changed."""
    if kind == there or (kind in INTEGERS and (is_number(there) or there == "VARCHAR")):
        return True
    if kind.startswith(TIMES) and there.startswith(TIMES):
        return there != "DATE"
    return (is_number(kind) and there == "DOUBLE") or (kind == "UUID" and there == "VARCHAR")
