"""An answer as a confidence sequence gives it: an interval and a p that hold at every look at once.

It takes the single test's contrast and standard error (the influence function's), the units, and the mixture that the design
fixed (Waudby-Smith et al. 2024, Ann. Stat. 52, p. 2613). A one-sided measure has two sequences, one for each direction, each
at its own level.
"""

from __future__ import annotations

from dataclasses import replace

from analysis.anytime.sequence import Alternative, ConfidenceSequence, SequencePlan, difference_sequence
from analysis.effects import Effect
from analysis.guardrails import Guardrail, GuardrailState, judge
from experiments.designs.design import Design, Measure
from experiments.readouts.asking import better
from experiments.readouts.comparisons import Answer


def in_sequence(design: Design, measure: Measure, treatment: int, alpha: float, plain: Answer) -> Answer:
    """The answer with the interval and p of the confidence sequence in place of the single test's."""
    effect, level = plain.effect, alpha if measure.sides == 2 else 2 * alpha
    method = "confidence sequence (normal mixture)"
    blank = replace(
        effect,
        alpha=level,
        method=method,
        ci=None,
        p_value=None,
        relative=None if effect.relative is None else replace(effect.relative, ci=None),
    )
    found = _sequences(design, measure, treatment, alpha, effect)
    if isinstance(found, str):
        missing = None
        if plain.guardrail is not None:
            missing = replace(plain.guardrail, state=GuardrailState.MISSING, reason=found)
            missing = replace(missing, harmful_bound=None, interval=None)
        return replace(plain, effect=replace(blank, not_computed=found), p_value=None, guardrail=missing)
    lower, upper, p_value = found
    if effect.scale == "relative":
        # The contrast treatment - multiple · control, in units of control; its sign decides, whatever the scale.
        base = abs(effect.control_mean or 1.0)
        lower, upper = effect.null + lower / base, effect.null + upper / base
    else:
        lower, upper = effect.null + lower, effect.null + upper
    shown = replace(blank, ci=(lower, upper), p_value=p_value)
    guardrail = None if plain.guardrail is None else judged_by(plain.guardrail, (lower, upper))
    return replace(plain, effect=shown, p_value=p_value, guardrail=guardrail)


def _sequences(
    design: Design, measure: Measure, treatment: int, alpha: float, effect: Effect
) -> tuple[float, float, float] | str:
    """Limits of the contrast around its null, and p; or why there are none."""
    if measure.metric.type == "quantile":
        return "a quantile has no confidence sequence here; one look or group-sequential looks can judge it"
    if effect.not_computed is not None or effect.statistic is None or effect.standard_error is None:
        return effect.not_computed or f"a {measure.metric.type} has no confidence sequence"
    contrast, n = effect.statistic * effect.standard_error, effect.n_control + effect.n_treatment
    squared = effect.standard_error**2

    def sequence(side: Alternative) -> ConfidenceSequence:
        plan = _plan(design, measure, treatment, alpha, side)
        return difference_sequence(plan, contrast, squared, n)

    if measure.sides == 2:
        both = sequence("two-sided")
        if both.lower is None or both.upper is None or both.p_value is None:
            return both.not_computed or "not computed"
        return both.lower, both.upper, both.p_value
    below, above = sequence("greater"), sequence("less")
    harm_stop = measure.role == "harm-stop"
    decides = better(measure) if not harm_stop else ("less" if better(measure) == "greater" else "greater")
    p_value = (below if decides == "greater" else above).p_value
    if below.lower is None or above.upper is None or p_value is None:
        return below.not_computed or "not computed"
    return below.lower, above.upper, p_value


def _plan(design: Design, measure: Measure, treatment: int, alpha: float, side: Alternative) -> SequencePlan:
    planned = design.plan.n_per_arm
    burn_in = measure.burn_in if measure.role == "harm-stop" else design.stopping.burn_in
    return SequencePlan(alpha, planned[0] + planned[treatment], burn_in or 1, side)


def judged_by(guardrail: Guardrail, interval: tuple[float, float]) -> Guardrail:
    """The guardrail by another interval; what was missing stays so."""
    if guardrail.state is GuardrailState.MISSING:
        return guardrail
    state = judge(interval, guardrail.margin, guardrail.direction)
    bound = interval[0] if guardrail.direction == "higher" else interval[1]
    return replace(guardrail, state=state, harmful_bound=bound, interval=interval)
