"""The whole canary replayed many times with a known truth, on moments: how it ends, and how many have met the candidate by then.

Units come at the declared pace while the base rate drifts and the shares grow. Each replay is taken through the schedule by
the rule itself (``replaying``): the checks that are due, the stratified test at the margin, both boundaries at the information
that came, the total map. What is left out is what the logs may hide: allocation is fair and nothing is missing. Guardrails are
independent, and the levels of a segment equally large; what harms one level harms all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from experiments.canaries.design import CanaryDesign
from experiments.canaries.endings import CanaryEndings, CanaryTruth
from experiments.canaries.replaying import Replaying
from experiments.forms.durations import DAY

PREVIEW_REPLAYS: Final = 2_000
WORSENINGS: Final = (0.0, 1.0, 2.0)
"""In margins: unharmed, just at the margin, and harmful."""


@dataclass(frozen=True, slots=True)
class Characteristics:
    """What becomes of one truth.

    Attributes:
        error: the Monte-Carlo standard error of a share of one half, the largest there is.
        exposed: mean number of units that met the candidate, and its 90 % quantile.
    """

    guardrail: str
    worsening: float
    rolled_back: float
    passed: float
    undecided: float
    stopped_before: float | None
    exposed: float
    exposed_90: float
    days: float
    replays: int

    @property
    def error(self) -> float:
        return 0.5 / math.sqrt(self.replays)


def operating_characteristics(
    design: CanaryDesign,
    *,
    drift: float = 0.0,
    worsenings: Sequence[float] = WORSENINGS,
    replays: int = PREVIEW_REPLAYS,
    seed: int = 1,
) -> tuple[Characteristics, ...]:
    """The whole canary for each guardrail worse by so many margins, the others unharmed. The same seed, the same numbers.

    "Unharmed" is one row for all guardrails together.

    Raises:
        ValueError: a guardrail without a baseline.
    """
    found = []
    for times in worsenings:
        for measure in design.guardrails[:1] if times == 0 else design.guardrails:
            label = "every guardrail" if times == 0 else measure.label
            truth = CanaryTruth({measure.label: times}, drift)
            ends = simulate_canary(design, truth, replays=replays, seed=seed)
            users = design.written.power.stops_before
            found.append(
                Characteristics(
                    guardrail=label,
                    worsening=times,
                    rolled_back=ends.share(ends.rolled_back),
                    passed=ends.share(ends.passed),
                    undecided=ends.share(~ends.rolled_back & ~ends.passed),
                    stopped_before=None if users is None else ends.stopped_before(users),
                    exposed=float(np.mean(ends.exposed)),
                    exposed_90=float(np.quantile(ends.exposed, 0.9)),
                    days=float(np.mean(ends.seconds)) / DAY,
                    replays=replays,
                )
            )
    return tuple(found)


def simulate_canary(
    design: CanaryDesign, truth: CanaryTruth, *, replays: int = PREVIEW_REPLAYS, seed: int = 1
) -> CanaryEndings:
    """How each of many replays ends.

    Raises:
        ValueError: fewer than 1 replay, a guardrail that is not the canary's, or one without a baseline.
    """
    unknown = sorted(set(truth.worsening) - {measure.label for measure in design.guardrails})
    if unknown:
        raise ValueError(f"worsening: {unknown} are no guardrails of this canary")
    if replays < 1:
        raise ValueError(f"replays: {replays} is not allowed; give 1 or more")
    return Replaying(design, truth, replays, seed).run()
