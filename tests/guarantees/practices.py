"""Harm stops watched daily, and what teams do without a rule: the same looks by habits that spend no error."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import chdtrc, gammaln, ndtri, xlogy

from analysis.guardrails import GuardrailState
from analysis.sequential_srm import DEFAULT_CONCENTRATION, sequential_srm_path
from experiments.designs.sequential import sequence_plan
from experiments.readouts.boundaries import LookTests
from experiments.readouts.estimates import Estimator
from experiments.simulation.critical import sequence_critical
from experiments.simulation.pairs import Flags, Floats, Null, deviate, standardised
from experiments.simulation.rule import Reason
from tests.guarantees.arrivals import daily, information
from tests.guarantees.cases import (
    DAYS,
    EVERY_DAY,
    FIVE,
    SHIPS,
    always_valid,
    case,
    equal_looks,
    group_sequential,
)
from tests.guarantees.designs import GUARDRAILS
from tests.guarantees.measuring import Batch, Case, Share, replayed
from tests.guarantees.walking import DisagreementError, evidence_of, look_of

PLAIN: Final = float(-ndtri(0.025))
LONGEST_SRM: Final = 168
UNITS_A_DAY: Final = 1_000
SRM_ALPHA: Final = 0.001

HARM_STOP: Final = """
guardrails:
  - metric: {}
    margin: {{absolute: {}}}
    role: harm-stop
    burn_in: {}
    alpha: {}
    reason: it is watched daily
"""


@dataclass(frozen=True)
class Practice:
    """One row: what is done, how often it errs (or succeeds), and what was promised.

    Attributes:
        offered: whether Fairtrial offers it; else it is here to show what it does.
    """

    name: str
    looks: str
    promised: str
    share: Share
    offered: bool = False


def harm_stop_cases() -> tuple[tuple[Case, str], ...]:
    """Designs whose harm stop is just at its margin, and the metric watched."""
    found = []
    for metric, margin, burn_in, alpha in (
        ("crashed", 0.02, 1_000, 0.025),
        ("crashed", 0.02, 2_500, 0.001),
        ("spent", 2.0, 1_000, 0.025),
    ):
        changes = HARM_STOP.format(metric, margin, burn_in, alpha)
        one = case(f"harm stop, alpha {alpha:g}, burn-in {burn_in:,}", EVERY_DAY, changes, primary="bought")
        sign = 1 if metric == "crashed" else -1
        one = replace(one, arrivals=daily(DAYS), effects={metric: sign * margin}, nominal=alpha, allowed=1.1)
        words = "yes/no, 5 %" if metric == "crashed" else "mean, skewness 6, capped"
        found.append((replace(one, outcome=words), metric))
    return tuple(found)


def trips(one: Case, batch: Batch) -> Flags:
    """By replay and day, whether the harm stop's sequence is wholly beyond the margin."""
    measure, pair = one.design.measures[1], batch.cohorts.pair(1, 1)
    assert measure.margin is not None
    worse = -1 if measure.metric.direction == "higher" else 1
    plan = sequence_plan(one.design, measure, 1, "greater")
    statistic = standardised(pair, Null(worse * measure.margin.value), np.ones(pair.n.shape, dtype=bool))
    found: Flags = worse * statistic > sequence_critical(plan, pair.n)
    return found


def harm_stop(one: Case, replays: int, seed: int) -> Share:
    """How often a harm stop at its margin ever trips."""
    replays = one.part_of(replays)
    tripped = sum(int(trips(one, batch).any(axis=1).sum()) for batch in replayed(one, replays, seed))
    return Share(tripped, replays, one.nominal * one.allowed)


def walk_harm_stop(one: Case, replays: int, seed: int) -> int:
    """The first so many replays, day by day by the tests of a real watch.

    Raises:
        DisagreementError: at the first day that differs.
    """
    batch = next(iter(replayed(one, replays, seed)))
    simulated = trips(one, batch)
    days = simulated.shape[1]
    for replay in range(replays):
        for day in range(days):
            units = tuple(int(n) for n in batch.cohorts.units[replay, day])
            estimator = Estimator(one.design, evidence_of(batch.cohorts, replay, day))
            tests = LookTests(estimator, look_of(one.design, day, days, units))
            guardrail = tests.ask(1, 1, one.design.measures[1].alpha).answer.guardrail
            beyond = guardrail is not None and guardrail.state is GuardrailState.BEYOND
            if beyond != simulated[replay, day]:
                raise DisagreementError(f"{one.name}: replay {replay}, day {day + 1}: tripped {beyond}")
    return replays


def daily_p_values(replays: int, seed: int) -> Share:
    """No effect, a look every day, stopped at the first p below 0.05."""
    one = case("daily p", EVERY_DAY, always_valid(), arrivals=daily(DAYS))
    found = sum(
        int((np.abs(_z(one, batch)) > PLAIN).any(axis=1).sum()) for batch in replayed(one, replays, seed)
    )
    return Share(found, replays, 0.05)


def plain_bounds_of_a_guardrail(replays: int, seed: int) -> Share:
    """A guardrail at its margin, held when any of five looks has its plain 97.5 % bound inside."""
    changes = f"guardrails: {GUARDRAILS}\n{group_sequential(looks=equal_looks(5))}"
    one = replace(case("plain bound", FIVE, changes), effects={"crashed": 0.02})
    found = 0
    for batch in replayed(one, replays, seed):
        pair = batch.cohorts.pair(2, 1)
        z = deviate(one.design.measures[2], pair, Null(0.02), np.ones(pair.n.shape, dtype=bool))
        found += int((z < -PLAIN).any(axis=1).sum())
    return Share(found, replays, 0.025)


@dataclass(frozen=True)
class Stopped:
    """Power of the same design and data, stopped by the declared rule and at the primary's first crossing alone."""

    by_rule: Share
    by_primary_alone: Share


def stopped_on_the_primary_alone(mde: float, replays: int, seed: int) -> Stopped:
    """The primary at its MDE and two guardrails unharmed; whether they hold at the look at which the primary crosses."""
    changes = f"primary: {{mde: {{absolute: {mde}}}}}\nguardrails: {GUARDRAILS}\n{group_sequential(looks=equal_looks(5))}"
    one = replace(case(f"primary alone, {mde:g}", FIVE, changes), counted=SHIPS, effects={"points": mde})
    by_rule = alone = 0
    for batch in replayed(one, replays, seed):
        by_rule += int((batch.ends.reason == Reason.EFFICACY).sum())
        looks = information(one.design, batch.cohorts.units)
        crossed = _z(one, batch) > batch.boundaries.efficacy[0].at(looks)
        within = np.ones_like(crossed)
        for index in (1, 2):
            measure, pair = one.design.measures[index], batch.cohorts.pair(index, 1)
            assert measure.margin is not None
            z = deviate(measure, pair, Null(measure.margin.value), np.ones(pair.n.shape, dtype=bool))
            within &= -z > batch.boundaries.efficacy[index].at(looks)
        first = crossed.argmax(axis=1)
        rows = np.arange(len(first))
        alone += int((crossed[rows, first] & within[rows, first]).sum())
    return Stopped(Share(by_rule, replays, 0.8, True), Share(alone, replays, by_rule / replays, True))


def naive_interval_after_a_stop(replays: int, seed: int) -> Share:
    """Coverage of the plain 95 % interval at the look where a Pocock design stopped, the effect being two fifths of the MDE."""
    one = case("naive interval", FIVE, group_sequential("pocock", equal_looks(5)))
    one = replace(one, effects={"points": 0.04})
    found = 0
    for batch in replayed(one, replays, seed):
        pair = batch.cohorts.pair(0, 1)
        z = deviate(one.design.primary, pair, Null(0.04), np.ones(pair.n.shape, dtype=bool))
        found += int((np.abs(z[np.arange(len(z)), batch.ends.look]) <= PLAIN).sum())
    return Share(found, replays, 0.95, at_least=True)


def _z(one: Case, batch: Batch) -> Floats:
    pair = batch.cohorts.pair(0, 1)
    return deviate(one.design.primary, pair, Null(), np.ones(pair.n.shape, dtype=bool))


def allocation_checks(replays: int, seed: int, walked: int = 0) -> dict[tuple[str, int], Share]:
    """False alarms of a daily chi-squared check and of the anytime-valid one, by days, where units fall to the arms 1:1.

    The first ``walked`` replays go through ``analysis.sequential_srm`` day by day as well.

    Raises:
        DisagreementError: where it says something else.
    """
    count: dict[tuple[str, int], int] = {}
    for number, start in enumerate(range(0, replays, 5_000)):
        spawn = (zlib.crc32(b"allocation"), number)
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn))
        size = min(5_000, replays - start)
        control = random.binomial(UNITS_A_DAY, 0.5, (size, LONGEST_SRM)).cumsum(axis=1)
        counts = np.stack([control, UNITS_A_DAY * np.arange(1, LONGEST_SRM + 1) - control], axis=2)
        alarms = {"chi-squared": _chi_squared(counts), "anytime-valid": _bayes_factor_alarms(counts)}
        for replay in range(walked if number == 0 else 0):
            path = sequential_srm_path([tuple(day) for day in counts[replay].tolist()], (1, 1))
            said = [state.p_value < SRM_ALPHA for state in path]
            if said != np.logical_or.accumulate(alarms["anytime-valid"][replay]).tolist():
                raise DisagreementError(f"anytime-valid allocation check: replay {replay}")
        for name, flags in alarms.items():
            for days in (DAYS, LONGEST_SRM):
                more = int(flags[:, :days].any(axis=1).sum())
                count[name, days] = count.get((name, days), 0) + more
    return {key: Share(found, replays, SRM_ALPHA) for key, found in count.items()}


def _chi_squared(counts: Floats) -> Flags:
    half = counts.sum(axis=2) / 2
    flags: Flags = chdtrc(1, 2 * (counts[:, :, 0] - half) ** 2 / half) < SRM_ALPHA
    return flags


def _bayes_factor_alarms(counts: Floats) -> Flags:
    """Whether the Dirichlet mixture's Bayes factor is above 1/α (Lindon & Malek 2022), written apart from the package."""
    prior, whole = DEFAULT_CONCENTRATION / 2, counts.sum(axis=2)
    mixture = (gammaln(prior + counts) - gammaln(prior)).sum(axis=2)
    mixture -= gammaln(2 * prior + whole) - gammaln(2 * prior)
    flags: Flags = mixture - xlogy(whole, 0.5) > -np.log(SRM_ALPHA)
    return flags


def practices(replays: int, seed: int, srm_replays: int) -> tuple[Practice, ...]:
    """The rows: habits first, then beside them what Fairtrial offers instead."""
    srm = allocation_checks(srm_replays, seed, walked=20)
    guarded = stopped_on_the_primary_alone(0.1, replays, seed)
    ample = stopped_on_the_primary_alone(0.06, replays, seed)
    every = f"daily, {DAYS} days"
    long = f"daily, {LONGEST_SRM} days"
    return (
        Practice("p < 0.05 at any look", every, "at most 5 %", daily_p_values(replays, seed)),
        Practice("chi-squared SRM check at 0.001", every, "at most 0.1 %", srm["chi-squared", DAYS]),
        Practice("chi-squared SRM check at 0.001", long, "at most 0.1 %", srm["chi-squared", LONGEST_SRM]),
        Practice(
            "anytime-valid SRM check at 0.001", every, "at most 0.1 %", srm["anytime-valid", DAYS], True
        ),
        Practice(
            "anytime-valid SRM check at 0.001", long, "at most 0.1 %", srm["anytime-valid", LONGEST_SRM], True
        ),
        Practice(
            "a guardrail's plain 97.5 % bound, at its margin",
            FIVE,
            "at most 2.5 %",
            plain_bounds_of_a_guardrail(replays, seed),
        ),
        Practice(
            "plain 95 % interval after a Pocock stop: coverage",
            FIVE,
            "at least 95 %",
            naive_interval_after_a_stop(replays, seed),
        ),
        *_stopped("a guardrail asks for the most units", guarded),
        *_stopped("the primary asks for the most units", ample),
    )


def _stopped(which: str, found: Stopped) -> tuple[Practice, Practice]:
    return (
        Practice(
            f"stopping on the primary alone, though two guardrails must hold ({which}): power",
            FIVE,
            "what the rule has",
            found.by_primary_alone,
        ),
        Practice(
            f"the same design stopped by its rule ({which}): power",
            FIVE,
            "at least 80 %",
            found.by_rule,
            True,
        ),
    )
