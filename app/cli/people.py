"""`people`: who is in the registry, and in which roles; only an admin changes it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.errors import parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Table
from app.cli.session import As, Session, opened

if TYPE_CHECKING:
    from registry.actors import Person, Role

commands = typer.Typer(
    name="people", help="Who is in the registry, and in which roles.", no_args_is_help=True
)


class RoleName(StrEnum):
    """The roles a person can hold, as they are typed."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    REVIEWER = "reviewer"
    DECIDER = "decider"
    METRIC_STEWARD = "metric-steward"
    DATA_STEWARD = "data-steward"
    MODEL_OWNER = "model-owner"
    ON_CALL = "on-call"
    LOOK_COMMITTEE = "look-committee"
    ADMIN = "admin"


PersonId = Annotated[str, typer.Argument(metavar="ID", help="The person's id: a to z, 0 to 9, and . _ @ + -")]


def role_of(name: RoleName) -> Role:
    """The role that is typed so."""
    from registry.actors import Role

    return Role[name.name]


def roles_of(names: Sequence[RoleName]) -> list[Role]:
    return [role_of(name) for name in names]


@commands.command("list", epilog=examples("fairtrial people list"))
def list_people(as_json: AsJson = False) -> None:
    """List everybody with their roles."""
    from registry.store import everybody

    with opened() as session:
        people = everybody(session.registry)
        rows = [(p.id, p.name, _roles(p), "" if p.active else "no longer active") for p in people]
        session.answer(
            {"people": [_document(person) for person in people]},
            [Table(("id", "name", "roles", ""), rows)],
            as_json=as_json,
        )


@commands.command(epilog=examples("fairtrial people add noor --name Noor --role analyst --as ada"))
def add(
    id: PersonId,
    name: Annotated[str | None, typer.Option(help="As people call them. Default: the id.")] = None,
    role: Annotated[list[RoleName] | None, typer.Option(help="A role to begin with; repeatable.")] = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Let a person in."""
    from registry import membership

    with opened(actor) as session, parameters():
        added = membership.add_person(session.registry, session.actor, id, name or id, roles_of(role or ()))
        _answer(session, added, as_json=as_json)


@commands.command(epilog=examples("fairtrial people grant mira decider --as ada"))
def grant(
    id: PersonId,
    role: Annotated[RoleName, typer.Argument(help="The role to give.")],
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Give a person a role; nobody gives one to themselves."""
    from registry import membership

    with opened(actor) as session:
        _answer(
            session,
            membership.grant_role(session.registry, session.actor, id, role_of(role)),
            as_json=as_json,
        )


@commands.command(epilog=examples("fairtrial people revoke mira analyst --as ada"))
def revoke(
    id: PersonId,
    role: Annotated[RoleName, typer.Argument(help="The role to take.")],
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Take a role from a person."""
    from registry import membership

    with opened(actor) as session:
        _answer(
            session,
            membership.revoke_role(session.registry, session.actor, id, role_of(role)),
            as_json=as_json,
        )


@commands.command(
    "let-go", epilog=examples("fairtrial people let-go mira --reason 'Moved to another team.' --as ada")
)
def let_go(
    id: PersonId,
    reason: Annotated[str, typer.Option(help="Why; it stays in the ledger.")],
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Let nobody act under this name any more; what the person did stays theirs."""
    from registry import membership

    with opened(actor) as session:
        _answer(session, membership.let_go(session.registry, session.actor, id, reason), as_json=as_json)


@commands.command("become-team", epilog=examples("fairtrial people become-team"))
def become_team(actor: As = None, as_json: AsJson = False) -> None:
    """Leave one-person mode, so that others can be added; there is no way back."""
    from app.settings_file import with_setting
    from registry import membership

    with opened(actor) as session:
        person = membership.leave_one_person_mode(session.registry, session.actor)
        file = session.settings.file
        if file is not None and session.settings.one_person is not None:
            file.write_text(
                with_setting(file.read_text(encoding="utf-8"), "one_person", None), encoding="utf-8"
            )
        _answer(session, person, as_json=as_json)


def _answer(session: Session, person: Person, *, as_json: bool) -> None:
    state = "" if person.active else ", no longer active"
    session.answer(
        {"person": _document(person)},
        [f"{person.id}  {person.name}: {_roles(person)}{state}"],
        as_json=as_json,
    )


def _document(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "active": person.active,
        "roles": sorted(person.roles),
        "one_person": person.one_person,
    }


def _roles(person: Person) -> str:
    held = ", ".join(sorted(person.roles)) or "no role"
    return "every role (one person)" if person.one_person else held
