"""`canary status`, `canary step`: where a canary stands, and its declared checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.errors import Failure
from app.cli.examples import examples
from app.cli.output import REFUSED, AsJson, Cell, Table, figure, percent, plain, working
from app.cli.session import As, Session, opened

if TYPE_CHECKING:
    from experiments.canaries.readout import CanaryReadout
    from experiments.looks.reproduction import Verification
    from registry.canarying import CanaryReport

commands = typer.Typer(
    name="canary", help="Canaries: growing shares under guardrails, one step at a time.", no_args_is_help=True
)

CanaryId = Annotated[
    str, typer.Argument(metavar="CAN", help="The canary's id in the registry, for example CAN-0002.")
]


@commands.command(
    epilog=examples("fairtrial canary status CAN-0002", "fairtrial canary status CAN-0002 --json")
)
def status(canary: CanaryId, as_json: AsJson = False) -> None:
    """Say where a canary stands: step, share, the check that is due, and what the sealed checks found.

    No outcome is read. Where a step's time is up without an answer and its plan says so, it is rolled back by this.
    """
    from app.views import standing_of
    from registry.store import show

    with opened() as session:
        with working(f"Reading the logs of {canary}"):
            found = _report(session, canary)
        standing = standing_of(show(session.registry, canary))
        session.answer(
            {
                "canary": standing,
                "rollout": found.rollout,
                "paused": found.paused,
                "steps_begun": found.steps_begun,
                "stands": found.stands,
                "due": found.status is not None and found.status.due,
                "check": _check_document(found),
                "checks": [check.document() for check in found.checks],
            },
            [standing.headline, *_status_text(found)],
            as_json=as_json,
        )


@commands.command(
    epilog=examples(
        "fairtrial canary step CAN-0002 --as mira", "fairtrial canary step CAN-0002 --verify --as mira"
    )
)
def step(
    canary: CanaryId,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Recompute the last sealed check: IDENTICAL, or what differs (exit code 1)."
        ),
    ] = False,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Take the check that is due, and say what follows.

    The guardrails are read once and the check is sealed. A breach pauses or rolls back, as the plan declares, in the same
    moment; exit code 1. A step that may advance waits for somebody's signature: fairtrial ladder advance.
    """
    from registry.canarying import take

    with opened(actor) as session:
        who, sources, outcomes = session.actor, session.sources, session.outcomes
        if verify:
            from registry.canarying import verify as recompute

            with working(f"Recomputing the last check of {canary}"):
                again = recompute(session.registry, who, canary, sources, outcomes, session.extracts)
            _answer_verification(session, canary, again, as_json=as_json)
            return
        with working(f"Taking the check of {canary}"):
            readout = take(session.registry, who, canary, sources, outcomes, session.extracts)
        found = _report(session, canary)
        failure = None
        if readout.verdict.code in ("DO NOT PASS", "INVALID"):
            reasons = tuple({"message": reason} for reason in readout.verdict.reasons)
            failure = Failure("refused", f"{canary}: {readout.verdict.call}", reasons, REFUSED)
        session.answer(
            {"canary": canary, "rollout": found.rollout, "check": readout.document()},
            [
                f"{canary}: check {readout.look.k}, step {readout.look.step} of {readout.look.steps}: {readout.verdict.call}",
                readout.verdict.sentence,
                guardrail_table(readout),
                *_next(readout, found.rollout),
            ],
            as_json=as_json,
            failure=failure,
        )


def guardrail_table(readout: CanaryReadout) -> Table:
    """What one check says of each guardrail: worsening with its bounds, against the margin."""
    rows = []
    for one in readout.guardrails:
        compared, last = one.comparison, one.points[-1] if one.points else None
        name = compared.label if compared.level is None else f"{compared.label}: {compared.level}"
        low, high = (None, None) if last is None else (last.low, last.high)
        row: tuple[Cell, ...] = (
            name,
            one.worsening,
            figure(low),
            figure(high),
            one.margin,
            compared.state,
            one.outlook,
        )
        rows.append(row)
    columns = ("guardrail", "worsening", "at least", "at most", "margin", "state", "outlook")
    return Table(columns, rows, f"Check {readout.look.k}")


def _report(session: Session, canary: str) -> CanaryReport:
    from experiments.canaries.cohort import cohort_of
    from registry.canarying import report
    from registry.plans import locked_canary
    from registry.store import show

    design, _ = locked_canary(show(session.registry, canary))
    outcomes = session.outcomes_if_any(cohort_of(design))
    return report(session.registry, canary, session.sources, outcomes)


def _status_text(found: CanaryReport) -> list[str | Table]:
    from app.formats import instant

    if found.stands is None:
        return ["No step has begun: its rollout has not come to it."]
    lines: list[str | Table] = [
        f"Step {found.stands.step}, {percent(found.stands.share)} of all units, since {instant(found.steps_begun[-1])}",
        found.stands.reason[:1].upper() + found.stands.reason[1:] + ".",
    ]
    if found.paused:
        lines.append(f"{found.rollout} is paused: nobody is served the candidate, and no check is taken.")
    if found.status is not None:
        units = [
            (f"step {number}", control, candidate)
            for number, (control, candidate) in enumerate(found.status.units, start=1)
        ]
        lines.append(Table(("mature units", "control", "candidate"), units))
        when = "" if found.status.expected is None else f" Expected about {instant(found.status.expected)}."
        said = "due" if found.status.due else f"not due: {'; '.join(found.status.missing)}"
        lines.append(f"Check {found.status.k} of at most {found.status.of} is {said}.{when}")
    if found.checks:
        last = found.checks[-1]
        lines += [last.verdict.sentence, guardrail_table(last), *_next(last, found.rollout)]
    return lines


def _next(readout: CanaryReadout, rollout: str | None) -> list[str]:
    canary = readout.registration.experiment
    following = {
        "advance": f"fairtrial ladder advance {rollout} --reason WHY",
        "finish": f"fairtrial decide {canary} --approve --reason WHY --as DECIDER",
        "stay": f"fairtrial canary step {canary} once the next check is due",
        "hold": f"fairtrial ladder rollback {rollout} --reason WHY, or repeat it with another canary",
        "pause": f"fairtrial ladder rollback {rollout} --reason WHY, or repeat it with another canary",
    }.get(readout.verdict.action)
    return [] if following is None or rollout is None else [f"Next: {following}"]


def _check_document(found: CanaryReport) -> dict[str, Any] | None:
    if found.status is None:
        return None
    document: dict[str, Any] = plain(found.status)
    return document


def _answer_verification(session: Session, canary: str, found: Verification, *, as_json: bool) -> None:
    failure = None
    if found.answer != "IDENTICAL":
        changes = tuple({"message": change} for change in found.changes)
        failure = Failure("refused", f"{canary}: {found.answer}", changes, REFUSED)
    session.answer(
        {
            "canary": canary,
            "answer": found.answer,
            "changes": found.changes,
            "extract": found.extract,
            "sealed_versions": found.sealed_versions,
            "versions": found.versions,
        },
        [f"{canary}: {found.answer}", *(f"  {change}" for change in found.changes)],
        as_json=as_json,
        failure=failure,
    )
