"""`init`: a workspace with its settings, catalogue, sources and an example design, and a founded registry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.errors import BadUsage, Refusal
from app.cli.examples import examples
from app.cli.output import AsJson
from app.cli.people import RoleName, roles_of
from app.cli.session import Session, open_workspace_registry

if TYPE_CHECKING:
    from registry.actors import Person
    from registry.database import Registry

commands = typer.Typer()

EXAMPLE_DESIGN = Path("designs") / "model-ab.yaml"


@commands.command(
    epilog=examples(
        "fairtrial init my-tests --one-person ada",
        "fairtrial init team-tests --admin 'Ada Lovelace' --simulated-clock 2026-11-01T00:00:00Z",
    )
)
def init(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", file_okay=False, help="Made if need be. Default: the current one."),
    ] = Path(),
    one_person: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="You work alone: this person holds every role, and registrations say self-reviewed.",
        ),
    ] = None,
    admin: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A team's first person: adds people and grants roles, sees no outcome."
        ),
    ] = None,
    role: Annotated[
        list[RoleName] | None, typer.Option(help="With --admin: a role this person has besides; repeatable.")
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A file, or postgresql://user@host/name; one that is founded already is joined. "
            "Default: .fairtrial/registry.db.",
        ),
    ] = None,
    simulated_clock: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Start at this moment instead of the machine's time; everything says simulated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start a workspace and found its registry.

    Writes settings, metric catalogue, sources, outcomes and an example design; overwrites nothing.
    """
    from app.settings import FILE_NAME, load_settings
    from registry.store import everybody

    name = _founder(one_person, admin, role, registry)
    id = None if name is None else person_id(name)
    if (folder / FILE_NAME).exists():
        raise Refusal(
            f"{folder / FILE_NAME} exists: this is a workspace already, and init overwrites nothing"
        )
    wanted = {"REGISTRY": registry, "ONE_PERSON": one_person and id, "CLOCK": simulated_clock}
    written = _settings_text({key.lower(): value for key, value in wanted.items() if value is not None})
    settings = load_settings(folder, {f"FAIRTRIAL_{key}": value for key, value in wanted.items() if value})
    folder.mkdir(parents=True, exist_ok=True)
    if registry is None:
        (folder / ".fairtrial").mkdir(exist_ok=True)
    with open_workspace_registry(settings, may_be_new=True) as opened:
        where = opened.engine.url.render_as_string(hide_password=True)
        joined = bool(everybody(opened))
        if joined and name is not None:
            raise Refusal(
                f"the registry {where} has been founded already; leave out --one-person and --admin to join it"
            )
        if not joined:
            _found(opened, id, name, one_person=one_person is not None, role=role or ())
        files = _write_files(folder, written)
        Session(settings, opened, id).answer(
            {
                "folder": str(folder),
                "registry": where,
                "joined": joined,
                "person": id,
                "one_person": one_person is not None,
                "written": files,
            },
            [
                f"{'Joined' if joined else 'Founded'} the registry {where}"
                + ("." if id is None else f" for {name} ({id})" + (", alone." if one_person else ", admin.")),
                f"Wrote {', '.join(str(folder / name) for name in files)}.",
                _next(folder, id, one_person is not None, joined),
            ],
            as_json=as_json,
        )


def person_id(name: str) -> str:
    """An id made of a name: ``Ada Lovelace`` is ``ada-lovelace``.

    Raises:
        BadUsage: nothing of the name can stand in an id.
    """
    id = re.sub(r"[^a-z0-9._@+-]+", "-", name.casefold()).strip("-._@+")[:64]
    if not id:
        raise BadUsage(f"{name!r} is not allowed as a name here; it needs a letter a to z or a digit")
    return id


def _founder(
    one_person: str | None, admin: str | None, role: list[RoleName] | None, registry: str | None
) -> str | None:
    """The name of who founds the registry; None where one is only joined."""
    if one_person is not None and admin is not None:
        raise BadUsage("give --one-person or --admin, not both: alone, or the first of a team")
    if role and admin is None:
        raise BadUsage("--role goes with --admin; one person alone holds every role")
    if one_person is None and admin is None and registry is None:
        raise BadUsage(
            "say who founds the registry: --one-person NAME to work alone, --admin NAME for a team"
        )
    return one_person or admin


def _found(
    registry: Registry,
    id: str | None,
    name: str | None,
    *,
    one_person: bool,
    role: list[RoleName] | tuple[()],
) -> Person:
    from registry import membership

    if id is None or name is None:
        raise BadUsage(
            "this registry is new: say who founds it, --one-person NAME to work alone, --admin NAME for a team"
        )
    return membership.found(registry, id, name, one_person=one_person, also=roles_of(role))


def _settings_text(wanted: dict[str, str]) -> str:
    from app.settings_file import with_setting
    from app.templates import workspace_file

    text = workspace_file("fairtrial.yaml")
    for key, value in wanted.items():
        text = with_setting(text, key, value)
    return text


def _write_files(folder: Path, settings: str) -> list[str]:
    from app.templates import WORKSPACE, design_template, workspace_file

    texts = {name: workspace_file(name) for name in WORKSPACE} | {"fairtrial.yaml": settings}
    texts[str(EXAMPLE_DESIGN)] = design_template("model-ab")
    written = []
    for name, text in texts.items():
        file = folder / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            written.append(name)
    return written


def _next(folder: Path, id: str | None, alone: bool, joined: bool) -> str:
    go = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    if alone or joined:
        return f"Next: {go}fairtrial design preview {EXAMPLE_DESIGN}"
    return f"Next: {go}fairtrial people add mira --name Mira --role analyst --as {id}"
