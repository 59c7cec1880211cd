"""The guarantees themselves in small: every row of the table with fewer replays, and what the table must cover.

A ceiling fails where a share is above its bound by more than three Monte-Carlo standard errors; seeds are fixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from experiments.cohorts.cohort import CutOff
from experiments.cohorts.counted import Enrolled
from experiments.designs.written_stopping import Boundary
from experiments.logs.sql import DAY_US
from experiments.looks.stopping import next_look
from experiments.readouts.past import PastLook
from experiments.simulation.rule import Boundaries, Reason, endings
from tests.guarantees.__main__ import BY_USER, REPLAYS, SEED, WALKED
from tests.guarantees.arrivals import exactly, information, look_days
from tests.guarantees.cases import (
    Section,
    case,
    equal_looks,
    error_sections,
    group_sequential,
    one_sided,
    under_the_effect,
)
from tests.guarantees.designs import design
from tests.guarantees.document import KEPT, wrapped
from tests.guarantees.measuring import Case, Share, intervals_of, replayed, share_of
from tests.guarantees.practices import (
    allocation_checks,
    daily_p_values,
    harm_stop,
    harm_stop_cases,
    plain_bounds_of_a_guardrail,
    stopped_on_the_primary_alone,
    walk_harm_stop,
)
from tests.guarantees.results import Sizes, measured
from tests.guarantees.walking import walk

DOCUMENT = Path(__file__).parents[2] / "docs" / "guarantees.md"
SECTIONS = error_sections()
SMALL = 1_000


def pooled(shares: list[Share]) -> Share:
    """The rows of one bound together."""
    return Share(sum(one.count for one in shares), sum(one.replays for one in shares), shares[0].bound)


@pytest.mark.parametrize("section", SECTIONS, ids=[one.title for one in SECTIONS])
def test_no_rule_errs_more_often_than_it_may(section: Section) -> None:
    # standard error of a row at 5 %: 0.0069; of a section of fourteen rows: 0.0018
    by_bound: dict[float, list[Share]] = {}
    for one in section.cases:
        share = share_of(one, SMALL, seed=5)
        assert share.kept, f"{one.name}: {share.value}"
        by_bound.setdefault(share.bound, []).append(share)
    for shares in by_bound.values():
        assert pooled(shares).kept


@pytest.mark.parametrize("section", SECTIONS, ids=[one.title for one in SECTIONS])
def test_a_replay_ends_as_its_readouts_do(section: Section) -> None:
    """Of every other row one; all of them where the document is written."""
    for one in section.cases[::4]:
        assert walk(one, 1, seed=6) == 1


def test_power_is_as_designed_and_intervals_hold_the_true_effect() -> None:
    for one in under_the_effect()[:12:3]:
        walk(one, 1, seed=7)
        held = intervals_of(one, 300, seed=7)
        assert held.ships.kept
        assert held.at_all_looks.kept
        assert held.stagewise is None or held.stagewise.kept


def test_harm_stops_watched_daily_hardly_ever_trip_at_their_margin() -> None:
    for one, _ in harm_stop_cases():
        assert walk_harm_stop(one, 3, seed=8) == 3
        assert harm_stop(one, SMALL, seed=8).kept


def test_habits_err_far_more_often_than_they_promise() -> None:
    assert daily_p_values(SMALL, seed=9).value > 0.2
    assert plain_bounds_of_a_guardrail(SMALL, seed=9).value > 0.05
    alarms = allocation_checks(5_000, seed=9, walked=2)
    assert alarms["chi-squared", 28].value > 0.005
    assert alarms["chi-squared", 168].value > 0.01
    assert alarms["anytime-valid", 168].kept
    stopped = stopped_on_the_primary_alone(0.06, SMALL, seed=9)
    assert stopped.by_rule.value - stopped.by_primary_alone.value > 0.08


def test_a_rule_that_takes_the_plain_critical_value_at_every_look_is_found_out() -> None:
    """What measures the error can see one: five looks at 1.96 err in about 14 %."""

    class Plain:
        def at(self, information: np.ndarray) -> np.ndarray:
            return np.full(information.shape, 1.96)

    one = case("plain", "5 equal", group_sequential(looks=equal_looks(5)))
    count = 0
    for batch in replayed(one, SMALL, seed=10):
        ends = endings(one.design, batch.cohorts, Boundaries({0: Plain()}, None))
        count += int(np.isin(ends.reason, [Reason.EFFICACY, Reason.PRIMARY_HARMED]).sum())
    assert not Share(count, SMALL, 0.05).kept
    assert count / SMALL == pytest.approx(0.142, abs=0.035)


def test_more_than_the_allowed_share_is_not_kept() -> None:
    assert Share(63, 1_000, 0.05).kept
    assert not Share(75, 1_000, 0.05).kept
    assert Share(770, 1_000, 0.8, at_least=True).kept
    assert not Share(750, 1_000, 0.8, at_least=True).kept


def test_an_effect_is_that_of_the_population_drawn() -> None:
    for name, effect in (("points", 0.1), ("bought", 0.03), ("spent", -2.0)):
        one = case("effect", "100 %", primary=name)
        cohorts = next(iter(replayed(replace(one, effects={name: effect}), 400, seed=11))).cohorts
        pair = cohorts.pair(0, 1)
        found = float((pair.treatment.value - pair.control.value).mean())
        error = float(pair.standard_error().mean()) / 20
        assert found == pytest.approx(effect, abs=4 * error)


def looks_by_the_path(found_design: object, arrived: np.ndarray) -> list[int]:
    """Days from 0 at which ``next_look`` ends the cohorts of one replay's looks."""
    found = design("points", group_sequential())
    assert found_design is found
    start = round(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1_000_000
    new = np.diff(arrived, axis=0, prepend=0)
    enrolled = [
        Enrolled(day, arm, int(new[day, arm]), int(new[day, arm]))
        for day in range(len(new))
        for arm in range(new.shape[1])
    ]

    def analysed_at(cut_off: CutOff) -> tuple[int, ...]:
        assert cut_off.before_us is not None
        return tuple(int(n) for n in arrived[(cut_off.before_us - start) // DAY_US - 1])

    past: list[PastLook] = []
    while True:
        status = next_look(found, past, enrolled, analysed_at, start, None, timed=True)
        assert status.due
        before = status.cut_off.before_us
        past.append(PastLook(status.k, before, None, status.information))
        if status.final:
            return [((one.before_us or 0) - start) // DAY_US - 1 for one in past]


def test_uneven_cohorts_are_looked_at_on_the_days_of_the_real_path() -> None:
    found = design("points", group_sequential())
    chance, days = np.random.default_rng(12), found.maximum_duration // found.stopping.step
    for _ in range(20):
        mean = found.plan.total / days * chance.lognormal(0.2, 0.6)
        traffic = chance.poisson(mean * chance.lognormal(0, 0.5, days))
        arrived = chance.multinomial(traffic, (0.5, 0.5)).cumsum(axis=0)
        reached = information(found, arrived[None].astype(float))
        assert look_days(found, reached)[0] == looks_by_the_path(found, arrived)


def rows_of_the_document() -> set[str]:
    return {line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("|")}


def cases_measured() -> Iterator[Case]:
    for section in SECTIONS:
        yield from section.cases


def test_the_document_has_a_row_of_every_boundary_one_sided_and_two_sided() -> None:
    rows = rows_of_the_document()
    for boundary in get_args(Boundary):
        for words in ("", ", one-sided"):
            pattern = re.compile(rf"\| {boundary}( \([-0-9.]+\))?{words} \|")
            assert any(pattern.match(row) for row in rows), f"{boundary}{words}"
    for rule in ("fixed", "always-valid", "harm stop"):
        assert any(row.startswith(f"| {rule}") for row in rows)


def test_the_document_has_the_rows_that_are_measured_now_and_no_others() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for section in SECTIONS:
        assert f"## {section.title}\n" in text
        assert wrapped(section.about) in text
    written = {tuple(cell.strip() for cell in row.split("|")[1:4]) for row in rows_of_the_document()}
    assert {(one.rule, one.looks, one.outcome) for one in cases_measured()} <= written
    errors = text[: text.index("## Harm stops")]
    drawn = sum(line.startswith("|") for line in errors.splitlines()) - 2 * len(SECTIONS)
    assert drawn == len(list(cases_measured()))


def test_the_document_says_how_it_was_made_and_that_every_rule_keeps_its_bound() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    command = (
        f"python -m tests.guarantees --replays {REPLAYS} --walked {WALKED} --by-user {BY_USER} --seed {SEED}"
    )
    assert command in " ".join(text.split())
    assert wrapped(KEPT) in text
    errors = text[: text.index("## The stage-wise interval after futility")]
    assert "**no**" not in errors


def test_a_one_sided_case_keeps_all_but_its_sides() -> None:
    both = case("fixed", "100 %")
    one = one_sided(both, "")
    assert (both.design.primary.sides, one.design.primary.sides) == (2, 1)
    assert one.arrivals is both.arrivals
    assert exactly(0.5)(both.design, 2, np.random.default_rng(1))[0].shape == (2, 1, 2)


@pytest.mark.slow
def test_every_row_keeps_its_bound_at_a_fortieth_of_the_document_s_size() -> None:
    found = measured(Sizes(replays=REPLAYS // 40, walked=2, by_user=400, seed=2))
    assert found.broken == []
