"""The protocol of a draft as far as it goes: the whole one once the design is complete, a few sentences before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.declared_words import duration_in_words, listed
from app.drafting.answers import scales, shown_amount
from app.drafting.checking import Checked
from app.protocol import Section, protocol
from experiments.designs.metrics import Catalogue, Metric
from experiments.forms.durations import seconds

GAP = "…"
"""Stands where an answer is still open."""


def protocol_so_far(checked: Checked, catalogue: Catalogue) -> tuple[Section, ...]:
    """The protocol in plain language; gaps where answers are open."""
    if checked.design is not None:
        return protocol(checked.design)
    return tuple(
        Section(heading, tuple(sentences))
        for heading, sentences in (
            ("Question", _question(checked)),
            ("Units and arms", _units(checked)),
            ("Success", _success(checked, catalogue)),
            ("Guardrails", _guardrails(checked, catalogue)),
            ("When it ends", _ending(checked)),
        )
    )


def metric_at(reference: Any, catalogue: Catalogue) -> Metric | None:
    """The catalogue's metric of a reference; None where it has none."""
    return catalogue.get(reference) if isinstance(reference, str) else None


def _question(checked: Checked) -> Iterator[str]:
    at = checked.draft.at
    arms = _arms(checked)
    control, treatments = arms[0], arms[1:]
    yield f"We will compare {listed(treatments)} with {control}: {_said(at(('title',)))}."
    metric = _name(at(("primary", "metric")))
    expected = {
        "increase": f"{metric} to increase",
        "decrease": f"{metric} to decrease",
        "no worsening": f"{metric} not to get worse",
    }.get(str(at(("hypothesis", "expect"))), f"{metric} to {GAP}")
    population = _said(at(("hypothesis", "population")) or "all eligible units")
    yield f"We expect {expected} for {population}, because {_said(at(('hypothesis', 'because')))}."


def _units(checked: Checked) -> Iterator[str]:
    unit = _said(checked.draft.at(("units", "randomisation")) or "user")
    yield f"Each {unit} is assigned to one arm: {', '.join(_arms(checked))}."


def _success(checked: Checked, catalogue: Catalogue) -> Iterator[str]:
    at = checked.draft.at
    reference = at(("primary", "metric"))
    metric = metric_at(reference, catalogue)
    name, control = _name(reference), _arms(checked)[0]
    if at(("purpose",)) == "non-inferiority":
        margin = _amount(at(("primary", "margin")), metric)
        yield f"Success means: {name} is not worse by {margin} or more than with {control}."
        return
    better = GAP if metric is None else "higher" if metric.direction == "higher" else "lower"
    yield f"Success means: {name} is {better} than with {control}, and every guardrail that must hold is within its margin."
    yield f"The smallest improvement worth shipping is {_amount(at(('primary', 'mde')), metric)}."


def _guardrails(checked: Checked, catalogue: Catalogue) -> Iterator[str]:
    guardrails = checked.draft.at(("guardrails",))
    if not isinstance(guardrails, list) or not guardrails:
        yield f"There is no guardrail, because: {_said(checked.draft.at(('no_guardrails_reason',)))}"
        return
    for index in range(len(guardrails)):
        reference = checked.draft.at(("guardrails", index, "metric"))
        margin = _amount(checked.draft.at(("guardrails", index, "margin")), metric_at(reference, catalogue))
        yield f"{_name(reference)}: not worse by {margin} or more."


def _ending(checked: Checked) -> Iterator[str]:
    at = checked.draft.at
    rule = at(("stopping", "rule")) or "fixed"
    yield {
        "fixed": "Outcomes are read once, at the end.",
        "group-sequential": "Outcomes are read at the declared looks only.",
        "always-valid": "Outcomes are read after every step of enrolment.",
    }.get(str(rule), f"Outcomes are read {GAP}")
    window = at(("window",))
    try:
        yield f"Outcomes count for {duration_in_words(seconds(window))} from first exposure."
    except ValueError:
        return


def _arms(checked: Checked) -> list[str]:
    arms = checked.draft.at(("arms",))
    names = [
        str(arm["name"]) if isinstance(arm, dict) and arm.get("name") else GAP
        for arm in (arms if isinstance(arms, list) else [])
    ]
    return names if len(names) > 1 else [*(names or [GAP]), GAP]


def _amount(value: Any, metric: Metric | None) -> str:
    if value is None:
        return GAP
    amount = shown_amount(value, metric)
    scale = scales(metric)[amount.scale]
    if amount.number == "1":
        scale = scale.replace("percentage points", "percentage point")
    return f"{amount.number or GAP} {scale}".replace(" %", "%")


def _name(value: Any) -> str:
    return str(value) if value else "the primary metric"


def _said(value: Any) -> str:
    return str(value).strip().rstrip(".") if value else GAP
