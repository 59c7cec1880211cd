"""What is done by itself: when the logs are checked next, and who takes a look that is due, by the workspace's settings."""

from __future__ import annotations

from datetime import datetime

from app.declared_words import duration_in_words
from app.settings import Settings
from app.views_experiment.checks import holding
from app.views_experiment.findings import Findings


def next_check(settings: Settings, findings: Findings) -> datetime | None:
    """When a worker asks for health again by itself; None where it does not, or has not begun to."""
    if settings.refresh is None or findings.health_at is None:
        return None
    return findings.health_at + settings.refresh


def who_takes_looks(settings: Settings, findings: Findings) -> str:
    """Who takes a look that is due, and what keeps it waiting."""
    if settings.refresh is None:
        return "Nothing is checked by itself in this workspace. Ask for a check; a look that is due is taken once its owner says so."
    every = duration_in_words(round(settings.refresh.total_seconds())).removeprefix("1 ")
    if settings.looks == "owner":
        return f"The logs are checked every {every}. A look that is due is taken once its owner says so."
    said = f"The logs are checked every {every}, and a look that is due is then taken by itself, once; its owner may be faster."
    holds = () if findings.health is None else holding(findings.health)
    if findings.standing is not None and findings.standing.due and holds:
        return f"{said} It waits now: {', '.join(check.name for check in holds)} on hold."
    return said
