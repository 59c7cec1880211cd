"""`readout`: the sealed result, shown in any form; taken when the look is due; recomputed on demand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.errors import BadUsage, Failure
from app.cli.examples import examples
from app.cli.output import REFUSED, AsJson, Table, working
from app.cli.session import As, ExperimentId, Session, opened

if TYPE_CHECKING:
    from experiments.readouts.readout import Readout
    from registry.looks import WentOn

commands = typer.Typer()

FormName = Literal["text", "json", "markdown", "html", "pdf", "csv"]

_FILES = {"csv": "an archive: give --out FILE.zip", "pdf": "not text: give --out FILE.pdf"}
"""Forms that are never written to the terminal, and what to do instead."""


@commands.command(
    epilog=examples(
        "fairtrial readout EXP-0001 --as mira",
        "fairtrial readout EXP-0001 --format html --out readout.html --as mira",
        "fairtrial readout EXP-0001 --format pdf --out readout.pdf --as mira",
        "fairtrial readout EXP-0001 --verify --as mira",
    )
)
def readout(
    experiment: ExperimentId,
    form: Annotated[
        FormName,
        typer.Option("--format", help="pdf needs --out, and so does csv, which is a zip archive of tables."),
    ] = "text",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write it here instead of standard output."),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Recompute it: IDENTICAL, or SOURCE CHANGED or CODE DIFFERS (exit code 1)."
        ),
    ] = False,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Show the sealed readout, or take the look if due.

    Before it is due the answer is no, with what is missing and when it is expected. A look that crossed no boundary
    says only that, and when the next is expected. Every reading is recorded.
    With --json, or --format json, it is the sealed document itself.
    """
    from app.export import render
    from registry.looks import WentOn

    if form in _FILES and out is None:
        raise BadUsage(f"--format {form} is {_FILES[form]}")
    if verify and (out is not None or form != "text"):
        raise BadUsage("--verify shows no readout; leave out --format and --out")
    with opened(actor) as session:
        if verify:
            _verify(session, experiment, as_json=as_json)
            return
        with working(f"Reading out {experiment}"):
            found = _read_or_take(session, experiment)
        if isinstance(found, WentOn):
            answer_look_that_went_on(session, found, as_json=as_json)
            return
        shown = render(found, "json" if as_json and out is None else form)
        if out is None:
            sys.stdout.write(shown if isinstance(shown, str) else shown.decode())
            sys.stdout.flush()
            return
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(shown.encode() if isinstance(shown, str) else shown)
        session.answer(
            {
                "experiment": experiment,
                "verdict": found.verdict.code,
                "sha256": found.sha256,
                "format": form,
                "file": str(out),
            },
            [f"{experiment}: {found.verdict.code}. Wrote {out}."],
            as_json=as_json,
        )


def _read_or_take(session: Session, experiment: str) -> Readout | WentOn:
    from experiments.readouts.readout import Readout
    from registry import lifecycle, looks
    from registry.store import show

    if show(session.registry, experiment).experiment.released_at is not None:
        return Readout.of_document(lifecycle.read_readout(session.registry, session.actor, experiment))
    return looks.take(
        session.registry, session.actor, experiment, session.sources, session.outcomes, session.extracts
    )


def answer_look_that_went_on(session: Session, found: WentOn, *, as_json: bool) -> None:
    """Say that no boundary was crossed, and nothing else of what was found."""
    from app.formats import instant

    expected = found.status.expected
    when = "" if expected is None else f" Next look at about {instant(expected)}."
    if found.status.due:
        when = " The next look is due."
    sentence = f"No boundary was crossed at look {found.k}. The experiment continues as planned.{when}"
    session.answer(
        {
            "experiment": found.experiment,
            "look": found.k,
            "of": found.of,
            "decision": "CONTINUE",
            "sentence": sentence,
            "next_look_due": found.status.due,
            "next_look_expected": expected,
        },
        [f"{found.experiment}: CONTINUE (look {found.k} of at most {found.of})", sentence],
        as_json=as_json,
    )


def _verify(session: Session, experiment: str, *, as_json: bool) -> None:
    from registry.looks import verify

    with working(f"Recomputing the readout of {experiment}"):
        found = verify(
            session.registry, session.actor, experiment, session.sources, session.outcomes, session.extracts
        )
    versions: list[str | Table] = []
    if found.versions != found.sealed_versions:
        rows = [
            (name, found.sealed_versions.get(name), found.versions.get(name))
            for name in sorted({*found.versions, *found.sealed_versions})
        ]
        versions = [Table(("version of", "sealed with", "now"), rows)]
    failure = None
    if found.answer != "IDENTICAL":
        changes = tuple({"message": change} for change in found.changes)
        failure = Failure("refused", f"{experiment}: {found.answer}", changes, REFUSED)
    session.answer(
        {
            "experiment": experiment,
            "answer": found.answer,
            "changes": found.changes,
            "extract": found.extract,
            "sealed_versions": found.sealed_versions,
            "versions": found.versions,
        },
        [
            f"{experiment}: {found.answer}",
            *(f"  {change}" for change in found.changes),
            f"The frozen rows behind it: {_EXTRACT[found.extract]}",
            *versions,
        ],
        as_json=as_json,
        failure=failure,
    )


_EXTRACT = {
    "reproduces": "they give the sealed sums.",
    "differs": "they do not give the sealed sums.",
    "absent": "they are not there any more.",
    "not needed": "none were kept, for no outcome was read.",
}
