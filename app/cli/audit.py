"""`audit`: the ledger of every act, whether anybody changed it behind the registry's back, and a copy of it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.errors import Failure, parameters
from app.cli.examples import examples
from app.cli.output import REFUSED, AsJson, Cell, Table, figure
from app.cli.session import As, opened
from app.cli.times import moment_of

if TYPE_CHECKING:
    from registry.ledger import Entry

commands = typer.Typer(
    name="audit", help="Who did what and when; and whether that record is whole.", no_args_is_help=True
)


@commands.command(
    epilog=examples("fairtrial audit log", "fairtrial audit log --entity EXP-0001 --action 'read outcomes'")
)
def log(
    entity: Annotated[
        str | None, typer.Option(metavar="ENTITY", help="Of this: EXP-0001, person:mira, registry.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(metavar="ID", help="By this person; system is Fairtrial itself.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="Of this kind: 'register', 'read outcomes', 'open look refused'.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From this moment on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this moment.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the ledger's records, oldest first: every act, every read of outcomes, every refused attempt."""
    from registry.store import find_ledger

    with opened() as session:
        found = find_ledger(
            session.registry,
            entity=entity,
            actor=actor,
            action=action,
            since=None if since is None else moment_of("--since", since),
            until=None if until is None else moment_of("--until", until),
            limit=limit,
            newest_first=limit is not None,
        )
        if limit is not None:
            found = found[::-1]
        rows: list[tuple[Cell, ...]] = [
            (
                str(e.seq),
                _at(e.at),
                f"{e.actor} ({e.role})",
                e.action,
                e.entity,
                e.summary,
                _first_line(e.reason),
                e.hash[:12],
            )
            for e in found
        ]
        columns = ("record", "at", "who", "did", "to", "what", "why", "hash")
        session.answer(
            {"records": [_document(entry) for entry in found]},
            [Table(columns, rows) if rows else "No record matches."],
            as_json=as_json,
        )


@commands.command(epilog=examples("fairtrial audit verify"))
def verify(as_json: AsJson = False) -> None:
    """Tell whether anything was edited, deleted, reordered or cut behind the registry's back. Exit code 1 if so."""
    from registry.verification import verify as verify_ledger

    with opened() as session:
        found = verify_ledger(session.registry)
        failure = None
        if not found.ok:
            first = "" if found.first_broken is None else f"; the first broken record is {found.first_broken}"
            failure = Failure(
                "refused",
                f"the registry was changed behind its back{first}",
                tuple({"message": finding.what, "record": finding.seq} for finding in found.findings),
                REFUSED,
            )
        anchor = session.registry.anchor
        witnessed = (
            "no anchor file witnesses it"
            if anchor is None or found.unwitnessed is None
            else f"{figure(found.records - found.unwitnessed)} of them witnessed by {anchor}"
        )
        session.answer(
            {
                "ok": found.ok,
                "records": found.records,
                "head": found.head,
                "first_broken": found.first_broken,
                "unwitnessed": found.unwitnessed,
                "keyed": found.keyed,
            },
            [
                f"{'ok ' if found.ok else 'BROKEN'} {figure(found.records)} records, {witnessed}",
                f"last hash {found.head}" + (" (keyed)" if found.keyed else " (hashed, without a key)"),
                *([] if failure is None else [str(failure)]),
            ],
            as_json=as_json,
            failure=failure,
        )


@commands.command(
    epilog=examples("fairtrial audit export --out ledger.jsonl", "fairtrial audit export --json")
)
def export(
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write it here instead of standard output."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy the whole ledger, one JSON record a line, then a line with its count and last hash. With --json, one document."""
    from registry.store import export_ledger

    with opened() as session:
        lines = list(export_ledger(session.registry))
        end = json.loads(lines[-1])
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            session.answer(
                {"file": str(out), **end},
                [f"Wrote {figure(end['count'])} records to {out}; last hash {end['head']}"],
                as_json=as_json,
            )
        elif as_json:
            records = [json.loads(line) for line in lines[:-1]]
            session.answer({"records": records, **end}, [], as_json=True)
        else:
            sys.stdout.writelines(f"{line}\n" for line in lines)
            sys.stdout.flush()


@commands.command("adopt-key", epilog=examples("fairtrial audit adopt-key --as ada"))
def adopt_key(actor: As = None, as_json: AsJson = False) -> None:
    """Seal every record from now on with the key of FAIRTRIAL_LEDGER_KEY or FAIRTRIAL_LEDGER_KEY_FILE; for an admin, once."""
    from registry.membership import adopt_key as adopt
    from registry.store import head

    with opened(actor) as session:
        with parameters():
            adopt(session.registry, session.actor)
        end = head(session.registry)
        session.answer(
            {"key_id": end.key_id, "count": end.count, "head": end.hash},
            [f"The ledger is keyed from record {figure(end.count)} on (key {end.key_id})."],
            as_json=as_json,
        )


def _document(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "detail": json.loads(entry.detail)}


def _at(written: str) -> str:
    from app.formats import instant
    from registry.clock import parse_instant

    return instant(parse_instant(written))


def _first_line(reason: str | None) -> str | None:
    return None if reason is None else reason.splitlines()[0]
