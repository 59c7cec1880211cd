"""The map of a canary's check is total, and no combination passes on what was not measured."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product
from typing import get_args

import pytest

from analysis.guardrails import GuardrailState
from experiments.canaries.verdict import (
    Action,
    Call,
    CanaryCode,
    Findings,
    MappedCheck,
    verdict_of,
)
from experiments.canaries.written import Needs, Unanswered

WITHIN, BEYOND = GuardrailState.WITHIN, GuardrailState.BEYOND
OPEN, MISSING = GuardrailState.NOT_RULED_OUT, GuardrailState.MISSING
STATES = [frozenset(some) for some in chain.from_iterable(combinations(GuardrailState, n) for n in range(5))]


def every_combination() -> Iterator[tuple[Findings, MappedCheck]]:
    flags = [(False, True)] * 5
    for states, (valid, enough, held, up, last), needs, unanswered, breach in product(
        STATES, product(*flags), get_args(Needs), get_args(Unanswered), ("pause", "roll back")
    ):
        found = Findings(valid, states, enough, held, up, last, needs, unanswered, breach)
        yield found, verdict_of(found)


ALL = list(every_combination())


def findings(**changes: object) -> Findings:
    """The last step of a canary at the end of its hold time, all well."""
    usual: dict[str, object] = {
        "valid": True,
        "guardrails": [WITHIN],
        "enough_units": True,
        "held": True,
        "time_up": False,
        "last_step": True,
    }
    return Findings.of(**(usual | changes))  # type: ignore[arg-type]


def test_every_combination_has_exactly_one_answer_of_the_vocabulary() -> None:
    assert len(ALL) == 16 * 32 * 2 * 3 * 2
    for _, mapped in ALL:
        assert mapped.code in get_args(CanaryCode)
        assert mapped.call in get_args(Call)
        assert mapped.action in get_args(Action)
        assert mapped.reason


def test_every_row_call_and_action_of_the_map_is_reached() -> None:
    assert {mapped.row for _, mapped in ALL} == set(range(1, 8))
    assert {mapped.call for _, mapped in ALL} == set(get_args(Call))
    assert {mapped.action for _, mapped in ALL} == set(get_args(Action))


def test_a_pass_needs_every_guardrail_within_its_margin_on_enough_units_at_the_last_step() -> None:
    for found, mapped in ALL:
        if mapped.code == "PASS":
            assert found.valid
            assert found.guardrails == {WITHIN}
            assert found.enough_units
            assert found.held
            assert found.last_step


def test_nothing_advances_past_what_was_not_measured_or_on_too_few_units() -> None:
    for found, mapped in ALL:
        if mapped.action in {"advance", "finish"}:
            assert found.valid
            assert found.guardrails
            assert not found.guardrails & {MISSING, BEYOND}
            assert found.enough_units
            assert found.held or found.time_up


def test_a_breach_stops_whatever_else_was_found() -> None:
    for found, mapped in ALL:
        assert (mapped.call == "BREACH") == (BEYOND in found.guardrails)
        if mapped.call == "BREACH":
            assert (mapped.code, mapped.action) == ("DO NOT PASS", found.breach)


def test_a_failed_check_never_leaves_the_candidate_served() -> None:
    for found, mapped in ALL:
        if not found.valid:
            assert mapped.code in {"INVALID", "DO NOT PASS"}
            assert mapped.action in {"pause", "roll back"}


def test_time_that_is_up_ends_the_step_one_way_or_another() -> None:
    for found, mapped in ALL:
        if found.time_up and found.held:
            assert mapped.action != "stay"
        if not found.time_up:
            assert mapped.code != "INCONCLUSIVE"


def test_proceeding_without_an_answer_is_only_for_what_was_measured_and_is_not_the_last_step() -> None:
    for found, mapped in ALL:
        if mapped.row == 6:
            assert found.when_unanswered == "proceed"
            assert not found.last_step
            assert MISSING not in found.guardrails


@pytest.mark.parametrize(
    ("changes", "call", "action"),
    [
        ({}, "PASS", "finish"),
        ({"last_step": False}, "STEP MAY ADVANCE", "advance"),
        ({"held": False}, "WITHIN THE STEP", "stay"),
        ({"held": False, "guardrails": [OPEN]}, "WITHIN THE STEP", "stay"),
        ({"guardrails": [OPEN, WITHIN]}, "TOO SMALL TO JUDGE", "stay"),
        ({"guardrails": [OPEN], "needs": "no breach", "last_step": False}, "STEP MAY ADVANCE", "advance"),
        ({"guardrails": [OPEN], "needs": "no breach"}, "TOO SMALL TO JUDGE", "stay"),
        ({"guardrails": [MISSING, WITHIN]}, "NOT MEASURED", "stay"),
        ({"guardrails": [MISSING], "needs": "no breach", "last_step": False}, "NOT MEASURED", "stay"),
        ({"guardrails": []}, "NOT MEASURED", "stay"),
        ({"enough_units": False}, "TOO FEW UNITS", "stay"),
        ({"guardrails": [OPEN], "time_up": True}, "TOO SMALL TO JUDGE", "hold"),
        (
            {"guardrails": [OPEN], "time_up": True, "when_unanswered": "roll back"},
            "TOO SMALL TO JUDGE",
            "roll back",
        ),
        (
            {"guardrails": [OPEN], "time_up": True, "when_unanswered": "proceed", "last_step": False},
            "TIME IS UP",
            "advance",
        ),
        (
            {"guardrails": [MISSING], "time_up": True, "when_unanswered": "proceed", "last_step": False},
            "NOT MEASURED",
            "hold",
        ),
        ({"guardrails": [BEYOND, MISSING], "valid": False}, "BREACH", "roll back"),
        ({"valid": False}, "INVALID", "pause"),
    ],
)
def test_the_answers_of_the_map(changes: dict[str, object], call: str, action: str) -> None:
    mapped = verdict_of(findings(**changes))
    assert (mapped.call, mapped.action) == (call, action)
