"""Why a replay ends, and what that is for the experiment where there are several treatments."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int8]


class Reason(IntEnum):
    """Why a replay ended, in the order in which the verdict map asks."""

    GOES_ON = 0
    INVALID = 1
    HARM_STOP = 2
    PRIMARY_HARMED = 3
    GUARDRAIL_BEYOND = 4
    EFFICACY = 5
    FUTILITY = 6
    RULED_OUT = 7
    INCONCLUSIVE = 8


SHIPS: Final = frozenset({Reason.EFFICACY})
DOES_NOT_SHIP: Final = frozenset(
    {
        Reason.HARM_STOP,
        Reason.PRIMARY_HARMED,
        Reason.GUARDRAIL_BEYOND,
        Reason.FUTILITY,
        Reason.RULED_OUT,
    }
)
AT_ANY_LOOK: Final = SHIPS | DOES_NOT_SHIP - {Reason.RULED_OUT}
"""What ends an experiment also before its last look."""


def overall(by_treatment: Codes) -> Codes:
    """The experiment's end at each look from the verdicts of its treatments; before the last it goes on where one of them does.

    It ends once any treatment ships or trips a harm stop, or when none goes on. DO NOT SHIP only where that is the verdict
    of every treatment; of several reasons the first in the verdict map's order is named.
    """
    going_on = ~np.isin(by_treatment, _values(AT_ANY_LOOK))
    going_on[:, -1] = False
    ships = (by_treatment == Reason.EFFICACY).any(axis=2)
    tripped = (by_treatment == Reason.HARM_STOP).any(axis=2)
    stopped = np.isin(by_treatment, _values(DOES_NOT_SHIP)).all(axis=2)
    found: Codes = np.select(
        [ships, going_on.any(axis=2) & ~tripped, stopped],
        [np.int8(Reason.EFFICACY), np.int8(Reason.GOES_ON), by_treatment.min(axis=2)],
        np.int8(Reason.INCONCLUSIVE),
    )
    return found


def _values(reasons: frozenset[Reason]) -> Sequence[int]:
    return sorted(int(reason) for reason in reasons)
