"""The verdict map as a total function, against a table written from the words of the rule, not from the code."""

from __future__ import annotations

import itertools

import pytest

from analysis.guardrails import GuardrailState
from experiments.readouts.verdict import Findings, PrimaryState, verdict_of

W, B, N, M = (
    GuardrailState.WITHIN,
    GuardrailState.BEYOND,
    GuardrailState.NOT_RULED_OUT,
    GuardrailState.MISSING,
)
GUARDRAIL_SETS = [frozenset(s) for r in range(5) for s in itertools.combinations((W, B, N, M), r)]
COMBINATIONS = list(
    itertools.product(
        (True, False),
        (True, False),
        PrimaryState,
        GUARDRAIL_SETS,
        (True, False),
        (True, False),
        (True, False),
    )
)

WORDS = {
    1: "INVALID",
    2: "DO NOT SHIP",
    3: "DO NOT SHIP",
    4: "DO NOT SHIP",
    5: "INCONCLUSIVE",
    6: "INCONCLUSIVE",
    7: "SHIP",
    8: "INCONCLUSIVE",
    9: "DO NOT SHIP",
    10: "INCONCLUSIVE",
    11: "CONTINUE",
}
ENDS_AN_INTERIM_LOOK = {1, 2, 3, 4, 7}


def rows_that_apply(
    valid: bool,
    harm_stop: bool,
    primary: PrimaryState,
    guardrails: frozenset[GuardrailState],
    by_hand: bool,
    interim: bool,
    crossed: bool,
) -> list[int]:
    """Every row of the published table whose condition holds, whatever stands above it; 11 is an interim look's own."""
    met = primary is PrimaryState.MET
    conditions = {
        1: not valid,
        2: harm_stop,
        3: primary is PrimaryState.HARMED,
        4: B in guardrails,
        5: primary is PrimaryState.MISSING or M in guardrails,
        6: by_hand and not crossed,
        7: met and guardrails <= {W},
        8: met and N in guardrails,
        9: primary in {PrimaryState.RULED_OUT, PrimaryState.FUTILE},
        10: True,
    }
    rows = [row for row, holds in conditions.items() if holds]
    ends = rows[0] in ENDS_AN_INTERIM_LOOK or primary is PrimaryState.FUTILE
    return rows if ends or not interim else [11, *rows]


def test_every_combination_has_the_verdict_of_the_first_row_that_applies() -> None:
    for found in COMBINATIONS:
        mapped = verdict_of(Findings(*found))
        expected = rows_that_apply(*found)[0]
        assert (mapped.row, mapped.code) == (expected, WORDS[expected]), found


def test_an_interim_look_ends_only_with_an_answer() -> None:
    """Going on is no verdict, and what an interim look ends with is what the last look would say."""
    for found in COMBINATIONS:
        at_last = verdict_of(Findings(*found[:5], False, found[6]))
        interim = verdict_of(Findings(*found[:5], True, found[6]))
        assert interim == at_last or interim.code == "CONTINUE", found


def test_all_combinations_are_enumerated() -> None:
    assert len(COMBINATIONS) == 2 * 2 * 6 * 16 * 2 * 2 * 2


def test_only_a_met_primary_with_every_guardrail_within_its_margin_ships() -> None:
    ships = [found for found in COMBINATIONS if verdict_of(Findings(*found)).code == "SHIP"]
    assert ships
    for valid, harm_stop, primary, guardrails, by_hand, _interim, crossed in ships:
        assert valid
        assert not harm_stop
        assert primary is PrimaryState.MET
        assert guardrails <= {W}
        assert crossed or not by_hand


@pytest.mark.parametrize("state", [B, N, M])
def test_one_guardrail_that_does_not_pass_is_enough_not_to_ship(state: GuardrailState) -> None:
    found = Findings.of(valid=True, primary=PrimaryState.MET, guardrails=[W, W, state, W])
    assert verdict_of(found).code != "SHIP"


def test_every_row_of_the_table_is_reached() -> None:
    assert {verdict_of(Findings(*found)).row for found in COMBINATIONS} == set(range(1, 12))
