"""`calc compare`: two arms from their counts or moments, for a difference or against a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.calc.arms import Alternative, Arms, ProportionInterval, arms_of
from app.cli.calc.values import Alpha, Better, Direction, Margin, Relative
from app.cli.errors import BadUsage, not_computed, parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Table, answer, figure, p_text, percent, signed, span

if TYPE_CHECKING:
    from analysis.effects import Effect
    from analysis.guardrails import Guardrail

commands = typer.Typer()

_SHOWN_ONLY = ("newcombe", "agresti-caffo", "wald")


@commands.command(
    epilog=examples(
        "fairtrial calc compare --proportions 17489/145274 17264/145310",
        "fairtrial calc compare --means 52.456,256.7,44700 51.299,103.3,45489",
        "fairtrial calc compare --proportions 1802/9000 1789/9010 --margin 0.015 --interval newcombe",
    )
)
def compare(
    proportions: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="X/N X/N", help="Successes of units, control first."),
    ] = None,
    means: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="MEAN,SD,N MEAN,SD,N", help="Mean, standard deviation and units, control first."
        ),
    ] = None,
    alpha: Alpha = None,
    alternative: Annotated[
        Alternative,
        typer.Option(help="How the second arm must differ; with a margin the direction says so."),
    ] = "two-sided",
    interval: Annotated[
        ProportionInterval | None,
        typer.Option(
            help="Of proportions only: score (default) and miettinen-nurminen decide by their own test; newcombe, "
            "agresti-caffo and wald are only shown beside the score test."
        ),
    ] = None,
    relative_interval: Annotated[
        Literal["koopman", "log-delta", "fieller"] | None,
        typer.Option(help="Of the relative effect. Default: koopman for proportions, log-delta for means."),
    ] = None,
    margin: Margin = None,
    direction: Better = "higher",
    relative: Relative = False,
    as_json: AsJson = False,
) -> None:
    """Compare two independent arms: the second minus the first, with the interval that inverts the test.

    Proportions by the score test: the pooled z at 0, Farrington-Manning at a margin. Means by Welch's t. With
    --margin: non-inferiority at a one-sided α, beside the interval that is two-sided at 1 − 2α.
    """
    arms = arms_of(proportions, means, interval, relative_interval)
    if margin is None:
        if relative:
            raise BadUsage("--relative: it is the scale of a margin; give --margin, or leave it out")
        level = 0.05 if alpha is None else alpha
        with parameters():
            effect = arms.effect(level, alternative, 0.0)
            beside = arms.shown_interval(level)
        document = _document(arms, effect, effect, beside, 1 - level)
        judged = None
    else:
        if alternative != "two-sided":
            raise BadUsage("--alternative: a margin is tested in one direction; give --direction instead")
        level = 0.025 if alpha is None else alpha
        effect, judged, document = _against_margin(arms, margin, direction, level, relative)
    failure = not_computed(document["not_computed"])
    answer(document, lambda: _text(arms, effect, judged, document), as_json=as_json, failure=failure)


def _against_margin(
    arms: Arms, margin: float, direction: Direction, alpha: float, relative: bool
) -> tuple[Effect, Guardrail, dict[str, Any]]:
    from analysis.guardrails import judge_effect

    test = arms.effect_on_ratio if relative else arms.effect
    with parameters():
        if not 0 < alpha < 0.5:
            raise ValueError(
                f"alpha: {alpha} is not allowed; give a one-sided level below 0.5, such as 0.025"
            )
        limit = -margin if direction == "higher" else margin
        decides = test(alpha, "greater" if direction == "higher" else "less", limit)
        around = test(2 * alpha, "two-sided", limit)
        judged = judge_effect(around, margin, direction, minimum_units=1)
        difference = arms.effect(2 * alpha, "two-sided", 0.0) if relative else around
        beside = arms.shown_interval(2 * alpha)
    document = _document(arms, decides, difference, beside, 1 - 2 * alpha)
    if relative:
        document |= {"relative": around.estimate, "relative_ci": around.ci, "relative_method": around.method}
    document |= {
        "margin": margin,
        "margin_scale": around.scale,
        "direction": direction,
        "limit": limit,
        "state": judged.state,
        "non_inferior": judged.state.passes,
        "not_computed": decides.not_computed or around.not_computed,
    }
    return decides, judged, document


def _document(
    arms: Arms, decides: Effect, difference: Effect, beside: tuple[float, float] | None, level: float
) -> dict[str, Any]:
    relative = difference.relative
    return {
        "difference": difference.estimate,
        "ci": difference.ci if beside is None else beside,
        "level": level,
        "p_value": decides.p_value,
        "relative": None if relative is None else relative.estimate,
        "relative_ci": None if relative is None else relative.ci,
        "relative_method": None if relative is None else relative.method,
        "relative_not_computed": None if relative is None else relative.not_computed,
        "method": decides.method,
        "interval": arms.interval,
        "alternative": decides.alternative,
        "alpha": decides.alpha,
        "null": decides.null,
        "statistic": decides.statistic,
        "df": decides.df,
        "standard_error": decides.standard_error,
        "arms": [
            {"n": decides.n_control, arms.measured: decides.control_mean},
            {"n": decides.n_treatment, arms.measured: decides.treatment_mean},
        ],
        "not_computed": decides.not_computed,
    }


def _text(
    arms: Arms, effect: Effect, judged: Guardrail | None, document: dict[str, Any]
) -> list[str | Table]:
    if document["not_computed"] is not None:
        return [_counts(arms, effect), f"Not computed: {document['not_computed']}."]
    if judged is None:
        words = _difference_in_words(arms, effect, document)
    else:
        words = _margin_in_words(arms, effect, judged, document)
    return [_counts(arms, effect), _estimates(arms, document), words]


def _counts(arms: Arms, effect: Effect) -> Table:
    rows = [
        (name, units, _level_of(arms, value))
        for name, units, value in (
            ("control", effect.n_control, effect.control_mean),
            ("treatment", effect.n_treatment, effect.treatment_mean),
        )
    ]
    return Table(("arm", "units", arms.measured), rows)


def _level_of(arms: Arms, value: float | None) -> str:
    return percent(value) if arms.measured == "rate" and value is not None else figure(value)


def _estimates(arms: Arms, document: dict[str, Any]) -> Table:
    rows = []
    for name, factor, unit, ci, how in (
        ("difference", arms.factor, arms.unit, "ci", arms.interval),
        ("relative", 100.0, "%", "relative_ci", document["relative_method"]),
    ):
        if document[ci] is not None:
            bounds = span((factor * document[ci][0], factor * document[ci][1]))
            rows.append((name, f"{signed(factor * document[name])}{unit}", f"{bounds}{unit}", how))
    heading = f"{percent(document['level'])} interval"
    return Table(("treatment − control", "estimate", heading, "interval by"), rows)


def _difference_in_words(arms: Arms, effect: Effect, document: dict[str, Any]) -> str:
    if effect.p_value is None or effect.estimate is None:
        return ""
    low, high = document["ci"]
    bounds, p = f"{span((arms.factor * low, arms.factor * high))}{arms.unit}", p_text(effect.p_value)
    if effect.p_value < effect.alpha:
        way = "higher" if effect.estimate > 0 else "lower"
        words = (
            f"The second arm was {figure(arms.factor * abs(effect.estimate))}{arms.unit} {way} "
            f"({percent(document['level'])} confidence interval {bounds}; {p})."
        )
    else:
        words = f"No evidence of a difference was found ({p}); the data are compatible with {bounds}."
    return words + _who_decides(effect, document)


def _margin_in_words(arms: Arms, effect: Effect, judged: Guardrail, document: dict[str, Any]) -> str:
    from analysis.guardrails import GuardrailState

    if judged.harmful_bound is None:
        return ""
    factor, unit = (100.0, "% of control") if judged.scale == "relative" else (arms.factor, arms.unit)
    worst = f"{figure(factor * abs(judged.harmful_bound))}{unit}"
    margin = f"{figure(factor * judged.margin)}{unit}"
    p = f"one-sided {p_text(effect.p_value)}"
    if judged.state is GuardrailState.WITHIN:
        worse = judged.harmful_bound < 0 if judged.direction == "higher" else judged.harmful_bound > 0
        reach = f"worse by at most {worst}" if worse else "not worse"
        words = f"Within the margin of {margin}: {reach} ({p})."
    elif judged.state is GuardrailState.BEYOND:
        words = f"Beyond the margin of {margin}: worse by more than was accepted ({p})."
    else:
        words = f"Margin not ruled out: could be worse by up to {worst}; the limit is {margin} ({p})."
    return words + _who_decides(effect, document)


def _who_decides(effect: Effect, document: dict[str, Any]) -> str:
    if document["interval"] not in _SHOWN_ONLY:
        return ""
    return f" The test that decides is the {effect.method}; the {document['interval']} interval stands beside it."
