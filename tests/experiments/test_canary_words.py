"""What a check says: plainly what was found, what follows, and how long it would take; never that nothing is there."""

from __future__ import annotations

import pytest

from experiments.canaries.readout import CanaryReadout, GuardrailReading
from experiments.canaries.words import days, outlook
from tests.experiments.canary_logs import DESIGN, Canary, Truth


@pytest.fixture(scope="module")
def climbed() -> list[CanaryReadout]:
    canary = Canary()
    canary.run()
    return canary.readouts


def reading_of(readout: CanaryReadout, metric: str) -> GuardrailReading:
    return next(g for g in readout.guardrails if g.comparison.metric == metric)


def test_a_check_within_the_step_says_no_more_than_that(climbed: list[CanaryReadout]) -> None:
    assert climbed[0].verdict.sentence == (
        "No guardrail is beyond its margin, and the hold time is not over. The share stays at 5%."
    )


def test_too_small_to_judge_says_what_is_not_ruled_out_and_how_long_it_would_take(
    climbed: list[CanaryReadout],
) -> None:
    assert climbed[1].verdict.sentence == (
        "Too small to judge: failed@1 was 2.6 percentage points worse with candidate; a worsening of −1.7 to +7.2 percentage "
        "points is not ruled out, and the margin is 5 percentage points. If the estimate stays, about 844 more units in each arm would "
        "settle it, about 3 days at this share. The share stays at 5%."
    )
    found = reading_of(climbed[1], "failed@1")
    assert found.outlook == outlook(found)
    assert "about 844 more units" in found.outlook
    assert reading_of(climbed[1], "latency@1").outlook == ""


def test_an_answered_step_says_to_what_share_it_may_grow(climbed: list[CanaryReadout]) -> None:
    assert climbed[2].verdict.sentence == (
        "All 2 guardrails stayed within their margins. The share may grow to 20%."
    )
    assert climbed[2].verdict.share == 0.2


def test_a_pass_does_not_call_the_candidate_better(climbed: list[CanaryReadout]) -> None:
    assert climbed[-1].verdict.sentence == (
        "All 2 guardrails stayed within their margins. The canary is done; it does not say that the candidate is better."
    )


def test_a_breach_says_which_guardrail_how_much_worse_and_that_control_is_served() -> None:
    readout = Canary(Truth(worse=0.12)).run()
    assert readout.verdict.sentence.startswith(
        "failed@1 was worse with candidate by more than the accepted 5 percentage points ("
    )
    assert readout.verdict.sentence.endswith("Everybody gets control at once.")


def test_a_breach_that_pauses_says_that_somebody_decides() -> None:
    readout = Canary(Truth(worse=0.12), DESIGN + "breach: pause\n").run()
    assert readout.verdict.action == "pause"
    assert readout.verdict.sentence.endswith("Everybody gets control at once, until somebody decides.")


def test_time_that_is_up_says_so_and_what_was_declared() -> None:
    tight = DESIGN.replace("margin: 0.05", "margin: 0.004")
    readout = Canary(Truth(units_per_day=4_000), tight).run()
    assert (readout.verdict.code, readout.verdict.action) == ("INCONCLUSIVE", "hold")
    assert readout.verdict.sentence.endswith(
        "The time of this step is up without an answer. The share is held at 5% until somebody decides; no further check is "
        "declared."
    )


def test_an_estimate_outside_the_margin_is_not_said_to_be_settled_by_more_units() -> None:
    tight = DESIGN.replace("margin: 0.05", "margin: 0.004")
    readout = Canary(Truth(units_per_day=4_000, worse=0.02), tight).run()
    found = reading_of(readout, "failed@1")
    if found.comparison.state == "Margin not ruled out" and (found.worsening or 0) >= 0.004:
        assert found.units_needed is None
        assert found.outlook == (
            "More units at this share would not settle it: the estimate itself is not inside the margin."
        )
    else:
        pytest.fail(f"the case is no longer what it was: {found.comparison.state}, {found.worsening}")


@pytest.mark.parametrize(
    ("number", "said"),
    [(0.01, "about 1 hour"), (0.5, "about 12 hours"), (1.9, "about 46 hours"), (2.1, "about 3 days")],
)
def test_times_to_wait_are_rounded_up(number: float, said: str) -> None:
    assert days(number) == said
