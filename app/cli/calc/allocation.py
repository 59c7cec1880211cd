"""`calc srm`: do the units come in the shares that were planned?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.calc.values import Numbers, arm_name, numbers
from app.cli.errors import not_computed, parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Table, answer, figure, p_text, percent

if TYPE_CHECKING:
    from analysis.srm import SRM

commands = typer.Typer()


@commands.command(epilog=examples("fairtrial calc srm 44700 45489 --planned 1,1"))
def srm(
    observed: Annotated[list[int], typer.Argument(help="Units per arm, control first.", metavar="UNITS...")],
    planned: Annotated[
        Numbers | None,
        typer.Option(parser=numbers, metavar="W,W", help="Planned shares or weights. Default: equal."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Test observed units against planned shares (sample ratio mismatch).

    Pearson's chi-squared, or the exact multinomial test where an expected count is below 5. A mismatch says
    that the arms were not formed as planned; what was measured in them may then mean anything.
    """
    from analysis.srm import srm_test

    weights = tuple(planned) if planned is not None else (1.0,) * len(observed)
    with parameters({"observed": "UNITS"}):
        result = srm_test(observed, weights)
    document = {
        "chi2": result.statistic,
        "df": result.df,
        "p_value": result.p_value,
        "method": result.method,
        "observed": result.observed,
        "expected": result.expected,
        "unplanned": result.unplanned,
        "not_computed": result.not_computed,
    }
    names = [arm_name(arm, len(weights)) for arm, weight in enumerate(weights) if weight > 0]
    failure = not_computed(result.not_computed)
    answer(document, lambda: _text(names, result), as_json=as_json, failure=failure)


def _text(names: list[str], result: SRM) -> list[str | Table]:
    total = sum(result.observed)
    rows = [
        (name, units, figure(expected, 7), percent(units / total) if total else figure(None))
        for name, units, expected in zip(names, result.observed, result.expected, strict=True)
    ]
    if result.p_value is None:
        sentence = f"Not computed: {result.not_computed}."
    elif result.statistic is None:
        sentence = f"Exact multinomial test: {p_text(result.p_value)}."
    else:
        degrees = "1 degree" if result.df == 1 else f"{result.df} degrees"
        sentence = (
            f"Chi-squared = {result.statistic:.4f} with {degrees} of freedom, {p_text(result.p_value)}: how often "
            "units assigned as planned would come in shares at least this far from the plan."
        )
    if result.unplanned:
        sentence += f" Units in arms without a planned share, which took no part: {figure(result.unplanned)}."
    return [Table(("arm", "units", "expected", "share"), rows), sentence]
