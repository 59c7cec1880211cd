"""The paired half of `calc power`: how many pairs McNemar's test or a paired margin test needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.cli.calc.values import Direction
from app.cli.errors import BadUsage, parameters
from app.cli.output import Table, answer, figure, percent

if TYPE_CHECKING:
    from analysis.paired import PairedSampleSize


def power_of_pairs(
    discordant: float | None,
    difference: float | None,
    margin: float | None,
    direction: Direction,
    alpha: float | None,
    target: float,
    sides: int | None,
    method: str | None,
    design_effect: float,
    inflation: float,
    *,
    as_json: bool,
) -> None:
    from analysis.paired import sample_size_paired

    if discordant is None:
        raise BadUsage(
            "--discordant: missing; give the share of requests on which the models disagree, for example 0.2"
        )
    chosen: Any = method or "connor"
    with parameters():
        size = sample_size_paired(
            discordant,
            difference or 0.0,
            alpha=alpha,
            power=target,
            sides=sides,
            method=chosen,
            margin=margin,
            direction=direction,
            design_effect=design_effect,
            inflation=inflation,
        )
    document = {
        "pairs": size.pairs,
        "n_per_arm": (size.pairs, size.pairs),  # both models answer the same requests
        "total": size.pairs,
        "expected_discordant_pairs": size.expected_discordant_pairs,
        "method": size.method,
        "alpha": size.alpha,
        "power": size.power,
        "sides": size.sides,
        "discordant": size.discordant,
        "difference": size.difference,
        "margin": size.margin,
        "achieved_power": size.achieved_power,
        "unrounded": size.unrounded,
        "design_effect": design_effect,
        "inflation": inflation,
    }
    answer(document, lambda: _text(size), as_json=as_json)


def _text(size: PairedSampleSize) -> list[str | Table]:
    columns = ("pairs", "of them expected discordant")
    sided = "two-sided" if size.sides == 2 else "one-sided"
    sentence = f"{size.method}; α {figure(size.alpha)} {sided}, power {percent(size.power)}."
    return [Table(columns, [(size.pairs, figure(size.expected_discordant_pairs))]), sentence]
