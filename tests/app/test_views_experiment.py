"""What the page of one experiment shows, as plain values: progress, looks, harm stops, versions, reasons why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest

from app.charts import Drawn, spec
from app.charts.enrolment import arms_so_far, maturity_by_week
from app.charts.enrolment_by_day import units_by_day
from app.cli.session import open_workspace_registry
from app.settings import load_settings
from app.views_experiment.checks import advice, failing, guidance
from app.views_experiment.findings import Findings, findings_of
from app.views_experiment.gates import why_not
from app.views_experiment.header import header_of, next_look
from app.views_experiment.history import records_of, versions_of
from app.views_experiment.live import (
    all_mature_at,
    harm_rows,
    look_rows,
    outcome_reads_of,
    pace_of,
    progress_of,
    why_no_look,
)
from app.views_experiment.looks import taken_looks
from experiments.designs.design import Design
from experiments.looks.health import Health
from experiments.looks.health_counts import ArmCounts, EnrolledDay, Maturing
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
DAYS = tuple(
    EnrolledDay(on=date(2026, 11, 2) + timedelta(days=n), assigned=came, exposed=came)
    for n, came in ((0, (100, 90)), (1, (100, 110)), (3, (80, 70)))
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


def test_every_check_that_can_fail_has_causes_and_something_to_do(opened):
    _, _, findings = opened("running")
    assert findings.health is not None
    for one in findings.health.checks:
        assert len(advice(one.model_copy(update={"result": "fail"}))) > 30
        assert advice(one.model_copy(update={"result": "pass"})) == "\N{EN DASH}"
        if one.blocking:
            assert guidance(one).causes, one.name


def test_a_check_keeps_the_time_since_when_it_has_its_result(at):
    life = at("running")
    begun = found_since(life)
    assert set(begun.values()) == {datetime(2026, 11, 3, 12, tzinfo=UTC)}
    life.pass_to(datetime(2026, 11, 3, 18, tzinfo=UTC))
    assert found_since(life) == begun
    (life.folder / "sources.yaml").write_text(
        (life.folder / "sources.yaml").read_text().replace("arm: arm", "arm: unit"), encoding="utf-8"
    )
    changed = {name for name, since in found_since(life).items() if since != begun.get(name)}
    assert "Arms named by the design" in changed
    assert "Data freshness" not in changed


def found_since(life: Life) -> dict[str, datetime]:
    found.check(life.folder, ID)
    with open_workspace_registry(load_settings(life.folder)) as registry:
        return dict(findings_of(registry, show(registry, ID)).since)


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
        units_by_day(DAYS, ARMS, 200.0),
        units_by_day(DAYS[:1], ARMS, None),
        maturity_by_week(WEEKS),
        arms_so_far(ARMS, of="exposed"),
    )


@pytest.mark.parametrize("number", range(5))
def test_charts_of_enrolment_keep_to_the_schema_and_say_what_they_draw(number):
    drawn = drawn_everywhere()[number]
    document = spec(drawn.chart, validate=True)
    assert unescape(document["description"]) == drawn.sentence
    assert len({len(column) for column in drawn.table.values()}) == 1


def test_the_charts_say_the_numbers_of_the_logs():
    arms, units, bare, weeks, exposed = drawn_everywhere()
    assert arms.sentence == (
        "Assigned units 690 / 710 (49.29% / 50.71%), planned 50% / 50%. SRM p = 0.4000: no evidence of a mismatch."
    )
    assert exposed.sentence == "Exposed units 680 / 670 (50.37% / 49.63%), planned 50% / 50%."
    assert units.sentence == (
        "Exposed so far: control 280, candidate 270; by the planned traffic it would be 400 each by now."
    )
    assert bare.sentence == "Exposed so far: control 100, candidate 90."
    assert "350 wait until their window has passed" in weeks.sentence


def test_a_mismatch_is_said_in_words():
    failed = Check(name="Allocation (SRM)", result="fail", detail="", rule="p", p_value=1e-7)
    assert arms_so_far(ARMS, failed).sentence.endswith("SRM p < 0.0001: the arms do not match the plan.")


def test_enrolment_that_has_just_begun_is_drawn_at_its_time_and_not_at_the_day_s_end():
    drawn = units_by_day(DAYS[:1], ARMS, 200.0, datetime(2026, 11, 2, 6, tzinfo=UTC))
    assert "by the planned traffic it would be 25 each by now" in drawn.sentence


def test_a_day_on_which_nobody_came_keeps_the_line_flat():
    table = units_by_day(DAYS, ARMS, 200.0).table
    assert table["Day"] == ("1 · 2 Nov", "2 · 3 Nov", "3 · 4 Nov", "4 · 5 Nov")
    assert table["Assigned on it: control / candidate"] == ("100 / 90", "100 / 110", "0 / 0", "80 / 70")
    assert table["Exposed so far"] == ("100 / 90", "200 / 200", "200 / 200", "280 / 270")
    assert table["By the planned path"] == ("100 / 100", "200 / 200", "300 / 300", "400 / 400")


def test_arms_of_unlike_shares_have_each_its_own_path():
    unlike = (
        ARMS[0].model_copy(update={"planned_share": 0.75, "planned": 1350}),
        ARMS[1].model_copy(update={"planned_share": 0.25, "planned": 450}),
    )
    assert "it would be 600 / 200 by now" in units_by_day(DAYS, unlike, 200.0).sentence


def test_a_day_of_long_ago_does_not_fill_the_page():
    """A row of 1970 in the log is a fault that the checks tell; the picture has no twenty thousand days for it."""
    stray = EnrolledDay(on=date(1970, 1, 1), assigned=(1, 0), exposed=(1, 0))
    assert len(units_by_day((stray, *DAYS), ARMS, 200.0).table["Day"]) == 6


# The pace of enrolment, and when all are mature


@pytest.fixture
def healthy(opened: Callable[[str], tuple[Dossier, Design, Findings]]) -> tuple[Design, Health]:
    _, design, findings = opened("running")
    assert findings.health is not None
    return design, findings.health.model_copy(update={"days": DAYS, "maturing": WEEKS})


def pace_at(health: Health, *moment: int) -> tuple[float, str] | None:
    pace = pace_of(health.model_copy(update={"watermark": datetime(*moment, tzinfo=UTC)}))
    return None if pace is None else (pace.per_day, pace.over)


def test_the_pace_is_that_of_the_last_whole_days_with_those_on_which_nobody_came(healthy):
    _, health = healthy
    assert pace_at(health, 2026, 11, 3) == (190.0, "on the last day")
    assert pace_at(health, 2026, 11, 5, 12) == (400 / 3, "over the last 3 days")
    assert pace_at(health, 2026, 11, 10) == (360 / 7, "over the last 7 days")


def test_before_the_first_whole_day_there_is_no_pace(healthy):
    _, health = healthy
    assert pace_at(health, 2026, 11, 2, 18) is None
    assert pace_of(health.model_copy(update={"days": ()})) is None


def test_the_last_unit_is_mature_a_window_after_the_last_day(healthy):
    design, health = healthy
    assert all_mature_at(design, health) == datetime(2026, 11, 7, tzinfo=UTC)
    assert all_mature_at(design, health.model_copy(update={"maturing": WEEKS[:1]})) is None
