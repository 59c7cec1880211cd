"""The one way of answering: text for people or one JSON document for programs on stdout, messages on stderr.

A command computes, then calls `answer` once with both forms. A table's cells that are numbers are written by
`figure`; the JSON document has them at full precision. JSON knows no infinity, so the open side of a one-sided
interval is null.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from app.cli.errors import Failure

OK, REFUSED, BAD_USAGE, FAULT, INTERRUPTED = 0, 1, 2, 70, 130
"""Exit codes: success; a refusal or a failed check; bad usage; a fault of Fairtrial itself; Ctrl-C."""

PIPED_WIDTH = 200
"""Columns a table may take where no terminal says how many there are."""

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else there.")
]

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names; a cell that is None prints as a dash."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str | None = None


Text = Callable[[], Sequence[str | Table]]


def answer(
    document: Mapping[str, Any],
    text: Text,
    *,
    as_json: bool,
    failure: Failure | None = None,
) -> None:
    """Print the result of a command: the document as JSON, or the text.

    Args:
        text: gives the text; not called where the document is printed.
        failure: where the result itself is that something failed; it joins the document, and its exit code
            ends the command.
    """
    if as_json:
        print_json(document if failure is None else {**document, **failure.document})
    else:
        console = _console(sys.stdout)
        for part in text():
            if isinstance(part, Table):
                console.print(_drawn(part))
            else:
                console.print(part, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    if failure is not None:
        raise typer.Exit(failure.exit_code)


def print_json(document: Mapping[str, Any]) -> None:
    escaped = (sys.stdout.encoding or "").casefold().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(plain(document), indent=2, ensure_ascii=escaped, allow_nan=False) + "\n")
    sys.stdout.flush()


def note(message: str) -> None:
    """A message that is no part of the answer: on standard error."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


@contextmanager
def working(message: str) -> Iterator[None]:
    """Show that something takes its time: a spinner on a terminal's standard error, else nothing."""
    if not sys.stderr.isatty():
        yield
        return
    with _console(sys.stderr).status(message):
        yield


def plain(value: Any) -> Any:
    """A value as JSON has it: dataclasses by field, enums by value, UTC times as text, infinity as null.

    Raises:
        ValueError: for a number that is not a number; a result that cannot be computed says why instead.
        TypeError: for a value JSON has no form for.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("a result is not a number; it should say why it was not computed")
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Path | Fraction):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def figure(value: float | None, digits: int = 4) -> str:
    """A number for reading: whole numbers in full, others to so many significant digits."""
    from app import formats

    if value is None:
        return formats.NOTHING
    if isinstance(value, int):
        return formats.count(value)
    if math.isinf(value):
        return "∞" if value > 0 else formats.MINUS + "∞"
    text = formats.significant(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def signed(value: float | None, digits: int = 4) -> str:
    """A difference, its sign always written."""
    return ("+" if value is not None and value > 0 else "") + figure(value, digits)


def span(interval: tuple[float, float] | None, digits: int = 4) -> str:
    """An interval as ``−0.003938 to +0.0007814``."""
    return (
        figure(None)
        if interval is None
        else f"{signed(interval[0], digits)} to {signed(interval[1], digits)}"
    )


def percent(share: float) -> str:
    """A share as 50%, a confidence level as 95%."""
    from app import formats

    return formats.share(share)


def p_text(p_value: float | None) -> str:
    """``p = 0.19``, ``p < 0.0001``."""
    from app import formats

    return "p not computed" if p_value is None else formats.p_clause(p_value)


def p_cell(p_value: float | None) -> str:
    """A p-value under a heading that says so."""
    from app import formats

    return formats.p_value(p_value)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, width=None if stream.isatty() else PIPED_WIDTH, highlight=False)


def _drawn(table: Table) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=table.title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for index, column in enumerate(table.columns):
        numeric = any(isinstance(row[index], int | float) for row in table.rows)
        drawn.add_column(Text(column), justify="right" if numeric else "left")
    for row in table.rows:
        drawn.add_row(*(Text(cell if isinstance(cell, str) else figure(cell)) for cell in row))
    return drawn
