"""The pages' entry: ``streamlit run app/main.py`` in a workspace's folder, which is what ``fairtrial app`` does."""

from __future__ import annotations

import streamlit as st

from app.screens.home import home_page

st.set_page_config(page_title="Fairtrial", page_icon="⚖", layout="wide")
st.navigation({"Work": [st.Page(home_page, title="Home", url_path="home", default=True)]}).run()
