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
from experiments.shadows.contracts import OpenedPredictions, Typed, flag, us
from experiments.shadows.logs import AnswerColumns
from experiments.shadows.sides import Bounds, says

BOTH: Final = 0
CHAMPION_ONLY: Final = 1
CANDIDATE_ONLY: Final = 2
MODELS: Final = ("champion", "candidate")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the pairs are to hold.

    Attributes:
        said: of each model, of ``contracts.SAYS``.
        content: whether labels are read.
        grouped: requests were logged more than once, and are grouped first.
        requests: whether a pair keeps its request's id.
    """

    said: tuple[str, ...]
    attributes: tuple[str, ...]
    content: bool
    grouped: bool = False
    requests: bool = False

    @property
    def levels(self) -> list[str]:
        return [ident("attribute " + name) for name in self.attributes]

    @property
    def carried(self) -> list[str]:
        """What a pair keeps of each model; of the inputs only whether they differ."""
        return [name for name in self.said if name != "input"]


def _earliest(rows: str, columns: Sequence[str]) -> str:
    """One row a request: the earliest, and of several at that moment the smallest by all that they say."""
    packed = ", ".join(f"c{i} := {column}" for i, column in enumerate(columns))
    taken = ", ".join(f"earliest.c{i} AS {column}" for i, column in enumerate(columns))
    return (
        f"SELECT request, {taken}, logged FROM (SELECT request, min(struct_pack({packed})) AS earliest, count(*) AS logged "
        f"FROM ({rows}) AS every_row GROUP BY request) AS by_request"
    )


def long_pairs(champion: str, candidate: str, labels: str | None, wanted: Wanted) -> str:
    """Both models' rows by request, and their label. Whose a request is, the champion's row says."""
    if wanted.grouped:
        champion = _earliest(champion, ["scored_us", "unit", *wanted.said, *wanted.levels])
        candidate = _earliest(candidate, ["scored_us", *wanted.said])
    twice = "coalesce(champion.logged, 0) > 1 OR coalesce(candidate.logged, 0) > 1"
    parts = [
        f"CAST(CASE WHEN candidate.request IS NULL THEN {CHAMPION_ONLY} WHEN champion.request IS NULL THEN {CANDIDATE_ONLY} "
        f"ELSE {BOTH} END AS TINYINT) AS place",
        "coalesce(champion.scored_us, candidate.scored_us) AS at_us",
        "candidate.scored_us - champion.scored_us AS lag_us",
        "champion.unit AS unit",
        *(["coalesce(champion.request, candidate.request) AS request"] if wanted.requests else []),
        "CASE WHEN candidate.request IS NULL OR champion.request IS NULL "
        "THEN coalesce(champion.request, candidate.request) END AS unmatched",
        f"{twice if wanted.grouped else 'FALSE'} AS duplicated",
        *_inputs("champion.input", "candidate.input", wanted),
        *(f"{model}.{name} AS {model}_{name}" for model in MODELS for name in wanted.carried),
        *(f"champion.{column} AS {column}" for column in wanted.levels),
    ]
    joined = "champion FULL JOIN candidate ON champion.request = candidate.request"
    ctes = [f"champion AS ({champion})", f"candidate AS ({candidate})"]
    return _with_labels(ctes, parts, joined, labels, "champion.request", wanted)


def whose_step(candidate: str, attributes: Sequence[str]) -> Step:
    """Whose the requests are that the candidate alone logged: few, so that they are looked up afterwards.

    Args:
        candidate: the candidate's rows with unit and attributes.
    """
    columns = ["unit", *(ident("attribute " + name) for name in attributes)]
    found = ", ".join(f"min({column}) AS {column}" for column in columns)
    taken = ", ".join(f"{column} = lone.{column}" for column in columns)
    return Step(
        "whose",
        f"UPDATE pairs SET {taken} FROM (SELECT request, {found} FROM ({candidate}) AS candidate WHERE request IN (SELECT "
        f"unmatched FROM pairs WHERE place = {CANDIDATE_ONLY}) GROUP BY request) AS lone WHERE pairs.place = {CANDIDATE_ONLY} "
        "AND pairs.unmatched = lone.request",
    )


def _inputs(champion: str, candidate: str, wanted: Wanted) -> list[str]:
    """Whether both models' inputs are known, and whether they differ."""
    if "input" not in wanted.said:
        return ["FALSE AS hashed", "FALSE AS other_input"]
    return [
        f"{champion} IS NOT NULL AND {candidate} IS NOT NULL AS hashed",
        f"coalesce({champion} <> {candidate}, FALSE) AS other_input",
    ]


def wide_pairs(
    log: OpenedPredictions,
    versions: tuple[str, str],
    labels: str | None,
    typed: Typed,
    bounds: Bounds,
    wanted: Wanted,
) -> str:
    """A row a request as it stands; a model without an answer, an error or a timeout has not logged it."""
    rows = wide_rows(log, versions, typed, bounds, wanted)
    if wanted.grouped:
        columns = [f"{model}_{name}" for name in ("us", "there", *wanted.said) for model in MODELS]
        rows = _earliest(rows, [*columns, "unit", *wanted.levels])
    parts = [
        f"CAST(CASE WHEN champion_there AND candidate_there THEN {BOTH} WHEN champion_there THEN {CHAMPION_ONLY} "
        f"ELSE {CANDIDATE_ONLY} END AS TINYINT) AS place",
        "coalesce(champion_us, candidate_us) AS at_us",
        "candidate_us - champion_us AS lag_us",
        "unit",
        *(["logged_rows.request AS request"] if wanted.requests else []),
        "CAST(NULL AS VARCHAR) AS unmatched",
        f"{'logged > 1' if wanted.grouped else 'FALSE'} AS duplicated",
        *_inputs("champion_input", "candidate_input", wanted),
        *(f"{model}_{name}" for model in MODELS for name in wanted.carried),
        *wanted.levels,
    ]
    found = _with_labels(
        [f"logged_rows AS ({rows})"], parts, "logged_rows", labels, "logged_rows.request", wanted
    )
    return f"{found} WHERE champion_there OR candidate_there"


def _with_labels(
    ctes: list[str], parts: list[str], joined: str, labels: str | None, request: str, wanted: Wanted
) -> str:
    """The pairs with their label; without a labels log every pair has what it needs."""
    if labels is None:
        found = ["CAST(0 AS TINYINT) AS labelled_us", *(["NULL AS label"] if wanted.content else [])]
    else:
        ctes = [*ctes, f"labels AS ({labels})"]
        joined += f" LEFT JOIN labels ON labels.request = {request}"
        found = ["labels.labelled_us AS labelled_us"]
        if wanted.content:  # a look reads labels up to its end, so that when each of them came is no matter
            found = [
                "CASE WHEN labels.request IS NOT NULL THEN CAST(0 AS TINYINT) END AS labelled_us",
                "labels.label AS label",
            ]
    return f"WITH {', '.join(ctes)} SELECT {', '.join([*parts, *found])} FROM {joined}"


def wide_rows(
    one: OpenedPredictions, versions: tuple[str, str], typed: Typed, bounds: Bounds, wanted: Wanted
) -> str:
    """A wide log with both models' columns under their contract."""
    columns = one.log.columns
    parts = [
        f"{ident(columns.request)} AS request",
        "NULL AS unit" if columns.unit is None else f"{ident(columns.unit)} AS unit",
    ]
    times = []
    for model, version in zip(MODELS, versions, strict=True):
        answers = one.answers(version) or AnswerColumns()
        answered = [answers.prediction, answers.score, answers.correct]
        there = [f"{ident(column)} IS NOT NULL" for column in answered if column is not None]
        there += [
            flag(column, one.opened.types[column]) for column in (answers.error, answers.timeout) if column
        ]
        parts += [
            f"{' OR '.join(there) or 'FALSE'} AS {model}_there",
            f"{us(answers.scored_at, one.opened)} AS {model}_us",
            *(f"{says(one, answers, typed, name)} AS {model}_{name}" for name in wanted.said),
        ]
        times.append(answers.scored_at)
    parts += [
        f"{ident(one.log.attributes[name])} AS {ident('attribute ' + name)}" for name in wanted.attributes
    ]
    where = [f"{ident(columns.request)} IS NOT NULL"]
    if bounds.timed:
        at = f"coalesce({', '.join(us(time, one.opened) for time in dict.fromkeys(times))})"
        where.append(f"{at} IS NOT NULL")
        if bounds.until_us is not None:
            where.append(f"{at} < {bounds.until_us}")
    return f"SELECT {', '.join(parts)} FROM {one.opened.sql} WHERE {' AND '.join(where)}"


def pairs_step(query: str) -> Step:
    return Step("pairs", f"CREATE OR REPLACE TEMP TABLE pairs AS {query}")
