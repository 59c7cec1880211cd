"""What is added up of every pair: a few numbers of both models, as whole numbers of a declared scale.

A pair counts for a quantity only where nothing that it needs is missing: what a model's row does not say, or a pair without a
label, is absent and never 0. Doubles are rounded row by row before they are added, so that no sum depends on the order of the
rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from analysis.calibration import LEAST_PROBABILITY
from experiments.shadows.contracts import COST_DECIMALS, LATENCY_DECIMALS, literal
from experiments.shadows.design import ShadowDesign

Counts = Literal["paired", "answered", "labelled"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """Numbers of a pair that are added up by unit, beside the number of pairs that have them.

    Attributes:
        names, values: of the numbers; SQL over ``pairs``: conditions that are counted, or whole numbers of 1 / scale.
        scale: None for conditions.
        needs: columns of ``pairs`` that must be there.
        among: pairs that both models logged, that both answered, or of these the labelled ones.
        champion: of a difference, the champion's own number, whose total gives both models' means.
    """

    name: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    needs: tuple[str, ...]
    among: Counts = "answered"
    scale: int | None = None
    champion: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What the logs of this source say of both models, so that what they do not say is absent and not 0."""

    columns: frozenset[str]
    has_labels: bool
    class_type: str

    def has(self, *names: str) -> bool:
        return self.columns.issuperset(names)


MODELS: Final = ("candidate", "champion")


def both(column: str) -> tuple[str, ...]:
    return tuple(f"{model}_{column}" for model in MODELS)


def _failures(name: str, flag: str) -> Quantity:
    """Failures of either model by pair, and of both at once."""
    candidate, champion = both(flag)
    return Quantity(
        name, (*MODELS, "both"), (candidate, champion, f"{candidate} AND {champion}"), (), "paired"
    )


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


def _decided_by(said: Said) -> tuple[str, ...]:
    return both("answer") if said.has("prediction") else both("score")


def right(design: ShadowDesign, said: Said, model: str) -> str | None:
    """1 where a model was right, 0 where wrong; None where nobody can tell."""
    when = _right_when(design, said, model)
    return None if when is None else f"CAST({when} AS INTEGER)"


def _right_when(design: ShadowDesign, said: Said, model: str) -> str | None:
    if said.has("correct"):
        return f"({model}_correct = 1)"
    if not said.has_labels:
        return None
    if design.task == "binary":
        decision = positive(design, said, model)
        return None if decision is None else f"({decision} = {label_positive(design, said)})"
    if design.task == "multiclass" and said.has("prediction"):
        return f"({model}_answer = label)"
    return None


def _correctness(design: ShadowDesign, said: Said) -> Quantity | None:
    """Which model was right, and whether both were; None where nobody can tell."""
    candidate, champion = (_right_when(design, said, model) for model in MODELS)
    if candidate is None or champion is None:
        return None
    needs = both("correct") if said.has("correct") else (*_decided_by(said), "label")
    values = (candidate, champion, f"{candidate} AND {champion}")
    return Quantity("correctness", (*MODELS, "both"), values, needs, "labelled")


def _losses(design: ShadowDesign, said: Said) -> Iterator[Quantity]:
    scale = 10**design.primary.decimals
    if design.task in {"binary", "multiclass"}:
        correctness = _correctness(design, said)
        if correctness is not None:
            yield correctness
    if design.task == "binary" and said.has("score") and said.has_labels:
        truth, needs = label_positive(design, said), (*both("score"), "label")
        if design.primary.measure.name == "log_loss":
            given = "CASE WHEN {0} THEN {1} ELSE 1 - {1} END"
            losses = [
                f"-ln(greatest({given.format(truth, score)}, {LEAST_PROBABILITY!r}))"
                for score in both("score")
            ]
            yield _difference("log_loss", losses, scale, needs, "labelled")
        gaps = [f"({score} - CAST({truth} AS INTEGER))" for score in both("score")]
        yield _difference("squared_error", [f"{gap} * {gap}" for gap in gaps], scale, needs, "labelled")
    if design.task == "regression" and said.has("prediction") and said.has_labels:
        needs = (*both("answer"), "label")
        gaps = [f"(CAST({answer} AS DOUBLE) - CAST(label AS DOUBLE))" for answer in both("answer")]
        yield _difference("absolute_error", [f"abs({gap})" for gap in gaps], scale, needs, "labelled")
        yield _difference("squared_error", [f"{gap} * {gap}" for gap in gaps], scale, needs, "labelled")
    if design.task == "ranking" and said.has("score"):
        yield _difference("score", list(both("score")), scale, both("score"), "labelled")


def _agreement(design: ShadowDesign, said: Said) -> Iterator[Quantity]:
    scale = 10**design.primary.decimals
    if design.task == "binary":
        candidate, champion = (positive(design, said, model) for model in MODELS)
        if candidate is not None and champion is not None:
            values = (f"{candidate} = {champion}", candidate, champion)
            yield Quantity("decisions", ("agreeing", *MODELS), values, _decided_by(said))
    elif design.task == "multiclass" and said.has("prediction"):
        candidate, champion = both("answer")
        yield Quantity("decisions", ("agreeing",), (f"{candidate} = {champion}",), both("answer"))
    if design.written.threshold is not None and said.has("score"):
        candidate, champion = (f"({score} >= {design.written.threshold!r})" for score in both("score"))
        flips = (f"{candidate} AND NOT {champion}", f"{champion} AND NOT {candidate}")
        yield Quantity("flips", ("to_positive", "to_negative"), flips, both("score"))
    if design.task == "regression" and said.has("prediction"):
        answers = [f"CAST({answer} AS DOUBLE)" for answer in both("answer")]
        yield _difference("answer", answers, scale, both("answer"), "answered")


def _operations(design: ShadowDesign, said: Said) -> Iterator[Quantity]:
    for name, column, short, decimals in (
        ("cost", "cost", "cost", COST_DECIMALS),
        ("latency_mean", "latency_ms", "latency", LATENCY_DECIMALS),
    ):
        bounds = {limit.bound for limit in design.limits if limit.measure == name}
        if not said.has(column) or not bounds:
            continue
        candidate, champion = both(short)
        difference = (f"{candidate} - {champion}",)
        yield Quantity(name, ("difference",), difference, both(short), "answered", 10**decimals, champion)
        if "at_most" in bounds:
            yield Quantity(
                f"{name} itself", ("candidate",), (candidate,), both(short), "answered", 10**decimals
            )


def _difference(name: str, values: list[str], scale: int, needs: tuple[str, ...], among: Counts) -> Quantity:
    """Candidate − champion of two doubles, each rounded to the scale before they are subtracted."""
    candidate, champion = (f"CAST(round(({value}) * {scale}) AS BIGINT)" for value in values)
    return Quantity(name, ("difference",), (f"{candidate} - {champion}",), needs, among, scale, champion)
