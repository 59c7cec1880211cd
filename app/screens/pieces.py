"""What several pages are made of: tables that are tables, ways to an experiment, empty places that say what belongs there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from app.formats import instant
from app.identity import ACT_AS

FEW = 20
"""Rows up to which a table is drawn as a table that screen readers know; more go into a grid that scrolls."""

EXPERIMENT = "experiment"
"""The address of the page of one experiment; `?id=EXP-0042&tab=live` says which."""

PAGES = {"SHD": "shadow", "CAN": "ladder", "ROL": "ladder"}
"""Where ids lead that are no experiment's, by how they begin."""

_MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]<>#|$~:"})

_BARE_ADDRESS = re.compile(r"(?:(?<=http\\:)|(?<=https\\:))(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
"""Where a browser's Markdown, after it has taken the escapes away, finds an address and makes a link of it."""


def table(
    rows: Sequence[Mapping[str, Any]],
    alt: str,
    *,
    key: str | None = None,
    links: str | None = None,
    columns: Mapping[str, Any] | None = None,
) -> None:
    """Rows under their headings; a column in which no row says anything is left out.

    Args:
        alt: what the table says, for those who cannot see it.
        links: the column that holds experiments' ids, each the way to its page.
        columns: how the grid of many rows draws a column, by Streamlit's ``column_config``.
    """
    if not rows:
        return
    rows = _without_empty_columns(rows)
    if len(rows) > FEW:
        st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns, alt=alt, key=key)
        return
    shown = [{name: _cell(value) for name, value in row.items()} for row in rows]
    if links is not None:
        for row, written in zip(shown, rows, strict=True):
            row[links] = f"[{plain(str(written[links]))}]({address(str(written[links]))})"
    st.table(pd.DataFrame(shown), hide_index=True, border="horizontal", alt=alt)


def plain(text: str) -> str:
    """Text that Markdown leaves as it is: what people typed is no link into the web, no picture and no formula."""
    return _BARE_ADDRESS.sub("\N{WORD JOINER}", text.translate(_MARKDOWN))


def when(moment: datetime) -> str:
    """A moment in a narrow column: broken between the day and the hour, and nowhere else."""
    day, hour = instant(moment).split(", ")
    return ", ".join(half.replace(" ", "\N{NO-BREAK SPACE}") for half in (day, hour))


def page_of_id(id: str) -> str:
    """The address of the page that an id leads to: an experiment's, a shadow's, or the ladder for a canary or rollout."""
    return PAGES.get(id.partition("-")[0], EXPERIMENT)


def address(experiment: str, tab: str | None = None) -> str:
    """Where the page of an id is, relative to every page; who was chosen to act, on a simulated clock, comes along."""
    chosen = st.session_state.get(ACT_AS)
    return (
        f"{page_of_id(experiment)}?id={experiment}"
        + (f"&tab={tab}" if tab else "")
        + (f"&{ACT_AS}={chosen}" if chosen else "")
    )


def way_to(experiment: str, label: str, tab: str | None = None) -> None:
    """A link to the page of an id that keeps the session."""
    target = _page(page_of_id(experiment))
    if target is not None:
        st.page_link(target, label=label, query_params={"id": experiment} | ({"tab": tab} if tab else {}))


def go_to(experiment: str) -> None:
    """Leave for the page of an id."""
    target = _page(page_of_id(experiment))
    if target is not None:
        st.switch_page(target, query_params={"id": experiment})


def empty(what: str, why: str, do: str = "") -> None:
    """An empty place: what will be here, why it is empty, and one thing to do."""
    st.info(f"**{what}**\n\n{why}" + (f"\n\n{do}" if do else ""), icon=":material/info:")


def way_to_page(url_path: str, label: str) -> None:
    """A link to one of the app's pages, where there is one."""
    target = _page(url_path)
    if target is not None:
        st.page_link(target, label=label)


def _page(url_path: str) -> st.Page | None:
    # Not at the top: the navigation names the pages, which name this file.
    from app.screens.navigation import screen_at

    found = screen_at(url_path)
    return None if found is None else found.page()


def _without_empty_columns(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Room for what there is: a column in which no row says anything is left out."""
    said = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    return [{name: row[name] for name in said} for row in rows]


def _cell(value: Any) -> str:
    return plain("" if value is None else str(value))
