"""The noise floor: how often the champion differs from itself, where a control, the champion once more, was logged."""

from __future__ import annotations

from experiments.cohorts.cohort import CutOff
from experiments.shadows.cells import sums_by_unit
from experiments.shadows.logs import CONTROL
from experiments.shadows.quantities import Quantity
from experiments.shadows.reading import ShadowReading
from experiments.shadows.sides import Bounds, side
from experiments.shadows.unit_sums import UnitSums


def noise_of(reading: ShadowReading, cut_off: CutOff) -> UnitSums | None:
    """Over units, requests that all three answered; None without a control, or where requests were logged twice."""
    design, said = reading.design, reading.said
    if not reading.has_control or reading.source.wide or reading.duplicated:
        return None
    scale = 10**design.primary.decimals
    if design.task in {"binary", "multiclass"} and said.has("prediction"):
        differs = "CAST({0}.answer <> champion.answer AS INTEGER)"
    elif design.task == "regression" and said.has("prediction"):
        differs = f"CAST(round(abs(CAST({{0}}.answer AS DOUBLE) - CAST(champion.answer AS DOUBLE)) * {scale}) AS BIGINT)"
    elif said.has("score"):
        differs = f"CAST(round(abs({{0}}.score - champion.score) * {scale}) AS BIGINT)"
    else:
        return None
    classes, names = "INTEGER" in differs, ("candidate", "control")
    needed = ("failed", "late", "answer" if ".answer" in differs else "score")
    bounds = Bounds(cut_off.watermark_us, reading.timed)
    models = {"champion": design.champion, "candidate": design.candidate, "control": CONTROL}
    ctes = ", ".join(
        f"{model} AS ({side(reading.predictions, version, reading.typed, bounds, needed, ())})"
        for model, version in models.items()
    )
    before = "TRUE" if cut_off.before_us is None else f"champion.scored_us < {cut_off.before_us}"
    answered = " AND ".join(f"NOT ({model}.failed OR {model}.late)" for model in models)
    owned = " AND champion.unit IS NOT NULL" if design.by_user else ""
    inner = (
        f"SELECT champion.unit AS unit, {differs.format('candidate')} AS candidate, {differs.format('control')} AS control "
        "FROM champion JOIN candidate ON candidate.request = champion.request JOIN control ON control.request = champion.request "
        f"WHERE {before} AND {answered}{owned}"
    )
    quantity = Quantity("noise", names, names, (), scale=None if classes else scale)
    columns, group = "candidate AS s0, control AS s1, 1 AS s2", ""
    if design.by_user:
        columns, group = "sum(candidate) AS s0, sum(control) AS s1, count(*) AS s2", " GROUP BY unit"
    by_unit = f"WITH {ctes} SELECT {columns} FROM ({inner}) AS answered_by_all WHERE candidate IS NOT NULL AND control IS NOT NULL{group}"
    return sums_by_unit(reading, quantity, by_unit)
