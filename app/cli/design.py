"""`design new`, `design check`, `design preview`: from a first draft to what it costs, before anything is registered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.errors import BadUsage, Refusal
from app.cli.examples import examples
from app.cli.metric import unverified_metrics
from app.cli.output import AsJson, Cell, Table, answer, figure, percent, plain
from app.cli.simulate import EXAMPLES, simulate
from app.cli.workspace import CatalogueFile, DesignFile, catalogue_in_use

if TYPE_CHECKING:
    from app.preview import MetricPlan, Preview
    from experiments.designs.design import Design

commands = typer.Typer(
    name="design", help="Write a design, check it, and see what it means and costs.", no_args_is_help=True
)


@commands.command(
    epilog=examples(
        "fairtrial design new --template model-ab design.yaml",
        "fairtrial design new --template non-inferiority migration.yaml",
    )
)
def new(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", dir_okay=False, help="Where to write it. Default: standard output."),
    ] = None,
    template: Annotated[
        Literal["model-ab", "feature-ab", "non-inferiority"],
        typer.Option(
            help="A new model against the served one, a change of the product, or a migration that must not harm."
        ),
    ] = "model-ab",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a commented design to start from; it passes the check with the catalogue that init writes."""
    from app.templates import design_template

    text = design_template(template)
    if file is None:
        answer({"template": template, "design": text}, lambda: [text.rstrip()], as_json=as_json)
        return
    if file.exists() and not force:
        raise Refusal(f"{file} exists; give another name, or --force to overwrite it")
    file.write_text(text, encoding="utf-8")
    answer(
        {"template": template, "file": str(file)},
        lambda: [f"Wrote {file} from template {template}. Next: fairtrial design check {file}"],
        as_json=as_json,
    )


@commands.command(
    epilog=examples(
        "fairtrial design check design.yaml",
        "fairtrial design check design.yaml --catalogue metrics.yaml --json",
    )
)
def check(file: DesignFile, catalogue: CatalogueFile = None, as_json: AsJson = False) -> None:
    """Find every problem of a design at once: file, line, path, what is allowed. Exit code 1 if there is one."""
    from experiments.designs.design import load_design

    design = load_design(file, catalogue_in_use(catalogue))
    plan = design.plan
    document = {
        "ok": True,
        "file": str(file),
        "title": design.title,
        "key": design.key,
        "sha256": design.sha256,
        "arms": [arm.name for arm in design.arms],
        "n_per_arm": plan.n_per_arm,
        "total": plan.total,
        "binding": plan.binding,
        "overridden": plan.overridden,
    }
    if plan.enrolment is not None:
        document["enrolment"] = plan.enrolment
    unsure = unverified_metrics(measure.metric for measure in design.measures)
    document["not_verified"] = unsure
    answer(document, lambda: _checked(file, design, unsure), as_json=as_json)


def _checked(file: Path, design: Design, unsure: tuple[str, ...]) -> list[str | Table]:
    plan = design.plan
    units = ", ".join(f"{arm.name} {figure(n)}" for arm, n in zip(design.arms, plan.n_per_arm, strict=True))
    lines: list[str | Table] = [
        f"ok  {file}",
        f"sha256   {design.sha256}",
        f"units    {figure(plan.total)} ({units})",
        f"binding  {plan.binding}",
    ]
    if plan.enrolment is not None:
        lines.append(f"weeks    {plan.enrolment.enrolment_weeks} of enrolment")
    if unsure:
        lines.append(f"note     no metric steward vouches yet for {', '.join(unsure)}")
    return lines


@commands.command(epilog=examples("fairtrial design preview design.yaml"))
def preview(
    file: DesignFile,
    replays: Annotated[
        int,
        typer.Option(min=0, help="Replays of the whole rule for each true effect; 0 leaves the table out."),
    ] = 2_000,
    catalogue: CatalogueFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a design means in plain words, what it costs, and how much hangs on its assumptions.

    And what could happen: the whole rule, simulated. `fairtrial design simulate` says more of it.
    """
    from app.cli import simulate as simulation
    from app.preview import preview as preview_of
    from experiments.designs.design import load_design
    from experiments.simulation import simulate as simulated

    design = load_design(file, catalogue_in_use(catalogue))
    found = preview_of(design)
    could = None
    if replays:
        with simulation.progress("Replaying the design") as advance:
            could = simulated(design, replays=replays, progress=advance)

    def text() -> list[str | Table]:
        if could is None:
            return _text(found)
        rows = [(row.truth.name, row.found, row.truth.impossible) for row in could.rows]
        said = f"{figure(could.replays)} replays of each row, seed {could.seed}; ± is one Monte-Carlo standard error."
        return [*_text(found), "", simulation.verdicts(rows), said, *could.assumptions]

    shown = {"operating_characteristics": None if could is None else simulation.document(could)}
    answer(plain(found) | shown, text, as_json=as_json)


@commands.command(epilog=examples("fairtrial design fields", "fairtrial design fields primary"))
def fields(
    under: Annotated[
        str | None, typer.Argument(metavar="FIELD", help="Only this field and what stands under it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List every field of a design file: what may be written, its default, what it means."""
    from app.fields import fields_of
    from experiments.designs.written import WrittenDesign
    from experiments.forms.problems import unknown_name

    every = list(fields_of(WrittenDesign))
    found = [field for field in every if under is None or _stands_under(field.path, under)]
    if not found:
        names = list(dict.fromkeys(field.path.split(".")[0].removesuffix("[]") for field in every))
        raise BadUsage(f"FIELD: {unknown_name(under, names, 'a field of a design')}")
    rows = [(field.path, field.allowed, field.default, field.meaning) for field in found]
    table = Table(("field", "may be", "default", "meaning"), rows)
    answer({"fields": found}, lambda: [table], as_json=as_json)


def _stands_under(path: str, field: str) -> bool:
    return path == field or path.startswith((f"{field}.", f"{field}[]"))


commands.command(epilog=EXAMPLES)(simulate)


def _text(found: Preview) -> list[str | Table]:
    lines: list[str | Table] = [found.title, f"sha256 {found.sha256}", ""]
    for section in found.protocol:
        lines += [section.heading, *(f"  {sentence}" for sentence in section.sentences), ""]
    lines += [_metrics(found), _ship(found), ""]
    if found.stopping is not None or found.harm_stops:
        from app.cli.stopping import stopping_parts

        lines += [*stopping_parts(found.stopping, found.harm_stops), ""]
    if found.weeks:
        lines.append(_weeks(found))
        lines.append("Each week is a design of its own: this table is no licence to look every week.")
        lines.append("")
    else:
        lines += ["Without power.units_per_day there is no duration and no table of weeks.", ""]
    lines.append(_sensitivity(found))
    return lines


def _metrics(found: Preview) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            plan.metric,
            plan.role,
            plan.target,
            " / ".join(figure(n) for n in plan.n_per_arm),
            percent(plan.power),
            "sets the sample size" if plan.binds else "",
        )
        for plan in found.metrics
    ]
    needed = f"needs ({' / '.join(found.arms)})"
    return Table(
        ("metric", "role", "to show", needed, "power at the planned n", ""),
        rows,
        "Sample size and power",
    )


def _ship(found: Preview) -> str:
    units = " / ".join(figure(n) for n in found.n_per_arm)
    return (
        f"Planned: {units} units. If the planned effect is there and no guardrail is harmed, the verdict is SHIP with "
        f"probability {percent(found.ship_power)} or more."
    )


def _weeks(found: Preview) -> Table:
    rows: list[tuple[Cell, ...]] = []
    marked = False
    for week in found.weeks:
        sizes = [_size(week.detectable[plan.metric], plan) for plan in found.metrics]
        first = week.enough and not marked
        marked = marked or week.enough
        rows.append((week.week, " / ".join(map(figure, week.n_per_arm)), *sizes, "enough" if first else ""))
    columns = ["week", "units", *(_heading(plan) for plan in found.metrics), ""]
    return Table(columns, rows, f"Smallest effect or margin with power {percent(found.power_per_test)}")


def _heading(plan: MetricPlan) -> str:
    return f"{plan.metric} {'margin' if plan.target.startswith('margin') else 'effect'}"


def _size(value: float | None, plan: MetricPlan) -> str:
    if value is None:
        return "none"
    number = figure(plan.factor * abs(value), 3)
    return f"{number}{plan.unit}" if plan.unit.startswith("%") else f"{number} {plan.unit}".strip()


def _sensitivity(found: Preview) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for scenario in found.sensitivity:
        if scenario.n_per_arm is None or scenario.ship_power is None:
            rows.append((scenario.name, scenario.not_computed, "", "", ""))
            continue
        units = " / ".join(figure(n) for n in scenario.n_per_arm)
        weeks = figure(None) if scenario.weeks is None else str(scenario.weeks)
        rows.append((scenario.name, units, scenario.binding, percent(scenario.ship_power), weeks))
    return Table(
        ("if", "would need", "set by", "P(SHIP) at the planned n", "weeks"),
        rows,
        "If the assumptions are wrong",
    )
