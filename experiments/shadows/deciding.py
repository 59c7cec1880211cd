"""What decides: the primary and every level of every segment, each by its declared test at its declared level."""

from __future__ import annotations

from dataclasses import dataclass, replace

from analysis.guardrails import GuardrailState
from analysis.multiplicity import adjust
from analysis.paired import DeclaredTest, PairedResult, PairedTable, heterogeneity_of_estimates, mcnemar
from experiments.readouts.deciding import MARGIN_WORDS, NON_INFERIORITY, STATE_WORDS
from experiments.readouts.verdict import PrimaryState
from experiments.shadows.comparing import ShadowTests, Subject, nothing, shown, state_of, unmeasured
from experiments.shadows.design import SegmentRule
from experiments.shadows.evidence import ContentEvidence
from experiments.shadows.readout import PairedComparison, Quality, SegmentReport


@dataclass(frozen=True, slots=True)
class JudgedPrimary:
    """The deciding measure: as shown, what it means for the verdict, and its test at this look."""

    comparison: PairedComparison
    state: PrimaryState
    result: PairedResult


@dataclass(frozen=True, slots=True)
class JudgedSegment:
    report: SegmentReport
    states: tuple[GuardrailState, ...]
    results: tuple[PairedResult | None, ...] = ()


def judge_primary(tests: ShadowTests, content: ContentEvidence) -> JudgedPrimary:
    design, primary = tests.design, tests.design.primary
    test = DeclaredTest(primary.alpha, primary.sides, primary.direction, primary.margin or 0.0)
    subject = Subject(
        measure=primary.measure.name,
        label=primary.measure.words,
        role="primary",
        unit=primary.measure.unit,
        direction=primary.direction,
        bound="difference" if primary.margin is None else "margin",
        limit=test.null,
        margin=primary.margin,
        reason=primary.reason,
    )
    sums = content.quantity(primary.measure.name)
    if sums is None or sums.pairs == 0:
        why = f"no labelled pair says the {primary.measure.words} of both models"
        return JudgedPrimary(unmeasured(design, subject, why), PrimaryState.MISSING, nothing(why, test))
    table = content.table() if primary.measure.name == "correctness" else None
    result = tests.ask(tests.of_primary(sums, table), test)
    if table is not None and primary.test in {"exact", "midp"}:
        p_value = mcnemar(table, method="exact" if primary.test == "exact" else "midp").p_value
        decides = p_value is not None and p_value < test.alpha
        name = f"McNemar {primary.test}, interval by Tango's score"
        result = replace(
            result,
            p_value=p_value,
            name=name,
            better=result.better and decides,
            worse=result.worse and decides,
        )
    state = _state_of_primary(tests, result)
    words = STATE_WORDS[state] if primary.margin is None else MARGIN_WORDS[state_of(result)]
    found = shown(design, subject, result, (sums.mean("champion"), sums.mean("candidate")), sums.pairs, words)
    return JudgedPrimary(found.model_copy(update={"mde": primary.mde}), state, result)


def _state_of_primary(tests: ShadowTests, result: PairedResult) -> PrimaryState:
    primary = tests.design.primary
    if primary.margin is not None:
        return NON_INFERIORITY[state_of(result)]
    if result.ci is None:
        return PrimaryState.MISSING
    if result.better:
        return PrimaryState.MET
    if result.worse:
        return PrimaryState.HARMED
    best = result.ci[1] if primary.direction == "higher" else -result.ci[0]
    if primary.mde is not None and best < primary.mde:
        return PrimaryState.RULED_OUT
    return PrimaryState.UNDECIDED


def judge_segment(tests: ShadowTests, content: ContentEvidence, rule: SegmentRule) -> JudgedSegment:
    """Every level of an attribute against its margin; a declared level that is not there is missing.

    Each level is tested at the whole α: all of them have to pass, so that the chance of a wrong pass of the whole is no more
    than α (intersection-union, Berger 1982). Holm's adjustment is for telling which levels differ at all.
    """
    design, primary = tests.design, tests.design.primary
    test = DeclaredTest(rule.alpha, 1, primary.direction, rule.margin)
    present = content.levels_of(primary.measure.name, rule.attribute)
    names = tuple(dict.fromkeys((*rule.levels, *present)))
    found: list[PairedComparison] = []
    results: list[PairedResult | None] = []
    differing: dict[str, float | None] = {}
    estimates: list[tuple[float, float]] = []
    tables: list[Quality] = []
    for name in names:
        subject = Subject(
            measure=primary.measure.name,
            label=f"{primary.measure.words} at {rule.attribute} = {name}",
            role="must-hold",
            unit=primary.measure.unit,
            direction=primary.direction,
            bound="margin",
            limit=test.null,
            margin=rule.margin,
            reason=rule.reason,
            segment=rule.attribute,
            level=name,
        )
        sums = content.quantity(primary.measure.name, rule.attribute, name)
        table = content.table(rule.attribute, name) if primary.measure.name == "correctness" else None
        pairs = 0 if sums is None else sums.pairs
        if sums is None or pairs < rule.minimum_pairs:
            why = f"{pairs} labelled pairs, {rule.minimum_pairs} declared"
            found.append(unmeasured(design, subject, why))
            results.append(None)
            differing[name] = None
            continue
        compared = tests.of_primary(sums, table)
        result = tests.ask(compared, test)
        values = sums.mean("champion"), sums.mean("candidate")
        found.append(shown(design, subject, result, values, pairs))
        results.append(result)
        differing[name] = tests.ask(compared, DeclaredTest(2 * rule.alpha, 2, primary.direction)).p_value
        moments = sums.candidate_less_champion
        if moments.standard_error:
            estimates.append((moments.difference_mean / moments.pairs_mean, moments.standard_error))
        if table is not None:
            tables.append(quality_of(table, by_user=design.by_user, level=name))
    adjusted = adjust(differing, method="holm", alpha=2 * rule.alpha).members if differing else {}
    comparisons = tuple(
        one.model_copy(
            update={"adjusted_p_value": adjusted[one.level or ""].adjusted, "multiplicity": "holm"}
        )
        for one in found
    )
    spread = heterogeneity_of_estimates([one[0] for one in estimates], [one[1] for one in estimates])
    report = SegmentReport(
        attribute=rule.attribute,
        comparisons=comparisons,
        tables=tuple(tables),
        heterogeneity_p_value=spread.p_value,
        heterogeneity_method="Cochran's Q over the levels with a standard error; units in several levels make it approximate",
        not_computed=spread.not_computed,
    )
    states = tuple(_STATES[one.state] for one in comparisons) or (GuardrailState.MISSING,)
    return JudgedSegment(report, states, tuple(results))


_STATES = {words: state for state, words in MARGIN_WORDS.items()}


def quality_of(table: PairedTable, *, by_user: bool, level: str | None = None) -> Quality:
    """The four counts with McNemar's exact test; a user's requests resemble one another, so there it only describes."""
    note = (
        "It takes requests for independent; the interval and test by user above decide."
        if by_user
        else "Every request is a unit of its own."
    )
    return Quality(
        level=level,
        both=table.both,
        candidate_only=table.candidate_only,
        champion_only=table.champion_only,
        neither=table.neither,
        p_value=mcnemar(table).p_value,
        method="McNemar, exact",
        note=note,
    )
