"""A readout for the command line: rich renderables, readable at 100 columns and without colour."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text

from app.export.blocks import Block, Bullets, Cell, Code, Counted, Figure, Folded, Page, Table, Words
from app.export.kinds import AnyReadout
from app.export.page import page_of
from app.formats import NOTHING
from app.readings import Reading, Tone

WIDTH = 100

_STYLES: dict[Tone, str] = {"good": "blue", "bad": "red", "open": "cyan", "warning": "yellow", "plain": ""}
_LINES = 3
_GAP = 2


def renderable(readout: AnyReadout) -> Group:
    """The readout for ``console.print``. SQL and the plan are left to the other forms."""
    return Group(*_parts(page_of(readout), readout.sha256))


def text(readout: AnyReadout) -> str:
    """The same as plain text, 100 columns wide."""
    written = io.StringIO()
    console = Console(
        file=written, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False
    )
    console.print(renderable(readout))
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


@dataclass(frozen=True, slots=True)
class Prose:
    """Text that is folded at spaces only, so that no number is broken at its thin space."""

    text: str
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in _folded(self.text, options.max_width):
            yield Text(line, style=self.style, no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        longest = max((cell_len(word) for word in self.text.split(" ")), default=0)
        return Measurement(min(longest, options.max_width), min(cell_len(self.text), options.max_width))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table where its columns fit, else one card per row with every value named."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.table.caption, style="italic")
        widths = self._widths(options.max_width)
        if widths is not None:
            yield self._columns(widths)
        else:
            for row in self.table.rows:
                yield from self._card(row, options.max_width)

    def _widths(self, available: int) -> list[int] | None:
        """Widths at which no word is broken and no text takes more than about three lines; None where that cannot be."""
        widths, wanted = [], []
        for index, column in enumerate(self.table.columns):
            texts = [column.heading, *(_plain(row[index]) for row in self.table.rows)]
            natural = max(map(cell_len, texts))
            longest_word = max(cell_len(word) for text in texts for word in text.split(" "))
            figures = max((cell_len(text) for text in texts[1:]), default=0) if column.numeric else 0
            widths.append(max(longest_word, figures, -(-natural // _LINES) if not column.numeric else 0))
            wanted.append(natural)
        free = available - sum(widths) - _GAP * (len(widths) - 1)
        if free < 0:
            return None
        for _ in range(free):
            index = max(range(len(widths)), key=lambda i: wanted[i] / max(widths[i], 1))
            if wanted[index] <= widths[index]:
                break
            widths[index] += 1
        return widths

    def _columns(self, widths: list[int]) -> RichTable:
        shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        for column, width in zip(self.table.columns, widths, strict=True):
            shown.add_column(
                Prose(column.heading, "bold"),
                justify="right" if column.numeric else "left",
                min_width=width,
                max_width=width,
            )
        for row in self.table.rows:
            shown.add_row(*(Prose(_plain(cell), _style(cell)) for cell in row))
        return shown

    def _card(self, row: tuple[Cell, ...], width: int) -> Iterator[Text]:
        yield Text(_plain(row[0]), style="bold")
        line = ""
        for column, cell in zip(self.table.columns[1:], row[1:], strict=True):
            value = _plain(cell)
            if value == NOTHING:
                continue
            item = f"{column.heading}: {value}"
            if line and cell_len(line) + cell_len(item) + 5 > width:
                yield from _indented(line, width)
                line = ""
            line = f"{line} · {item}" if line else item
        yield from _indented(line, width)


def _parts(page: Page, sha256: str) -> Iterator[RenderableType]:
    if page.watermark:
        yield Text(f"*** {page.watermark} ***", style="bold yellow")
    yield Prose(f"{page.experiment} · {page.title}", "bold")
    for label, meaning in page.labels:
        yield Prose(f"[{label}] {meaning}")
    style = _STYLES[page.verdict.reading.tone]
    yield Panel(
        Group(Prose(page.verdict.sentence), Text(""), *_because(page), Prose(page.verdict.rule, "dim")),
        title=Text(f" {page.verdict.reading} ", style=f"bold {style}".strip()),
        title_align="left",
        border_style=style,
        box=box.DOUBLE if page.verdict.code == "INVALID" else box.ROUNDED,
    )
    yield Prose(page.paragraph)
    yield Text("")
    facts = RichTable.grid(padding=(0, 2))
    for name, value in (*page.facts, ("Readout SHA-256", sha256)):
        facts.add_row(Text(name, style="dim"), Prose(value))
    yield facts
    for section in page.sections:
        yield Text("")
        yield Text(section.heading.upper(), style="bold")
        prose = True
        for block in section.blocks:
            for part in _block(block):
                if not (prose and isinstance(part, Prose)):
                    yield Text("")
                prose = isinstance(part, Prose)
                yield part


def _because(page: Page) -> list[Prose]:
    return [Prose(f"Because: {'; '.join(page.verdict.reasons)}.", "dim")] if page.verdict.reasons else []


def _block(block: Block) -> Iterator[RenderableType]:
    match block:
        case Words(text):
            yield Prose(text)
        case Bullets(items):
            bullets = RichTable.grid(padding=(0, 1))
            for item in items:
                bullets.add_row("•", Prose(item))
            yield bullets
        case Table():
            if block.rows:
                yield Fitted(block)
        case Folded():
            for table in block.tables:
                yield Fitted(table)
        case Code() | Figure():
            return


def _plain(cell: Cell) -> str:
    """A cell in one column; the counts behind a value stand in the table of the arms, an icon stays with its word."""
    if isinstance(cell, Counted):
        return cell.value
    if isinstance(cell, Reading):
        return str(cell).replace(" ", "\N{NO-BREAK SPACE}", 1) if cell.icon else cell.words
    return cell


def _style(cell: Cell) -> str:
    return _STYLES[cell.tone] if isinstance(cell, Reading) else ""


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 1), break_on_hyphens=False) or [""]


def _indented(line: str, width: int) -> Iterator[Text]:
    for part in _folded(line, width - 2):
        yield Text(f"  {part}", no_wrap=True)
