"""Entries of every rung and a rollout over them, with readouts that hold what the registry reads of them and no more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from experiments.rollouts.design import RolloutDesign, declare_rollout
from registry import ladder, lifecycle
from registry.canonical import sha256_of
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.kinds import Choice
from registry.ladder import Rollout
from registry.lifecycle import Exposure, StopReason
from registry.records import Plan, Verdict

REASON = "Because the reason has to be long enough for a stranger to follow."
SHARES = ("1/100", "1/20", "1/4")
UNSEEN = Exposure(first_exposure_at=None)


def rollout_design(model: str = "router", **changed: Any) -> RolloutDesign:
    fields: dict[str, Any] = {
        "title": f"The new {model} in place of the old",
        "model": model,
        "champion": {"version": "v3"},
        "candidate": {"version": "v4"},
        "rungs": {"ab": {}},
        "risk_budget": {"share": "25%"},
    }
    return declare_rollout(**(fields | changed))


@dataclass
class Climb:
    """A registry with people in it, and the way up."""

    registry: Registry
    clock: SimulatedClock
    model: str = "router"
    champion: str = "v3"
    candidate: str = "v4"
    made: int = field(default=0)
    person: str | None = None
    """Who does everything alone, in one-person mode."""
    owner: str = "mira"
    """Whose the entries are; the rollout is mira's."""

    def shadow(self, **changed: Any) -> str:
        return self.registered({"schema": "shadow/1", "sample": "1/5", **self._models(), **changed})

    def canary(self, shares: tuple[str, ...] = SHARES, salt: str | None = None, **changed: Any) -> str:
        key = f"canary-{self.made}"
        material = {
            "schema": "canary/1",
            **self._models(),
            "steps": [{"share": share, "hold": 86_400} for share in shares],
            "breach": "roll back",
            "assignment": {
                "key": key,
                "method": "fairtrial",
                "salt": salt or f"layer:{self.model}-{self.made}",
            },
        }
        return self.registered(material | changed)

    def experiment(self, layer: dict[str, str] | None = None, **changed: Any) -> str:
        material = {
            "schema": "design/1",
            "arms": [
                {"name": "control", "share": "1/2", "version": self.champion},
                {"name": "candidate", "share": "1/2", "version": self.candidate},
            ],
            "assignment": {
                "key": f"ab-{self.made}",
                "method": "fairtrial",
                "salt": f"ab-{self.made}",
                "layer": layer,
            },
        }
        return self.registered(material | changed)

    def who(self, person: str) -> str:
        return self.person or person

    def registered(self, material: dict[str, Any]) -> str:
        """Locked and with its first exposure, so that looks can be taken."""
        owner = self.who(self.owner)
        self.made += 1
        plan = Plan(material, {}, sha256_of(material), f"entry: {self.made}", f"Entry number {self.made}")
        id = lifecycle.create_draft(self.registry, owner, plan).id
        lifecycle.submit(self.registry, owner, id, reviewer=self.who("ola"))
        lifecycle.register(self.registry, self.who("ola"), id, UNSEEN)
        lifecycle.start(self.registry, "system", id, self.tick())
        return id

    def tick(self) -> Any:
        return self.clock.advance(timedelta(minutes=1))

    def checked(self, id: str, k: int, step: int, action: str = "advance", *, met: int = 100) -> None:
        """A check of a canary that goes on."""
        lifecycle.open_look(self.registry, "system", id, k, 20, self.tick())
        readout = canary_readout(k, step, "CONTINUE", action, met)
        lifecycle.seal_look(self.registry, "system", id, k, readout, stop=None, verdict=None)

    def ended(self, id: str, verdict: Verdict, k: int = 1, *, step: int = 1, action: str = "finish") -> None:
        """The last look of an entry: sealed, and released."""
        lifecycle.open_look(self.registry, "system", id, k, 20 if id.startswith("CAN") else k, self.tick())
        readout = canary_readout(k, step, verdict.value, action, 100)
        stop = StopReason.INVALID if verdict is Verdict.INVALID else StopReason.FINAL
        lifecycle.seal_look(self.registry, "system", id, k, readout, stop=stop, verdict=verdict)
        if verdict is not Verdict.INVALID:
            lifecycle.mature(self.registry, "system", id, self.tick())
        lifecycle.release(self.registry, "system", id)

    def decided(self, id: str, choice: Choice) -> None:
        lifecycle.decide(self.registry, self.who("dan"), id, choice, REASON)

    # A rollout, rung by rung

    def planned(self, **changed: Any) -> str:
        versions = {"champion": {"version": self.champion}, "candidate": {"version": self.candidate}}
        design = rollout_design(self.model, **(versions | changed))
        return ladder.plan_rollout(self.registry, self.who("mira"), design).id

    def advanced(self, rollout: str, entry: str | None = None, actor: str = "mira") -> Rollout:
        self.tick()
        return ladder.advance(self.registry, self.who(actor), rollout, REASON, entry=entry)

    def in_shadow(self, **changed: Any) -> str:
        rollout = self.planned(**changed)
        self.advanced(rollout, self.shadow())
        return rollout

    def in_canary(self, step: int = 1, **changed: Any) -> str:
        rollout = self.in_shadow(**changed)
        shadow = self.at(rollout).shadow or ""
        self.ended(shadow, Verdict.PASS)
        self.decided(shadow, Choice.APPROVE)
        self.advanced(rollout, self.canary())
        for passed in range(1, step):
            self.checked(self.at(rollout).canary or "", passed, passed)
            self.advanced(rollout, actor="dan")
        return rollout

    def in_ab(self, **changed: Any) -> str:
        rollout = self.in_canary(len(SHARES), **changed)
        canary = self.at(rollout).canary or ""
        self.ended(canary, Verdict.PASS, len(SHARES), step=len(SHARES))
        self.decided(canary, Choice.APPROVE)
        self.advanced(rollout, self.experiment(layer=self.free_of(canary)))
        return rollout

    def promoted(self, **changed: Any) -> str:
        rollout = self.in_ab(**changed)
        experiment = self.at(rollout).ab or ""
        self.ended(experiment, Verdict.SHIP)
        self.decided(experiment, Choice.SHIP)
        self.advanced(rollout)
        return rollout

    def at(self, rollout: str) -> Rollout:
        return ladder.show_rollout(self.registry, rollout).rollout

    def free_of(self, canary: str) -> dict[str, str]:
        from registry.store import show

        salt = show(self.registry, canary).experiment.salt or ""
        return {"name": salt.removeprefix("layer:"), "start": "1/4", "end": "3/4"}

    def _models(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "champion": {"version": self.champion, "arm": "control"},
            "candidate": {"version": self.candidate, "arm": "candidate"},
            "number": self.made,
        }


def canary_readout(k: int, step: int, code: str, action: str, met: int) -> dict[str, Any]:
    return {
        "schema": "canary-readout/1",
        "look": {"k": k, "step": step},
        "verdict": {"code": code, "action": action},
        "steps": [{"step": step, "arms": [{"assigned": met}, {"assigned": met}]}],
    }
