"""The stopping rule in `design preview`: boundaries, what they cost, confidence sequences, harm stops."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from app.cli.output import Cell, Table, figure, p_cell, percent
from app.formats import decimal, instant
from app.stopping_words import WATCHED

if TYPE_CHECKING:
    from app.boundary_plan import Boundaries
    from app.stopping_plan import AlwaysValid, HarmStop, LookPlan, StoppingPlan


def stopping_parts(rule: StoppingPlan | None, stops: tuple[HarmStop, ...]) -> list[str | Table]:
    """Text and tables of a rule of several looks, and of the harm stops of any."""
    parts: list[str | Table] = []
    if rule is not None and rule.always_valid is not None:
        parts += _always_valid(rule.always_valid)
    elif rule is not None:
        parts += [_looks(rule.looks), *_coinciding(rule.looks)]
        parts += [_boundaries(one) for one in rule.boundaries]
        parts += [
            "At the planned information; at a look the boundaries are found again at the information that came.",
            "",
            _truths(rule.boundaries),
            "Each metric alone: the experiment stops for efficacy only when all of them cross at the same look.",
        ]
    if stops:
        parts += [_harm_stops(stops), f"Harm stops are {WATCHED}."]
    return parts


def _looks(looks: tuple[LookPlan, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            look.k,
            percent(look.information),
            look.units,
            _days(look.enrolment_days),
            _days(look.read_after_days),
            instant(look.read_on),
        )
        for look in looks
    ]
    return Table(
        ("look", "information", "mature units", "enrolment", "read after", "expected on"),
        rows,
        "Looks as planned",
    )


def _coinciding(looks: tuple[LookPlan, ...]) -> list[str]:
    """Looks that the traffic would bring at the same step, of which the last is taken."""
    same = [
        f"{before.k} and {after.k}"
        for before, after in pairwise(looks)
        if before.enrolment_days is not None and before.enrolment_days == after.enrolment_days
    ]
    if not same:
        return []
    return [
        f"Looks {', '.join(same)} fall on the same step of enrolment at this traffic and would be taken as one.",
        "",
    ]


def _boundaries(one: Boundaries) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            look.k,
            percent(look.information),
            "none" if look.critical is None else decimal(look.critical, 4),
            p_cell(look.nominal),
            p_cell(look.spent),
            *(("none" if look.futility is None else decimal(look.futility, 4),) if one.futility else ()),
        )
        for look in one.looks
    ]
    columns = [
        "look",
        "information",
        "critical z",
        "nominal α",
        "α spent",
        *(["futility z"] if one.futility else []),
    ]
    sided = "two-sided" if one.sides == 2 else "one-sided"
    futility = ""
    if one.futility:
        futility = f"; futility by {one.futility}, {'binding' if one.binding else 'non-binding'}"
    return Table(
        columns,
        rows,
        f"Boundaries of {one.metric} ({one.role}): {one.boundary}, α {figure(one.alpha)} {sided}{futility}; "
        f"{figure(one.inflation, 5)} times the units of the fixed design",
    )


def _truths(every: tuple[Boundaries, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            one.metric,
            under.truth,
            round(under.mean_units),
            _probability(under.efficacy),
            _probability(under.harm),
            _probability(under.futility) if one.futility else figure(None),
        )
        for one in every
        for under in one.truths
    ]
    return Table(
        (
            "metric",
            "if the truth is",
            "mean units at the stop",
            "crosses in favour",
            "crosses against",
            "stops as futile",
        ),
        rows,
        "Expected units",
    )


def _always_valid(rule: AlwaysValid) -> list[str | Table]:
    looks = (
        f"A look after every {_days(rule.step_days)} of enrolment, from {_days(rule.first_look_days)} to "
        f"{_days(rule.last_look_days)}: {figure(rule.looks)} at most."
    )
    burn_in = f"Burn-in: {figure(rule.burn_in)} units of the two arms compared"
    if rule.burn_in_days is not None:
        burn_in += f", which take {_days(rule.burn_in_days)}"
    rows: list[tuple[Cell, ...]] = [
        (
            one.metric,
            one.role,
            f"{figure(one.alpha)} {'two-sided' if one.sides == 2 else 'one-sided'}",
            f"{decimal(one.relative_width, 3)} times the fixed interval",
            f"{decimal(one.inflation, 3)} times the fixed design",
        )
        for one in rule.sequences
    ]
    table = Table(("metric", "role", "α", "width at the planned n", "units"), rows, "Confidence sequences")
    return [looks, burn_in + ".", "", table]


def _harm_stops(stops: tuple[HarmStop, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            stop.metric if stop.segment is None else f"{stop.metric} by {stop.segment}",
            stop.margin,
            f"{figure(stop.alpha)} one-sided",
            f"{figure(stop.burn_in)} units",
            _days(stop.burn_in_days),
        )
        for stop in stops
    ]
    return Table(
        ("metric", "trips when worse by more than", "α", "burn-in", "comes after"), rows, "Harm stops"
    )


def _days(days: float | None) -> str:
    return figure(None) if days is None else f"{figure(days)} day{'' if days == 1 else 's'}"


def _probability(probability: float | None) -> str:
    if probability is None:
        return "as futile"
    return "< 0.01%" if 0 < probability < 0.0001 else percent(probability)
