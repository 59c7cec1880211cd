"""A readout's blocks on a page: the same tables, sentences and pictures as in every exported form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

import streamlit as st

from app.charts import palette
from app.export.blocks import (
    Block,
    Bullets,
    Code,
    Column,
    Figure,
    Folded,
    Page,
    Section,
    Table,
    VerdictBox,
    Words,
)
from app.formats import count
from app.readings import Reading
from app.screens.experiment import marks
from app.screens.pieces import plain

if TYPE_CHECKING:
    from app.charts import Drawn


MANY: Final = 30
"""Rows above which a table is folded away until it is asked for."""


def head(page: Page) -> None:
    """What stands above the sections: watermark, labels, facts, verdict, and the paragraph for somebody who doubts it."""
    if page.watermark:
        st.html(f'<div class="ft"><p class="ft-watermark">{escape(page.watermark)}</p></div>')
    verdict_box(page.verdict)
    if page.paragraph:
        marks.words(page.paragraph)
    marks.facts(page.facts)


def verdict_box(verdict: VerdictBox) -> None:
    """The verdict: word, icon, shape and colour, the sentence, and the rule that gave it."""
    css = f"ft ft-verdict ft-{verdict.reading.tone}" + (" ft-invalid" if verdict.code == "INVALID" else "")
    because = (
        f'<p class="ft-muted">Because: {escape("; ".join(verdict.reasons))}.</p>' if verdict.reasons else ""
    )
    st.html(
        f'<section class="{css}" aria-label="Verdict"><h2><span class="ft-icon" aria-hidden="true">'
        f"{escape(verdict.reading.icon)}</span> {escape(verdict.code)}</h2>"
        f'<p class="ft-sentence">{escape(verdict.sentence)}</p>{because}<p class="ft-muted">{escape(verdict.rule)}</p></section>'
    )


def contents(headings: Sequence[tuple[str, str]]) -> None:
    """Ways to the sections of a long page: each heading with its anchor."""
    st.markdown(" · ".join(f"[{heading}](#{anchor})" for heading, anchor in headings))


def section(shown: Section, key: str) -> None:
    """A section under its heading, which is also its anchor.

    Args:
        key: of the readout the section belongs to, by which its pictures are kept.
    """
    st.subheader(shown.heading, anchor=shown.anchor)
    for number, block in enumerate(shown.blocks):
        draw(block, f"{key}/{shown.anchor}/{number}")


def draw(block: Block, key: str | None = None) -> None:
    """One block.

    Args:
        key: under which a picture is kept; it names something that cannot change. None draws it anew.
    """
    match block:
        case Words(text):
            marks.words(text)
        case Bullets(items):
            marks.bullets(items)
        case Table() if _of_checks(block):
            _checks(block)
        case Table() if len(block.rows) > MANY:
            with st.expander(f"{plain(block.caption)} ({count(len(block.rows))} rows)"):
                marks.table(block)
        case Table():
            marks.table(block)
        case Figure():
            _figure(block, key)
        case Folded(summary, tables):
            with st.expander(plain(summary)):
                for one in tables:
                    marks.table(one)
        case Code(summary, language, text):
            with st.expander(plain(summary)):
                st.code(text, language=language)


def picture(title: str, drawn: Drawn) -> None:
    """A chart as a picture with its takeaway as its text, and its data as a table."""
    found = _svg(drawn)
    _show(_darkened(found) if _dark() else found, drawn.sentence, _data(title, drawn))


def _of_checks(shown: Table) -> bool:
    return [column.heading for column in shown.columns[:2]] == ["Check", "Result"] and bool(shown.rows)


def _checks(shown: Table) -> None:
    """Each check by its name and mark; what was found and the rules stand behind, open where one did not pass."""
    results = [(row[0], row[1]) for row in shown.rows]
    named = [
        (Reading(str(name), result.icon, result.shape, result.tone), result.words)
        for name, result in results
        if isinstance(result, Reading)
    ]
    passed = all(reading.tone in {"good", "plain"} for reading, _ in named)
    marks.chips(named)
    with st.expander(f"{plain(shown.caption)}: what was found", expanded=not passed):
        marks.table(shown)


def _figure(figure: Figure, key: str | None) -> None:
    marks.words(figure.title, heading=True)
    if key is None:
        picture(figure.title, figure.draw())
        return
    kept = _kept(key, figure.draw, figure.title)
    _show(kept.dark if _dark() else kept.light, kept.sentence, kept.data)


class _Kept(NamedTuple):
    light: str
    dark: str
    sentence: str
    data: Table


@st.cache_resource(max_entries=400, show_spinner=False)
def _kept(key: str, _draw: Callable[[], Drawn], _title: str) -> _Kept:  # noqa: ARG001 - what it is kept by
    """A picture of something released, which never changes; whether somebody may see it was asked before."""
    drawn = _draw()
    light = _svg(drawn)
    return _Kept(light, _darkened(light), drawn.sentence, _data(_title, drawn))


def _show(svg: str, sentence: str, data: Table) -> None:
    st.image(svg, alt=sentence)
    with st.expander("Data as table"):
        marks.table(data)


def _svg(drawn: Drawn) -> str:
    from app.charts import svg

    return svg(drawn.chart)


def _darkened(found: str) -> str:
    """The same picture for a dark page."""
    for ink in palette.ALL.values():
        found = found.replace(f'"{ink.light}"', f'"{ink.dark}"')
    return found


def _data(title: str, drawn: Drawn) -> Table:
    columns = tuple(Column(heading) for heading in drawn.table)
    return Table(f"{title}: data", columns, tuple(zip(*drawn.table.values(), strict=True)))


def _dark() -> bool:
    return st.context.theme.type == "dark"
