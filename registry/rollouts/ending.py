"""The entry of a rung that is rolled back ends with it: nobody is served the candidate any more, so nothing new is measured."""

from __future__ import annotations

from typing import Any

from registry.acts import Act, load_experiment
from registry.lifecycle.checks import close
from registry.lifecycle.looking import StopReason
from registry.records import Experiment, State
from registry.rollouts.records import Rollout
from registry.tables import experiments


def end_entry(doing: Act, rollout: Rollout, reason: str) -> None:
    """End the entry of the rung a rollout is on, if it still runs, within the act that rolls it back.

    What has not begun, and a canary, is abandoned. A shadow or an A/B that runs is stopped by hand: what it has seen is
    read at its declared look, and its verdict is at most INCONCLUSIVE.
    """
    if rollout.entry is None:
        return
    entry = load_experiment(doing.connection, rollout.entry)
    if entry.state not in (State.REGISTERED, State.RUNNING):
        return
    if entry.state is State.REGISTERED or entry.kind == "canary":
        values = close(doing, entry) | {
            "state": State.ABANDONED,
            "closing_reason": f"{rollout.id} was rolled back: {reason}",
        }
    else:
        values = {
            "state": State.STOPPED,
            "stopped_at": doing.now,
            "stop_reason": StopReason.STOPPED_BY_HAND,
            "stopped_by_hand": True,
        }
    _change(doing, entry, values)


def _change(doing: Act, entry: Experiment, values: dict[str, Any]) -> None:
    changed = {"revision": entry.revision + 1, "changed_at": doing.now}
    doing.update(experiments, {"id": entry.id}, values | changed)
