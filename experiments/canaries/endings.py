"""What is true in a simulated canary, and how its replays end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CanaryTruth:
    """What is true in a simulation.

    Attributes:
        worsening: of each guardrail by its label, in margins; 0 where it is not named.
        drift: by how much every base rate or mean has risen, as a share of its baseline, once each step took its whole time.
        approval: seconds from a check that lets a step advance until the next begins.
    """

    worsening: dict[str, float] = field(default_factory=dict)
    drift: float = 0.0
    approval: int = 0


@dataclass(frozen=True, slots=True)
class CanaryEndings:
    """How each replay ended.

    Attributes:
        row: of the total map.
        rolled_back: control for everybody, or the candidate paused: a breach, or time up where that is declared.
        passed: the verdict is PASS.
        step: at which it ended, from 1.
        seconds: since the first step began.
        exposed: units that had met the candidate.
        checks: how many were taken.
    """

    row: Ints
    rolled_back: NDArray[np.bool_]
    breached: NDArray[np.bool_]
    passed: NDArray[np.bool_]
    step: Ints
    seconds: Ints
    exposed: Ints
    checks: Ints

    def share(self, of: NDArray[np.bool_]) -> float:
        return float(np.mean(of))

    def stopped_before(self, users: int) -> float:
        """Share of replays rolled back before more units than that had met the candidate."""
        return float(np.mean(self.rolled_back & (self.exposed <= users)))
