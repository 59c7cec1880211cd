"""The cohort and the per-unit values in SQL against a second implementation, on logs full of faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.evidence import CohortEvidence, OutcomeEvidence
from experiments.cohorts.gathering import gather_cohort, sums_of
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design, parse_design
from experiments.designs.metrics import Catalogue, parse_catalogue
from experiments.logs.sources import OutcomeSources, Place, Sources, parse_outcome_sources, parse_sources
from tests.references import cohort_reference as reference
from tests.references.cohort_reference import Assigned, Exposed, Happened, Rules

START = datetime(2026, 3, 2, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3_600
WINDOW = 6  # hours
ARMS = ("control", "treatment")
FATES = {
    "unknown": Fate.UNKNOWN_ARM,
    "broken": Fate.BROKEN_ROWS,
    "several": Fate.SEVERAL_ARMS,
    "differs": Fate.DELIVERED_DIFFERS,
    "not exposed": Fate.NOT_EXPOSED,
    "not eligible": Fate.NOT_ELIGIBLE,
    "after": Fate.AFTER_CUT_OFF,
    "immature": Fate.NOT_MATURE,
    "analysed": Fate.ANALYSED,
}
METRICS: dict[str, dict[str, Any]] = {
    "visits": {"type": "count", "event": "visit"},
    "any_visit": {"type": "conversion", "event": "visit"},
    "back": {"type": "retention", "event": "visit", "starts": "2h"},
    "spent": {"type": "sum", "event": "pay"},
    "spent_or_missing": {"type": "sum", "event": "pay", "no_events": "missing", "null_values": "missing"},
    "spent_null_is_0": {"type": "sum", "event": "pay", "null_values": "zero"},
    "price": {"type": "mean", "event": "pay"},
    "price_null_is_0": {"type": "mean", "event": "pay", "no_events": "zero", "null_values": "zero"},
    "paid": {"type": "proportion", "event": "pay"},
    "paid_no_row_is_0": {"type": "proportion", "event": "pay", "no_events": "zero"},
}
DEFAULT_NO_EVENTS = {"mean": "missing", "proportion": "missing"}


@cache
def catalogue() -> Catalogue:
    lines = ["metrics:"]
    for name, body in METRICS.items():
        extra = ", ".join(f"{key}: {value}" for key, value in body.items())
        lines.append(
            f"  - {{name: {name}, version: 1, direction: higher, {extra}, baseline: {{mean: 0.3, sd: 1, source: made}}}}"
        )
    return parse_catalogue("\n".join(lines))


@cache
def design(several: str, differs: str, exposures: bool, eligible: bool) -> Design:
    rest = [name for name in METRICS if name != "visits"]
    text = f"""
title: An experiment with broken logs
hypothesis: {{because: "it is a test of the cohort", expect: increase}}
arms: [{{name: control}}, {{name: treatment}}]
assignment: {{method: external, exposure: {"exposures" if exposures else "assignment"}}}
primary: {{metric: visits, mde: 0.1}}
secondary: {{metrics: [{", ".join(rest[:9])}]}}
no_guardrails_reason: none is needed here
window: {WINDOW}h
label_delay: 1h
eligibility: {"[{attribute: country, is_not: XX}]" if eligible else "[]"}
segments: [country]
rules: {{several_arms: {several}, delivered_differs: {differs}}}
"""
    return parse_design(text, catalogue())


SOURCES = """
sources:
  main:
    watermark: 2026-03-05
    assignments:
      frame: assignments
      columns: {unit: unit, arm: arm, assigned_at: at DELIVERED}
      attributes: {country: country}
    exposures:
      frame: exposures
      columns: {unit: unit, exposed_at: at}
"""
OUTCOMES = """
outcomes:
  main:
    watermark: 2026-03-05
    logs:
      - frame: outcomes
        columns: {unit: unit, event: event, value: value, occurred_at: at}
"""


def tables(
    assigned: list[Assigned], exposed: list[Exposed], happened: list[Happened]
) -> tuple[Sources, OutcomeSources]:
    time = pa.timestamp("us", tz="UTC")

    def column(values: list[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind)

    frames = {
        "assignments": pa.table(
            {
                "unit": column([r.unit for r in assigned], pa.string()),
                "arm": column([r.arm for r in assigned], pa.string()),
                "at": column([r.at for r in assigned], pa.int64()).cast(time),
                "delivered": column([r.delivered for r in assigned], pa.string()),
                "country": column([r.attribute for r in assigned], pa.string()),
            }
        ),
        "exposures": pa.table(
            {
                "unit": column([r.unit for r in exposed], pa.string()),
                "at": column([r.at for r in exposed], pa.int64()).cast(time),
            }
        ),
        "outcomes": pa.table(
            {
                "unit": column([r.unit for r in happened], pa.string()),
                "event": column([r.event for r in happened], pa.string()),
                "value": column([r.value for r in happened], pa.float64()),
                "at": column([r.at for r in happened], pa.int64()).cast(time),
            }
        ),
    }
    sources = parse_sources(SOURCES.replace(" DELIVERED", ", delivered: delivered"))
    outcomes = parse_outcome_sources(OUTCOMES)
    return (
        Sources(sources.by_name, Place(frames=frames)),
        OutcomeSources(outcomes.by_name, Place(frames=frames)),
    )


def read(
    made: Design, logs: tuple[Sources, OutcomeSources], cut_off: CutOff
) -> tuple[CohortEvidence, OutcomeEvidence]:
    with Reading(made, *logs, threads=1) as reading:
        reading.place_units(cut_off.watermark_us)
        found = gather_cohort(reading, cut_off)
        reading.select_mature(cut_off)
        plan = reading.plan()
        reading.aggregate(plan)
        return found, sums_of(reading.engine, made, plan)


def us(hours: float) -> int:
    return round((START - EPOCH + timedelta(hours=hours)).total_seconds() * 1e6)


# Mostly sound rows, so that many units come through to their values, and every fault now and then.
edges = [us(hours) for hours in (0, 1, 5, 6, 7, 12, 13)]
times = st.one_of(st.sampled_from([*edges, *edges, None]), st.integers(us(0), us(14)))
sure_times = st.one_of(
    st.sampled_from([us(h) + d for h in (0, 1, 2, 5, 6, 7, 8, 12, 13, 18) for d in (-1, 0, 1)]),
    st.integers(us(0), us(20)),
)
units = st.sampled_from([*"abcdef", *"abcdef", None])
arms = st.sampled_from([*ARMS * 5, "ghost", None])
countries = st.sampled_from([None, "NL", "NL", "XX", "(none)"])
assigned_rows = st.lists(st.builds(Assigned, units, arms, times, arms, countries), min_size=3, max_size=10)
exposed_rows = st.lists(st.builds(Exposed, units, times), min_size=3, max_size=12)
happened_rows = st.lists(
    st.builds(
        Happened,
        units,
        st.sampled_from(["visit", "pay", "pay", "other"]),
        st.one_of(st.none(), sure_times, sure_times, sure_times),
        st.sampled_from([None, None, 0.0, -1.5, 2.25, 1e6, 0.1]),
    ),
    min_size=5,
    max_size=30,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    assigned=assigned_rows,
    exposed=exposed_rows,
    happened=happened_rows,
    several=st.sampled_from(["exclude", "first arm", "delivered arm"]),
    differs=st.sampled_from(["keep", "exclude"]),
    exposures=st.booleans(),
    eligible=st.booleans(),
    before=st.sampled_from([None, None, us(6), us(13)]),
    watermark=st.sampled_from([None, us(14), us(20), us(60), us(60)]),
)
def test_fates_values_and_moments_are_those_of_the_second_implementation(
    assigned: list[Assigned],
    exposed: list[Exposed],
    happened: list[Happened],
    several: str,
    differs: str,
    exposures: bool,
    eligible: bool,
    before: int | None,
    watermark: int | None,
) -> None:
    made = design(several, differs, exposures, eligible)
    rules = Rules(
        ARMS,
        several,
        differs,
        exposures,
        True,
        (lambda country: country is not None and country != "XX") if eligible else (lambda _: True),
        (WINDOW + 1) * HOUR,
        before,
        watermark,
    )
    placed = reference.cohort(assigned, exposed, rules)
    found, sums = read(made, tables(assigned, exposed, happened), CutOff(before, watermark))

    expected = {
        (None if arm is None else ARMS.index(arm), FATES[fate]): n
        for (arm, fate), n in reference.fates(placed).items()
    }
    assert {(c.arm, c.fate): c.units for c in found.fates if c.units} == expected
    assert sum(c.units for c in found.fates) == found.units == len(placed)
    read_rows = [r for r in assigned if r.at is None or watermark is None or r.at < watermark]
    assert sum(c.assignment_rows for c in found.fates) == found.rows.assignments == len(read_rows)

    analysed = {unit: one for unit, one in placed.items() if one.fate == "analysed"}
    for index, measure in enumerate(made.measures):
        body = METRICS[measure.metric.name]
        family = sums.family(index)
        assert family is not None
        for arm, name in enumerate(ARMS):
            values = [
                reference.value_of(
                    body["type"],
                    reference.rows_in(
                        happened, unit, body["event"], one.exposed or 0, measure.metric.starts, WINDOW * HOUR
                    ),
                    no_events=body.get("no_events", DEFAULT_NO_EVENTS.get(body["type"], "zero")),
                    null_values=body.get("null_values", "skip"),
                )
                for unit, one in analysed.items()
                if one.arm == name
            ]
            exact = reference.moments(values)
            arm_sums = [one for one in family.arms if one.arm == arm]
            n = arm_sums[0].n if arm_sums else 0
            assert n == exact.n, measure.label
            if n:
                moments = family.comoments(arm_sums[0]).marginal(0)
                assert moments.mean == pytest.approx(float(exact.mean), rel=1e-12, abs=1e-9)
                assert moments.m2 == pytest.approx(float(exact.m2), rel=1e-9, abs=1e-6)
    by_country = dict(found.by_attribute)["country"]
    assert sum(c.units for c in by_country) == len(analysed)
    levels = {one.attribute or "(none)" for unit in analysed.values() for one in unit.rows}
    assert {c.stratum for c in by_country} <= levels
