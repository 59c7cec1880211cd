"""A readout as one HTML file: no script, no request, charts drawn inline, light and dark, ready to print."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from app import charts
from app.charts import palette
from app.export.blocks import Bullets, Code, Column, Counted, Figure, Folded, Table, Words
from app.export.kinds import AnyReadout
from app.export.page import page_of
from app.readings import Reading

_TESTS = {
    "words": Words,
    "bullets": Bullets,
    "table_block": Table,
    "figure": Figure,
    "code": Code,
    "folded": Folded,
    "reading": Reading,
    "counted": Counted,
}


class _Picture(NamedTuple):
    svg: Markup
    table: Table


def html(readout: AnyReadout) -> str:
    """The whole page. Everything people wrote is escaped; the only markup let through is our own charts."""
    style = Markup(_style())  # noqa: S704 - our own file
    return _template().render(page=page_of(readout), sha256=readout.sha256, draw=_Drawer().draw, style=style)


class _Drawer:
    """Draws the figures of one page, each with identifiers of its own."""

    def __init__(self) -> None:
        self.drawn = 0

    def draw(self, figure: Figure) -> _Picture:
        self.drawn += 1
        drawn = figure.draw()
        columns = tuple(Column(heading) for heading in drawn.table)
        rows = tuple(zip(*drawn.table.values(), strict=True))
        inline = _inline(charts.svg(drawn.chart), f"figure{self.drawn}")
        return _Picture(Markup(inline), Table(f"{figure.title}: data", columns, rows))  # noqa: S704


def _inline(svg: str, name: str) -> str:
    """An SVG image as part of a page: no namespaces, unique identifiers, the size set by the page."""
    root, rest = svg.split(">", 1)
    root = re.sub(r' (?:xmlns(?::\w+)?|version|width|height)="[^"]*"', "", root)
    unique = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", rest)
    return f"{root}>{unique}"


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests |= {name: _is_a(kind) for name, kind in _TESTS.items()}
    return environment.from_string(_read("readout.html.jinja"))


def _is_a(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


@cache
def _style() -> str:
    """The style sheet after the palette, which also turns the colours of the charts for a dark page."""
    light = "".join(f"--{name}:{ink.light};" for name, ink in palette.ALL.items())
    dark = "".join(f"--{name}:{ink.dark};" for name, ink in palette.ALL.items())
    drawn = "".join(
        f'figure svg [{attribute}="{ink.light}" i]{{{attribute}:var(--{name})}}'
        for name, ink in palette.ALL.items()
        for attribute in ("fill", "stroke")
    )
    return (
        f":root{{color-scheme:light dark;--surface:{palette.SURFACE};{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{--surface:{palette.DARK_SURFACE};{dark}}}}}"
        f"{drawn}\n{_read('readout.css')}"
    )


def _read(name: str) -> str:
    return files("app.export").joinpath("templates", name).read_text(encoding="utf-8")
