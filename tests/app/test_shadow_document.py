"""docs/shadow.md says what the code does: its shadows pass the check and use every field, its logs are read, its tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.fields import fields_of
from experiments.forms.documents import parse_document
from experiments.shadows.design import parse_shadow
from experiments.shadows.logs import parse_prediction_sources
from experiments.shadows.written import WrittenShadow
from tests.app.test_cli_documentation import _fields, _used

PAGE = (Path(__file__).parents[2] / "docs" / "shadow.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
SHADOWS = [block for block in BLOCKS if block.startswith("title:")]
NOT_OF_A_SHADOW = {("Stopping", name) for name in ("futility", "at", "if_short")}
"""Fields of the form of A/B designs that a shadow refuses."""


@pytest.mark.parametrize("text", SHADOWS)
def test_the_documented_shadows_pass_the_check(text: str) -> None:
    assert parse_shadow(text).planned_units > 0


def test_the_documented_predictions_file_is_read() -> None:
    (text,) = (block for block in BLOCKS if block.startswith("predictions:"))
    source = parse_prediction_sources(text)["main"]
    assert source.labels is not None
    assert set(source.logs[0].models.values()) == {"v3", "v4", "control"}


def test_the_documented_shadows_use_every_field() -> None:
    used: set[tuple[str, str]] = set()
    for text in SHADOWS:
        used |= set(_used(WrittenShadow, parse_document(text, "documented shadow").body))
    own = {field for field in _fields(WrittenShadow) if field[0] != "Futility"}
    assert own - NOT_OF_A_SHADOW - used == set()


def test_the_table_of_verdicts_has_every_row_of_the_map_in_its_order() -> None:
    section = PAGE.split("## The verdict")[1].split("##")[0]
    codes = re.findall(r"\| \**(INVALID|DO NOT PASS|INCONCLUSIVE|PASS)\** \|", section)
    assert codes == [
        "INVALID",
        *["DO NOT PASS"] * 3,
        *["INCONCLUSIVE"] * 2,
        "PASS",
        "INCONCLUSIVE",
        "DO NOT PASS",
        "INCONCLUSIVE",
    ]


def test_the_table_of_fields_is_the_model_s_own() -> None:
    assert PAGE.endswith("\n\n" + table())


def table() -> str:
    """Every field of a shadow's file, as the table at the end of the page."""
    rows = [
        " | ".join((f"| `{field.path}`", field.allowed, field.default, field.meaning)).replace("  ", " ")
        + " |"
        for field in fields_of(WrittenShadow)
    ]
    return "\n".join(["| field | may be | default | meaning |", "|---|---|---|---|", *rows]) + "\n"
