"""A draft that is no complete design yet: its owner goes on with it, and nobody can review or lock it."""

from typing import Any

import pytest

from registry import lifecycle, store
from registry.errors import Refused
from registry.lifecycle.drafting import UNFINISHED, is_unfinished, unfinished
from registry.records import State

HALF = unfinished("title: Half a plan for everybody\n", "Half a plan for everybody")


def test_its_text_is_kept_and_it_has_no_plan(team: Any) -> None:
    draft = team.draft(HALF)
    dossier = store.show(team.registry, draft.id)
    assert dossier.draft_written == "title: Half a plan for everybody\n"
    assert dossier.draft == {"schema": UNFINISHED}
    assert is_unfinished(dossier.draft)
    assert (draft.state, draft.primary_metric, draft.assignment_key) == (State.DRAFT, None, None)


def test_it_cannot_be_sent_for_review_and_so_not_be_locked(team: Any) -> None:
    draft = team.draft(HALF)
    with pytest.raises(Refused, match="not a complete design yet"):
        lifecycle.submit(team.registry, "mira", draft.id, reviewer="ola")
    with pytest.raises(Refused):
        lifecycle.register(team.registry, "ola", draft.id, lifecycle.Exposure(first_exposure_at=None))
    assert store.show(team.registry, draft.id).experiment.state is State.DRAFT


def test_nor_can_its_clone(team: Any) -> None:
    copy = lifecycle.clone(team.registry, "max", team.draft(HALF).id)
    with pytest.raises(Refused, match="not a complete design yet"):
        lifecycle.submit(team.registry, "max", copy.id, reviewer="ola")


def test_a_stranger_cannot_go_on_with_it(team: Any) -> None:
    draft = team.draft(HALF)
    with pytest.raises(Refused, match="Only the owner"):
        lifecycle.save_draft(team.registry, "max", draft.id, HALF)


def test_completed_it_is_a_plan_like_any_other_and_back(team: Any) -> None:
    plan = team.plan()
    draft = team.draft(HALF)
    lifecycle.save_draft(team.registry, "mira", draft.id, plan)
    lifecycle.save_draft(team.registry, "mira", draft.id, HALF)
    whole = lifecycle.save_draft(team.registry, "mira", draft.id, plan)
    assert whole.primary_metric is not None
    assert lifecycle.submit(team.registry, "mira", draft.id, reviewer="ola").state is State.IN_REVIEW
