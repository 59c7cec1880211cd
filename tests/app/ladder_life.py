"""A candidate's way up in a workspace of its own, by commands only: shadow, canary and A/B over logs with a known truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from tests.experiments.canary_logs import CATALOGUE, Canary, Truth
from tests.experiments.shadows import SOURCE, Traffic

BEFORE = datetime(2026, 2, 20, tzinfo=UTC)
"""The clock when the workspace is founded: before the first mirrored request."""

ROLLOUT = """
title: Router v4 in place of v3
model: router
champion: {version: v3}
candidate: {version: v4}
rungs:
  shadow: {registered: SHD-0001}
  canary: {}
  ab:
    design:
      primary: {metric: clicks_per_view, mde: {relative: 10%}}
      stopping: {minimum_duration: 2d, maximum_duration: 20d, step: 1d, part_weeks_reason: a test of days}
      power: {units_per_day: 4000}
      window: 1h
risk_budget: {share: 25%, units: 20000, duration: 8w}
"""
SHADOW = """
kind: shadow
title: Router v4 in the shadow of v3
hypothesis: v4 answers as well as v3, for less
model: router
champion: {version: v3}
candidate: {version: v4}
task: binary
threshold: 0.5
primary: {margin: 0.05, reason: five points cost less than half the price saves}
limits: [{measure: error_share, worsening: 0.02, reason: the error budget of the service}]
minimum_pairs: 100
minimum_labels: 500
label_delay: 2d
stopping: {minimum_duration: 7d, maximum_duration: 14d}
"""
CANARY = """
kind: canary
title: Router v4 for a small share of all users
model: router
champion: {version: v3}
candidate: {version: v4}
steps:
- {share: 5%, hold: 1d, minimum_units: 100}
- {share: 20%, hold: 1d, minimum_units: 200}
guardrails:
- {metric: failed, margin: 0.05, reason: every failure costs a ticket}
- {metric: latency, margin: {relative: 10%}, reason: slow pages lose users}
assignment: {salt: 'layer:router', key: router-v4-canary}
checks: {every: 12h}
time_limit: 2d
"""
SOURCES = """
sources:
  main:
    assignments:
      files: logs/assignments.parquet
      columns: {unit: user, arm: arm, assigned_at: at}
      attributes: {platform: platform}
    watermark: WATERMARK
"""
OUTCOMES = """
outcomes:
  main:
    logs:
    - {files: logs/outcomes.parquet, columns: {unit: user, event: event, value: value, occurred_at: at}}
    watermark: WATERMARK
"""
TEAM = {"mira": "analyst", "ola": "reviewer", "dan": "decider", "oncall": "on-call"}
REASON = "As declared; what it rests on was read before this was signed."


@dataclass
class LadderLife:
    """A team's workspace on a simulated clock; each stage takes those before it."""

    folder: Path
    fairtrial: Callable[..., Any]
    truth: Truth = field(default_factory=Truth)
    canary: Canary | None = None
    done: list[str] = field(default_factory=list)

    def ok(self, line: str, *more: str) -> Any:
        ran = self.fairtrial(line, *more)
        assert ran.exit_code == 0, ran.err + ran.out
        return ran

    def founded(self) -> LadderLife:
        if self._first("founded"):
            self._write("metrics", CATALOGUE)
            self._write("rollout", ROLLOUT)
            self._write("shadow", SHADOW)
            self._write("canary", CANARY)
            self._watermark(BEFORE)
            prediction = {**SOURCE, "watermark": "2026-04-30T00:00:00Z"}
            (log,) = prediction["logs"]
            log = {name: value for name, value in log.items() if name != "frame"}
            labels = {name: value for name, value in prediction["labels"].items() if name != "frame"}
            source = prediction | {
                "logs": [log | {"files": "logs/predictions.parquet"}],
                "labels": labels | {"files": "logs/labels.parquet"},
            }
            self._write("predictions", json.dumps({"predictions": {"main": source}}))
            self.ok(f"init . --admin Ada --simulated-clock {BEFORE.isoformat()}")
            for person, role in TEAM.items():
                self.ok(f"people add {person} --role {role} --as ada")
        return self

    def registered(self) -> LadderLife:
        """The shadow is registered before its first mirrored request."""
        self.founded()
        if self._first("registered"):
            self.ok("register shadow.yaml --reviewer ola --as mira")
            self.ok("review SHD-0001 --approve --as ola")
        return self

    def shadowed(self) -> LadderLife:
        """The rollout is in its shadow, whose logs are there: its look is due."""
        self.registered()
        if self._first("shadowed"):
            self.ok("ladder plan rollout.yaml --as mira")
            self.ok("ladder advance ROL-0001 --as mira --reason", REASON)
            frames = Traffic(requests=6_000, users=1_500).frames()
            (self.folder / "logs").mkdir()
            for name, frame in frames.items():
                _keep(frame, self.folder / "logs" / f"{name}.parquet")
            self.pass_to(datetime(2026, 5, 1, tzinfo=UTC))
        return self

    def approved(self) -> LadderLife:
        """The shadow has passed and was approved; the canary is registered as CAN-0002."""
        self.shadowed()
        if self._first("approved"):
            self.ok("shadow readout SHD-0001 --as mira")
            self.ok("decide SHD-0001 --approve --as dan --reason", REASON)
            self.ok("register canary.yaml --reviewer ola --as mira")
            self.ok("review CAN-0002 --approve --as ola")
        return self

    def climbing(self) -> LadderLife:
        """Step 1 of the canary is on, and its first check is due."""
        self.approved()
        if self._first("climbing"):
            self.pass_to(datetime(2026, 11, 2, tzinfo=UTC))
            self.ok("ladder advance ROL-0001 --entry CAN-0002 --as mira --reason", REASON)
            self.pass_to(datetime(2026, 11, 3, 12, tzinfo=UTC))
            self.write_logs(1)
        return self

    def checked(self) -> LadderLife:
        """A sealed check says that step 1 may advance."""
        self.climbing()
        if self._first("checked"):
            for _ in range(3):
                found = self.ok("canary step CAN-0002 --json --as mira").document
                if found["check"]["verdict"]["action"] == "advance":
                    break
            assert found["check"]["verdict"]["action"] == "advance"
        return self

    def asked(self) -> LadderLife:
        """The owner has asked for step 2."""
        self.checked()
        if self._first("asked"):
            self.ok("ladder advance ROL-0001 --as mira --reason", REASON)
        return self

    def paused(self) -> LadderLife:
        self.climbing()
        if self._first("paused"):
            self.ok("ladder pause ROL-0001 --as oncall --reason", REASON)
        return self

    def write_logs(self, steps: int) -> None:
        """The canary's traffic, by the steps that its ladder has begun."""
        if self.canary is None:
            text = CANARY.replace("kind: canary\n", "")
            self.canary = Canary(self.truth, design_text=text)
        found = self.fairtrial("canary status CAN-0002 --json").document["steps_begun"]
        self.canary.begun = [datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in found]
        assert len(self.canary.begun) == steps
        _keep(self.canary.assignments, self.folder / "logs" / "assignments.parquet")
        _keep(self.canary.outcomes, self.folder / "logs" / "outcomes.parquet")

    def pass_to(self, moment: datetime) -> None:
        self.ok(f"clock --set {moment.isoformat()}")
        self._watermark(moment)

    def _watermark(self, moment: datetime) -> None:
        for name, text in (("sources", SOURCES), ("outcomes", OUTCOMES)):
            self._write(name, text.replace("WATERMARK", moment.isoformat()))

    def _write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def _first(self, stage: str) -> bool:
        new = stage not in self.done
        self.done.append(stage)
        return new


def _keep(frame: pd.DataFrame, file: Path) -> None:
    frame.to_parquet(file, coerce_timestamps="us", allow_truncated_timestamps=True)
