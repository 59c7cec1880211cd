"""What a design costs and what it can tell, before it runs: numbers, curves, what could happen, and a rehearsal."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app.charts.power import power_curve
from app.drafting.checking import Checked, label_of
from app.export.blocks import Cell, Column, Table
from app.export.page import page_of
from app.formats import NOTHING, count, decimal, p_value, share, shortest
from app.preview import MetricPlan, Preview, preview
from app.rehearsal import Truth, left_out, rehearse, truths_to_rehearse
from app.screens.experiment import marks, sheet
from app.screens.frame import Here
from app.screens.register.desk import Desk
from app.screens.register.simulating import what_could_happen
from experiments.designs.design import Design

_POWER: Final = "How likely is the primary test to find what it looks for?"

_SITUATIONS: dict[Truth, str] = {
    "no effect": "there is no effect",
    "the planned effect": "the planned effect is there",
    "worse by the margin": "it is worse by the margin",
    "a broken allocation": "the allocation is broken",
}


def design_preview(here: Here, desk: Desk, checked: Checked) -> None:
    """The whole preview; as long as the design is not complete, what it still needs."""
    st.subheader("Design preview", anchor=False)
    if checked.design is None:
        marks.words("The preview needs a complete design. Still open:")
        marks.bullets([f"{label_of(problem.path)}: {problem.message}" for problem in checked.problems])
        return
    design = checked.design
    found = preview(design)
    st.caption("Computed from the plan alone. No outcome is read here.")
    sizes(found)
    marks.table(_metrics(found))
    marks.words(_POWER, heading=True)
    sheet.picture(_POWER, power_curve(design))
    if found.weeks:
        marks.table(_weeks(found))
        marks.words(
            "Each week is a design of its own: this table is no licence to look every week.", muted=True
        )
    else:
        marks.words("Give the units a day in step 5 to see durations.", muted=True)
    _boundaries(found)
    marks.table(_sensitivity(found))
    st.divider()
    what_could_happen(here, desk, design)
    st.divider()
    _rehearsal(here, desk, design)


def sizes(found: Preview) -> None:
    """Units per arm, how long, and which metric asks for most."""
    per_arm = " / ".join(f"{arm} {count(n)}" for arm, n in zip(found.arms, found.n_per_arm, strict=True))
    pairs = [
        ("Units per arm", per_arm),
        ("In all", count(found.total)),
        ("Set by", "by hand" if found.overridden else found.binding),
    ]
    if found.enrolment is not None:
        pairs += [
            (
                "Enrolment",
                f"{found.enrolment.enrolment_days} days, so {found.enrolment.enrolment_weeks} whole weeks",
            ),
            ("Then until mature", f"{found.enrolment.maturity_days} days"),
        ]
    pairs.append(("SHIP if the planned effect is there", f"{share(round(found.ship_power, 3))} or more"))
    marks.facts(pairs)
    if found.enrolment is None:
        marks.words(
            "How long this takes is not known: say in step 5 how many units come a day. Enrolment ends at its longest "
            "duration (step 6) even if fewer units than these have come by then."
        )


def _metrics(found: Preview) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            plan.metric,
            "decides" if plan.role == "primary" else "must hold",
            plan.target,
            " / ".join(count(n) for n in plan.n_per_arm),
            _power(plan.power),
            "sets the number of units" if plan.binds else "",
        )
        for plan in found.metrics
    ]
    columns = (
        Column("metric"),
        Column("role"),
        Column("to show"),
        Column("needs per arm", numeric=True),
        Column("power as planned", numeric=True),
        Column(""),
    )
    return Table("What each metric needs", columns, tuple(rows))


def _weeks(found: Preview) -> Table:
    marked, rows = False, []
    for week in found.weeks:
        first = week.enough and not marked
        marked = marked or week.enough
        cells: list[Cell] = [str(week.week), " / ".join(count(n) for n in week.n_per_arm)]
        cells += [_size(week.detectable[plan.metric], plan) for plan in found.metrics]
        rows.append((*cells, "enough" if first else ""))
    columns = (
        Column("week"),
        Column("units", numeric=True),
        *(
            Column(
                f"{plan.metric} {'margin' if plan.target.startswith('margin') else 'effect'}", numeric=True
            )
            for plan in found.metrics
        ),
        Column(""),
    )
    return Table(
        f"Smallest effect or margin with power {share(round(found.power_per_test, 3))}", columns, tuple(rows)
    )


def _size(value: float | None, plan: MetricPlan) -> str:
    if value is None:
        return "none"
    number = f"{plan.factor * abs(value):.3g}"
    return f"{number}{plan.unit}" if plan.unit.startswith("%") else f"{number} {plan.unit}".strip()


def _boundaries(found: Preview) -> None:
    for stop in found.harm_stops:
        days = "" if stop.burn_in_days is None else f", about {stop.burn_in_days:g} days in"
        marks.words(
            f"Harm stop: {stop.metric} beyond {stop.margin} ends the experiment at once, from {count(stop.burn_in)} units "
            f"on{days}; α {shortest(stop.alpha)}."
        )
    if found.stopping is None:
        return
    if found.stopping.always_valid is not None:
        rule = found.stopping.always_valid
        marks.words(
            f"Outcomes are read every {rule.step_days:g} days, {rule.looks} times at most, from {count(rule.burn_in)} units on."
        )
        rows: list[tuple[Cell, ...]] = [
            (one.metric, f"{one.relative_width:.2f}", f"{one.inflation:.2f}") for one in rule.sequences
        ]
        columns = (
            Column("metric"),
            Column("interval, times as wide", numeric=True),
            Column("units, times as many", numeric=True),
        )
        marks.table(Table("What reading at any time costs, against one look", columns, tuple(rows)))
    for one in found.stopping.boundaries:
        looks: list[tuple[Cell, ...]] = [
            (
                str(look.k),
                share(look.information),
                NOTHING if look.critical is None else decimal(look.critical, 3),
                p_value(look.nominal),
                p_value(look.spent),
                NOTHING if look.futility is None else decimal(look.futility, 3),
            )
            for look in one.looks
        ]
        headings = ("look", "information", "efficacy z", "nominal p", "α spent", "futility z")
        marks.table(
            Table(
                f"Boundaries of {one.metric}: {one.boundary}",
                tuple(Column(heading, numeric=index > 0) for index, heading in enumerate(headings)),
                tuple(looks),
            )
        )


def _sensitivity(found: Preview) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for scenario in found.sensitivity:
        if scenario.n_per_arm is None or scenario.ship_power is None:
            rows.append((scenario.name, scenario.not_computed or "", "", "", ""))
            continue
        rows.append(
            (
                scenario.name,
                " / ".join(count(n) for n in scenario.n_per_arm),
                scenario.binding or "",
                _power(scenario.ship_power),
                NOTHING if scenario.weeks is None else str(scenario.weeks),
            )
        )
    columns = (
        Column("if"),
        Column("would need", numeric=True),
        Column("set by"),
        Column("SHIP as planned", numeric=True),
        Column("weeks", numeric=True),
    )
    return Table("If the assumptions are wrong", columns, tuple(rows))


def _rehearsal(here: Here, desk: Desk, design: Design) -> None:
    st.subheader("Rehearsal", anchor=False)
    marks.words(
        "The readout you would get, on drawn numbers, by the same rule and the same page as the real one. Every page of it "
        "says SIMULATED."
    )
    truth = st.radio(
        "Show a simulated readout where …",
        truths_to_rehearse(design),
        index=None,
        format_func=lambda one: _SITUATIONS[one],
        key=f"register/{desk.id}/truth",
    )
    if truth is None:
        return
    again = st.number_input(
        "Run", 1, 1_000, 1, key=f"register/{desk.id}/run", help="Another run of the same truth"
    )
    readout = rehearse(
        design, truth, experiment=desk.id, owner=here.me.id, now=here.registry.clock.now(), seed=int(again)
    )
    page = page_of(readout)
    with st.container(border=True):
        sheet.head(page)
        for section in page.sections:
            if section.anchor != "reproduce":
                st.markdown(f"**{section.heading}**")
                for block in section.blocks:
                    sheet.draw(block)
    without = left_out(design)
    if without:
        marks.words(f"Not drawn in a rehearsal: {'; '.join(without)}.", muted=True)


def _power(power: float) -> str:
    return "over 99.9%" if power >= 0.9995 else share(round(power, 3))
