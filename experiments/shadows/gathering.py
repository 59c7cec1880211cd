"""From the logs to the evidence: what may be seen before the look, then, only when asked, what the models said."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.cohorts.cohort import CutOff
from experiments.logs.sql import MICROSECONDS, Step
from experiments.shadows.distributions import (
    classes_by_unit,
    reliability_step,
    score_bins_by_unit,
    score_cells,
    score_level,
    score_places,
    scored,
    truth_of,
)
from experiments.shadows.evidence import (
    AnswerCell,
    ContentEvidence,
    Day,
    LevelPlaces,
    PairingEvidence,
    ReliabilityCell,
    RightAndWrong,
    UnitSums,
)
from experiments.shadows.missing import by_unit
from experiments.shadows.noise import noise_of
from experiments.shadows.percentiles import latency_quantiles
from experiments.shadows.quantities import FAILURES, Quantity, deciding, quantities, right
from experiments.shadows.reading import ShadowReading
from experiments.shadows.sums import (
    Among,
    answers_step,
    days_step,
    flow_step,
    level_of,
    level_step,
    levels_step,
    order_step,
    over_units_step,
    per_unit_step,
    table_step,
    unit_sums,
)


def gather_pairing(reading: ShadowReading, cut_off: CutOff, rows: tuple[int, int, int]) -> PairingEvidence:
    """The evidence that needs neither answers nor labels, from table ``pairs``.

    Args:
        rows: what ``ShadowReading.pair`` returned.
    """
    design = reading.design
    among = Among.of(design, cut_off)
    far = design.written.pairing.answer_within * MICROSECONDS if reading.timed else None
    flow = reading.one(flow_step(among, far))
    (
        both,
        champion_only,
        candidate_only,
        duplicated,
        hashed,
        other,
        apart,
        ownerless,
        incomplete,
        answered,
        labelled,
        units,
    ) = flow
    several, disordered = 0, None
    if reading.timed and design.by_user:
        several, disordered = (int(n) for n in reading.one(order_step(among)))
    failures = [quantity for column, quantity in FAILURES.items() if column in reading.columns]
    run = reading.engine.run
    levels = tuple(
        LevelPlaces(attribute, str(level), int(b), int(h), int(c))
        for attribute in design.attributes
        for level, b, h, c in run(levels_step(attribute, among))
    )
    days = run(days_step(among)) if reading.timed else []
    return PairingEvidence(
        cut_off=cut_off,
        champion_rows=rows[0],
        candidate_rows=rows[1],
        broken_rows=rows[2],
        both=int(both),
        champion_only=int(champion_only),
        candidate_only=int(candidate_only),
        duplicated=int(duplicated),
        with_hash=int(hashed),
        other_inputs=int(other),
        too_far_apart=None if apart is None else int(apart),
        units_with_several=several,
        out_of_order=disordered,
        without_unit=int(ownerless) if design.by_user else 0,
        incomplete=int(incomplete),
        answered=int(answered),
        labelled=int(labelled),
        conflicting_labels=reading.conflicting,
        has_labels=reading.source.labels is not None,
        complete=reading.watermark().us is None,
        units=int(units) if design.by_user else int(labelled),
        days=tuple(Day(*(int(n) for n in row)) for row in days),
        levels=levels,
        missing=by_unit(reading, levels, level_of, among),
        failures=tuple(_sums(reading, failures, among)),
        logged=tuple(sorted(reading.columns)),
    )


def gather_content(reading: ShadowReading, cut_off: CutOff) -> ContentEvidence:
    """What the models said, from table ``pairs`` made with content."""
    design, said = reading.design, reading.said
    among = Among.of(design, cut_off)
    found = _sums(reading, quantities(design, said), among)
    quantity = deciding(design, said)
    if quantity is not None:
        for attribute in design.attributes:
            rows = reading.engine.run(level_step(quantity, attribute, among))
            found += [unit_sums(quantity, row[1:], attribute, str(row[0])) for row in rows]
    champion, candidate = right(design, said, "champion"), right(design, said, "candidate")
    tables: list[RightAndWrong] = []
    if champion is not None and candidate is not None:
        for segment in (None, *design.attributes):
            rows = reading.engine.run(table_step(champion, candidate, segment, among.labelled))
            tables += [
                RightAndWrong(segment, None if level is None else str(level), *(int(n) for n in cells))
                for level, *cells in rows
            ]
    answers: list[AnswerCell] = []
    if said.has("prediction") and design.task in {"binary", "multiclass"}:
        answers = [
            AnswerCell(str(h), str(c), int(n)) for h, c, n in reading.engine.run(answers_step(among.answered))
        ]
    found_scores = scored(reading, among)
    limited = {limit.measure for limit in design.limits}
    if (
        found_scores is not None
        and limited & {"score_psi", "prediction_psi"}
        and (design.task == "regression" or "score_psi" in limited)
    ):
        found.append(score_bins_by_unit(reading, found_scores, among))
    if "prediction_psi" in limited and answers:
        classes = classes_by_unit(reading, answers, among)
        found += [] if classes is None else [classes]
    places_by_score = score_places(reading, found_scores, among) if found_scores else ()
    label_values, known = _label_values(reading, among)
    return ContentEvidence(
        sums=tuple(found),
        tables=tuple(tables),
        answers=tuple(answers),
        score_cells=() if found_scores is None else score_cells(reading, found_scores, among),
        score_edges=() if found_scores is None else found_scores.edges,
        score_scale=10**design.primary.decimals,
        levels=places_by_score,
        missing=by_unit(reading, places_by_score, lambda _: score_level(found_scores), among)
        if found_scores
        else (),
        reliability=_reliability(reading, among),
        latency=latency_quantiles(reading, among) if said.has("latency_ms") else (),
        noise=noise_of(reading, cut_off),
        label_values=label_values,
        known_labels=known,
    )


def _sums(reading: ShadowReading, wanted: Sequence[Quantity], among: Among) -> list[UnitSums]:
    if not wanted:
        return []
    reading.engine.run(per_unit_step(wanted, among))
    return [unit_sums(one, reading.one(over_units_step(one, i))) for i, one in enumerate(wanted)]


def _reliability(reading: ShadowReading, among: Among) -> tuple[ReliabilityCell, ...]:
    truth = truth_of(reading.design, reading.said)
    if truth is None:
        return ()
    rows = reading.engine.run(reliability_step(truth, among))
    return tuple(
        ReliabilityCell(int(h), int(c), int(n), int(p), (int(x), int(y))) for h, c, n, p, x, y in rows
    )


def _label_values(reading: ShadowReading, among: Among) -> tuple[int, int]:
    """How many values labels take, and how many labelled pairs have a label that a model ever answered."""
    said = reading.said
    if not said.has_labels or reading.design.task not in {"binary", "multiclass"}:
        return 0, 0
    values = f"SELECT label, count(*) AS pairs FROM pairs WHERE {among.labelled} GROUP BY label"
    if not said.has("prediction"):
        found = reading.one(Step("labels_seen", f"SELECT count(*), sum(pairs) FROM ({values}) AS seen"))
        return int(found[0]), int(found[1] or 0)
    answered = (
        f"SELECT champion_answer AS said FROM pairs WHERE {among.labelled} UNION SELECT candidate_answer FROM pairs "
        f"WHERE {among.labelled}"
    )
    found = reading.one(
        Step(
            "labels_seen",
            f"SELECT count(*), sum(CASE WHEN label IN (SELECT said FROM ({answered}) AS answers WHERE said IS NOT NULL) "
            f"THEN pairs ELSE 0 END) FROM ({values}) AS seen",
        )
    )
    return int(found[0]), int(found[1] or 0)
