"""Operating characteristics: how often each verdict comes, how many units and looks it takes, each with its Monte-Carlo error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.simulation.reasons import DOES_NOT_SHIP, SHIPS, Reason
from experiments.simulation.rule import Endings

REASON_WORDS: dict[Reason, str] = {
    Reason.INVALID: "invalid",
    Reason.HARM_STOP: "harm stop",
    Reason.PRIMARY_HARMED: "primary harmed",
    Reason.GUARDRAIL_BEYOND: "guardrail beyond its margin",
    Reason.EFFICACY: "ships",
    Reason.FUTILITY: "futile",
    Reason.RULED_OUT: "planned effect ruled out",
    Reason.INCONCLUSIVE: "inconclusive",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A simulated number and its Monte-Carlo standard error.

    Of a probability, the error is that of a share with half a replay more on either side, so that it is not 0 where every
    replay, or none, ended so.
    """

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class LookEndings:
    """What ended at one look.

    Attributes:
        look: its number, from 1.
        units: expected by then, in all arms together.
        information: share of the planned information expected by then.
        ended: share of all replays that ended here, by the words of the reason; those without any are left out.
    """

    look: int
    units: int
    information: float
    ended: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Characteristics:
    """What the whole rule does under one truth.

    Attributes:
        ship, do_not_ship, inconclusive, invalid: probability of each verdict; they add up to 1.
        units: expected in all arms together when it ends.
        looks: expected number of looks taken.
        by_look: when and why it ends.
    """

    replays: int
    ship: Estimate
    do_not_ship: Estimate
    inconclusive: Estimate
    invalid: Estimate
    units: Estimate
    looks: Estimate
    by_look: tuple[LookEndings, ...]


def share(count: int, of: int) -> Estimate:
    smoothed = (count + 0.5) / (of + 1)
    return Estimate(count / of, math.sqrt(smoothed * (1 - smoothed) / (of + 1)))


def characteristics_of(
    batches: Sequence[Endings], units: Sequence[int], information: Sequence[float]
) -> Characteristics:
    """Sum up replays; ``units`` and ``information`` are those expected at each look."""
    look = np.concatenate([batch.look for batch in batches])
    reason = np.concatenate([batch.reason for batch in batches])
    spent = np.concatenate([batch.units for batch in batches])
    replays = len(look)
    counts = np.zeros((len(units), len(Reason)), dtype=np.int64)
    np.add.at(counts, (look, reason), 1)
    by_look = tuple(
        LookEndings(
            at + 1,
            units[at],
            information[at],
            {
                words: share(int(counts[at, one]), replays)
                for one, words in REASON_WORDS.items()
                if counts[at, one]
            },
        )
        for at in range(len(units))
    )

    def verdict(*reasons: Reason) -> Estimate:
        return share(int(counts[:, [int(one) for one in reasons]].sum()), replays)

    return Characteristics(
        replays=replays,
        ship=verdict(*SHIPS),
        do_not_ship=verdict(*DOES_NOT_SHIP),
        inconclusive=verdict(Reason.INCONCLUSIVE),
        invalid=verdict(Reason.INVALID),
        units=_mean(spent),
        looks=_mean(look + 1.0),
        by_look=by_look,
    )


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Estimate:
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return Estimate(float(values.mean()), error)
