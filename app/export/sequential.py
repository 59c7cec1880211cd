"""The section of the looks: each deciding metric over its looks, against its boundaries, and what holds after the stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from app.export.blocks import Block, Cell, Figure, Folded, Table, Words, table
from app.formats import (
    NOTHING,
    Quantity,
    instant,
    level,
    p_value,
    planned_effect,
    share,
    shortest,
    significant,
)
from app.paths import (
    boundary_name,
    bounds_words,
    critical_words,
    held_against,
    interval_name,
    nominal_level,
    p_name,
    path_name,
    path_quantity,
    path_sentence,
    z_words,
)
from experiments.readouts.readout import LookPoint, Readout, SequentialPath
from experiments.shadows.readout import ShadowReadout

if TYPE_CHECKING:
    from app.charts import Drawn


def sequential_blocks(readout: Readout | ShadowReadout) -> Iterator[Block]:
    """Every path of the readout: in words, drawn, as a table of looks, and after the stop."""
    for path in readout.sequential:
        quantity = path_quantity(path)
        yield Words(path_sentence(path))
        yield Words(_rule(path, quantity))
        if not path.points:
            continue
        if path.rule == "group-sequential":
            yield Figure(f"{path_name(path)}: z against its boundaries", partial(_boundaries, path))
        planned = _planned_effect(readout, path)
        yield Figure(
            f"{path_name(path)}: the {interval_name(path)} of each look", partial(_intervals, path, planned)
        )
        yield looks_table(path, quantity)
        yield from _after(path, quantity)
        if path.planned:
            yield Folded(f"{path_name(path)}: boundaries as planned", (planned_table(path),))


def interval_notes(paths: Sequence[SequentialPath]) -> list[str]:
    """What the intervals beside the estimates are, where there are several looks."""
    notes = []
    if any(path.rule == "group-sequential" for path in paths):
        notes.append(
            "Intervals and p are the repeated ones, which hold over all looks together; those of a single look are not shown."
        )
    if any(path.rule == "always-valid" for path in paths):
        notes.append(
            "Intervals are those of the confidence sequence and p is always-valid: they hold at every look at once."
        )
    return notes


def looks_table(path: SequentialPath, quantity: Quantity) -> Table:
    """One row per look taken."""
    interval, p = _heading(interval_name(path)), _heading(p_name(path))
    records: list[dict[str, Cell]] = [_look(path, point, quantity, interval, p) for point in path.points]
    numeric = (
        "Information",
        "z",
        "Critical z",
        "Futility z",
        "α spent",
        "Estimate",
        "Standard error",
        interval,
        p,
    )
    return table(f"{path_name(path)} at each look", records, numeric=numeric)


def planned_table(path: SequentialPath) -> Table:
    """The boundaries that were declared, at the planned information."""
    records: list[dict[str, Cell]] = [
        {
            "Look": str(k),
            "Information": share(look.information),
            "Critical z": critical_words(look.critical),
            "Nominal α": p_value(nominal_level(path, look.critical)),
            "Futility z": critical_words(look.futility),
            "α spent": p_value(look.spent),
        }
        for k, look in enumerate(path.planned, start=1)
    ]
    return table(
        f"{path_name(path)}: boundaries as planned",
        records,
        numeric=("Information", "Critical z", "Nominal α", "Futility z", "α spent"),
    )


def _rule(path: SequentialPath, quantity: Quantity) -> str:
    sided = "two-sided" if path.sides == 2 else "one-sided"
    name = boundary_name(path)
    return (
        f"{name[:1].upper()}{name[1:]}; α {shortest(path.alpha)} {sided} over all looks; tested against "
        f"{held_against(path, quantity)}. Every interval is the {interval_name(path)}: it holds at all looks together."
    )


def _look(
    path: SequentialPath, point: LookPoint, quantity: Quantity, interval: str, p: str
) -> dict[str, Cell]:
    return {
        "Look": str(point.k),
        "Exposed until": instant(point.cut_off),
        "Information": share(point.information),
        "z": z_words(point.z),
        "Critical z": critical_words(point.critical),
        "Futility z": critical_words(point.futility),
        "α spent": p_value(point.spent),
        "Estimate": "not computed" if point.estimate is None else quantity.effect(point.estimate),
        "Standard error": NOTHING if point.standard_error is None else _error(quantity, point.standard_error),
        interval: bounds_words(path, point, quantity),
        p: p_value(point.p_value),
    }


def _error(quantity: Quantity, error: float) -> str:
    """With three significant digits, in the unit in which the estimate is read."""
    return significant(quantity.shown(error), 3)


def _after(path: SequentialPath, quantity: Quantity) -> Iterator[Block]:
    """What holds after the stop, by the stage-wise order of the looks; or why it was not computed."""
    if path.rule == "always-valid":
        yield Words(
            "After the stop nothing else is computed: a confidence sequence holds at every look, also at the one that stopped."
        )
        return
    found = path.stagewise_interval
    if path.stagewise_p_value is None and found is None and path.median_unbiased is None:
        what = "Stage-wise p, stage-wise interval and median-unbiased estimate"
        yield Words(
            f"{what} of {path_name(path)}: not computed: {path.not_computed or 'no reason was recorded'}."
        )
        return
    records: list[dict[str, Cell]] = [
        {
            "What": "stage-wise p",
            "Value": _or_why(path, path.stagewise_p_value is None, p_value(path.stagewise_p_value)),
        },
        {
            "What": "stage-wise confidence interval"
            if found is None
            else f"stage-wise {level(found.level)} confidence interval",
            "Value": _or_why(path, found is None, quantity.bounds(found)),
        },
        {
            "What": "median-unbiased estimate",
            "Value": _or_why(
                path,
                path.median_unbiased is None,
                NOTHING if path.median_unbiased is None else quantity.effect(path.median_unbiased),
            ),
        },
    ]
    yield table(f"{path_name(path)} after the stop", records, numeric=("Value",))


def _or_why(path: SequentialPath, missing: bool, value: str) -> str:
    return f"not computed: {path.not_computed or 'no reason was recorded'}" if missing else value


def _planned_effect(readout: Readout | ShadowReadout, path: SequentialPath) -> float | None:
    """The MDE of the same comparison, on the side that is better."""
    if isinstance(readout, ShadowReadout) or path.role != "primary" or path.scale != "absolute":
        return None
    same = (c for c in readout.primary if c.metric == path.metric and c.treatment == path.treatment)
    return next((planned_effect(c) for c in same), None)


def _boundaries(path: SequentialPath) -> Drawn:
    from app.charts import boundary_chart

    return boundary_chart(path)


def _intervals(path: SequentialPath, planned: float | None) -> Drawn:
    from app.charts import interval_chart

    return interval_chart(path, planned)


def _heading(name: str) -> str:
    return name[:1].upper() + name[1:]
