"""The logs of one shadow, open for reading: contracts checked, completeness known, pairs made once per purpose.

Without ``content`` the pairs hold who answered when, and whether a model failed: never what it said, never a label.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from experiments.forms.problems import Invalid, Problem
from experiments.logs.contracts import unit_type
from experiments.logs.engines.duckdb import DuckDB, OpenedLog, Row
from experiments.logs.manifest import Manifest, Part, file_part
from experiments.logs.open_logs import _stats
from experiments.logs.sources import Log
from experiments.logs.sql import Step, ident
from experiments.logs.watermark import Watermark, earliest, watermark_of
from experiments.shadows.contracts import (
    Bounds,
    OpenedPredictions,
    Typed,
    check_labels,
    check_predictions,
    class_type,
    columns_named,
    labels_of,
    refuse,
    side,
)
from experiments.shadows.design import ShadowDesign
from experiments.shadows.logs import CONTROL, PredictionSources
from experiments.shadows.pairing import Sides, columns_of, long_pairs, pairs_step, wide_pairs
from experiments.shadows.quantities import Said


class ShadowReading:
    """The prediction and label logs of one shadow in one engine session.

    Args:
        sealed: only the files that a seal names are opened.

    Raises:
        Invalid: every problem of every log at once.
    """

    def __init__(
        self,
        design: ShadowDesign,
        predictions: PredictionSources,
        *,
        threads: int | None = None,
        memory: str | None = None,
        sealed: Manifest | None = None,
    ) -> None:
        self.design = design
        self.source = predictions[design.written.source]
        self.place = predictions.place
        self.engine = DuckDB(threads, memory)
        self.opened: dict[str, OpenedLog] = {}
        self._sealed = sealed
        self.duplicated = False
        self.conflicting = 0
        try:
            self._open()
        except BaseException:
            self.engine.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.engine.__exit__(kind, error, trace)

    def _open(self) -> None:
        problems: list[Problem] = []
        for name, log in self._logs().items():
            only = self._sealed.files_of(name, self.place.folder) if self._sealed else None
            try:
                self.opened[name] = self.engine.open(name, log, self.place, only)
            except Invalid as error:
                problems += error.problems
        refuse(problems)
        self._stats = {name: _stats(opened) for name, opened in self.opened.items()}
        self.predictions = tuple(
            OpenedPredictions(self.opened[f"predictions_{index}"], log)
            for index, log in enumerate(self.source.logs)
        )
        problems += check_predictions(self.design, self.predictions)
        if self.design.stopping.sequential and not self.timed:
            problems.append(
                Problem(("predictions",), "have no scored_at, so that there is no time for several looks")
            )
        if self.source.labels is not None:
            problems += check_labels(self.opened["labels"], self.source.labels)
        refuse(problems)
        self.typed = self._typed()

    def _logs(self) -> dict[str, Log]:
        found: dict[str, Log] = {f"predictions_{index}": log for index, log in enumerate(self.source.logs)}
        if self.source.labels is not None:
            found["labels"] = self.source.labels
        return found

    def _typed(self) -> Typed:
        requests = [(one.opened, one.log.columns.request) for one in self.predictions]
        units = [(one.opened, one.log.columns.unit) for one in self.predictions if one.log.columns.unit]
        kinds = [
            one.opened.types[answers.prediction]
            for one in self.predictions
            for version in (self.design.champion, self.design.candidate)
            if (answers := one.answers(version)) is not None and answers.prediction is not None
        ]
        if self.source.labels is not None:
            labels = self.opened["labels"]
            requests.append((labels, self.source.labels.columns.request))
            kinds.append(labels.types[self.source.labels.columns.label])
        answer = class_type(kinds) if kinds else "BIGINT"
        return Typed(unit_type(requests), unit_type(units), answer)

    @property
    def timed(self) -> bool:
        """Whether both models' answers have times; without them there is no cut-off and no order."""
        return {"scored_at"} <= self.columns

    @property
    def columns(self) -> frozenset[str]:
        """What the logs name of both models."""
        return columns_named(self.predictions, self.design.champion) & columns_named(
            self.predictions, self.design.candidate
        )

    @property
    def said(self) -> Said:
        return Said(self.columns, self.source.labels is not None, self.typed.answer)

    def watermark(self) -> Watermark:
        """Up to when every log that is open is complete.

        Raises:
            Invalid: a log says nothing about its completeness.
        """
        found: list[Watermark] = []
        problems: list[Problem] = []
        for name, log in self._logs().items():
            # It reads what is declared complete and up to when, of whatever kind of source.
            result = watermark_of(name, log, self.source, self.opened[name].files)  # type: ignore[arg-type]
            (found if isinstance(result, Watermark) else problems).append(result)  # type: ignore[arg-type]
        refuse(problems)
        return earliest(found)

    def manifest(self) -> Manifest:
        """Every file read with its SHA-256; tables and frames by a digest of their rows.

        Raises:
            Invalid: a file was changed or taken away while it was read.
        """
        parts: list[Part] = []
        for name, log in self._logs().items():
            opened = self.opened[name]
            if opened.files:
                if self._stats[name] != _stats(opened):
                    message = "was changed while it was read; do that again"
                    raise Invalid("logs", [Problem((name,), message)])
                parts += [file_part(name, file, self.place.folder) for file in opened.files]
                continue
            label = f"{log.table.database}:{log.table.name}" if log.table else f"frame {log.frame}"
            count, digest = self.engine.digest(opened)
            parts.append(Part(name, "table" if log.table else "frame", label, count, digest))
        return Manifest(tuple(parts))

    def rows(self, until_us: int | None) -> tuple[int, int, int]:
        """Rows read of champion and candidate, and rows of any model without a request id or a time."""
        counted = []
        for version in (self.design.champion, self.design.candidate):
            if self.source.wide:
                counted.append(0)
                continue
            rows = side(
                self.predictions, version, self.typed, (), Bounds(until_us, self.timed), content=False
            )
            counted.append(
                int(self.engine.run(Step("rows", f"SELECT count(*) FROM ({rows}) AS rows_read"))[0][0])
            )
        broken = 0
        for one in self.predictions:
            needed = [
                one.log.columns.request,
                *([one.log.columns.scored_at] if one.log.columns.scored_at else []),
            ]
            missing = " OR ".join(f"{ident(column)} IS NULL" for column in needed)
            sql = f"SELECT count(CASE WHEN {missing} THEN 1 END) FROM {one.opened.sql}"
            broken += int(self.engine.run(Step("broken", sql))[0][0])
        return counted[0], counted[1], broken

    def pair(self, until_us: int | None, *, content: bool) -> tuple[int, int, int]:
        """Make table ``pairs`` from the rows before a moment; returns rows of champion and candidate, and broken rows."""
        champion, candidate, broken = self.rows(until_us)
        self.engine.run(pairs_step(self._query(until_us, content=content, grouped=False)))
        self.duplicated, self.conflicting = False, 0
        if self._has_duplicates(champion, candidate):
            self.duplicated = True
            self.conflicting = self._conflicting(until_us) if content else 0
            self.engine.run(pairs_step(self._query(until_us, content=content, grouped=True)))
        if self.design.written.window is not None:
            self.engine.run(FIRST_REQUEST)
        if self.source.wide:
            both = self.engine.run(
                Step(
                    "rows",
                    "SELECT count(CASE WHEN place < 2 THEN 1 END), count(CASE WHEN place <> 1 THEN 1 END) FROM pairs",
                )
            )
            champion, candidate = int(both[0][0]), int(both[0][1])
        return champion, candidate, broken

    def _query(self, until_us: int | None, *, content: bool, grouped: bool) -> str:
        design, attributes = self.design, self.design.attributes
        bounds = Bounds(until_us, self.timed)
        labels = None
        if self.source.labels is not None:
            labels = labels_of(
                self.opened["labels"], self.source.labels, self.typed, until_us, content=content
            )
            if grouped:
                labels = _one_label(labels, content=content)
        if self.source.wide:
            return wide_pairs(
                self.predictions[0],
                (design.champion, design.candidate),
                labels,
                self.typed,
                attributes,
                bounds,
                content=content,
                grouped=grouped,
            )
        sides = Sides(
            *(
                side(self.predictions, version, self.typed, attributes, bounds, content=content)
                for version in (design.champion, design.candidate)
            )
        )
        if grouped:
            sides = sides.grouped(columns_of(attributes, content=content))
        return long_pairs(sides, labels, attributes, content=content, grouped=grouped)

    def _has_duplicates(self, champion: int, candidate: int) -> bool:
        """Whether a request or a label met more than one row; told by the numbers of rows, without grouping them all.

        Without duplicates each row of a model is in one pair. A request that one model logged twice makes a pair too many
        for the other; requests that only one model logged, or that a wide log holds, are grouped.
        """
        if self.source.wide:
            return self._wide_duplicates()
        both, lone_champion, lone_candidate = (
            int(n)
            for n in self.engine.run(
                Step(
                    "meeting",
                    "SELECT count(CASE WHEN place = 0 THEN 1 END), count(CASE WHEN place = 1 THEN 1 END), "
                    "count(CASE WHEN place = 2 THEN 1 END) FROM pairs",
                )
            )[0]
        )
        if both + lone_champion != champion or both + lone_candidate != candidate:
            return True
        sql = "SELECT 1 FROM pairs WHERE unmatched IS NOT NULL GROUP BY place, unmatched HAVING count(*) > 1 LIMIT 1"
        return bool(self.engine.run(Step("repeated", sql)))

    def _wide_duplicates(self) -> bool:
        one = self.predictions[0]
        request = ident(one.log.columns.request)
        counted = self.engine.run(
            Step("repeated", f"SELECT count({request}), count(DISTINCT {request}) FROM {one.opened.sql}")
        )[0]
        if int(counted[0]) != int(counted[1]):
            return True
        if self.source.labels is None:
            return False
        request, labels = ident(self.source.labels.columns.request), self.opened["labels"]
        counted = self.engine.run(
            Step("repeated", f"SELECT count({request}), count(DISTINCT {request}) FROM {labels.sql}")
        )[0]
        return int(counted[0]) != int(counted[1])

    def _conflicting(self, until_us: int | None) -> int:
        """Requests with two labels that differ: nobody can tell which is true, so they count as unlabelled."""
        if self.source.labels is None:
            return 0
        labels = labels_of(self.opened["labels"], self.source.labels, self.typed, until_us, content=True)
        sql = (
            f"SELECT count(*) FROM (SELECT request FROM ({labels}) AS every_label GROUP BY request "
            "HAVING min(label) <> max(label)) AS differing"
        )
        return int(self.engine.run(Step("conflicting", sql))[0][0])

    def one(self, step: Step) -> Row:
        """The single row of a statement."""
        return self.engine.run(step)[0]

    @property
    def has_control(self) -> bool:
        return any(one.answers(CONTROL) is not None for one in self.predictions)


FIRST_REQUEST = Step(
    "first_request",
    "CREATE OR REPLACE TEMP TABLE pairs AS SELECT pairs.*, first_request.first_us FROM pairs LEFT JOIN (SELECT unit, "
    "min(at_us) AS first_us FROM pairs WHERE unit IS NOT NULL GROUP BY unit) AS first_request ON first_request.unit = pairs.unit",
)
"""When a user's window begins."""


def _one_label(labels: str, *, content: bool) -> str:
    """One label a request, known since the first of its rows; where labels differ there is none."""
    value, same = ("", "") if not content else (", min(label) AS label", " HAVING min(label) = max(label)")
    return f"SELECT request, min(labelled_us) AS labelled_us{value} FROM ({labels}) AS every_label GROUP BY request{same}"
