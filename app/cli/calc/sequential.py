"""`calc sequential` and `calc sequential-analysis`: group-sequential boundaries, and what the looks showed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.calc.values import Numbers, numbers
from app.cli.errors import parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Table, answer, figure, p_cell, p_text, percent, signed, span

if TYPE_CHECKING:
    from analysis.sequential import GroupSequentialDesign, SequentialAnalysis

commands = typer.Typer()

Boundary = Literal[
    "lan-demets-obf",
    "lan-demets-pocock",
    "kim-demets",
    "hwang-shih-decani",
    "obrien-fleming",
    "pocock",
    "wang-tsiatis",
]
Type = Annotated[Boundary, typer.Option("--type", help="Spending function or classic boundary.")]
Parameter = Annotated[
    float | None,
    typer.Option(
        "--param", help="ρ of kim-demets, γ of hwang-shih-decani, Δ of wang-tsiatis; the others have none."
    ),
]
Level = Annotated[float, typer.Option(help="Level; the total of both sides with --sides 2.")]
Sides = Annotated[int, typer.Option(min=1, max=2, help="1, or 2 for symmetric boundaries.")]
Information = Annotated[
    Numbers, typer.Option(parser=numbers, metavar="T,T,…", help="Information fraction of each look, rising.")
]
PowerOf = Annotated[
    float | None,
    typer.Option(help="Power at the planned effect; needed for futility, inflation and expected sizes."),
]
Futility = Annotated[
    Literal["lan-demets-obf", "lan-demets-pocock", "kim-demets", "hwang-shih-decani"] | None,
    typer.Option(help="Spending function of the type-II error."),
]
FutilityParameter = Annotated[
    float | None, typer.Option("--futility-param", help="Its parameter, where it has one.")
]
Binding = Annotated[
    bool, typer.Option("--binding", help="The critical values rely on stopping for futility.")
]
_NAMES = {
    "parameter": "--param",
    "futility_parameter": "--futility-param",
    "spending": "--type",
    "standard_errors": "--estimate-scale",
}


@commands.command(
    epilog=examples(
        "fairtrial calc sequential --type lan-demets-obf --alpha 0.025 --sides 1 --information 0.2,0.5,0.8,1",
        "fairtrial calc sequential --type hwang-shih-decani --param -4 --alpha 0.025 --sides 1 "
        "--information 0.5,0.75,1 --power 0.8 --futility hwang-shih-decani --futility-param -2",
    )
)
def sequential(
    kind: Type,
    alpha: Level,
    sides: Sides,
    information: Information,
    parameter: Parameter = None,
    power: PowerOf = None,
    futility: Futility = None,
    futility_parameter: FutilityParameter = None,
    binding: Binding = False,
    as_json: AsJson = False,
) -> None:
    """Boundaries of a group-sequential test, what each look spends, and what the looks cost.

    Sizes are relative to the fixed design of the same level and power. null stands for a look without a
    boundary: it spends nothing.
    """
    from analysis.sequential import group_sequential_design

    with parameters(_NAMES):
        plan = group_sequential_design(
            kind, alpha, information, sides, parameter, power, futility, futility_parameter, binding
        )
    document = {
        "critical": plan.critical,
        "spent": plan.spent,
        "nominal": plan.nominal,
        "futility": plan.futility,
        "inflation": plan.inflation,
        "expected_n_h0": plan.expected_n_h0,
        "expected_n_half": plan.expected_n_half,
        "expected_n_h1": plan.expected_n_h1,
        "drift": plan.drift,
        "type": kind,
        "param": parameter,
        "alpha": alpha,
        "sides": sides,
        "information": plan.information,
        "power": power,
        "futility_type": futility,
        "futility_param": futility_parameter,
        "binding": binding,
        "not_computed": plan.not_computed,
    }
    answer(document, lambda: _boundaries(plan), as_json=as_json)


def _boundaries(plan: GroupSequentialDesign) -> list[str | Table]:
    columns = ["look", "information", "critical z", "α spent", "nominal level"]
    rows: list[tuple[str, ...]] = []
    for look, fraction in enumerate(plan.information):
        row = [str(look + 1), figure(fraction), figure(plan.critical[look], 7), figure(plan.spent[look])]
        row.append(figure(plan.nominal[look]))
        if plan.futility is not None:
            row.append(figure(plan.futility[look] if look < len(plan.futility) else None, 7))
        rows.append(tuple(row))
    if plan.futility is not None:
        columns.append("futility z" if plan.sides == 1 else "futility |z|")
    if plan.inflation is None:
        sentence = "With --power: the inflation over the fixed design, and expected sizes."
    else:
        sentence = (
            f"The largest sample is {plan.inflation:.4f} times the fixed design's; on average it takes "
            f"{plan.expected_n_h0:.4f} of it without an effect and {plan.expected_n_h1:.4f} with the planned one."
        )
    return [Table(columns, rows), sentence]


@commands.command(
    "sequential-analysis",
    epilog=examples(
        "fairtrial calc sequential-analysis --type lan-demets-obf --alpha 0.025 --sides 1 "
        "--information 0.4,0.7,1 --z 1.1,1.9,2.32",
    ),
)
def sequential_analysis(
    kind: Type,
    alpha: Level,
    sides: Sides,
    information: Annotated[
        Numbers,
        typer.Option(
            parser=numbers, metavar="T,T,…", help="Fraction of the planned information at each look taken."
        ),
    ],
    z: Annotated[
        Numbers,
        typer.Option(
            parser=numbers, metavar="Z,Z,…", help="z at each look; fewer while looks are still to come."
        ),
    ],
    estimate_scale: Annotated[
        Numbers | None,
        typer.Option(
            parser=numbers,
            metavar="SE,SE,…",
            help="Standard error at each look, for intervals in the metric's unit.",
        ),
    ] = None,
    planned: Annotated[
        Numbers | None,
        typer.Option(
            parser=numbers,
            metavar="T,T,…",
            help="Planned fractions, where the looks came at others. Default: --information, ending at 1.",
        ),
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="The last look ends the test below information 1.")
    ] = False,
    parameter: Parameter = None,
    power: PowerOf = None,
    futility: Futility = None,
    futility_parameter: FutilityParameter = None,
    binding: Binding = False,
    as_json: AsJson = False,
) -> None:
    """What each look called for; and after the stop the adjusted p-value, interval and estimate.

    Repeated intervals and p-values hold at every look. After the stop: stage-wise ordering and the
    median-unbiased estimate. Without --estimate-scale estimates are in units of z at information 1.
    """
    from analysis.sequential import analyse, group_sequential_design

    taken = information[: len(z)] if len(z) < len(information) else information
    with parameters(_NAMES):
        plan = group_sequential_design(
            kind,
            alpha,
            planned if planned is not None else _ending_at_one(information),
            sides,
            parameter,
            power,
            futility,
            futility_parameter,
            binding,
        )
        found = analyse(plan, taken, z, estimate_scale, final)
    document = {
        "decision": found.decision,
        "repeated_ci": found.repeated_ci,
        "repeated_p": found.repeated_p,
        "stopped_at": found.stopped_at,
        "stagewise_p": found.stagewise_p,
        "stagewise_ci": found.stagewise_ci,
        "median_unbiased": found.median_unbiased,
        "level": found.level,
        "estimate": found.estimate,
        "z": found.z,
        "information": found.boundaries.information,
        "critical": found.boundaries.critical,
        "futility": found.boundaries.futility,
        "spent": found.boundaries.spent,
        "nominal": found.boundaries.nominal,
        "planned": plan.information,
        "not_computed": found.not_computed,
    }
    answer(document, lambda: _looks(found), as_json=as_json)


def _looks(found: SequentialAnalysis) -> list[str | Table]:
    at = found.boundaries
    rows = [
        (
            str(look + 1),
            figure(fraction),
            signed(found.z[look]),
            figure(at.critical[look], 6),
            found.decision[look].value.replace("_", " "),
            span(found.repeated_ci[look]),
            p_cell(found.repeated_p[look]),
        )
        for look, fraction in enumerate(at.information)
    ]
    interval = f"repeated {percent(found.level)} interval"
    columns = ("look", "information", "z", "critical z", "decision", interval, "repeated p")
    if found.stagewise_p is None:
        sentence = f"No stage-wise inference: {found.not_computed}."
    else:
        sentence = (
            f"Stopped at look {found.stopped_at}: stage-wise {p_text(found.stagewise_p)}, "
            f"{percent(found.level)} interval {span(found.stagewise_ci)}, "
            f"median-unbiased estimate {signed(found.median_unbiased)}."
        )
    return [Table(columns, rows), sentence]


def _ending_at_one(information: tuple[float, ...]) -> tuple[float, ...]:
    """The looks as they were planned, had they come as planned: below 1, and the last at 1."""
    return (*(fraction for fraction in information if fraction < 1), 1.0)
