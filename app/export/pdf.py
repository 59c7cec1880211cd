"""A readout as a PDF to print, sign and file: the blocks of the page set by typst, with the fonts that come with it.

No text is ever read as typst: the template is fixed, and everything in the page reaches it as JSON strings, which it sets
as they are. The file is tagged, holds no time of making, and the same readout gives the same bytes.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import typst

from app import charts
from app.charts import palette
from app.export.blocks import Block, Bullets, Cell, Code, Column, Counted, Figure, Folded, Page, Table, Words
from app.export.kinds import AnyReadout
from app.export.page import page_of
from app.readings import Reading

_FONT = "Source Sans Pro"


def pdf(readout: AnyReadout) -> bytes:
    """The whole page, and after it the data of every chart.

    It is a PDF/UA-1 file. Where the text has characters that the fonts of the package cannot draw, the machine's own fonts
    draw them; that conformance is then not claimed.
    """
    content = content_of(page_of(readout), readout.sha256)
    try:
        return _typeset(content, system_fonts=False)
    except typst.TypstError:
        return _typeset(content, system_fonts=True)


def _typeset(content: str, *, system_fonts: bool) -> bytes:
    made = typst.compile(
        _template(),
        format="pdf",
        font_paths=_fonts(system_fonts=system_fonts),
        sys_inputs={"content": content},
        pdf_standards=[] if system_fonts else ["ua-1"],
    )
    if not isinstance(made, bytes):
        raise TypeError(f"typst gave {type(made).__name__} for a PDF; it must give bytes")
    return made


@cache
def _fonts(*, system_fonts: bool) -> typst.Fonts:
    with as_file(files("font_source_sans_pro") / "files") as folder:
        return typst.Fonts(include_system_fonts=system_fonts, font_paths=[folder])


@cache
def _template() -> bytes:
    return files("app.export").joinpath("templates", "readout.typ").read_bytes()


def content_of(page: Page, sha256: str) -> str:
    """What the template sets, as JSON."""
    drawn: list[dict[str, Any]] = []
    sections = [
        {"heading": s.heading, "blocks": [_block(block, drawn) for block in s.blocks]} for s in page.sections
    ]
    if drawn:
        sections.append({"heading": "Data of the charts", "blocks": drawn})
    verdict = page.verdict
    content = {
        "experiment": page.experiment,
        "title": page.title,
        "watermark": page.watermark,
        "labels": page.labels,
        "facts": page.facts,
        "verdict": {
            "code": verdict.code,
            "icon": verdict.reading.icon,
            "tone": palette.TONES[verdict.reading.tone].light,
            "sentence": verdict.sentence,
            "reasons": "; ".join(verdict.reasons),
            "rule": verdict.rule,
        },
        "paragraph": page.paragraph,
        "sections": sections,
        "sha256": sha256,
        "font": _FONT,
        "colours": {name: ink.light for name, ink in palette.ALL.items()},
    }
    return json.dumps(content, ensure_ascii=False)


def _block(block: Block, drawn: list[dict[str, Any]]) -> dict[str, Any]:
    match block:
        case Words(text):
            return {"kind": "words", "text": text}
        case Bullets(items):
            return {"kind": "bullets", "items": items}
        case Table():
            return _table(block)
        case Folded(summary, tables):
            return {"kind": "folded", "summary": summary, "tables": [_table(t) for t in tables]}
        case Code(summary, _, text):
            return {"kind": "code", "summary": summary, "text": text}
        case Figure(title, draw):
            chart, columns, sentence = draw()
            rows = tuple(zip(*columns.values(), strict=True))
            drawn.append(_table(Table(f"{title}: data", tuple(Column(h) for h in columns), rows)))
            svg = re.sub(r'font-family="[^"]*"', f'font-family="{_FONT}"', charts.svg(chart))
            return {"kind": "figure", "title": title, "svg": svg, "alt": sentence}


def _table(table: Table) -> dict[str, Any]:
    head = [
        _cell(c.heading, colour=palette.MUTED, bold=True) | {"right": c.numeric, "numeric": False}
        for c in table.columns
    ]
    rows = [
        [
            _cell(value, bold=i == 0) | {"numeric": column.numeric}
            for i, (column, value) in enumerate(zip(table.columns, row, strict=True))
        ]
        for row in table.rows
    ]
    return {"kind": "table", "caption": table.caption, "head": head, "rows": rows}


def _cell(value: Cell, *, colour: palette.Ink = palette.INK, bold: bool = False) -> dict[str, Any]:
    text, icon, counts = str(value), "", ""
    match value:
        case Reading(words, sign, _, tone):
            text, icon, colour, bold = words, sign, palette.TONES[tone], bold or tone != "plain"
        case Counted(number, behind):
            text, counts = number, f"({behind})"
    weight = "semibold" if bold else "regular"
    return {"text": text, "icon": icon, "counts": counts, "colour": colour.light, "weight": weight}
