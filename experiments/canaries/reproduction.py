"""Does a sealed check come out again? IDENTICAL, SOURCE CHANGED or CODE DIFFERS, as for an A/B readout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

from experiments.canaries.checking import CheckContext, make_canary_readout
from experiments.canaries.cohort import cohort_of
from experiments.canaries.design import CanaryDesign
from experiments.canaries.looking import TakenCheck, take_check
from experiments.canaries.past import PastCheck
from experiments.canaries.readout import CanaryReadout
from experiments.canaries.schedule import slots_of
from experiments.canaries.stopping import CheckStatus
from experiments.cohorts.gathering import sums_by_experiment
from experiments.forms.documents import canonical_json
from experiments.forms.problems import Invalid
from experiments.logs.engines.duckdb import DuckDB
from experiments.logs.manifest import Manifest
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.sql import Step, text
from experiments.looks.reproduction import (
    Answer,
    ExtractAnswer,
    Verification,
    _differences,
    _now,
    _sealed_layout,
)
from experiments.readouts.context import versions


def verify_check(
    design: CanaryDesign,
    sealed: CanaryReadout,
    sources: Sources,
    outcomes: OutcomeSources,
    past: Sequence[PastCheck],
    extract: FilePath | None,
) -> Verification:
    """Recompute a sealed check from its own files, and from the frozen rows.

    Args:
        past: the checks sealed before it.
    """
    manifest = Manifest.of_list(sealed.reproduce.manifest)
    frozen = check_frozen_rows(design, sealed, extract)
    changes = manifest.changes(_now(manifest, sources.place, outcomes.place))
    if not changes:
        try:
            taken = take_check(
                design,
                sources,
                outcomes,
                steps_begun=sealed.look.steps_begun,
                past=past,
                status=status_of_sealed(design, sealed),
                sealed=manifest,
            )
        except Invalid as error:
            changes = tuple(str(problem) for problem in error.problems)
        else:
            later = manifest.changes(taken.manifest)  # tables and frames are known only once they are open
            if not later:
                return _compared(design, sealed, taken, past, frozen)
            changes = later
    return Verification("SOURCE CHANGED", changes, frozen, sealed.reproduce.versions, versions())


def status_of_sealed(design: CanaryDesign, sealed: CanaryReadout) -> CheckStatus:
    """The check that a sealed readout is of, to be taken again."""
    look = sealed.look
    slot = next(s for s in slots_of(design) if (s.step, s.place) == (look.step, look.slot))
    return CheckStatus(True, slot, look.at, (), (), None, look.k, look.of)


def check_frozen_rows(design: CanaryDesign, sealed: CanaryReadout, extract: FilePath | None) -> ExtractAnswer:
    """Whether the frozen per-unit rows give the sealed sums of every step. Needs neither logs nor what planned the sums."""
    held = {
        str(step["step"]): step["outcomes"] for step in sealed.reproduce.evidence["steps"] if step["outcomes"]
    }
    if not held:
        return "not needed"
    first = next(iter(held.values()))
    quantiles = [i for i, measure in enumerate(design.measures) if measure.metric.type == "quantile"]
    tables = ["per_unit", *(f"requests_{index}" for index in quantiles)]
    if extract is None or any(not (extract / f"{table}.parquet").exists() for table in tables):
        return "absent"
    try:
        with DuckDB() as engine:
            for table in tables:
                file = text(str(extract / f"{table}.parquet"))
                rows = f"SELECT * FROM read_parquet({file}, hive_partitioning = false)"
                engine.run(Step("extract", f"CREATE TEMP TABLE {table} AS {rows}"))
            layout, absent = _sealed_layout(first), tuple(first["absent_events"])
            found = sums_by_experiment(engine, cohort_of(design), layout, absent)
    except Invalid:  # a file that is no longer what was written
        return "differs"
    again = {step: sums.as_json() for step, sums in found.items()}
    return "reproduces" if canonical_json(again) == canonical_json(held) else "differs"


def _compared(
    design: CanaryDesign,
    sealed: CanaryReadout,
    taken: TakenCheck,
    past: Sequence[PastCheck],
    frozen: ExtractAnswer,
) -> Verification:
    again = make_canary_readout(
        design,
        taken.evidence,
        CheckContext(
            registration=sealed.registration,
            look=sealed.look,
            released_at=sealed.released_at,
            simulated=sealed.simulated,
            manifest=sealed.reproduce.manifest,
            statements=sealed.reproduce.statements,
            held=taken.held,
            past=tuple(past),
            ledger_head=sealed.reproduce.ledger_head,
            ledger_count=sealed.reproduce.ledger_count,
        ),
    )
    differing = tuple(_differences(sealed.body(), again.body(), ""))
    significant = tuple(name for name in differing if not name.startswith("reproduce.versions"))
    answer: Answer = "CODE DIFFERS" if significant else "IDENTICAL"
    return Verification(answer, significant, frozen, sealed.reproduce.versions, versions())
