"""The first page: every experiment with its state in words, its labels, and its verdict once that is released."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.cli.errors import Refusal
from app.cli.session import open_workspace_registry
from app.formats import instant
from app.readings import verdict_reading
from app.settings import load_settings
from app.views import Home, Standing, home
from experiments.forms.problems import Invalid
from registry.errors import RegistryError

FEW = 20
"""Rows up to which a table is drawn as a table that screen readers know; more go into a grid that scrolls."""


def home_page() -> None:
    """Draw the page of the workspace that the app was started in."""
    st.title("Experiments")
    try:
        settings = load_settings()
        with open_workspace_registry(settings) as registry:
            shown = home(registry)
    except (Refusal, Invalid, RegistryError) as error:
        st.error(f"The registry cannot be shown: {error}")
        return
    if shown.simulated:
        st.warning(
            f"Simulated clock: {instant(shown.clock)}. What is recorded here is labelled simulated for ever."
        )
    _draw(shown)


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
