"""The blinded case review: drawn once, judged blind, and opened only when two people have finished."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.forms.problems import Invalid
from experiments.shadows.cases import AGREED
from registry import ledger, store
from registry.case_findings import Judged, findings_of, judged_of
from registry.casebook import (
    Pick,
    blind_case,
    casebook_of,
    is_champion_first,
    picks_of,
    reviews_of,
)
from registry.casework import LONGEST_NOTE, draw, finish_review, judge_case, unblind
from registry.errors import Refused, Unknown
from registry.verification import verify
from tests.registry.reviewing import Reviewing


@pytest.fixture
def reviewing(team: Any) -> Reviewing:
    return Reviewing(team.registry, team.clock)


@pytest.fixture
def book(reviewing: Reviewing) -> tuple[Reviewing, str, Any]:
    id, found = reviewing.drawn()
    return reviewing, id, found


def test_no_case_is_drawn_before_the_release(reviewing: Reviewing) -> None:
    id = reviewing.running()
    before = store.outcome_reads(reviewing.registry, id)
    with pytest.raises(Refused, match="no released comparison"):
        draw(reviewing.registry, "mira", id, reviewing.lab.sources)
    assert store.outcome_reads(reviewing.registry, id) == before
    assert casebook_of(reviewing.registry, id) is None


def test_the_cases_are_drawn_once_by_the_seed_of_the_locked_plan(book: Any) -> None:
    reviewing, id, found = book
    assert found.seed == store.show(reviewing.registry, id).plans[0].sha256
    again = draw(reviewing.registry, "dan", id, reviewing.lab.sources)
    assert again.found == found
    assert len(store.find_ledger(reviewing.registry, entity=id, action="draw cases")) == 1


def test_reading_answers_for_cases_is_on_record_before_they_are_drawn(book: Any) -> None:
    reviewing, id, _ = book
    actions = [entry.action for entry in store.find_ledger(reviewing.registry, entity=id)]
    assert actions.index("draw cases") > max(
        place for place, action in enumerate(actions) if action == ledger.READ_OUTCOMES
    )


def test_logs_that_changed_since_the_look_give_no_cases(reviewing: Reviewing) -> None:
    id = reviewing.released()
    reviewing.lab.frames["labels"].loc[0, "label"] = 1 - reviewing.lab.frames["labels"].loc[0, "label"]
    with pytest.raises(Invalid, match="has changed since the look was sealed"):
        draw(reviewing.registry, "mira", id, reviewing.lab.sources)
    assert casebook_of(reviewing.registry, id) is None


def test_a_blind_case_holds_both_answers_and_nothing_else_of_the_models(book: Any) -> None:
    reviewing, id, found = book
    for case in found.cases[:30]:
        shown = blind_case(reviewing.registry, "ola", id, case.number)
        assert {shown.a, shown.b} == {case.champion, case.candidate}
        assert shown.request == case.request
    assert set(type(shown).__slots__) == {"number", "request", "attributes", "a", "b"}


def test_the_order_of_answers_differs_by_reviewer_and_case_and_stays() -> None:
    def orders(reviewer: str) -> list[bool]:
        return [is_champion_first("f" * 64, reviewer, n) for n in range(1, 2_001)]

    ola, dan = orders("ola"), orders("dan")
    # Of 2 000 fair orders 1 000 ± 112 (five standard errors) have the champion first.
    for heads in (sum(ola), sum(dan), sum(one == other for one, other in zip(ola, dan, strict=True))):
        assert abs(heads - 1_000) < 112
    assert orders("ola") == ola


def test_a_pick_means_the_model_whose_answer_stood_there() -> None:
    assert judged_of(Pick.A, champion_first=True) is Judged.CHAMPION
    assert judged_of(Pick.A, champion_first=False) is Judged.CANDIDATE
    assert judged_of(Pick.B, champion_first=True) is Judged.CANDIDATE
    assert judged_of(Pick.B, champion_first=False) is Judged.CHAMPION
    for pick in (Pick.BOTH, Pick.NEITHER, Pick.CANNOT_TELL):
        assert judged_of(pick, champion_first=True).value == pick.value


def test_the_owner_and_a_viewer_judge_no_case(book: Any) -> None:
    reviewing, id, _ = book
    with pytest.raises(Refused, match="owns"):
        judge_case(reviewing.registry, "mira", id, 1, Pick.A)
    with pytest.raises(Refused, match="vic is none"):
        judge_case(reviewing.registry, "vic", id, 1, Pick.A)
    assert reviews_of(reviewing.registry, id) == ()


def test_a_judgement_may_be_changed_until_one_has_finished(book: Any) -> None:
    reviewing, id, found = book
    judge_case(reviewing.registry, "ola", id, 1, Pick.A)
    judge_case(reviewing.registry, "ola", id, 1, Pick.NEITHER, "Both miss the question.")
    said = picks_of(reviewing.registry, "ola", id)
    assert said[1].pick is Pick.NEITHER
    assert said[1].note == "Both miss the question."
    with pytest.raises(Refused, match="are not judged yet"):
        finish_review(reviewing.registry, "ola", id)
    reviewing.judge_all("ola", id, len(found.cases))
    with pytest.raises(Refused, match="has finished"):
        judge_case(reviewing.registry, "ola", id, 1, Pick.B)


def test_bad_judgements_are_refused(book: Any) -> None:
    reviewing, id, found = book
    with pytest.raises(Refused, match="no case 0"):
        judge_case(reviewing.registry, "ola", id, 0, Pick.A)
    with pytest.raises(Refused, match="no case"):
        judge_case(reviewing.registry, "ola", id, len(found.cases) + 1, Pick.A)
    with pytest.raises(Refused, match="characters"):
        judge_case(reviewing.registry, "ola", id, 1, Pick.A, "x" * (LONGEST_NOTE + 1))


def test_nobody_learns_which_model_said_what_before_two_people_have_finished(book: Any) -> None:
    reviewing, id, found = book
    n = len(found.cases)
    with pytest.raises(Refused, match="0 of the 2 people"):
        unblind(reviewing.registry, "mira", id)
    reviewing.judge_all("ola", id, n)
    reviewing.judge_all("dan", id, n, finish=False)
    with pytest.raises(Refused, match="1 of the 2 people"):
        unblind(reviewing.registry, "mira", id)
    with pytest.raises(Unknown, match="not unblinded"):
        findings_of(reviewing.registry, id)
    finish_review(reviewing.registry, "dan", id)
    with pytest.raises(Refused, match="neither owns"):
        unblind(reviewing.registry, "eve", id)
    verdict = store.show(reviewing.registry, id).experiment.verdict
    unblind(reviewing.registry, "mira", id)
    assert set(findings_of(reviewing.registry, id).reviewers) == {"ola", "dan"}
    assert store.show(reviewing.registry, id).experiment.verdict is verdict
    with pytest.raises(Refused, match="were unblinded"):
        judge_case(reviewing.registry, "eve", id, 1, Pick.A)
    assert verify(reviewing.registry).ok


def test_what_was_found_counts_the_models_that_the_reviewers_meant(book: Any) -> None:
    reviewing, id, found = book
    sha256 = casebook_of(reviewing.registry, id).sha256  # type: ignore[union-attr]
    for reviewer in ("ola", "dan"):
        for case in found.cases:
            # Ola always means the model that the label says is right; Dan says both of every seventh.
            first = is_champion_first(sha256, reviewer, case.number)
            if case.group == AGREED or (reviewer == "dan" and case.number % 7 == 0):
                pick = Pick.BOTH
            else:
                pick = Pick.A if (case.champion == case.label) is first else Pick.B
            judge_case(
                reviewing.registry, reviewer, id, case.number, pick, "seen" if case.number == 1 else None
            )
        finish_review(reviewing.registry, reviewer, id)
    unblind(reviewing.registry, "dan", id)
    findings = findings_of(reviewing.registry, id)
    drawn = {group.name: group.drawn for group in found.groups}
    of_ola = {name: findings.counts[name, "ola"] for name in drawn}
    assert of_ola["champion alone right"][Judged.CHAMPION] == drawn["champion alone right"]
    assert of_ola["candidate alone right"][Judged.CANDIDATE] == drawn["candidate alone right"]
    assert of_ola[AGREED][Judged.BOTH] == drawn[AGREED]
    apart = sum(case.number % 7 == 0 and case.group != AGREED for case in found.cases)
    ((one, other, kappa),) = findings.agreement
    assert ({one, other}, kappa.pairs) == ({"ola", "dan"}, len(found.cases))
    assert kappa.observed_agreement == pytest.approx(1 - apart / len(found.cases))
    assert sorted((case.number, name) for case, name, _, _ in findings.notes) == [(1, "dan"), (1, "ola")]
