"""The first page: every experiment with its state in words, its labels, and its verdict once that is released."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.readings import verdict_reading
from app.screens.frame import Here, page
from app.views import Home, Standing, home

FEW = 20
"""Rows up to which a table is drawn as a table that screen readers know; more go into a grid that scrolls."""


@page
def home_page(here: Here) -> None:
    """Draw the page of the workspace that the app was started in."""
    st.title("Experiments")
    _draw(home(here.registry))


def _draw(shown: Home) -> None:
    if not shown.experiments:
        st.info(
            "No experiment is registered yet. Here will be a line for each, with its state. Write a design with "
            "`fairtrial design new`, then `fairtrial register` it."
        )
        return
    st.caption(" · ".join(f"{words}: {n}" for words, n in shown.counts))
    table = pd.DataFrame([_row(one) for one in shown.experiments]).set_index("Experiment")
    if len(table) <= FEW:
        st.table(table)
    else:
        st.dataframe(table)


def _row(one: Standing) -> dict[str, str]:
    return {
        "Experiment": one.id,
        "Title": one.title,
        "State": one.words,
        "Verdict": str(verdict_reading(one.verdict)) if one.verdict else "not released",
        "Owner": one.owner,
        "Primary metric": one.primary_metric or "",
        "Labels": ", ".join(one.labels),
    }
