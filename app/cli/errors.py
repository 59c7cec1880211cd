"""Whatever stops a command, as one message that names every problem, and as one JSON document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import typer

from app.cli.output import BAD_USAGE, FAULT, REFUSED
from experiments.forms.problems import Invalid, Problem, dotted

# Typer exports BadParameter only, and carries its own copy of Click in some versions.
UsageError: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "UsageError")

_PARAMETER = re.compile(r"([a-z][a-z_]*)(?=(?: \([a-z ]+\))?: )")


class Refusal(Exception):  # noqa: N818
    """The answer is no: what was refused, and every reason."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class BadUsage(Exception):  # noqa: N818
    """The command was given something it does not take."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command did not answer.

    Attributes:
        kind: `usage` (called wrongly), `invalid` (a file or log that cannot be used), `refused` (not
            allowed, or not now), `fault` (of Fairtrial itself).
        problems: each with `message`; with `file`, `line` and `path` where it stands in a file.
    """

    kind: Literal["usage", "invalid", "refused", "fault"]
    message: str
    problems: tuple[Mapping[str, Any], ...]
    exit_code: int

    @property
    def document(self) -> dict[str, Any]:
        return {"error": asdict(self)}

    def __str__(self) -> str:
        return "\n".join([f"Error: {self.message}", *(f"  {_line(problem)}" for problem in self.problems)])


def failure_of(error: Exception) -> Failure:
    """What to tell of an exception; an unforeseen one is a fault of ours."""
    if isinstance(error, Refusal | BadUsage):
        found = tuple({"message": problem} for problem in error.problems)
        if isinstance(error, Refusal):
            return Failure("refused", str(error), found, REFUSED)
        return Failure("usage", str(error), found, BAD_USAGE)
    if isinstance(error, Invalid):
        return invalid(error.what, error.problems)
    if isinstance(error, UsageError):
        return _usage(error)
    if isinstance(error, OSError):
        return Failure("refused", str(error), (), REFUSED)
    return _refused_by_registry(error) or Failure(
        "fault", f"this is a fault of Fairtrial ({type(error).__name__}: {error})", (), FAULT
    )


def not_computed(reason: str | None) -> Failure | None:
    """A number that was asked for and cannot be had; None where there is no such reason."""
    return None if reason is None else Failure("refused", f"not computed: {reason}", (), REFUSED)


def invalid(what: str, problems: Sequence[Problem]) -> Failure:
    """Something that cannot be used, every problem with its place."""
    found = tuple(
        {"file": p.file, "line": p.line, "path": dotted(p.path), "message": p.message} for p in problems
    )
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    return Failure("invalid", f"{what}: {count}", found, REFUSED)


@contextmanager
def parameters(names: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn what a statistic says of its parameters into what the command line says of its options.

    Args:
        names: options that are not called as the parameter is, for example ``{"effect": "--mde"}``.
    """
    try:
        yield
    except ValueError as error:
        problems = tuple(_as_option(line, names or {}) for line in str(error).splitlines())
        if len(problems) == 1:
            raise BadUsage(problems[0]) from error
        raise BadUsage(f"{len(problems)} problems", problems) from error


def _as_option(line: str, names: Mapping[str, str]) -> str:
    match = _PARAMETER.match(line)
    if match is None:
        return line
    return names.get(match[1], "--" + match[1].replace("_", "-")) + line[match.end() :]


def _usage(error: Exception) -> Failure:
    message = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    if context is not None:
        message += f" (see {context.command_path} --help)"
    return Failure("usage", message, (), BAD_USAGE)


def _refused_by_registry(error: Exception) -> Failure | None:
    """The registry's no, with when it will be possible; imported here, for most commands know no registry."""
    if not type(error).__module__.startswith("registry."):
        return None
    from registry.errors import Refused, RegistryError

    if isinstance(error, Refused):
        problems = tuple({"message": str(p), **asdict(p)} for p in error.problems)
        return Failure("refused", "refused", problems, REFUSED)
    if isinstance(error, RegistryError):
        return Failure("refused", str(error), (), REFUSED)
    return None


def _line(problem: Mapping[str, Any]) -> str:
    where = ":".join(str(problem[key]) for key in ("file", "line") if problem.get(key) is not None)
    path = problem.get("path")
    parts = [where, path if path and path != "(document)" else "", problem["message"]]
    return ": ".join(part for part in parts if part)
