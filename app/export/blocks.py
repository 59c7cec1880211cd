"""What a page is made of, before it is HTML, Markdown or terminal text: every form renders these same blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.formats import NOTHING
from app.readings import Reading

if TYPE_CHECKING:
    from app.charts import Drawn


@dataclass(frozen=True, slots=True)
class Counted:
    """A number with the raw counts behind it."""

    value: str
    counts: str

    def __str__(self) -> str:
        return f"{self.value} ({self.counts})"


Cell = str | Reading | Counted


@dataclass(frozen=True, slots=True)
class Words:
    """One paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    heading: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as people read them; the first column names the row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart that is drawn only where it can be shown; its numbers also stand in the tables beside it."""

    title: str
    draw: Callable[[], Drawn]


@dataclass(frozen=True, slots=True)
class Code:
    """Something folded away until it is asked for, printed as it is."""

    summary: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Folded:
    """Tables that stand behind others, folded away where a form can fold."""

    summary: str
    tables: tuple[Table, ...]


Block = Words | Bullets | Table | Figure | Code | Folded


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page under its own heading; ``anchor`` names it in links."""

    anchor: str
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class VerdictBox:
    code: str
    reading: Reading
    sentence: str
    reasons: tuple[str, ...]
    rule: str


@dataclass(frozen=True, slots=True)
class Page:
    """A readout as people read it, in order.

    Attributes:
        watermark: a word that stands across every page, or None.
        labels: what is printed on the experiment for ever, each with its meaning.
        facts: what was declared, looked at and released, and when.
        paragraph: for somebody who doubts it.
    """

    experiment: str
    title: str
    watermark: str | None
    labels: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    verdict: VerdictBox
    paragraph: str
    sections: tuple[Section, ...]


def table(caption: str, records: Sequence[Mapping[str, Cell]], *, numeric: Sequence[str] = ()) -> Table:
    """A table of records; a column in which nothing stands is left out.

    Args:
        records: the same headings in each, in order.
        numeric: headings whose cells are aligned at the right.
    """
    headings = list(dict.fromkeys(heading for record in records for heading in record))
    kept = [
        h for i, h in enumerate(headings) if i == 0 or any(r.get(h, "") not in ("", NOTHING) for r in records)
    ]
    return Table(
        caption,
        tuple(Column(h, h in numeric) for h in kept),
        tuple(tuple(record.get(h, "") or NOTHING for h in kept) for record in records),
    )
