"""What each log has to hold, and an example file of it: made up, small, and such that it passes the check of files handed in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from experiments.logs.upload_columns import ROLES, LogKind

PURPOSES: Final[Mapping[LogKind, str]] = {
    "assignments": "who was assigned to which arm, and when",
    "exposures": "when the arms could first differ for a unit",
    "outcomes": "what happened to the units afterwards",
}

_START: Final = datetime(2026, 11, 2, 9, tzinfo=UTC)
_UNITS: Final = 12


def columns_of(kind: LogKind) -> list[dict[str, str]]:
    """The columns of a log, as a table has them."""
    return [
        {
            "Column": role.name,
            "Needed": "yes" if role.needed else "if you have it",
            "What it holds": role.says,
        }
        for role in ROLES[kind]
    ]


def example_log(kind: LogKind) -> str:
    """An example file, as CSV."""
    heading, rows = _EXAMPLES[kind]
    return "\n".join([heading, *rows]) + "\n"


def _time(unit: int, minutes: int = 0) -> str:
    return f"{_START + timedelta(hours=5 * unit, minutes=minutes):%Y-%m-%d %H:%M:%S}"


_EXAMPLES: Final[Mapping[LogKind, tuple[str, list[str]]]] = {
    "assignments": (
        "experiment,unit,arm,assigned_at,country",
        [
            f"my-experiment,user-{unit:03d},{('control', 'candidate')[unit % 2]},{_time(unit)},{('SE', 'NO', 'DK')[unit % 3]}"
            for unit in range(_UNITS)
        ],
    ),
    "exposures": (
        "experiment,unit,exposed_at",
        [f"my-experiment,user-{unit:03d},{_time(unit, 2)}" for unit in range(_UNITS)],
    ),
    "outcomes": (
        "unit,event,occurred_at,recorded_at,value",
        [
            row
            for unit in range(_UNITS)
            for row in (
                f"user-{unit:03d},task_completed,{_time(unit, 30)},{_time(unit, 90)},1",
                f"user-{unit:03d},request_ms,{_time(unit, 30)},{_time(unit, 90)},{180 + 7 * unit}",
            )
        ],
    ),
}
