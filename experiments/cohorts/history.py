"""What was known of units before they were exposed: the declared covariates, summed by arm. Nothing of what came after.

The scan of an outcome log ends at each unit's own first exposure, so that no outcome enters a sum. A log that knows only the
day cannot be cut there, and is not read.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.moments import Moments, exact_comoments
from experiments.cohorts import quantities
from experiments.cohorts.cohort import CutOff
from experiments.cohorts.gathering import arm_sums, centred
from experiments.cohorts.planning import Planner
from experiments.cohorts.quantities import Family, Layout
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design, ResolvedCovariate
from experiments.forms.durations import written
from experiments.forms.problems import Invalid
from experiments.logs.sql import Step


@dataclass(frozen=True, slots=True)
class Covariate:
    """One declared covariate over all exposed units: its moments by arm, control first.

    Attributes:
        name: "success@1 in the 14d before exposure".
        arms: those of the units that have a value.
    """

    name: str
    arms: tuple[Moments, ...]


def declared_covariates(design: Design) -> bool:
    return any(measure.covariates for measure in design.measures)


def covariates_by_arm(design: Design, reading: Reading) -> tuple[Covariate, ...] | str:
    """The declared covariates of the units exposed so far, or why they cannot be had."""
    of_metrics = any(covariate.metric for measure in design.measures for covariate in measure.covariates)
    if of_metrics and not reading.outcome_logs:
        return "outcome logs are not open here"
    try:
        plan, names = _layout(design, reading)
    except Invalid as invalid:
        return invalid.problems[0].message
    dated = [index for index, events in enumerate(plan.events) if events and _is_dated(reading, index)]
    if dated:
        return (
            f"outcome log {dated[0]} has dates only, so that what came before exposure on the same day cannot be told from an "
            "outcome"
        )
    reading.select_mature(CutOff(None, None))
    if not _read_history(design, reading, plan):
        return "no units yet"
    found = []
    for family, name in zip(centred(reading.engine, plan).families, names, strict=True):
        (variable,) = family.variables
        sums = {one.arm: one for one in arm_sums(reading.engine, family, None)}
        arms = []
        for arm in range(len(design.arms)):
            if arm not in sums:
                arms.append(Moments(0, 0.0, 0.0))
                continue
            one = sums[arm]
            exact = exact_comoments(
                one.n, one.sums, [[one.products[0]]], (variable.scale,), (variable.centre or 0,)
            )
            arms.append(Moments(one.n, exact.means[0], exact.comoments[0][0]))
        found.append(Covariate(name, tuple(arms)))
    return tuple(found)


def _layout(design: Design, reading: Reading) -> tuple[Layout, tuple[str, ...]]:
    """The plan of the covariates alone, each by itself, and what each is called."""
    planner = Planner(design, reading.outcome_logs, reading.known_events(), reading.timed)
    families: dict[str, Family] = {}
    names: dict[str, str] = {}
    for index, measure in enumerate(design.measures):
        for covariate in measure.covariates:
            variables = planner.covariate(covariate, measure.without_history)
            roles = ("",) if len(variables) == 1 else (", numerator", ", denominator")
            for variable, role in zip(variables, roles, strict=True):
                families.setdefault(variable.name, Family(index, "declared", (variable,)))
                names.setdefault(variable.name, _called(covariate, measure.without_history) + role)
    return Layout(tuple(planner.bases), tuple(families.values()), planner.events()), tuple(names.values())


def _called(covariate: ResolvedCovariate, without_history: str) -> str:
    if covariate.metric is None:
        return f"{covariate.attribute} (attribute)"
    said = f"{covariate.metric.reference} in the {written(covariate.window)} before exposure"
    return said if without_history == "zero" else f"{said} (of units that have any)"


def _read_history(design: Design, reading: Reading, plan: Layout) -> bool:
    """One row per exposed unit with its covariates; whether there is any. Each span ends at the exposure or before it."""
    late = [base for base in plan.bases if base.span.end > 0]
    if late:
        raise ValueError(
            f"{late[0].event}: a covariate that ends after exposure is an outcome; it is not read here"
        )
    units, first, last = reading.engine.run(
        Step("reach", "SELECT count(*), min(exposed_us), max(exposed_us) FROM mature")
    )[0]
    if not units:
        return False
    reach = None if first is None else (int(first), int(last))
    steps = [index for index, events in enumerate(plan.events) if events]
    for index in steps:
        contract = reading.outcome_contract_of(index, plan.events[index])
        reading.engine.run(quantities.outcome_step(index, contract, reading.outcome_logs[index], plan, reach))
    reading.engine.run(quantities.per_unit_step(design, plan, len(reading.outcome_logs), steps))
    return True


def _is_dated(reading: Reading, index: int) -> bool:
    exposures = reading.exposures or reading.assignments
    column = reading.outcome_logs[index].columns.occurred_at
    kind = None if column is None else reading.opened[f"outcomes_{index}"].types.get(column)
    return kind == "DATE" and exposures.kind != "DATE"
