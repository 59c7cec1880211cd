"""The logs of one shadow, open for reading: contracts checked, completeness known, every file accounted for."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from experiments.forms.problems import Invalid, Problem
from experiments.logs.arrival import _all_there
from experiments.logs.contracts import unit_type
from experiments.logs.engines.duckdb import DuckDB, OpenedLog, Row
from experiments.logs.manifest import Manifest, Part, file_part
from experiments.logs.open_logs import _stats
from experiments.logs.sources import Log
from experiments.logs.sql import Step
from experiments.logs.watermark import Watermark, earliest, watermark_of
from experiments.shadows.contracts import (
    OpenedPredictions,
    Typed,
    check_labels,
    check_predictions,
    class_type,
    columns_named,
    refuse,
)
from experiments.shadows.design import ShadowDesign
from experiments.shadows.logs import CONTROL, PredictionSources
from experiments.shadows.quantities import Said
from experiments.shadows.sides import labels_of


class OpenPredictions:
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
        if self.source.labels is not None and "labels" in self.opened:
            problems += check_labels(self.opened["labels"], self.source.labels)
        refuse(problems)
        self.typed = self._typed()

    def _logs(self) -> dict[str, Log]:
        """The logs that are there; a log of labels without a file yet holds no label, and is no fault."""
        found: dict[str, Log] = {f"predictions_{index}": log for index, log in enumerate(self.source.logs)}
        labels = self.source.labels
        sealed = self._sealed is None or any(part.log == "labels" for part in self._sealed.parts)
        if labels is not None and sealed and _all_there([labels], self.place):
            found["labels"] = labels
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
        if self.source.labels is not None and "labels" in self.opened:
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

    def one(self, step: Step) -> Row:
        """The single row of a statement."""
        return self.engine.run(step)[0]

    @property
    def has_control(self) -> bool:
        return any(one.answers(CONTROL) is not None for one in self.predictions)

    def labels(self, until_us: int | None, *, content: bool) -> str:
        """The statement of request, labelled_us and, with content, label."""
        if self.source.labels is None or "labels" not in self.opened:
            value = f", CAST(NULL AS {self.typed.answer}) AS label" if content else ""
            return f"SELECT CAST(NULL AS {self.typed.request}) AS request, CAST(NULL AS BIGINT) AS labelled_us{value} WHERE FALSE"
        return labels_of(self.opened["labels"], self.source.labels, self.typed, until_us, content=content)
