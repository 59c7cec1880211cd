"""The metric catalogue in words: what each metric means, how it is counted, and which experiments use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.declared_words import duration_in_words
from app.formats import decimal, shortest
from experiments.designs.metrics import Catalogue, Metric, Part
from registry.stewardship import Standing, Verified, standing_of

TYPES = {
    "count": "count of events",
    "sum": "sum of values",
    "mean": "mean of values",
    "proportion": "yes or no",
    "conversion": "yes or no: did it happen",
    "retention": "yes or no: came back",
    "ratio": "ratio of two sums",
    "quantile": "quantile of values",
}

DIRECTIONS = {"higher": "higher is better", "lower": "lower is better"}

STANDINGS: dict[Standing, str] = {
    "verified": "✓ verified",
    "changed": "! edited since it was verified",
    "not verified": "not verified",
}

_NO_EVENTS = {
    "zero": "A unit without any event counts as 0.",
    "missing": "A unit without any event has no value and is left out; how many, is shown by arm.",
}
_NULLS = {
    "skip": "An event without a value is skipped.",
    "missing": "A unit with an event without a value is left out.",
    "zero": "An event without a value counts as 0.",
}


@dataclass(frozen=True, slots=True)
class Use:
    """An experiment that names a metric version, and as what."""

    experiment: str
    role: str


@dataclass(frozen=True, slots=True)
class Described:
    """One version of a metric, in words.

    Attributes:
        formula: what one unit contributes.
        newest: whether a new design gets this version by its bare name.
        uses: of exactly this version.
        standing: whether a metric steward vouches for it as it is defined now.
        verified: who vouched last, if anybody; also where it was edited since.
    """

    reference: str
    name: str
    version: int
    newest: bool
    meaning: str
    type: str
    direction: str
    formula: str
    window: str
    unit: str
    baseline: str
    cap: str
    missing: str
    events: tuple[str, ...]
    uses: tuple[Use, ...]
    standing: Standing
    verified: Verified | None

    @property
    def standing_words(self) -> str:
        return STANDINGS[self.standing]

    @property
    def used_in(self) -> int:
        """How many experiments name this version."""
        return len({use.experiment for use in self.uses})


@dataclass(frozen=True, slots=True)
class Gone:
    """A metric version that plans name and the catalogue no longer has."""

    reference: str
    uses: tuple[Use, ...]


def described(
    catalogue: Catalogue,
    plans: Mapping[str, Mapping[str, Any]],
    known: Mapping[str, Verified] = MappingProxyType({}),
) -> tuple[Described, ...]:
    """Every metric of the catalogue by name, newest version first.

    Args:
        plans: the material document of each experiment, by id.
        known: the verifications that hold, by ``name@version``.
    """
    uses = uses_of(plans)
    metrics = sorted(catalogue.values(), key=lambda metric: (metric.name, -metric.version))
    return tuple(
        _described(metric, catalogue[metric.name] is metric, uses.get(metric.reference, ()), known)
        for metric in metrics
    )


def gone(catalogue: Catalogue, plans: Mapping[str, Mapping[str, Any]]) -> tuple[Gone, ...]:
    """What plans name and the catalogue no longer has; the plans hold its definition, so they stay as they are."""
    uses = uses_of(plans)
    return tuple(Gone(reference, uses[reference]) for reference in sorted(uses) if reference not in catalogue)


def unverified(metrics: Iterable[Metric], known: Mapping[str, Verified]) -> tuple[str, ...]:
    """Those for which no metric steward vouches as they are defined: a note to whoever designs, no obstacle."""
    those = dict.fromkeys(one.reference for one in metrics if standing_of(one, known) != "verified")
    return tuple(those)


def uses_of(plans: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[Use, ...]]:
    """Which experiments name a metric version, by ``name@version``."""
    found: dict[str, list[Use]] = {}
    for experiment, plan in plans.items():
        for reference, role in _named(plan):
            found.setdefault(reference, []).append(Use(experiment, role))
    return {reference: tuple(uses) for reference, uses in found.items()}


def _named(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every metric version that a plan names, and as what. A shadow names none: what decides there is a measure of pairs."""
    primary = plan.get("primary")
    if primary and "metric" in primary:
        yield _reference(primary), "primary"
    for guardrail in plan.get("guardrails") or ():
        yield _reference(guardrail), str(guardrail.get("role", "guardrail")).replace("-", " ")
    for other in (plan.get("secondary") or {}).get("metrics") or ():
        yield _reference(other), "secondary"


def _reference(measure: Mapping[str, Any]) -> str:
    metric = measure.get("metric", measure)
    return f"{metric['name']}@{metric['version']}"


def _described(metric: Metric, newest: bool, uses: Sequence[Use], known: Mapping[str, Verified]) -> Described:
    nulls = (
        f" {_NULLS[metric.null_values]}" if metric.type not in ("count", "conversion", "retention") else ""
    )
    return Described(
        reference=metric.reference,
        name=metric.name,
        version=metric.version,
        newest=newest,
        meaning=metric.meaning,
        type=TYPES[metric.type],
        direction=DIRECTIONS[metric.direction],
        formula=_formula(metric),
        window=_window(metric),
        unit=metric.unit or ("share of units" if metric.is_binary else "none given"),
        baseline=_baseline(metric),
        cap=_cap(metric),
        missing=_NO_EVENTS[metric.when_no_events] + nulls,
        events=metric.events(),
        uses=tuple(uses),
        standing=standing_of(metric, known),
        verified=known.get(metric.reference),
    )


def _formula(metric: Metric) -> str:
    match metric.type:
        case "count":
            return f"number of its {metric.event} events in the window"
        case "sum":
            return f"sum of the values of its {metric.event} events in the window"
        case "mean":
            return f"mean of the values of its {metric.event} events in the window"
        case "proportion":
            return f"1 when any {metric.event} value in the window is above 0, else 0"
        case "conversion":
            least = (
                f"at least {metric.at_least} {metric.event} events"
                if metric.at_least > 1
                else f"a {metric.event} event"
            )
            return f"1 when it has {least} in the window, else 0"
        case "retention":
            begins = duration_in_words(metric.starts)
            return f"1 when it has a {metric.event} event later than {begins} after first exposure, else 0"
        case "ratio":
            return f"{_part(metric.numerator)}, divided by {_part(metric.denominator)}, over all units"
        case "quantile":
            level = shortest(100 * (metric.quantile or 0))
            return f"{level}th percentile of all {metric.event} values of an arm, clustered by unit"


def _part(part: Part | None) -> str:
    if part is None:
        return "nothing"
    return f"{part.aggregate} of {part.event}" + (
        f" (at most {shortest(part.cap)} a unit)" if part.cap else ""
    )


def _window(metric: Metric) -> str:
    if metric.window is None:
        return "as the design says"
    return f"{duration_in_words(metric.window)} from first exposure"


def _baseline(metric: Metric) -> str:
    known = metric.baseline
    if known is None:
        return "none given: a design gives its own"
    value = (
        f"{shortest(100 * known.mean)}%"
        if metric.is_binary
        else f"{shortest(known.mean)} {metric.unit}".strip()
    )
    spread = "" if known.sd is None else f", standard deviation {shortest(known.sd)}"
    return f"{value}{spread} ({known.source})"


def _cap(metric: Metric) -> str:
    if metric.cap is None:
        return "none"
    return f"at most {decimal(metric.cap, 0) if metric.cap == int(metric.cap) else shortest(metric.cap)} {metric.unit} a unit".replace(
        "  ", " "
    )
