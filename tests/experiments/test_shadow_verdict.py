"""The verdict map of a shadow: total, top-down, and nothing that was not measured passes."""

from __future__ import annotations

from itertools import chain, combinations, product

import pytest

from analysis.guardrails import GuardrailState
from experiments.readouts.verdict import PrimaryState
from experiments.shadows.verdict import ENDS_AT_ONCE, GOES_ON, Findings, verdict_of

STATES = [
    frozenset(chosen)
    for chosen in chain.from_iterable(combinations(GuardrailState, n) for n in range(len(GuardrailState) + 1))
]
EVERY = [
    Findings(*values)
    for values in product(
        (True, False),
        (True, False),
        PrimaryState,
        STATES,
        STATES,
        (True, False),
        (True, False),
        (True, False),
    )
]


def test_every_combination_has_exactly_one_verdict() -> None:
    assert len(EVERY) == 2 * 2 * len(PrimaryState) * 16 * 16 * 8
    codes = {verdict_of(found).code for found in EVERY}
    assert codes == {"PASS", "DO NOT PASS", "INCONCLUSIVE", "INVALID", "CONTINUE"}
    assert {verdict_of(found).row for found in EVERY} == set(range(1, 12))


def test_only_what_was_declared_measured_and_met_in_everything_passes() -> None:
    for found in EVERY:
        if verdict_of(found).code == "PASS":
            assert found.valid
            assert found.measured
            assert found.primary is PrimaryState.MET
            assert found.limits | found.segments <= {GuardrailState.WITHIN}
            assert not found.stopped_by_hand or found.boundary_crossed


def test_what_passes_all_conditions_does_pass() -> None:
    for found in EVERY:
        met = found.primary is PrimaryState.MET and found.limits | found.segments <= {GuardrailState.WITHIN}
        by_rule = not found.stopped_by_hand or found.boundary_crossed
        if found.valid and found.measured and met and by_rule:
            assert verdict_of(found).code == "PASS"


def test_pairs_that_cannot_be_trusted_are_invalid_whatever_else_was_found() -> None:
    assert all(verdict_of(found).code == "INVALID" for found in EVERY if not found.valid)


def test_a_broken_limit_a_worse_primary_or_a_collapsed_segment_never_passes_and_ends_any_look() -> None:
    for found in EVERY:
        broken = GuardrailState.BEYOND in found.limits | found.segments
        if found.valid and (broken or found.primary is PrimaryState.HARMED):
            assert verdict_of(found).code == "DO NOT PASS"


def test_an_interim_look_that_has_no_answer_goes_on_and_says_only_that() -> None:
    for found in EVERY:
        mapped = verdict_of(found)
        if mapped.code == "CONTINUE":
            assert found.interim
            assert mapped.row == GOES_ON
        elif found.interim:
            assert mapped.row in ENDS_AT_ONCE


@pytest.mark.parametrize(
    ("changes", "row", "code"),
    [
        ({"valid": False}, 1, "INVALID"),
        ({"limits": [GuardrailState.BEYOND, GuardrailState.MISSING]}, 2, "DO NOT PASS"),
        ({"primary": PrimaryState.HARMED, "measured": False}, 3, "DO NOT PASS"),
        ({"segments": [GuardrailState.WITHIN, GuardrailState.BEYOND]}, 4, "DO NOT PASS"),
        ({"measured": False}, 5, "INCONCLUSIVE"),
        ({"segments": [GuardrailState.MISSING]}, 5, "INCONCLUSIVE"),
        ({"limits": [GuardrailState.MISSING]}, 5, "INCONCLUSIVE"),
        ({"primary": PrimaryState.MISSING}, 5, "INCONCLUSIVE"),
        ({"stopped_by_hand": True}, 6, "INCONCLUSIVE"),
        ({"stopped_by_hand": True, "boundary_crossed": True}, 7, "PASS"),
        ({}, 7, "PASS"),
        ({"limits": [GuardrailState.NOT_RULED_OUT]}, 8, "INCONCLUSIVE"),
        ({"segments": [GuardrailState.NOT_RULED_OUT]}, 8, "INCONCLUSIVE"),
        ({"primary": PrimaryState.RULED_OUT}, 9, "DO NOT PASS"),
        ({"primary": PrimaryState.UNDECIDED}, 10, "INCONCLUSIVE"),
        ({"primary": PrimaryState.UNDECIDED, "interim": True}, 11, "CONTINUE"),
        ({"interim": True}, 7, "PASS"),
        ({"primary": PrimaryState.RULED_OUT, "interim": True}, 11, "CONTINUE"),
    ],
)
def test_the_first_row_that_applies_decides(changes: dict[str, object], row: int, code: str) -> None:
    base: dict[str, object] = {
        "valid": True,
        "measured": True,
        "primary": PrimaryState.MET,
        "limits": [GuardrailState.WITHIN],
        "segments": [GuardrailState.WITHIN],
    }
    mapped = verdict_of(Findings.of(**(base | changes)))  # type: ignore[arg-type]
    assert (mapped.row, mapped.code) == (row, code)
