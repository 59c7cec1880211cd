"""What is wrong with something a person wrote: every problem at once, each with where and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """The path as people write it: ``guardrails[0].margin``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text or "(document)"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where it stands, and how to mend it."""

    path: Path
    message: str
    line: int | None = None
    file: str | None = None

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return f"{where + ': ' if where else ''}{dotted(self.path)}: {self.message}"


class Invalid(ValueError):
    """A design, catalogue, source or log that cannot be used; holds every problem found."""

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        self.what = what
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(f"{what}: {count}\n" + "\n".join(f"  {problem}" for problem in self.problems))


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word most like ``word``, or None when nothing comes near it."""
    by_fold = {name.casefold(): name for name in allowed}
    close = difflib.get_close_matches(str(word).casefold(), list(by_fold), n=1, cutoff=0.6)
    return by_fold[close[0]] if close else None


def unknown_name(word: object, allowed: Sequence[str], kind: str) -> str:
    """``'contrl' is not an arm; did you mean 'control'? Allowed: control, treatment.``"""
    guess = nearest(str(word), allowed)
    hint = f" Did you mean {guess!r}?" if guess else ""
    listed = ", ".join(allowed) if allowed else "none is defined"
    return f"{word!r} is not {kind}.{hint} Allowed: {listed}."
