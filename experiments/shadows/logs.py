"""Logs of a shadow: the contracts, and the predictions file that maps a team's tables onto them.

A third file beside sources and outcomes, loaded only by what takes a look (design rule 1), since it leads to what the
models said and to the labels.

===========  =================================================================================================
predictions  request, [unit], [scored_at], model, prediction, [score, latency_ms, error, timeout, cost, input_hash,
             correct, attributes…]; long: a row a request and model; or wide: a row a request, columns a model
labels       request, label, [labelled_at]
===========  =================================================================================================

Times are UTC. A log without times needs ``complete: true``: nothing more will come.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final

from pydantic import Field, model_validator

from experiments.forms.documents import Document, parse_document, read_document
from experiments.forms.spellings import Column, Frozen, Moment
from experiments.logs.sources import Log, Place, _entries, _named

CONTROL: Final = "control"
"""What a logged model is mapped to that is the champion a second time, for the noise floor."""


class AnswerColumns(Frozen):
    """What a model's row says of one request."""

    prediction: Column | None = Field(default=None, description="the answer: a class, or a number")
    score: Column | None = Field(
        default=None, description="binary: probability of the positive class; ranking: quality of the ranking"
    )
    correct: Column | None = Field(
        default=None, description="right or wrong, where it is known without a label"
    )
    latency_ms: Column | None = None
    error: Column | None = Field(default=None, description="true or 1 where the model failed")
    timeout: Column | None = Field(default=None, description="true or 1 where it did not answer in time")
    cost: Column | None = None
    scored_at: Column | None = None
    input_hash: Column | None = Field(default=None, description="of what the model was given")


class PredictionColumns(AnswerColumns):
    request: Column
    unit: Column | None = Field(default=None, description="who asked; needed where the unit is the user")
    model: Column | None = Field(default=None, description="which model a row of a long log is of")


class PredictionLog(Log):
    """Long (a row a request and model) or ``wide`` (a row a request, with the columns of each version)."""

    columns: PredictionColumns
    model: str | None = Field(
        default=None, min_length=1, description="the version all rows are of, where no column says it"
    )
    models: dict[str, str] = Field(
        default={}, description="model as logged: version as designed, or control: the champion once more"
    )
    wide: dict[str, AnswerColumns] = Field(default={}, description="version: its columns, of a wide table")
    attributes: dict[str, Column] = Field(default={}, description="attribute of the request: its column")

    @model_validator(mode="after")
    def _long_or_wide(self) -> PredictionLog:
        if sum((bool(self.wide), self.model is not None, self.columns.model is not None)) != 1:
            raise ValueError(
                "say which model a row is of: columns.model (a long log), model (all rows), or wide (columns a model)"
            )
        if self.models and self.columns.model is None:
            raise ValueError("models maps the values of columns.model; leave it out, or name that column")
        own = self.columns.model_dump(include=set(AnswerColumns.model_fields) - {"scored_at", "input_hash"})
        if self.wide and any(own.values()):
            raise ValueError("a wide log names the columns of each model in wide, not in columns")
        return self


class LabelColumns(Frozen):
    request: Column
    label: Column
    labelled_at: Column | None = None


class LabelLog(Log):
    columns: LabelColumns


class PredictionSource(Frozen):
    """What the models said of the mirrored requests, and what was true."""

    logs: tuple[PredictionLog, ...] = Field(min_length=1)
    labels: LabelLog | None = Field(
        default=None,
        description="left out: the predictions say themselves what was right (correct), or are quality scores",
    )
    complete: bool = Field(
        default=False, description="nothing more will come; needed where there are no times"
    )
    watermark: Moment | None = Field(default=None, description="every log here is complete up to this moment")

    @model_validator(mode="after")
    def _fits_together(self) -> PredictionSource:
        for index, log in enumerate(self.logs):
            timed = log.columns.scored_at or any(one.scored_at for one in log.wide.values())
            if not timed and not self.complete:
                raise ValueError(f"logs[{index}] has no scored_at; name its column, or say complete: true")
        if any(log.wide for log in self.logs) and len(self.logs) > 1:
            raise ValueError("a wide log holds every model's answers; give it alone")
        if self.labels is not None and self.labels.columns.labelled_at is None and not self.complete:
            raise ValueError("labels have no labelled_at; name its column, or say complete: true")
        return self

    @property
    def wide(self) -> bool:
        return bool(self.logs[0].wide)


@dataclass(frozen=True, slots=True)
class PredictionSources:
    by_name: dict[str, PredictionSource]
    place: Place

    def __getitem__(self, name: str) -> PredictionSource:
        return _named(self.by_name, name, "a source of the predictions file")


def load_prediction_sources(file: FilePath) -> PredictionSources:
    """Read the predictions file. Only what takes or awaits a shadow's look may call this.

    Raises:
        Invalid: every problem at once.
    """
    return prediction_sources_of(read_document(file, f"predictions {file}"), Place(FilePath(file).parent))


def parse_prediction_sources(text: str, place: Place | None = None) -> PredictionSources:
    return prediction_sources_of(parse_document(text, "predictions"), place or Place())


def prediction_sources_of(document: Document, place: Place) -> PredictionSources:
    return PredictionSources(_entries(document, "predictions", PredictionSource), place)
