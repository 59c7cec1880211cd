"""Every table of a readout as CSV, in one archive: numbers as they are held, not as they are shown."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from app.export.kinds import AnyReadout
from experiments.canaries.readout import CanaryReadout
from experiments.readouts.readout import Readout
from experiments.shadows.readout import ShadowReadout

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_LISTS = ("points", "planned")
_PATH = ("metric", "treatment", "segment", "segment_level")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def csv_tables(readout: AnyReadout) -> bytes:
    """A zip archive of UTF-8 CSV files. The same readout gives the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, records in _of_kind(readout).items():
            entry = zipfile.ZipInfo(f"{name}.csv", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _csv(records))
    return packed.getvalue()


def _of_kind(readout: AnyReadout) -> dict[str, list[dict[str, Any]]]:
    if isinstance(readout, ShadowReadout):
        tables = _shadow_tables(readout.document())
    elif isinstance(readout, CanaryReadout):
        tables = _canary_tables(readout.document())
    else:
        return _tables(readout)
    return {name: records for name, records in tables.items() if records}


def _shadow_tables(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    agreement, calibration = document["agreement"] or {}, document["calibration"] or {}
    segments, models = document["segments"], calibration.get("models", [])
    estimated = [one for one in agreement.values() if isinstance(one, dict)]
    flips = document["flips"] or {}
    estimated += [flips[part] for part in ("share", "net") if part in flips]
    primary = [] if document["primary"] is None else [document["primary"]]
    pairing = {name: value for name, value in document["pairing"].items() if not isinstance(value, list)}
    return {
        "readout": [_summary(document)],
        "gate": document["gate"],
        "validity": document["validity"],
        "plan_kept": document["plan_kept"],
        "pairing": [pairing],
        "days": document["pairing"]["days"],
        "unmatched": [
            {"attribute": one["attribute"], **level}
            for one in document["pairing"]["missing"]
            for level in one["levels"]
        ],
        "failures": [
            {name: value for name, value in one.items() if name != "comparison"}
            for one in document["failures"]
        ],
        "comparisons": [
            _flat(one)
            for one in (
                *primary,
                *document["declared_limits"],
                *(one["comparison"] for one in (*document["failures"], *document["latency"])),
                *(one for segment in segments for one in segment["comparisons"]),
                *calibration.get("differences", []),
            )
        ],
        "quality": [
            *([] if document["quality"] is None else [document["quality"]]),
            *({"attribute": s["attribute"], **one} for s in segments for one in s["tables"]),
        ],
        "estimated": [_flat(one) for one in estimated],
        "answers": agreement.get("answers", []),
        "scores": agreement.get("score_bins", []),
        "reliability": [{"model": m["model"], **_flat(one)} for m in models for one in m["bins"]],
        "looks": _of_paths(document["sequential"], "points"),
        "planned_looks": _of_paths(document["sequential"], "planned"),
        **_ends(document),
    }


def _canary_tables(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    guardrails = document["guardrails"]

    def of_guardrails(part: str) -> list[dict[str, Any]]:
        return [
            {name: one["comparison"][name] for name in ("metric", "segment", "level")} | record
            for one in guardrails
            for record in one[part]
        ]

    lists = ("comparison", "by_step", "points")
    return {
        "readout": [_summary(document)],
        "validity": document["validity"],
        "plan_kept": document["plan_kept"],
        "guardrails": [
            _flat(one["comparison"]) | {k: v for k, v in one.items() if k not in lists} for one in guardrails
        ],
        "by_step": of_guardrails("by_step"),
        "checks": of_guardrails("points"),
        "steps": [
            {"step": step["step"], "share": step["share"], "began": step["began"]}
            | {name: value for name, value in arm.items() if name != "excluded"}
            for step in document["steps"]
            for arm in step["arms"]
        ],
        "flow": [{"step": step, "units": n} for step, n in document["flow"].items()],
        **_ends(document),
    }


def _ends(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What every kind of readout ends with."""
    return {
        "amendments": document["registration"]["amendments"],
        "limits": [{"limit": limit} for limit in document["limits"]],
        "manifest": document["reproduce"]["manifest"],
        "statements": document["reproduce"]["statements"],
    }


def _tables(readout: Readout) -> dict[str, list[dict[str, Any]]]:
    document = readout.document()
    segments = [
        {
            **{name: value for name, value in segment.items() if name != "comparisons"},
            **_flat(comparison),
        }
        for segment in document["segments"]
        for comparison in segment["comparisons"]
    ]
    tables = {
        "readout": [_summary(document)],
        "verdicts": document["verdict"]["by_treatment"],
        "validity": document["validity"],
        "plan_kept": document["plan_kept"],
        "effects": [_flat(c) for part in ("primary", "guardrails", "secondary") for c in document[part]],
        "segments": segments,
        "sensitivity": [
            {"analysis": s["analysis"], **_flat(s["comparison"])} for s in document["sensitivity"]
        ],
        "sequential": [
            _flat({k: v for k, v in path.items() if k not in _LISTS}) for path in document["sequential"]
        ],
        "looks": _of_paths(document["sequential"], "points"),
        "planned_looks": _of_paths(document["sequential"], "planned"),
        "units": [{k: v for k, v in u.items() if k != "excluded"} for u in document["units"]],
        "excluded": [
            {"arm": u["arm"], "reason": reason, "units": n}
            for u in document["units"]
            for reason, n in u["excluded"].items()
        ],
        "flow": [{"step": step, "units": n} for step, n in document["flow"].items()],
        **_ends(document),
    }
    return {name: records for name, records in tables.items() if records}


def _of_paths(paths: Iterable[Mapping[str, Any]], part: str) -> list[dict[str, Any]]:
    """The looks of every path, each row with what it is of."""
    return [{**{name: path[name] for name in _PATH}, **look} for path in paths for look in path[part]]


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """One row: what was read out, when, by which plan, and the seal."""
    registration = {f"registration.{k}": v for k, v in document["registration"].items() if k != "amendments"}
    verdict = {f"verdict.{k}": v for k, v in document["verdict"].items() if k != "by_treatment"}
    made = document["reproduce"]
    return {
        "schema": document["schema"],
        **registration,
        **{f"look.{k}": v for k, v in document["look"].items()},
        "released_at": document["released_at"],
        "simulated": document["simulated"],
        **verdict,
        **{f"version.{k}": v for k, v in made["versions"].items()},
        "evidence_sha256": made["evidence_sha256"],
        "ledger_head": made["ledger_head"],
        "ledger_count": made["ledger_count"],
        "sha256": document["sha256"],
    }


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values as columns of their own: ``interval.low``; without an interval they stay empty."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": part for inner, part in value.items()}
        else:
            flat[name] = value
    return flat


def _csv(records: list[dict[str, Any]]) -> str:
    columns = _columns(records)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([_cell(record.get(column)) for column in columns])
    return text.getvalue()


def _columns(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """All columns in order of appearance; the empty parent of flattened columns (``interval``) is not one."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    return [name for name in columns if not any(other.startswith(f"{name}.") for other in columns)]


def _cell(value: Any) -> Any:
    """Numbers as they are; text that a spreadsheet would run as a formula is marked as text."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    if isinstance(value, list | dict):
        return (
            "; ".join(value)
            if isinstance(value, list) and all(isinstance(v, str) for v in value)
            else json.dumps(value, ensure_ascii=False, sort_keys=True)
        )
    return value
