"""The sentences of a shadow's readout, filled by code; the table of words of an A/B readout holds here too."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.readouts import words
from experiments.readouts.readout import Check, Look
from experiments.shadows.design import ShadowDesign
from experiments.shadows.readout import PairedComparison, PairingReport, ShadowReadout

SELECTIVE: str = (
    "Labels were produced under the champion's actions. Where the two models would have acted differently, the candidate's outcome "
    "was not observed."
)
FEEDBACK: str = (
    "Nobody saw what the candidate said. How people would have reacted to it, and what they would have asked "
    "next, a shadow cannot tell."
)


def subject(found: PairedComparison) -> str:
    """What a comparison is of, with its level: ``Share right at country = DE``."""
    return found.label[0].upper() + found.label[1:]


def was(found: PairedComparison) -> str:
    """``Share right was 0.49 percentage points higher with v4 than with v3 (95% CI …)``."""
    estimate = found.estimate or 0.0
    if found.bound in {"at_most", "at_least"}:
        return f"{subject(found)} was {own(found, found.estimate)} ({own_interval(found)})"
    if estimate == 0:
        return f"{subject(found)} differed by 0 between the models ({words.ci(found)})"
    side = "higher" if estimate > 0 else "lower"
    return (
        f"{subject(found)} was {words.amount(found, abs(estimate))} {side} with {found.treatment} than with "
        f"{found.control_value.arm} ({words.ci(found)})"
    )


def own(found: PairedComparison, value: float | None) -> str:
    """One model's number: ``88.6%``, ``203 ms``, ``0.0026``."""
    if value is None:
        return "unbounded"
    if found.unit == "percentage points":
        return f"{words.significant(100 * value)}%"
    return f"{words.significant(value)} {found.unit}".strip()


def own_interval(found: PairedComparison) -> str:
    if found.interval is None:
        return "no interval"
    return f"{words.level(found.interval)} CI {own(found, found.interval.low)} to {own(found, found.interval.high)}"


def limit_words(found: PairedComparison) -> str:
    """What was declared: ``at most 250 ms``, ``a worsening of less than 20 ms``."""
    if found.limit is None:
        return "no limit"
    value = words.size(abs(found.limit), "absolute", found.unit)
    if found.bound in {"worsening", "margin"}:
        return f"a worsening of less than {value}"
    if found.bound == "difference":
        return "a difference from 0"
    if found.unit == "percentage points":
        value = f"{abs(found.limit) * 100:g}%"
    return f"{found.bound.replace('_', ' ')} {value}"


def passed(primary: PairedComparison, checks: Sequence[Check], limits: int, levels: int) -> str:
    text = f"Everything declared was met. {was(primary)}."
    if primary.margin is not None:
        text += f" It is within the margin of {words.margin_words(primary)} (limit {words.harmful_bound(primary)})."
    text += f" {_all(limits, 'limit', 'held')}"
    if levels:
        text += f" {_all(levels, 'level of the declared segments', 'stayed within its margin', 'levels of the declared segments')}"
    return f"{text} {words.checked(checks)}"


def _all(n: int, one: str, did: str, several: str | None = None) -> str:
    if n == 0:
        return f"No {one} was declared."
    if n == 1:
        return f"The {one} {did}."
    return f"All {n} {several or one + 's'} {did.replace('its', 'their').replace('margin', 'margins')}."


def broken(limits: Sequence[PairedComparison]) -> str:
    return (
        " ".join(f"{was(one)}; declared was {limit_words(one)}." for one in limits)
        + " Whatever the labels say."
    )


def worse(primary: PairedComparison) -> str:
    text = f"{was(primary)}."
    if primary.margin is not None:
        text += f" That is beyond the margin of {words.margin_words(primary)}."
    return text


def collapsed(levels: Sequence[PairedComparison]) -> str:
    parts = [f"{was(one)}, beyond the margin of {words.margin_words(one)}" for one in levels]
    return f"{'; '.join(parts)}. A part that collapses fails the gate, whatever the total."


def not_measured(missing: Sequence[str]) -> str:
    return f"The shadow cannot decide, because what it declared was not measured: {'; '.join(missing)}. Missing never passes."


def not_ruled_out(primary: PairedComparison, open_: Sequence[PairedComparison]) -> str:
    parts = [f"{one.label} may be {_at_worst(one)}, declared was {limit_words(one)}" for one in open_]
    return f"{was(primary)}, as declared. But {'; '.join(parts)}."


def _at_worst(found: PairedComparison) -> str:
    """How bad a limit that is not ruled out may be."""
    bounds = found.interval
    if found.bound in {"at_most", "at_least"} and bounds is not None:
        return own(found, bounds.high if found.bound == "at_most" else bounds.low)
    return f"worse by up to {words.harmful_bound(found, signed=False)}"


def imprecise(primary: PairedComparison) -> str:
    needed = (
        f"the margin is {words.margin_words(primary)}"
        if primary.margin is not None
        else "a difference was to be shown"
    )
    return (
        f"The shadow could not tell. The data are compatible with anything from {words.bounds(primary)}; {needed}. "
        "This is not evidence that the models are alike."
    )


def ruled_out(primary: PairedComparison) -> str:
    return f"An improvement of {words.mde_words(primary)} or more was ruled out ({words.ci(primary)}). Smaller benefits remain possible."


def stopped_by_hand(primary: PairedComparison) -> str:
    return (
        "The shadow was stopped by hand before its declared end, so its declared error rates do not hold for a decision. "
        f"{was(primary)}."
    )


def goes_on(look: Look) -> str:
    """All that is said of a look that goes on."""
    return f"No boundary was crossed at look {look.k}. The shadow continues as planned."


def invalid(failed: Sequence[Check]) -> str:
    parts = [f"{check.name} failed ({check.detail}; rule: {check.rule})." for check in failed]
    return (
        f"The pairs cannot be trusted. {' '.join(parts)} No comparison of the models is reported. Mend the mirroring or the logs "
        "and run again."
    )


def limits_of(design: ShadowDesign, pairing: PairingReport, look: Look) -> tuple[str, ...]:
    """What a shadow cannot tell; always printed."""
    written = design.written
    found = [SELECTIVE, FEEDBACK]
    if written.sample < 1:
        found.append(
            f"{float(written.sample):.3g} of the traffic was mirrored; it speaks of the rest as far as the sample is a random one."
        )
    else:
        found.append("It speaks of the traffic of this period; another season may differ.")
    if pairing.matched_share is not None and pairing.matched_share < 1:
        found.append(
            f"{words.count(pairing.requests - pairing.both)} requests were logged by one model only and are not compared."
        )
    if pairing.label_share is not None and pairing.label_share < 1:
        found.append(
            f"{words.count(pairing.answered - pairing.labelled)} mature pairs have no label and are not judged; whether they are "
            "like the others was not tested."
        )
    if look.short and look.final:
        found.append(
            "It was read with fewer labelled units than planned, so a true difference may have been missed."
        )
    if pairing.with_hash == 0:
        found.append("No input hash is logged: that both models were given the same input is taken on trust.")
    return tuple(found)


def paragraph(design: ShadowDesign, readout: ShadowReadout) -> str:
    """For a sceptical stakeholder: what was declared, what was found, how sure, what it cannot say."""
    primary = design.primary
    target = (
        "not be worse by " + words.size(primary.margin, "absolute", primary.measure.unit) + " or more"
        if primary.margin is not None
        else "differ"
    )
    late = any(label in {"late", "retrospective"} for label in readout.registration.labels)
    when = "After labels had begun to arrive" if late else "Before any label was read"
    declared = (
        f"{when} we declared that {design.candidate} would answer the same requests as {design.champion}, unseen; that its "
        f"{primary.measure.words} should {target}; and that {_counted(len(design.limits), 'limit')} and "
        f"{_counted(len(design.segments), 'segment')} had to hold."
    )
    found = readout.pairing
    units = "users" if design.by_user else "requests"
    kept = f"{words.count(found.labelled)} labelled pairs of {words.count(found.units)} {units} were judged."
    parts = [declared, kept, readout.verdict.sentence]
    if readout.verdict.code not in {"INVALID", "CONTINUE"}:
        parts += [SELECTIVE]
    return " ".join(parts)


def _counted(n: int, noun: str) -> str:
    return f"{'no' if n == 0 else n} {noun}{'' if n == 1 else 's'}"
