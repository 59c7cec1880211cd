"""The stopping rule before launch: what `design preview` shows of it, and how the protocol says it in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from app.boundary_plan import Boundaries
from app.preview import preview
from app.protocol import protocol
from app.stopping_plan import stopping_plan
from app.templates import workspace_file
from experiments.designs.design import Design, declare
from experiments.designs.metrics import parse_catalogue

CATALOGUE = parse_catalogue(workspace_file("metrics.yaml"))
LATENCY = {"metric": "p95_latency", "margin": 20, "reason": "what the last latency study allows"}
CONTACTS = {"metric": "support_contact", "margin": 0.01, "reason": "one shift more in support"}
WATCHED = {**CONTACTS, "role": "harm-stop", "burn_in": 3000}


def design_of(stopping: dict[str, Any], **changes: Any) -> Design:
    fields: dict[str, Any] = {
        "title": "Ranker v7 against v6",
        "hypothesis": {"because": "what people want stands higher", "expect": "increase"},
        "arms": [{"name": "control"}, {"name": "candidate"}],
        "primary": {"metric": "task_success", "mde": 0.015},
        "guardrails": [LATENCY],
        "power": {"units_per_day": 3000},
        "stopping": stopping,
    }
    return declare(CATALOGUE, **(fields | changes))


def words_of(design: Design) -> str:
    return "\n".join(sentence for section in protocol(design) for sentence in section.sentences)


def boundaries_of(design: Design) -> tuple[Boundaries, ...]:
    found = stopping_plan(design)
    assert found is not None
    return found.boundaries


GROUP_SEQUENTIAL = {"rule": "group-sequential"}


def test_a_fixed_design_has_no_stopping_plan_and_says_nothing_of_one(fairtrial, workspace):
    assert preview(design_of({})).stopping is None
    out = fairtrial("design preview design.yaml").out
    assert [word for word in ("Boundaries", "futility", "Harm stop", "Expected units") if word in out] == []


def test_the_boundaries_are_those_of_the_published_table():
    """Lan-DeMets spending of the O'Brien-Fleming kind, two-sided 0.05, five equal looks (Reboussin et al. 2000, Control.
    Clin. Trials 21, p. 190, and its program ldbounds, exact to about 1e-4)."""
    primary, latency = boundaries_of(design_of({**GROUP_SEQUENTIAL, "looks": [0.2, 0.4, 0.6, 0.8, 1]}))
    expected = [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]
    assert [look.critical for look in primary.looks] == pytest.approx(expected, abs=1.5e-4)
    assert [look.critical for look in latency.looks] == pytest.approx(expected, abs=1.5e-4)
    assert primary.looks[-1].spent == pytest.approx(0.05, abs=1e-12)
    assert latency.looks[-1].spent == pytest.approx(0.025, abs=1e-12)
    assert [look.nominal for look in primary.looks] == pytest.approx(
        [math.erfc(z / math.sqrt(2)) for z in expected], rel=2e-3
    )
    assert latency.looks[1].nominal == pytest.approx(primary.looks[1].nominal / 2, rel=1e-9)
    assert [look.futility for look in primary.looks] == [None] * 5


def test_a_look_that_spends_nothing_has_no_critical_value(fairtrial, workspace):
    file = workspace / "design.yaml"
    looks = "stopping:\n  rule: group-sequential\n  looks: [0.02, 1]\n"
    file.write_text(file.read_text().split("stopping:\n")[0] + looks)
    first = fairtrial("design preview design.yaml --json").document["stopping"]["boundaries"][0]["looks"][0]
    assert first["critical"] is None or first["critical"] > 8


def test_looks_come_with_the_declared_traffic_and_the_maturity_after_it():
    design = design_of(GROUP_SEQUENTIAL, expected_start="2026-12-01", label_delay="1d")
    found = stopping_plan(design)
    assert found is not None
    total = design.plan.total
    assert [look.units for look in found.looks] == [math.ceil(share * total) for share in (0.4, 0.7, 1.0)]
    assert [look.enrolment_days for look in found.looks] == [
        7 * math.ceil(look.units / 3000 / 7) for look in found.looks
    ]
    assert [look.read_after_days for look in found.looks] == [
        (look.enrolment_days or 0) + 8 for look in found.looks
    ]
    assert [f"{look.read_on:%d %b}" for look in found.looks] == ["16 Dec", "23 Dec", "30 Dec"]


def test_declared_times_stand_as_they_are():
    design = design_of({**GROUP_SEQUENTIAL, "at": ["7d", "21d", "28d"]}, power={"units_per_day": None})
    found = stopping_plan(design)
    assert found is not None
    assert [look.enrolment_days for look in found.looks] == [7, 21, 28]
    assert [look.information for look in found.looks] == [0.25, 0.75, 1]
    assert (
        "after 7 days, 21 days and 28 days of enrolment, with the information that has come by then"
        in words_of(design)
    )


def test_without_traffic_or_times_no_day_is_made_up():
    found = stopping_plan(design_of(GROUP_SEQUENTIAL, power={"power": 0.8}))
    assert found is not None
    assert {(look.enrolment_days, look.read_on) for look in found.looks} == {(None, None)}


def test_looks_that_fall_on_one_step_are_told(fairtrial, workspace):
    file = workspace / "design.yaml"
    text = file.read_text().replace("units_per_day: 3000", "units_per_day: 60000")
    file.write_text(text.split("stopping:\n")[0] + "stopping:\n  rule: group-sequential\n")
    assert "fall on the same step of enrolment at this traffic" in fairtrial("design preview design.yaml").out


def test_expected_units_agree_with_a_simulation_of_the_looks():
    """Brownian motion at the looks, 40,000 paths: Monte-Carlo error of the mean information about 0.0015."""
    design = design_of({**GROUP_SEQUENTIAL, "looks": [0.3, 0.6, 1]})
    random = np.random.default_rng(20261123)
    information = np.array([0.3, 0.6, 1.0])
    steps = np.diff(information, prepend=0.0)
    needed = [r.n_per_arm[0] for r in design.plan.requirements]
    for one, n in zip(boundaries_of(design), needed, strict=True):
        # the drift of the fixed test with this power, from the inflated n to the planned one
        fixed = 1.959964 + float(_quantile(design.plan.power_per_test))
        drift = fixed * math.sqrt(one.inflation * design.plan.n_per_arm[0] / n)
        for share, under in zip((0.0, 0.5, 1.0), one.truths, strict=True):
            path = np.cumsum(random.normal(size=(40_000, 3)) * np.sqrt(steps) + share * drift * steps, axis=1)
            z = path / np.sqrt(information)
            crossed = np.abs(z) >= np.array([look.critical for look in one.looks])
            stop = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 2)
            mean = information[stop].mean()
            assert under.mean_units / design.plan.total == pytest.approx(mean, abs=0.008)
            favour = (crossed.any(axis=1) & (z[np.arange(len(z)), stop] > 0)).mean()
            assert under.efficacy == pytest.approx(favour, abs=0.01)


def _quantile(probability: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)


def test_at_the_planned_effect_the_metric_that_sets_n_crosses_with_the_power_it_is_given():
    design = design_of(GROUP_SEQUENTIAL)
    by_metric = {one.metric: one for one in boundaries_of(design)}
    binding = by_metric[design.plan.binding].truths[-1]
    assert binding.truth == "no true difference"
    assert binding.efficacy == pytest.approx(design.plan.power_per_test, abs=2e-4)
    for one in by_metric.values():
        none = one.truths[0]
        assert none.efficacy == pytest.approx(0.025, abs=1e-6)
        assert none.harm == pytest.approx(0.025, abs=1e-6)


def test_futility_stands_beside_the_primary_alone_and_lets_it_stop_early():
    without = boundaries_of(design_of(GROUP_SEQUENTIAL))
    primary, latency = boundaries_of(design_of({**GROUP_SEQUENTIAL, "futility": {}}))
    assert (latency.futility, {look.futility for look in latency.looks}) == (None, {None})
    assert primary.futility == "Lan–DeMets spending of the O'Brien–Fleming kind"
    assert not primary.binding
    assert [look.critical for look in primary.looks] == [look.critical for look in without[0].looks]
    bounds = [look.futility for look in primary.looks]
    assert bounds[0] is not None
    assert bounds[1] is not None
    assert bounds[0] < bounds[1]
    assert bounds[2] is None
    assert primary.inflation > without[0].inflation
    none = primary.truths[0]
    assert none.harm is None
    assert none.futility > 0.5
    assert none.efficacy + none.futility < 0.98  # the rest ends at the last look, which is no futility stop
    assert none.mean_units < without[0].truths[0].mean_units


def test_the_price_of_an_always_valid_rule_is_its_width_and_its_units():
    """At the planned n: sqrt((1 + rho)(log((1 + rho)/rho) - 2 log 0.05)) against 1.96, with the rho of the sequence's
    own rule; computed here again."""
    design = design_of({"rule": "always-valid", "burn_in": 2000}, guardrails=[CONTACTS])
    found = stopping_plan(design)
    assert found is not None
    assert found.always_valid is not None
    primary = found.always_valid.sequences[0]
    needed = -2 * math.log(0.05)
    rho = 1 / (needed + math.log1p(needed))
    bound = math.sqrt((1 + rho) * (math.log((1 + rho) / rho) - 2 * math.log(0.05)))
    assert primary.relative_width == pytest.approx(bound / 1.959963985, rel=1e-8)
    quantile = _quantile(design.plan.power_per_test)
    assert primary.inflation == pytest.approx(((bound + quantile) / (1.959963985 + quantile)) ** 2, rel=1e-8)
    assert found.always_valid.looks == design.look_count
    assert found.always_valid.burn_in_days == 1


def test_the_preview_prints_what_it_computed(fairtrial, workspace):
    file = workspace / "design.yaml"
    file.write_text(
        file.read_text().split("stopping:\n")[0] + "stopping:\n  rule: group-sequential\n  futility: {}\n"
    )
    out, document = (
        fairtrial("design preview design.yaml").out,
        fairtrial("design preview design.yaml --json").document,
    )
    for one in document["stopping"]["boundaries"]:
        assert f"Boundaries of {one['metric']} ({one['role']})" in out
        for look in one["looks"]:
            assert f"{look['critical']:.4f}" in out
        for under in one["truths"]:
            assert f"{round(under['mean_units']):,}".replace(",", "\u202f") in out
    assert "non-binding" in out
    assert document["harm_stops"] == []


def test_a_harm_stop_is_told_under_any_rule():
    for rule in ({}, GROUP_SEQUENTIAL, {"rule": "always-valid", "burn_in": 2000}):
        design = design_of(rule, guardrails=[CONTACTS | {"metric": "purchase"}, WATCHED])
        (stop,) = preview(design).harm_stops
        assert (stop.metric, stop.margin, stop.alpha, stop.burn_in) == (
            "support_contact@1",
            "1 percentage point",
            0.025,
            3000,
        )
        assert (
            "support_contact@1 is a harm stop: machine-watched; only tripped or not tripped is shown."
            in words_of(design)
        )


@pytest.mark.parametrize(
    ("stopping", "words"),
    [
        ({}, ["Outcomes are read once, at the end. Until then they are closed to everybody."]),
        (
            {**GROUP_SEQUENTIAL, "futility": {"spending": "hwang-shih-decani", "parameter": -4}},
            [
                "Outcomes are read at 3 looks at most: when 40%, 70% and 100% of the planned information has come.",
                "STOP FOR EFFICACY: task_success@1 crosses its boundary and, at the same look, the guardrails that must hold",
                "The verdict is SHIP.",
                "STOP FOR HARM: task_success@1 crosses its boundary on the worse side or a guardrail that must hold",
                "STOP FOR FUTILITY: task_success@1 is at or below its futility boundary",
                "Hwang–Shih–DeCani spending with γ = −4",
                "α would hold even if it were ignored",
                "A look that goes on shows only that no boundary was crossed: no effect, no interval, no p-value.",
                "whatever has come, and spends what remains of α",
                "the repeated 95% interval",
            ],
        ),
        (
            {**GROUP_SEQUENTIAL, "boundary": "pocock"},
            [
                "Pocock boundaries",
                "There is no futility boundary: no look stops because too little was shown.",
            ],
        ),
        (
            {"rule": "always-valid", "burn_in": 2000},
            [
                "Outcomes are read after every step of 7 days of enrolment, from 7 days to",
                "nothing is said before 2\u202f000 units",
                "STOP FOR EFFICACY: task_success@1 lies wholly on the better side of no difference",
                "There is no futility stop.",
                "A look that goes on shows only that no boundary was crossed",
            ],
        ),
    ],
    ids=["fixed", "futility", "pocock", "always-valid"],
)
def test_the_protocol_says_the_rule_in_words(stopping, words):
    guardrail = CONTACTS if stopping.get("rule") == "always-valid" else LATENCY
    text = words_of(design_of(stopping, guardrails=[guardrail]))
    assert [one for one in words if one not in text] == []
    if not stopping:
        assert "boundary" not in text
