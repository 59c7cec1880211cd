"""`calc power`: how many units a test needs, what so many can detect, and what it takes in days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.calc.pairs import power_of_pairs
from app.cli.calc.values import Alpha, Better, Direction, Margin, Numbers, Relative, arm_name, numbers
from app.cli.errors import BadUsage, parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Cell, Table, answer, figure, percent

if TYPE_CHECKING:
    from analysis.power import Comparison, Detectable, PowerPlan

commands = typer.Typer()

MetricKind = Literal["proportion", "mean", "ratio", "quantile"]
Multiplicity = Literal["none", "bonferroni", "holm", "dunnett"]


@commands.command(
    epilog=examples(
        "fairtrial calc power --metric proportion --baseline 0.20 --mde 0.015 --alpha 0.05 --power 0.8",
        "fairtrial calc power --metric mean --sd 10 --mde 1 --allocation 1,1,1 --multiplicity dunnett",
        "fairtrial calc power --metric proportion --baseline 0.2 --margin 0.02 --units-per-day 1500",
        "fairtrial calc power --metric proportion --baseline 0.2 --n-per-arm 8000,8000",
        "fairtrial calc power --paired --discordant 0.2 --difference 0.03",
    )
)
def power(
    metric: Annotated[MetricKind | None, typer.Option(help="What is compared.")] = None,
    baseline: Annotated[
        float | None, typer.Option(help="Control's rate (always needed), mean, ratio or quantile.")
    ] = None,
    mde: Annotated[
        float | None,
        typer.Option(help="The smallest improvement worth detecting, above 0; --direction says which way."),
    ] = None,
    sd: Annotated[
        Numbers | None,
        typer.Option(
            parser=numbers,
            metavar="SD[,SD…]",
            help="Standard deviation of a unit, one or one per arm; of a ratio or quantile, of its linearised form.",
        ),
    ] = None,
    margin: Margin = None,
    difference: Annotated[
        float | None,
        typer.Option(help="With a margin: the true difference assumed, else 0. Paired: the one to detect."),
    ] = None,
    direction: Better = "higher",
    relative: Relative = False,
    alpha: Alpha = None,
    target: Annotated[
        float, typer.Option("--power", help="Probability of finding the effect if it is there.")
    ] = 0.8,
    sides: Annotated[int | None, typer.Option(min=1, max=2, help="Default: 2; against a margin 1.")] = None,
    allocation: Annotated[
        Numbers | None,
        typer.Option(parser=numbers, metavar="W,W", help="Weights of the arms, control first. Default: 1,1."),
    ] = None,
    multiplicity: Annotated[
        Multiplicity, typer.Option(help="How several treatments share α.")
    ] = "bonferroni",
    variance_reduction: Annotated[float, typer.Option(help="R² of the covariate adjustment (CUPED).")] = 0.0,
    design_effect: Annotated[float, typer.Option(help="Variance inflation by clusters.")] = 1.0,
    inflation: Annotated[float, typer.Option(help="Of a sequential design over the fixed one.")] = 1.0,
    method: Annotated[
        str | None,
        typer.Option(
            help="proportion: score, unpooled. mean: normal, welch-t, pooled-t. paired: connor, miettinen, exact."
        ),
    ] = None,
    n_per_arm: Annotated[
        Numbers | None,
        typer.Option(
            parser=numbers,
            metavar="N,N",
            help="Ask the other way: the power and the smallest effect of so many units.",
        ),
    ] = None,
    units_per_day: Annotated[
        float | None, typer.Option(help="New eligible units a day: adds the days and whole weeks it takes.")
    ] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Two models on the same requests (McNemar); gives pairs.")
    ] = False,
    discordant: Annotated[
        float | None, typer.Option(help="Paired: share of requests on which the models disagree.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Units per arm for a difference (--mde) or for non-inferiority (--margin); pairs with --paired.

    By the normal formula of the test that will decide. With --sides 2 α is the total; only finding the effect
    in its own direction counts as power.
    """
    if paired:
        unpaired: dict[str, object] = {
            "--metric": metric,
            "--baseline": baseline,
            "--mde": mde,
            "--sd": sd,
            "--allocation": allocation,
            "--n-per-arm": n_per_arm,
        }
        stray = [name for name, value in unpaired.items() if value is not None]
        if stray:
            raise BadUsage(f"{', '.join(stray)}: no part of a paired sample size; leave out")
        power_of_pairs(
            discordant,
            difference,
            margin,
            direction,
            alpha,
            target,
            sides,
            method,
            design_effect,
            inflation,
            as_json=as_json,
        )
        return
    effect = _effect(metric, baseline, mde, margin, difference, direction, relative, n_per_arm)
    arms = len(allocation) if allocation is not None else 2
    with parameters(
        {"effect": "--mde" if margin is None else "--difference", "mean": "--baseline", "power": "--power"}
    ):
        plan = _plan(
            alpha,
            target,
            sides,
            margin,
            allocation,
            multiplicity,
            variance_reduction,
            design_effect,
            inflation,
        )
        comparisons = [
            _comparison(metric, baseline, effect, sd, arm, arms, margin, direction, relative, method)
            for arm in range(1, arms)
        ]
        if n_per_arm is not None:
            wanted = None if mde is None and margin is None else effect
            document, text = _what_they_detect(comparisons, plan, n_per_arm, wanted)
        else:
            document, text = _how_many(comparisons, plan)
        if units_per_day is not None:
            weeks, sentence = _duration(document["total"], units_per_day)
            document |= weeks
            text = [*text, sentence]
    answer(document, text, as_json=as_json)


def _effect(
    metric: str | None,
    baseline: float | None,
    mde: float | None,
    margin: float | None,
    difference: float | None,
    direction: Direction,
    relative: bool,
    n_per_arm: Numbers | None,
) -> float:
    """The true difference treatment − control that is planned for; every missing option is named."""
    problems = []
    if metric is None:
        problems.append("--metric: missing; give proportion, mean, ratio or quantile, or --paired")
    if metric == "proportion" and baseline is None:
        problems.append("--baseline: missing; give control's rate, for example 0.20")
    if margin is None and difference is not None:
        problems.append("--difference: belongs to --margin or --paired; the effect to detect is --mde")
    if margin is not None and mde is not None:
        problems.append("--mde: not with --margin; the true difference assumed there is --difference")
    if mde is not None and not mde > 0:
        problems.append(f"--mde: {mde} is not allowed; give a size above 0, and --direction lower for a fall")
    if mde is None and margin is None and n_per_arm is None:
        problems.append("--mde: missing; give the smallest improvement worth detecting, or --margin")
    if relative and baseline is None:
        problems.append("--baseline: missing; a relative effect or margin is a share of it")
    if problems:
        raise BadUsage("the question is not complete" if len(problems) > 1 else problems[0],
                       tuple(problems) if len(problems) > 1 else ())  # fmt: skip
    if margin is not None:
        return difference or 0.0
    size = 1e-3 if mde is None else mde
    size *= abs(baseline) if relative and mde is not None and baseline is not None else 1.0
    return size if direction == "higher" else -size


def _plan(
    alpha: float | None,
    target: float,
    sides: int | None,
    margin: float | None,
    allocation: Numbers | None,
    multiplicity: Multiplicity,
    variance_reduction: float,
    design_effect: float,
    inflation: float,
) -> PowerPlan:
    from analysis.power import PowerPlan
    from analysis.power.plan import error_rates

    level, tails = error_rates(alpha, sides, margin)
    weights = (1.0, 1.0) if allocation is None else tuple(allocation)
    return PowerPlan(
        level, target, tails, weights, None, multiplicity, variance_reduction, design_effect, inflation
    )


def _comparison(
    metric: str | None,
    baseline: float | None,
    effect: float,
    sd: Numbers | None,
    arm: int,
    arms: int,
    margin: float | None,
    direction: Direction,
    relative: bool,
    method: str | None,
) -> Comparison:
    from analysis.power import MeansComparison, ProportionsComparison
    from analysis.power.means import per_arm

    scaled = relative and margin is not None
    chosen: Any = method
    if metric == "proportion":
        if sd is not None:
            raise ValueError("sd: a proportion's follows from its baseline; leave it out")
        rate = 0.0 if baseline is None else baseline
        return ProportionsComparison(rate, effect, margin, direction, scaled, chosen or "score")
    if sd is None:
        raise ValueError(f"sd: missing; a {metric} needs the standard deviation of a unit, for example 10")
    if metric != "mean" and method not in (None, "normal"):
        raise ValueError(f"method: {method!r} is unknown for a {metric}; it has normal only")
    deviations = per_arm("sd", sd[0] if len(sd) == 1 else sd, arms)
    estimand: Any = metric
    return MeansComparison(
        deviations[0],
        deviations[arm],
        effect,
        margin,
        direction,
        scaled,
        baseline,
        chosen or "normal",
        estimand,
    )


def _how_many(comparisons: Sequence[Comparison], plan: PowerPlan) -> tuple[dict[str, Any], list[str | Table]]:
    from analysis.power import sample_size

    size = sample_size(comparisons, plan)
    document = {
        "n_per_arm": size.n_per_arm,
        "total": size.total,
        "method": size.method,
        **_question(comparisons, plan),
        "achieved_power": size.achieved_power,
        "unrounded": size.unrounded,
    }
    sentence = (
        f"{size.total:,} units in all: {size.method}; α {figure(plan.alpha)} {_sided(plan)}, "
        f"power {percent(plan.power)}."
    )
    return document, [_arms(size.n_per_arm, size.total), sentence]


def _what_they_detect(
    comparisons: Sequence[Comparison], plan: PowerPlan, n_per_arm: Numbers, effect: float | None
) -> tuple[dict[str, Any], list[str | Table]]:
    from analysis.power import detectable_effect, detectable_margin, power_of

    if any(n != int(n) for n in n_per_arm):
        raise ValueError(f"n_per_arm: {list(n_per_arm)} is not allowed; give whole numbers of units")
    units = tuple(int(n) for n in n_per_arm)
    reached = None if effect is None else power_of(comparisons, units, plan)
    margins = comparisons[0].margin is not None
    found: Detectable = (detectable_margin if margins else detectable_effect)(comparisons, units, plan)
    what = "detectable_margin" if margins else "detectable_effect"
    document = {
        "n_per_arm": units,
        "total": sum(units),
        "achieved_power": reached,
        what: found.value,
        "method": found.method,
        **_question(comparisons, plan),
        "not_computed": found.not_computed,
    }
    if effect is None:
        document["effect"] = None
    sentence = f"No answer: {found.not_computed}."
    if found.value is not None:
        verb = "margin that is ruled out" if margins else "effect that is found"
        sentence = f"The smallest {verb} with power {percent(plan.power)} is {figure(abs(found.value), 4)}."
    if reached is not None:
        sentence += f" The power of the test asked about is {percent(reached)}."
    return document, [_arms(units, sum(units)), sentence]


def _question(comparisons: Sequence[Comparison], plan: PowerPlan) -> dict[str, Any]:
    """What was asked, so that an answer stands by itself."""
    return {
        "effect": comparisons[0].effect,
        "margin": comparisons[0].margin,
        "alpha": plan.alpha,
        "power": plan.power,
        "sides": plan.sides,
        "allocation": plan.allocation,
        "multiplicity": plan.multiplicity if len(comparisons) > 1 else "none",
        "tail_alpha": plan.tail_alpha,
        "variance_reduction": plan.variance_reduction,
        "design_effect": plan.design_effect,
        "inflation": plan.inflation,
    }


def _arms(n_per_arm: Sequence[int], total: int) -> Table:
    rows: list[tuple[Cell, ...]] = [(arm_name(arm, len(n_per_arm)), n) for arm, n in enumerate(n_per_arm)]
    return Table(("arm", "units"), [*rows, ("total", total)])


def _sided(plan: PowerPlan) -> str:
    return "two-sided" if plan.sides == 2 else "one-sided"


def _duration(total: int, units_per_day: float) -> tuple[dict[str, Any], str]:
    from analysis.power import duration

    taken = duration(total, units_per_day)
    return (
        {"duration": asdict(taken)},
        f"At {figure(units_per_day)} units a day: {taken.enrolment_days} days of enrolment, so "
        f"{taken.enrolment_weeks} whole weeks.",
    )
