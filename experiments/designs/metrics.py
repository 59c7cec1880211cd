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

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path as FilePath
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from experiments.designs.meaning.metric import metric_findings
from experiments.forms.documents import Document, read_text, scan_document
from experiments.forms.drafts import Unreadable, draft_of
from experiments.forms.durations import Duration
from experiments.forms.problems import Invalid, dotted, unknown_name
from experiments.forms.spellings import REFERENCE, Count, Number, Prose, Rate
from experiments.forms.spellings import Frozen as Frozen
from experiments.forms.spellings import Name as Name
from experiments.forms.validation import Findings, collect

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


class Baseline(Frozen):
    """What the metric was before, and where that comes from."""

    mean: Number = Field(description="per unit; of a ratio or quantile its value")
    sd: Number | None = Field(
        default=None,
        gt=0,
        description="per unit; of a ratio or quantile that of its linearised form; a yes/no metric needs none",
    )
    source: Prose = Field(min_length=3, description="the period and the data it was read from")


class Part(Frozen):
    """Numerator or denominator of a ratio."""

    event: str = Field(min_length=1, description="which event (or wide column)")
    aggregate: Literal["count", "sum"] = Field(
        default="count", description="how many events, or the sum of their values"
    )
    cap: Number | None = Field(
        default=None, gt=0, description="largest per-unit contribution, in the metric's unit"
    )


class Metric(Frozen):
    """One metric in one version. A version is never edited; a change is the next version."""

    name: Name = Field(description="small letters, digits and _")
    version: Count = Field(ge=1, description="1, 2, …; name@version is what a design pins")
    type: MetricType = Field(description="what a unit contributes")
    direction: Literal["higher", "lower"] = Field(description="which way is better")
    meaning: Prose = Field(default="", description="one sentence for people")
    unit: Prose = Field(default="", description="what one is counted in: ms, views, EUR")
    event: str | None = Field(
        default=None, min_length=1, description="which event (or wide column); not for a ratio"
    )
    numerator: Part | None = Field(default=None, description="ratio only")
    denominator: Part | None = Field(default=None, description="ratio only")
    window: Duration | None = Field(
        default=None, gt=0, description="how long outcomes count from first exposure; default: the design's"
    )
    starts: Duration = Field(default=0, description="retention only: from when on an event is a return")
    at_least: Count = Field(default=1, ge=1, description="conversion only: how many events make one")
    quantile: Rate | None = Field(default=None, gt=0, lt=1, description="quantile only: its level, 0.95")
    no_events: Literal["zero", "missing"] | None = Field(
        default=None, description="what a unit without any event is; default by type"
    )
    null_values: Literal["skip", "missing", "zero"] = Field(
        default="skip", description="an event without a value: skip it, lose the unit, or take 0"
    )
    cap: Number | None = Field(
        default=None, description="largest per-unit value, fixed before the data; for sum, mean and count"
    )
    decimals: Count = Field(
        default=6, ge=0, le=9, description="decimals of a logged value that are kept, exactly"
    )
    centre: Number | None = Field(
        default=None,
        description="where exact sums are centred; no result depends on it; default: the baseline",
    )
    baseline: Baseline | None = Field(
        default=None, description="what it was before; a design may give its own"
    )

    @model_validator(mode="after")
    def _means_something(self) -> Metric:
        wrong = tuple(metric_findings(self))
        if wrong:
            raise Findings(wrong)
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
        """What the metric means with outcomes counting for ``window`` seconds, defaults filled in.

        Words about it and its baseline are left out; its own window stays, so that a locked design can be reopened.
        """
        body = self.model_dump(mode="json", exclude={"meaning", "baseline"})
        own = body["window"]
        return body | {"no_events": self.when_no_events, "window": window, "catalogue_window": own}


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
            known = [f"{match[1]}@{version}" for version in versions]
            return f"{reference!r} is not a version of {match[1]}. Allowed: {', '.join(known)}."
        return unknown_name(reference, sorted(self._newest), "a metric of the catalogue")


def load_catalogue(file: FilePath) -> Catalogue:
    """Read a metric catalogue.

    Raises:
        Invalid: every problem in the file at once.
    """
    what = f"metric catalogue {file}"
    return catalogue_of(scan_document(read_text(file, what), what, file=str(file)))


def parse_catalogue(text: str) -> Catalogue:
    """A catalogue from YAML text; raises like ``load_catalogue``."""
    return catalogue_of(scan_document(text, "metric catalogue"))


def catalogue_of(document: Document) -> Catalogue:
    """The catalogue that a document holds; raises like ``load_catalogue``."""
    problems = list(document.faults)
    for key in document.body:
        if key != "metrics":
            problems.append(document.problem((key,), unknown_name(key, ["metrics"], "a field here")))
    listed = document.body.get("metrics")
    if not isinstance(listed, list) or not listed:
        problems.append(
            document.problem(("metrics",), "is missing: a list of metrics, each with its version")
        )
        listed = []
    metrics: list[Metric] = []
    places: dict[str, str] = {}
    for index, item in enumerate(listed):
        path = ("metrics", index)
        draft = draft_of(Metric, item)
        try:
            metrics.append(Metric.model_validate(item))
        except ValidationError as error:
            problems += collect(error, Metric, document, path)
            problems += [document.problem((*path, *at), message) for at, message in metric_findings(draft)]
        with suppress(Unreadable):
            if draft.reference in places:
                also = places[draft.reference]
                problems.append(document.problem(path, f"{draft.reference} is defined twice (also {also})"))
            places.setdefault(draft.reference, dotted(path))
    if problems:
        found = sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
        raise Invalid(f"metric catalogue {document.file or ''}".strip(), found)
    return Catalogue(tuple(metrics))
