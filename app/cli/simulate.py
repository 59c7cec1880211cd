"""`design simulate`: what the whole rule of a design would do, replayed many times before anything is registered."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.errors import BadUsage
from app.cli.examples import examples
from app.cli.output import AsJson, Cell, Table, answer, figure, percent, plain, working
from app.cli.session import As, opened
from app.cli.workspace import CatalogueFile, DesignFile, catalogue_in_use

if TYPE_CHECKING:
    from experiments.designs.design import Design
    from experiments.simulation import Characteristics, Estimate, Replayed, Simulation

EXAMPLES = examples(
    "fairtrial design simulate design.yaml",
    "fairtrial design simulate design.yaml --replays 2000 --seed 7 --json",
)


def simulate(
    file: DesignFile,
    replays: Annotated[
        int, typer.Option(help="How many experiments are replayed for each true effect.")
    ] = 10_000,
    seed: Annotated[
        int, typer.Option(help="Where the random numbers start; the same seed gives the same table.")
    ] = 1,
    aa: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--aa",
            metavar="SOURCES OUTCOMES",
            exists=True,
            dir_okay=False,
            help="Re-split the units of a past experiment instead of drawing data: the files that name its logs.",
        ),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option("--of", metavar="KEY", help="With --aa: the past experiment's key in the logs."),
    ] = None,
    catalogue: CatalogueFile = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Replay the whole rule of a design before launch: how often it would ship, and after how many units and looks.

    Validity, looks, primary, guardrails and harm stops together, on data drawn at the design's baselines, for
    true effects from the planned one reversed to twice as large, and for each guardrail exactly at its margin.
    With --aa on units of a past experiment, all arms pooled and re-split by chance, so that nothing differs;
    outcomes that the registry keeps closed stay closed, and the read is recorded.
    """
    from experiments.designs.design import load_design
    from experiments.simulation import simulate as simulated
    from experiments.simulation.simulating import check

    design = load_design(file, catalogue_in_use(catalogue))
    try:
        check(replays, seed)
    except ValueError as error:
        raise BadUsage(f"{error}") from None
    if of is not None and aa is None:
        raise BadUsage("--of names a past experiment in logs; give --aa SOURCES OUTCOMES too")
    if aa is not None:
        past = _replayed(design, aa, of, actor, replays, seed)
        answer({"data": "past logs", **plain(past)}, lambda: past_text(design, past), as_json=as_json)
        return
    with progress("Replaying the design") as advance:
        found = simulated(design, replays=replays, seed=seed, progress=advance)
    answer(document(found), lambda: text(design, found), as_json=as_json)


def _replayed(
    design: Design,
    files: tuple[Path, Path],
    experiment: str | None,
    actor: str | None,
    replays: int,
    seed: int,
) -> Replayed:
    from experiments.logs.sources import load_outcome_sources, load_sources
    from experiments.simulation.buckets import scan
    from experiments.simulation.simulating import replay_past

    sources, outcomes = load_sources(files[0]), load_outcome_sources(files[1])
    with _recorded(experiment or design.key, actor) as record, working("Reading the past experiment, once"):
        buckets = scan(design, sources, outcomes, experiment=experiment, before_outcomes=record)
    with progress("Replaying the past experiment") as advance:
        return replay_past(design, buckets, replays=replays, seed=seed, progress=advance)


@contextmanager
def _recorded(key: str, actor: str | None) -> Iterator[Callable[[int], None] | None]:
    """What records the read of a past experiment's outcomes; nothing outside of a workspace with a registry.

    Raises:
        Refused: the registry keeps the outcomes of an experiment with this key closed; the attempt is in the ledger.
    """
    from app.settings import load_settings
    from registry import lifecycle
    from registry.store import list_experiments

    settings = load_settings()
    if settings.registry.startswith("sqlite:///") and not Path(settings.registry[10:]).exists():
        yield None
        return
    with opened(actor) as session:
        who = session.actor
        of_key = [one for one in list_experiments(session.registry) if one.assignment_key == key]
        for closed in (one.id for one in of_key if one.released_at is None):
            lifecycle.record_outcome_read(session.registry, who, closed, "A/A replay, all arms pooled", 0)

        def record(units: int) -> None:
            for entity in [one.id for one in of_key] or [f"logs:{key}"]:
                lifecycle.record_outcome_read(
                    session.registry, who, entity, "A/A replay, all arms pooled", units
                )

        yield record


def document(found: Simulation) -> Mapping[str, Any]:
    """The table as JSON has it; a truth that cannot be has its reason and no numbers."""
    return {
        "design_sha256": found.design_sha256,
        "replays": found.replays,
        "seed": found.seed,
        "data": "parametric",
        "looks": found.looks,
        "assumptions": found.assumptions,
        "rows": [
            {
                "truth": row.truth.name,
                "primary": row.truth.primary,
                "guardrail_at_margin": row.truth.guardrail,
                "not_computed": row.truth.impossible,
                **({} if row.found is None else plain(row.found)),
            }
            for row in found.rows
        ],
    }


def text(design: Design, found: Simulation) -> list[str | Table]:
    lines: list[str | Table] = [
        f"{design.title}: {figure(found.replays)} replays of each row, seed {found.seed}; {found.looks}.",
        "",
        verdicts([(row.truth.name, row.found, row.truth.impossible) for row in found.rows]),
    ]
    if any(row.found is not None and len(row.found.by_look) > 1 for row in found.rows):
        lines.append(endings([(row.truth.name, row.found) for row in found.rows if row.found is not None]))
    lines += ["± is one Monte-Carlo standard error.", *found.assumptions]
    return lines


def past_text(design: Design, past: Replayed) -> list[str | Table]:
    lines: list[str | Table] = [
        f"{design.title}: {figure(past.replays)} A/A replays of {past.experiment}, seed {past.seed}; {past.looks}. "
        f"{figure(past.used)} of its {figure(past.units)} mature units in each, all arms pooled.",
        "",
        verdicts([("none (A/A)", past.found, None)]),
    ]
    if len(past.found.by_look) > 1:
        lines.append(endings([("none (A/A)", past.found)]))
    return [*lines, "± is one Monte-Carlo standard error.", *past.assumptions]


def verdicts(rows: Sequence[tuple[str, Characteristics | None, str | None]]) -> Table:
    """Verdict probabilities, units and looks, a row for each truth."""
    cells: list[tuple[Cell, ...]] = []
    for name, found, impossible in rows:
        if found is None:
            cells.append((name, impossible, "", "", "", "", ""))
            continue
        shares = (found.ship, found.do_not_ship, found.inconclusive, found.invalid)
        cells.append((name, *map(probability, shares), _mean(found.units, 0), _mean(found.looks, 2)))
    columns = ("true effect", "SHIP", "DO NOT SHIP", "INCONCLUSIVE", "INVALID", "mean units", "mean looks")
    return Table(columns, cells, "What could happen")


def endings(rows: Sequence[tuple[str, Characteristics]]) -> Table:
    """When and why the replays ended: a row for each truth and look, a column for each reason that occurred."""
    seen = {reason for _, found in rows for at in found.by_look for reason in at.ended}
    reasons = [reason for reason in _in_order() if reason in seen]
    cells: list[tuple[Cell, ...]] = []
    for name, found in rows:
        shown = [at for at in found.by_look if at.ended]
        for place, at in enumerate(shown):
            shares = [f"{at.ended[reason].value:.2%}" if reason in at.ended else "" for reason in reasons]
            where = (str(at.look), figure(at.units), percent(at.information))
            cells.append((name if place == 0 else "", *where, *shares))
    most = max(one.standard_error for _, found in rows for at in found.by_look for one in at.ended.values())
    columns = ("true effect", "look", "units", "information", *reasons)
    return Table(columns, cells, f"When it ends, and why (Monte-Carlo standard errors up to {most:.2%})")


def probability(found: Estimate) -> str:
    return f"{found.value:.2%} ± {found.standard_error:.2%}"


@contextmanager
def progress(message: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show how far long work has come: a bar on a terminal's standard error, else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stderr), transient=True) as shown:
        task = shown.add_task(message, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _mean(found: Estimate, decimals: int) -> str:
    value, error = (round(number, decimals) for number in (found.value, found.standard_error))
    written = figure(int(value)) if decimals == 0 else f"{value:.{decimals}f}"
    return f"{written} ± {error:.{decimals}f}" if error > 0 else written


def _in_order() -> list[str]:
    from experiments.simulation.characteristics import REASON_WORDS

    return list(REASON_WORDS.values())
