"""Pydantic's errors in our words, also where a field may be one of several things."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from experiments.forms.documents import parse_document
from experiments.forms.drafts import Unreadable, draft_of
from experiments.forms.spellings import Frozen, Number
from experiments.forms.validation import Findings, collect


class Fixed(Frozen):
    rule: Literal["fixed"]
    step: int = Field(default=7, ge=1, description="days")


class Sequential(Frozen):
    rule: Literal["sequential"]
    looks: int = Field(ge=2, description="how often outcomes are read")
    spending: Literal["obf", "pocock"] = "obf"


class Plan(Frozen):
    stopping: Annotated[Fixed | Sequential, Field(discriminator="rule")] = Fixed(rule="fixed")
    files: tuple[str, ...] | str = "a.csv"
    limit: Number | bool | None = None
    more: tuple[Annotated[Fixed | Sequential, Field(discriminator="rule")], ...] = ()


def messages(text: str) -> list[str]:
    document = parse_document(text, "plan")
    with pytest.raises(ValidationError) as raised:
        Plan.model_validate(document.body)
    return [str(problem) for problem in collect(raised.value, Plan, document)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "stopping: {rule: sequental}",
            [
                "1: stopping.rule: 'sequental' is not allowed here. Did you mean 'sequential'? Allowed: fixed, sequential."
            ],
        ),
        ("stopping: {step: 7}", ["1: stopping.rule: is missing: it says which fields belong here"]),
        (
            "stopping: {rule: sequential}",
            ["1: stopping.looks: is missing (how often outcomes are read)"],
        ),
        (
            "stopping: {rule: sequential, looks: 1, spending: pocok, step: 7}",
            [
                "1: stopping.looks: 1 is not allowed; give at least 2 (how often outcomes are read)",
                "1: stopping.spending: 'pocok' is not allowed here. Did you mean 'pocock'? Allowed: obf, pocock.",
                "1: stopping.step: 'step' is not a field here. Allowed: looks, rule, spending.",
            ],
        ),
        (
            "stopping: {rule: fixed, looks: 3}",
            ["1: stopping.looks: 'looks' is not a field here. Allowed: rule, step."],
        ),
        (
            "stopping: 3\nmore:\n  - {rule: fixed, stp: 3}\n  - {rule: sequential, looks: many}",
            [
                "3: more[0].stp: 'stp' is not a field here. Did you mean 'step'? Allowed: rule, step.",
                "1: stopping: 3 is not allowed; give a group of fields (rule, step)",
                "4: more[1].looks: 'many' is not allowed; give a whole number (how often outcomes are read)",
            ],
        ),
        ("files: 3", ["1: files: 3 is not allowed; give a list or text"]),
        ("files: [a.csv, 3]", ["1: files[1]: 3 is not allowed; give text, in quotes"]),
        ("limit: a lot", ["1: limit: 'a lot' is not allowed; give a number or true or false"]),
    ],
)
def test_the_path_is_what_was_written_without_pydantic_s_tags(text: str, expected: list[str]) -> None:
    assert sorted(messages(text)) == sorted(expected)


def test_findings_of_one_value_stand_at_their_own_paths() -> None:
    found = Findings(((("cap",), "has no meaning"), (("baseline", "mean"), "is wrong")))
    assert str(found) == "has no meaning; is wrong"
    assert found.findings[1][0] == ("baseline", "mean")


def test_a_draft_gives_what_can_be_read_and_refuses_the_rest() -> None:
    draft: Any = draft_of(
        Plan, {"stopping": {"rule": "fixed", "step": "soon"}, "files": "b.csv", "limit": {}}
    )
    assert draft.files == "b.csv"
    assert draft.more == ()
    assert draft.stopping.rule == "fixed"
    for touch in (lambda: draft.limit, lambda: draft.stopping.step):
        with pytest.raises(Unreadable):
            touch()
    with pytest.raises(AttributeError):
        _ = draft.nonesuch


def test_what_is_right_is_no_draft() -> None:
    assert isinstance(draft_of(Plan, {"files": ["a.csv"]}), Plan)
