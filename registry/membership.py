"""Acts about people: founding a registry, adding people, granting roles, one-person mode, the ledger key."""

import re
from collections.abc import Iterable

from sqlalchemy import func, select

from registry import ledger
from registry.actors import ONE_PERSON, SYSTEM_ID, Person, Role, everybody, find_person, person
from registry.acts import Act, act
from registry.database import Registry
from registry.tables import people, properties, roles

REGISTRY = "registry"
"""The entity of acts that concern the registry as a whole."""

_ID = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


def found(
    registry: Registry, id: str, name: str, *, one_person: bool = False, also: Iterable[Role] = ()
) -> Person:
    """Begin an empty registry: its first person is an admin, with the roles in `also`.

    In one-person mode that person may hold every role, and each registration is labelled `self-reviewed`.
    """
    held = {Role.ADMIN, *also}
    founder = Person(id, name, active=True, roles=frozenset(held))
    with act(registry, id, "found registry", REGISTRY, founder) as doing:
        if doing.connection.execute(select(func.count()).select_from(people)).scalar_one():
            doing.refuse(
                "This registry has been founded already.",
                when_possible="never twice.",
                what_to_do="Ask one of its admins to add you.",
            )
        doing.role = Role.ADMIN
        _insert_person(doing, id, name, held - {Role.SYSTEM}, by=id)
        _insert_person(doing, SYSTEM_ID, "Fairtrial itself", {Role.SYSTEM}, by=id)
        if one_person:
            doing.insert(properties, {"name": ONE_PERSON, "value": id})
        doing.summary = f"{name} ({id}) founded the registry" + (" for one person." if one_person else ".")
    return _read(registry, id)


def add_person(registry: Registry, actor: str, id: str, name: str, grant: Iterable[Role] = ()) -> Person:
    """Let a person in, with these roles."""
    granted = set(grant)
    with act(registry, actor, "add person", f"person:{id}") as doing:
        _require_admin(doing)
        if find_person(doing.connection, id) is not None:
            doing.object(
                f"There is a person {id!r} already.",
                when_possible="with another id.",
                what_to_do="Choose another id, or grant roles to the one who is here.",
            )
        if Role.SYSTEM in granted:
            _refuse_system(doing)
        if doing.actor.one_person:
            doing.object(
                "This registry is for one person.",
                when_possible="after leaving one-person mode.",
                what_to_do="Leave one-person mode; its registrations keep the label self-reviewed.",
            )
        doing.refuse_if_objections()
        _insert_person(doing, id, name, granted, by=actor)
        doing.summary = f"Added {name} ({id}): {', '.join(sorted(granted)) or 'no role yet'}."
    return _read(registry, id)


def grant_role(registry: Registry, actor: str, id: str, role: Role) -> Person:
    """Give a person a role; nobody gives one to themselves."""
    with act(registry, actor, "grant role", f"person:{id}") as doing:
        _require_admin(doing)
        granted = person(doing.connection, id)
        if role is Role.SYSTEM or id == SYSTEM_ID:
            _refuse_system(doing)
        if id == actor:
            doing.object(
                "Nobody grants a role to themselves.",
                when_possible="when another admin grants it.",
                what_to_do="Ask another admin.",
            )
        doing.refuse_if_objections()
        if role not in granted.roles:
            doing.insert(roles, {"person": id, "role": role, "granted_by": actor, "granted_at": doing.at})
            doing.summary = f"{granted.name} ({id}) is now {role}."
    return _read(registry, id)


def revoke_role(registry: Registry, actor: str, id: str, role: Role) -> Person:
    """Take a role from a person."""
    with act(registry, actor, "revoke role", f"person:{id}") as doing:
        _require_admin(doing)
        held = person(doing.connection, id)
        if role is Role.SYSTEM:
            _refuse_system(doing)
        if role is Role.ADMIN:
            _require_another_admin(doing, id)
        doing.refuse_if_objections()
        if role in held.roles:
            doing.delete(roles, {"person": id, "role": role.value})
            doing.summary = f"{held.name} ({id}) is no longer {role}."
    return _read(registry, id)


def let_go(registry: Registry, actor: str, id: str, reason: str) -> Person:
    """Make a person inactive; what they did stays theirs."""
    with act(registry, actor, "let person go", f"person:{id}") as doing:
        _require_admin(doing)
        leaving = person(doing.connection, id)
        if id == SYSTEM_ID:
            _refuse_system(doing)
        _require_another_admin(doing, id)
        doing.refuse_if_objections()
        if leaving.active:
            doing.update(people, {"id": id}, {"active": False})
            doing.reason = reason
            doing.summary = f"{leaving.name} ({id}) is no longer active."
    return _read(registry, id)


def leave_one_person_mode(registry: Registry, actor: str) -> Person:
    """Turn a registry for one person into one for a team; there is no way back."""
    with act(registry, actor, "leave one-person mode", REGISTRY) as doing:
        _require_admin(doing)
        if not doing.actor.one_person:
            doing.refuse(
                "This registry is not in one-person mode.",
                when_possible="only in one-person mode.",
                what_to_do="Nothing: a reviewer other than the owner locks plans here.",
            )
        doing.delete(properties, {"name": ONE_PERSON})
        if Role.ANALYST not in doing.actor.roles:  # or nobody could go on with what this person owns
            doing.insert(
                roles, {"person": actor, "role": Role.ANALYST, "granted_by": actor, "granted_at": doing.at}
            )
        doing.summary = "The registry is for a team from now on: nobody reviews their own plan."
    return _read(registry, actor)


def adopt_key(registry: Registry, actor: str) -> None:
    """From this record on the ledger is keyed; the record vouches for those before it.

    Raises:
        ValueError: when no key is set.
    """
    if registry.key is None:
        raise ValueError("ledger key: none is set; set FAIRTRIAL_LEDGER_KEY before adopting it")
    with act(registry, actor, ledger.ADOPT_KEY, REGISTRY) as doing:
        _require_admin(doing)
        before = ledger.head(doing.connection)
        if before.key_id is not None:
            doing.refuse(
                f"The ledger is keyed already (key {before.key_id}).",
                when_possible="never twice.",
                what_to_do="Go on with that key.",
            )
        doing.facts = {"unkeyed": before.count, "head": before.hash}
        doing.summary = f"The ledger is keyed from here on; {before.count} records before are not."


def _insert_person(doing: Act, id: str, name: str, granted: set[Role], *, by: str) -> None:
    if not _ID.fullmatch(id) or not name.strip():
        raise ValueError(
            f"person {id!r}, {name!r}: not allowed; an id is 1 to 64 of a-z 0-9 . _ @ + -, beginning with a "
            "letter or a digit; a name is not empty"
        )
    doing.insert(people, {"id": id, "name": name, "active": True, "added_at": doing.at})
    for role in sorted(granted):
        doing.insert(roles, {"person": id, "role": role, "granted_by": by, "granted_at": doing.at})


def _require_admin(doing: Act) -> None:
    doing.role = Role.ADMIN
    if not doing.actor.has(Role.ADMIN):
        doing.refuse(
            f"Only an admin may {doing.verb}; {doing.actor.id} is none.",
            when_possible="for an admin.",
            what_to_do="Ask an admin.",
        )


def _refuse_system(doing: Act) -> None:
    doing.object(
        "The role System belongs to Fairtrial itself.",
        when_possible="never.",
        what_to_do="Choose another role.",
    )


def _require_another_admin(doing: Act, id: str) -> None:
    if not any(
        other.id != id and other.active and Role.ADMIN in other.roles for other in everybody(doing.connection)
    ):
        doing.object(
            f"{id} is the only admin.",
            when_possible="once there is another admin.",
            what_to_do="Grant somebody else the role Admin first.",
        )


def _read(registry: Registry, id: str) -> Person:
    with registry.reading() as connection:
        return person(connection, id)
