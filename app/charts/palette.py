"""Colours and type of the charts: told apart by colour-blind readers, and never alone in carrying a meaning.

Contrast was measured with the WCAG 2.2 formula: 3:1 for marks, 4.5:1 for text, on white and on ``DARK_SURFACE``.
Blue and vermillion are those of Okabe and Ito (2008), darkened for text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.readings import Tone

SURFACE = "#FFFFFF"
DARK_SURFACE = "#0E1117"


@dataclass(frozen=True, slots=True)
class Ink:
    """One colour, on a light and on a dark page."""

    light: str
    dark: str


INK = Ink("#1F2430", "#E8EAED")
MUTED = Ink("#5B6270", "#A3AAB8")
GRID = Ink("#E3E6EB", "#2C323D")
LANE = Ink("#F0F2F5", "#1B212B")
BLUE = Ink("#0072B2", "#56B4E9")
VERMILLION = Ink("#B34700", "#F28E5C")
GREY = Ink("#6B7280", "#9DA5B4")
AMBER = Ink("#8A5A00", "#E69F00")

ALL = {
    "ink": INK,
    "muted": MUTED,
    "grid": GRID,
    "lane": LANE,
    "blue": BLUE,
    "vermillion": VERMILLION,
    "grey": GREY,
    "amber": AMBER,
}

TONES: dict[Tone, Ink] = {
    "good": BLUE,
    "bad": VERMILLION,
    "open": GREY,
    "warning": AMBER,
    "plain": INK,
}

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
TEXT_SIZE = 12


def config() -> dict[str, Any]:
    """The Vega-Lite configuration of every chart; the background is the page's own."""
    return {
        "background": "transparent",
        "font": FONT,
        "padding": 4,
        "view": {"stroke": None},
        "axis": {
            "labelColor": MUTED.light,
            "titleColor": MUTED.light,
            "labelFontSize": TEXT_SIZE - 1,
            "titleFontSize": TEXT_SIZE - 1,
            "titleFontWeight": "normal",
            "gridColor": GRID.light,
            "domainColor": MUTED.light,
            "tickColor": MUTED.light,
        },
        "text": {"color": INK.light, "fontSize": TEXT_SIZE},
    }
