"""Form, file and Python are one thing: every field can be reached, what is untouched stays, what is typed is what is checked."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.drafting.answers import Amount, shown, shown_amount, typed, typed_amount
from app.drafting.beginning import TEMPLATE_NAMES, from_experiment, from_file, from_template
from app.drafting.checking import UNTITLED, check, label_of, plan_to_save, step_of
from app.drafting.questions import Group, Question, path_of
from app.drafting.steps import COVARIATES_OF_GUARDRAILS, STEPS
from app.drafting.summary import protocol_so_far
from app.drafting.text import DraftText, Edit, written
from app.fields import fields_of
from app.templates import DESIGNS, design_template, workspace_file
from experiments.designs.design import parse_design
from experiments.designs.metrics import Catalogue, parse_catalogue
from experiments.designs.written import WrittenDesign
from experiments.forms.documents import scan_document
from experiments.forms.problems import Invalid
from registry.lifecycle.drafting import is_unfinished

CATALOGUE: Catalogue = parse_catalogue(workspace_file("metrics.yaml"))

EVERYTHING = """
# A design that uses nearly every field, with comments, and with spellings that only people use.
title: Ranker v7 against v6 for signed-in search
background: v7 adds the last ten clicks.
owner: mira
reviewer: ola
deciders: [dan, eve]
team: search
links: [SEARCH-12]
tags: [ranking]
expected_start: 2026-12-07
rollback: turn the flag off; on-call does
hypothesis: {because: it puts the right result first, expect: increase, population: signed-in users}
outcome_data_seen: "no"
units: {randomisation: user, analysis: user}
arms:
  - {name: control, share: 1/3, version: ranker-v6, description: as it is}
  - {name: candidate, share: 2/3, version: ranker-v7, description: as it will be}
assignment:
  key: ranker-v7
  salt: ranker-v7-salt
  method: fairtrial
  exposure: exposures
  layer: {name: search, start: 0, end: 50%}   # half of the layer
eligibility:
  - {attribute: platform, one_of: [web, "5"]}
  - {attribute: age, at_least: 18}
  - {attribute: staff, is: false}
primary:
  metric: task_success@1
  mde: {absolute: 0.015}
  alpha: 5%
  sides: 2
  window: 7d
  without_history: zero
  covariates:
    - {metric: sessions@1, window: 14d, variance_reduction: 20%}
  baseline: {mean: 0.21, source: "logs of October, n = 48,112"}
guardrails:
  - metric: p95_latency@1
    margin: {relative: 5%}   # of control
    reason: 5% cost less than 0.1% of sessions
    alpha: 0.025
    role: must-hold
    minimum_units: 100
  - metric: support_contact
    margin: 0.003
    reason: support can answer as many
    role: harm-stop
    burn_in: 8000
secondary: {metrics: [revenue@1, sessions@1], multiplicity: benjamini-hochberg}
segments: [platform, country]
sensitivity: [unadjusted]
window: 7d
label_delay: 36h
maturity: 9d
power: {power: 0.9, units_per_day: 9000, design_effect: 1.2}
stopping:
  rule: group-sequential
  looks: [50%, 0.75, 1]
  boundary: kim-demets
  parameter: 3
  futility: {spending: lan-demets-pocock, binding: false}
  maximum_duration: 12w
  if_short: abandon
rules: {several_arms: first arm, warn_crossover: 2%, fail_crossover: 0.06, max_missing: 50%}
validity: {alpha: 0.002, minimum_join_rate: 10%}
decision_rule: R-1
source: main
anything_else: Nothing beyond this.
"""


def everything() -> DraftText:
    return DraftText(EVERYTHING)


def test_the_design_that_uses_everything_is_one() -> None:
    assert check(everything(), CATALOGUE).problems == ()


# Every field can be reached


def asked() -> dict[str, Question]:
    found = {question.path: question for step in STEPS for question in step.questions()}
    inside = [item for step in STEPS for item in step.items if isinstance(item, Group)]
    nested = [COVARIATES_OF_GUARDRAILS, *inside]
    return found | {question.path: question for group in nested for question in group.questions}


def test_the_form_asks_for_every_field_that_may_be_written() -> None:
    known = {field.path for field in fields_of(WrittenDesign)}
    reached = set(asked())
    assert reached <= known
    unreached = {
        path
        for path in known - reached
        if not any(
            other.startswith((f"{path}.", f"{path}[]")) for other in known
        )  # a group, asked for by its fields
        and path.rsplit(".", 1)[0] not in reached  # the two scales of an amount
    }
    assert unreached == set()


def places(draft: DraftText, pattern: str) -> list[tuple[Any, ...]]:
    """Every path of a draft that a pattern names."""
    paths: list[tuple[Any, ...]] = [()]
    for part in pattern.split("."):
        name = part.removesuffix("[]")
        paths = [(*path, name) for path in paths]
        if part.endswith("[]"):
            paths = [(*path, index) for path in paths for index in range(draft.length(path))]
    return [path for path in paths if draft.at(path) is not None]


@pytest.mark.parametrize("pattern", sorted(asked()))
def test_an_answer_shown_and_typed_again_means_the_same(pattern: str) -> None:
    before = everything()
    design = check(before, CATALOGUE).design
    assert design is not None
    question = asked()[pattern]
    for path in places(before, pattern):
        value = before.at(path)
        if question.kind == "amount":
            metric = CATALOGUE[before.at((*path[:-1], "metric"))]
            again = typed_amount(shown_amount(value, metric), metric)
        else:
            again = typed(question.kind, shown(question.kind, value))
        after = check(before.with_value(path, again), CATALOGUE)
        assert after.problems == ()
        assert after.design is not None
        assert after.design.sha256 == design.sha256
        assert after.design.administrative == design.administrative


def test_every_question_has_a_step_and_a_name_of_its_own() -> None:
    for step in STEPS:
        for question in step.questions():
            path = path_of(question.path, *[0] * question.path.count("[]"))
            assert step_of(path) is step, question.path
            assert question.label in label_of(path)


# Nothing is lost


def test_a_change_of_one_field_changes_nothing_else_and_keeps_the_comments() -> None:
    before = everything()
    after = before.with_value(("guardrails", 1, "reason"), "support has fewer people now")
    expected = copy.deepcopy(before.body)
    expected["guardrails"][1]["reason"] = "support has fewer people now"
    assert after.body == expected
    for comment in ("# A design that uses nearly every field", "# half of the layer", "# of control"):
        assert comment in after.text


def test_an_uploaded_file_stays_as_it_was_written_until_something_is_typed() -> None:
    assert from_file(EVERYTHING).text == EVERYTHING
    assert plan_to_save(check(from_file(EVERYTHING), CATALOGUE)).written == EVERYTHING


@pytest.mark.parametrize("name", list(DESIGNS))
def test_what_is_downloaded_is_the_design_that_is_registered(name: str) -> None:
    draft = from_file(design_template(name)).with_value(("title",), "A title of its own for search")
    plan = plan_to_save(check(draft, CATALOGUE))
    assert parse_design(plan.written, CATALOGUE).sha256 == plan.sha256


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
BODIES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc_1 ", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@example({"title": "one\x85two"})
@given(st.dictionaries(st.text("abc_1 ", min_size=1, max_size=4), BODIES, min_size=1, max_size=4))
def test_what_is_written_reads_as_the_same(body: dict[str, Any]) -> None:
    try:
        text = written(body)
        found = scan_document(text, "design")
    except Invalid:
        return  # a sign that no YAML may hold
    assert found.body == body


@example("title", "one\x85two")
@given(st.sampled_from(sorted(asked())), LEAVES)
def test_any_edit_puts_its_value_and_nothing_else(pattern: str, value: Any) -> None:
    path = path_of(pattern, *[0] * pattern.count("[]"))
    before = everything()
    try:
        after = before.with_value(path, value)
    except Invalid:
        return
    if before.at(path[:-1]) is not None or "[]" not in pattern:
        assert after.at(path) == value
    top = path[0]
    assert {k: v for k, v in after.body.items() if k != top} == {
        k: v for k, v in before.body.items() if k != top
    }


def test_entries_are_added_and_taken_out_and_the_list_goes_with_its_last() -> None:
    draft = DraftText("title: x\n").with_entry(("guardrails",), {"role": "must-hold"})
    draft = draft.with_entry(("guardrails",), {"metric": "rating"})
    assert draft.without_entry(("guardrails",), 0).body["guardrails"] == [{"metric": "rating"}]
    assert draft.without_entry(("guardrails",), 0).without_entry(("guardrails",), 0).body == {"title": "x"}
    assert draft.without_entry(("guardrails",), 7) == draft


def test_an_edit_of_an_entry_that_somebody_else_took_out_is_dropped() -> None:
    draft = DraftText("title: x\narms: [{name: a}]\n")
    assert draft.after([Edit(("arms", 3, "name"), "b")]).body == draft.body


# What people type


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("number", "27 104", 27104),
        ("number", "1.50", 1.5),
        ("number", "about 5", "about 5"),
        ("rate", "5%", "5%"),
        ("rate", "0.05", 0.05),
        ("share", "1/3", "1/3"),
        ("count", "2000", 2000),
        ("lines", "web, mobile ,", ["web", "mobile"]),
        ("rates", "40%, 0.7, 1", ["40%", 0.7, 1]),
        ("values", 'web, "5", 5, true', ["web", "5", 5, True]),
        ("duration", " 7d ", "7d"),
        ("choice", "2", 2),
        ("line", "   ", None),
        ("flag", False, None),
        ("metrics", [], None),
    ],
)
def test_what_is_typed_is_written_as_people_write_it(kind: Any, raw: Any, value: Any) -> None:
    found = typed(kind, raw)
    assert found == value
    assert type(found) is type(value)


def test_percentage_points_are_typed_as_they_are_said() -> None:
    binary, seconds = CATALOGUE["task_success@1"], CATALOGUE["p95_latency@1"]
    assert typed_amount(Amount("1.5", "absolute"), binary) == {"absolute": 0.015}
    assert typed_amount(Amount("20", "absolute"), seconds) == {"absolute": 20}
    assert typed_amount(Amount("5 %", "relative"), seconds) == {"relative": 0.05}
    assert typed_amount(Amount("a bit", "absolute"), binary) == {"absolute": "a bit"}
    assert typed_amount(Amount(" ", "absolute"), binary) is None
    assert shown_amount({"absolute": 0.015}, binary) == Amount("1.5", "absolute")
    assert shown_amount({"relative": "5%"}, binary) == Amount("5", "relative")


@given(
    st.decimals(min_value="0.0001", max_value="99", places=4),
    st.sampled_from(["task_success@1", "p95_latency@1"]),
)
def test_an_amount_comes_back_as_it_was_typed(number: Any, reference: str) -> None:
    metric = CATALOGUE[reference]
    text = format(number.normalize(), "f")
    for scale in ("absolute", "relative"):
        assert shown_amount(typed_amount(Amount(text, scale), metric), metric) == Amount(text, scale)


# Problems, and what is saved


def test_problems_are_those_of_the_command_line_and_stand_with_their_fields() -> None:
    draft = (
        everything().with_value(("primary", "mde", "absolute"), -1).with_value(("arms", 1, "share"), "90%")
    )
    found = check(draft, CATALOGUE)
    with pytest.raises(Invalid) as refused:
        parse_design(draft.text, CATALOGUE)
    assert found.problems == refused.value.problems
    assert found.under(("primary", "mde"))
    assert {step.number for step in STEPS if found.mark(step) == "wrong"} == {2, 3}


def test_what_is_only_open_is_not_wrong() -> None:
    found = check(from_template("model-ab", "A better ranker for search", CATALOGUE), CATALOGUE)
    marks = {step.number: found.mark(step) for step in STEPS}
    assert "wrong" not in marks.values()
    assert [number for number, mark in marks.items() if mark == "open"] == [1, 3, 4, 9]


@pytest.mark.parametrize(
    "text", ["", "title: 5\n", "arms: 3\nprimary: [1]\nguardrails: {a: 1}\nhypothesis: no\n"]
)
def test_any_draft_can_be_saved_and_summed_up(text: str) -> None:
    found = check(DraftText(text), CATALOGUE)
    plan = plan_to_save(found).checked()
    assert is_unfinished(plan.material)
    assert plan.title == UNTITLED
    assert protocol_so_far(found, CATALOGUE)


# Beginnings


@pytest.mark.parametrize("name", list(TEMPLATE_NAMES))
def test_a_template_leaves_nobody_with_the_words_of_its_example(name: str) -> None:
    draft = from_template(name, "A better thing for everybody", CATALOGUE)
    for path in (
        ("background",),
        ("hypothesis", "because"),
        ("primary", "mde"),
        ("outcome_data_seen",),
        ("assignment", "key"),
    ):
        assert draft.at(path) is None
    assert all("reason" not in guardrail for guardrail in draft.body["guardrails"])


def test_a_template_names_no_metric_that_the_catalogue_lacks() -> None:
    other = parse_catalogue("metrics: [{name: a, version: 1, type: count, event: e, direction: higher}]")
    draft = from_template("model-ab", "A better thing for everybody", other)
    assert not check(draft, other).under(("guardrails", 0))
    assert draft.at(("primary", "metric")) is None


def test_a_copy_has_a_title_a_key_and_people_of_its_own() -> None:
    draft = from_experiment(EVERYTHING, "Ranker v8 against v7 for signed-in search")
    design = check(draft, CATALOGUE).design
    assert design is not None
    assert (design.key, design.salt) == ("ranker-v8-against-v7-for-signed-in-search",) * 2
    assert draft.at(("owner",)) is None
    assert draft.at(("reviewer",)) is None


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: 1\na: 2\n", "{", "just words"])
def test_a_file_that_is_no_set_of_fields_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        from_file(text)
