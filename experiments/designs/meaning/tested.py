"""The metrics a design tests against something: the primary and each guardrail, with where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from experiments.designs.metrics import Baseline, Catalogue, Metric
from experiments.designs.written import DEFAULT_WINDOW, WrittenDesign
from experiments.designs.written_measures import Amount, Guardrail, Primary
from experiments.forms.drafts import Unreadable
from experiments.forms.problems import Path


@dataclass(frozen=True, slots=True)
class Tested:
    """The primary or one guardrail as written."""

    path: Path
    declared: Primary | Guardrail
    catalogue: Catalogue

    @property
    def metric(self) -> Metric:
        """What the catalogue says of it; a metric that is not there has been reported, so checks end here."""
        return metric_of(self.declared.metric, self.catalogue)

    @property
    def baseline(self) -> Baseline | None:
        return self.declared.baseline or self.metric.baseline

    @property
    def is_primary(self) -> bool:
        return self.path == ("primary",)

    @property
    def role(self) -> str | None:
        """What a guardrail is for; None of the primary."""
        return None if self.is_primary else cast(Guardrail, self.declared).role

    @property
    def burn_in(self) -> int | None:
        return None if self.is_primary else cast(Guardrail, self.declared).burn_in

    @property
    def decides(self) -> bool:
        return self.is_primary or self.role == "must-hold"

    @property
    def mde(self) -> Amount | None:
        return cast(Primary, self.declared).mde if self.is_primary else None


def tested(design: WrittenDesign, catalogue: Catalogue) -> Iterator[Tested]:
    """What of the primary and the guardrails can be read; each is checked by itself."""
    with suppress(Unreadable):
        yield Tested(("primary",), design.primary, catalogue)
    with suppress(Unreadable):
        for index, guardrail in enumerate(design.guardrails):
            yield Tested(("guardrails", index), guardrail, catalogue)


def metric_of(reference: str, catalogue: Catalogue) -> Metric:
    """The metric, or ``Unreadable`` where the catalogue has none of that name."""
    if reference not in catalogue:
        raise Unreadable(reference)
    return catalogue[reference]


def references(design: WrittenDesign, catalogue: Catalogue) -> Iterator[tuple[Path, str]]:
    """Every readable reference to a metric that has a role, and its path."""
    for one in tested(design, catalogue):
        with suppress(Unreadable):
            yield (*one.path, "metric"), one.declared.metric
    with suppress(Unreadable):
        for index, reference in enumerate(design.secondary.metrics):
            with suppress(Unreadable):
                yield ("secondary", "metrics", index), f"{reference}"


def design_window(design: WrittenDesign, catalogue: Catalogue) -> int:
    """How long outcomes count where a metric does not say."""
    if design.window is not None:
        return design.window
    if design.primary.window is not None:
        return design.primary.window
    return metric_of(design.primary.metric, catalogue).window or DEFAULT_WINDOW
