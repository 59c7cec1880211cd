"""What a readout says beside the numbers: who registered what, which look, what was read by which code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from sys import version_info
from typing import Any

from experiments.readouts.past import PastLook
from experiments.readouts.readout import Check, Look, Registration, Statement


@dataclass(frozen=True, slots=True)
class Context:
    """Everything of a readout that is not computed from the evidence. ``held`` are the checks of what can be mended, ``past``
    the looks sealed before.
    """

    registration: Registration
    look: Look
    released_at: datetime
    simulated: bool
    manifest: tuple[dict[str, Any], ...]
    statements: tuple[Statement, ...]
    held: tuple[Check, ...] = ()
    past: tuple[PastLook, ...] = ()
    ledger_head: str | None = None
    ledger_count: int | None = None


def versions() -> dict[str, str]:
    """The code that computes: Fairtrial, Python and the libraries whose numbers could differ."""
    found = {"python": ".".join(str(part) for part in version_info[:3])}
    for name in ("fairtrial", "duckdb", "numpy", "scipy", "statsmodels"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
