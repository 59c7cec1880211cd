"""`calc confidence-sequence`: an interval that holds however often one looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.errors import not_computed, parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Table, answer, figure, p_cell, percent, signed, span

if TYPE_CHECKING:
    from analysis.anytime import ConfidenceSequence

commands = typer.Typer()


@commands.command(
    "confidence-sequence",
    epilog=examples(
        "fairtrial calc confidence-sequence --estimate 0.012 --variance 0.64 --n 20000 --planned-n 40000"
    ),
)
def confidence_sequence(
    estimate: Annotated[float, typer.Option(help="The estimate after n units.")],
    variance: Annotated[
        float,
        typer.Option(
            help="Per unit, so that the squared standard error is variance / n. Two arms: n·(s²/n_t + s²/n_c)."
        ),
    ],
    n: Annotated[int, typer.Option(help="Units so far, over all arms.")],
    planned_n: Annotated[
        float,
        typer.Option(help="Units, over all arms, at which it is to be narrowest: fixed before the data."),
    ],
    alpha: Annotated[float, typer.Option(help="Probability of ever excluding the truth.")] = 0.05,
    burn_in: Annotated[int, typer.Option(help="Units before which nothing is said.")] = 1,
    null: Annotated[float, typer.Option(help="The value that is tested.")] = 0.0,
    alternative: Annotated[
        Literal["two-sided", "greater", "less"], typer.Option(help="greater: a lower limit only.")
    ] = "two-sided",
    as_json: AsJson = False,
) -> None:
    """Asymptotic normal-mixture confidence sequence at one n (Waudby-Smith et al. 2024).

    Its limits hold at every n together, so it may be looked at daily. It is a limit theorem: declare a
    burn-in, and cap outcomes with heavy tails.
    """
    from analysis.anytime import SequencePlan
    from analysis.anytime import confidence_sequence as sequence_at

    with parameters():
        plan = SequencePlan(alpha, planned_n, burn_in, alternative)
        found = sequence_at(plan, estimate, variance, n, null)
    document = {
        "lower": found.lower,
        "upper": found.upper,
        "p_value": found.p_value,
        "level": found.level,
        "estimate": found.estimate,
        "n": found.n,
        "planned_n": planned_n,
        "null": null,
        "alternative": alternative,
        "burn_in": burn_in,
        "precision": plan.precision,
        "log_evidence": found.log_evidence,
        "not_computed": found.not_computed,
    }
    answer(document, lambda: _text(found), as_json=as_json, failure=not_computed(found.not_computed))


def _text(found: ConfidenceSequence) -> list[str | Table]:
    if found.lower is None or found.upper is None:
        return [f"Not computed: {found.not_computed}."]
    table = Table(
        ("n", "estimate", f"{percent(found.level)} confidence sequence", "always-valid p"),
        [(found.n, signed(found.estimate, 6), span((found.lower, found.upper), 6), p_cell(found.p_value))],
    )
    holds = "holds" if found.lower <= found.null <= found.upper else "does not hold"
    sentence = (
        f"The sequence {holds} {figure(found.null)}; its limits are right at every n together in {percent(found.level)} "
        "of experiments, so looking again does not spoil them."
    )
    return [table, sentence]
