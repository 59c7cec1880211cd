"""A team's prediction and label logs as their contracts: columns renamed and typed, nothing filtered, nothing guessed.

One *side* is what one model's rows say. Numbers that are added up become whole numbers of a declared scale, so that sums
are exact; classes become whole numbers, numbers or text, the same for both models and the labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.forms.problems import Invalid, Problem, unknown_name
from experiments.logs.contracts import INTEGERS, _Columns, is_number
from experiments.logs.engines.duckdb import OpenedLog
from experiments.logs.sql import ident, text
from experiments.shadows.design import ShadowDesign
from experiments.shadows.logs import CONTROL, AnswerColumns, LabelLog, PredictionLog

LATENCY_DECIMALS: Final = 3
COST_DECIMALS: Final = 6
NUMBERS: Final = ("score", "latency_ms", "cost")


@dataclass(frozen=True, slots=True)
class OpenedPredictions:
    """A prediction log that is open, with its declaration."""

    opened: OpenedLog
    log: PredictionLog

    def answers(self, version: str) -> AnswerColumns | None:
        """The columns in which a version's answers stand; None where the log holds none of it."""
        if self.log.wide:
            own = self.log.wide.get(version)
            shared = {
                name: getattr(self.log.columns, name)
                for name in ("scored_at", "input_hash")
                if own is not None and getattr(own, name) is None
            }
            return None if own is None else own.model_copy(update=shared)
        if self.log.model is not None:
            return self.log.columns if self.log.model == version else None
        return self.log.columns if self.logged_as(version) else None

    def logged_as(self, version: str) -> tuple[str, ...]:
        """The values of the model column that mean a version."""
        if self.log.models:
            return tuple(logged for logged, meant in self.log.models.items() if meant == version)
        return () if version == CONTROL else (version,)


def check_predictions(design: ShadowDesign, logs: Sequence[OpenedPredictions]) -> list[Problem]:
    """Missing columns, wrong types, attributes and versions the source does not name: everything at once."""
    problems: list[Problem] = []
    for index, one in enumerate(logs):
        path = ("predictions", "logs", index)
        columns = _Columns(one.opened, (*path, "columns"))
        own = one.log.columns
        columns.expect("request", own.request, "unit")
        columns.expect("unit", own.unit, "unit")
        columns.expect("model", own.model)
        _expect_answers(columns, "", own)
        for version, answers in one.log.wide.items():
            _expect_answers(columns, f"wide.{version}.", answers)
        for attribute in design.attributes:
            if attribute not in one.log.attributes:
                known = sorted(one.log.attributes)
                columns.problems.append(
                    Problem(
                        (*path, "attributes"), unknown_name(attribute, known, "an attribute of this source")
                    )
                )
            else:
                columns.expect(f"attributes.{attribute}", one.log.attributes[attribute])
        if design.by_user and own.unit is None:
            columns.problems.append(
                Problem((*path, "columns", "unit"), "is missing: the design's unit is the user")
            )
        problems += columns.problems
    for version in (design.champion, design.candidate):
        if not any(one.answers(version) is not None for one in logs):
            named = sorted({name for one in logs for name in _versions(one.log)})
            problems.append(
                Problem(("predictions", "models"), unknown_name(version, named, "a version that a log names"))
            )
    return problems


def check_labels(opened: OpenedLog, log: LabelLog) -> list[Problem]:
    columns = _Columns(opened, ("labels", "columns"))
    columns.expect("request", log.columns.request, "unit")
    columns.expect("label", log.columns.label)
    columns.expect("labelled_at", log.columns.labelled_at, "time")
    return columns.problems


def _versions(log: PredictionLog) -> Iterable[str]:
    if log.wide:
        return log.wide
    return (log.model,) if log.model is not None else log.models.values()


def _expect_answers(columns: _Columns, prefix: str, answers: AnswerColumns) -> None:
    for name in AnswerColumns.model_fields:
        kind = "time" if name == "scored_at" else "number" if name in NUMBERS else "any"
        columns.expect(f"{prefix}{name}", getattr(answers, name), kind)


def class_type(kinds: Iterable[str]) -> str:
    """How classes are compared: whole numbers, numbers or text, whichever holds all of them."""
    found = set(kinds)
    if found <= {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "BOOLEAN"}:
        return "INTEGER"
    if found <= INTEGERS | {"BOOLEAN"}:
        return "BIGINT"
    return "DOUBLE" if all(is_number(kind) for kind in found) else "VARCHAR"


def as_class(column: str, kind: str, wanted: str) -> str:
    if wanted == "VARCHAR":
        return column if kind == "VARCHAR" else f"CAST({column} AS VARCHAR)"
    return f"CAST({column} AS {wanted})"


def scaled(column: str, kind: str, decimals: int) -> str:
    """A logged number as a whole number of 10**-decimals, rounded half away from zero."""
    factor = 10**decimals
    if kind in {"FLOAT", "DOUBLE"}:
        return f"CAST(round(CAST({column} AS DOUBLE) * {factor}) AS BIGINT)"
    if kind.startswith("DECIMAL"):
        return f"CAST(round(CAST({column} AS DECIMAL(38, 9)) * {factor}) AS BIGINT)"
    return f"CAST({column} AS BIGINT) * {factor}"


def us(column: str | None, opened: OpenedLog) -> str:
    """Microseconds since 1970; 0 for a log without times."""
    if column is None:
        return "0"
    kind = opened.types[column]  # DuckDB takes no microseconds of a zoned nanosecond, which pandas writes
    return (
        f"epoch_us(CAST({ident(column)} AS TIMESTAMPTZ))"
        if kind == "TIMESTAMPTZ_NS"
        else f"epoch_us({ident(column)})"
    )


def flag(column: str, kind: str) -> str:
    """Whether a model failed: true, a number other than 0, or any words of an error."""
    if kind == "BOOLEAN":
        said = ident(column)
    elif is_number(kind):
        said = f"{ident(column)} <> 0"
    else:
        said = f"lower({ident(column)}) NOT IN ('', '0', 'false', 'no', 'none', 'null')"
    return f"coalesce({said}, FALSE)"


@dataclass(frozen=True, slots=True)
class Typed:
    """What all logs agree on: the type of request ids, of units and of classes."""

    request: str
    unit: str
    answer: str


def columns_named(logs: Sequence[OpenedPredictions], version: str) -> frozenset[str]:
    """The contract's columns that every log of a version names."""
    named = [
        frozenset(name for name in AnswerColumns.model_fields if getattr(answers, name) is not None)
        for one in logs
        if (answers := one.answers(version)) is not None
    ]
    return frozenset.intersection(*named) if named else frozenset()


def refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise Invalid("predictions", list(problems))


def literal(value: str, kind: str) -> str:
    """A declared class, as the logs hold classes."""
    if kind == "VARCHAR":
        return text(value)
    number = {"true": "1", "false": "0"}.get(value.casefold(), value)
    try:
        float(number)
    except ValueError:
        problem = Problem(("positive",), f"{value!r} is not allowed; the logs hold numbers as classes")
        raise Invalid("predictions", [problem]) from None
    return f"CAST({text(number)} AS {kind})"
