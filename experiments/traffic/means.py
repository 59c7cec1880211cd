"""The mean of an outcome for a unit, by its arm and its attributes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experiments.traffic.outcomes import Effect, Floats, Outcome

if TYPE_CHECKING:
    from experiments.traffic.scenario import Scenario


def means_of(
    scenario: Scenario, outcome: Outcome, arm: NDArray[np.int8], levels: dict[str, NDArray[np.int8]]
) -> tuple[Floats, Floats]:
    """Return the outcome's mean before and after exposure for units of these arms (−1: none) and levels."""
    before = changed(
        scenario,
        np.full(len(arm), outcome.baseline),
        arm,
        levels,
        [e for e in outcome.effects if e.arm is None],
    )
    after = changed(scenario, before, arm, levels, [e for e in outcome.effects if e.arm is not None])
    return before, after


def changed(
    scenario: Scenario,
    means: Floats,
    arm: NDArray[np.int8],
    levels: dict[str, NDArray[np.int8]],
    effects: list[Effect],
) -> Floats:
    factor, added = np.ones(len(means)), np.zeros(len(means))
    for effect in effects:
        touched = np.ones(len(means), dtype=bool)
        if effect.arm is not None:
            touched &= arm == scenario.assignment.names.index(effect.arm)
        if effect.segment is not None:
            name, level = effect.segment
            attribute = next(a for a in scenario.attributes if a.name == name)
            touched &= levels[name] == attribute.names.index(level)
        if effect.relative:
            factor[touched] *= 1 + effect.size
        else:
            added[touched] += effect.size
    return means * factor + added


@dataclass(frozen=True, slots=True)
class Cells:
    """Every combination of arm and attribute levels, with its share of the arm: a population in miniature."""

    arm: NDArray[np.int8]
    levels: dict[str, NDArray[np.int8]]
    share: Floats


def cells_of(scenario: Scenario, outcome: Outcome) -> Cells:
    """Return the combinations that the outcome's effects can tell apart."""
    named = {effect.segment[0] for effect in outcome.effects if effect.segment is not None}
    attributes = [attribute for attribute in scenario.attributes if attribute.name in named]
    arms = range(len(scenario.assignment.names))
    combinations = np.array(list(product(arms, *(range(len(a.levels)) for a in attributes))), dtype=np.int8)
    levels = {attribute.name: combinations[:, i + 1] for i, attribute in enumerate(attributes)}
    share = np.ones(len(combinations))
    for attribute in attributes:
        share *= attribute.shares[levels[attribute.name]]
    return Cells(combinations[:, 0], levels, share)
