"""Tables of what is not an effect: checks, units, amendments, and what is needed to make the numbers again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.export.blocks import Cell, Table, table
from app.formats import NOTHING, count, instant, p_value, share
from app.readings import check_reading, verdict_reading
from experiments.readouts.readout import ArmUnits, ArmVerdict, Check

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_AMENDMENT_FIRST = ("version", "timing", "code", "explanation", "inference", "diff", "outcome_reads_before")
_AMENDMENT_HEADINGS = {
    "version": "Plan version",
    "timing": "Timing class",
    "code": "Reason",
    "diff": "What changed",
    "inference": "Effect on inference",
    "outcome_reads_before": "Outcome accesses before",
}


def checks_table(caption: str, checks: Sequence[Check], *, blocking: bool = True) -> Table:
    """Checks with what was found and the rule it was held against.

    Args:
        blocking: whether to say which checks block the readout.
    """
    records: list[dict[str, Cell]] = []
    for check in checks:
        record: dict[str, Cell] = {
            "Check": check.name,
            "Result": check_reading(check.result),
            "What was found": check.detail,
            "p": p_value(check.p_value),
            "Declared rule": check.rule,
        }
        if blocking:
            record["Blocks the readout"] = "yes" if check.blocking else "no"
        records.append(record)
    return table(caption, records, numeric=("p",))


def verdicts_table(verdicts: Sequence[ArmVerdict]) -> Table:
    records: list[dict[str, Cell]] = [
        {
            "Treatment arm": v.treatment,
            "Verdict": verdict_reading(v.code),
            "Why": v.sentence,
            "Row of the map": f"{v.row}: {v.reason}" if v.row else v.reason,
        }
        for v in verdicts
    ]
    return table("Verdict by treatment arm", records)


def units_table(units: Sequence[ArmUnits]) -> Table:
    records: list[dict[str, Cell]] = [
        {
            "Arm": u.arm,
            "Planned share": share(u.planned_share),
            "Planned": count(u.planned),
            "Assigned": count(u.assigned),
            "Exposed": count(u.exposed),
            "Eligible": count(u.eligible),
            "Mature": count(u.mature),
            "Analysed": count(u.analysed),
        }
        for u in units
    ]
    return table(
        "Units of each arm, step by step",
        records,
        numeric=[h for h in records[0] if h != "Arm"] if records else [],
    )


def exclusions_table(units: Sequence[ArmUnits]) -> Table:
    """Why units are not analysed, by declared reason and arm."""
    reasons = list(dict.fromkeys(reason for u in units for reason in u.excluded))
    records: list[dict[str, Cell]] = [
        {"Reason": reason, **{u.arm: count(u.excluded.get(reason, 0)) for u in units}} for reason in reasons
    ]
    return table("Units left out, by reason", records, numeric=[u.arm for u in units])


def flow_table(flow: Mapping[str, int]) -> Table:
    records: list[dict[str, Cell]] = [{"What": name, "Count": count(n)} for name, n in flow.items()]
    return table("What the logs held, all arms together", records, numeric=("Count",))


def amendments_table(amendments: Sequence[Mapping[str, Any]]) -> Table:
    """Every amendment with everything that was recorded of it."""
    names = list(dict.fromkeys(name for amendment in amendments for name in amendment))
    ordered = [n for n in _AMENDMENT_FIRST if n in names] + [n for n in names if n not in _AMENDMENT_FIRST]
    records: list[dict[str, Cell]] = [
        {_AMENDMENT_HEADINGS.get(name, _in_words(name)): _written(amendment.get(name)) for name in ordered}
        for amendment in amendments
    ]
    return table("Amendments of the plan", records)


def manifest_table(manifest: Sequence[Mapping[str, Any]]) -> Table:
    records: list[dict[str, Cell]] = [
        {
            _in_words(name): count(value) if isinstance(value, int) else _written(value)
            for name, value in part.items()
        }
        for part in manifest
    ]
    return table("What was read", records, numeric=("Size",))


def pairs_table(caption: str, pairs: Sequence[tuple[str, str]]) -> Table:
    records: list[dict[str, Cell]] = [{"What": name, "Value": value} for name, value in pairs]
    return table(caption, records)


def _in_words(name: str) -> str:
    words = name.replace("_", " ")
    return "SHA-256" if name == "sha256" else words[:1].upper() + words[1:]


def _written(value: Any) -> str:
    """A recorded value in words; a list of changes as "field: old → new"."""
    if value is None:
        return NOTHING
    if isinstance(value, list | tuple):
        return "; ".join(_written(item) for item in value) or NOTHING
    if isinstance(value, Mapping) and {"field", "old", "new"} <= value.keys():
        return f"{value['field']}: {_written(value['old'])} → {_written(value['new'])}"
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return instant(datetime.fromisoformat(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
