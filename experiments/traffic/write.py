"""Writes the logs of scenarios as Parquet, a folder per day, with their truth beside them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.traffic.days import Log, days_of, midnight
from experiments.traffic.faults import LatePartition
from experiments.traffic.scenario import Scenario
from experiments.traffic.truth import truth_of

ROW_GROUP = 1_000_000


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: rows per log, and the time up to which the logs are complete."""

    folder: Path
    until: datetime
    assignments: int
    exposures: int
    outcomes: int


def write_traffic(
    folder: Path, scenarios: Sequence[Scenario], until: datetime | None = None, truth: str = "truth.json"
) -> Written:
    """Write ``LOG/dt=YYYY-MM-DD/EXPERIMENT.parquet`` for the three logs, and their truth beside them.

    A day that was over by ``until`` has an empty file ``_SUCCESS`` beside its rows: nothing more will come.

    With ``until`` (UTC) the logs are what a live system would have written by then; a later call with a later
    ``until`` adds what came in between and changes no earlier row. A ``truth`` file of another name lets scenarios lie
    in the folder of others.

    Raises:
        ValueError: if the scenarios are none or share a name, if ``until`` has no time zone, or if the folder
            holds something else than an earlier state of these scenarios.
    """
    until = check_until(scenarios, until)
    check_names(scenarios)
    check_folder(folder, scenarios, until, truth)
    counts: dict[Log, int] = {"assignments": 0, "exposures": 0, "outcomes": 0}
    for scenario in scenarios:
        for day, logs in days_of(scenario, until):
            for log, table in logs.items():
                if has_arrived(scenario, log, day, until):
                    write_partition(folder / log / f"dt={day}" / f"{scenario.experiment}.parquet", table)
                    counts[log] += table.num_rows
    mark_complete_days(folder, until)
    truth_file = folder / truth
    truth_file.parent.mkdir(parents=True, exist_ok=True)
    truth_file.write_text(json.dumps(truth_document(scenarios, until), indent=1), encoding="utf-8")
    return Written(folder, until, counts["assignments"], counts["exposures"], counts["outcomes"])


def write_partition(file: Path, table: pa.Table) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, row_group_size=ROW_GROUP, compression="zstd")


def mark_complete_days(folder: Path, until: datetime) -> None:
    for partition in folder.glob("*/dt=*"):
        day = date.fromisoformat(partition.name.removeprefix("dt="))
        if midnight(day) + timedelta(days=1) <= until:
            (partition / "_SUCCESS").touch()


def has_arrived(scenario: Scenario, log: Log, day: date, until: datetime) -> bool:
    lateness = [
        fault.late
        for fault in scenario.faults
        if isinstance(fault, LatePartition) and (fault.log, fault.day) == (log, day)
    ]
    return all(until >= midnight(day) + timedelta(days=1) + late for late in lateness)


def truth_document(scenarios: Sequence[Scenario], until: datetime) -> dict[str, object]:
    """Return what is known of the traffic, as plain JSON values."""
    return {
        "simulated": True,
        "written_until": until.isoformat(),
        "scenarios": [plain(scenario) for scenario in scenarios],
        "truth": {scenario.experiment: plain(truth_of(scenario)) for scenario in scenarios},
    }


def plain(value: object) -> object:
    """Return a declaration as JSON values: durations in seconds, shares as text, dataclasses by kind."""
    if is_dataclass(value) and not isinstance(value, type):
        members = {member.name: plain(getattr(value, member.name)) for member in fields(value)}
        return {"kind": type(value).__name__, **members}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Fraction):
        return str(value)
    return value


def check_until(scenarios: Sequence[Scenario], until: datetime | None) -> datetime:
    if not scenarios:
        raise ValueError("scenarios: none is not allowed; give at least one")
    if until is None:
        return max(scenario.end for scenario in scenarios)
    if until.tzinfo is None:
        raise ValueError(f"until: {until} has no time zone; give it in UTC")
    return until


def check_names(scenarios: Sequence[Scenario]) -> None:
    names = [scenario.experiment for scenario in scenarios]
    prefixes = [f"{s.experiment}-" if s.unit_prefix is None else s.unit_prefix for s in scenarios]
    for parameter, values in (("experiment", names), ("unit_prefix", prefixes)):
        for twice in sorted({value for value in values if values.count(value) > 1}):
            raise ValueError(f"scenarios: {parameter} {twice!r} is used twice; give every scenario its own")


def check_folder(folder: Path, scenarios: Sequence[Scenario], until: datetime, truth: str) -> None:
    """Refuse a folder whose files would be mixed up with the new ones."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    remedy = "give an empty or a new folder"
    if not (folder / truth).exists():
        if truth != "truth.json" and not any(
            file for one in scenarios for file in folder.glob(f"*/dt=*/{one.experiment}.parquet")
        ):
            return
        raise ValueError(f"folder: {folder} holds other files; {remedy}")
    earlier = json.loads((folder / truth).read_text(encoding="utf-8"))
    if earlier["scenarios"] != json.loads(json.dumps([plain(scenario) for scenario in scenarios])):
        raise ValueError(f"folder: {folder} holds other scenarios; {remedy}")
    if datetime.fromisoformat(earlier["written_until"]) > until:
        raise ValueError(f"folder: {folder} holds more, up to {earlier['written_until']}; {remedy}")
