"""What a job may say while it runs and when it fails: how far it has come, and problems without what was read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from experiments.forms.problems import Problem

_UNREAD_VALUE: Final = re.compile(
    r"\b((?:Conversion|Invalid Input|Out of Range|Mismatch Type|Parser|Internal) Error): .*?(?=\. Not a number|$)"
)
"""Where the engine repeats what it could not read; nobody but those who run the worker may see that."""

Report = Callable[[float | None, str | None], None]
"""Takes how far the work has come, 0 to 1, and in words. Raises to break it off."""


def without_values(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Each problem as its first line, for the engine's further lines quote rows, and without a value it quotes there."""
    first = (str(problem).splitlines()[0] for problem in problems)
    return tuple(_UNREAD_VALUE.sub(r"\1 (what was read is not repeated here)", line) for line in first)
