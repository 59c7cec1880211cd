"""A rollout plan: every problem at once, one hash for one meaning, and files of any kind told apart."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from experiments.assignment import POSITIONS, Layer, Range
from experiments.designs.metrics import parse_catalogue
from experiments.forms.documents import scan_document
from experiments.forms.problems import Invalid
from experiments.rollouts.design import RolloutDesign, declare_rollout, parse_rollout, reopen
from experiments.rollouts.files import any_of
from experiments.rollouts.routing import canary_slices, layer_named_by, outside_the_canary
from experiments.shadows.design import ShadowDesign
from tests.experiments.canary_logs import CATALOGUE, DESIGN

WRITTEN = """
title: Router v4 in place of v3
model: router
champion: {version: v3}
candidate: {version: v4}
rungs:
  shadow: {registered: SHD-0001, exit: [the model card is written]}
  canary: {entry: [on call knows the date]}
  ab: {design: {source: main}}
risk_budget: {share: 25%, units: 20000, duration: 6w}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(Invalid) as found:
        parse_rollout(text)
    return [str(problem) for problem in found.value.problems]


def test_a_rollout_resolves_to_its_rungs_in_order() -> None:
    design = parse_rollout(WRITTEN)
    assert design.rungs == ("shadow", "canary", "ab")
    assert (design.model, design.champion, design.candidate) == ("router", "v3", "v4")
    assert design.rung("shadow").exit == ("the model card is written",)
    assert design.risk_budget.share == Fraction(1, 4)
    assert design.risk_budget.duration == 6 * 7 * 86_400


def test_equal_meaning_has_an_equal_hash_and_words_for_people_are_no_part_of_it() -> None:
    first = parse_rollout(WRITTEN)
    again = parse_rollout(WRITTEN.replace("25%", "1/4") + "team: search\n")
    assert first.sha256 == again.sha256
    assert first.sha256 != parse_rollout(WRITTEN.replace("25%", "20%")).sha256


def test_a_kept_rollout_is_reopened_from_what_was_kept_alone() -> None:
    design = parse_rollout(WRITTEN)
    assert reopen(design.material, design.document.text).sha256 == design.sha256
    with pytest.raises(Invalid, match="risk_budget would differ"):
        reopen(design.material, WRITTEN.replace("25%", "20%"))


def test_every_problem_is_said_at_once_with_its_line() -> None:
    text = """
title: Router v4 in place of v3
model: router
champion: {version: v4}
candidate: {version: v4}
rungs:
  shadow: null
  canary: {registered: EXP-0001}
  ab: {canary_units: keep, design: {titel: x, arms: []}}
risk_budget: {share: 25%}
owner: mira
deciders: [mira]
"""
    said = "\n".join(problems(text))
    for part in (
        "5: candidate.version: 'v4' is the champion already",
        "left_out.shadow: is missing",
        "8: rungs.canary.registered: 'EXP-0001' is not the id of such a rung; it begins with CAN-",
        "rungs.ab.canary_units_reason: is missing",
        "rungs.ab.design.titel: 'titel' is not a field of a design. Did you mean 'title'?",
        "rungs.ab.design.arms: is given by the rollout: they are champion and candidate",
        "12: deciders: 'mira' is the owner; somebody else approves",
    ):
        assert part in said, part


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"risk_budget": {"share": 0.6}}, "risk_budget.share"),
        ({"risk_budget": {}}, "risk_budget.share"),
        ({"rungs": {"shadow": {}}}, "rungs.ab"),
        ({"left_out": {"shadow": "because it is too much work for this release"}}, "left_out.shadow"),
        ({"rungs": {"ab": {"canary_units_reason": "they forget it"}}}, "canary_units_reason"),
        ({"model": "My Router"}, "model"),
    ],
)
def test_what_is_not_allowed_is_named(changed: dict[str, Any], part: str) -> None:
    fields = {
        "title": "Router v4 in place of v3",
        "model": "router",
        "champion": {"version": "v3"},
        "candidate": {"version": "v4"},
        "rungs": {"ab": {}},
        "risk_budget": {"share": 0.25},
    }
    with pytest.raises(Invalid, match=part):
        declare_rollout(**(fields | changed))


# Files of any kind


def test_a_file_is_told_by_its_kind_or_by_what_it_holds() -> None:
    catalogue = parse_catalogue(CATALOGUE)
    for text, kind in ((WRITTEN, "rollout"), (DESIGN, "canary")):
        plain = any_of(scan_document(text, "design"), catalogue)
        named = any_of(scan_document(f"kind: {kind}  # what this is\n{text}", "design"), catalogue)
        assert type(plain) is type(named)
        assert plain.sha256 == named.sha256
        assert "kind" not in named.document.text
    assert isinstance(any_of(scan_document(WRITTEN, "design"), catalogue), RolloutDesign)


def test_the_line_of_the_kind_is_left_empty_so_that_no_other_moves() -> None:
    with pytest.raises(Invalid, match=r"6: candidate\.version"):
        any_of(
            scan_document("kind: rollout\n\n" + WRITTEN.strip().replace("v4}", "v3}"), "design"),
            parse_catalogue(CATALOGUE),
        )


def test_a_kind_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(Invalid, match="Did you mean 'shadow'"):
        any_of(scan_document("kind: shadwo\ntitle: x\n", "design"), parse_catalogue(CATALOGUE))


def test_a_shadow_is_told_by_its_task() -> None:
    text = """
title: Router v4 in the shadow of v3
hypothesis: v4 answers as well as v3
model: router
champion: {version: v3}
candidate: {version: v4}
task: binary
primary: {margin: 0.05, reason: five points cost less than the price saves}
limits: [{measure: error_share, worsening: 0.02, reason: the error budget of the service}]
minimum_labels: 500
"""
    assert isinstance(any_of(scan_document(text, "design"), parse_catalogue(CATALOGUE)), ShadowDesign)


# Slices


@pytest.mark.parametrize("share", ["1/100", "1/3", "1/2", "0.0001"])
def test_candidate_and_control_are_as_large_and_never_meet(share: str) -> None:
    candidate, control = canary_slices(Fraction(share), ("candidate", "v4"), ("control", "v3"))
    assert candidate.high - candidate.low == control.high - control.low
    assert (candidate.low, control.high) == (0, POSITIONS)
    assert candidate.high <= control.low
    assert abs(candidate.share - Fraction(share)) < Fraction(1, POSITIONS) + Fraction(1, POSITIONS)


@pytest.mark.parametrize("share", ["1/100", "1/3", "0.123456789", "49/100"])
def test_the_free_part_of_the_layer_touches_neither_slice(share: str) -> None:
    candidate, control = canary_slices(Fraction(share), ("candidate", "v4"), ("control", "v3"))
    free = outside_the_canary("layer:search", Fraction(share))
    assert isinstance(free, Layer)
    assert free.name == "search"
    for part in (candidate, control):
        assert free.range.shared_with(Range(part.low, part.high)) == 0
    assert candidate.high == free.range.low
    assert control.low - free.range.high <= 1


@pytest.mark.parametrize("share", ["0", "-1/4", "2/3"])
def test_a_share_that_cannot_be_is_refused(share: str) -> None:
    with pytest.raises(ValueError, match="at most 1/2"):
        canary_slices(Fraction(share), ("candidate", "v4"), ("control", "v3"))


def test_without_a_layer_s_salt_or_at_a_half_nobody_can_be_left_out() -> None:
    assert layer_named_by("layer:search") == "search"
    assert layer_named_by("search") is None
    assert layer_named_by("layer:") is None
    with pytest.raises(ValueError, match=r"write assignment\.salt: 'layer:search'"):
        outside_the_canary("search", Fraction(1, 4))
    with pytest.raises(ValueError, match="nobody is left"):
        outside_the_canary("layer:search", Fraction(1, 2))
