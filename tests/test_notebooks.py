"""The notebooks run from top to bottom, and every number that their text states is asserted in a cell."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))

# a decimal number, or 1.8e-6; not part of a version, a file name or a word
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?:e-?\d+)?(?![\w]|\.\d)")


@dataclass(frozen=True)
class Cell:
    kind: str
    line: int
    text: str


def cells(text: str) -> list[Cell]:
    """The cells of a notebook in jupytext's percent format; what stands before the first is its header."""
    found: list[Cell] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("# %%"):
            found.append(Cell("markdown" if "[markdown]" in line else "code", number, ""))
        elif found:
            last = found[-1]
            found[-1] = Cell(last.kind, last.line, f"{last.text}{line}\n")
    return found


def run(cell: Cell, file: str, namespace: dict[str, Any]) -> object:
    """What a cell ends with, as a notebook would show it; None where its end shows nothing."""
    tree = ast.parse("\n" * cell.line + cell.text)  # a failure names the line of the file
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, file, "exec"), namespace)
    return eval(compile(ast.Expression(last.value), file, "eval"), namespace) if last else None


def words(cell: Cell) -> str:
    """The text of a markdown cell, without code quoted in it."""
    return re.sub(r"`[^`]*`", "", "\n".join(line.removeprefix("#") for line in cell.text.splitlines()))


def asserted(code: str) -> set[float]:
    """Every number that stands in an assertion."""
    return {
        float(node.value)
        for statement in ast.walk(ast.parse(code))
        if isinstance(statement, ast.Assert)
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    }


def unproved(text: str) -> list[str]:
    """Decimal numbers of the text that no cell between this text and the next asserts."""
    missing: list[str] = []
    found = cells(text)
    for index, cell in enumerate(found):
        if cell.kind != "markdown":
            continue
        after = found[index + 1 :]
        until = next((i for i, one in enumerate(after) if one.kind == "markdown"), len(after))
        numbers = set().union(*(asserted(one.text) for one in after[:until]))
        missing += [
            f"line {cell.line}: {number}"
            for number in DECIMAL.findall(words(cell))
            if float(number) not in numbers
        ]
    return missing


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_from_top_to_bottom(notebook: Path) -> None:
    text = notebook.read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells(text):
        if cell.kind == "code":
            shown = run(cell, str(notebook), namespace)
            if isinstance(shown, alt.TopLevelMixin):
                shown.to_dict()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_every_decimal_number_in_the_text_is_asserted(notebook: Path) -> None:
    assert unproved(notebook.read_text(encoding="utf-8")) == []


def test_there_is_a_tour() -> None:
    assert "tour" in {file.stem for file in NOTEBOOKS}


def test_a_number_that_no_cell_asserts_is_found() -> None:
    text = "# %% [markdown]\n# It is 0.25, then −1.5, in `v0.3`.\n\n# %%\nassert x == -1.5\ny = 0.25\n# %% [markdown]\n# 1.5\n"
    assert unproved(text) == ["line 1: 0.25", "line 7: 1.5"]
