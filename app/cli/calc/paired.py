"""`calc mcnemar`: two models that answered the same requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.calc.values import Better, Margin
from app.cli.errors import not_computed, parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Table, answer, figure, p_cell, p_text, percent, signed, span

if TYPE_CHECKING:
    from analysis.paired import McNemar, PairedDifference, PairedNonInferiority, PairedTable

commands = typer.Typer()

_WORSE = {"higher": "greater", "lower": "less"}
"""The alternative that rules a worsening out."""


@commands.command(
    epilog=examples(
        "fairtrial calc mcnemar --both 425 --candidate-only 209 --champion-only 152 --neither 533",
        "fairtrial calc mcnemar --both 900 --candidate-only 40 --champion-only 35 --neither 25 --margin 0.02",
    )
)
def mcnemar(
    both: Annotated[int, typer.Option(help="Pairs where both are right.")],
    candidate_only: Annotated[int, typer.Option(help="Pairs where only the candidate is right.")],
    champion_only: Annotated[int, typer.Option(help="Pairs where only the champion is right.")],
    neither: Annotated[int, typer.Option(help="Pairs where both are wrong.")],
    method: Annotated[
        Literal["exact", "midp", "asymptotic", "corrected"], typer.Option(help="The test that decides.")
    ] = "exact",
    interval: Annotated[
        Literal["tango", "newcombe", "newcombe-uncorrected", "bonett-price"],
        typer.Option(help="The interval of the difference."),
    ] = "tango",
    alpha: Annotated[
        float | None, typer.Option(help="The interval has level 1 − α. Default: 0.05; with a margin 0.025.")
    ] = None,
    margin: Margin = None,
    direction: Better = "higher",
    as_json: AsJson = False,
) -> None:
    """McNemar's test of two models on the same requests; effects are candidate minus champion.

    With --margin: non-inferiority of the candidate by Tango's score test at a one-sided α, with its own
    interval, two-sided at 1 − 2α. Requests of the same user are not independent pairs; this test takes them
    as such.
    """
    from analysis.paired import PairedTable, paired_difference, paired_noninferiority
    from analysis.paired import mcnemar as mcnemar_test

    with parameters({"level": "--alpha"}):
        table = PairedTable(both, candidate_only, champion_only, neither)
        test = mcnemar_test(table, method=method)
        if margin is None:
            against, level = None, 1 - (0.05 if alpha is None else alpha)
        else:
            one_sided = 0.025 if alpha is None else alpha
            against, level = (
                paired_noninferiority(table, margin, alpha=one_sided, direction=direction),
                1 - 2 * one_sided,
            )
        shown = paired_difference(table, method=interval, level=level)
    p_value = test.p_value if against is None else against.p_value
    document: dict[str, Any] = {
        "p_value": p_value,
        "difference": shown.difference,
        "ci": shown.ci,
        "level": level,
        "method": method if against is None else "Tango score test of non-inferiority",
        "interval": interval,
        "statistic": test.statistic if against is None else against.z,
        "alternative": test.alternative if against is None else _WORSE[direction],
        "pairs": table.pairs,
        "discordant": table.discordant,
        "candidate_right": table.both + candidate_only,
        "champion_right": table.both + champion_only,
        "not_computed": test.not_computed if against is None else against.not_computed,
    }
    if against is not None:
        document |= {"margin": margin, "direction": direction, "non_inferior": against.ruled_out}
    why = None if p_value is not None and shown.ci is not None else str(document["not_computed"])
    answer(
        document, lambda: _text(table, test, shown, against, why), as_json=as_json, failure=not_computed(why)
    )


def _text(
    pairs: PairedTable,
    test: McNemar,
    shown: PairedDifference,
    against: PairedNonInferiority | None,
    why: str | None,
) -> list[str | Table]:
    counts = Table(
        ("", "champion right", "champion wrong"),
        [
            ("candidate right", pairs.both, pairs.candidate_only),
            ("candidate wrong", pairs.champion_only, pairs.neither),
        ],
    )
    if why is not None:
        return [counts, f"Not computed: {why}."]
    p_value = test.p_value if against is None else against.p_value
    estimate = Table(
        ("difference (candidate − champion)", f"{percent(shown.level)} interval ({shown.method})", "p"),
        [(signed(shown.difference), span(shown.ci), p_cell(p_value))],
    )
    if against is None:
        sentence = (
            f"The models disagree on {figure(pairs.discordant)} of {figure(pairs.pairs)} pairs; McNemar "
            f"({test.method}): {p_text(p_value)}."
        )
    else:
        word = "ruled out" if against.ruled_out else "not ruled out"
        sentence = f"A worsening of {percent(against.margin)} is {word} (one-sided {p_text(p_value)})."
    return [counts, estimate, sentence]
