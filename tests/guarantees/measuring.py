"""One row of the table: a design, how its units come, what is true; how often it errs, and whether its intervals hold.

The rule is ``experiments.simulation.rule.endings``, with the boundaries found by integration at every replay's own
information; some replays of every row are taken through readout after readout as well (``walking``).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.anytime.sequence import Alternative
from analysis.sequential.design import GroupSequentialDesign
from analysis.sequential.monitoring import boundaries_at
from experiments.designs.design import Design
from experiments.designs.sequential import efficacy_design, futility_design, sequence_plan
from experiments.readouts.boundaries import LEAST_LEVEL
from experiments.simulation.critical import sequence_critical
from experiments.simulation.pairs import Flags, Floats, Null, deviate, standardised
from experiments.simulation.rule import Boundaries, Endings, Reason, endings, judged_measures
from tests.guarantees.arrivals import Arrivals, information
from tests.guarantees.designs import populations
from tests.guarantees.populations import Cohorts, draw
from tests.guarantees.stagewise import Stagewise

BATCH = 5_000
STAGEWISE_REPLAYS = 3_000
"""Of a row at most: the stage-wise order takes a recursive integration for each."""


@dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        rule, looks, outcome: for people.
        arrivals: how units come.
        effects: true effect by metric, in the metric's unit.
        counted: what is counted of the ends: errors, or successes.
        nominal: the probability declared.
        allowed: times nominal: 1 for exact rules, 1.1 for asymptotic ones.
        at_least: the nominal value is a floor (a power) and not a ceiling (an error).
        futility_obeyed: False takes every look that comes after the futility boundary was crossed.
        part: of the replays asked for; less where every replay has boundaries of its own to integrate, or many looks.
    """

    rule: str
    looks: str
    outcome: str
    design: Design
    arrivals: Arrivals
    counted: frozenset[Reason]
    nominal: float
    effects: Mapping[str, float] = field(default_factory=dict)
    allowed: float = 1.0
    at_least: bool = False
    futility_obeyed: bool = True
    part: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.rule}; {self.looks}; {self.outcome}"

    def part_of(self, replays: int) -> int:
        return max(1, round(self.part * replays))


@dataclass(frozen=True)
class Share:
    """How many of so many replays, and the bound it is held against: nominal, times what is allowed."""

    count: int
    replays: int
    bound: float
    at_least: bool = False

    @property
    def value(self) -> float:
        return self.count / self.replays

    @property
    def standard_error(self) -> float:
        """Monte-Carlo, of a share with half a replay more on either side, so that it is never 0."""
        share = (self.count + 0.5) / (self.replays + 1)
        return math.sqrt(share * (1 - share) / (self.replays + 1))

    @property
    def kept(self) -> bool:
        """Whether the bound holds, within three standard errors (those at the bound)."""
        reach = 3 * math.sqrt(self.bound * (1 - self.bound) / self.replays)
        if self.at_least:
            return self.value >= self.bound - reach
        return self.value <= self.bound + reach


@dataclass(frozen=True)
class Batch:
    """Some replays of a case."""

    cohorts: Cohorts
    boundaries: Boundaries
    ends: Endings


def replayed(case: Case, replays: int, seed: int) -> Iterator[Batch]:
    """The replays of a case in batches; the same case and seed give the same ones."""
    drawn = populations(case.design, case.effects)
    boundaries = exact_boundaries(case.design, obey_futility=case.futility_obeyed)
    for number, start in enumerate(range(0, replays, BATCH)):
        spawn = (zlib.crc32(case.name.encode()), number)
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn))
        for added in case.arrivals(case.design, min(BATCH, replays - start), random):
            cohorts = draw(added, drawn, random)
            yield Batch(cohorts, boundaries, endings(case.design, cohorts, boundaries))


def share_of(case: Case, replays: int, seed: int) -> Share:
    """How often the case ends in what it counts, in its part of so many replays."""
    replays = case.part_of(replays)
    counted = sorted(int(one) for one in case.counted)
    count = sum(int(np.isin(one.ends.reason, counted).sum()) for one in replayed(case, replays, seed))
    bound = case.nominal * case.allowed
    return Share(count, replays, bound, case.at_least)


class Exact:
    """A boundary at every replay's own information, by integration; once for looks that many replays share."""

    def __init__(self, design: GroupSequentialDesign, *, futility: bool = False) -> None:
        self.design, self.futility = design, futility

    def at(self, information: Floats) -> Floats:
        distinct, row = np.unique(information, axis=0, return_inverse=True)
        found: Floats = np.array([self._row(looks) for looks in distinct.tolist()])[row.ravel()]
        return found

    def _row(self, looks: list[float]) -> list[float]:
        bounds = boundaries_at(self.design, looks, final=True)
        if self.futility:
            return [-math.inf if bound is None else bound for bound in bounds.futility or ()]
        return [math.inf if self.design.sides * ndtr(-z) < LEAST_LEVEL else z for z in bounds.critical]


def exact_boundaries(found: Design, *, obey_futility: bool = True) -> Boundaries:
    if found.stopping.rule != "group-sequential":
        return Boundaries({}, None)
    deciding = [i for i in judged_measures(found) if found.measures[i].role != "harm-stop"]
    efficacy = {index: Exact(efficacy_design(found, found.measures[index])) for index in deciding}
    futile = futility_design(found) if obey_futility else None
    return Boundaries(efficacy, None if futile is None else Exact(futile, futility=True))


def missed(found: Design, batch: Batch, effect: float) -> Flags:
    """Whether the primary's interval at a look leaves out the true effect, by replay and look.

    An interval leaves out a value just when the test of that value rejects at the look's level, on either side.
    """
    measure, pair = found.primary, batch.cohorts.pair(0, 1)
    everywhere = np.ones(pair.n.shape, dtype=bool)
    truth = Null(effect)
    if found.stopping.rule == "always-valid":
        alternative: Alternative = "two-sided" if measure.sides == 2 else "greater"
        critical = sequence_critical(sequence_plan(found, measure, 1, alternative), pair.n)
        statistic = standardised(pair, truth, everywhere)
    else:
        statistic = deviate(measure, pair, truth, everywhere)
        critical = np.full(pair.n.shape, -ndtri(measure.alpha / measure.sides))
        if found.stopping.rule == "group-sequential":
            critical = batch.boundaries.efficacy[0].at(information(found, batch.cohorts.units))
    outside: Flags = np.abs(statistic) > critical
    return outside


@dataclass(frozen=True)
class Held:
    """A design under a true effect: how often it ships, and how often its intervals hold that effect.

    Attributes:
        at_all_looks: the interval of every look taken, one after the other.
        stagewise: the interval at the end, of the replays that are shown one; None where the rule has none.
    """

    ships: Share
    at_all_looks: Share
    stagewise: Share | None


def intervals_of(
    case: Case,
    replays: int,
    seed: int,
    *,
    counting_futility: bool = True,
    first_crossing: bool = True,
) -> Held:
    """Power and coverage of a case whose effect on the primary is not 0; for the choices see ``Stagewise``."""
    found, replays = case.design, case.part_of(replays)
    effect = case.effects.get(found.primary.metric.name, 0.0)
    ships = held = covered = of = seen = 0
    for batch in replayed(case, replays, seed):
        ships += int((batch.ends.reason == Reason.EFFICACY).sum())
        outside = missed(found, batch, effect)
        # binding futility is counted on, so that what follows a stop was not promised
        until = batch.ends.look[:, None] if _binds(found) else np.full((len(outside), 1), outside.shape[1])
        held += int((~(outside & (np.arange(outside.shape[1]) <= until)).any(axis=1)).sum())
        if found.stopping.rule == "group-sequential":
            shown = Stagewise(
                found, batch.cohorts, batch.ends, counting=counting_futility, first_crossing=first_crossing
            )
            for replay in range(min(len(outside), STAGEWISE_REPLAYS - seen)):
                limits, seen = shown.limits(replay), seen + 1
                if limits is not None:
                    covered, of = covered + (limits[0] < effect < limits[1]), of + 1
    level = 1 - (found.primary.alpha if found.primary.sides == 2 else 2 * found.primary.alpha)
    return Held(
        Share(ships, replays, case.nominal, at_least=True),
        Share(held, replays, level, at_least=True),
        Share(covered, of, level, at_least=True) if of else None,
    )


def _binds(found: Design) -> bool:
    futility = found.stopping.futility
    return futility is not None and futility.binding
