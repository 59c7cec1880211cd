"""Metrics: a closed vocabulary instead of SQL, kept in a catalogue file with versions.

Every metric is defined per randomisation unit. What a unit contributes:

=============  =====================================================================================
count          number of its events in the window
sum            sum of the values of its events in the window
mean           mean of the values of its events in the window
proportion     1 when any of its values in the window is above 0, else 0 (a yes/no outcome)
conversion     1 when it has at least ``at_least`` events in the window, else 0
retention      1 when it has an event between ``starts`` and the end of the window, else 0
ratio          two sums or counts, numerator and denominator, divided over all units (delta method)
quantile       its events' values; the quantile is over all events of an arm, clustered by unit
=============  =====================================================================================

Three kinds of missing are kept apart: a unit without any event (``no_events``), an event whose value is
NULL (``null_values``), and a unit whose window is not over (never analysed; see ``cohort``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from experiments.documents import Document, parse_document, read_document
from experiments.durations import Duration
from experiments.problems import Invalid, Problem, unknown_name
from experiments.validation import collect

MetricType = Literal["count", "sum", "mean", "proportion", "conversion", "retention", "ratio", "quantile"]
BINARY: frozenset[str] = frozenset({"proportion", "conversion", "retention"})
COUNTED: frozenset[str] = frozenset({"count", "conversion", "retention"})
NO_EVENTS_DEFAULT: dict[str, Literal["zero", "missing"]] = {
    "count": "zero",
    "sum": "zero",
    "mean": "missing",
    "proportion": "missing",
    "conversion": "zero",
    "retention": "zero",
    "ratio": "zero",
    "quantile": "missing",
}

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
REFERENCE = re.compile(r"([a-z][a-z0-9_]{0,62})(?:@([1-9][0-9]*))?")


def _name(value: Any) -> Any:
    if isinstance(value, str) and not NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not allowed; use small letters, digits and _, starting with a letter")
    return value


Name = Annotated[str, BeforeValidator(_name)]


class Frozen(BaseModel):
    """A written value: no unknown fields, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


class Baseline(Frozen):
    """What the metric was before, and where that comes from; for a ratio or quantile ``sd`` is the
    per-unit standard deviation of its linearised form."""

    mean: float
    sd: float | None = Field(default=None, gt=0)
    source: str = Field(min_length=3)


class Part(Frozen):
    """Numerator or denominator of a ratio."""

    event: str = Field(min_length=1)
    aggregate: Literal["count", "sum"] = "count"
    cap: float | None = Field(
        default=None, gt=0, description="largest per-unit contribution, in the metric's unit"
    )


class Metric(Frozen):
    """One metric in one version. A version is never edited; a change is the next version."""

    name: Name
    version: int = Field(ge=1)
    type: MetricType
    direction: Literal["higher", "lower"] = Field(description="which way is better")
    meaning: str = Field(default="", description="one sentence; not part of the hash")
    unit: str = Field(default="", description="what one is counted in: ms, views, EUR")
    event: str | None = Field(default=None, min_length=1)
    numerator: Part | None = None
    denominator: Part | None = None
    window: Duration | None = Field(
        default=None, description="how long outcomes count; default: the design's"
    )
    starts: Duration = Field(
        default=0, description="retention only: from when on an event counts as a return"
    )
    at_least: int = Field(default=1, ge=1, description="conversion only: how many events make one")
    quantile: float | None = Field(default=None, gt=0, lt=1)
    no_events: Literal["zero", "missing"] | None = None
    null_values: Literal["skip", "missing", "zero"] = "skip"
    cap: float | None = Field(default=None, description="largest per-unit value, fixed before the data")
    decimals: int = Field(
        default=6, ge=0, le=9, description="decimals of a logged value that are kept, exactly"
    )
    centre: float | None = Field(
        default=None, description="provisional mean for exact sums; default: the baseline"
    )
    baseline: Baseline | None = None

    @model_validator(mode="after")
    def _means_something(self) -> Metric:
        wrong: list[str] = []
        if self.type == "ratio":
            if self.numerator is None or self.denominator is None:
                wrong.append("a ratio needs numerator and denominator, each with an event")
            if self.event is not None:
                wrong.append("a ratio names its events in numerator and denominator, not in event")
        else:
            if self.event is None:
                wrong.append(f"a {self.type} needs event: which event (or wide column) it is made of")
            if self.numerator is not None or self.denominator is not None:
                wrong.append(f"numerator and denominator belong to a ratio, not to a {self.type}")
        if (self.type == "quantile") != (self.quantile is not None):
            wrong.append("quantile: give the level (0.95) for a quantile metric, and only there")
        if self.type != "conversion" and self.at_least != 1:
            wrong.append("at_least belongs to a conversion")
        if self.type != "retention" and self.starts:
            wrong.append("starts belongs to a retention")
        if self.type == "retention" and self.starts == 0:
            wrong.append("a retention needs starts: from when on an event counts as a return, for example 7d")
        if self.type == "retention" and self.window is not None and self.window <= self.starts:
            wrong.append("window must be longer than starts")
        if self.cap is not None and (self.type in BINARY or self.type in {"ratio", "quantile"}):
            wrong.append(f"cap has no meaning for a {self.type}")
        if self.baseline is not None and self.type in BINARY and not 0 < self.baseline.mean < 1:
            wrong.append("baseline.mean of a yes/no metric lies between 0 and 1")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def when_no_events(self) -> Literal["zero", "missing"]:
        return self.no_events or NO_EVENTS_DEFAULT[self.type]

    @property
    def is_binary(self) -> bool:
        return self.type in BINARY

    @property
    def can_be_missing(self) -> bool:
        """Whether an analysed unit may have no value, so that missingness may differ by arm."""
        return self.when_no_events == "missing" or self.null_values == "missing"

    def events(self) -> tuple[str, ...]:
        """The events (or wide columns) this metric is made of."""
        if self.type == "ratio":
            return tuple(dict.fromkeys(part.event for part in parts_of(self)))
        return (self.event,) if self.event else ()

    def canonical(self, window: int) -> dict[str, Any]:
        """What the metric means, defaults filled in; words about it left out."""
        body = self.model_dump(mode="json", exclude={"meaning", "baseline", "no_events", "window"})
        body["no_events"] = self.when_no_events
        body["window"] = window
        return body


def parts_of(metric: Metric) -> tuple[Part, Part]:
    """Numerator and denominator of a ratio.

    Raises:
        ValueError: the metric is not a ratio.
    """
    if metric.numerator is None or metric.denominator is None:
        raise ValueError(f"{metric.reference} is a {metric.type}, not a ratio")
    return metric.numerator, metric.denominator


class Catalogue(Mapping[str, Metric]):
    """Metrics by reference (``name@version``); a bare name means its newest version."""

    def __init__(self, metrics: tuple[Metric, ...]) -> None:
        self._metrics = {metric.reference: metric for metric in metrics}
        self._newest: dict[str, Metric] = {}
        for metric in metrics:
            if metric.name not in self._newest or self._newest[metric.name].version < metric.version:
                self._newest[metric.name] = metric

    def __getitem__(self, reference: str) -> Metric:
        return self._newest[reference] if "@" not in reference else self._metrics[reference]

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    def __contains__(self, reference: object) -> bool:
        return reference in self._metrics or reference in self._newest

    def explain_missing(self, reference: str) -> str:
        """Why ``reference`` is not here, with the nearest right name."""
        match = REFERENCE.fullmatch(reference)
        if match and match[1] in self._newest:
            versions = sorted(metric.version for metric in self.values() if metric.name == match[1])
            return f"{reference!r}: {match[1]} has version(s) {', '.join(map(str, versions))}."
        return unknown_name(reference, sorted(self._newest), "a metric of the catalogue")


def load_catalogue(file: FilePath) -> Catalogue:
    """Read a metric catalogue.

    Raises:
        Invalid: every problem in the file at once.
    """
    return catalogue_of(read_document(file, f"metric catalogue {file}"))


def parse_catalogue(text: str) -> Catalogue:
    """A catalogue from YAML text; raises like ``load_catalogue``."""
    return catalogue_of(parse_document(text, "metric catalogue"))


def catalogue_of(document: Document) -> Catalogue:
    problems: list[Problem] = []
    metrics: list[Metric] = []
    for key in document.body:
        if key != "metrics":
            problems.append(document.problem((key,), unknown_name(key, ["metrics"], "a field here")))
    written = document.body.get("metrics")
    if not isinstance(written, list):
        problems.append(document.problem(("metrics",), "expected a list of metrics"))
        written = []
    seen: dict[str, int] = {}
    for index, item in enumerate(written):
        path = ("metrics", index)
        try:
            metric = Metric.model_validate(item)
        except ValidationError as error:
            problems += collect(error, Metric, document, path)
            continue
        if metric.reference in seen:
            problems.append(
                document.problem(
                    path, f"{metric.reference} is defined twice (also metrics[{seen[metric.reference]}])"
                )
            )
        seen.setdefault(metric.reference, index)
        metrics.append(metric)
    if problems:
        raise Invalid(f"metric catalogue {document.file or ''}".strip(), problems)
    return Catalogue(tuple(metrics))
