"""A small experiment on disk for the tests: catalogue, design, sources and outcomes as the files a team would write."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.cohorts.cohort import CutOff
from experiments.designs.design import Design, load_design
from experiments.designs.metrics import load_catalogue
from experiments.logs.sources import OutcomeSources, Place, Sources, load_outcome_sources, load_sources
from experiments.logs.sql import at_moment
from experiments.looks.looking import Taken, look_status, take_look
from experiments.looks.stopping import LookStatus
from experiments.readouts.judgement import Context, make_readout
from experiments.readouts.readout import Check, Comparison, Look, Readout, Registration

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
RELEASED = datetime(2026, 12, 1, 9, 12, tzinfo=UTC)


def real_data(name: str) -> Path:
    """A file of the real-data folder beside the repository; skips the test where it is absent."""
    file = DATA / name
    if not file.exists():
        pytest.skip(f"real data absent: ../shared/data/{name}")
    return file


@dataclass
class Trial:
    """An experiment as files in one folder, read as a user's command would read them.

    ``frames`` are tables handed over in Python, for logs that name a frame.
    """

    folder: Path
    catalogue: str
    design_text: str
    sources_text: str
    outcomes_text: str
    frames: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("metrics.yaml", self.catalogue),
            ("design.yaml", self.design_text),
            ("sources.yaml", self.sources_text),
            ("outcomes.yaml", self.outcomes_text),
        ):
            (self.folder / name).write_text(textwrap.dedent(text), encoding="utf-8")

    @property
    def design(self) -> Design:
        files = self.folder / "design.yaml", self.folder / "metrics.yaml"
        return _loaded(*files, *(file.read_text(encoding="utf-8") for file in files))

    @property
    def sources(self) -> Sources:
        loaded = load_sources(self.folder / "sources.yaml")
        return Sources(loaded.by_name, Place(loaded.place.folder, self.frames))

    @property
    def outcomes(self) -> OutcomeSources:
        loaded = load_outcome_sources(self.folder / "outcomes.yaml")
        return OutcomeSources(loaded.by_name, Place(loaded.place.folder, self.frames))

    def status(self) -> LookStatus:
        return look_status(self.design, self.sources, self.outcomes)[0]

    def take(
        self, *, cut_off: CutOff | None = None, extract: Path | None = None, threads: int | None = None
    ) -> Taken:
        return take_look(
            self.design, self.sources, self.outcomes, cut_off=cut_off, extract=extract, threads=threads
        )

    def readout(self, *, extract: Path | None = None, stopped_at: datetime | None = None) -> Readout:
        """The readout of the look, as the registry would seal it."""
        design = self.design
        cut_off = None if stopped_at is None else CutOff(round(stopped_at.timestamp()) * 1_000_000, None)
        taken = self.take(extract=extract, cut_off=cut_off)
        return make_readout(
            design, taken.evidence, context_of(design, taken, stopped_by_hand=stopped_at is not None)
        )


@cache
def _loaded(design: Path, catalogue: Path, *_contents: str) -> Design:
    """A design is loaded once for as long as its files say the same."""
    return load_design(design, load_catalogue(catalogue))


def context_of(design: Design, taken: Taken, *, stopped_by_hand: bool = False) -> Context:
    before = taken.evidence.cohort.cut_off.before_us
    return Context(
        registration=Registration(
            experiment="EXP-0001",
            title=design.title,
            owner="mira",
            reviewer="ola",
            version=1,
            design_sha256=design.sha256,
            locked_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        look=Look(
            k=1,
            of=1,
            final=True,
            cut_off=None if before is None else at_moment(before),
            watermark=None if taken.watermark.us is None else at_moment(taken.watermark.us),
            watermark_why=taken.watermark.why,
            information=taken.status.information,
            short=taken.status.short,
            stopped_by_hand=stopped_by_hand,
            enrolment_start=taken.status.start,
        ),
        released_at=RELEASED,
        simulated=True,
        manifest=tuple(taken.manifest.as_list()),
        statements=taken.statements,
        held=taken.held,
    )


def check(readout: Readout, name: str) -> Check:
    """The one validity check of that name."""
    found = [one for one in readout.validity if one.name == name]
    assert len(found) == 1, [one.name for one in readout.validity]
    return found[0]


def of_metric(comparisons: tuple[Comparison, ...], name: str) -> Comparison:
    found = [one for one in comparisons if one.metric.split("@")[0] == name]
    assert len(found) == 1, [one.metric for one in comparisons]
    return found[0]


def counts(comparison: Comparison) -> tuple[int | None, int, int | None, int]:
    """Successes and units, control first."""
    control, treatment = comparison.control_value, comparison.treatment_value
    return control.successes, control.n, treatment.successes, treatment.n


METRICS: list[dict[str, Any]] = [
    {"name": "converted", "type": "conversion", "direction": "higher", "event": "buy"},
    {"name": "visits", "type": "count", "direction": "higher", "event": "visit", "unit": "visits"},
    {"name": "revenue", "type": "sum", "direction": "higher", "event": "pay", "unit": "EUR"},
    {"name": "basket", "type": "mean", "direction": "higher", "event": "pay", "unit": "EUR"},
    {"name": "solved", "type": "proportion", "direction": "higher", "event": "solved"},
    {"name": "crashed", "type": "conversion", "direction": "lower", "event": "crash"},
    {
        "name": "latency",
        "type": "quantile",
        "quantile": 0.95,
        "direction": "lower",
        "event": "request",
        "unit": "ms",
        "decimals": 2,
    },
    {
        "name": "click_rate",
        "type": "ratio",
        "direction": "higher",
        "numerator": {"event": "click"},
        "denominator": {"event": "view"},
        "unit": "clicks per view",
    },
]
BASELINES = {
    "converted": 0.2,
    "solved": 0.5,
    "crashed": 0.05,
    "visits": 3.0,
    "revenue": 10.0,
    "basket": 20.0,
    "latency": 300.0,
    "click_rate": 0.3,
}
SMALL_DESIGN: dict[str, Any] = {
    "title": "A small experiment for the tests",
    "hypothesis": {"because": "a test has to start somewhere", "expect": "increase"},
    "arms": [{"name": "control"}, {"name": "treatment"}],
    "assignment": {"key": "small", "method": "external"},
    "primary": {"metric": "converted", "mde": 0.05},
    "no_guardrails_reason": "none is needed for this",
    "window": "7d",
    "power": {"units_per_arm": 20, "override_reason": "the logs of a test are small"},
    "stopping": {"minimum_duration": "7d", "maximum_duration": "14d"},
}
SMALL_SOURCES: dict[str, Any] = {
    "complete": True,
    "assignments": {
        "frame": "assignments",
        "columns": {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"},
    },
}
SMALL_OUTCOMES: dict[str, Any] = {
    "complete": True,
    "logs": [
        {
            "frame": "outcomes",
            "columns": {"unit": "unit", "event": "event", "value": "value", "occurred_at": "occurred_at"},
        }
    ],
}


def small_trial(
    folder: Path,
    frames: dict[str, Any] | None = None,
    *,
    design: dict[str, Any] | None = None,
    sources: dict[str, Any] | None = None,
    outcomes: dict[str, Any] | None = None,
    metrics: dict[str, dict[str, Any]] | None = None,
) -> Trial:
    """A small experiment; the arguments replace top-level fields of its documents (None takes a field away).

    ``metrics`` adds to the metrics of that name, or adds a metric.
    """
    catalogue = {metric["name"]: metric for metric in METRICS}
    for name, extra in (metrics or {}).items():
        catalogue[name] = {**catalogue.get(name, {"name": name}), **extra}
    declared = json.dumps(_replaced(SMALL_DESIGN, design))
    catalogue = {name: metric for name, metric in catalogue.items() if f'"{name}"' in declared}
    written = [
        {
            "version": 1,
            "baseline": {"mean": BASELINES.get(name, 1.0), "sd": 5.0, "source": "made up"},
            **metric,
        }
        for name, metric in catalogue.items()
    ]
    return Trial(
        folder,
        json.dumps({"metrics": written}),
        declared,
        json.dumps({"sources": {"main": _replaced(SMALL_SOURCES, sources)}}),
        json.dumps({"outcomes": {"main": _replaced(SMALL_OUTCOMES, outcomes)}}),
        frames or {},
    )


def _replaced(base: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    merged = {**base, **(changes or {})}
    return {key: value for key, value in merged.items() if value is not None}


MONDAY = pd.Timestamp("2026-03-02", tz="UTC")


def assignments(n: int, *, days: int = 7, start: pd.Timestamp = MONDAY, **columns: Any) -> pd.DataFrame:
    """``n`` units, arms in turn, spread evenly over the days."""
    step = pd.Timedelta(days=days) / n
    return pd.DataFrame(
        {
            "unit": [f"u{i:06d}" for i in range(n)],
            "arm": ["control", "treatment"] * (n // 2) + ["control"] * (n % 2),
            "assigned_at": [start + i * step for i in range(n)],
            **columns,
        }
    )


def events(assigned: pd.DataFrame, event: str, values: Any = 1.0, *, after: str = "1h") -> pd.DataFrame:
    """One row of an event for each of these units, some time after its assignment."""
    return pd.DataFrame(
        {
            "unit": assigned.unit,
            "event": event,
            "value": values,
            "occurred_at": assigned.assigned_at + pd.Timedelta(after),
        }
    )
