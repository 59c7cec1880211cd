"""`people`: who is in the registry, and in which roles; only an admin changes it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.errors import parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Table, plain
from app.cli.session import As, Session, opened

if TYPE_CHECKING:
    from registry.actors import Person, Role
    from registry.tokens import Token

commands = typer.Typer(
    name="people", help="Who is in the registry, and in which roles.", no_args_is_help=True
)


tokens = typer.Typer(name="token", help="Personal tokens, which prove who is asking.", no_args_is_help=True)
commands.add_typer(tokens)


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
    from app.settings_file import change_setting
    from registry import membership

    with opened(actor) as session:
        person = membership.leave_one_person_mode(session.registry, session.actor)
        file = session.settings.file
        if file is not None and session.settings.one_person is not None:
            change_setting(file, "one_person", None)
        _answer(session, person, as_json=as_json)


@commands.command(
    "require-tokens",
    epilog=examples(
        "fairtrial people require-tokens --as ada", "fairtrial people require-tokens --off --as ada"
    ),
)
def require(
    off: Annotated[bool, typer.Option("--off", help="Let a name alone do again.")] = False,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Let nobody act by giving a name alone: from now on FAIRTRIAL_TOKEN proves who is asking.

    For everybody who acts by command here. Only an admin who has a token already can ask for it.
    """
    from registry.tokens import require_tokens

    with opened(actor) as session:
        require_tokens(session.registry, session.actor, required=not off)
        said = "A name alone acts again." if off else "From now on whoever acts sets FAIRTRIAL_TOKEN."
        session.answer({"tokens_required": not off}, [said], as_json=as_json)


@tokens.command(
    epilog=examples(
        "fairtrial people token create laptop --as mira",
        "fairtrial people token create schedule --for mira --days 30 --as ada",
    )
)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Where it is used: laptop, schedule.")],
    holder: Annotated[
        str | None,
        typer.Option("--for", metavar="ID", help="Whose it is, for an admin to give. Default: who asks."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is good for.")] = 90,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and show it, this once.

    Set FAIRTRIAL_TOKEN to it where commands run; they then act as its person. The registry keeps only its hash.
    """
    from datetime import timedelta

    from app.formats import instant
    from registry import tokens as kept

    with opened(actor) as session, parameters({"name": "NAME"}):
        made = kept.create(
            session.registry, session.actor, name, person_id=holder, lifetime=timedelta(days=days)
        )
        session.answer(
            {"token": _token(session, made.token), "secret": made.secret},
            [
                made.secret,
                f"Token {made.token.id} ({made.token.name}) of {made.token.person}, until "
                f"{instant(made.token.expires_at)}. It is shown this once: export FAIRTRIAL_TOKEN=…",
            ],
            as_json=as_json,
        )


@tokens.command("list", epilog=examples("fairtrial people token list", "fairtrial people token list mira"))
def list_tokens(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="Only this person's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List tokens: whose, who made them, until when; never the tokens themselves."""
    from app.formats import instant
    from registry import tokens as kept

    with opened() as session:
        found = kept.list_tokens(session.registry, id)
        now = session.registry.clock.now()
        rows = [
            (one.id, one.person, one.name, one.issued_by, instant(one.expires_at), one.standing(now))
            for one in found
        ]
        session.answer(
            {"tokens": [_token(session, one) for one in found]},
            [Table(("id", "person", "name", "made by", "until", ""), rows) if rows else "There is no token."],
            as_json=as_json,
        )


@tokens.command("revoke", epilog=examples("fairtrial people token revoke 1a2b3c4d --as mira"))
def revoke_token(
    id: Annotated[str, typer.Argument(metavar="TOKEN-ID", help="As listed; never the token itself.")],
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Make a token worthless: your own, or as an admin anybody's."""
    from registry import tokens as kept

    with opened(actor) as session:
        token = kept.revoke(session.registry, session.actor, id)
        session.answer(
            {"token": _token(session, token)},
            [f"Token {token.id} ({token.name}) of {token.person} is revoked."],
            as_json=as_json,
        )


def _token(session: Session, token: Token) -> dict[str, Any]:
    standing = token.standing(session.registry.clock.now())
    document: dict[str, Any] = plain(token)
    return {**document, "standing": standing}


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
