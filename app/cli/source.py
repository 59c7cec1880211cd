"""`source check`: are the logs where the sources file says, and how far do they reach? `source add`: one more file for a log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.errors import BadUsage, invalid
from app.cli.examples import examples
from app.cli.output import AsJson, Cell, Table, answer, figure, note, plain, working
from app.cli.session import As, opened
from app.cli.workspace import CatalogueFile, catalogue_in_use, outcomes_file, sources_file

if TYPE_CHECKING:
    from datetime import datetime

    from app.handing_in import LookedOver
    from experiments.logs.inspection import LogReport, Named, SourceReport

commands = typer.Typer(name="source", help="The logs that experiments are read from.", no_args_is_help=True)

MOST_FILES = 5
"""Files listed in the text; the JSON has them all."""


@commands.command(
    epilog=examples(
        "fairtrial source check main",
        "fairtrial source check --design design.yaml --json",
    )
)
def check(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Source of the sources file. Default: the design's, else main."),
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The sources file. Default: the workspace's."),
    ] = None,
    outcomes: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The outcomes file. Default: the workspace's."),
    ] = None,
    without_outcomes: Annotated[
        bool, typer.Option("--without-outcomes", help="Leave the outcome logs closed.")
    ] = False,
    design: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Also check that the source can serve this design."),
    ] = None,
    catalogue: CatalogueFile = None,
    as_json: AsJson = False,
) -> None:
    """Open the logs of a source: files, columns and what they are mapped to, rows, times, completeness.

    Of an outcome log only its schema, the number of events of each name and their times are read, arms
    pooled; never a value. Exit code 1 if anything is missing.
    """
    from experiments.cohorts.suitability import design_problems
    from experiments.designs.design import load_design
    from experiments.logs.inspection import inspect_source
    from experiments.logs.sources import load_outcome_sources, load_sources

    declared = None if design is None else load_design(design, catalogue_in_use(catalogue))
    chosen = name or ("main" if declared is None else declared.written.source)
    assigned = load_sources(sources_file(sources))
    measured = None if without_outcomes else load_outcome_sources(outcomes_file(outcomes))
    if measured is not None and chosen not in measured.by_name:
        note(f"The outcomes file has no source {chosen!r}; its outcome logs are left out.")
        measured = None
    with working(f"Reading the logs of {chosen}"):
        report = inspect_source(chosen, assigned, measured)
        if declared is not None and report.ok:
            report = replace(report, problems=design_problems(declared, assigned, measured, report))
    failure = None if report.ok else invalid(f"source {chosen}", report.problems)
    document = {"ok": report.ok, "design": None if design is None else str(design), **plain(report)}
    answer(document, lambda: _text(report), as_json=as_json, failure=failure)


@commands.command(
    epilog=examples(
        "fairtrial source add assignments.csv --log assignments --column unit=user_id",
        "fairtrial source add assignments.csv --log assignments --commit --as mira --json",
    )
)
def add(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="A .csv, .csv.gz or .parquet file."),
    ],
    log: Annotated[
        str, typer.Option(help="assignments, exposures or outcomes; of several outcome logs outcomes_1.")
    ],
    to: Annotated[
        str, typer.Option(metavar="NAME", help="The source; a new one begins with its assignments.")
    ] = "main",
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=COLUMN",
            help="Which column of the file is which; repeatable. Left out, it is found by name; ROLE= maps to none.",
        ),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Of a new log: nothing more will come, so it needs no times.")
    ] = False,
    commit: Annotated[
        bool,
        typer.Option("--commit", help="Add it; without this it is only looked over and nothing is changed."),
    ] = False,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Look a file over as rows of a log, and with --commit add it.

    Told are its schema and counts, of an outcome file nothing else. It is written anew as the log's own kind of file, with the
    columns that are mapped and no other; who added it, its hash and its rows are in the ledger. Exit code 1 if anything is wrong.
    """
    import uuid

    from app.handing_in import HandedIn, look_over
    from app.handing_in import add as add_file
    from app.spool import ENDINGS, ending_of

    if ending_of(file.name) is None:
        raise BadUsage(f"{file.name}: not a kind of file that can be added; allowed: {', '.join(ENDINGS)}")
    handed = HandedIn(file.resolve(), file.name, log, _mapping(column or []), complete=complete)
    with opened(actor) as session:
        with working(f"Reading {file.name}"):
            found = look_over(session.settings, to, handed)
        files = 0
        if commit and found.report.ok:
            who = session.actor
            found, files = add_file(
                session.settings,
                session.registry,
                who,
                to,
                handed,
                upload=uuid.uuid4().hex,
                sha256=found.sha256,
            )
        failure = None if found.report.ok else invalid(file.name, found.report.problems)
        document = {
            "ok": found.report.ok,
            "added": bool(files),
            "source": to,
            "log": found.target.label,
            "new": found.target.entry is not None,
            "sha256": found.sha256,
            "files": files,
            "complete_days": found.complete_days,
            "wanted": found.target.wanted.columns,
            **plain(found.report),
        }
        session.answer(document, _looked_over(to, found, files), as_json=as_json, failure=failure)


def _mapping(written: list[str]) -> dict[str, str]:
    wrong = [one for one in written if "=" not in one]
    if wrong:
        raise BadUsage(f"--column: {wrong[0]!r} is not allowed; give ROLE=COLUMN, for example unit=user_id")
    return {role.strip(): name.strip() for role, _, name in (one.partition("=") for one in written)}


def _looked_over(source: str, found: LookedOver, files: int) -> list[str | Table]:
    report, target = found.report, found.target
    days = "" if report.days is None else f" on {figure(report.days)} day{'' if report.days == 1 else 's'}"
    begins = " (a new log)" if target.entry is not None else ""
    lines: list[str | Table] = [f"{figure(report.rows)} rows{days} for {target.label} of {source}{begins}"]
    mapped = {one.column: one for one in report.mapped}
    rows: list[tuple[Cell, ...]] = [
        (
            mapped[name].role if name in mapped else "not kept",
            name,
            kind,
            "✕" if name in mapped and mapped[name].problem else "",
        )
        for name, kind in report.columns.items()
    ]
    lines.append(Table(("field", "column of the file", "type", ""), rows))
    if report.arms:
        lines.append(Table(("arm as logged", "rows"), report.arms))
    if report.preview:
        lines.append(Table(report.preview_columns, report.preview, "The first rows, unit ids masked"))
    if report.without_unit:
        lines.append(f"{figure(report.without_unit)} rows have no unit.")
    if report.repeated:
        lines.append(f"{figure(report.repeated)} rows repeat another in all but its value.")
    if found.complete_days:
        lines.append(
            f"{figure(found.complete_days)} of its days are marked complete already; adding rows changes them."
        )
    lines += [f"problem  {problem}" for problem in report.problems]
    if files:
        lines.append(f"Added, as {figure(files)} file{'' if files == 1 else 's'}. It is in the ledger.")
    elif report.ok:
        lines.append("Nothing is wrong with it, and nothing was changed. Add it with --commit.")
    return lines


def _text(report: SourceReport) -> list[str | Table]:
    lines: list[str | Table] = []
    for log in report.logs:
        lines += _log(log)
    complete = "nothing more will come" if report.watermark is None and report.ok else _time(report.watermark)
    lines.append(f"Complete up to: {complete} ({report.watermark_why}).")
    if report.problems:
        lines += ["", *(f"problem  {problem}" for problem in report.problems)]
    else:
        lines.append(f"ok  source {report.source}")
    return lines


def _log(log: LogReport) -> list[str | Table]:
    from app.overview.quality import quality_sentences

    lines: list[str | Table] = [f"{log.log}  {log.place}"]
    if log.rows is None:
        return [*lines, "  cannot be opened", ""]
    files = "" if not log.files else f"{figure(len(log.files))} file{'' if len(log.files) == 1 else 's'}, "
    nobody = f", {figure(log.without_unit)} without a unit" if log.without_unit else ""
    times = "no times" if log.first is None else f"{_time(log.first)} to {_time(log.last)}"
    lines.append(f"  {files}{figure(log.rows)} rows{nobody}; {times}")
    lines += [f"  {file}" for file in log.files[:MOST_FILES]]
    if len(log.files) > MOST_FILES:
        lines.append(f"  … {figure(len(log.files) - MOST_FILES)} more")
    rows: list[tuple[Cell, ...]] = [
        (mapped.role, mapped.column, mapped.type or "missing", "✕" if mapped.problem else "")
        for mapped in log.mapped
    ]
    used = {mapped.column for mapped in log.mapped}
    rows += [("not used", name, kind, "") for name, kind in log.columns.items() if name not in used]
    lines.append(Table(("field", "column", "type", ""), rows))
    if log.arms:
        lines.append(Table(("arm as logged", "rows"), [(arm.name, arm.rows) for arm in log.arms]))
    if log.events:
        lines.append(_events(log.events))
    if log.further_names:
        lines.append(f"  … {figure(log.further_names)} further names")
    if log.quality is not None:
        lines += [f"  {sentence}" for sentence in quality_sentences(log.quality)]
    return lines


def _events(events: tuple[Named, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (event.name, event.rows, _time(event.first), _time(event.last)) for event in events
    ]
    return Table(("event (arms pooled)", "rows", "first", "last"), rows)


def _time(moment: datetime | None) -> str:
    from app.formats import instant

    return instant(moment)
