"""The examples in the commands' help: written once, printed by `--help` and docs/cli.md, run by the tests."""

from __future__ import annotations

_HEADING = "Example:"


def examples(*lines: str) -> str:
    """The end of a command's help, its lines kept as they are."""
    return "\b\n" + "\n".join([_HEADING, *(f"  {line}" for line in lines)])


def examples_in(epilog: str | None) -> tuple[str, ...]:
    """The example lines of a command's help; none where it has none."""
    if epilog is None or _HEADING not in epilog:
        return ()
    return tuple(line.strip() for line in epilog.split(_HEADING, 1)[1].splitlines() if line.strip())
