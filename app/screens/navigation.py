"""Every page, where it stands in the sidebar, and its address."""

from __future__ import annotations

import streamlit as st

from app.screens.experiment import experiment_page
from app.screens.home import home_page

SECTIONS: dict[str, list[st.Page]] = {
    "Work": [
        st.Page(home_page, title="Home", icon=":material/home:", url_path="home", default=True),
        st.Page(experiment_page, title="Experiment", url_path="experiment", visibility="hidden"),
    ],
}
"""By section; a page that is reached only through another is hidden."""
