"""`list` and `show`: what is registered, and the whole life of one experiment."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.examples import examples
from app.cli.output import AsJson, Cell, Table, plain
from app.cli.session import ExperimentId, next_lines, opened

if TYPE_CHECKING:
    from registry.store import Dossier

commands = typer.Typer()


class StateName(StrEnum):
    """The states, as they are typed."""

    DRAFT = "draft"
    IN_REVIEW = "in-review"
    REGISTERED = "registered"
    RUNNING = "running"
    STOPPED = "stopped"
    MATURE = "mature"
    READOUT = "readout"
    DECIDED = "decided"
    ABANDONED = "abandoned"
    INVALID = "invalid"


LabelName = Literal["late", "retrospective", "self-reviewed", "simulated"]
"""What is printed on an experiment for ever, as it is typed."""


@commands.command(
    "list", epilog=examples("fairtrial list", "fairtrial list --state running --owner mira --json")
)
def list_experiments(
    state: Annotated[list[StateName] | None, typer.Option(help="In one of these states; repeatable.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="ID", help="Of this owner.")] = None,
    reviewer: Annotated[str | None, typer.Option(metavar="ID", help="With this reviewer.")] = None,
    team: Annotated[str | None, typer.Option(help="Of this team.")] = None,
    label: Annotated[LabelName | None, typer.Option(help="With this label.")] = None,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME@VERSION", help="With this primary metric.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="With this in id, title or primary metric.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """List experiments, newest first. A verdict is shown once it is released, and never an effect."""
    from app.views import standings
    from registry import store
    from registry.records import Label, State

    with opened() as session:
        found = standings(
            session.registry,
            store.list_experiments(
                session.registry,
                states=[State[name.name] for name in state or ()],
                owner=owner,
                reviewer=reviewer,
                team=team,
                label=None if label is None else Label(label),
                metric=metric,
                text=text,
                limit=limit,
            ),
        )
        rows: list[tuple[Cell, ...]] = [
            (one.id, one.title, one.words, one.verdict, one.owner, one.primary_metric, ", ".join(one.labels))
            for one in found
        ]
        table = Table(("id", "title", "state", "verdict", "owner", "primary metric", "labels"), rows)
        session.answer(
            {"experiments": found}, [table if found else "No experiment matches."], as_json=as_json
        )


@commands.command(epilog=examples("fairtrial show EXP-0001", "fairtrial show EXP-0001 --plan"))
def show(
    experiment: ExperimentId,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Only the design file as it was last saved or locked, ready to be edited."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one experiment and its whole life.

    Its plan's versions, looks, proposals, decision, and every act in the ledger.
    """
    from app.views import standing_of
    from registry import store

    with opened() as session:
        dossier = store.show(session.registry, experiment)
        if plan:
            document = {
                "experiment": standing_of(dossier),
                "written": dossier.draft_written,
                "plan": dossier.draft,
            }
            if as_json:
                session.answer(document, [], as_json=True)
            else:
                typer.echo(dossier.draft_written, nl=not dossier.draft_written.endswith("\n"))
            return
        lacks = _lacks(dossier)
        document = _document(dossier) | ({} if lacks is None else {"unfinished": lacks})
        session.answer(document, _text(dossier, lacks), as_json=as_json)


def _document(dossier: Dossier) -> dict[str, Any]:
    from app.views import standing_of

    released = dossier.experiment.released_at is not None
    return {
        "experiment": standing_of(dossier),
        "plans": [
            {
                "version": locked.version,
                "sha256": locked.sha256,
                "locked_by": locked.locked_by,
                "locked_at": locked.locked_at,
                "timing": locked.timing,
                "outcome_reads_before": locked.outcome_reads_before,
            }
            for locked in dossier.plans
        ],
        "looks": [
            plain(look) | ({} if released else {"verdict": None, "stop_reason": None, "readout_sha256": None})
            for look in dossier.looks
        ],
        "proposals": dossier.proposals,
        "decision": dossier.decision,
        "outcome_reads": dossier.outcome_reads,
        "layer": dossier.reservation,
        "history": [
            {
                "seq": entry.seq,
                "at": entry.at,
                "actor": entry.actor,
                "role": entry.role,
                "action": entry.action,
                "summary": entry.summary,
                "reason": entry.reason,
            }
            for entry in dossier.history
        ],
    }


def _lacks(dossier: Dossier) -> list[str] | None:
    """What an unfinished draft still lacks, in words; None of a complete design."""
    from app.cli.errors import Refusal
    from app.cli.workspace import catalogue_in_use
    from experiments.forms.problems import Invalid
    from registry.lifecycle.drafting import is_unfinished
    from registry.plans import unfinished_problems

    if not is_unfinished(dossier.draft):
        return None
    try:
        catalogue = catalogue_in_use(None)
    except (Refusal, Invalid) as error:
        return [f"cannot be checked now: {str(error).splitlines()[0]}"]
    return [str(problem) for problem in unfinished_problems(dossier, catalogue)]


def _unfinished(lacks: list[str]) -> list[str | Table]:
    if not lacks:
        return ["  Unfinished when it was saved; nothing is wrong with it any more. Save it again."]
    count = "1 problem" if len(lacks) == 1 else f"{len(lacks)} problems"
    return [
        f"  Unfinished: it is no complete design yet ({count}). Go on with it under Register, or save a file over it; "
        "--plan writes out what there is.",
        *(f"    {problem}" for problem in lacks),
    ]


def _text(dossier: Dossier, lacks: list[str] | None) -> list[str | Table]:
    from app.formats import instant, short_hash
    from app.views import standing_of

    current = dossier.experiment
    facts = {
        "owner": current.owner,
        "reviewer": current.reviewer,
        "team": current.team,
        "primary metric": current.primary_metric,
        "key in the logs": current.assignment_key,
        "plan": short_hash(current.draft_sha256) if lacks is None else None,
        "first exposure": current.first_exposure_at and instant(current.first_exposure_at),
        "verdict": standing_of(dossier).verdict,
        "outcomes read": _times(dossier.outcome_reads),
        "closed because": current.closing_reason,
    }
    lines: list[str | Table] = [standing_of(dossier).headline]
    lines += [f"  {name:<16} {value}" for name, value in facts.items() if value]
    lines += [] if lacks is None else _unfinished(lacks)
    if dossier.decision is not None:
        signed = dossier.decision
        second = "" if signed.approved_by is None else f" and {signed.approved_by}"
        against = ", against the verdict" if signed.against_verdict else ""
        arm = "" if signed.arm is None else f" {signed.arm}"
        lines.append(
            f"  {'decision':<16} {signed.decision.replace('_', ' ')}{arm}, by {signed.decided_by}{second}{against}: "
            f"{signed.reason}"
        )
    waiting = [p for p in dossier.proposals if p.status == "open"]
    lines += [
        f"  {'waiting':<16} {p.kind} proposed by {p.proposed_by}, {instant(p.proposed_at)}" for p in waiting
    ]
    if dossier.plans:
        rows: list[tuple[Cell, ...]] = [
            (f"v{one.version}", short_hash(one.sha256), one.locked_by, instant(one.locked_at), one.timing)
            for one in dossier.plans
        ]
        lines.append(Table(("plan", "sha256", "locked by", "at", "class"), rows))
    history: list[tuple[Cell, ...]] = [
        (str(entry.seq), _at(entry.at), entry.actor, entry.action, _said(entry.summary, entry.reason))
        for entry in dossier.history
    ]
    lines.append(Table(("record", "at", "who", "did", "what"), history))
    return [*lines, *next_lines(dossier)]


def _times(number: int) -> str:
    return {0: "never", 1: "once"}.get(number, f"{number} times")


def _at(written: str) -> str:
    from app.formats import instant
    from registry.clock import parse_instant

    return instant(parse_instant(written))


def _said(summary: str, reason: str | None) -> str:
    return summary if reason is None else f"{summary} {reason.splitlines()[0]}"
