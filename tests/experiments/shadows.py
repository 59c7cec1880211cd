"""A small shadow for the tests: a design that is right, traffic of two models with a known truth, and its logs as frames."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from experiments.logs.sources import Place
from experiments.logs.sql import at_moment
from experiments.readouts.context import Context
from experiments.readouts.past import PastLook
from experiments.readouts.readout import Check, Look, Registration
from experiments.shadows.design import ShadowDesign, declare_shadow
from experiments.shadows.judgement import make_shadow_readout
from experiments.shadows.logs import PredictionSources, parse_prediction_sources
from experiments.shadows.looking import ShadowTaken, take_look
from experiments.shadows.readout import PairedComparison, ShadowReadout

RELEASED = datetime(2026, 12, 1, 9, 12, tzinfo=UTC)
MONDAY = pd.Timestamp("2026-03-02", tz="UTC")

WRITTEN: dict[str, Any] = {
    "title": "Router v4 in the shadow of v3",
    "hypothesis": "v4 answers as well as v3, for less",
    "model": "router",
    "champion": {"version": "v3"},
    "candidate": {"version": "v4"},
    "task": "binary",
    "threshold": 0.5,
    "primary": {"margin": 0.05, "reason": "five points cost less than half the price saves"},
    "limits": [{"measure": "error_share", "worsening": 0.02, "reason": "the error budget of the service"}],
    "minimum_pairs": 100,
    "minimum_labels": 500,
    "label_delay": "2d",
    "stopping": {"minimum_duration": "7d", "maximum_duration": "14d"},
}
"""A design that is right, for tests that change one thing."""

SOURCE: dict[str, Any] = {
    "watermark": "2026-04-30T00:00:00Z",
    "logs": [
        {
            "frame": "predictions",
            "columns": {
                "request": "request",
                "unit": "user",
                "scored_at": "scored_at",
                "model": "model",
                "prediction": "prediction",
                "score": "score",
                "latency_ms": "latency_ms",
                "error": "error",
                "timeout": "timeout",
                "cost": "cost",
                "input_hash": "input_hash",
            },
            "attributes": {"country": "country"},
        }
    ],
    "labels": {
        "frame": "labels",
        "columns": {"request": "request", "label": "label", "labelled_at": "labelled_at"},
    },
}


def changed(base: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    """``base`` with groups of fields merged and everything else replaced; None takes a field away."""
    merged = deepcopy(base)
    for name, value in (changes or {}).items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = changed(merged[name], value) if both else deepcopy(value)
    return {name: value for name, value in merged.items() if value is not None}


def shadow(changes: dict[str, Any] | None = None) -> ShadowDesign:
    return declare_shadow(**changed(WRITTEN, changes))


@dataclass
class Traffic:
    """Requests of a week or more, answered by both models.

    Attributes:
        right: share right of champion and candidate, by country.
    """

    requests: int = 2_000
    users: int = 400
    days: int = 7
    seed: int = 1
    right: dict[str, tuple[float, float]] = field(
        default_factory=lambda: {"DE": (0.80, 0.82), "FR": (0.80, 0.82)}
    )
    latency: tuple[float, float] = (100.0, 100.0)
    errors: tuple[float, float] = (0.01, 0.01)
    start: pd.Timestamp = MONDAY

    def frames(self) -> dict[str, pd.DataFrame]:
        """``predictions`` (a row a request and model) and ``labels``."""
        draw = np.random.default_rng(self.seed)
        n = self.requests
        at = self.start + pd.to_timedelta(np.sort(draw.uniform(0, self.days * 86_400 - 60, n)), unit="s")
        user = draw.integers(0, self.users, n)
        countries = sorted(self.right)
        country = np.array(countries)[user % len(countries)]
        label = draw.random(n) < 0.4
        ease = draw.random(n)
        request = [f"r{i:07d}" for i in range(n)]
        hashed = [f"h{i:07d}" for i in range(n)]
        rows = []
        for place, model in enumerate(("v3", "v4")):
            accuracy = np.array([self.right[one][place] for one in country])
            noise = draw.random(n) < 0.05
            right = (ease < accuracy) ^ noise
            said = np.where(right, label, ~label)
            score = np.clip(np.where(said, 0.75, 0.25) + draw.uniform(-0.2, 0.2, n), 0, 1)
            rows.append(
                pd.DataFrame(
                    {
                        "request": request,
                        "user": [f"u{one:05d}" for one in user],
                        "scored_at": at + pd.to_timedelta(place * 0.2, unit="s"),
                        "model": model,
                        "prediction": said.astype(int),
                        "score": score.round(6),
                        "latency_ms": (self.latency[place] * draw.lognormal(0, 0.3, n)).round(3),
                        "error": draw.random(n) < self.errors[place],
                        "timeout": False,
                        "cost": 0.002 if place else 0.004,
                        "input_hash": hashed,
                        "country": country,
                    }
                )
            )
        labels = pd.DataFrame(
            {"request": request, "label": label.astype(int), "labelled_at": at + pd.Timedelta(days=1)}
        )
        return {"predictions": pd.concat(rows, ignore_index=True), "labels": labels}


@dataclass
class Laboratory:
    """A shadow with its logs in memory, read as a worker would read them."""

    design: ShadowDesign
    frames: dict[str, pd.DataFrame]
    source: dict[str, Any] = field(default_factory=lambda: deepcopy(SOURCE))
    past: tuple[PastLook, ...] = ()

    @property
    def sources(self) -> PredictionSources:
        return parse_prediction_sources(
            json.dumps({"predictions": {"main": self.source}}), Place(frames=dict(self.frames))
        )

    def take(self, *, threads: int | None = None) -> ShadowTaken:
        return take_look(self.design, self.sources, past=self.past, threads=threads)

    def readout(self, *, threads: int | None = None) -> ShadowReadout:
        taken = self.take(threads=threads)
        assert taken.status.due, taken.status.missing
        return make_shadow_readout(self.design, taken.evidence, context_of(self.design, taken, self.past))


def laboratory(
    changes: dict[str, Any] | None = None,
    traffic: Traffic | None = None,
    source: dict[str, Any] | None = None,
) -> Laboratory:
    return Laboratory(shadow(changes), (traffic or Traffic()).frames(), changed(SOURCE, source))


def context_of(design: ShadowDesign, taken: ShadowTaken, past: tuple[PastLook, ...] = ()) -> Context:
    status, before = taken.status, taken.evidence.pairing.cut_off.before_us
    return Context(
        registration=Registration(
            experiment="SHD-0001",
            title=design.title,
            owner="mira",
            reviewer="ola",
            version=1,
            design_sha256=design.sha256,
            locked_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        look=Look(
            k=status.k,
            of=status.of,
            final=status.final,
            cut_off=None if before is None else at_moment(before),
            watermark=None if taken.watermark.us is None else at_moment(taken.watermark.us),
            watermark_why=taken.watermark.why,
            information=status.information,
            short=status.short,
            stopped_by_hand=False,
            enrolment_start=status.start,
        ),
        released_at=RELEASED,
        simulated=True,
        manifest=tuple(taken.manifest.as_list()),
        statements=taken.statements,
        held=taken.held,
        past=past,
    )


def check(readout: ShadowReadout, name: str) -> Check:
    """The one check of that name."""
    found = [one for one in readout.validity if one.name == name]
    assert len(found) == 1, [one.name for one in readout.validity]
    return found[0]


def limit(readout: ShadowReadout, measure: str) -> PairedComparison:
    found = [one for one in readout.declared_limits if one.metric == measure]
    assert len(found) == 1, [one.metric for one in readout.declared_limits]
    return found[0]
