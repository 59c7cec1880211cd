"""Does a sealed readout come out again? IDENTICAL, SOURCE CHANGED or CODE DIFFERS.

First the files: a seal names each with its hash. If they are unchanged the whole look is taken again from them and every
number compared. If not, the frozen per-unit rows still tell whether the sealed sums follow from what was read then.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Literal

from experiments.cohorts.cohort import CutOff
from experiments.cohorts.gathering import sums_of
from experiments.cohorts.quantities import ONLY_WHERE, Family, Layout, Variable
from experiments.designs.design import Design
from experiments.forms.documents import canonical_json
from experiments.forms.problems import Invalid
from experiments.logs.engines.duckdb import DuckDB
from experiments.logs.manifest import Manifest, Part, file_part
from experiments.logs.sources import OutcomeSources, Place, Sources
from experiments.logs.sql import Step, text
from experiments.looks.looking import Taken, take_look
from experiments.readouts.context import Context, versions
from experiments.readouts.judgement import make_readout
from experiments.readouts.past import past_of
from experiments.readouts.readout import Readout

Answer = Literal["IDENTICAL", "SOURCE CHANGED", "CODE DIFFERS"]
ExtractAnswer = Literal["reproduces", "differs", "absent", "not needed"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of recomputing a sealed readout.

    Attributes:
        changes: files that are gone or changed; or the parts of the readout that differ.
        extract: whether the frozen per-unit rows give the sealed sums.
    """

    answer: Answer
    changes: tuple[str, ...]
    extract: ExtractAnswer
    sealed_versions: dict[str, str]
    versions: dict[str, str]


def verify_readout(
    design: Design, sealed: Readout, sources: Sources, outcomes: OutcomeSources, extract: FilePath | None
) -> Verification:
    """Recompute a sealed readout from its own files, and from the frozen rows."""
    manifest = Manifest.of_list(sealed.reproduce.manifest)
    frozen = check_extract(design, sealed, extract)
    changes = manifest.changes(_now(manifest, sources.place, outcomes.place))
    if not changes:
        try:
            past = past_of(sealed)
            taken = take_look(
                design, sources, outcomes, past=past, cut_off=cut_off_of(sealed), sealed=manifest
            )
        except Invalid as error:
            changes = tuple(str(problem) for problem in error.problems)
        else:
            later = manifest.changes(taken.manifest)  # tables and frames are known only once they are open
            if not later:
                return _compared(design, sealed, taken, frozen)
            changes = later
    return Verification("SOURCE CHANGED", changes, frozen, sealed.reproduce.versions, versions())


def _compared(design: Design, sealed: Readout, taken: Taken, frozen: ExtractAnswer) -> Verification:
    again = make_readout(
        design,
        taken.evidence,
        Context(
            registration=sealed.registration,
            look=sealed.look,
            released_at=sealed.released_at,
            simulated=sealed.simulated,
            manifest=sealed.reproduce.manifest,
            statements=sealed.reproduce.statements,
            held=taken.held,
            past=past_of(sealed),
            ledger_head=sealed.reproduce.ledger_head,
            ledger_count=sealed.reproduce.ledger_count,
        ),
    )
    differing = tuple(_differences(sealed.body(), again.body(), ""))
    significant = tuple(name for name in differing if not name.startswith("reproduce.versions"))
    answer: Answer = "CODE DIFFERS" if significant else "IDENTICAL"
    return Verification(answer, significant, frozen, sealed.reproduce.versions, versions())


def cut_off_of(sealed: Readout) -> CutOff:
    """The cut-off in whole microseconds, as the sealed counts hold it."""
    held = sealed.reproduce.evidence["cohort"]["cut_off"]
    return CutOff(held["before_us"], held["watermark_us"])


def check_extract(design: Design, sealed: Readout, extract: FilePath | None) -> ExtractAnswer:
    """Whether the frozen per-unit rows give the sealed sums. Needs neither the logs nor what planned the sums."""
    held = sealed.reproduce.evidence["outcomes"]
    if held is None:
        return "not needed"
    quantiles = [i for i, measure in enumerate(design.measures) if measure.metric.type == "quantile"]
    tables = ["per_unit", *(f"requests_{index}" for index in quantiles)]
    if extract is None or any(not (extract / f"{table}.parquet").exists() for table in tables):
        return "absent"
    try:
        with DuckDB() as engine:
            for table in tables:
                file = text(str(extract / f"{table}.parquet"))
                engine.run(
                    Step(
                        "extract",
                        f"CREATE TEMP TABLE {table} AS SELECT * FROM read_parquet({file}, hive_partitioning = false)",
                    )
                )
            found = sums_of(engine, design, _sealed_layout(held), tuple(held["absent_events"]))
    except Invalid:  # a file that is no longer what was written
        return "differs"
    return "reproduces" if canonical_json(found.as_json()) == canonical_json(held) else "differs"


def _sealed_layout(held: dict[str, Any]) -> Layout:
    """The families of variables as the seal names them; their columns are in the frozen rows."""
    families = []
    for family in held["families"]:
        if family["segment"] is None:
            described = zip(family["names"], family["scales"], family["centres"], strict=True)
            variables = tuple(Variable(name, "", scale, centre) for name, scale, centre in described)
            only = ONLY_WHERE.get(family["variant"])
            families.append(Family(family["measure"], family["variant"], variables, only))
    return Layout((), tuple(families), ())


def _now(manifest: Manifest, place: Place, outcome_place: Place) -> Manifest:
    parts: list[Part] = []
    for part in manifest.parts:
        if part.kind == "file":
            folder = outcome_place.folder if part.log.startswith("outcomes") else place.folder
            if (folder / part.name).exists():
                parts.append(file_part(part.log, folder / part.name, folder))
        else:
            parts.append(part)
    return Manifest(tuple(parts))


def _differences(sealed: Any, again: Any, path: str) -> list[str]:
    if isinstance(sealed, dict) and isinstance(again, dict):
        found: list[str] = []
        for key in sorted(set(sealed) | set(again)):
            found += _differences(sealed.get(key), again.get(key), f"{path}.{key}" if path else str(key))
        return found
    if isinstance(sealed, list) and isinstance(again, list) and len(sealed) == len(again):
        found = []
        for index, (a, b) in enumerate(zip(sealed, again, strict=True)):
            found += _differences(a, b, f"{path}[{index}]")
        return found
    if isinstance(sealed, float) and isinstance(again, float):
        close = abs(sealed - again) <= 1e-12 * max(abs(sealed), abs(again))
        return [] if close else [f"{path}: {sealed!r} sealed, {again!r} now"]
    return [] if sealed == again else [f"{path}: differs"]
