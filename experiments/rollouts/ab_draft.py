"""The A/B design that a rollout opens: champion against candidate, the canary's guardrails, what the shadow hands on.

What the rollout declares for it (hypothesis, primary, power, stopping …) is taken as it is; the rest follows from the
rungs below. The draft is a design file like any other: its owner may go on with it, and a reviewer locks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import Any, Literal

from ruamel.yaml import YAML

from experiments.canaries.design import CanaryDesign
from experiments.designs.design import Design, design_of, slug
from experiments.designs.measures import Measure
from experiments.designs.metrics import Catalogue
from experiments.forms.documents import scan_document
from experiments.forms.durations import written as written_duration
from experiments.forms.problems import Invalid, Problem
from experiments.readouts.words import count
from experiments.rollouts.design import RolloutDesign
from experiments.rollouts.routing import outside_the_canary
from experiments.shadows.readout import ShadowReadout

LONGEST_TITLE = 120


@dataclass(frozen=True, slots=True)
class HandedOn:
    """What a shadow hands on to the A/B: the champion's own level and spread, and the effect it lets one expect.

    Attributes:
        effect: candidate − champion, in the measure's unit, with the declared interval; None where it was not computed.
        source: where it comes from, for the design's baseline.
    """

    entry: str
    measure: str
    unit: str
    champion: float | None
    sd: float | None
    effect: float | None
    low: float | None
    high: float | None
    pairs: int
    source: str


def handed_on(readout: ShadowReadout) -> HandedOn | None:
    """What a sealed shadow hands on; None where its deciding measure was not measured."""
    primary = readout.primary
    if primary is None or primary.control_value.value is None:
        return None
    entry, interval = readout.registration.experiment, primary.interval
    return HandedOn(
        entry=entry,
        measure=primary.label,
        unit=primary.unit,
        champion=primary.control_value.value,
        sd=primary.control_value.sd,
        effect=primary.estimate,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        pairs=primary.pairs,
        source=f"shadow {entry}, {count(primary.pairs)} labelled pairs, readout {readout.sha256[:12]}",
    )


def ab_draft(
    rollout: RolloutDesign,
    catalogue: Catalogue,
    *,
    canary: CanaryDesign | None,
    handed: HandedOn | None,
) -> Design:
    """The A/B design of a rollout, as a draft that passes every check of a design.

    Raises:
        Invalid: every problem of the design that comes out, or no primary is declared for it.
    """
    declared = rollout.written.rungs.ab.design
    if "primary" not in declared:
        said = "is missing: name the A/B's primary metric, for example {metric: task_success, mde: 0.01}"
        raise Invalid("rollout", [Problem(("rungs", "ab", "design", "primary"), said)])
    body: dict[str, Any] = {
        "title": _title(rollout),
        "hypothesis": _hypothesis(rollout, catalogue, handed),
        "arms": [
            {"name": "control", "version": rollout.champion},
            {"name": "candidate", "version": rollout.candidate},
        ],
        "assignment": _assignment(rollout, canary),
        **_of_canary(canary, catalogue, str(declared["primary"].get("metric"))),
        **declared,
        "anything_else": _anything_else(rollout, handed),
        **_people(rollout),
    }
    if rollout.written.rungs.ab.baseline == "shadow" and handed is not None:
        body["primary"] = _with_baseline(body["primary"], handed)
    return design_of(scan_document(_in_order(body), "A/B design of the rollout"), catalogue)


def _in_order(body: dict[str, Any]) -> str:
    """YAML in the order in which a design is read."""
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 120
    text = StringIO()
    writer.dump(body, text)
    return text.getvalue()


def _title(rollout: RolloutDesign) -> str:
    title = f"{rollout.title}: A/B"
    return (
        title
        if len(title) <= LONGEST_TITLE
        else f"{rollout.model} {rollout.candidate} against {rollout.champion}"
    )


def _hypothesis(rollout: RolloutDesign, catalogue: Catalogue, handed: HandedOn | None) -> dict[str, Any]:
    reference = str(rollout.written.rungs.ab.design["primary"].get("metric"))
    direction: Literal["higher", "lower"] = (
        catalogue[reference].direction if reference in catalogue else "higher"
    )
    found = "" if handed is None else f"; {_expected(handed)}"
    return {
        "because": f"{rollout.candidate} of {rollout.model} has come through its rungs below{found}",
        "expect": {"higher": "increase", "lower": "decrease"}[direction],
    }


def _assignment(rollout: RolloutDesign, canary: CanaryDesign | None) -> dict[str, Any]:
    """A key and salt of its own; a layer that holds nobody of the canary where they are excluded."""
    key = f"{slug(rollout.model)}-{slug(rollout.candidate)}-ab"
    rule: dict[str, Any] = {"key": key, "salt": key}
    if canary is None:
        return rule
    rule["exposure"] = canary.written.assignment.exposure
    if rollout.written.rungs.ab.canary_units == "exclude":
        free = outside_the_canary(canary.salt, max(step.share for step in canary.steps))
        rule["layer"] = {"name": free.name, "start": str(free.start), "end": str(free.end)}
    return rule


def _of_canary(canary: CanaryDesign | None, catalogue: Catalogue, primary: str) -> dict[str, Any]:
    """What the canary gives; the primary is none of the guardrails, for a metric has one role."""
    if canary is None:
        return {}
    written = canary.written
    decides = catalogue[primary].reference if primary in catalogue else primary
    body: dict[str, Any] = {
        "guardrails": [
            _guardrail(measure) for measure in canary.guardrails if measure.metric.reference != decides
        ],
        "units": {"randomisation": written.unit},
        "label_delay": written_duration(written.label_delay),
        "source": written.source,
    }
    if written.eligibility:
        body["eligibility"] = [
            condition.model_dump(mode="json", by_alias=True, exclude_none=True)
            for condition in written.eligibility
        ]
    return body


def _guardrail(measure: Measure) -> dict[str, Any]:
    """A guardrail as the canary had it: same metric in its version, same margin, same window, same claim."""
    margin = measure.margin
    body: dict[str, Any] = {
        "metric": measure.metric.reference,
        "margin": None if margin is None else {margin.kind: margin.value},
        "reason": measure.reason,
        "alpha": measure.alpha,
        "test": measure.test,
        "window": written_duration(measure.window),
        "minimum_units": measure.minimum_units,
    }
    return body if measure.segment is None else body | {"segment": measure.segment}


def _with_baseline(primary: dict[str, Any], handed: HandedOn) -> dict[str, Any]:
    if "baseline" in primary:
        return primary
    baseline: dict[str, Any] = {"mean": handed.champion, "source": handed.source}
    return primary | {"baseline": baseline if handed.sd is None else baseline | {"sd": handed.sd}}


def _expected(handed: HandedOn) -> str:
    effect = (
        "was not computed" if handed.effect is None else f"was {handed.effect:+.6g} {handed.unit}".rstrip()
    )
    between = (
        "" if handed.low is None or handed.high is None else f" ({handed.low:+.6g} to {handed.high:+.6g})"
    )
    return f"in {handed.entry} the difference in {handed.measure} {effect}{between}"


def _anything_else(rollout: RolloutDesign, handed: HandedOn | None) -> str:
    ab = rollout.written.rungs.ab
    units = (
        "Units in the canary's two slices are kept out by the hash, decided before any exposure."
        if ab.canary_units == "exclude"
        else f"Units of the canary are assigned anew like all others: {ab.canary_units_reason}"
    )
    parts = [str(ab.design.get("anything_else", "")), units if rollout.written.rungs.canary else ""]
    if handed is not None:
        parts.append(f"Expected from the shadow: {_expected(handed)}.")
    return " ".join(part for part in parts if part)


def _people(rollout: RolloutDesign) -> dict[str, Any]:
    written = rollout.written
    found = {"owner": written.owner, "team": written.team, "deciders": list(written.deciders)}
    return {name: value for name, value in found.items() if value}
