"""The canary's harm test and what it calls within its margin: how often they err while shares grow and the base rate drifts.

All replays go through ``experiments.canaries.simulation``; the first of every row are judged check by check through the
readout's own tests as well (``canary_walking``), and one that differs ends the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from analysis import score
from analysis.staged import StagedCheck
from experiments.canaries.design import CanaryDesign, parse_canary
from experiments.canaries.endings import CanaryTruth
from experiments.canaries.judging import boundaries
from experiments.canaries.schedule import planned_units, share_of_plan, slots_of
from experiments.canaries.simulation import simulate_canary
from experiments.designs.metrics import parse_catalogue
from tests.guarantees.canary_walking import walk
from tests.guarantees.measuring import Share

ALPHA, WITHIN = 0.05, 0.025
ASYMPTOTIC: Final = 1.1
HABITS_PART: Final = 0.25

CATALOGUE = """
metrics:
- {name: failed, version: 1, type: conversion, direction: lower, event: error, baseline: {mean: 0.05, source: simulated}}
- {name: crashed, version: 1, type: conversion, direction: lower, event: crash, baseline: {mean: 0.005, source: simulated}}
- {name: latency, version: 1, type: mean, direction: lower, unit: ms, event: latency, no_events: missing,
   baseline: {mean: 200, sd: 80, source: simulated}}
- {name: revenue, version: 1, type: mean, direction: higher, unit: EUR, event: paid, no_events: missing,
   baseline: {mean: 3, sd: 6, source: simulated}}
"""
FAILED = "{metric: failed, margin: 0.02, reason: it is measured}"
RELATIVE = "{metric: failed, margin: {relative: 20%}, reason: it is measured}"
CRASHED = "{metric: crashed, margin: 0.005, reason: it is measured}"
LATENCY = "{metric: latency, margin: 8, reason: it is measured}"
SLOWER = "{metric: latency, margin: {relative: 3%}, reason: it is measured}"
REVENUE = "{metric: revenue, margin: {relative: 10%}, reason: it is measured}"

SHARES = ("1%", "5%", "25%")
DRIFTS: Final = {"": 0.0, "base rate doubles": 1.0, "base rate halves": -0.5}


@dataclass(frozen=True)
class Canary:
    """A canary whose steps go on unless a guardrail is beyond its margin, the last needing every one within it."""

    guardrails: tuple[str, ...] = (FAILED,)
    every: str = "6h"
    traffic: int = 200_000
    harm: str = ""
    needs: str = "no breach"
    unanswered: str = "hold"
    extra: str = ""

    @property
    def design(self) -> CanaryDesign:
        return _design(self)


@dataclass(frozen=True)
class Row:
    """One row of the section: what was asked, and what came of it."""

    rule: str
    truth: str
    outcome: str
    share: Share
    nominal: float | None
    offered: bool = True


def errors(replays: int, walked: int, seed: int) -> Iterator[Row]:
    """The harm test at the margin: how often a candidate no worse than its margins is stopped as harmful, all checks together."""
    for name, canary in CANARIES.items():
        for drift, size in DRIFTS.items():
            design = canary.design
            truth = CanaryTruth({measure.label: 1.0 for measure in design.guardrails}, size)
            ends = simulate_canary(design, truth, replays=replays, seed=seed)
            walk(design, truth, walked, seed)
            count = int(np.sum(ends.breached))
            yield Row(
                name,
                drift or "steady",
                "stopped as harmful",
                Share(count, replays, ASYMPTOTIC * ALPHA),
                ALPHA,
            )


def passes(replays: int, seed: int) -> Iterator[Row]:
    """At the margin: how often a canary passes that should not."""
    for name in ("failures, checks every 6 h", "latency, relative margin", "revenue (higher is better)"):
        for drift, size in DRIFTS.items():
            design = CANARIES[name].design
            truth = CanaryTruth({design.guardrails[0].label: 1.0}, size)
            ends = simulate_canary(design, truth, replays=replays, seed=seed)
            count = int(np.sum(ends.passed))
            yield Row(
                name,
                drift or "steady",
                "passed at the margin",
                Share(count, replays, ASYMPTOTIC * WITHIN),
                WITHIN,
            )


def harmless(replays: int, seed: int) -> Iterator[Row]:
    """No worse at all: how often a canary rolls back, and how often it passes."""
    for drift, size in DRIFTS.items():
        design = PROMISED.design
        ends = simulate_canary(design, CanaryTruth({}, size), replays=replays, seed=seed)
        name = "failures and latency, steps need within margin"
        yield Row(
            name,
            drift or "steady",
            "unharmed, rolled back",
            Share(int(np.sum(ends.rolled_back)), replays, ALPHA),
            ALPHA,
        )
        passed = Share(int(np.sum(ends.passed)), replays, 0.8, at_least=True)
        yield Row(name, drift or "steady", "unharmed, passed", passed, None)


def power(replays: int, seed: int) -> Iterator[Row]:
    """One guardrail at twice its margin: how often it is stopped before the declared number of users has met it."""
    design = PROMISED.design
    promise = design.written.power
    users = promise.stops_before or 0
    for measure in design.guardrails:
        for drift, size in (("steady", 0.0), ("base rate rises by a fifth", 0.2)):
            ends = simulate_canary(
                design, CanaryTruth({measure.label: 2.0}, size), replays=replays, seed=seed
            )
            stopped = int(np.sum(ends.rolled_back & (ends.exposed <= users)))
            yield Row(
                f"{measure.label} at twice its margin",
                drift,
                f"stopped before {users:,} users",
                Share(stopped, replays, promise.power, at_least=True),
                promise.power,
            )


def habits(replays: int, seed: int) -> Iterator[Row]:
    """What comes of comparing without steps, or without a budget, for a candidate just at its margin."""
    canary = CANARIES["failures, checks every 6 h"].design
    for drift, size in DRIFTS.items():
        pooled = _pooled_against_everybody(canary, size, replays, seed)
        yield Row(
            "everybody else as control, all steps pooled",
            drift or "steady",
            "stopped as harmful",
            Share(pooled, replays, ASYMPTOTIC * ALPHA),
            ALPHA,
            offered=False,
        )
    plain = _plain_at_every_check(canary, replays, seed)
    yield Row(
        "a plain test at 5 % at every check",
        "steady",
        "stopped as harmful",
        Share(plain, replays, ASYMPTOTIC * ALPHA),
        ALPHA,
        offered=False,
    )


@dataclass(frozen=True)
class Measured:
    """Everything measured of canaries."""

    errors: tuple[Row, ...]
    passes: tuple[Row, ...]
    harmless: tuple[Row, ...]
    power: tuple[Row, ...]
    habits: tuple[Row, ...]
    replays: int
    walked: int

    @property
    def broken(self) -> list[str]:
        """What is offered and does not keep its bound, in words."""
        rows = (*self.errors, *self.passes, *self.harmless, *self.power)
        return [
            f"canary, {row.rule}, {row.truth}: {row.outcome} {100 * row.share.value:.2f} %"
            for row in rows
            if row.offered and not row.share.kept
        ]


def measured(replays: int, walked: int, seed: int) -> Measured:
    return Measured(
        errors=tuple(errors(replays, walked, seed)),
        passes=tuple(passes(replays, seed)),
        harmless=tuple(harmless(replays, seed)),
        power=tuple(power(replays, seed)),
        habits=tuple(habits(round(HABITS_PART * replays), seed)),
        replays=replays,
        walked=walked,
    )


def section(found: Measured) -> str:
    """The section of the document, as Markdown."""
    rows = [
        (
            row.rule,
            row.truth,
            row.outcome,
            f"{row.share.replays:,}",
            f"{100 * row.share.value:.2f} ± {100 * row.share.standard_error:.2f} %",
            "" if row.nominal is None else f"{100 * row.nominal:g} %",
            f"{'≥ ' if row.share.at_least else ''}{100 * row.share.bound:g} %",
            ("yes" if row.share.kept else "**no**")
            if row.offered
            else ("" if row.share.kept else "no, and not offered"),
        )
        for row in (*found.errors, *found.passes, *found.harmless, *found.power, *found.habits)
    ]
    head = ("guardrails", "truth", "outcome", "replays", "share", "nominal", "bound", "kept")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return (
        "## Canaries: growing shares, a drifting base rate\n\n"
        "Steps of 1, 5 and 25 % of the traffic, each held for a day and answered within two; checks as the row says. Candidate and "
        "control are equal slices; the effect is stratified by step, and the harm test spends one α over all steps and checks, by "
        "the schedule, at the variance that came. The base rate of both arms drifts linearly over the six days while the shares "
        f"grow. In every row of the harm test the first {found.walked} replays were judged check by check by the readout's own "
        "tests as well.\n\nThe last rows are habits, not offered here: everybody who does not get the candidate taken for its "
        "control and the steps pooled, so that the drift is read as an effect; and a plain test at every check.\n\n"
        + "\n".join(lines)
    )


CANARIES: Final = {
    "failures, checks every 6 h": Canary(),
    "failures, one check a step": Canary(every="1d"),
    "failures, relative margin": Canary((RELATIVE,)),
    "failures, Miettinen–Nurminen": Canary((FAILED.replace("reason", "test: miettinen-nurminen, reason"),)),
    "crashes of 0.5 %": Canary((CRASHED,), every="12h", traffic=100_000),
    "latency": Canary((LATENCY,)),
    "latency, relative margin": Canary((SLOWER,)),
    "revenue (higher is better)": Canary((REVENUE,)),
    "failures, spending lan-demets-obf": Canary(harm="spending: lan-demets-obf"),
    "failures, spending kim-demets (0.5)": Canary(harm="spending: kim-demets, parameter: 0.5"),
    "failures and latency at their margins, Bonferroni": Canary((FAILED, LATENCY)),
    "failures, steps need within margin, else proceed": Canary(needs="within margin", unanswered="proceed"),
    "failures, half the planned traffic": Canary(traffic=100_000),
}
PROMISED: Final = Canary(
    (FAILED, LATENCY),
    needs="within margin",
    extra="power: {units_per_day: 300000, stops_before: 4500}\n",
)


@cache
def _design(canary: Canary) -> CanaryDesign:
    steps = []
    for share in SHARES:
        last = share == SHARES[-1]
        needs = "within margin" if last else canary.needs
        unanswered = "hold" if last else canary.unanswered
        steps.append(
            f"- {{share: {share}, hold: 1d, minimum_units: 200, needs: {needs}, when_unanswered: {unanswered}}}"
        )
    text = (
        "title: Ranker v8 for all users\nmodel: ranker\nchampion: {version: v7}\ncandidate: {version: v8}\n"
        f"steps:\n{chr(10).join(steps)}\nguardrails: [{', '.join(canary.guardrails)}]\n"
        f"checks: {{every: {canary.every}}}\n"
    )
    if canary.harm:
        text += f"harm: {{{canary.harm}}}\n"
    text += canary.extra or f"power: {{units_per_day: {canary.traffic}, power: 0.5}}\n"
    return parse_canary(text, parse_catalogue(CATALOGUE))


def _pooled_against_everybody(design: CanaryDesign, drift: float, replays: int, seed: int) -> int:
    """Candidates of all steps against all others of all steps, at the canary's own boundaries; the candidate is at its margin."""
    rng = np.random.default_rng(seed)
    measure, traffic = design.guardrails[0], design.written.power.units_per_day or 0
    margin = 0.02
    x = np.zeros((2, replays))
    n = np.zeros(2)
    gone = np.zeros(replays, dtype=bool)
    path: tuple[StagedCheck, ...] = ()
    whole = sum(step.time_limit for step in design.steps)
    begun = 0
    for slot in slots_of(design):
        step = design.steps[slot.step - 1]
        if slot.held and slot.offset > step.hold:
            continue  # every step goes on at the end of its hold time
        share = float(step.share)
        new = traffic * step.every / 86_400
        rate = 0.05 * (1 + drift * (begun + slot.offset - step.every / 2) / whole)
        for arm, units in enumerate((round(new * (1 - share)), round(new * share))):
            x[arm] += rng.binomial(units, rate + arm * margin, replays)
            n[arm] += units
        z, _ = score.difference_statistic(x[0], n[0], x[1], n[1], margin)
        weight = n[0] * n[1] / n.sum()
        of_step = int(planned_units(design, step, slot.offset))
        check = StagedCheck(share_of_plan(design, slot, (of_step, of_step)), weight, weight * 0.06)
        path = (*path, check)
        gone |= z >= boundaries(design, measure, path)[0].critical
        if slot.held:
            begun += slot.offset
    return int(np.sum(gone))


def _plain_at_every_check(design: CanaryDesign, replays: int, seed: int) -> int:
    """Equal slices at the margin, and at every check a one-sided test at 5 % of all that came."""
    rng = np.random.default_rng(seed)
    x, n, begun = np.zeros((2, replays)), 0, 0
    gone = np.zeros(replays, dtype=bool)
    for slot in slots_of(design):
        step = design.steps[slot.step - 1]
        if slot.offset > step.hold:
            continue
        new = round((design.written.power.units_per_day or 0) * float(step.share) * step.every / 86_400)
        n += new
        for arm, rate in enumerate((0.05, 0.07)):
            x[arm] += rng.binomial(new, rate, replays)
        z, _ = score.difference_statistic(x[0], n, x[1], n, 0.02)
        gone |= z >= 1.6448536269514722
        begun += slot.held * slot.offset
    return int(np.sum(gone))
