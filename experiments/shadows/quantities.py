"""What is added up of every pair: a few numbers of both models, as whole numbers of a declared scale.

A family of numbers counts a pair only where none of them is missing: what a model's row does not say, or a pair without a
label, is absent and never 0. Doubles are rounded row by row before they are added, so that no sum depends on the order of the
rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from analysis.calibration import LEAST_PROBABILITY
from experiments.shadows.contracts import COST_DECIMALS, LATENCY_DECIMALS, literal
from experiments.shadows.design import ShadowDesign


@dataclass(frozen=True, slots=True)
class Quantity:
    """Numbers of a pair that are added up by unit, beside the number of pairs.

    Attributes:
        names, values: SQL over ``pairs``, each NULL where absent; whole numbers of 1 / scale.
        scales: of the numbers, one each.
        labelled: counts mature labelled pairs only.
        failed_too: counts pairs in which a model failed or ran out of time as well.
    """

    name: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    scales: tuple[int, ...]
    labelled: bool = False
    failed_too: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What the logs of this source say of both models, so that what they do not say is absent and not 0."""

    columns: frozenset[str]
    has_labels: bool
    class_type: str

    def has(self, *names: str) -> bool:
        return self.columns.issuperset(names)


SQUARED_AT: Final = 10_000
"""Scores whose squares are added up are kept to four decimals, so that squares of a user's sums stay within 128 bits."""
MODELS: Final = ("candidate", "champion")
ONE: Final = (1, 1, 1)


def _failures(name: str, flag: str) -> Quantity:
    """Failures of either model by pair, and of both at once."""
    candidate, champion = (f"{model}_{flag}" for model in MODELS)
    values = tuple(
        f"CAST({value} AS INTEGER)" for value in (candidate, champion, f"{candidate} AND {champion}")
    )
    return Quantity(name, (*MODELS, "both"), values, ONE, failed_too=True)


FAILURES: Final = {
    "error": _failures("error_share", "failed"),
    "timeout": _failures("timeout_share", "late"),
}
"""What may be seen before the look, by the column that says it."""


def quantities(design: ShadowDesign, said: Said) -> tuple[Quantity, ...]:
    """Every quantity that this source allows, in a fixed order."""
    return (*_losses(design, said), *_agreement(design, said), *_operations(design, said))


def deciding(design: ShadowDesign, said: Said) -> Quantity | None:
    """The primary's quantity; None where the logs do not say it."""
    name = design.primary.measure.name
    return next((one for one in _losses(design, said) if one.name == name), None)


def positive(design: ShadowDesign, said: Said, model: str) -> str | None:
    """Whether a binary model's decision is the positive one: by what it answered, else by its score at the threshold."""
    if said.has("prediction"):
        return f"({model}_answer = {literal(design.written.positive, said.class_type)})"
    if said.has("score") and design.written.threshold is not None:
        return f"({model}_score >= {design.written.threshold!r})"
    return None


def label_positive(design: ShadowDesign, said: Said) -> str:
    return f"(label = {literal(design.written.positive, said.class_type)})"


def right(design: ShadowDesign, said: Said, model: str) -> str | None:
    """1 where a model was right, 0 where wrong; None where nobody can tell."""
    if said.has("correct"):
        return f"{model}_correct"
    if not said.has_labels:
        return None
    if design.task == "binary":
        decision = positive(design, said, model)
        return None if decision is None else f"CAST({decision} = {label_positive(design, said)} AS INTEGER)"
    if design.task == "multiclass" and said.has("prediction"):
        return f"CAST({model}_answer = label AS INTEGER)"
    return None


def _losses(design: ShadowDesign, said: Said) -> Iterator[Quantity]:
    scale = 10**design.primary.decimals
    if design.task in {"binary", "multiclass"}:
        candidate, champion = (right(design, said, model) for model in MODELS)
        if champion is not None and candidate is not None:
            values = candidate, champion, f"CAST({candidate} = 1 AND {champion} = 1 AS INTEGER)"
            yield Quantity("correctness", (*MODELS, "both"), values, ONE, labelled=True)
    if design.task == "binary" and said.has("score") and said.has_labels:
        truth = label_positive(design, said)
        given = "CASE WHEN {0} THEN {1}_score ELSE 1 - {1}_score END"
        log_loss = [f"-ln(greatest({given.format(truth, model)}, {LEAST_PROBABILITY!r}))" for model in MODELS]
        yield _rounded("log_loss", log_loss, scale)
        gaps = [f"({model}_score - CAST({truth} AS INTEGER))" for model in MODELS]
        yield _rounded("squared_error", [f"{gap} * {gap}" for gap in gaps], scale)
    if design.task == "regression" and said.has("prediction") and said.has_labels:
        gaps = [f"(CAST({model}_answer AS DOUBLE) - CAST(label AS DOUBLE))" for model in MODELS]
        yield _rounded("absolute_error", [f"abs({gap})" for gap in gaps], scale)
        yield _rounded("squared_error", [f"{gap} * {gap}" for gap in gaps], scale)
    if design.task == "ranking" and said.has("score"):
        yield _rounded("score", [f"{model}_score" for model in MODELS], scale)


def _agreement(design: ShadowDesign, said: Said) -> Iterator[Quantity]:
    scale = 10**design.primary.decimals
    if design.task == "binary":
        decisions = [positive(design, said, model) for model in MODELS]
        if None not in decisions:
            candidate, champion = decisions
            same = f"CAST({candidate} = {champion} AS INTEGER)"
            values = (same, *(f"CAST({decision} AS INTEGER)" for decision in decisions))
            yield Quantity("decisions", ("agreeing", *MODELS), values, ONE)
    elif design.task == "multiclass" and said.has("prediction"):
        same = "CAST(candidate_answer = champion_answer AS INTEGER)"
        yield Quantity("decisions", ("agreeing",), (same,), (1,))
    if design.written.threshold is not None and said.has("score"):
        candidate, champion = (f"({model}_score >= {design.written.threshold!r})" for model in MODELS)
        flips = (
            f"CAST({candidate} AND NOT {champion} AS INTEGER)",
            f"CAST({champion} AND NOT {candidate} AS INTEGER)",
        )
        yield Quantity("flips", ("to_positive", "to_negative"), flips, (1, 1))
    if design.task == "regression" and said.has("prediction"):
        yield _rounded(
            "answer", [f"CAST({model}_answer AS DOUBLE)" for model in MODELS], scale, labelled=False
        )
    elif design.task != "ranking" and said.has("score"):
        y, x = (f"CAST(round({model}_score * {SQUARED_AT}) AS BIGINT)" for model in MODELS)
        squares = (x, y, f"{x} * {x}", f"{y} * {y}", f"{x} * {y}")
        scales = (SQUARED_AT,) * 2 + (SQUARED_AT**2,) * 3
        yield Quantity("score_agreement", ("x", "y", "xx", "yy", "xy"), squares, scales)


def _operations(design: ShadowDesign, said: Said) -> Iterator[Quantity]:
    for name, column, short, decimals in (
        ("latency_mean", "latency_ms", "latency", LATENCY_DECIMALS),
        ("cost", "cost", "cost", COST_DECIMALS),
    ):
        if said.has(column) and (name == "cost" or any(limit.measure == name for limit in design.limits)):
            yield Quantity(name, MODELS, (f"candidate_{short}", f"champion_{short}"), (10**decimals,) * 2)


def _rounded(name: str, values: list[str], scale: int, *, labelled: bool = True) -> Quantity:
    whole = tuple(f"CAST(round(({value}) * {scale}) AS BIGINT)" for value in values)
    return Quantity(name, MODELS, whole, (scale, scale), labelled=labelled)
