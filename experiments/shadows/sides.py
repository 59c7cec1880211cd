"""One side of a pair: what one model's rows say, as statements; and the labels.

Numbers that are added up become whole numbers of a declared scale, so that sums are exact; classes become whole numbers,
numbers or text, the same for both models and the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from experiments.logs.engines.duckdb import OpenedLog
from experiments.logs.sql import ident, moment, texts
from experiments.shadows.contracts import (
    COST_DECIMALS,
    LATENCY_DECIMALS,
    OpenedPredictions,
    Typed,
    as_class,
    flag,
    scaled,
    us,
)
from experiments.shadows.logs import AnswerColumns, LabelLog

SAYS: Final = {
    "failed": "error",
    "late": "timeout",
    "input": "input_hash",
    "answer": "prediction",
    "score": "score",
    "correct": "correct",
    "latency": "latency_ms",
    "cost": "cost",
}
"""What a pair carries of each model, and the contract's column that says it."""
OPEN: Final = ("failed", "late", "input")
"""What may be read before the look; what the models said and cost is closed until then."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which rows are read: those before a moment; a row without a time is counted and read nowhere."""

    until_us: int | None
    timed: bool


def side(
    logs: Sequence[OpenedPredictions],
    version: str,
    typed: Typed,
    bounds: Bounds,
    said: Sequence[str],
    attributes: Sequence[str] | None = None,
) -> str:
    """One model's rows: request, scored_us and what they say.

    Args:
        said: of ``SAYS``, what is read.
        attributes: with those of the requests, and the unit; None for neither.
    """
    selects = []
    for one in logs:
        answers = one.answers(version)
        if answers is not None:
            selects.append(_side_of(one, version, answers, typed, bounds, said, attributes))
    return " UNION ALL ".join(selects)


def _side_of(
    one: OpenedPredictions,
    version: str,
    answers: AnswerColumns,
    typed: Typed,
    bounds: Bounds,
    said: Sequence[str],
    attributes: Sequence[str] | None,
) -> str:
    columns = one.log.columns
    parts = [
        f"{_cast(columns.request, one.opened, typed.request)} AS request",
        f"{us(answers.scored_at, one.opened)} AS scored_us",
    ]
    if attributes is not None:
        parts.append(
            "NULL AS unit"
            if columns.unit is None
            else f"{_cast(columns.unit, one.opened, typed.unit)} AS unit"
        )
        parts += [f"{ident(one.log.attributes[name])} AS {ident('attribute ' + name)}" for name in attributes]
    parts += [f"{says(one, answers, typed, name)} AS {name}" for name in said]
    where = [f"{ident(columns.request)} IS NOT NULL"]
    if columns.model is not None:
        model = ident(columns.model)
        if one.opened.types[columns.model] != "VARCHAR":
            model = f"CAST({model} AS VARCHAR)"
        where.append(f"{model} IN {texts(one.logged_as(version))}")
    if bounds.timed and answers.scored_at is not None:
        where.append(f"{ident(answers.scored_at)} IS NOT NULL")
        where += before(bounds.until_us, answers.scored_at, one.opened)
    return f"SELECT {', '.join(parts)} FROM {one.opened.sql} WHERE {' AND '.join(where)}"


def before(until_us: int | None, column: str, opened: OpenedLog) -> list[str]:
    """Rows before a moment, said of the column itself where it holds microseconds, so that the bound reaches its scan."""
    if until_us is None:
        return []
    kind = opened.types[column]
    if kind in {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}:
        return [f"{ident(column)} < {moment(until_us, with_zone=kind != 'TIMESTAMP')}"]
    return [f"{us(column, opened)} < {until_us}"]


def says(one: OpenedPredictions, answers: AnswerColumns, typed: Typed, name: str) -> str:
    """What a model's row says, as SQL; an absent column is NULL, an absent failure is none."""
    column = getattr(answers, SAYS[name])
    if column is None:
        return {
            "failed": "FALSE",
            "late": "FALSE",
            "input": "CAST(NULL AS VARCHAR)",
            "answer": f"CAST(NULL AS {typed.answer})",
            "score": "CAST(NULL AS DOUBLE)",
            "correct": "CAST(NULL AS TINYINT)",
        }.get(name, "CAST(NULL AS BIGINT)")
    kind = one.opened.types[column]
    if name in {"failed", "late"}:
        return flag(column, kind)
    if name == "input":
        return ident(column) if kind == "VARCHAR" else f"CAST({ident(column)} AS VARCHAR)"
    if name == "answer":
        return as_class(ident(column), kind, typed.answer)
    if name == "score":
        return f"CAST({ident(column)} AS DOUBLE)"
    if name == "correct":
        return f"CAST(CAST({ident(column)} AS BOOLEAN) AS TINYINT)"
    return scaled(ident(column), kind, LATENCY_DECIMALS if name == "latency" else COST_DECIMALS)


def labels_of(opened: OpenedLog, log: LabelLog, typed: Typed, until_us: int | None, *, content: bool) -> str:
    """request, labelled_us and, with content, label; a row without request, label or time counts nowhere."""
    columns = log.columns
    parts = [
        f"{_cast(columns.request, opened, typed.request)} AS request",
        f"{us(columns.labelled_at, opened)} AS labelled_us",
    ]
    if content:
        kind = opened.types[columns.label]
        parts.append(f"{as_class(ident(columns.label), kind, typed.answer)} AS label")
    where = [f"{ident(columns.request)} IS NOT NULL", f"{ident(columns.label)} IS NOT NULL"]
    if columns.labelled_at is not None:
        where.append(f"{ident(columns.labelled_at)} IS NOT NULL")
        where += before(until_us, columns.labelled_at, opened)
    return f"SELECT {', '.join(parts)} FROM {opened.sql} WHERE {' AND '.join(where)}"


def _cast(column: str, opened: OpenedLog, wanted: str) -> str:
    return ident(column) if opened.types[column] == wanted else f"CAST({ident(column)} AS {wanted})"
