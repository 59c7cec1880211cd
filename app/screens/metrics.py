"""The metric catalogue: what every metric means, and where it is used. Definitions only; no outcome is read."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.export.blocks import table as block
from app.formats import count
from app.overview.catalogue import Described, Gone, described, gone
from app.screens.experiment import marks
from app.screens.frame import Here, page
from app.screens.metric import metric
from app.screens.pieces import FEW, empty, plain, table
from experiments.designs.metrics import Catalogue, load_catalogue
from registry.portfolio import last_plans
from registry.stewardship import verified


@page
def metrics_page(here: Here) -> None:
    """Every metric that a design may name."""
    marks.style()
    st.title("Metrics")
    file = here.settings.catalogue
    if not file.is_file():
        empty(
            "There is no metric catalogue yet.",
            "Here will be every metric that a design may name: what it means, what a unit contributes, its window, its "
            "baseline and which experiments use it.",
            f"Write `{file.name}`; `fairtrial init` writes one to begin with.",
        )
        return
    catalogue, plans = load_catalogue(file), last_plans(here.registry)
    every = described(catalogue, plans, verified(here.registry))
    st.caption(
        f"{count(len(every))} versions of {count(len({one.name for one in every}))} metrics, from `{plain(file.name)}`. A version "
        "is never edited: a change is the next version, and a locked plan keeps the one it named."
    )
    wanted = _filtered(every)
    if not wanted:
        st.info("No metric matches. Take a filter away to see more.", icon=":material/filter_alt_off:")
        return
    rows = [_row(one) for one in wanted]
    if len(rows) <= FEW:
        marks.table(block("Metrics", rows))
    else:
        table(rows, f"{len(wanted)} metric versions with meaning, type, direction and use.")
    _one(here, wanted, every, catalogue)
    _gone(gone(catalogue, plans))


def _filtered(every: tuple[Described, ...]) -> tuple[Described, ...]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Search", key="text", bind="query-params", placeholder="name or meaning")
        types = st.multiselect("Type", sorted({one.type for one in every}), key="type", bind="query-params")
        newest = st.toggle("Newest versions only", key="newest", bind="query-params")
        sure = st.toggle(
            "Only verified",
            key="verified",
            bind="query-params",
            help="Those for which a metric steward vouches: the sentence says what is counted, and it is counted so.",
        )
    words = (text or "").casefold().split()
    return tuple(
        one
        for one in every
        if (not types or one.type in types)
        and (one.newest or not newest)
        and (one.standing == "verified" or not sure)
        and all(word in f"{one.reference} {one.meaning}".casefold() for word in words)
    )


def _row(one: Described) -> dict[str, str]:
    return {
        "Metric": one.reference,
        "Meaning": one.meaning or "not written yet",
        "Verified": one.standing_words,
        "Type": one.type,
        "Better": one.direction,
        "Window": one.window,
        "Unit": one.unit,
        "Used in": f"{count(one.used_in)} experiment{'' if one.used_in == 1 else 's'}",
    }


def _one(here: Here, wanted: Sequence[Described], every: Sequence[Described], catalogue: Catalogue) -> None:
    st.header("One metric", anchor="metric")
    by_reference = {one.reference: one for one in wanted}
    chosen = st.selectbox("Metric", list(by_reference), key="metric", bind="query-params")
    metric(here, by_reference[chosen], every, catalogue)


def _gone(no_longer: tuple[Gone, ...]) -> None:
    if not no_longer:
        return
    st.header("No longer in the catalogue", anchor="gone")
    st.caption("Plans name these versions and hold their definitions, so they stay as they were declared.")
    table(
        [
            {"Metric": one.reference, "Named by": ", ".join(sorted({use.experiment for use in one.uses}))}
            for one in no_longer
        ],
        f"{len(no_longer)} metric versions that plans name and the catalogue no longer has.",
    )
