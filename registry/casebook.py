"""The blinded case browser: pairs of a released shadow that several people judge without knowing which model said what.

The cases are drawn once (`registry.casework`), by a seed that was locked with the plan, and kept as a document. In which order a
reviewer sees the two answers follows from that document, the reviewer and the case; who said what is given out only once two
people have finished, and somebody has unblinded it (`registry.case_findings`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, func, select

from experiments.shadows.cases import DrawnCases
from registry.actors import Person, Role
from registry.clock import parse_instant
from registry.database import Registry
from registry.errors import Unknown
from registry.records import Experiment
from registry.store import document
from registry.tables import case_picks, case_reviews, casebooks

SCHEMA: Final = "shadow-cases/1"
ENOUGH: Final = 2
"""People who must have finished before anybody learns which model said what."""

MAY_REVIEW: Final = (Role.REVIEWER, Role.DECIDER, Role.ANALYST, Role.MODEL_OWNER)


class Pick(StrEnum):
    """What a reviewer says of two answers whose models they do not know."""

    A = "A right"
    B = "B right"
    BOTH = "both right"
    NEITHER = "neither right"
    CANNOT_TELL = "can't tell"


@dataclass(frozen=True, slots=True)
class Casebook:
    """The cases of a shadow.

    Attributes:
        sha256: of the document that holds them.
        drawn_for: who asked for them.
    """

    experiment: str
    sha256: str
    readout_sha256: str
    cases: int
    drawn_for: str
    drawn_at: datetime
    unblinded_by: str | None
    unblinded_at: datetime | None


@dataclass(frozen=True, slots=True)
class BlindCase:
    """A case as a reviewer sees it: no model, no group, no label."""

    number: int
    request: str
    attributes: Mapping[str, str]
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class CaseReview:
    """How far somebody has come; what they said stays theirs until it is unblinded."""

    reviewer: str
    begun_at: datetime
    finished_at: datetime | None
    picked: int


@dataclass(frozen=True, slots=True)
class Said:
    """What a reviewer said of a case."""

    pick: Pick
    note: str | None


def why_not_reviewing(person: Person, current: Experiment) -> str | None:
    """Why somebody may not judge the cases of a shadow; None where they may."""
    if not any(person.has(role) for role in MAY_REVIEW):
        return f"only a reviewer, decider, analyst or model owner may; {person.id} is none."
    if current.owned_by(person.id) and not person.one_person:
        return f"{person.id} owns {current.id}: somebody else has to."
    return None


def casebook_of(registry: Registry, shadow: str) -> Casebook | None:
    """The cases of a shadow; None while none are drawn."""
    with registry.reading() as connection:
        return book_in(connection, shadow)


def reviews_of(registry: Registry, shadow: str) -> tuple[CaseReview, ...]:
    """How far each reviewer has come."""
    with registry.reading() as connection:
        return reviews_in(connection, shadow)


def blind_case(registry: Registry, reviewer: str, shadow: str, number: int) -> BlindCase:
    """A case as this reviewer sees it.

    Raises:
        Unknown: no cases are drawn, or there is none of this number.
    """
    with registry.reading() as connection:
        book = required(connection, shadow)
    cases = cases_in(registry, book).cases
    if not 1 <= number <= len(cases):
        raise Unknown(f"{shadow} has the cases 1 to {len(cases)}, not {number}")
    case = cases[number - 1]
    answers = (case.champion, case.candidate)
    a, b = answers if is_champion_first(book.sha256, reviewer, number) else answers[::-1]
    return BlindCase(number, case.request, case.attributes, a, b)


def picks_of(registry: Registry, reviewer: str, shadow: str) -> dict[int, Said]:
    """What this reviewer has said so far, by case."""
    with registry.reading() as connection:
        return picks_in(connection, shadow, reviewer)


def is_champion_first(book_sha256: str, reviewer: str, number: int) -> bool:
    """Whether answer A is the champion's, for this reviewer and case."""
    return sha256(f"{book_sha256}/{reviewer}/{number}".encode()).digest()[0] % 2 == 0


def cases_in(registry: Registry, book: Casebook) -> DrawnCases:
    """The cases of a book, with what each model answered: for whoever draws, shows blind, or opens them."""
    body: dict[str, Any] = json.loads(document(registry, book.sha256))
    return DrawnCases.model_validate({name: body[name] for name in DrawnCases.model_fields})


def required(connection: Connection, shadow: str) -> Casebook:
    """The cases of a shadow.

    Raises:
        Unknown: none are drawn.
    """
    book = book_in(connection, shadow)
    if book is None:
        raise Unknown(f"no cases of {shadow} are drawn")
    return book


def book_in(connection: Connection, shadow: str) -> Casebook | None:
    """As `casebook_of`, inside a transaction."""
    row = (
        connection.execute(select(casebooks).where(casebooks.c.experiment == shadow)).mappings().one_or_none()
    )
    if row is None:
        return None
    opened = row["unblinded_at"]
    times = {
        "drawn_at": parse_instant(row["drawn_at"]),
        "unblinded_at": None if opened is None else parse_instant(opened),
    }
    return Casebook(**({name: row[name] for name in Casebook.__slots__} | times))


def reviews_in(connection: Connection, shadow: str) -> tuple[CaseReview, ...]:
    """As `reviews_of`, inside a transaction."""
    picked = (
        select(case_picks.c.reviewer, func.count().label("picked"))
        .where(case_picks.c.experiment == shadow)
        .group_by(case_picks.c.reviewer)
        .subquery()
    )
    query = (
        select(case_reviews, picked.c.picked)
        .join(picked, picked.c.reviewer == case_reviews.c.reviewer, isouter=True)
        .where(case_reviews.c.experiment == shadow)
        .order_by(case_reviews.c.begun_at, case_reviews.c.reviewer)
    )
    return tuple(
        CaseReview(
            row["reviewer"],
            parse_instant(row["begun_at"]),
            None if row["finished_at"] is None else parse_instant(row["finished_at"]),
            row["picked"] or 0,
        )
        for row in connection.execute(query).mappings()
    )


def review_in(connection: Connection, shadow: str, reviewer: str) -> CaseReview | None:
    """How far one reviewer has come; None who has not begun."""
    return next((one for one in reviews_in(connection, shadow) if one.reviewer == reviewer), None)


def picks_in(connection: Connection, shadow: str, reviewer: str) -> dict[int, Said]:
    """As `picks_of`, inside a transaction."""
    query = select(case_picks).where(case_picks.c.experiment == shadow, case_picks.c.reviewer == reviewer)
    rows = connection.execute(query.order_by(case_picks.c.number)).mappings()
    return {row["number"]: Said(Pick(row["pick"]), row["note"]) for row in rows}
