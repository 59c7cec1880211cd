"""A released shadow with its cases drawn from logs in memory, and people who judge them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from experiments.shadows.cases import DrawnCases
from registry import lifecycle, shadowing
from registry.casebook import Pick
from registry.casework import draw, finish_review, judge_case
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.lifecycle import Exposure
from registry.plans import plan_to_register
from tests.experiments.shadows import Laboratory, Traffic, laboratory


@dataclass
class Reviewing:
    """One shadow of mira's, reviewed by ola."""

    registry: Registry
    clock: SimulatedClock
    lab: Laboratory = field(
        default_factory=lambda: laboratory({"minimum_labels": 200}, Traffic(requests=600))
    )

    def running(self) -> str:
        """Locked, with its logs there and its look due."""
        plan = plan_to_register(self.lab.design)
        id = lifecycle.create_draft(self.registry, "mira", plan).id
        lifecycle.submit(self.registry, "mira", id, reviewer="ola")
        lifecycle.register(self.registry, "ola", id, Exposure(first_exposure_at=None))
        self.clock.advance(timedelta(days=1))
        return id

    def released(self) -> str:
        id = self.running()
        shadowing.take(self.registry, "mira", id, self.lab.sources)
        return id

    def drawn(self) -> tuple[str, DrawnCases]:
        id = self.released()
        return id, draw(self.registry, "mira", id, self.lab.sources).found

    def judge_all(
        self, reviewer: str, id: str, cases: int, pick: Pick = Pick.A, *, finish: bool = True
    ) -> None:
        for number in range(1, cases + 1):
            judge_case(self.registry, reviewer, id, number, pick)
        if finish:
            finish_review(self.registry, reviewer, id)
