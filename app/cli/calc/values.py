"""What is typed into the calculator: lists of numbers, successes of a number of units, moments of an arm."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import typer

Direction = Literal["higher", "lower"]


class Numbers(tuple[float, ...]):
    """Numbers typed with commas between them; a class of its own, for Typer takes a plain tuple apart."""

    __slots__ = ()


def numbers(text: str) -> Numbers:
    """``0.2,0.5,1`` as numbers."""
    return Numbers(_number(part, text) for part in text.split(","))


def arm_name(arm: int, arms: int) -> str:
    """Control is arm 0; treatments have numbers where there are several."""
    return "control" if arm == 0 else "treatment" if arms == 2 else f"treatment {arm}"


def successes_of(text: str) -> tuple[int, int]:
    """``17489/145274`` as successes and units."""
    parts = text.split("/")
    if len(parts) != 2:
        raise ValueError(f"proportions: {text!r} is not allowed; write successes/units, for example 264/4071")
    try:
        return int(parts[0]), int(parts[1])
    except ValueError:
        raise ValueError(
            f"proportions: {text!r} is not allowed; write two whole numbers, for example 264/4071"
        ) from None


def mean_sd_n(text: str) -> tuple[float, float, int]:
    """``52.456,256.7,44700`` as mean, standard deviation and units."""
    parts = text.split(",")
    if len(parts) != 3:
        raise ValueError(f"means: {text!r} is not allowed; write mean,sd,n, for example 52.456,256.7,44700")
    mean, sd, n = (_number(part, text) for part in parts)
    if n != int(n):
        raise ValueError(f"means: {text!r} is not allowed; n = {parts[2]} is not a whole number of units")
    return mean, sd, int(n)


def _number(part: str, whole: str) -> float:
    try:
        value = float(part)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise typer.BadParameter(f"{part!r} in {whole!r} is not a number")
    return value


Alpha = Annotated[
    float | None,
    typer.Option(help="Level of the test. Default: 0.05, two-sided; against a margin 0.025, one-sided."),
]
Margin = Annotated[
    float | None, typer.Option(help="Largest worsening accepted: asks for non-inferiority instead.")
]
Relative = Annotated[
    bool, typer.Option("--relative", help="Take the effect or margin as a share of control.")
]
Better = Annotated[Direction, typer.Option(help="Which way is better.")]
