"""Words with an icon and a colour, facts, tables and notices as HTML that holds nothing but escaped text.

Colours follow the page by ``color-scheme``, so that the theme may be changed without drawing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

import streamlit as st

from app.charts import palette
from app.export.blocks import Cell, Counted, Table
from app.readings import Reading

_CHOSEN: Final = '[data-variant="segmented_control"][aria-checked="true"]'
"""The part that is shown: Streamlit writes it in the primary colour, which is too dark for text on a dark page."""


def style() -> None:
    """Give the page its colours and the look of its tables; once a run, before anything else of this module."""
    inks = "".join(
        f"--ft-{name}:{ink.light};--ft-{name}:light-dark({ink.light},{ink.dark});"
        for name, ink in palette.ALL.items()
    )
    surface = f"--ft-surface:light-dark({palette.SURFACE},{palette.DARK_SURFACE});"
    st.html(f"<style>.ft,{_CHOSEN}{{{inks}{surface}}}{_CHOSEN} p{{color:var(--ft-blue)}}{_rules()}</style>")


def title(over: str, text: str) -> None:
    """The one heading of the first level."""
    st.html(f'<div class="ft"><p class="ft-over">{escape(over)}</p><h1>{escape(text)}</h1></div>')


def chips(readings: Iterable[tuple[Reading, str]]) -> None:
    """States side by side, each with what it means for those who point at it; the words alone suffice."""
    inner = "".join(
        f'<span class="ft-chip ft-{reading.tone}" title="{escape(meaning)}">{escape(str(reading))}</span>'
        for reading, meaning in readings
    )
    st.html(f'<div class="ft ft-chips">{inner}</div>')


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Names with their values, side by side where there is room."""
    inner = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    st.html(f'<div class="ft"><dl class="ft-facts">{inner}</dl></div>')


def words(text: str, *, muted: bool = False, heading: bool = False) -> None:
    """One paragraph, or a small heading, exactly as it is written."""
    part, css = ("h3", "") if heading else ("p", ' class="ft-muted"' if muted else "")
    st.html(f'<div class="ft"><{part}{css}>{escape(text)}</{part}></div>')


def bullets(items: Sequence[str]) -> None:
    inner = "".join(f"<li>{escape(item)}</li>" for item in items)
    st.html(f'<div class="ft"><ul>{inner}</ul></div>')


def notice(reading: Reading, text: str, steps: Sequence[str] = ()) -> None:
    """Something to be noticed: a state with what it means, and what to do."""
    inner = "".join(f"<li>{escape(step)}</li>" for step in steps)
    listed = f"<ul>{inner}</ul>" if steps else ""
    st.html(
        f'<div class="ft ft-notice ft-{reading.tone}" role="status"><span class="ft-state">{escape(str(reading))}</span> '
        f"{escape(text)}{listed}</div>"
    )


def bar(fraction: float, words: str) -> None:
    """How far along something is; the words say the same."""
    percent = 100 * min(max(fraction, 0.0), 1.0)
    st.html(
        f'<div class="ft"><p>{escape(words)}</p><div class="ft-bar" role="img" aria-label="{escape(words)}">'
        f'<span style="width:{percent:.1f}%"></span></div></div>'
    )


def table(shown: Table) -> None:
    """A table that screen readers know as one, and that a narrow page shows row by row."""
    if not shown.rows:
        return
    head = "".join(
        f'<th scope="col" class="{_numeric(column.numeric)}">{escape(column.heading)}</th>'
        for column in shown.columns
    )
    body = "".join(f"<tr>{_row(shown, row)}</tr>" for row in shown.rows)
    st.html(
        f'<div class="ft ft-scroll" role="region" tabindex="0" aria-label="{escape(shown.caption)}"><table>'
        f"<caption>{escape(shown.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


@cache
def _rules() -> str:
    return files("app.screens.experiment").joinpath("marks.css").read_text(encoding="utf-8")


def _row(shown: Table, row: Sequence[Cell]) -> str:
    first, *rest = row
    cells = [f'<th scope="row">{_cell(first)}</th>']
    for column, value in zip(shown.columns[1:], rest, strict=True):
        label = escape(column.heading)
        cells.append(
            f'<td data-label="{label}" class="{_numeric(column.numeric)}"><span>{_cell(value)}</span></td>'
        )
    return "".join(cells)


def _cell(value: Cell) -> str:
    if isinstance(value, Reading):
        return f'<span class="ft-state ft-{value.tone}">{escape(str(value))}</span>'
    if isinstance(value, Counted):
        return f"{escape(value.value)} <small>({escape(value.counts)})</small>"
    return escape(value)


def _numeric(numeric: bool) -> str:
    return "ft-n" if numeric else ""
