"""What is handed from rung to rung: the A/B's draft, and afterwards what had been predicted beside what was found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from experiments.canaries.design import parse_canary
from experiments.designs.metrics import Catalogue, parse_catalogue
from experiments.forms.problems import Invalid
from experiments.rollouts.ab_draft import HandedOn, ab_draft, handed_on
from experiments.rollouts.design import RolloutDesign
from registry import ladder, lifecycle
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.errors import Refused, Unknown
from registry.kinds import Choice
from registry.lifecycle import StopReason
from registry.records import Verdict
from tests.app.sample_parts import interval
from tests.app.sample_parts import latency as latency_found
from tests.app.sample_parts import primary as primary_found
from tests.app.samples import ship
from tests.experiments.canary_logs import CATALOGUE, DESIGN, START, Canary, Truth
from tests.experiments.shadows import Traffic, laboratory
from tests.registry.climbing import SHARES, Climb, rollout_design

PRIMARY = {"metric": "clicks_per_view", "mde": {"relative": 0.1}}
AB: dict[str, Any] = {
    "primary": PRIMARY,
    "window": "1h",
    "stopping": {
        "minimum_duration": "2d",
        "maximum_duration": "20d",
        "step": "1d",
        "part_weeks_reason": "a test of days",
    },
    "power": {"units_per_day": 4000},
}
HANDED = HandedOn("SHD-0001", "share right", "", 0.8, None, 0.02, 0.005, 0.035, 2_000, "shadow SHD-0001")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START - timedelta(days=300))


@pytest.fixture
def catalogue() -> Catalogue:
    return parse_catalogue(CATALOGUE)


def canary_design(catalogue: Catalogue, **changed: Any) -> Any:
    text = DESIGN + "assignment: {salt: 'layer:ranker', key: ranker-canary}\n"
    for old, new in changed.items():
        text = text.replace(old, new)
    return parse_canary(text, catalogue)


def rollout(ab: dict[str, Any] | None = None, **rung: Any) -> RolloutDesign:
    return rollout_design(
        "ranker",
        champion={"version": "v7"},
        candidate={"version": "v8"},
        rungs={"ab": {"design": AB if ab is None else ab, **rung}},
    )


# The draft


def test_the_a_b_has_the_canary_s_guardrails_metric_by_metric(catalogue: Catalogue) -> None:
    canary = canary_design(catalogue)
    draft = ab_draft(rollout(), catalogue, canary=canary, handed=HANDED)
    for own, theirs in zip(draft.guardrails, sorted(canary.guardrails, key=lambda m: m.label), strict=True):
        assert own.metric == theirs.metric
        assert (own.margin, own.alpha, own.window, own.test) == (
            theirs.margin,
            theirs.alpha,
            theirs.window,
            theirs.test,
        )
    assert [(arm.name, arm.version) for arm in draft.arms] == [("control", "v7"), ("candidate", "v8")]
    assert draft.written.source == canary.written.source


def test_the_draft_takes_the_part_of_the_layer_that_holds_nobody_of_the_canary(catalogue: Catalogue) -> None:
    draft = ab_draft(rollout(), catalogue, canary=canary_design(catalogue), handed=None)
    assert draft.layer is not None
    assert (draft.layer.name, str(draft.layer.start), str(draft.layer.end)) == ("ranker", "1/5", "4/5")
    assert draft.salt != "layer:ranker"


def test_units_that_are_kept_are_assigned_anew_and_the_reason_stands_in_the_plan(
    catalogue: Catalogue,
) -> None:
    kept = {"canary_units": "keep", "canary_units_reason": "What a page shows is forgotten in an hour."}
    draft = ab_draft(rollout(**kept), catalogue, canary=canary_design(catalogue), handed=None)
    assert draft.layer is None
    assert "forgotten in an hour" in draft.written.anything_else


def test_a_guardrail_that_decides_the_a_b_is_no_guardrail_of_it(catalogue: Catalogue) -> None:
    ab = AB | {"primary": {"metric": "failed", "mde": {"absolute": 0.02}}}
    draft = ab_draft(rollout(ab), catalogue, canary=canary_design(catalogue), handed=None)
    assert [one.metric.name for one in draft.guardrails] == ["latency"]
    assert draft.written.hypothesis.expect == "decrease"


def test_the_shadow_hands_its_level_and_its_expected_effect_on(catalogue: Catalogue) -> None:
    ab = AB | {"primary": {"metric": "failed", "mde": {"absolute": 0.02}}}
    draft = ab_draft(
        rollout(ab, baseline="shadow"), catalogue, canary=canary_design(catalogue), handed=HANDED
    )
    assert draft.primary.baseline is not None
    assert (draft.primary.baseline.mean, draft.primary.baseline.source) == (0.8, "shadow SHD-0001")
    assert "the difference in share right was +0.02 (+0.005 to +0.035)" in draft.written.anything_else
    by_catalogue = ab_draft(rollout(ab), catalogue, canary=canary_design(catalogue), handed=HANDED)
    assert by_catalogue.primary.baseline is not None
    assert by_catalogue.primary.baseline.mean == 0.05
    assert draft.plan.total != by_catalogue.plan.total


def test_what_a_shadow_measured_is_what_it_hands_on() -> None:
    readout = laboratory(traffic=Traffic(requests=6_000, users=1_500)).readout()
    handed = handed_on(readout)
    assert handed is not None
    assert readout.primary is not None
    assert (handed.champion, handed.effect) == (
        readout.primary.control_value.value,
        readout.primary.estimate,
    )
    assert handed.pairs == readout.primary.pairs


def test_a_rollout_without_a_primary_opens_no_a_b(catalogue: Catalogue) -> None:
    with pytest.raises(Invalid, match=r"rungs\.ab\.design\.primary: is missing"):
        ab_draft(rollout({}), catalogue, canary=None, handed=None)


def test_everything_wrong_with_the_draft_is_said_as_of_a_design(catalogue: Catalogue) -> None:
    wrong = AB | {"primary": {"metric": "clicks", "mde": {"relative": 0.1}}, "segments": ["a", "a"]}
    with pytest.raises(Invalid) as found:
        ab_draft(rollout(wrong), catalogue, canary=canary_design(catalogue), handed=None)
    said = str(found.value)
    assert "primary.metric" in said
    assert "'a' is listed twice" in said


# Predicted and realised


def sealed(climb: Climb, id: str, k: int, of: int, document: dict[str, Any], verdict: Verdict) -> None:
    lifecycle.open_look(climb.registry, "system", id, k, of, climb.tick())
    lifecycle.seal_look(climb.registry, "system", id, k, document, stop=StopReason.FINAL, verdict=verdict)
    lifecycle.mature(climb.registry, "system", id, climb.tick())
    lifecycle.release(climb.registry, "system", id)


def climbed(registry: Registry, clock: SimulatedClock, **found: Any) -> tuple[Climb, str]:
    """All the way to a released A/B, with sealed readouts of every rung."""
    climb = Climb(registry, clock)
    rollout = climb.in_shadow()
    shadow = climb.at(rollout).shadow or ""
    readout = laboratory(traffic=Traffic(requests=6_000, users=1_500)).readout()
    sealed(climb, shadow, 1, 1, readout.document(), Verdict.PASS)
    climb.decided(shadow, Choice.APPROVE)
    climb.advanced(rollout, climb.canary())
    canary = climb.at(rollout).canary or ""
    for step in range(1, len(SHARES)):
        climb.checked(canary, step, step)
        climb.advanced(rollout, actor="dan")
    sealed(climb, canary, len(SHARES), 20, Canary(Truth()).check().document(), Verdict.PASS)
    climb.decided(canary, Choice.APPROVE)
    climb.advanced(rollout, climb.experiment(layer=climb.free_of(canary)))
    sealed(climb, climb.at(rollout).ab or "", 1, 1, ship(**found).document(), Verdict.SHIP)
    return climb, rollout


def test_what_was_predicted_stands_beside_what_the_a_b_found(
    registry: Registry, clock: SimulatedClock
) -> None:
    primary = primary_found(unit="percentage points", estimate=0.02, interval=interval(0.01, 0.03))
    latency = latency_found(metric="latency@1", label="latency@1", estimate=500.0, level=None)
    climb, rollout = climbed(registry, clock, primary=(primary,), guardrails=(latency,))
    rows = ladder.predicted_and_realised(registry, "dan", rollout)
    assert [(row.role, row.found.measure) for row in rows] == [
        ("primary", "task_success@3"),
        ("must-hold", "latency@1"),
    ]
    (shadow,) = rows[0].predicted
    assert shadow.entry == climb.at(rollout).shadow
    assert shadow.estimate is not None
    (canary,) = rows[1].predicted
    assert (canary.entry, rows[1].inside) == (climb.at(rollout).canary, (False,)), (
        "500 ms were never predicted"
    )
    assert canary.low is not None or canary.high is not None


def test_reading_it_is_recorded_and_before_the_release_it_is_closed(
    registry: Registry, clock: SimulatedClock
) -> None:
    climb = Climb(registry, clock)
    rollout = climb.in_ab()
    with pytest.raises(Refused, match="is not released"):
        ladder.predicted_and_realised(registry, "dan", rollout)
    with pytest.raises(Unknown, match="has no A/B yet"):
        ladder.predicted_and_realised(registry, "dan", _other(climb))


def _other(climb: Climb) -> str:
    climb.model = "ranker"
    return climb.planned()
