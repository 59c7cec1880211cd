"""Pairs: one row a mirrored request, with what both models said of it, and why each other request is no pair.

1. rows without a request id (or a time, where the log has times) are counted as rows and are no request;
2. the two models' rows meet by request; a request that only one model logged stays, as unmatched on that side;
3. a pair belongs to the moment of the champion's answer (the candidate's, where it has none);
4. an answer counts when neither model failed nor ran out of time;
5. the label joins by request, when its delay is over.

A request that a model logged more than once would make more pairs than requests. The join is checked for it, and only
where it happened are rows grouped by request first: then the earliest counts, and the request is counted as duplicated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from experiments.logs.sql import Step, ident
from experiments.shadows.contracts import Bounds, OpenedPredictions, Typed, flag, side_values, us
from experiments.shadows.logs import AnswerColumns

BOTH: Final = 0
CHAMPION_ONLY: Final = 1
CANDIDATE_ONLY: Final = 2
CARRIED: Final = ("failed", "late")
CARRIED_CONTENT: Final = (*CARRIED, "answer", "score", "correct", "latency", "cost")


@dataclass(frozen=True, slots=True)
class Sides:
    """The statements of both models' rows; ``grouped`` where requests were logged more than once."""

    champion: str
    candidate: str

    def grouped(self, columns: Sequence[str]) -> Sides:
        return Sides(_earliest(self.champion, columns), _earliest(self.candidate, columns))


def columns_of(attributes: Sequence[str], *, content: bool) -> list[str]:
    """The columns of a side after its request."""
    carried = CARRIED_CONTENT if content else CARRIED
    return ["scored_us", "unit", "input", *carried, *(ident("attribute " + name) for name in attributes)]


def _earliest(rows: str, columns: Sequence[str]) -> str:
    """One row a request: the earliest, and of several at that moment the smallest by all that they say."""
    packed = ", ".join(f"c{i} := {column}" for i, column in enumerate(columns))
    taken = ", ".join(f"earliest.c{i} AS {column}" for i, column in enumerate(columns))
    return (
        f"SELECT request, {taken}, logged FROM (SELECT request, min(struct_pack({packed})) AS earliest, count(*) AS logged "
        f"FROM ({rows}) AS every_row GROUP BY request) AS by_request"
    )


def long_pairs(
    sides: Sides, labels: str | None, attributes: Sequence[str], *, content: bool, grouped: bool
) -> str:
    """Both models' rows by request, and their label."""
    carried = CARRIED_CONTENT if content else CARRIED
    parts = [
        f"CAST(CASE WHEN candidate.request IS NULL THEN {CHAMPION_ONLY} WHEN champion.request IS NULL THEN {CANDIDATE_ONLY} "
        f"ELSE {BOTH} END AS TINYINT) AS place",
        "coalesce(champion.scored_us, candidate.scored_us) AS at_us",
        "candidate.scored_us - champion.scored_us AS lag_us",
        "coalesce(champion.unit, candidate.unit) AS unit",
        "CASE WHEN candidate.request IS NULL OR champion.request IS NULL "
        "THEN coalesce(champion.request, candidate.request) END AS unmatched",
        "coalesce(champion.logged, 0) > 1 OR coalesce(candidate.logged, 0) > 1 AS duplicated"
        if grouped
        else "FALSE AS duplicated",
        *_inputs("champion.input", "candidate.input"),
        *(
            f"{model}.{column} AS {model}_{column}"
            for model in ("champion", "candidate")
            for column in carried
        ),
        *(
            f"coalesce(champion.{column}, candidate.{column}) AS {column}"
            for column in (ident("attribute " + name) for name in attributes)
        ),
    ]
    joined = "champion FULL JOIN candidate ON champion.request = candidate.request"
    ctes = [f"champion AS ({sides.champion})", f"candidate AS ({sides.candidate})"]
    return _with_labels(ctes, parts, joined, labels, "champion.request", content=content)


def _inputs(champion: str, candidate: str) -> list[str]:
    """Whether both models' inputs are known, and whether they differ; NULL where one is not."""
    return [
        f"{champion} IS NOT NULL AND {candidate} IS NOT NULL AS hashed",
        f"coalesce({champion} <> {candidate}, FALSE) AS other_input",
    ]


def wide_pairs(
    log: OpenedPredictions,
    versions: tuple[str, str],
    labels: str | None,
    typed: Typed,
    attributes: Sequence[str],
    bounds: Bounds,
    *,
    content: bool,
    grouped: bool,
) -> str:
    """A row a request as it stands; a model without an answer, an error or a timeout has not logged it."""
    rows = wide_rows(log, versions, typed, attributes, bounds, content=content)
    there = {model: f"{model}_there" for model in ("champion", "candidate")}
    carried = CARRIED_CONTENT if content else CARRIED
    if grouped:
        columns = [
            "champion_us",
            "candidate_us",
            "unit",
            *there.values(),
            *(f"{model}_{column}" for model in there for column in ("input", *carried)),
            *(ident("attribute " + name) for name in attributes),
        ]
        rows = _earliest(rows, columns)
    parts = [
        f"CAST(CASE WHEN {there['champion']} AND {there['candidate']} THEN {BOTH} WHEN {there['champion']} THEN {CHAMPION_ONLY} "
        f"ELSE {CANDIDATE_ONLY} END AS TINYINT) AS place",
        "coalesce(champion_us, candidate_us) AS at_us",
        "candidate_us - champion_us AS lag_us",
        "unit",
        "CAST(NULL AS VARCHAR) AS unmatched",
        "logged > 1 AS duplicated" if grouped else "FALSE AS duplicated",
        *_inputs("champion_input", "candidate_input"),
        *(f"{model}_{column}" for model in there for column in carried),
        *(ident("attribute " + name) for name in attributes),
    ]
    joined = "rows_logged"
    where = f" WHERE {there['champion']} OR {there['candidate']}"
    found = _with_labels(
        [f"rows_logged AS ({rows})"], parts, joined, labels, "rows_logged.request", content=content
    )
    return found + where


def _with_labels(
    ctes: list[str], parts: list[str], joined: str, labels: str | None, request: str, *, content: bool
) -> str:
    """The pairs with their label; without a labels log every pair has what it needs."""
    if labels is None:
        found = ["0 AS labelled_us", *(["NULL AS label"] if content else [])]
    else:
        ctes = [*ctes, f"labels AS ({labels})"]
        joined += f" LEFT JOIN labels ON labels.request = {request}"
        found = ["labels.labelled_us AS labelled_us", *(["labels.label AS label"] if content else [])]
    return f"WITH {', '.join(ctes)} SELECT {', '.join([*parts, *found])} FROM {joined}"


def wide_rows(
    one: OpenedPredictions,
    versions: tuple[str, str],
    typed: Typed,
    attributes: Sequence[str],
    bounds: Bounds,
    *,
    content: bool,
) -> str:
    """A wide log with both models' columns under their contract."""
    columns = one.log.columns
    parts = [
        f"{ident(columns.request)} AS request",
        "NULL AS unit" if columns.unit is None else f"{ident(columns.unit)} AS unit",
    ]
    times = []
    for model, version in zip(("champion", "candidate"), versions, strict=True):
        answers = one.answers(version) or AnswerColumns()
        said = [answers.prediction, answers.score, answers.correct]
        there = [f"{ident(column)} IS NOT NULL" for column in said if column is not None]
        there += [
            flag(column, one.opened.types[column]) for column in (answers.error, answers.timeout) if column
        ]
        parts += [
            f"{' OR '.join(there) or 'FALSE'} AS {model}_there",
            f"{us(answers.scored_at, one.opened)} AS {model}_us",
            *side_values(one, answers, typed, content=content, prefix=f"{model}_"),
        ]
        times.append(answers.scored_at)
    parts += [f"{ident(one.log.attributes[name])} AS {ident('attribute ' + name)}" for name in attributes]
    where = [f"{ident(columns.request)} IS NOT NULL"]
    if bounds.timed:
        at = f"coalesce({', '.join(us(time, one.opened) for time in dict.fromkeys(times))})"
        where.append(f"{at} IS NOT NULL")
        if bounds.until_us is not None:
            where.append(f"{at} < {bounds.until_us}")
    return f"SELECT {', '.join(parts)} FROM {one.opened.sql} WHERE {' AND '.join(where)}"


def pairs_step(query: str) -> Step:
    return Step("pairs", f"CREATE OR REPLACE TEMP TABLE pairs AS {query}")
