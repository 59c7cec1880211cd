"""The pages' entry: ``streamlit run app/main.py`` in a workspace's folder, which is what ``fairtrial app`` does."""

from __future__ import annotations

import streamlit as st

from app.screens.frame import is_somebody_here
from app.screens.navigation import pages

st.set_page_config(page_title="Fairtrial", page_icon="⚖", layout="wide")
st.navigation(pages(), position="sidebar" if is_somebody_here() else "hidden").run()
