"""`shadow check`, `shadow readout`: a candidate on mirrored requests, blind until its declared look, then sealed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.errors import Failure
from app.cli.examples import examples
from app.cli.output import (
    REFUSED,
    AsJson,
    Cell,
    Table,
    answer,
    figure,
    note,
    p_cell,
    percent,
    print_json,
    signed,
    span,
    working,
)
from app.cli.session import As, opened
from app.cli.watch import MARKS

if TYPE_CHECKING:
    from experiments.readouts.readout import Comparison
    from experiments.shadows.readout import ShadowReadout
    from experiments.shadows.status import ShadowStatus

commands = typer.Typer(
    name="shadow",
    help="Shadows: candidate and champion on the same mirrored requests, before anybody is exposed.",
    no_args_is_help=True,
)

ShadowId = Annotated[
    str, typer.Argument(metavar="SHD", help="The shadow's id in the registry, for example SHD-0001.")
]


@commands.command(epilog=examples("fairtrial shadow check SHD-0001", "fairtrial shadow check shadow.yaml"))
def check(
    target: Annotated[
        str, typer.Argument(metavar="SHD", help="A shadow's id; or a design file, to find its problems.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a running shadow, blind to answers and labels; or a shadow's design file.

    Pairing, errors, timeouts and how many labels have come; whether the look is due, and what is missing. Exit code 1 if a
    check fails, or the file has problems.
    """
    if Path(target).is_file():
        _check_file(Path(target), as_json=as_json)
        return
    from app.views import standing_of
    from registry.shadowing import status
    from registry.store import show

    with opened() as session:
        with working(f"Checking the logs of {target}"):
            found = status(session.registry, target, session.predictions)
            dossier = show(session.registry, target)
        standing = standing_of(dossier)
        bad = tuple(
            {"message": f"{one.name}: {one.detail}; rule: {one.rule}"}
            for one in found.checks
            if one.result == "fail"
        )
        failure = Failure("refused", f"{target}: {len(bad)} checks fail", bad, REFUSED) if bad else None
        session.answer(
            {"shadow": standing, "health": found.word, **found.model_dump(mode="json")},
            [standing.headline, *_status_text(found)],
            as_json=as_json,
            failure=failure,
        )


@commands.command(
    epilog=examples(
        "fairtrial shadow readout SHD-0001 --as mira", "fairtrial shadow readout SHD-0001 --json --as mira"
    )
)
def readout(shadow: ShadowId, actor: As = None, as_json: AsJson = False) -> None:
    """Show the sealed readout of a shadow, or take its look if due.

    Before it is due the answer is no, with what is missing. A look that crossed no boundary says only that. Every reading is
    recorded. With --json it is the sealed document itself.
    """
    from app.cli.readout import answer_look_that_went_on
    from experiments.shadows.readout import ShadowReadout
    from registry import lifecycle, shadowing
    from registry.looks import WentOn
    from registry.store import show

    with opened(actor) as session:
        if show(session.registry, shadow).experiment.released_at is not None:
            found: ShadowReadout | WentOn = ShadowReadout.of_document(
                lifecycle.read_readout(session.registry, session.actor, shadow)
            )
        else:
            who, predictions = session.actor, session.predictions
            with working(f"Reading out {shadow}"):
                found = shadowing.take(session.registry, who, shadow, predictions)
        if isinstance(found, WentOn):
            answer_look_that_went_on(session, found, as_json=as_json)
        elif as_json:
            print_json(found.document())
        else:
            if session.registry.clock.simulated:
                note(f"Simulated clock: {found.released_at:%d %b %Y %H:%M} UTC")
            sealed = found
            answer({}, lambda: _readout_text(sealed), as_json=False)


def _check_file(file: Path, *, as_json: bool) -> None:
    from app.rung_protocol import rung_protocol
    from experiments.forms.documents import read_text, scan_document
    from experiments.rollouts.files import without_kind
    from experiments.shadows.design import shadow_of

    what = f"shadow {file}"
    design = shadow_of(without_kind(scan_document(read_text(file, what), what, file=str(file))))
    sections = rung_protocol(design)
    document = {"file": str(file), "sha256": design.sha256, "planned_labels": design.planned_labels}
    text: list[str | Table] = [f"{file} has no problems. sha256 {design.sha256[:12]}", ""]
    for section in sections:
        text += [section.heading, *(f"  {sentence}" for sentence in section.sentences), ""]
    answer({**document, "protocol": sections}, lambda: text, as_json=as_json)


def _status_text(found: ShadowStatus) -> list[str | Table]:
    from app.formats import instant

    pairing = found.pairing
    counts: list[tuple[Cell, ...]] = [
        ("requests that are mature", pairing.requests),
        ("answered by both", pairing.both),
        (f"by {found.champion} alone", pairing.champion_only),
        (f"by {found.candidate} alone", pairing.candidate_only),
        ("with a label", pairing.labelled),
        ("maturing", found.waiting),
    ]
    failures: list[tuple[Cell, ...]] = [
        (one.name, one.both, one.candidate_only, one.champion_only, one.neither) for one in found.failures
    ]
    checks: list[tuple[Cell, ...]] = [
        (MARKS[one.result], one.name, one.detail, p_cell(one.p_value), one.rule) for one in found.checks
    ]
    due = "The look is due." if found.look_due else f"The look is not due: {'; '.join(found.missing)}."
    when = "" if found.look_expected is None else f" Expected about {instant(found.look_expected)}."
    text: list[str | Table] = [f"Health: {found.word}", Table(("pairs", ""), counts)]
    if failures:
        columns = ("failures", "both", f"{found.candidate} only", f"{found.champion} only", "neither")
        text.append(Table(columns, failures))
    text.append(Table(("", "check", "found", "p", "rule"), checks))
    return [*text, due + when]


def _readout_text(found: ShadowReadout) -> list[str | Table]:
    gate: list[tuple[Cell, ...]] = [(one.name, one.state, one.detail) for one in found.gate]
    compared = [
        *([found.primary] if found.primary is not None else []),
        *found.declared_limits,
        *(one for segment in found.segments for one in segment.comparisons),
    ]
    text: list[str | Table] = [
        f"{found.registration.experiment}  {found.registration.title}: {found.verdict.code}",
        found.verdict.sentence,
        Table(("gate", "state", "found"), gate),
    ]
    if compared:
        text.append(comparison_table(compared, "Champion and candidate on the same requests"))
    if found.quality is not None:
        one = found.quality
        text.append(
            f"Right and wrong: both right {figure(one.both)}, candidate only {figure(one.candidate_only)}, champion only "
            f"{figure(one.champion_only)}, neither {figure(one.neither)}. {one.note}"
        )
    share = found.pairing.label_share
    if share is not None:
        text.append(f"Labels have come for {percent(share)} of the mature pairs.")
    return [*text, *found.limits, f"sha256 {found.sha256}"]


def comparison_table(compared: list[Any], title: str) -> Table:
    """One line a comparison: what, both values, the difference with its interval, and its state."""
    rows = [_comparison(one) for one in compared]
    columns = ("measure", "control", "candidate", "difference", "interval", "state")
    return Table(columns, rows, title)


def _comparison(one: Comparison) -> tuple[Cell, ...]:
    name = one.label if one.level is None else f"{one.label}: {one.level}"
    interval = None if one.interval is None else (one.interval.low, one.interval.high)
    return (
        name,
        one.control_value.value,
        one.treatment_value.value,
        signed(one.estimate),
        _span(interval),
        one.state,
    )


def _span(interval: tuple[float | None, float | None] | None) -> str:
    from math import inf

    if interval is None:
        return figure(None)
    low, high = interval
    return span((-inf if low is None else low, inf if high is None else high))
