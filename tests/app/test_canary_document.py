"""docs/canary.md says what the code does: its canary passes the check and uses every field, its vectors and table are the code's."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from app.fields import fields_of
from app.templates import workspace_file
from experiments.assignment.hashing import position
from experiments.canaries.assignment import CanaryAssignment
from experiments.canaries.design import parse_canary
from experiments.canaries.written import WrittenCanary
from experiments.designs.metrics import parse_catalogue
from experiments.forms.documents import parse_document
from tests.app.test_cli_documentation import _fields, _used

PAGE = (Path(__file__).parents[2] / "docs" / "canary.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
VECTORS = re.findall(r"^\| `ranker-v8` \| `([^`]+)` \| `([0-9a-f]{13})` \|(.*)\|$", PAGE, re.MULTILINE)
ELSEWHERE = {"Condition", "Rules", "Validity", "Amount"}
"""Parts that docs/design.md has: their fields stand there, each in an example."""


def test_the_documented_canary_passes_the_check_with_the_catalogue_of_a_new_workspace() -> None:
    assert len(BLOCKS) == 1
    parse_canary(BLOCKS[0], parse_catalogue(workspace_file("metrics.yaml")))


def test_the_documented_canary_uses_every_field_of_a_canary() -> None:
    used = set(_used(WrittenCanary, parse_document(BLOCKS[0], "documented canary").body))
    own = {field for field in _fields(WrittenCanary) if field[0] not in ELSEWHERE}
    assert own - used == set()


@pytest.mark.parametrize(("unit", "digits", "arms"), VECTORS)
def test_the_documented_vectors_are_the_codes(unit: str, digits: str, arms: str) -> None:
    assert f"{position('ranker-v8', unit):013x}" == digits
    found = [
        CanaryAssignment("ranker-v8", Fraction(share)).arm_of(unit)
        for share in ("0.01", "0.05", "0.25", "0.5")
    ]
    assert [arm or "" for arm in found] == [arm.strip() for arm in arms.split("|")]


def test_there_are_vectors_of_both_ends_and_the_middle() -> None:
    assert len(VECTORS) == 6


def test_the_table_of_fields_is_the_models_own() -> None:
    rows = [
        " | ".join((f"| `{field.path}`", field.allowed, field.default, field.meaning)).replace("  ", " ")
        + " |"
        for field in fields_of(WrittenCanary)
    ]
    assert PAGE.endswith(
        "\n\n" + "\n".join(["| field | may be | default | meaning |", "|---|---|---|---|", *rows]) + "\n"
    )
