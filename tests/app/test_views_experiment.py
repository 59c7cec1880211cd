"""What the page of one experiment shows, as plain values: progress, looks, harm stops, versions, reasons why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from app.charts import Drawn, spec
from app.charts.enrolment import arms_so_far, maturity_by_week, units_so_far
from app.cli.session import open_workspace_registry
from app.settings import load_settings
from app.views_experiment.findings import Findings, findings_of
from app.views_experiment.gates import why_not
from app.views_experiment.header import header_of, next_look
from app.views_experiment.history import records_of, versions_of
from app.views_experiment.live import (
    advice,
    failing,
    harm_rows,
    look_rows,
    outcome_reads_of,
    progress_of,
    why_no_look,
)
from app.views_experiment.looks import taken_looks
from experiments.designs.design import Design
from experiments.looks.health_counts import ArmCounts, Maturing
from experiments.readouts.readout import Check
from registry.findings import LookStanding
from registry.lifecycle.states import RULES
from registry.plans import locked_design
from registry.store import Dossier, show, who_is
from tests.app import found
from tests.app.life import ID, Life

WEEKS = tuple(
    Maturing(week=week, from_=datetime(2026, 11, 2, tzinfo=UTC), mature=mature, waiting=waiting)
    for week, mature, waiting in ((1, 700, 0), (2, 300, 350))
)
ARMS = (
    ArmCounts(arm="control", planned_share=0.5, planned=900, assigned=690, exposed=680, mature=500),
    ArmCounts(arm="candidate", planned_share=0.5, planned=900, assigned=710, exposed=670, mature=500),
)
STANDING = LookStanding(
    k=1,
    of=3,
    final=False,
    due=False,
    information=0.3,
    wanted=0.4,
    short=False,
    enrolled=(270, 280),
    planned=(900, 900),
    start=None,
    mature_at=None,
    expected=datetime(2026, 11, 18, tzinfo=UTC),
    missing=("30% of the planned information so far",),
)
NOTHING_FOUND = Findings(None, None, None, None, None, None, None, None, (), ())


@pytest.fixture
def opened(at: Callable[[str], Life]) -> Callable[[str], tuple[Dossier, Design, Findings]]:
    """An experiment at a stage, with what the worker finds of it."""

    def go(stage: str) -> tuple[Dossier, Design, Findings]:
        life = at(stage)
        found.check(life.folder, ID)
        with open_workspace_registry(load_settings(life.folder)) as registry:
            dossier = show(registry, ID)
            return dossier, locked_design(dossier)[0], findings_of(registry, dossier)

    return go


# Progress


def test_progress_is_that_of_mature_units_against_those_the_look_needs():
    progress = progress_of(replace(NOTHING_FOUND, standing=STANDING))
    assert progress is not None
    assert progress.fraction == 0
    assert progress.words == (
        "Look 1 needs about 720 mature units (40% of the planned information). 550 units have come. "
        "Expected about 18 Nov 2026, 00:00 UTC."
    )


def test_a_look_that_is_due_is_all_the_way():
    due = STANDING.model_copy(update={"due": True, "information": 0.41})
    progress = progress_of(replace(NOTHING_FOUND, standing=due))
    assert progress is not None
    assert progress.fraction == 1
    assert progress.words.endswith("It is due.")


def test_a_look_that_comes_at_its_time_asks_for_no_number_of_units():
    timed = STANDING.model_copy(update={"wanted": None})
    progress = progress_of(replace(NOTHING_FOUND, standing=timed))
    assert progress is not None
    assert progress.words.startswith("Look 1 comes at its time, whatever has come.")


def test_without_a_finding_there_is_no_progress_and_no_look(opened):
    dossier, design, _ = opened("running")
    assert progress_of(NOTHING_FOUND) is None
    assert why_no_look(dossier, NOTHING_FOUND) == (
        "nobody has checked yet whether it is due. Check health now."
    )
    assert next_look(dossier, design, NOTHING_FOUND) == "1 of 1"


def test_a_standing_of_an_earlier_look_says_nothing_of_the_next(at):
    life = at("due")
    found.check(life.folder, ID)
    life.ok(f"readout {ID} --as mira")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        assert findings_of(registry, show(registry, ID)).standing is None


# Looks


def test_every_declared_look_has_a_row_with_its_time(opened):
    dossier, design, findings = opened("running")
    (row,) = look_rows(dossier, design, findings)
    assert (row.name, row.planned, row.status) == ("Look 1 of 1", "100%, 186 units", "to come")
    assert row.at == "expected about 5 Nov 2026, 00:00 UTC"


def test_a_look_that_is_due_says_so_and_why_not_is_empty(opened):
    dossier, design, findings = opened("due")
    assert look_rows(dossier, design, findings)[0].status == "due"
    assert why_no_look(dossier, findings) is None
    assert next_look(dossier, design, findings) == "1 of 1, due now"


def test_a_look_taken_tells_how_it_ended_and_holds_no_verdict(at):
    life = at("read_out")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        (look,) = taken_looks(show(registry, ID))
    assert str(look.reading) == "■ Ended the experiment: final look"
    assert "SHIP" not in repr(look)


# Harm stops and reads of outcomes


def test_a_harm_stop_that_nobody_watched_has_not_tripped(opened):
    dossier, design, findings = opened("watched")
    (row,) = harm_rows(design, dossier, findings)
    assert (row.metric, row.state, row.watched) == ("failure@1", "not tripped", "not watched yet")


def test_reads_of_outcomes_are_counted_by_who_made_them(at):
    life = at("read_out")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        reads = outcome_reads_of(show(registry, ID))
    assert reads.sentence == "Only Fairtrial itself has read outcome data, 1 time."
    assert reads.rows[0][1:] == ("system", "look 1")


# Checks


def check(name: str, result: str) -> Check:
    return Check.model_validate({"name": name, "result": result, "detail": "", "rule": ""})


def test_checks_that_fail_come_before_those_that_hold_and_warn(opened):
    _, _, findings = opened("running")
    assert findings.health is not None
    assert failing(findings.health) == ()
    mixed = tuple(check(result, result) for result in ("warn", "pass", "hold", "not applicable", "fail"))
    shown = failing(findings.health.model_copy(update={"checks": mixed}))
    assert [one.result for one in shown] == ["fail", "hold", "warn"]


def test_every_check_that_can_fail_has_something_to_do(opened):
    _, _, findings = opened("running")
    assert findings.health is not None
    for one in findings.health.checks:
        assert len(advice(one.model_copy(update={"result": "fail"}))) > 30
        assert advice(one.model_copy(update={"result": "pass"})) == "\N{EN DASH}"


# Why not


def test_every_act_has_a_reason_where_it_is_not_possible(at):
    life = at("running")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        experiment, dan = show(registry, ID).experiment, who_is(registry, "dan")
    for verb in RULES:
        why = why_not(dan, experiment, verb)
        assert why is not None
        assert why.endswith(".")
    assert why_not(dan, experiment, "decide") == "possible while it is read out or invalid; it is running."
    assert why_not(dan, experiment, "stop by hand") == "only the owner (mira) may; you are dan."


# Header and history


def test_the_header_has_the_verdict_only_once_it_is_released(at):
    for stage, verdicts in (("due", []), ("read_out", ["SHIP"])):
        life = at(stage)
        with open_workspace_registry(load_settings(life.folder)) as registry:
            dossier = show(registry, ID)
            header = header_of(dossier, None, findings_of(registry, dossier))
        assert [reading.words for reading, _ in header.chips if reading.words.isupper()] == verdicts


def test_versions_and_records_hold_no_detail_of_a_look(at):
    life = at("due")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        dossier = show(registry, ID)
    (version,) = versions_of(dossier)
    assert version.number == 1
    assert version.changes == ()
    assert not any("changes" in repr(record) for record in records_of(dossier))


# Charts of enrolment


def drawn_everywhere() -> tuple[Drawn, ...]:
    srm = Check(name="Allocation (SRM)", result="pass", detail="", rule="p", p_value=0.4)
    return (
        arms_so_far(ARMS, srm),
        units_so_far(WEEKS, 1800, 100.0, 1.4),
        units_so_far(WEEKS[:1], 1800, None),
        maturity_by_week(WEEKS),
    )


@pytest.mark.parametrize("number", range(4))
def test_charts_of_enrolment_keep_to_the_schema_and_say_what_they_draw(number):
    drawn = drawn_everywhere()[number]
    document = spec(drawn.chart, validate=True)
    assert unescape(document["description"]) == drawn.sentence
    assert len({len(column) for column in drawn.table.values()}) == 1


def test_the_charts_say_the_numbers_of_the_logs():
    arms, units, bare, weeks = drawn_everywhere()
    assert arms.sentence == (
        "Assigned units 690 / 710 (49.29% / 50.71%), planned 50% / 50%. SRM p = 0.4000: no evidence of a mismatch."
    )
    assert units.sentence == (
        "1 350 units are exposed so far, 1 800 are planned; by the planned traffic it would be 980 by now."
    ).replace(" 350", "\N{NARROW NO-BREAK SPACE}350").replace(" 800", "\N{NARROW NO-BREAK SPACE}800")
    assert "planned traffic" not in bare.sentence
    assert "350 wait until their window has passed" in weeks.sentence


def test_a_mismatch_is_said_in_words():
    failed = Check(name="Allocation (SRM)", result="fail", detail="", rule="p", p_value=1e-7)
    assert arms_so_far(ARMS, failed).sentence.endswith("SRM p < 0.0001: the arms do not match the plan.")


def test_enrolment_that_has_just_begun_is_drawn_at_its_time_and_not_at_the_week_s_end():
    drawn = units_so_far(WEEKS[:1], 1800, 100.0, timedelta(days=1) / timedelta(days=7))
    assert "by the planned traffic it would be 100 by now" in drawn.sentence
