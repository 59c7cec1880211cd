"""Whether the logs of a source can serve a design: arms, attributes, logs, events; nothing is read but names."""

from __future__ import annotations

from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.forms.problems import Invalid, Problem, unknown_name
from experiments.logs.inspection import SourceReport
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.sql import Step, ident, text


def design_problems(
    design: Design, sources: Sources, outcomes: OutcomeSources | None, report: SourceReport
) -> tuple[Problem, ...]:
    """What of a design its source cannot serve.

    Args:
        report: of the design's source, with the same outcome logs.
    """
    try:
        with Reading(design, sources, outcomes) as reading:
            problems = _unknown_arms(design, reading)
            if outcomes is not None:
                reading.plan()
    except Invalid as error:
        return error.problems
    if outcomes is None or any(log.further_names for log in report.logs):
        return tuple(problems)
    logged = sorted({event.name for log in report.logs for event in log.events})
    wanted = {event: measure.label for measure in design.measures for event in measure.metric.events()}
    problems += [
        Problem((label,), f"no outcome log holds its event: {unknown_name(event, logged, 'a logged event')}")
        for event, label in wanted.items()
        if event not in logged
    ]
    return tuple(problems)


def _unknown_arms(design: Design, reading: Reading) -> list[Problem]:
    """Arms that this experiment's assignments name and the design does not."""
    log, opened = reading.source.assignments, reading.opened["assignments"]
    columns = log.columns
    where = "" if columns.experiment is None else f" WHERE {ident(columns.experiment)} = {text(design.key)}"
    rows = reading.engine.run(
        Step(
            "arms",
            f"SELECT DISTINCT CAST({ident(columns.arm)} AS VARCHAR) AS arm FROM {opened.sql}{where} ORDER BY arm",
        )
    )
    designed = [arm.name for arm in design.arms]
    known = {name: name for name in designed} if not log.arms else log.arms
    return [
        Problem(("assignments", "arm"), f"logged arm {unknown_name(arm, designed, 'an arm of the design')}")
        for (arm,) in rows
        if arm is not None and known.get(arm) not in designed
    ]
