"""Stars: the experiments that a person keeps an eye on. Their own, seen by nobody else, and no record of anything."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from registry.clock import instant
from registry.database import Registry
from registry.errors import Unknown
from registry.tables import experiments, people, stars


def starred(registry: Registry, person: str) -> frozenset[str]:
    """The experiments that a person starred, by id."""
    query = select(stars.c.experiment).where(stars.c.person == person)
    with registry.reading() as connection:
        return frozenset(connection.execute(query).scalars())


def star(registry: Registry, person: str, experiment: str, *, on: bool = True) -> None:
    """Star an experiment, or take the star away; it may be there already, or gone.

    Raises:
        Unknown: no such person or experiment.
    """
    mine = (stars.c.person == person) & (stars.c.experiment == experiment)
    with registry.writing() as connection:
        if connection.execute(select(experiments.c.id).where(experiments.c.id == experiment)).first() is None:
            raise Unknown(f"experiment {experiment!r} is not in this registry")
        if connection.execute(select(people.c.id).where(people.c.id == person)).first() is None:
            raise Unknown(f"person {person!r} is not known here")
        connection.execute(delete(stars).where(mine))
        if on:
            row = {"person": person, "experiment": experiment, "starred_at": instant(registry.clock.now())}
            connection.execute(insert(stars), [row])
