"""A canary's design: defaults, every problem at once with what to do, one hash for one meaning, reopened as it was locked."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from experiments.canaries.design import CanaryDesign, declare_canary, load_canary, parse_canary, reopen_canary
from experiments.canaries.schedule import planned_units, share_of_plan, slots_of
from experiments.designs.metrics import parse_catalogue
from experiments.forms.documents import parse_document
from experiments.forms.problems import Invalid
from tests.experiments.canary_logs import CATALOGUE, DESIGN

METRICS = parse_catalogue(CATALOGUE)
LEAST = """
title: Ranker v8 for all users
model: ranker
champion: {version: v7}
candidate: {version: v8}
steps: [{share: 1%, hold: 1d, minimum_units: 500}]
guardrails: [{metric: failed, margin: 0.01, reason: every failure costs a ticket}]
"""


def canary(text: str = LEAST, **changes: Any) -> CanaryDesign:
    """The least canary with some fields set otherwise."""
    body = dict(parse_document(text, "canary").body)
    return declare_canary(METRICS, **(body | changes))


def problems(text: str = LEAST, **changes: Any) -> str:
    with pytest.raises(Invalid) as refused:
        canary(text, **changes)
    return str(refused.value)


def test_the_defaults_are_those_of_the_form() -> None:
    design = canary()
    step, guardrail = design.steps[0], design.guardrails[0]
    assert (step.needs, step.time_limit, step.when_unanswered, step.every) == (
        "within margin",
        172_800,
        "hold",
        86_400,
    )
    assert (guardrail.alpha, guardrail.sides, guardrail.test) == (0.025, 1, "score")
    assert (design.window, design.maturity) == (3_600, 3_600)
    assert [arm.name for arm in design.arms] == ["control", "candidate"]
    assert (design.written.harm.alpha, design.harm_alpha, design.written.breach) == (0.05, 0.05, "roll back")
    assert design.key == "ranker-v8-for-all-users"


def test_the_harm_alpha_is_shared_by_guardrails_and_declared_levels() -> None:
    assert canary(DESIGN).harm_alpha == 0.025
    levels = {"segment": "platform", "levels": ["ios", "android", "web"]}
    by_level = {"metric": "failed", "margin": 0.01, "reason": "every failure counts", **levels}
    assert canary(guardrails=[by_level]).harm_alpha == pytest.approx(0.05 / 3)
    assert canary(guardrails=[by_level], harm={"shared": "each"}).harm_alpha == 0.05


def test_every_problem_is_said_at_once_with_its_line() -> None:
    with pytest.raises(Invalid) as refused:
        parse_canary(
            """
title: Ranker v8 for all users
model: ranker
champion: {version: v7}
candidate: {version: v7}
steps:
- {share: 10%, hold: 30m, minimum_units: 500}
- {share: 5%, hold: 24h, minimum_units: 500, needs: nothing}
guardrails:
- {metric: faild, margin: 0.01, reason: every failure costs a ticket}
checks: {spending: kim-demets}
primary: {metric: failed}
""",
            METRICS,
        )
    said = [(problem.line, str(problem).split(": ", 2)[1]) for problem in refused.value.problems]
    assert said == [
        (5, "candidate.version"),
        (7, "steps[0].hold"),
        (8, "steps[1].needs"),
        (8, "steps[1].share"),
        (10, "guardrails[0].metric"),
        (11, "checks.parameter"),
        (12, "primary"),
    ]


BAD = [
    ({"steps": []}, "a list of 0 is not allowed; give at least 1 entry"),
    (
        {"steps": [{"share": "60%", "hold": "1d", "minimum_units": 90}]},
        "control is as large as the candidate, so give at most 0.5",
    ),
    (
        {"steps": [{"share": "1%", "hold": "1d", "minimum_units": 90, "needs": "no breach"}]},
        "a canary passes only with every guardrail within margin",
    ),
    (
        {"steps": [{"share": "1%", "hold": "1d", "minimum_units": 90, "when_unanswered": "proceed"}]},
        "there is nothing to go on to without an answer: hold, or roll back",
    ),
    ({"when_unanswered": "proceed"}, "give that step hold or roll back"),
    ({"window": "2d"}, "a unit is mature after 2d, so that nobody would be at the end of it"),
    ({"checks": {"every": "7h"}}, "checks come every 7h, give a multiple of it"),
    ({"time_limit": "12h"}, "it is shorter than the hold time 1d"),
    ({"checks": {"every": "30m"}}, "leads to 96 checks until every time limit is up; at most 50 are allowed"),
    ({"maturity": "10m"}, "it is shorter than window 1h + label_delay 0s"),
    ({"candidate": {"version": "v8", "arm": "control"}}, "the logs must tell the arms apart"),
    (
        {"guardrails": [{"metric": "failed", "margin": 0.97, "reason": "every failure costs a ticket"}]},
        "which is not between 0 and 1",
    ),
    (
        {
            "guardrails": [
                {"metric": "latency", "margin": 5, "reason": "slow pages lose users", "test": "score"}
            ]
        },
        "'score' is not a test for a mean",
    ),
    (
        {
            "guardrails": [
                {"metric": "failed", "margin": 0.01, "reason": "every failure counts", "segment": "platform"}
            ]
        },
        "list the levels of platform that must hold",
    ),
    (
        {"guardrails": [{"metric": "failed", "margin": 0.01, "reason": "every failure counts"}] * 2},
        "already stands at guardrails[0].metric; a metric is guarded once",
    ),
    ({"assignment": {"method": "external", "salt": "x"}}, "needs method: fairtrial"),
    ({"assignment": {"salt": " x"}}, "give printable text without spaces at its ends"),
    ({"power": {"stops_before": 1000}}, "how many meet the candidate by a check follows from the traffic"),
    ({"power": {"units_per_day": 1000}}, "brings 19 mature ones to each arm until the time is up"),
    ({"rules": {"warn_crossover": 0.2}}, "give at most fail_crossover 0.05"),
]


@pytest.mark.parametrize(("changes", "said"), BAD, ids=[said[:40] for _, said in BAD])
def test_what_cannot_be_is_refused_with_what_to_do(changes: dict[str, Any], said: str) -> None:
    assert said in problems(**changes)


def test_a_promise_that_the_traffic_cannot_keep_is_refused_with_what_it_can() -> None:
    said = problems(DESIGN, power={"units_per_day": 8_000, "stops_before": 500})
    assert (
        "power.stops_before: a candidate with failed@1 at twice its margin is stopped before 500 users have met it"
        in said
    )
    assert "with probability 0.44, not 0.8 (with that probability only once 800 have)" in said
    assert (
        canary(DESIGN, power={"units_per_day": 8_000, "stops_before": 800}).written.power.stops_before == 800
    )


def test_what_people_only_read_does_not_change_the_hash_and_what_decides_does() -> None:
    design = canary(DESIGN)
    same = [
        {"background": "a new index", "tags": ["search"], "deciders": ["mira"]},
        {"guardrails": list(reversed(parse_document(DESIGN, "canary").body["guardrails"]))},
        {"time_limit": "48h"},
    ]
    for changes in same:
        assert canary(DESIGN, **changes).sha256 == design.sha256
    other = [
        {"breach": "pause"},
        {"harm": {"alpha": 0.04}},
        {"checks": {"every": "24h"}},
        {"when_unanswered": "roll back"},
        {"days_without_rows": "allow"},
        {"assignment": {"salt": "another"}},
        {"candidate": {"version": "v8", "hash": "abc"}},
    ]
    hashes = {canary(DESIGN, **changes).sha256 for changes in other}
    assert len(hashes) == len(other)
    assert design.sha256 not in hashes


def test_a_locked_canary_is_reopened_from_what_was_locked_alone() -> None:
    """Today's catalogue may have another baseline, or a next version."""
    design = canary(DESIGN, power={"units_per_day": 8_000})
    material = json.loads(json.dumps(design.material))
    reopened = reopen_canary(material, design.document.text)
    assert reopened.sha256 == design.sha256
    assert [g.baseline for g in reopened.guardrails] == [g.baseline for g in design.guardrails]
    assert reopened.levels == design.levels


def test_a_locked_canary_that_would_be_read_otherwise_is_refused() -> None:
    design = canary(DESIGN)
    changed = json.loads(json.dumps(design.material)) | {"breach": "pause"}
    with pytest.raises(Invalid, match="breach would differ"):
        reopen_canary(changed, design.document.text)
    with pytest.raises(Invalid, match="'design/1' is not a schema"):
        reopen_canary({"schema": "design/1"}, design.document.text)


def test_the_same_canary_comes_from_a_file(tmp_path: Any) -> None:
    file = tmp_path / "canary.yaml"
    file.write_text(DESIGN, encoding="utf-8")
    assert load_canary(file, METRICS).sha256 == canary(DESIGN).sha256


def test_the_schedule_has_every_check_until_each_time_limit() -> None:
    slots = slots_of(canary(DESIGN))
    assert [(slot.step, slot.place, slot.offset // 3600) for slot in slots] == [
        (1, 1, 12), (1, 2, 24), (1, 3, 36), (1, 4, 48),
        (2, 1, 12), (2, 2, 24), (2, 3, 36), (2, 4, 48),
    ]  # fmt: skip
    assert [slot.held for slot in slots] == [False, True, True, True] * 2
    assert [slot.time_up for slot in slots] == [False, False, False, True] * 2
    assert [slot.final for slot in slots] == [False] * 7 + [True]
    assert canary(DESIGN).check_count == 8


def test_every_step_has_an_equal_part_of_the_plan_counted_by_units_but_never_ahead_of_its_time() -> None:
    design = canary(DESIGN, power={"units_per_day": 8_000})
    slots = slots_of(design)
    planned = planned_units(design, design.steps[0], design.steps[0].time_limit)
    quarter, all_of_it = round(planned / 8), 10 * round(planned)
    assert share_of_plan(design, slots[1], (quarter, quarter)) == pytest.approx(1 / 16, rel=0.02)
    assert share_of_plan(design, slots[1], (all_of_it, all_of_it)) == 0.25
    assert share_of_plan(design, slots[4], (0, 0)) == 0.5
    assert share_of_plan(design, slots[7], (3, 3)) == 1.0


def test_a_share_is_exact() -> None:
    assert canary(steps=[{"share": "1/3", "hold": "1d", "minimum_units": 90}]).steps[0].share == Fraction(
        1, 3
    )
