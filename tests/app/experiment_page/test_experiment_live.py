"""Live: health, units, the next look and harm stops, blind to outcomes; and what came of a look."""

from __future__ import annotations

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from app.worker import Worker
from registry import lifecycle
from registry.jobs import Kind, jobs_of, latest
from tests.app import found
from tests.app.experiment_page.page import life_day, off, press, visit, words
from tests.app.life import BROKEN, DESIGN_WITH_A_HARM_STOP, ID, Life
from tests.app.test_cli_sequential import SEQUENTIAL


def test_before_the_first_check_the_page_says_what_will_be_there(shown):
    page = shown("running", "live")
    said = words(page)
    assert "Not checked yet" in said
    assert "Nobody has checked the logs yet" in said
    assert "check health now" in page.info[0].value
    assert "nobody has checked yet whether it is due" in off(page, "Run look 1")
    assert "Nobody has seen outcome data" in said


def test_a_check_that_was_found_is_shown_with_units_and_the_next_look(at):
    life = at("running")
    found.check(life.folder, ID)
    page = visit("live")
    said = words(page)
    assert "Health: Good" in said
    assert "193 units have come, 0 are mature" in said
    assert "Allocation (SRM)" in said
    assert "expected about 5 Nov 2026, 00:00 UTC" in said
    assert "Available about 5 Nov 2026, 00:00 UTC" in off(page, "Run look 1")
    assert "Assigned units 106 / 87" in said
    assert "no evidence of a mismatch" in said


def test_only_the_owner_runs_a_look_that_is_due(at):
    life = at("due")
    found.check(life.folder, ID)
    assert "only the owner (mira) may; you are ola." in off(visit("live", "ola"), "Run look 1")
    page = press(visit("live"), "Run look 1")
    assert "Asked." in page.success[0].value
    with open_workspace_registry(load_settings(life.folder)) as registry:
        job = latest(registry, ID, "look")
    assert job is not None
    assert (job.requested_by, job.state) == ("mira", "queued")
    assert "it is being taken." in off(visit("live"), "Run look 1")


def test_checking_health_asks_the_worker_once(at):
    life = at("running")
    page = press(visit("live", "dan"), "Check health now")
    assert "Asked." in page.success[0].value
    assert "it is being checked." in off(page, "Check health now")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        assert {(job.kind, job.requested_by) for job in jobs_of(registry, ID)} == {
            ("health", "dan"),
            ("look-status", "dan"),
        }
    again = visit("live", "mira")
    assert "Health check: waiting for a worker" in words(again)


def test_a_job_that_failed_says_why_and_what_to_do(at):
    life = at("running")
    found.fail(life.folder, ID, "The log assignments cannot be read.")
    page = visit("live")
    assert "The log assignments cannot be read. Nothing was changed." in page.error[0].value
    press(page, "Check health now")


def test_broken_allocation_is_a_notice_with_what_to_do(at, tmp_path):
    life = at("registered")
    life.faults = BROKEN
    life.running()
    found.check(life.folder, ID)
    said = words(visit("live"))
    assert "Health: Failing" in said
    assert "Assignment audit: failed." in said
    assert "The readout is blocked" in said


def test_harm_stops_are_tripped_or_not_and_nothing_else(shown):
    page = shown("watched", "live")
    said = words(page)
    assert "failure@1" in said
    assert "Not tripped" in said
    assert "worse by more than 10 percentage points, α 0.01 one-sided" in said
    page = press(page, "Watch the harm stops now")
    assert "they are being watched." in off(page, "Watch the harm stops now")


def test_a_watch_is_a_read_of_outcomes_that_everybody_sees(at):
    life = at("watched")
    life.pass_to(life_day(3))
    life.ok(f"watch {ID} --as mira")
    said = words(visit("live", "ola"))
    assert "Only Fairtrial itself has read outcome data, 1 time." in said
    assert "watched 1 time" in said


def test_a_harm_stop_that_trips_stops_it_and_says_only_that(tmp_path, monkeypatch, fairtrial):
    monkeypatch.chdir(tmp_path)
    life = Life(tmp_path, fairtrial, design=DESIGN_WITH_A_HARM_STOP, harm=0.6)
    life.running()
    life.pass_to(life_day(3))
    found.work(life.folder, ID, Kind.WATCH)
    page = visit("live")
    said = words(page)
    assert "Tripped" in said
    assert "Stopped (maturing)" in said
    assert "95% CI" not in said


def test_a_look_that_is_due_is_run_by_the_worker_and_its_readout_can_be_read(at):
    life = at("due")
    found.check(life.folder, ID)
    assert "It is due." in words(visit("readout"))
    press(visit("live"), "Run look 1")
    found.work(life.folder, ID)
    page = visit()
    assert page.segmented_control[0].value == "readout"
    assert "✓ SHIP" in words(page)
    assert "Ended the experiment: final look" in words(visit("looks"))


def test_a_look_that_went_on_says_that_no_boundary_was_crossed_and_what_comes_next(
    tmp_path, monkeypatch, fairtrial
):
    monkeypatch.chdir(tmp_path)
    life = Life(tmp_path, fairtrial, design=SEQUENTIAL, lift=0.0, days=6)
    life.running()
    life.pass_to(life_day(3))
    found.check(tmp_path, ID)
    press(visit("live"), "Run look 1")
    found.work(tmp_path, ID, Kind.LOOK_STATUS)
    page = visit("live")
    said = words(page)
    assert "No boundary was crossed at look 1. The experiment continues as planned." in page.info[0].value
    assert "taken: no boundary was crossed" in said
    assert "Look 2 of 3" in said
    assert "No boundary was crossed" in words(visit("looks"))
    assert "ft-verdict" not in words(visit("readout"))


def test_the_owner_holds_a_look_whose_worker_died(at):
    life = at("due")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        lifecycle.open_look(registry, "mira", ID, 1, 1, registry.clock.now())
    assert "Look 1 of 1 open" in words(visit("live"))
    assert "only Fairtrial itself or the owner (mira) may; you are ola." in off(
        visit("looks", "ola"), "Hold look 1"
    )
    page = visit("looks")
    page.text_area(key="hold.reason").set_value("The host was restarted.")
    page = press(page, "Hold look 1")
    assert "Held: The host was restarted." in words(page)


# Units so far, checks and what is done by itself


def test_enrolment_is_drawn_by_day_and_arm_with_its_table_and_both_ways_to_the_next_look(at):
    life = at("running")
    found.check(life.folder, ID)
    page = visit("live")
    said = words(page)
    assert (
        "Exposed so far: control 106, candidate 87; by the planned traffic it would be 75 each by now."
        in said
    )
    assert "Assigned on it: control / candidate" in said
    assert "All 193 exposed so far will be mature by" in said
    assert "next by 3 Nov 2026, 18:00 UTC" in said
    assert "The logs are checked every 6 hours, and a look that is due is then taken by itself, once" in said


def test_a_check_that_fails_says_since_when_what_causes_it_and_what_to_do(at):
    life = at("registered")
    life.faults = BROKEN
    life.running()
    found.check(life.folder, ID)
    said = words(visit("live"))
    assert "Since 3 Nov 2026, 12:00 UTC." in said
    assert "What to do: Compare salt, key and shares in the assigning service with the design" in said
    assert "The assigning service uses another salt, key or other shares than the design." in said


def test_covariates_are_compared_before_exposure_in_standard_deviations(shown):
    page = shown("adjusted", "live")
    press(page, "Check health now")
    Worker().run(once=True)
    said = words(visit("live"))
    assert "success@1 in the 1d before exposure" in said
    assert "87 against 106" in said
    assert "Pre-period balance" in said
    assert "every unit of an arm" not in said


def test_where_a_check_holds_a_due_look_the_page_says_what_it_waits_for(at):
    life = at("due")
    file = life.folder / "outcomes.yaml"
    file.write_text(file.read_text().replace("unit: unit", "unit: event"))
    found.check(life.folder, ID)
    assert "It waits now: Join rate on hold." in words(visit("live"))
