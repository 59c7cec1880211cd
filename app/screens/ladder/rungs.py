"""The four rungs of a rollout in a line; on a narrow page below each other."""

from __future__ import annotations

from html import escape

import streamlit as st

from app.screens.pieces import address
from app.views_ladder.rungs import RungLine

_RULES = """
.ft ol.ft-rungs { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; margin: .4rem 0; padding: 0; }
.ft .ft-rungs li { flex: 1 1 10rem; max-width: none; margin: 0;
  border: 1.5px solid var(--ft-grid); border-radius: .5rem; padding: .5rem .75rem; }
.ft .ft-rungs li[aria-current] { border: 3px solid var(--tone); }
.ft-rungs b { display: block; }
.ft-rungs small { color: var(--ft-muted); display: block; }
.ft-rungs a { color: var(--ft-blue); white-space: nowrap; }
"""


def rungs_line(rungs: tuple[RungLine, ...]) -> None:
    """Each rung with its state as a word, a mark and a border, and the way to what it rests on."""
    inner = "".join(_rung(one) for one in rungs)
    st.html(
        f'<style>{_RULES}</style><div class="ft"><ol class="ft-rungs" aria-label="Rungs">{inner}</ol></div>'
    )


def _rung(one: RungLine) -> str:
    current = ' aria-current="step"' if one.current else ""
    way = (
        ""
        if one.entry is None
        else f'<a href="{escape(address(one.entry))}" target="_self">{escape(one.entry)}</a>'
    )
    note = "" if not one.note else f"<small>{escape(one.note)}</small>"
    return (
        f'<li class="ft-{one.reading.tone}"{current}><b>({one.number}) {escape(one.name)}</b>'
        f'<span class="ft-state ft-{one.reading.tone}">{escape(str(one.reading))}</span> {way}{note}</li>'
    )
