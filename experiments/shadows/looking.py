"""Taking a look at a shadow, without a registry: status from who answered when, then answers and labels once.

``registry.shadowing`` wraps this in permissions, the ledger and the seal. Tests and rehearsals call it directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from experiments.cohorts.cohort import CutOff
from experiments.logs.manifest import Manifest
from experiments.logs.sql import DAY_US, Step
from experiments.logs.watermark import Watermark
from experiments.looks.looking import statements_of
from experiments.looks.stopping import LookStatus
from experiments.readouts.past import PastLook
from experiments.readouts.readout import Check, Statement
from experiments.shadows.design import ShadowDesign
from experiments.shadows.evidence import ShadowEvidence
from experiments.shadows.gathering import gather, gather_pairing
from experiments.shadows.logs import PredictionSources
from experiments.shadows.reading import ShadowReading
from experiments.shadows.stopping import Arrived, Traffic, closed, information, next_look
from experiments.shadows.sums import Among, arrived_step
from experiments.shadows.validity import coverage_checks


@dataclass(frozen=True, slots=True)
class ShadowTaken:
    """What one look found. ``evidence`` holds no content when the look is not due or the pairs cannot be trusted."""

    status: LookStatus
    watermark: Watermark
    evidence: ShadowEvidence
    manifest: Manifest
    statements: tuple[Statement, ...]
    held: tuple[Check, ...] = ()


def status_of(
    design: ShadowDesign, reading: ShadowReading, past: Sequence[PastLook] = ()
) -> tuple[LookStatus, Watermark]:
    """Whether the next look is due. Reads who answered when, errors, timeouts and whether labels have come: no answer, no label."""
    watermark, rows = pair_blind(reading)
    return status_of_pairs(design, reading, past, watermark, rows), watermark


def pair_blind(reading: ShadowReading) -> tuple[Watermark, tuple[int, int, int]]:
    """Pairs of everything that is complete, without an answer or a label."""
    watermark = reading.watermark()
    return watermark, reading.pair(watermark.us, content=False)


def look_status(
    design: ShadowDesign, predictions: PredictionSources, past: Sequence[PastLook] = ()
) -> tuple[LookStatus, Watermark]:
    """The status of the look after those taken, from logs on disk."""
    with ShadowReading(design, predictions) as reading:
        return status_of(design, reading, past)


def take_look(
    design: ShadowDesign,
    predictions: PredictionSources,
    *,
    past: Sequence[PastLook] = (),
    cut_off: CutOff | None = None,
    threads: int | None = None,
    memory: str | None = None,
    sealed: Manifest | None = None,
    before_outcomes: Callable[[int], None] | None = None,
) -> ShadowTaken:
    """Read the logs once at the look's cut-off.

    Answers and labels are read only when the look is due (or a cut-off is given, for a look whose status has been found
    before, a seal being verified, or a shadow stopped by hand), and compared only where the pairs can be trusted.

    Args:
        past: the looks sealed before this one.
        cut_off: where the look ends; by default what the stopping rule says.
        sealed: read only the files that a seal names.
        before_outcomes: called with the number of the champion's rows just before answers and labels are read.
    """
    with ShadowReading(design, predictions, threads=threads, memory=memory, sealed=sealed) as reading:
        status = None
        if cut_off is None:
            status, watermark = status_of(design, reading, past)
            at, due = status.cut_off, status.due
        else:
            watermark = reading.watermark()
            at, due = closed(design, cut_off.before_us, cut_off.watermark_us), True
        if due and before_outcomes is not None:
            before_outcomes(reading.rows(at.watermark_us)[0])
        rows = reading.pair(at.watermark_us, content=due)
        evidence = (
            gather(reading, at, rows) if due else ShadowEvidence(gather_pairing(reading, at, rows), None)
        )
        pairing = evidence.pairing
        arrived = Arrived(pairing.answered, pairing.labelled, pairing.units)
        if status is None:
            status = _at_cut_off(design, at, arrived, past)
        return ShadowTaken(
            status, watermark, evidence, reading.manifest(), statements_of(reading.engine.steps)
        )


def status_of_pairs(
    design: ShadowDesign,
    reading: ShadowReading,
    past: Sequence[PastLook],
    watermark: Watermark,
    rows: tuple[int, int, int],
) -> LookStatus:
    """The status of the next look from pairs that ``pair_blind`` made."""
    first = last = None
    if reading.timed:
        first, last = reading.one(Step("first", "SELECT min(at_us), max(at_us) FROM pairs"))
    start = None if first is None else int(first) // DAY_US * DAY_US
    traffic = Traffic(start, None if last is None else int(last), watermark.us)

    def arrived_at(cut_off: CutOff) -> Arrived:
        among = Among.of(design, cut_off)
        answered, labelled, units = (int(n) for n in reading.one(arrived_step(among)))
        return Arrived(answered, labelled, units if design.by_user else labelled)

    def absent_at(cut_off: CutOff) -> list[str]:
        found = coverage_checks(design, gather_pairing(reading, cut_off, rows), ends=False)
        return [
            f"{check.name}: {check.detail} (rule: {check.rule})" for check in found if check.result == "hold"
        ]

    return next_look(design, past, traffic, arrived_at, absent_at)


def _at_cut_off(design: ShadowDesign, at: CutOff, arrived: Arrived, past: Sequence[PastLook]) -> LookStatus:
    """The status at a cut-off that was given; whether it is the last is known to whoever gave it."""
    open_status = next_look(design, past, Traffic(None, None, None), lambda _: arrived, lambda _: ())
    return replace(open_status, cut_off=at, information=information(design, arrived))
