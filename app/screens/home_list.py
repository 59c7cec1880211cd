"""Home's list of experiments: found by filters that stand in the address, starred, downloaded, and drawn over time."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.charts.timeline import timeline_chart
from app.formats import count, share
from app.overview.listing import Listed, as_csv, choices, on_home, rows_of
from app.overview.timeline import MOST, dated, timeline
from app.screens.experiment import marks, sheet
from app.screens.filters import clear, filters
from app.screens.frame import Here
from app.screens.pieces import go_to, table, way_to_page
from registry.portfolio import Portfolio, last_plans
from registry.records import Experiment
from registry.stars import star, starred

FIRST = 10
"""Rows of the table; all are on the page of experiments, and in the file."""

CHOICES = 100
"""Experiments that the list to choose from offers."""


def experiments(here: Here, found: Portfolio) -> None:
    """Draw the section."""
    st.header("Experiments", anchor="list")
    mine = starred(here.registry, here.me.id)
    wanted = filters(choices(found), mine)
    those = on_home(found, wanted)
    if not those:
        _nothing(filtered=wanted.any)
        return
    rows = rows_of(those, found)
    _above(rows, found, closed_too=bool(wanted.states))
    table(
        [_row(row, mine) for row in rows[:FIRST]],
        f"{min(len(rows), FIRST)} of {count(len(rows))} experiments with state, owner, progress, what comes next and health.",
        links="Experiment",
    )
    if len(rows) > FIRST:
        st.caption(f"The {FIRST} newest of {count(len(rows))}; the file has them all.")
    way_to_page("experiments", "All experiments, also the closed ones")
    _act(here, rows, mine)
    _over_time(here, found, those)


def _nothing(*, filtered: bool) -> None:
    if filtered:
        st.info("No experiment matches these filters.", icon=":material/filter_alt_off:")
        st.button("Clear the filters", on_click=clear)
    else:
        st.caption("None is open. Choose a state above to see those that are closed.")


def _above(rows: Sequence[Listed], found: Portfolio, *, closed_too: bool) -> None:
    which = "experiments" if closed_too else "open experiments"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{count(len(rows))}** {which}, of {count(len(found.experiments))} in all")
        st.download_button(
            "Download the list (CSV)",
            lambda: as_csv(rows).encode(),
            file_name="experiments.csv",
            mime="text/csv",
            on_click="ignore",
        )


def _row(row: Listed, mine: frozenset[str]) -> dict[str, object]:
    return {
        "Experiment": row.id,
        "Starred": "★" if row.id in mine else "",
        "Title": row.title,
        "State": row.words,
        "Owner": row.owner,
        "Primary metric": row.primary_metric,
        "Of planned units": "" if row.progress is None else share(round(row.progress, 2)),
        "Next": row.comes_next,
        "Health": row.health or "",
        "Amendments": row.amendments or "",
    }


def _act(here: Here, rows: Sequence[Listed], mine: frozenset[str]) -> None:
    """Open one of them, or keep an eye on it."""
    titles = {row.id: f"{'★ ' if row.id in mine else ''}{row.id}  {row.title}" for row in rows[:CHOICES]}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Open or star an experiment",
            list(titles),
            index=None,
            key="open",
            format_func=titles.__getitem__,
            placeholder="Choose one of those above",
        )
        on = chosen not in mine
        opens = st.button("Open", key="open-it", disabled=chosen is None)
        stars = st.button(
            "☆ Star" if on else "★ Take the star away",
            key="star-it",
            disabled=chosen is None,
            help="A star is your own: only you see it, and the filter finds it.",
        )
    if chosen is not None and opens:
        go_to(chosen)
    if chosen is not None and stars:
        star(here.registry, here.me.id, chosen, on=on)
        st.rerun()


def _over_time(here: Here, found: Portfolio, those: Sequence[Experiment]) -> None:
    st.header("Timeline", anchor="timeline")
    shown, _ = dated(those)
    if not shown:
        st.caption(
            "Here will be when each experiment enrols, matures, is looked at and decided. None of those above has begun "
            "or has a declared start."
        )
        return
    drawn_of = timeline(found, those, last_plans(here.registry, [one.id for one in shown]))
    drawn = timeline_chart(drawn_of)
    marks.words(drawn.sentence)
    st.caption(
        "Thick bar: enrolment. Thin bar: the last units mature. ◆ a look taken, ◇ one expected, ● the decision. What lies "
        "ahead is pale: an estimate, or the day that was declared."
    )
    sheet.picture("Timeline", drawn)
    left_out = []
    if drawn_of.further:
        left_out.append(
            f"{count(drawn_of.further)} that began earlier: at most {MOST} can be read, so filter to see others"
        )
    if drawn_of.undated:
        left_out.append(f"{count(drawn_of.undated)} without a date yet")
    if left_out:
        st.caption(f"Not shown: {'; '.join(left_out)}.")
