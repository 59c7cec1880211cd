"""What stands on the pages of a PDF, as another program reads it."""

from __future__ import annotations

import io
import re
from functools import cache

from pypdf import PdfReader

_FOOT = re.compile(
    r"\nSHA-256 of this readout ([0-9a-f]{64}) Page (\d+) of (\d+)(?:\n(?:SIMULATED|INTERIM))?$"
)


@cache
def pages_of(written: bytes) -> tuple[str, ...]:
    """The text of every page, with its head and foot."""
    return tuple(page.extract_text() for page in PdfReader(io.BytesIO(written)).pages)


def feet_of(written: bytes) -> list[tuple[str, int, int]]:
    """The foot of every page: hash, number, number of pages."""
    found = [_FOOT.search(page) for page in pages_of(written)]
    return [(foot[1], int(foot[2]), int(foot[3])) for foot in found if foot is not None]


def text_of_paper(written: bytes) -> str:
    """The text from the first page to the last, without what is repeated on every page."""
    bodies = [_FOOT.sub("", page) for page in pages_of(written)]
    return "\n".join([bodies[0], *(body.split("\n", 1)[1] for body in bodies[1:])])


def unspaced(text: str) -> str:
    """The text without spaces and line breaks, which a line of paper moves."""
    return re.sub(r"\s+", "", text)
