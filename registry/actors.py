"""Who acts: people, their roles, and what the registry knows of a person at the moment of an act."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, select

from registry.errors import Unknown
from registry.tables import people, properties, roles


class Role(StrEnum):
    """What a person may be; the value is how pages and the ledger write it."""

    VIEWER = "Viewer"
    ANALYST = "Analyst"
    REVIEWER = "Reviewer"
    DECIDER = "Decider"
    METRIC_STEWARD = "Metric steward"
    DATA_STEWARD = "Data steward"
    MODEL_OWNER = "Model owner"
    ON_CALL = "On-call"
    LOOK_COMMITTEE = "Look committee"
    ADMIN = "Admin"
    SYSTEM = "System"


SYSTEM_ID: Final = "system"
"""The person under whose name Fairtrial itself acts: starting, looking, releasing."""

UNKNOWN_ROLE: Final = "unknown"
"""What the ledger writes for somebody the registry does not know."""

ONE_PERSON: Final = "one_person"
"""The registry property that names the one person of one-person mode."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may act, with the roles held now."""

    id: str
    name: str
    active: bool
    roles: frozenset[Role]
    one_person: bool = False
    """Whether this is the person of one-person mode, who may hold every role at once."""

    def has(self, role: Role) -> bool:
        """Whether the person may act in this role; being the one person never makes anybody the system."""
        return self.active and (role in self.roles or (self.one_person and role is not Role.SYSTEM))


def person(connection: Connection, id: str) -> Person:
    """The person with this id, as of now.

    Raises:
        Unknown: when there is none.
    """
    found = find_person(connection, id)
    if found is None:
        known = ", ".join(connection.execute(select(people.c.id).order_by(people.c.id)).scalars())
        raise Unknown(
            f"person {id!r} is not known here; known: {known or 'nobody yet: found the registry first'}"
        )
    return found


def find_person(connection: Connection, id: str) -> Person | None:
    """The person with this id, or None."""
    row = connection.execute(select(people).where(people.c.id == id)).one_or_none()
    if row is None:
        return None
    held = connection.execute(select(roles.c.role).where(roles.c.person == id)).scalars()
    return Person(
        row.id, row.name, row.active, frozenset(Role(role) for role in held), one_person(connection) == id
    )


def one_person(connection: Connection) -> str | None:
    """The id of the one person, when the registry is in one-person mode."""
    value = connection.execute(
        select(properties.c.value).where(properties.c.name == ONE_PERSON)
    ).scalar_one_or_none()
    return None if value is None else str(value)


def everybody(connection: Connection) -> tuple[Person, ...]:
    """All people, the system included, by id."""
    held: dict[str, set[Role]] = {}
    for row in connection.execute(select(roles.c.person, roles.c.role)):
        held.setdefault(row.person, set()).add(Role(row.role))
    alone = one_person(connection)
    return tuple(
        Person(row.id, row.name, row.active, frozenset(held.get(row.id, ())), row.id == alone)
        for row in connection.execute(select(people).order_by(people.c.id))
    )
