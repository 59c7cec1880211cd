"""The parts of the documentation that are written from the code itself.

``python -m app.cli.reference`` prints docs/cli.md; with ``fields`` the table at the end of docs/design.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from app.cli.main import app

WIDTH = 100

_INTRODUCTION = """\
# Commands

Written by `python -m app.cli.reference` from the commands' own help; a test compares the two and runs every example.

Every command answers on standard output: text, or with `--json` exactly one JSON document and nothing else.
Messages and progress go to standard error. In JSON, numbers have full precision, the open side of a one-sided
interval is `null`, and a number that cannot be computed is `null` beside `not_computed`, which says why.

| exit code | meaning | with `--json` |
|---|---|---|
| 0 | success | the result |
| 1 | a refusal, or a check that failed | `error` says what, and every reason |
| 2 | bad usage | `error` says which option, and what is allowed |
| 70 | a fault of Fairtrial itself; nothing was answered | `error`; the trace is on standard error |

```json
{"error": {"kind": "invalid", "message": "design d.yaml: 1 problem", "exit_code": 1,
           "problems": [{"file": "d.yaml", "line": 29, "path": "primary.mde.absolut", "message": "…"}]}}
```

`kind` is `usage`, `invalid` (a file or log that cannot be used), `refused` or `fault`.
"""


def markdown() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for path, command in commands_of(typer.main.get_command(app), "fairtrial"):
        parts.append(f"## {path}\n\n```text\n{_help(path, command).rstrip()}\n```\n")
    return "\n".join(parts)


def fields_table() -> str:
    """Every field of a design file, as the table at the end of docs/design.md."""
    from app.fields import fields_of
    from experiments.designs.written import WrittenDesign

    rows = [
        " | ".join((f"| `{field.path}`", field.allowed, field.default, field.meaning)).replace("  ", " ")
        + " |"
        for field in fields_of(WrittenDesign)
    ]
    return "\n".join(["| field | may be | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def commands_of(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command below, with the words that call it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, each in below.items():
        yield from commands_of(each, f"{path} {name}")


def _help(path: str, command: Any) -> str:
    """What ``--help`` prints, at a width that does not depend on the terminal."""
    context = command.make_context(
        path, [], resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH
    )
    return str(context.get_help())


if __name__ == "__main__":
    sys.stdout.write(fields_table() if sys.argv[1:] == ["fields"] else markdown())
