"""`calc power`: how many units a test needs, what so many can detect, and what it takes in days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.calc.pairs import power_of_pairs
from app.cli.calc.question import MetricKind, Multiplicity, Question
from app.cli.calc.values import Alpha, Better, Margin, Numbers, Relative, arm_name, numbers
from app.cli.errors import BadUsage, not_computed, parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Cell, Table, Text, answer, figure, percent

if TYPE_CHECKING:
    from analysis.power import Comparison, PowerPlan

commands = typer.Typer()


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
    question = Question(
        metric, baseline, mde, sd, margin, difference, direction, relative, method, allocation, n_per_arm
    )
    names = {"effect": "--mde" if margin is None else "--difference", "mean": "--baseline"}
    with parameters(names):
        plan = question.plan(alpha, target, sides, multiplicity, variance_reduction, design_effect, inflation)
        comparisons = question.comparisons()
        if n_per_arm is None:
            document, text = _how_many(comparisons, plan)
        else:
            document, text = _what_they_detect(comparisons, plan, n_per_arm, asked=question.has_target)
        if units_per_day is not None:
            document, text = _with_duration(document, text, units_per_day)
    answer(document, text, as_json=as_json, failure=not_computed(document.get("not_computed")))


def _how_many(comparisons: Sequence[Comparison], plan: PowerPlan) -> tuple[dict[str, Any], Text]:
    from analysis.power import sample_size

    size = sample_size(comparisons, plan)
    document = {
        "n_per_arm": size.n_per_arm,
        "total": size.total,
        "method": size.method,
        **_asked(comparisons, plan),
        "achieved_power": size.achieved_power,
        "unrounded": size.unrounded,
    }

    def text() -> list[str | Table]:
        sided = "two-sided" if plan.sides == 2 else "one-sided"
        sentence = f"{size.method}; α {figure(plan.alpha)} {sided}, power {percent(plan.power)}."
        return [_arms(size.n_per_arm), sentence[:1].upper() + sentence[1:]]

    return document, text


def _what_they_detect(
    comparisons: Sequence[Comparison], plan: PowerPlan, n_per_arm: Numbers, *, asked: bool
) -> tuple[dict[str, Any], Text]:
    from analysis.power import detectable_effect, detectable_margin, power_of

    if any(n != int(n) for n in n_per_arm):
        raise ValueError(f"n_per_arm: {list(n_per_arm)} is not allowed; give whole numbers of units")
    units = tuple(int(n) for n in n_per_arm)
    reached = power_of(comparisons, units, plan) if asked else None
    margins = comparisons[0].margin is not None
    found = (detectable_margin if margins else detectable_effect)(comparisons, units, plan)
    document = {
        "n_per_arm": units,
        "total": sum(units),
        "achieved_power": reached,
        "detectable_margin" if margins else "detectable_effect": found.value,
        "method": found.method,
        **_asked(comparisons, plan),
        "not_computed": found.not_computed,
    }
    if not asked:
        document["effect"] = None

    def text() -> list[str | Table]:
        sentence = f"No answer: {found.not_computed}."
        if found.value is not None:
            verb = "margin that is ruled out" if margins else "effect that is found"
            sentence = f"The smallest {verb} with power {percent(plan.power)} is {figure(abs(found.value))}."
        if reached is not None:
            sentence += f" The power of the test asked about is {percent(reached)}."
        return [_arms(units), sentence]

    return document, text


def _with_duration(document: dict[str, Any], text: Text, units_per_day: float) -> tuple[dict[str, Any], Text]:
    from analysis.power import duration

    taken = duration(document["total"], units_per_day)
    days, weeks = taken.enrolment_days, taken.enrolment_weeks
    return (
        {**document, "duration": asdict(taken)},
        lambda: [
            *text(),
            f"At {figure(units_per_day)} units a day: {days} days of enrolment, so {weeks} whole weeks.",
        ],
    )


def _asked(comparisons: Sequence[Comparison], plan: PowerPlan) -> dict[str, Any]:
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


def _arms(n_per_arm: Sequence[int]) -> Table:
    rows: list[tuple[Cell, ...]] = [(arm_name(arm, len(n_per_arm)), n) for arm, n in enumerate(n_per_arm)]
    return Table(("arm", "units"), [*rows, ("total", sum(n_per_arm))])
