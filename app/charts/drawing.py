"""What every chart is made of: a picture, the same as a table, and what it says in one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from html import escape
from typing import Any, NamedTuple, ParamSpec

import altair as alt
import vl_convert
from altair.utils.schemapi import debug_mode

from app.charts.palette import config

Chart = alt.LayerChart | alt.VConcatChart
Columns = dict[str, tuple[str, ...]]
"""A table as its columns, in order, each cell as people read it."""

Record = dict[str, str | float | int | None]

_Arguments = ParamSpec("_Arguments")

WIDTH = 480
"""Natural width in pixels: legible on a phone, and on a page half as wide again."""


class Drawn(NamedTuple):
    """A chart, its data as a table, and its takeaway: the text alternative."""

    chart: Chart
    table: Columns
    sentence: str


def data(records: Sequence[Record], allowed: Sequence[str]) -> alt.InlineData:
    """The only way for values to get into a chart: the named columns, and no other.

    Raises:
        ValueError: a record holds a column that the chart does not draw.
    """
    extra = sorted({name for record in records for name in record} - set(allowed))
    if extra:
        raise ValueError(f"records: columns {extra} are not allowed; this chart draws {list(allowed)}")
    return alt.InlineData(values=[dict(record) for record in records])


def pixels(at: float) -> alt.XValue:
    """A place across the chart that does not depend on the data."""
    return alt.XValue(at)  # type: ignore[no-untyped-call]


def composed(draw: Callable[_Arguments, Drawn]) -> Callable[_Arguments, Drawn]:
    """A chart function without altair's check of every part as it is made, which takes longer than the drawing.

    The finished document is checked against the schema by the tests, for every kind of readout.
    """

    @wraps(draw)
    def unchecked(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Drawn:
        with debug_mode(False):
            return draw(*args, **kwargs)

    return unchecked


def finished(chart: Chart, sentence: str) -> Chart:
    """The chart with its description and the house's type and colours."""
    described: Chart = chart.properties(description=sentence)
    described.config = alt.Config(**config())
    return described


def spec(chart: Chart, *, validate: bool = False) -> dict[str, Any]:
    """The Vega-Lite document of a chart, its data inline."""
    with alt.data_transformers.enable(consolidate_datasets=False):
        document: dict[str, Any] = chart.to_dict(validate=validate)
    return document


def svg(chart: Chart) -> str:
    """The chart as one SVG image with its text alternative, drawn here without a browser or the network."""
    document = spec(chart)
    drawn: str = vl_convert.vegalite_to_svg(document, allowed_base_urls=[])
    return _as_image(drawn, str(document["description"]))


def png(chart: Chart, scale: float = 2) -> bytes:
    """The chart as a picture on white, for tools that read no SVG."""
    drawn: bytes = vl_convert.vegalite_to_png(
        {**spec(chart), "background": "white"}, scale=scale, allowed_base_urls=[]
    )
    return drawn


def _as_image(drawn: str, sentence: str) -> str:
    """One image to a screen reader: the parts inside are not announced one by one."""
    plain = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", drawn)
    opening = re.match(r"<svg[^>]*>", plain)
    if opening is None:
        raise ValueError("the drawing is not an SVG image")
    root = re.sub(r' class="[^"]*"', "", opening.group()[:-1])
    return f'{root} role="img" aria-label="{escape(sentence)}">' + plain[opening.end() :]
