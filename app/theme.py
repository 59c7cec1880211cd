"""Colours and type of the pages, light and dark, given to Streamlit as options: a workspace needs no file for them.

Every text and mark keeps the contrast of WCAG 2.2 (4.5:1 and 3:1) on the surfaces it stands on, which a test measures. Fonts
are those that Streamlit serves itself: no page asks another host for anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from app.charts.palette import AMBER, BLUE, DARK_SURFACE, GREY, LANE, MUTED, SURFACE, VERMILLION, Ink

VIOLET: Final = Ink("#7B3294", "#C79BE0")
TEAL: Final = Ink("#00694E", "#4CC3A0")
TEXT: Final = Ink("#0A0D13", "#F2F4F7")
"""Stronger than a chart's ink: captions and headings of tables are drawn with 60% of it."""
LINK: Final = Ink("#00609A", "#6CBEEC")
BUTTON: Final = Ink("#0069A5", "#287BAB")
"""White stands on it, and it stands on the surface."""
BORDER: Final = Ink("#7F8694", "#6B7383")

MEANT: Final[Mapping[str, Ink]] = {
    "red": VERMILLION,
    "orange": AMBER,
    "yellow": AMBER,
    "blue": BLUE,
    "green": TEAL,
    "violet": VIOLET,
    "gray": MUTED,
}
"""What Streamlit's colour names are here: told apart by colour-blind readers, and never alone in carrying a meaning."""

BACKGROUNDS: Final[Mapping[str, Ink]] = {
    "red": Ink("#FBEFE8", "#33211A"),
    "orange": Ink("#F8F1E4", "#2F2716"),
    "yellow": Ink("#F8F1E4", "#2F2716"),
    "blue": Ink("#E8F2F9", "#14273A"),
    "green": Ink("#E6F3EE", "#12291F"),
    "violet": Ink("#F3EBF7", "#2A2033"),
    "gray": LANE,
}
"""Behind notices and chips; the text colour of the same name stands on it."""

CATEGORICAL: Final = (BLUE, VERMILLION, GREY, AMBER, VIOLET, TEAL)


def options() -> tuple[str, ...]:
    """The theme as arguments of ``streamlit run``."""
    named = {
        "font": "sans-serif",
        "baseFontSize": "16",
        "baseRadius": "small",
        "showWidgetBorder": "true",
        "linkUnderline": "true",
        "headingFontSizes": "2rem,1.4rem,1.15rem,1rem,1rem,1rem",
    }
    for mode in ("light", "dark"):
        named |= {f"{mode}.{name}": value for name, value in colours(mode).items()}
    return tuple(f"--theme.{name}={value}" for name, value in named.items())


def colours(mode: str) -> dict[str, str]:
    """The colours of one mode, `light` or `dark`, by Streamlit's names."""

    def of(ink: Ink) -> str:
        return ink.light if mode == "light" else ink.dark

    named = {
        "backgroundColor": SURFACE if mode == "light" else DARK_SURFACE,
        "secondaryBackgroundColor": of(LANE),
        "textColor": of(TEXT),
        "primaryColor": of(BUTTON),
        "linkColor": of(LINK),
        "borderColor": of(BORDER),
        "codeTextColor": of(TEXT),
        "codeBackgroundColor": of(LANE),
        "dataframeHeaderBackgroundColor": of(LANE),
    }
    for name, ink in MEANT.items():
        named |= {f"{name}Color": of(ink), f"{name}TextColor": of(ink)}
        named[f"{name}BackgroundColor"] = of(BACKGROUNDS[name])
    named["chartCategoricalColors"] = json.dumps([of(ink) for ink in CATEGORICAL])
    return named
