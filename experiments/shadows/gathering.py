"""From the logs to the evidence: what may be seen before the look, then, only when asked, what the models said."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.cohorts.cohort import CutOff
from experiments.logs.sql import MICROSECONDS, Step
from experiments.shadows.cells import Cells
from experiments.shadows.distributions import (
    classes_by_unit,
    reliability_step,
    score_bins_by_unit,
    score_by_level,
    score_cells,
    score_places,
    scored,
    truth_of,
)
from experiments.shadows.evidence import (
    AnswerCell,
    ContentEvidence,
    Day,
    LatencyQuantile,
    LevelPlaces,
    PairingEvidence,
    ReliabilityCell,
    ShadowEvidence,
)
from experiments.shadows.missing import at_worst_level
from experiments.shadows.noise import noise_of
from experiments.shadows.percentiles import Latencies
from experiments.shadows.quantities import FAILURES, Quantity, deciding, quantities
from experiments.shadows.reading import ShadowReading
from experiments.shadows.sums import (
    Among,
    Flow,
    answers_step,
    days_step,
    flow_step,
    level_of,
    order_step,
    other_places_step,
    requests_of,
)
from experiments.shadows.unit_sums import UnitSums
from experiments.shadows.validity import is_trusted

Rows = tuple[int, int, int]
"""Rows read of champion and candidate, and rows of any model without a request id or a time."""


def gather_pairing(reading: ShadowReading, cut_off: CutOff, rows: Rows) -> PairingEvidence:
    """The evidence that needs neither answers nor labels, from table ``pairs``.

    Args:
        rows: what ``ShadowReading.pair`` returned.
    """
    among, failures = Among.of(reading.design, cut_off), _failures(reading)
    cells = Cells(reading, among, failures)
    return _pairing(cells, _flow(reading, among), cut_off, rows, cells.sums(failures))


def gather(reading: ShadowReading, cut_off: CutOff, rows: Rows) -> ShadowEvidence:
    """All evidence, from table ``pairs`` made with content; none of the content where the pairs cannot be trusted."""
    design, said = reading.design, reading.said
    among = Among.of(design, cut_off)
    failures, wanted = _failures(reading), quantities(design, said)
    flow = _flow(reading, among)
    latencies = Latencies(reading, among) if said.has("latency_ms") else None
    thresholds = latencies.thresholds() if latencies is not None else ()
    every = [*failures, *wanted, *(at.quantity for at in thresholds)]
    cells = Cells(reading, among, every)
    sums = cells.sums(every)
    pairing = _pairing(cells, flow, cut_off, rows, sums[: len(failures)])
    if not is_trusted(design, pairing):
        return ShadowEvidence(pairing, None)
    latency: list[LatencyQuantile] = []
    if latencies is not None:
        of_latency = sums[len(failures) + len(wanted) :]
        latency = [latencies.quantile(at, own) for at, own in zip(thresholds, of_latency, strict=True)]
    said_sums = sums[len(failures) : len(failures) + len(wanted)]
    return ShadowEvidence(pairing, _content(cells, cut_off, said_sums, latency))


def _failures(reading: ShadowReading) -> list[Quantity]:
    return [quantity for column, quantity in FAILURES.items() if column in reading.columns]


def _flow(reading: ShadowReading, among: Among) -> Flow:
    far = reading.design.written.pairing.answer_within * MICROSECONDS if reading.timed else None
    return Flow(*(int(n) for n in reading.one(flow_step(among, far))))


def _pairing(
    cells: Cells, flow: Flow, cut_off: CutOff, rows: Rows, failures: Sequence[UnitSums]
) -> PairingEvidence:
    reading, among = cells.reading, cells.among
    run = reading.engine.run
    order = _order(reading, among)
    days = run(days_step(among)) if reading.timed else []
    levels = _places(cells)
    return PairingEvidence(
        cut_off=cut_off,
        champion_rows=rows[0],
        candidate_rows=rows[1],
        broken_rows=rows[2],
        both=flow.both,
        champion_only=flow.champion_only,
        candidate_only=flow.candidate_only,
        duplicated=flow.duplicated,
        with_hash=flow.hashed,
        other_inputs=flow.other_inputs,
        too_far_apart=flow.far if reading.timed else None,
        units_with_several=0 if order is None else order[0],
        out_of_order=None if order is None else order[1],
        without_unit=flow.ownerless if among.by_user else 0,
        incomplete=flow.incomplete,
        answered=flow.answered,
        labelled=flow.labelled,
        conflicting_labels=reading.conflicting,
        has_labels=reading.source.labels is not None,
        complete=reading.watermark().us is None,
        units=cells.units(),
        days=tuple(Day(*(int(n) for n in row)) for row in days),
        levels=levels,
        missing=at_worst_level(reading, levels, requests_of(among), level_of),
        failures=tuple(failures),
        logged=tuple(sorted(reading.columns)),
    )


def _order(reading: ShadowReading, among: Among) -> tuple[int, int] | None:
    """Users with several pairs, and those whose order differs; None without times, or where no user has several."""
    if not (reading.timed and among.by_user):
        return None
    base = reading.one(Step("first", "SELECT min(at_us) FROM pairs"))[0]
    within = reading.design.written.pairing.answer_within * MICROSECONDS
    several, differing = reading.one(order_step(among, int(base or 0), within))
    return int(several), int(differing)


def _places(cells: Cells) -> tuple[LevelPlaces, ...]:
    """Requests by level of every attribute and by which model logged them."""
    counted = {key: [n, 0, 0] for key, n in cells.places().items()}
    for attribute in cells.attributes:
        for level, *others in cells.reading.engine.run(other_places_step(attribute, cells.among)):
            own = counted.setdefault((attribute, str(level)), [0, 0, 0])
            for place, n in enumerate(others):
                own[place] += int(n)
    return tuple(LevelPlaces(attribute, level, *n) for (attribute, level), n in sorted(counted.items()))


def _content(
    cells: Cells, cut_off: CutOff, sums: Sequence[UnitSums], latency: Sequence[LatencyQuantile]
) -> ContentEvidence:
    reading, among = cells.reading, cells.among
    design, said = reading.design, reading.said
    found = list(sums)
    decides = deciding(design, said)
    if decides is not None:
        found += [one for attribute in design.attributes for one in cells.sums([decides], attribute)]
    answers, label_values, known = _answers(reading, among)
    scores = scored(reading, among)
    binned, products = ((), ()) if scores is None else score_cells(reading, scores, among)
    limited = {limit.measure for limit in design.limits}
    if scores is not None and ("prediction_psi" if design.task == "regression" else "score_psi") in limited:
        found.append(score_bins_by_unit(reading, scores, binned, among))
    if "prediction_psi" in limited and answers:
        classes = classes_by_unit(reading, answers, among)
        found += [] if classes is None else [classes]
    levels = () if scores is None else score_places(reading, scores, binned, among)
    missing: tuple[UnitSums, ...] = ()
    if scores is not None:
        missing = at_worst_level(reading, levels, score_by_level(scores, among), lambda _: "level")
    return ContentEvidence(
        sums=tuple(found),
        answers=answers,
        score_cells=binned,
        score_edges=() if scores is None else scores.edges,
        score_scale=10**design.primary.decimals,
        levels=levels,
        missing=missing,
        reliability=_reliability(reading, among),
        latency=tuple(latency),
        score_products=products,
        noise=noise_of(reading, cut_off),
        label_values=label_values,
        known_labels=known,
    )


def _reliability(reading: ShadowReading, among: Among) -> tuple[ReliabilityCell, ...]:
    truth = truth_of(reading.design, reading.said)
    if truth is None:
        return ()
    rows = reading.engine.run(reliability_step(truth, among))
    return tuple(
        ReliabilityCell(int(h), int(c), int(n), int(p), (int(x), int(y))) for h, c, n, p, x, y in rows
    )


def _answers(reading: ShadowReading, among: Among) -> tuple[tuple[AnswerCell, ...], int, int]:
    """What both models said, how many values labels take, and how many labelled pairs have one that a model answered."""
    design, said = reading.design, reading.said
    if design.task not in {"binary", "multiclass"} or not (said.has("prediction") or said.has_labels):
        return (), 0, 0
    counted: dict[tuple[str, str], int] = {}
    truths: dict[str, int] = {}
    for champion, candidate, truth, n in reading.engine.run(
        answers_step(among, answers=said.has("prediction"), labels=said.has_labels)
    ):
        if champion is not None and candidate is not None:
            counted[champion, candidate] = counted.get((champion, candidate), 0) + int(n)
        if truth is not None:
            truths[truth] = truths.get(truth, 0) + int(n)
    cells = tuple(AnswerCell(h, c, n) for (h, c), n in sorted(counted.items()))
    words = {one.champion for one in cells} | {one.candidate for one in cells}
    known = sum(n for truth, n in truths.items() if truth in words or not said.has("prediction"))
    return cells, len(truths), known
