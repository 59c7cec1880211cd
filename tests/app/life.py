"""A small experiment in a workspace of its own, brought as far along its life as a test needs; by commands only."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.cli.main import run
from app.demo.stage import without_settings_from_outside
from experiments.cohorts.log_checks import assignment_of
from experiments.designs.design import load_design
from experiments.designs.metrics import load_catalogue
from experiments.traffic import Conversion, Effect, Fault, Misassigned, Scenario, write_traffic

START = datetime(2026, 11, 2, tzinfo=UTC)
ID = "EXP-0001"
REASON = "The declared rule was met, and every check passed as declared."

METRICS = """
metrics:
  - {name: success, version: 1, type: conversion, event: done, direction: higher, window: 1d, baseline: {mean: 0.3, source: made up}}
  - {name: failure, version: 1, type: conversion, event: failed, direction: lower, window: 1d, baseline: {mean: 0.1, source: made up}}
"""

SOURCES = """
sources:
  main:
    assignments:
      files: logs/assignments/dt=*/*.parquet
      partition: dt
      columns: {experiment: experiment, unit: unit, arm: arm, assigned_at: assigned_at}
"""

OUTCOMES = """
outcomes:
  main:
    logs:
      - files: logs/outcomes/dt=*/*.parquet
        partition: dt
        columns: {unit: unit, event: event, occurred_at: occurred_at, recorded_at: recorded_at, value: value}
"""

DESIGN = """
title: A small change for everybody
hypothesis: {because: it is better, expect: increase}
arms:
  - {name: control}
  - {name: candidate}
assignment: {key: small-change}
primary: {metric: success@1, mde: {absolute: 0.2}}
no_guardrails_reason: nothing else can be harmed by it
power: {units_per_day: 100}
stopping: {minimum_duration: 2d, maximum_duration: 4d, step: 1d, part_weeks_reason: a test of two days}
"""

DESIGN_WITH_A_HARM_STOP = DESIGN.replace(
    "no_guardrails_reason: nothing else can be harmed by it",
    "guardrails: [{metric: failure@1, role: harm-stop, margin: {absolute: 0.1}, burn_in: 100, alpha: 0.01, "
    "reason: people give up on failures}]",
)

DESIGN_WITH_A_COVARIATE = DESIGN.replace(
    "primary: {metric: success@1, mde: {absolute: 0.2}}",
    "primary: {metric: success@1, mde: {absolute: 0.2}, covariates: [{metric: success@1, window: 1d}]}",
)

TEAM = {"mira": "analyst", "ola": "reviewer", "dan": "decider", "eve": "decider"}


@dataclass
class Life:
    """A team's workspace on a simulated clock, and one experiment in it.

    Each step takes those before it, so that ``life.due()`` alone is enough.
    """

    folder: Path
    fairtrial: Callable[..., Any]
    faults: tuple[Fault, ...] = ()
    step: int = 0
    design: str = DESIGN
    lift: float = 0.3
    harm: float = 0.0
    days: int = 2
    history: float | None = None

    def ok(self, line: str, *more: str) -> Any:
        """Run a command that has to succeed."""
        ran = self.fairtrial(line, *more)
        assert ran.exit_code == 0, ran.err
        return ran

    def founded(self) -> Life:
        if self._first(1):
            files = {"metrics": METRICS, "sources": SOURCES, "outcomes": OUTCOMES, "design": self.design}
            for name, text in files.items():
                (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
            begin = (START - timedelta(hours=12)).isoformat()
            self.ok(f"init . --admin Ada --simulated-clock {begin}")
            for person, role in TEAM.items():
                self.ok(f"people add {person} --role {role} --as ada")
        return self

    def in_review(self) -> Life:
        self.founded()
        if self._first(2):
            self.ok("register design.yaml --reviewer ola --as mira")
        return self

    def registered(self) -> Life:
        self.in_review()
        if self._first(3):
            self.ok(f"review {ID} --approve --as ola")
        return self

    def running(self) -> Life:
        """A day and a half of traffic: exposed, and not yet due."""
        self.registered()
        if self._first(4):
            self.pass_to(START + timedelta(days=1, hours=12))
            self.fairtrial(f"health {ID}")
        return self

    def due(self) -> Life:
        self.running()
        if self._first(5):
            self.pass_to(START + timedelta(days=5))
        return self

    def watched(self) -> Life:
        """Running, with a harm stop declared that has nothing to say."""
        self.design = DESIGN_WITH_A_HARM_STOP
        return self.running()

    def adjusted(self) -> Life:
        """Running, with a covariate declared, which health compares by arm."""
        self.design, self.history = DESIGN_WITH_A_COVARIATE, 0.3
        return self.running()

    def read_out(self) -> Life:
        self.due()
        if self._first(6):
            self.ok(f"readout {ID} --as mira")
        return self

    def decided(self) -> Life:
        self.read_out()
        if self._first(7):
            self.ok(f"decide {ID} --ship --as dan --reason", REASON)
        return self

    def pass_to(self, moment: datetime) -> None:
        """Let the clock and the logs come to a moment."""
        self.ok(f"clock --set {moment.isoformat()}")
        self.write_logs(moment)

    def write_logs(self, until: datetime) -> None:
        design = load_design(self.folder / "design.yaml", load_catalogue(self.folder / "metrics.yaml"))
        day = timedelta(days=1)
        effects = (Effect(self.lift, arm="candidate"),) if self.lift else ()
        outcome = Conversion(
            event="done",
            probability=0.3,
            window=day,
            history=day,
            effects=effects,
            history_correlation=self.history,
        )
        harmed = (Effect(self.harm, arm="candidate"),) if self.harm else ()
        failed = Conversion(event="failed", probability=0.1, window=day, history=day, effects=harmed)
        scenario = Scenario(
            experiment="small-change",
            start=date(2026, 11, 2),
            days=self.days,
            units_per_day=150,
            weekdays=(1.0,) * 7,
            exact=True,
            assignment=assignment_of(design),
            outcomes=(outcome, failed),
            faults=self.faults,
        )
        write_traffic(self.folder / "logs", [scenario], until)

    def _first(self, step: int) -> bool:
        """Whether this step is still to be done."""
        before, self.step = self.step, max(self.step, step)
        return before < step


BROKEN = (Misassigned(0.2),)
"""Traffic in which a fifth of the units is in another arm than the hash's: health fails, and the readout is INVALID."""

OWN_LIVES = ("watched", "adjusted")
"""Stages of another design, each of a life of its own."""

STAGES = ("founded", "in_review", "registered", "running", "due", "read_out", "decided")


def build_stages(folder: Path) -> dict[str, Path]:
    """A copy of the workspace at each stage of one life; copying is quicker than living again."""
    life = Life(folder / "life", quietly(folder / "life"))
    life.folder.mkdir()
    kept = {}
    with without_settings_from_outside():
        for stage in STAGES:
            getattr(life, stage)()
            kept[stage] = shutil.copytree(life.folder, folder / stage)
        for stage in OWN_LIVES:
            other = Life(folder / stage, quietly(folder / stage))
            other.folder.mkdir()
            getattr(other, stage)()
            kept[stage] = other.folder
    return kept


def quietly(folder: Path) -> Callable[..., Any]:
    def call(line: str, *more: str) -> Any:
        out, err = io.StringIO(), io.StringIO()
        with chdir(folder), redirect_stdout(out), redirect_stderr(err):
            code = run([*line.split(), *more])
        return SimpleNamespace(exit_code=code, out=out.getvalue(), err=err.getvalue())

    return call
