"""`source check`: are the logs where the sources file says, with the columns it names, and how far do they reach?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.errors import invalid
from app.cli.examples import examples
from app.cli.output import AsJson, Cell, Table, answer, figure, note, plain, working
from app.cli.workspace import CatalogueFile, catalogue_in_use, outcomes_file, sources_file

if TYPE_CHECKING:
    from datetime import datetime

    from experiments.logs.inspection import LogReport, Named, SourceReport

commands = typer.Typer(name="source", help="The logs that experiments are read from.", no_args_is_help=True)

MOST_FILES = 5
"""Files listed in the text; the JSON has them all."""


@commands.callback()
def source() -> None:
    """Keeps `check` a command of the group while it is the only one."""


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
