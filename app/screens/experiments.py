"""The list of experiments: found by filters that stand in the address, with the way to each of them."""

from __future__ import annotations

import streamlit as st

from app.formats import count
from app.overview.listing import PAGE, Listed, as_csv, choices, listed
from app.screens.filters import clear, filters
from app.screens.frame import Here, page
from app.screens.pieces import FEW, empty, go_to, page_of_id, table, way_to_page
from registry.portfolio import Portfolio, portfolio
from registry.stars import starred

ALT = (
    "{} experiments with state, owner, primary metric, progress, what comes next, and verdicts once released."
)


@page
def experiments_page(here: Here) -> None:
    """Every experiment of the registry, newest first."""
    st.title("Experiments")
    found = portfolio(here.registry)
    if not found.experiments:
        empty(
            "No experiment is registered yet.",
            "Here will be a line for each: its state, its owner, how far it has come, and its verdict once that is released.",
            "Register the first one, or look at examples: `fairtrial demo` makes a workspace full of them.",
        )
        way_to_page("register", "Register an experiment")
        return
    mine = starred(here.registry, here.me.id)
    rows = listed(found, filters(choices(found), mine))
    _open(rows)
    if not rows:
        st.info(
            "No experiment matches these filters. Take one away to see more.",
            icon=":material/filter_alt_off:",
        )
        st.button("Clear the filters", on_click=clear)
        return
    _draw(rows, found, mine)


def _open(rows: tuple[Listed, ...]) -> None:
    titles = {row.id: f"{row.id}  {row.title}" for row in rows[:PAGE]}
    chosen = st.selectbox(
        "Open an experiment",
        list(titles),
        index=None,
        key="open",
        format_func=titles.__getitem__,
        placeholder="Choose one of those below",
    )
    if chosen is not None:
        go_to(chosen)


def _draw(rows: tuple[Listed, ...], found: Portfolio, mine: frozenset[str]) -> None:
    pages = -(-len(rows) // PAGE)
    number = 1
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.markdown(f"**{count(len(rows))}** of {count(len(found.experiments))} experiments")
        if pages > 1:
            number = st.number_input(
                f"Page (of {pages})", 1, pages, key="page", bind="query-params", width=140
            )
        st.download_button(
            "Download the list (CSV)",
            lambda: as_csv(rows).encode(),
            file_name="experiments.csv",
            mime="text/csv",
            on_click="ignore",
        )
    shown = rows[(number - 1) * PAGE : number * PAGE]
    cells = [_row(row, as_link=len(shown) > FEW, is_starred=row.id in mine) for row in shown]
    table(cells, ALT.format(count(len(shown))), key="list", links="Experiment", columns=COLUMNS)


COLUMNS = {
    "Experiment": st.column_config.LinkColumn(display_text=r"id=(.+)$", width="small"),
    "Progress": st.column_config.ProgressColumn(
        format="percent", min_value=0, max_value=1, help="Share of the planned units"
    ),
}
"""Of the grid of many rows."""


def _row(row: Listed, *, as_link: bool, is_starred: bool) -> dict[str, object]:
    return {
        "Experiment": f"{page_of_id(row.id)}?id={row.id}" if as_link else row.id,
        "Starred": "★" if is_starred else "",
        "Title": row.title,
        "State": row.words,
        "Owner": row.owner,
        "Primary metric": row.primary_metric,
        "Progress": row.progress if as_link else row.progress_words,
        "Next": row.comes_next,
        "Health": row.health or "",
        "Verdict": row.verdict_words,
        "Amendments": row.amendments or "",
        "Labels": ", ".join(row.labels),
    }
