"""Cases: pairs on which the models disagree, judged blind by several people, and what they found once it is unblinded."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app.export.blocks import Cell, table
from app.formats import count, instant
from app.screens.experiment import marks, sheet
from app.screens.experiment.acting import attempt, button
from app.screens.experiment.work import ask
from app.screens.shadow.opened import OpenedShadow
from app.screens.shadow.work import work
from app.views_shadow.cases import (
    EXPLORATORY,
    agreement_table,
    groups_in_words,
    judged_table,
    notes_table,
)
from registry.case_findings import findings_of
from registry.casebook import (
    ENOUGH,
    BlindCase,
    Casebook,
    CaseReview,
    Pick,
    blind_case,
    casebook_of,
    picks_of,
    reviews_of,
    why_not_reviewing,
)
from registry.casework import LONGEST_NOTE, finish_review, judge_case, unblind
from registry.jobs import Kind
from registry.lifecycle.states import OPEN_TO_ALL

KEYS: Final = {Pick.A: "1", Pick.B: "2", Pick.BOTH: "3", Pick.NEITHER: "4", Pick.CANNOT_TELL: "5"}
"""The key that says it, as the label of its button has it."""

_AT: Final = "shadow.case."


def cases(opened: OpenedShadow) -> None:
    """Draw the tab."""
    book = casebook_of(opened.here.registry, opened.id)
    if book is None:
        _not_drawn(opened)
        return
    reviews = reviews_of(opened.here.registry, opened.id)
    if book.unblinded_at is not None:
        _found(opened, book)
        return
    marks.words(
        f"{count(book.cases)} requests with two answers, in an order that differs by reviewer and case. Which model said what stays "
        f"closed until {ENOUGH} people have finished and somebody opens it."
    )
    own = next((one for one in reviews if one.reviewer == opened.here.me.id), None)
    why = why_not_reviewing(opened.here.me.person, opened.current)
    if why is not None:
        marks.words(f"Judge cases: {why}", muted=True)
    elif own is not None and own.finished_at is not None:
        st.success(f"You finished {instant(own.finished_at)}. Thank you: what you said stays as it is.")
    else:
        _judge(opened, book)
    _reviewers(opened, book, reviews)


def _not_drawn(opened: OpenedShadow) -> None:
    current = opened.current
    if current.state not in OPEN_TO_ALL:
        st.info(
            "Cases open with a sealed look whose pairs can be trusted. Here will be requests on which the models disagree, to be "
            "judged by several people who do not know which model said what."
        )
        return
    marks.words(
        "A sample of the pairs that the look counted: up to 50 on which the champion alone is right, 50 on which the candidate "
        "alone is, and 20 on which both say the same. It is drawn once, by a seed that was locked with the plan."
    )
    work(opened)
    busy = "it is being done." if opened.standing.is_at(Kind.CASES) else None
    if (
        button("Draw the cases", "shadow.draw", opened.revision, why_not=busy, primary=busy is None)
        is not None
    ):
        ask(opened.entry, Kind.CASES)


def _judge(opened: OpenedShadow, book: Casebook) -> None:
    here = opened.here
    said = picks_of(here.registry, here.me.id, opened.id)
    number = _number(opened, book, frozenset(said))
    shown = blind_case(here.registry, here.me.id, opened.id, number)
    marks.bar(
        len(said) / book.cases if book.cases else 1.0, f"{count(len(said))} of {count(book.cases)} judged"
    )
    st.subheader(f"Case {number}", anchor="case")
    _draw_case(shown)
    known = said.get(number)
    if known is not None:
        marks.words(f"You said: {known.pick.value}. Press another to change it.", muted=True)
    note_key = f"shadow.note.{opened.id}.{number}"
    st.session_state.setdefault(note_key, "" if known is None or known.note is None else known.note)
    st.text_area(
        "Note (write it before you press; it is kept with the answer)",
        key=note_key,
        height=80,
        max_chars=LONGEST_NOTE,
    )
    with st.container(horizontal=True):
        for pick, key in KEYS.items():
            pressed = st.button(
                pick.value.capitalize() if pick not in {Pick.A, Pick.B} else pick.value,
                key=f"shadow.pick.{number}.{key}",
                shortcut=key,
                type="primary" if known is not None and known.pick is pick else "secondary",
            )
            if pressed:
                _say(opened, book, number, pick, str(st.session_state.get(note_key) or ""))
    _steps(opened, book, number)
    _finish(opened, book, len(said))


def _draw_case(shown: BlindCase) -> None:
    marks.facts([("Request", shown.request), *((name, value) for name, value in shown.attributes.items())])
    left, right = st.columns(2)
    for column, name, answer in ((left, "Answer A", shown.a), (right, "Answer B", shown.b)):
        with column, st.container(border=True):
            marks.words(name, heading=True)
            st.text(answer)


def _number(opened: OpenedShadow, book: Casebook, said: frozenset[int]) -> int:
    """The case that is shown: the one that was gone to, else the first that is not judged."""
    at = st.session_state.get(_AT + opened.id)
    if isinstance(at, int) and 1 <= at <= book.cases:
        return at
    return next((n for n in range(1, book.cases + 1) if n not in said), book.cases)


def _say(opened: OpenedShadow, book: Casebook, number: int, pick: Pick, note: str) -> None:
    here = opened.here

    def judge() -> None:
        judge_case(here.registry, here.me.id, opened.id, number, pick, note)
        said = picks_of(here.registry, here.me.id, opened.id)
        order = [*range(number + 1, book.cases + 1), *range(1, number)]
        st.session_state[_AT + opened.id] = next((n for n in order if n not in said), number)

    attempt(judge, f"Case {number}: {pick.value}.")


def _steps(opened: OpenedShadow, book: Casebook, number: int) -> None:
    with st.container(horizontal=True):
        st.button(
            "Previous case",
            key="shadow.previous",
            disabled=number <= 1,
            on_click=_go,
            args=(opened.id, number - 1),
        )
        st.button(
            "Next case",
            key="shadow.next",
            disabled=number >= book.cases,
            on_click=_go,
            args=(opened.id, number + 1),
        )


def _go(id: str, number: int) -> None:
    st.session_state[_AT + id] = number


def _finish(opened: OpenedShadow, book: Casebook, judged: int) -> None:
    here, left = opened.here, book.cases - judged
    why = f"{count(left)} cases are not judged yet; can't tell is an answer too." if left else None
    seen = button("Finish my review", "shadow.finish", opened.revision, why_not=why, primary=why is None)
    if seen is not None:
        attempt(
            lambda: finish_review(here.registry, here.me.id, opened.id),
            "Finished: what you said stays as it is.",
        )


def _reviewers(opened: OpenedShadow, book: Casebook, reviews: tuple[CaseReview, ...]) -> None:
    st.subheader("Reviewers", anchor="reviewers")
    rows: list[dict[str, Cell]] = [
        {
            "Reviewer": one.reviewer,
            "Judged": f"{count(one.picked)} of {count(book.cases)}",
            "Finished": "not yet" if one.finished_at is None else instant(one.finished_at),
        }
        for one in reviews
    ]
    if rows:
        marks.table(table("Who has judged how many", rows))
    else:
        marks.words("Nobody has begun.")
    here, finished = opened.here, [one.reviewer for one in reviews if one.finished_at is not None]
    why = None
    if len(finished) < ENOUGH:
        why = f"{len(finished)} of the {ENOUGH} people needed have finished."
    elif here.me.id != opened.current.owner and here.me.id not in finished:
        why = f"for the owner ({opened.current.owner}), and for whoever has finished."
    marks.words(
        "Opening it ends the review for everybody: who has not finished by then is left out.", muted=True
    )
    if button("Open which model said what", "shadow.unblind", opened.revision, why_not=why) is not None:
        attempt(
            lambda: unblind(here.registry, here.me.id, opened.id), "Opened: the models have their names now."
        )


def _found(opened: OpenedShadow, book: Casebook) -> None:
    found = findings_of(opened.here.registry, opened.id)
    st.html('<div class="ft"><p class="ft-watermark">EXPLORATORY</p></div>')
    marks.words(EXPLORATORY)
    marks.facts(
        [
            ("Cases", count(book.cases)),
            ("Finished by", ", ".join(found.reviewers)),
            ("Opened", f"{instant(book.unblinded_at)} by {book.unblinded_by}"),
        ]
    )
    if opened.standing.cases is not None:
        marks.words(groups_in_words({name: (drawn, of) for name, drawn, of in opened.standing.cases.drawn}))
    for shown in (judged_table(found), agreement_table(found)):
        sheet.draw(shown)
    notes = notes_table(found)
    if notes.rows:
        sheet.draw(notes)
    marks.words(f"SHA-256 of the cases: {book.sha256}", muted=True)
