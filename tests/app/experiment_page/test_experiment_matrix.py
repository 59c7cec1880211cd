"""Every tab in every state for every role: the right words, what can be pressed by whom, and why the rest cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from registry.records import State as RegistryState
from tests.app.experiment_page.page import TABS, off, visit, words
from tests.app.experiment_page.states import EVERYBODY, STATES, TITLE, Kept
from tests.app.life import ID

CLOSED_WORDS = ("✓ SHIP", "✕ DO NOT SHIP", "95% CI", "ft-verdict", "Sign the decision")
ACTS = {label for state in STATES.values() for label in state.acts}
EVERYDAY = {(name, "mira") for name in STATES} | {
    (name, "vic") for name in ("in review", "checked", "read out")
}
PAIRS = [
    pytest.param(name, person, marks=[] if (name, person) in EVERYDAY else [pytest.mark.slow])
    for name in STATES
    for person in EVERYBODY
]


@pytest.fixture(scope="session")
def kept(stages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("states"), stages)


@pytest.mark.parametrize(("name", "person"), PAIRS)
def test_every_tab_says_what_it_is_and_lets_nobody_do_what_is_not_theirs(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, person: str
):
    """There is no outcome log to be read: the pages need none."""
    for variable in [one for one in os.environ if one.startswith("FAIRTRIAL_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(kept.copy(name, tmp_path / "workspace"))
    state, possible = STATES[name], set()
    for tab in TABS:
        page = visit(tab, person)
        said = words(page)
        assert not page.error
        assert page.segmented_control[0].value == tab
        for text in (ID, TITLE, state.words, "! simulated"):
            assert text in said, text
        if not state.released:
            assert not [word for word in CLOSED_WORDS if word in said]
        for one in page.button:
            if one.disabled:
                assert len(off(page, one.label)) > 10, one.label
            else:
                possible.add(one.label)
    mine = {label for label, who in state.acts.items() if person in who}
    assert possible & ACTS == mine


def test_the_matrix_has_every_state_that_the_registry_knows():
    told = {state.words.split(":")[0].split(" (")[0].casefold() for state in STATES.values()}
    names = {"read_out": "readout ready", "readout": "readout ready", "in_review": "in review"}
    assert {names.get(one.value, one.value) for one in RegistryState} <= told


def test_no_act_is_possible_for_nobody_in_every_state():
    """Each button that the matrix knows is somebody's somewhere, or it would be tried by nothing."""
    assert all(any(state.acts.get(label) for state in STATES.values()) for label in ACTS)
