"""The documentation says what the code does: every command and field is in it, and every example runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import duckdb
import pytest
import typer
from pydantic import BaseModel

from app.cli.examples import examples_in
from app.cli.main import app
from app.cli.reference import commands_of, fields_table, markdown
from app.templates import workspace_file
from experiments.designs.design import parse_design
from experiments.designs.metrics import parse_catalogue
from experiments.designs.written import WrittenDesign
from experiments.forms.documents import parse_document

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = dict(commands_of(typer.main.get_command(app), "fairtrial"))
EXAMPLES = [line for command in COMMANDS.values() for line in examples_in(command.epilog)]
WITHOUT_REGISTRY = ("design", "source check", "calc")
"""Commands whose examples run anywhere; those of the others run in test_cli_examples, each at its stage of a life."""


def runs_anywhere(line: str) -> bool:
    return line.removeprefix("fairtrial ").startswith(WITHOUT_REGISTRY)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_does_and_has_an_example(path):
    command = COMMANDS[path]
    assert command.help
    lines = examples_in(command.epilog)
    assert lines
    assert all(line.startswith(f"{path} ") or line == path for line in lines)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_is_explained_and_every_command_offers_json(path):
    parameters = COMMANDS[path].params
    assert all(parameter.help for parameter in parameters if parameter.name != "help")
    assert any("--json" in parameter.opts for parameter in parameters)


def test_the_page_of_commands_is_the_commands_own_help():
    """If this fails: python -m app.cli.reference > docs/cli.md."""
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == markdown()


def _logs(workspace: Path) -> None:
    events = "['task_completed', 'request_ms', 'request_failed', 'order_placed', 'session_started']"
    schemas = {
        "assignments": "'u' || i AS user_id, ['control', 'candidate'][1 + i % 2] AS variant, now()::TIMESTAMP AS assigned_at, "
        "'SE' AS country, 'web' AS platform",
        "exposures": "'u' || i AS user_id, now()::TIMESTAMP AS exposed_at",
        "events": f"'u' || i AS user_id, {events}[1 + i % 5] AS event, 1.0::DOUBLE AS value, "
        "now()::TIMESTAMP AS occurred_at, now()::TIMESTAMP AS recorded_at",
    }
    for log, columns in schemas.items():
        folder = workspace / "logs" / log / "dt=2026-11-01"
        folder.mkdir(parents=True)
        duckdb.connect().execute(
            f"COPY (SELECT 'ranker-v7' AS experiment, {columns} FROM range(10) AS t(i)) "
            f"TO '{folder / 'part.parquet'}' (FORMAT parquet)"
        )


@pytest.mark.parametrize("line", [line for line in EXAMPLES if runs_anywhere(line)])
def test_every_example_runs(fairtrial, workspace, line):
    _logs(workspace)
    if line.startswith("fairtrial design new"):
        (workspace / "design.yaml").unlink()
    ran = fairtrial("", *shlex.split(line)[1:])
    assert ran.exit_code == 0, ran.err
    assert ran.out


def _yaml_blocks(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def _models_in(hint: Any) -> Iterator[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for inner in get_args(hint):
        yield from _models_in(inner)


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Every (model, field) that can be reached; a model used twice counts once."""
    for name, hint in get_type_hints(model, include_extras=True).items():
        if name in model.model_fields:
            yield model.__name__, model.model_fields[name].alias or name
            for inner in _models_in(hint):
                yield from _fields(inner)


def _used(model: type[BaseModel], value: Any) -> Iterator[tuple[str, str]]:
    """Every (model, field) that a document writes."""
    if isinstance(value, list):
        for item in value:
            yield from _used(model, item)
        return
    if not isinstance(value, dict):
        return
    hints = get_type_hints(model, include_extras=True)
    for name, info in model.model_fields.items():
        written = info.alias or name
        if written in value:
            yield model.__name__, written
            for inner in _models_in(hints[name]):
                yield from _used(inner, value[written])


@pytest.mark.parametrize("block", _yaml_blocks("design.md"))
def test_the_documented_designs_pass_the_check_with_the_catalogue_of_a_new_workspace(block):
    parse_design(block, parse_catalogue(workspace_file("metrics.yaml")))


def test_the_documented_designs_use_every_field():
    used: set[tuple[str, str]] = set()
    for block in _yaml_blocks("design.md"):
        used |= set(_used(WrittenDesign, parse_document(block, "documented design").body))
    assert set(_fields(WrittenDesign)) - used == set()


def test_the_table_of_fields_is_the_model_s_own():
    """If this fails: replace the table at the end of docs/design.md by python -m app.cli.reference fields."""
    assert (DOCS / "design.md").read_text(encoding="utf-8").endswith("\n\n" + fields_table())
