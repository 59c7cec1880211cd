"""The kinds of entries: A/B experiments, shadows and canaries share one table, one running number and one life.

A kind says what its ids begin with, which schema its locked plan has, which verdicts its rule can give and what a
person may sign on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from registry.records import Verdict


class Choice(StrEnum):
    """What a decider may sign. Deferring and requesting changes end nothing: they are on record, and the decision stays open."""

    SHIP = "ship"
    DO_NOT_SHIP = "do_not_ship"
    REPEAT = "repeat"
    DEFER = "defer"
    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    REJECT = "reject"


LEAVES_OPEN: Final = frozenset({Choice.DEFER, Choice.REQUEST_CHANGES})
"""Choices after which the decision stays open."""


@dataclass(frozen=True, slots=True)
class EntryKind:
    """One kind of entry.

    Attributes:
        name: as the registry's column has it.
        prefix: of its ids.
        schema: what the schema of its locked plan begins with.
        words: what one of it is called.
        verdicts: what its declared rule can say at the end.
        passing: the verdict after which the change may go on.
        choices: what may be signed.
        accepting: the choice with which the change goes on.
        looks_are_open: whether a sealed look that went on may be read at once. In an A/B it may not, for it holds the
            primary; a shadow that goes on stays closed too. A check of a canary holds guardrails only, and whoever
            approves the next step has to see them.
    """

    name: str
    prefix: str
    schema: str
    words: str
    verdicts: tuple[Verdict, ...]
    passing: Verdict
    choices: tuple[Choice, ...]
    accepting: Choice
    looks_are_open: bool = False

    def id(self, number: int) -> str:
        """The id of the entry with this running number."""
        return f"{self.prefix}-{number:04d}"


_GATE_VERDICTS: Final = (Verdict.PASS, Verdict.DO_NOT_PASS, Verdict.INCONCLUSIVE, Verdict.INVALID)
_GATE_CHOICES: Final = (Choice.APPROVE, Choice.REQUEST_CHANGES, Choice.REJECT)

AB: Final = EntryKind(
    "ab",
    "EXP",
    "design/",
    "an A/B experiment",
    (Verdict.SHIP, Verdict.DO_NOT_SHIP, Verdict.INCONCLUSIVE, Verdict.INVALID),
    Verdict.SHIP,
    (Choice.SHIP, Choice.DO_NOT_SHIP, Choice.REPEAT, Choice.DEFER),
    Choice.SHIP,
)
SHADOW: Final = EntryKind(
    "shadow", "SHD", "shadow/", "a shadow", _GATE_VERDICTS, Verdict.PASS, _GATE_CHOICES, Choice.APPROVE
)
CANARY: Final = EntryKind(
    "canary",
    "CAN",
    "canary/",
    "a canary",
    _GATE_VERDICTS,
    Verdict.PASS,
    _GATE_CHOICES,
    Choice.APPROVE,
    looks_are_open=True,
)

KINDS: Final = {kind.name: kind for kind in (AB, SHADOW, CANARY)}
"""Every kind by its name."""


def kind_of(material: Mapping[str, Any]) -> EntryKind:
    """The kind of a plan by the schema of its material document; an unfinished draft is one of an A/B."""
    schema = str(material.get("schema", ""))
    return next((kind for kind in KINDS.values() if schema.startswith(kind.schema)), AB)


def opposes(choice: Choice, verdict: Verdict) -> bool:
    """Whether a decision goes against the verdict: going on without a passing one, or not going on with it."""
    accepts = any(choice is kind.accepting for kind in KINDS.values())
    passed = any(verdict is kind.passing for kind in KINDS.values())
    return choice not in LEAVES_OPEN and accepts is not passed
