"""Replays through readout after readout, as the registry would take a real experiment, held against the simulated rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import pytest

from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.counted import ArmSums, FateCount
from experiments.cohorts.evidence import CohortEvidence, Evidence, FamilyEvidence, OutcomeEvidence
from experiments.cohorts.log_checks import RowCounts
from experiments.designs.design import Design
from experiments.looks.stopping import information
from experiments.readouts.context import Context
from experiments.readouts.judgement import make_readout
from experiments.readouts.past import as_past
from experiments.readouts.readout import Look, Readout, Registration
from experiments.simulation.rule import Reason
from tests.guarantees.measuring import Batch, Case, missed, replayed
from tests.guarantees.populations import Cohorts, Sums
from tests.guarantees.stagewise import Stagewise

NOW: Final = datetime(2026, 12, 1, tzinfo=UTC)
CODES: Final = {
    Reason.INVALID: "INVALID",
    Reason.HARM_STOP: "DO NOT SHIP",
    Reason.PRIMARY_HARMED: "DO NOT SHIP",
    Reason.GUARDRAIL_BEYOND: "DO NOT SHIP",
    Reason.EFFICACY: "SHIP",
    Reason.FUTILITY: "DO NOT SHIP",
    Reason.RULED_OUT: "DO NOT SHIP",
    Reason.INCONCLUSIVE: "INCONCLUSIVE",
}
ROWS: Final = {
    Reason.INVALID: {1},
    Reason.HARM_STOP: {2},
    Reason.PRIMARY_HARMED: {3},
    Reason.GUARDRAIL_BEYOND: {4},
    Reason.EFFICACY: {7},
    Reason.FUTILITY: {9},
    Reason.RULED_OUT: {9},
    Reason.INCONCLUSIVE: {5, 8, 10},
}
"""Rows of the verdict map by the simulated reason, with a single treatment."""


class DisagreementError(AssertionError):
    """A replay that the simulated rule and the readouts end differently: every number of its row is in doubt."""


def walk(case: Case, replays: int, seed: int) -> int:
    """Take the first so many replays of a case through their readouts; how many they were.

    Raises:
        DisagreementError: at the first that ends at another look, by another row of the verdict map, or whose primary's interval
            at some look holds the true effect where the simulated one does not.
    """
    done = 0
    for batch in replayed(case, min(replays, 1_000), seed):
        for replay in range(min(replays - done, len(batch.ends.look))):
            _compare(case, batch, replay)
            done += 1
    return done


def _compare(case: Case, batch: Batch, replay: int) -> None:
    found, ends = case.design, batch.ends
    taken = readouts_of(found, batch.cohorts, replay, overrule=not case.futility_obeyed)
    reason, last = Reason(ends.reason[replay]), taken[-1].verdict
    same = len(taken) == ends.look[replay] + 1 and last.code == CODES[reason]
    if len(found.arms) == 2 and reason is not Reason.INVALID:
        same = same and last.by_treatment[0].row in ROWS[reason]
    if not same:
        raise DisagreementError(
            f"{case.name}: replay {replay} ends at look {ends.look[replay] + 1} as {reason.name}, its readouts at look {len(taken)} "
            f"as {last.code} ({'; '.join(last.reasons)})"
        )
    if found.primary.margin is not None or len(found.arms) > 2:
        return
    truth = case.effects.get(found.primary.metric.name, 0.0)
    outside = missed(found, batch, truth)[replay]
    for look, one in enumerate(taken):
        shown = one.primary[0].interval if one.primary else None
        if shown is None:
            continue
        low, high = shown.low, shown.high
        leaves_out = (low is not None and low > truth) or (high is not None and high < truth)
        if leaves_out != outside[look]:
            raise DisagreementError(
                f"{case.name}: replay {replay}, look {look + 1}: interval {low} to {high}"
            )
    # a score test's interval rests on its own standard error, which the moments' is not
    of_moments = found.stopping.rule == "group-sequential" and found.primary.test == "welch"
    if taken[-1].sequential and of_moments and case.futility_obeyed:
        _compare_stagewise(case, batch, replay, taken[-1])


def _compare_stagewise(case: Case, batch: Batch, replay: int, last: Readout) -> None:
    shown = last.sequential[0].stagewise_interval
    limits = Stagewise(case.design, batch.cohorts, batch.ends).limits(replay)
    given = None if shown is None else (shown.low, shown.high)
    if given != (None if limits is None else pytest.approx(limits, rel=1e-6, abs=1e-9)):
        raise DisagreementError(f"{case.name}: replay {replay}: stage-wise {given}, simulated {limits}")


def readouts_of(found: Design, cohorts: Cohorts, replay: int, *, overrule: bool = False) -> list[Readout]:
    """The sealed looks of one replay, until one ends it; ``overrule`` goes on past a futility boundary."""
    taken: list[Readout] = []
    looks = cohorts.units.shape[1]
    for look in range(looks):
        units = tuple(int(n) for n in cohorts.units[replay, look])
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
            look=look_of(found, look, looks, units),
            released_at=NOW,
            simulated=True,
            manifest=(),
            statements=(),
            past=tuple(as_past(one) for one in taken),
        )
        taken.append(make_readout(found, evidence_of(cohorts, replay, look), context))
        overruled = overrule and taken[-1].look.decision == "STOP FOR FUTILITY"
        if taken[-1].verdict.code != "CONTINUE" and not overruled:
            break
    return taken


def look_of(found: Design, look: int, looks: int, units: tuple[int, ...]) -> Look:
    return Look(
        k=look + 1,
        of=max(found.look_count, looks),
        final=look == looks - 1,
        cut_off=None,
        watermark=None,
        watermark_why="complete",
        information=information(found, units),
        short=False,
        stopped_by_hand=False,
        enrolment_start=None,
    )


def evidence_of(cohorts: Cohorts, replay: int, look: int) -> Evidence:
    """What a look would have read of these units, to the last one."""
    units = [int(n) for n in cohorts.units[replay, look]]
    fates = tuple(FateCount("", arm, Fate.ANALYSED, n, n, n) for arm, n in enumerate(units))
    whole = sum(units)
    cohort = CohortEvidence(CutOff(None, None), fates, (), (), None, 0, 0, whole, None, 0, RowCounts(whole))
    families = []
    for index, arms in cohorts.drawn.items():
        families.append(_family(index, "declared", arms, replay, look, arms[0].sums.shape[-1]))
        if arms[0].second == "covariate":
            families.append(_family(index, "unadjusted", arms, replay, look, 1))
    return Evidence(cohort, OutcomeEvidence(tuple(families), (), whole, whole))


def _family(
    index: int, variant: str, arms: tuple[Sums, ...], replay: int, look: int, variables: int
) -> FamilyEvidence:
    pairs = [(i, j) for i in range(variables) for j in range(i, variables)]
    sums = tuple(
        ArmSums(
            "",
            arm,
            None,
            int(one.n[replay, look]),
            tuple(int(one.sums[replay, look, i]) for i in range(variables)),
            tuple(int(one.products[replay, look, i, j]) for i, j in pairs),
        )
        for arm, one in enumerate(arms)
    )
    names = tuple(f"variable {i}" for i in range(variables))
    return FamilyEvidence(index, variant, None, names, (1,) * variables, (0,) * variables, sums)
