"""A small canary with its logs for the tests: users come all the time, and the share decides who of them is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from experiments.assignment.hashing import POSITIONS, positions
from experiments.canaries.checking import CheckContext, look_of, make_canary_readout
from experiments.canaries.design import CanaryDesign, parse_canary
from experiments.canaries.looking import TakenCheck, take_check
from experiments.canaries.past import PastCheck, as_past
from experiments.canaries.readout import CanaryReadout
from experiments.designs.metrics import Catalogue, parse_catalogue
from experiments.logs.sources import OutcomeSources, Place, Sources, parse_outcome_sources, parse_sources
from experiments.readouts.readout import Registration

START = datetime(2026, 11, 2, tzinfo=UTC)
SEALED = datetime(2026, 12, 1, tzinfo=UTC)

CATALOGUE = """
metrics:
- {name: failed, version: 1, type: conversion, direction: lower, event: error, baseline: {mean: 0.05, source: last week}}
- {name: latency, version: 1, type: mean, direction: lower, unit: ms, event: latency, decimals: 3, no_events: missing,
   baseline: {mean: 200, sd: 60, source: last week}}
- {name: clicks_per_view, version: 1, type: ratio, direction: higher, unit: clicks, numerator: {event: click},
   denominator: {event: view}, baseline: {mean: 0.4, sd: 0.8, source: last week}}
- {name: latency_p90, version: 1, type: quantile, direction: lower, unit: ms, event: latency, quantile: 0.9, decimals: 3,
   baseline: {mean: 280, sd: 150, source: last week}}
"""
DESIGN = """
title: Ranker v8 for all users
model: ranker
champion: {version: v7}
candidate: {version: v8}
steps:
- {share: 5%, hold: 1d, minimum_units: 100}
- {share: 20%, hold: 1d, minimum_units: 200}
guardrails:
- {metric: failed, margin: 0.05, reason: every failure costs a ticket}
- {metric: latency, margin: {relative: 10%}, reason: slow pages lose users}
checks: {every: 12h}
time_limit: 2d
"""
SOURCES = """
sources:
  main:
    assignments:
      frame: assignments
      columns: {unit: user, arm: arm, assigned_at: at}
      attributes: {platform: platform}
    watermark: 2026-12-01
"""
OUTCOMES = """
outcomes:
  main:
    logs:
    - {frame: outcomes, columns: {unit: user, event: event, value: value, occurred_at: at}}
    watermark: 2026-12-01
"""


@dataclass
class Truth:
    """What is true of the traffic.

    Attributes:
        units_per_day: who come anew, in the canary or not.
        failing: rate of failures in control on each day (the last holds for all later days).
        worse: added to the candidate's rate.
        slower: factor on the candidate's latency.
    """

    units_per_day: int = 8000
    days: int = 6
    failing: tuple[float, ...] = (0.05,)
    worse: float = 0.0
    slower: float = 1.0
    seed: int = 1


@dataclass
class Canary:
    """A canary with its logs, taken through its steps as the ladder would."""

    truth: Truth = field(default_factory=Truth)
    design_text: str = DESIGN
    catalogue_text: str = CATALOGUE
    begun: list[datetime] = field(default_factory=lambda: [START])
    past: list[PastCheck] = field(default_factory=list)
    readouts: list[CanaryReadout] = field(default_factory=list)
    keep: Any = None

    def __post_init__(self) -> None:
        self.catalogue: Catalogue = parse_catalogue(self.catalogue_text)
        self.design: CanaryDesign = parse_canary(self.design_text, self.catalogue)
        rng = np.random.default_rng(self.truth.seed)
        n = self.truth.units_per_day * self.truth.days
        self._came = np.sort(rng.uniform(0, self.truth.days * 86_400, n))
        self._users = [f"user-{i}" for i in range(n)]
        self._place = positions(self.design.salt, self._users) / POSITIONS
        self._luck, self._noise = rng.uniform(size=n), rng.normal(size=n)
        self._views, self._click = rng.poisson(3, n) + 1, rng.uniform(size=n)

    @property
    def assignments(self) -> pd.DataFrame:
        """Users under the shares that were on when they first came within a slice."""
        edges = [(moment - START).total_seconds() for moment in self.begun]
        rows, taken = [], np.zeros(len(self._users), dtype=bool)
        for step, begins in zip(self.design.steps, edges, strict=False):
            share = float(step.share)
            candidate, control = self._place < share, self._place >= 1 - share
            here = (self._came >= begins) & (candidate | control) & ~taken
            # a unit that was about before its slice opened comes back a little after it did
            back = (
                (self._came < begins) & (candidate | control) & ~taken
                if step.number > 1
                else np.zeros_like(taken)
            )
            for who, at in ((here, self._came), (back, begins + self._luck * 40_000)):
                index = np.flatnonzero(who)
                rows.append((index, at[index], candidate[index]))
                taken[index] = True
            later = [edge for edge in edges if edge > begins]
            if later:
                keep = rows[-2][1] < later[0]
                taken[rows[-2][0][~keep]] = False
                rows[-2] = tuple(part[keep] for part in rows[-2])
                keep = rows[-1][1] < later[0]
                taken[rows[-1][0][~keep]] = False
                rows[-1] = tuple(part[keep] for part in rows[-1])
        index, at, candidate = (np.concatenate([row[i] for row in rows]) for i in range(3))
        self._index, self._at, self._candidate = index, at, candidate.astype(bool)
        return pd.DataFrame(
            {
                "user": [self._users[i] for i in index],
                "arm": np.where(self._candidate, "candidate", "control"),
                "at": _moments(at),
                "platform": np.where(index % 3 == 0, "ios", "android"),
            }
        )

    def with_everybody(self) -> pd.DataFrame:
        """The assignments with a row of everybody else, when they first came and were in neither slice."""
        inside = self.assignments
        first = dict(zip(inside["user"], inside["at"], strict=True))
        came = _moments(self._came)
        others = [
            (user, "champion", at, "ios")
            for user, at in zip(self._users, came, strict=True)
            if user not in first or first[user] > at
        ]
        rest = pd.DataFrame(others, columns=["user", "arm", "at", "platform"])
        return pd.concat([rest, inside], ignore_index=True)

    @property
    def outcomes(self) -> pd.DataFrame:
        """Three events of each user within the hour; call after ``assignments``."""
        index, at, candidate = self._index, self._at, self._candidate
        day = np.minimum((at // 86_400).astype(int), len(self.truth.failing) - 1)
        rate = np.asarray(self.truth.failing)[day] + self.truth.worse * candidate
        slow = (200 + 60 * self._noise[index]) * np.where(candidate, self.truth.slower, 1.0)
        users = np.array(self._users, dtype=object)[index]
        failed = self._luck[index] < rate
        clicked = self._click[index] < 0.6
        views = np.repeat(users, self._views[index])
        parts = [
            pd.DataFrame(
                {"user": users, "event": "latency", "value": np.round(slow, 3), "at": _moments(at + 60)}
            ),
            pd.DataFrame(
                {"user": users[failed], "event": "error", "value": 1.0, "at": _moments(at[failed] + 90)}
            ),
            pd.DataFrame(
                {"user": users[clicked], "event": "click", "value": 1.0, "at": _moments(at[clicked] + 70)}
            ),
            pd.DataFrame(
                {
                    "user": views,
                    "event": "view",
                    "value": 1.0,
                    "at": _moments(np.repeat(at, self._views[index]) + 30),
                }
            ),
        ]
        found = pd.concat(parts, ignore_index=True)
        return found if self.keep is None else found[self.keep(found)].reset_index(drop=True)

    def logs(self) -> tuple[Sources, OutcomeSources]:
        assignments = self.assignments
        frames = {"assignments": assignments, "outcomes": self.outcomes}
        sources, outcomes = parse_sources(SOURCES), parse_outcome_sources(OUTCOMES)
        place = Place(frames=frames)
        return Sources(sources.by_name, place), OutcomeSources(outcomes.by_name, place)

    def take(self, **options: Any) -> TakenCheck:
        sources, outcomes = self.logs()
        return take_check(self.design, sources, outcomes, steps_begun=self.begun, past=self.past, **options)

    def readout_of(self, taken: TakenCheck) -> CanaryReadout:
        return make_canary_readout(
            self.design,
            taken.evidence,
            CheckContext(
                registration=Registration(
                    experiment="CAN-0001",
                    title=self.design.title,
                    owner="mira",
                    reviewer="ola",
                    version=1,
                    design_sha256=self.design.sha256,
                    locked_at=START,
                ),
                look=look_of(self.design, taken.status, self.begun, taken.watermark),
                released_at=SEALED,
                simulated=True,
                manifest=tuple(taken.manifest.as_list()),
                statements=taken.statements,
                held=taken.held,
                past=tuple(self.past),
            ),
        )

    def check(self) -> CanaryReadout:
        """Take the next check, seal it, and let the share grow an hour later where it may."""
        readout = self.readout_of(self.take())
        self.readouts.append(readout)
        self.past.append(as_past(readout))
        if readout.verdict.action == "advance":
            self.begun.append(readout.look.at + timedelta(hours=1))
        return readout

    def run(self) -> CanaryReadout:
        """All checks, to the one that ends the canary."""
        readout = self.check()
        while readout.verdict.code == "CONTINUE":
            readout = self.check()
        return readout


def _moments(seconds: np.ndarray) -> pd.Series:
    at = pd.to_datetime(START) + pd.to_timedelta(np.round(seconds, 3), unit="s")
    return pd.Series(at).astype("datetime64[us, UTC]")
