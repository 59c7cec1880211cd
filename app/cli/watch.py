"""`health` and `look`: watching an experiment blind to its outcomes, and taking the declared look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.errors import BadUsage, Failure
from app.cli.examples import examples
from app.cli.output import REFUSED, AsJson, Cell, Table, figure, note, p_cell, percent, plain, working
from app.cli.session import As, ExperimentId, opened

if TYPE_CHECKING:
    from experiments.looks.health import Health
    from experiments.looks.stopping import LookStatus
    from registry.store import Dossier

commands = typer.Typer()

MARKS = {"pass": "✓", "warn": "!", "fail": "✕", "hold": "✕ hold", "not applicable": "–"}
"""How the result of a check is written."""


@commands.command(epilog=examples("fairtrial health EXP-0001", "fairtrial health EXP-0001 --json"))
def health(experiment: ExperimentId, as_json: AsJson = False) -> None:
    """Check an experiment's logs, blind to outcomes.

    Allocation, crossovers, freshness, maturity, ids and clocks. Of the outcome logs only unit ids, event names
    and times are read, arms pooled. Exit code 1 if a check fails.
    """
    from app.views import standing_of
    from experiments.looks.health import health_of
    from registry.looks import notice_start
    from registry.plans import locked_design
    from registry.store import show

    with opened() as session:
        with working(f"Checking the logs of {experiment}"):
            sources = session.sources
            notice_start(session.registry, experiment, sources)
            dossier = show(session.registry, experiment)
            design, _ = locked_design(dossier)
            outcomes = session.outcomes_if_any(design)
            now = session.registry.clock.now()
            found = health_of(design, sources, outcomes, now=now, experiment=experiment)
        if outcomes is None:
            note("The outcome logs are not there yet; what is checked in them is left out.")
        standing = standing_of(dossier)
        checked = found.model_dump(mode="json", exclude={"experiment"})
        session.answer(
            {"experiment": standing, "health": found.word, **checked},
            [standing.headline, *_health_text(found)],
            as_json=as_json,
            failure=_failing(found),
        )


@commands.command(epilog=examples("fairtrial look EXP-0001", "fairtrial look EXP-0001 --json"))
def look(
    experiment: ExperimentId,
    take: Annotated[
        bool, typer.Option("--take", help="Take the look, if it is due: fairtrial readout does the same.")
    ] = False,
    hold: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Hold a look that was opened by a process that died, so that it can be taken again.",
        ),
    ] = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Say whether the look is due, or what is missing.

    And when it is expected. Without --take no outcome is read.
    """
    from app.cli.readout import answer_look_that_went_on
    from app.views import standing_of
    from registry import lifecycle
    from registry.looks import WentOn, report
    from registry.looks import take as take_look
    from registry.plans import locked_design
    from registry.store import show

    if take and hold is not None:
        raise BadUsage("give --take or --hold, not both")
    with opened(actor) as session:
        registry = session.registry
        if hold is not None:
            opened_last = len(show(registry, experiment).looks) or 1
            lifecycle.hold_look(registry, session.actor, experiment, opened_last, hold)
            session.answer_act(experiment, as_json=as_json)
            return
        if take:
            who, sources, outcomes = session.actor, session.sources, session.outcomes
            with working(f"Taking the look of {experiment}"):
                readout = take_look(registry, who, experiment, sources, outcomes, session.extracts)
            if isinstance(readout, WentOn):
                answer_look_that_went_on(session, readout, as_json=as_json)
                return
            session.answer_act(experiment, as_json=as_json, extra={"readout_sha256": readout.sha256})
            return
        with working(f"Reading the logs of {experiment}"):
            design, _ = locked_design(show(registry, experiment))
            found = report(registry, experiment, session.sources, session.outcomes_if_any(design))
            dossier = show(registry, experiment)
        standing, status = standing_of(dossier), found.status
        session.answer(
            {
                "experiment": standing,
                "due": status is not None and status.due,
                "look": _look_document(status),
            },
            [standing.headline, *_look_text(dossier, status)],
            as_json=as_json,
        )


@commands.command(
    epilog=examples("fairtrial watch EXP-0001 --as mira", "fairtrial watch EXP-0001 --json --as mira")
)
def watch(experiment: ExperimentId, actor: As = None, as_json: AsJson = False) -> None:
    """Watch the declared harm stops of a running experiment.

    Outcomes of these metrics are read, which is recorded; all that comes out is whether one tripped. One that trips stops
    the experiment at once: exit code 1. Run it from a schedule, as often as wanted.
    """
    from registry.watching import watch as watch_harm_stops

    with opened(actor) as session:
        with working(f"Watching the harm stops of {experiment}"):
            found = watch_harm_stops(
                session.registry, session.actor, experiment, session.sources, session.outcomes
            )
        said = [f"Harm stop tripped: {one}. The experiment is stopped." for one in found.tripped]
        if not found.tripped:
            said = [f"No harm stop tripped ({', '.join(found.watched)})."]
            said += [f"Not judged yet: {one}." for one in found.silent]
        failure = None
        if found.tripped:
            tripped = tuple({"message": f"{one} tripped"} for one in found.tripped)
            failure = Failure("refused", f"{experiment}: stopped for harm", tripped, REFUSED)
        session.answer(
            {
                "experiment": experiment,
                "tripped": bool(found.tripped),
                "harm_stops": found.watched,
                "tripped_by": found.tripped,
                "not_judged": found.silent,
            },
            list(said),
            as_json=as_json,
            failure=failure,
        )


def _failing(found: Health) -> Failure | None:
    bad = tuple(
        {"message": f"{check.name}: {check.detail}; rule: {check.rule}"}
        for check in found.checks
        if check.result in ("fail", "hold")
    )
    return (
        Failure("refused", f"health: {len(bad)} of {len(found.checks)} checks fail", bad, REFUSED)
        if bad
        else None
    )


def _health_text(found: Health) -> list[str | Table]:
    from app.formats import instant

    checks: list[tuple[Cell, ...]] = [
        (MARKS[check.result], check.name, check.detail, p_cell(check.p_value), check.rule)
        for check in found.checks
    ]
    arms: list[tuple[Cell, ...]] = [
        (arm.arm, percent(arm.planned_share), arm.assigned, arm.exposed, arm.mature, arm.planned)
        for arm in found.arms
    ]
    text: list[str | Table] = [
        f"Health: {found.word}",
        Table(("", "check", "found", "p", "rule"), checks),
        Table(("arm", "planned share", "assigned", "exposed", "mature", "planned"), arms),
    ]
    if found.maturing:
        weeks: list[tuple[Cell, ...]] = [
            (week.week, instant(week.from_), week.mature, week.waiting) for week in found.maturing
        ]
        text.append(Table(("week", "exposed from", "mature", "waiting"), weeks))
    if found.excluded:
        left_out: list[tuple[Cell, ...]] = [(reason, n) for reason, n in found.excluded.items()]
        text.append(Table(("not analysed so far", "units"), left_out))
    return [*text, *_due_lines(found.look_due, found.missing, found.look_expected)]


def _look_text(dossier: Dossier, status: LookStatus | None) -> list[str | Table]:
    from app.cli.session import next_lines
    from app.formats import instant

    if status is None:
        waiting = dossier.experiment.state.value == "registered"
        said = ["The look is not due: no unit has been exposed yet."] if waiting else []
        return [*said, *next_lines(dossier)]
    units = ", ".join(
        f"{n} of {planned}"
        for n, planned in zip(map(figure, status.enrolled), map(figure, status.planned), strict=True)
    )
    lines: list[str | Table] = [] if status.of == 1 else [f"Look {status.k} of at most {status.of}"]
    lines += [f"{percent(min(status.information, 1.0))} of the planned information (units by arm: {units})"]
    if status.start is not None:
        lines.append(f"enrolment since {instant(status.start)}")
    lines += _due_lines(status.due, status.missing, status.expected)
    if status.due:
        lines.append(f"Next: fairtrial readout {dossier.experiment.id} --as {dossier.experiment.owner}")
    return lines


def _due_lines(due: bool, missing: tuple[str, ...], expected: Any) -> list[str | Table]:
    from app.formats import instant

    if due:
        return ["The look is due."]
    when = "" if expected is None else f" Expected about {instant(expected)}."
    return [f"The look is not due: {'; '.join(missing)}.{when}"]


def _look_document(status: LookStatus | None) -> dict[str, Any] | None:
    if status is None:
        return None
    document: dict[str, Any] = plain(status)
    del document["cut_off"]
    return document
