"""The simulated rule against the one that judges real experiments, replay by replay and look by look.

Every replay's moments are written down as evidence, exact to a millionth, and taken through readout after readout as the
registry would: the simulated end has to be at the same look, with the same verdict, by the same row of the verdict map.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from analysis.sequential.design import GroupSequentialDesign
from analysis.sequential.monitoring import boundaries_at
from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.counted import ArmSums, FateCount
from experiments.cohorts.evidence import CohortEvidence, Evidence, FamilyEvidence, OutcomeEvidence
from experiments.cohorts.log_checks import RowCounts
from experiments.designs.design import Design
from experiments.designs.sequential import efficacy_design, futility_design
from experiments.looks.stopping import information
from experiments.readouts.context import Context
from experiments.readouts.judgement import make_readout
from experiments.readouts.past import as_past
from experiments.readouts.readout import Look, Readout, Registration
from experiments.simulation.drawing import draw
from experiments.simulation.pairs import Arm, Floats
from experiments.simulation.reasons import Reason
from experiments.simulation.rule import Boundaries, boundaries_of, endings
from experiments.simulation.samples import Sample, judged_measures
from experiments.simulation.schedule import schedule_of
from tests.experiments.designs import NON_INFERIORITY, WRITTEN, design

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SCALE = 10**6

MARGINS = """
guardrails:
  - {metric: errors, margin: {absolute: 0.0081}, reason: eight errors in a thousand}
  - {metric: revenue, margin: {relative: 15%}, reason: fifteen in a hundred is much}
  - {metric: failure_rate, margin: {absolute: 0.0008}, reason: one failure in a thousand}
"""
"""Each needs about as many units as the primary, so that all four have a say."""
FIVE_LOOKS = "stopping: {rule: group-sequential, looks: [0.2, 0.4, 0.6, 0.8, 1], futility: {}}"
ALWAYS = """
stopping: {rule: always-valid, burn_in: 2000, minimum_duration: 7d}
power: {units_per_day: 4000}
"""
SMALL = """
primary: {metric: rating, mde: {absolute: 0.3}}
guardrails: [{metric: sessions, margin: {relative: 35%}, reason: three sessions in a hundred, minimum_units: 230}]
"""
HARM_STOP = """
guardrails:
  - {metric: errors, margin: {absolute: 0.0081}, reason: eight errors in a thousand}
  - {metric: revenue, margin: {absolute: 0.1}, role: harm-stop, burn_in: 2000, reason: ten cents are much, alpha: 0.05}
"""
ONE_IN_FIVE = "arms: [{name: a, share: 80%}, {name: b, share: 20%}]"
THREE = "arms: [{name: a}, {name: b}, {name: c}]"

# name, what changes, the design it changes, true effects by measure in MDEs or margins (above 0 is better)
DESIGNS: list[tuple[str, str, dict[str, Any], tuple[float, ...]]] = [
    ("fixed", MARGINS, WRITTEN, (0.9, -0.5, -0.5, -0.5)),
    ("fixed, harm", MARGINS, WRITTEN, (-0.7, -1.5, 0, 0)),
    ("fixed, one-sided", "primary: {sides: 1, one_sided_reason: nobody ships harm}\n" + MARGINS, WRITTEN, (0.7, 0, 0, 0)),
    ("fixed, Holm", THREE + MARGINS, WRITTEN, (0.8, 0, 0, 0)),
    ("fixed, non-inferiority", MARGINS, NON_INFERIORITY, (-0.4, 0, -0.5, 0)),
    ("fixed, small", SMALL, WRITTEN, (0.8, -0.3)),
    ("Miettinen–Nurminen", "primary: {test: miettinen-nurminen}\n" + MARGINS + FIVE_LOOKS, WRITTEN, (0.6, 0, 0, 0)),
    ("five looks", MARGINS + FIVE_LOOKS, WRITTEN, (0.6, -0.3, -0.3, 0)),
    ("five looks, guardrail beyond", MARGINS + FIVE_LOOKS, WRITTEN, (1, -1.6, 0, 0)),
    ("five looks, worse", MARGINS + FIVE_LOOKS.replace(", futility: {}", ""), WRITTEN, (-0.6, 0, 0, 0)),
    ("five looks, non-inferiority", MARGINS + FIVE_LOOKS, NON_INFERIORITY, (-0.5, 0, 0, 0)),
    ("five looks, one in five", ONE_IN_FIVE + MARGINS + FIVE_LOOKS, WRITTEN, (0.6, 0, -0.5, 0)),
    ("five looks, two treatments", THREE + MARGINS + FIVE_LOOKS, WRITTEN, (0.5, 0, -0.5, 0)),
    ("Pocock, small", SMALL + "stopping: {rule: group-sequential, boundary: pocock}", WRITTEN, (0.7, 0)),
    (
        "binding futility",
        "primary: {sides: 1, one_sided_reason: nobody ships harm}\n"
        + MARGINS
        + "stopping: {rule: group-sequential, futility: {binding: true}}",
        WRITTEN,
        (0.4, 0, 0, 0),
    ),
    ("harm stop", HARM_STOP + FIVE_LOOKS, WRITTEN, (1, 0, -4)),
    ("harm stop, two treatments", THREE + HARM_STOP + FIVE_LOOKS, WRITTEN, (0.7, 0, -3)),
    ("always-valid", MARGINS + ALWAYS, WRITTEN, (0.7, -0.3, -0.3, 0)),
    ("always-valid, nothing", MARGINS + ALWAYS, WRITTEN, (0, 0, 0, 0)),
    ("always-valid, non-inferiority", MARGINS + ALWAYS, NON_INFERIORITY, (-0.4, 0, 0, 0)),
    ("always-valid, two treatments", THREE + MARGINS + ALWAYS, WRITTEN, (0.7, 0, 0, 0)),
]  # fmt: skip

ROWS = {
    Reason.HARM_STOP: {2},
    Reason.PRIMARY_HARMED: {3},
    Reason.GUARDRAIL_BEYOND: {4},
    Reason.EFFICACY: {7},
    Reason.FUTILITY: {9},
    Reason.RULED_OUT: {9},
    Reason.INCONCLUSIVE: {5, 8, 10},
}
"""Rows of the verdict map by the simulated reason, with a single treatment."""


def true_effects(found: Design, sizes: tuple[float, ...]) -> dict[int, float]:
    """Effects in each metric's own unit; failure_rate and success are baselines' shares, so all are scaled alike."""
    effects = {}
    for index, size in enumerate(sizes):
        measure = found.measures[index]
        amount, baseline = measure.margin or measure.mde, measure.baseline
        assert amount is not None
        assert baseline is not None
        unit = amount.value * (baseline.mean if amount.kind == "relative" else 1.0)
        effects[index] = size * unit * (1 if measure.metric.direction == "higher" else -1)
    return effects


def readouts_of(found: Design, sample: Sample, replay: int) -> list[Readout]:
    """The sealed looks of one replay, until one ends it."""
    taken: list[Readout] = []
    looks = sample.units.shape[1]
    for look in range(looks):
        units = tuple(int(n) for n in sample.units[replay, look])
        context = Context(
            registration=Registration(
                experiment="EXP-0001",
                title=found.title,
                owner="mira",
                reviewer="ola",
                version=1,
                design_sha256=found.sha256,
                locked_at=NOW,
            ),
            look=Look(
                k=look + 1,
                of=found.look_count,
                final=look == looks - 1,
                cut_off=None,
                watermark=None,
                watermark_why="complete",
                information=information(found, units),
                short=False,
                stopped_by_hand=False,
                enrolment_start=None,
            ),
            released_at=NOW,
            simulated=True,
            manifest=(),
            statements=(),
            past=tuple(as_past(one) for one in taken),
        )
        taken.append(make_readout(found, evidence_of(found, sample, replay, look, units), context))
        if taken[-1].verdict.code != "CONTINUE":
            break
    return taken


def evidence_of(found: Design, sample: Sample, replay: int, look: int, units: tuple[int, ...]) -> Evidence:
    fates = tuple(FateCount("", arm, Fate.ANALYSED, n, n, n) for arm, n in enumerate(units))
    cohort = CohortEvidence(
        CutOff(None, None), fates, (), (), None, 0, 0, sum(units), None, 0, RowCounts(sum(units))
    )
    families = []
    for index in judged_measures(found):
        arms = [sample.pair(index, 1).control]
        arms += [sample.pair(index, treatment).treatment for treatment in range(1, len(found.arms))]
        families.append(family_of(found, index, arms, replay, look))
    return Evidence(cohort, OutcomeEvidence(tuple(families), (), sum(units), sum(units)))


def family_of(found: Design, index: int, arms: list[Arm], replay: int, look: int) -> FamilyEvidence:
    """Sums that give back the arm's mean and variance; a ratio's denominator is 1 for every unit."""
    measure = found.measures[index]
    ratio, scale = measure.metric.type == "ratio", 1 if measure.metric.is_binary else SCALE
    sums = []
    for arm, one in enumerate(arms):
        n, value, variance = int(one.n[replay, look]), one.value[replay, look], one.variance[replay, look]
        if one.successes is not None:
            total = square = round(one.successes[replay, look])
        else:
            total = round(n * value * scale)
            square = round(variance * scale**2 * (n - 1) + total * total / n) if n else 0
        products = (square, total, n) if ratio else (square,)
        sums.append(ArmSums("", arm, None, n, (total, n) if ratio else (total,), products))
    names, scales = (("numerator", "denominator"), (scale, 1)) if ratio else (("value",), (scale,))
    return FamilyEvidence(index, "declared", None, names, scales, (0,) * len(names), tuple(sums))


def compare(
    changes: str, base: dict[str, Any], sizes: tuple[float, ...], replays: int, seed: int
) -> set[Reason]:
    """Every replay of one design judged twice; the reasons that came up."""
    found = design(changes, base)
    schedule = schedule_of(found)
    sample = draw(
        found,
        judged_measures(found),
        true_effects(found, sizes),
        schedule.units,
        replays,
        np.random.default_rng(seed),
    )
    simulated = endings(found, sample, exactly(found))
    seen = set()
    for replay in range(replays):
        taken = readouts_of(found, sample, replay)
        reason = Reason(simulated.reason[replay])
        seen.add(reason)
        last = taken[-1].verdict
        where = (replay, reason.name, last.reasons)
        assert len(taken) == simulated.look[replay] + 1, where
        assert last.code == VERDICTS[reason], where
        if len(found.arms) == 2 and reason is not Reason.INVALID:
            assert last.by_treatment[0].row in ROWS[reason], where
        assert simulated.units[replay] == sample.units[replay, simulated.look[replay]].sum()
    return seen


@dataclass(frozen=True)
class Exact:
    """A boundary found by integration for every replay: the simulation itself expands it around the expected information."""

    design: GroupSequentialDesign
    futility: bool = False

    def at(self, information: Floats) -> Floats:
        return np.array([self._row(tuple(row)) for row in information.tolist()])

    def _row(self, information: tuple[float, ...]) -> list[float]:
        found = boundaries_at(self.design, information, final=True)
        if not self.futility:
            return list(found.critical)
        return [-np.inf if bound is None else bound for bound in found.futility or ()]


def exactly(found: Design) -> Boundaries:
    if found.stopping.rule != "group-sequential":
        return Boundaries({}, None)
    futile = futility_design(found)
    deciding = [i for i in judged_measures(found) if found.measures[i].role != "harm-stop"]
    efficacy = {index: Exact(efficacy_design(found, found.measures[index])) for index in deciding}
    return Boundaries(efficacy, None if futile is None else Exact(futile, futility=True))


VERDICTS = dict.fromkeys(ROWS, "DO NOT SHIP") | {
    Reason.EFFICACY: "SHIP",
    Reason.INCONCLUSIVE: "INCONCLUSIVE",
    Reason.INVALID: "INVALID",
}


CASES = pytest.mark.parametrize(
    ("changes", "base", "sizes"), [d[1:] for d in DESIGNS], ids=[d[0] for d in DESIGNS]
)


@CASES
def test_a_replay_ends_as_the_judgement_of_its_readouts_does(
    changes: str, base: dict[str, Any], sizes: tuple[float, ...]
) -> None:
    compare(changes, base, sizes, 8, seed=11)


@pytest.mark.slow
@CASES
def test_every_replay_ends_as_the_judgement_of_its_readouts_does(
    changes: str, base: dict[str, Any], sizes: tuple[float, ...]
) -> None:
    assert len(compare(changes, base, sizes, 70, seed=15)) > 1


def test_the_designs_compared_end_in_every_way_there_is() -> None:
    """Simulated only, which is quick: what the comparison replay by replay has to cover."""
    seen: set[int] = set()
    for _, changes, base, sizes in DESIGNS:
        found = design(changes, base)
        schedule, random = schedule_of(found), np.random.default_rng(11)
        effects = true_effects(found, sizes)
        sample = draw(found, judged_measures(found), effects, schedule.units, 120, random)
        seen |= {*endings(found, sample, boundaries_of(found, schedule)).reason.tolist()}
    assert seen >= {int(reason) for reason in ROWS}


def test_a_broken_allocation_is_invalid_in_both() -> None:
    found = design(MARGINS + FIVE_LOOKS)
    broken = design(
        "arms: [{name: control, share: 53%}, {name: treatment, share: 47%}]" + MARGINS + FIVE_LOOKS
    )
    schedule, random = schedule_of(found), np.random.default_rng(1)
    sample = draw(broken, judged_measures(found), {}, schedule.units, 10, random)
    simulated = endings(found, sample, boundaries_of(found, schedule))
    assert set(simulated.reason.tolist()) == {Reason.INVALID}
    for replay in range(10):
        codes = [one.verdict.code for one in readouts_of(found, sample, replay)]
        assert codes == ["CONTINUE"] * int(simulated.look[replay]) + ["INVALID"]
