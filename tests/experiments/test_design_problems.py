"""All problems of a design at once: none hides another, each has its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.designs.design import declare, load_design, parse_design
from experiments.forms.problems import Invalid
from tests.experiments.designs import CATALOGUE, WRITTEN, changed, messages, yaml

MANY_FAULTS = """\
title: Ranker
hypothesis: {expect: decrease}
arms:
  - {name: control, share: 0.5}
  - {name: control, share: 0.4}
primary:
  metric: success
  mde: {absolute: 0}
  alpha: 0.5
  sides: 1
  sides: 2
guardrails:
  - {metric: latency, margin: {absolute: 20}}
  - {metric: sessions, margin: {absolute: 1}, reason: a session more or less, rol: monitor}
  - just latency
  - {metric: errors, margin: {absolute: 3}, reason: three points of errors}
secondary: {metrics: [revenu, 5, sucess]}
segments: [country, country]
label_delay: 2
power: {power: 0.7}
stopping: {minimum_duration: 10d, part_weeks_reason: a short one}
rules: {warn_crossover: 6%}
decision_rule: R-2
souce: main
"""

EXPECTED = [
    "1: title: 'Ranker' is not allowed",
    "2: hypothesis.because: is missing",
    "2: hypothesis.expect: 'decrease' does not fit",
    "3: arms: shares sum to 0.9 (0.5 + 0.4), not 1",
    "5: arms[1].name: 'control' is used twice",
    "8: primary.mde.absolute: 0 is not allowed",
    "9: primary.alpha: 0.5 is not allowed",
    "6: primary.one_sided_reason: is missing",
    "11: primary.sides: is written twice (first on line 10)",
    "13: guardrails[0].metric: 'latency' is not a metric of the catalogue. Did you mean 'p95_latency'?",
    "13: guardrails[0].reason: is missing",
    "14: guardrails[1].margin: 1 of what?",
    "14: guardrails[1].rol: 'rol' is not a field here. Did you mean 'role'?",
    "15: guardrails[2]: 'just latency' is not allowed",
    "16: guardrails[3].margin: 3 (absolute) is not allowed",
    "17: secondary.metrics[0]: 'revenu' is not a metric of the catalogue. Did you mean 'revenue'?",
    "17: secondary.metrics[1]: 5 is not a metric reference",
    "17: secondary.metrics[2]: 'sucess' is not a metric of the catalogue. Did you mean 'success'?",
    "18: segments[1]: 'country' is listed twice",
    "19: label_delay: 2 has no unit",
    "20: power.reason: is missing",
    "21: stopping.minimum_duration: 10d is not allowed",
    "22: rules.warn_crossover: 0.06 is not allowed",
    "23: decision_rule: 'R-2' does not fit",
    "24: souce: 'souce' is not a field here. Did you mean 'source'?",
]


def test_every_fault_of_a_file_is_reported_with_file_and_line_in_order(tmp_path: Path) -> None:
    file = tmp_path / "design.yaml"
    file.write_text(MANY_FAULTS)
    with pytest.raises(Invalid) as raised:
        load_design(file, CATALOGUE)
    found = [str(problem).removeprefix(f"{file}:") for problem in raised.value.problems]
    assert [start for start in EXPECTED if not any(message.startswith(start) for message in found)] == []
    assert len(found) == len(EXPECTED)
    lines = [problem.line or 0 for problem in raised.value.problems]
    assert lines == sorted(lines)
    assert str(raised.value).startswith(f"design {file}: {len(EXPECTED)} problems\n  {file}:1: title: ")


@pytest.mark.parametrize(
    "primary",
    ["just success", {"metric": "success", "mde": {"absolute": "much"}}, {"metirc": "success"}, 5, [], None],
)
def test_an_unreadable_primary_hides_nothing_of_the_guardrails(primary: object) -> None:
    fields = {
        **WRITTEN,
        "primary": primary,
        "guardrails": [
            {"metric": "latency", "margin": {"absolute": 20}, "reason": "20 ms cost 0.1% of sessions"}
        ],
    }
    paths = [message.split(":")[0] for message in messages(fields)]
    assert "guardrails[0].metric" in paths
    assert any(path.startswith("primary") for path in paths)


def test_one_bad_guardrail_hides_nothing_of_the_others() -> None:
    broken = {"metric": "p95_latency", "margin": "twenty", "reason": "short"}
    wrong = {"metric": "errors", "margin": {"absolute": 2}, "reason": "two points of errors", "test": "welsh"}
    unknown = {"metric": "eror", "margin": {"absolute": 0.02}, "reason": "two points of errors"}
    paths = [m.split(": ")[0] for m in messages({**WRITTEN, "guardrails": [broken, wrong, unknown]})]
    assert sorted(paths) == [
        "guardrails[0].margin",
        "guardrails[0].reason",
        "guardrails[1].margin",
        "guardrails[1].test",
        "guardrails[2].metric",
    ]


@pytest.mark.parametrize(
    ("changes", "also"),
    [
        ("window: soon", "guardrails[0].metric"),
        ("purpose: equivalence", "guardrails[0].metric"),
        ("hypothesis: no", "primary.baseline.mean"),
        ("arms: none", "primary.baseline.mean"),
        ("primary: {covariates: 5}", "primary.baseline.mean"),
        ("primary: {covariates: [5]}", "primary.baseline.mean"),
        ("primary: {baseline: {sd: wide}}", "primary.baseline.mean"),
        ("stopping: {if_short: pause}", "stopping"),
        ("rules: {several_arms: both}", "rules.warn_crossover"),
        ("power: {units_per_day: many}", "power.reason"),
        ("assignment: {method: dice}", "assignment.layer"),
        ("secondary: {multiplicity: none}", "secondary.metrics[0]"),
        ("eligibility: [{attribute: 5}]", "segments[1]"),
    ],
)
def test_a_fault_in_one_field_hides_no_other_check_that_does_not_need_it(changes: str, also: str) -> None:
    wrong = changed(
        WRITTEN,
        yaml("""
        primary: {baseline: {mean: 1.2, source: October}}
        guardrails: [{metric: latency, margin: {absolute: 20}, reason: 20 ms cost 0.1% of sessions}]
        secondary: {metrics: [revenu]}
        segments: [country, country]
        power: {power: 0.6}
        assignment: {layer: {name: search, start: 1, end: 0}}
        rules: {warn_crossover: 7%}
        stopping: {step: 1d}
        """),
    )
    before = {message.split(": ")[0] for message in messages(wrong)}
    after = {message.split(": ")[0] for message in messages(changed(wrong, yaml(changes)))}
    assert also in before
    assert before - after <= {"stopping", "assignment.layer"} - {also}
    assert also in after


def test_a_problem_is_reported_once() -> None:
    found = messages({**WRITTEN, "arms": [{"name": "a", "share": 1}, {"name": "a", "share": 1}]})
    assert len(found) == len(set(found)) == 2


def test_missing_essentials_are_all_named() -> None:
    assert [message.split(":")[0] for message in messages({})] == [
        "title",
        "hypothesis",
        "arms",
        "primary",
        "guardrails",
    ]


def test_a_design_from_python_has_no_lines() -> None:
    with pytest.raises(Invalid) as raised:
        declare(CATALOGUE, title="short")
    assert {(problem.file, problem.line) for problem in raised.value.problems} == {(None, None)}


def test_a_value_that_no_file_could_hold_is_named() -> None:
    with pytest.raises(Invalid, match=r"primary\.metric: a object is not allowed; give text, numbers"):
        declare(CATALOGUE, primary={"metric": object()})


FIELDS = st.sampled_from(
    ["metric", "mde", "margin", "absolute", "relative", "name", "share", "baseline", "mean", "sd", "source",
     "reason", "attribute", "is", "one_of", "covariates", "window", "power", "metrics", "rule", "step"]
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 200)
    | st.floats()
    | st.sampled_from(
        ["success", "7d", "50%", "control", "", "sucess", "R-1", "country", "1/3", "higher", "no worsening"]
    )
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4)
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from([*WRITTEN, "power", "stopping", "rules", "secondary"]), VALUES))
def test_whatever_is_written_is_right_or_has_named_problems(changes: dict[str, object]) -> None:
    fields = {**WRITTEN, **changes}
    if messages(fields) == []:
        assert len(declare(CATALOGUE, **fields).sha256) == 64


def test_a_wrong_item_is_where_it_stands() -> None:
    text = """
title: Ranker v7 against v6
hypothesis: {because: fresher features, expect: increase}
arms:
  - name: control
  - name: treatment
primary: {metric: success, mde: 0.015}
guardrails:
  -
    metric: p95_latency
    margin:
      absolute: 20
      unit: ms
    reason: 20 ms cost 0.1% of sessions
"""
    with pytest.raises(Invalid) as raised:
        parse_design(text, CATALOGUE)
    assert [str(problem) for problem in raised.value.problems] == [
        "13: guardrails[0].margin.unit: 'unit' is not a field here. Allowed: absolute, relative."
    ]
