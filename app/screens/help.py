"""Help: how an experiment goes, the words, the verdicts, the states, who may do what, and how to check a readout."""

from __future__ import annotations

import streamlit as st

from app.overview.glossary import BY_HAND, TERMS, VERDICTS, decision_rules, roles, states
from app.readings import LABEL_WORDS, verdict_reading
from app.screens.frame import Here, page
from app.screens.pieces import plain, table, way_to_page

STEPS = (
    ("Register", "Say what changes, for whom, which one metric decides, and what would be too much harm."),
    (
        "Review",
        "Somebody else reads the plan and locks it. From then on it is hashed and only amended in the open.",
    ),
    (
        "Run",
        "Units are exposed. You see health: are the groups as planned, do the data arrive. You see no outcome.",
    ),
    ("Look", "When the declared number of units is mature, outcomes are read once, by the worker."),
    ("Read", "The readout says SHIP, DO NOT SHIP, INCONCLUSIVE or INVALID, by the rule that was declared."),
    ("Decide", "A decider signs what follows, with a reason. Everything is in the audit log."),
)


@page
def help_page(_: Here) -> None:
    """Everything that a reader new to the app needs, on one page."""
    st.title("Help and glossary")
    st.markdown(
        "[How it goes](#how) · [Words](#words) · [Verdicts](#verdicts) · [States](#states) · "
        "[Who may do what](#roles) · [Labels](#labels) · [Check a readout](#check)"
    )
    _how()
    _words()
    _verdicts()
    _rights()
    _check()


def _how() -> None:
    st.header("How an experiment goes", anchor="how")
    st.markdown("\n".join(f"{n}. **{name}.** {what}" for n, (name, what) in enumerate(STEPS, 1)))
    st.markdown(
        "**Why are outcomes closed?** Whoever looks at a running experiment again and again, and stops when it looks good, "
        "finds differences that are not there: with a look a day for a month, far more often than the 5% that was meant."
    )
    way_to_page("register", "Register an experiment")


def _words() -> None:
    st.header("Words", anchor="words")
    wanted = (st.text_input("Find a word", key="word", bind="query-params") or "").casefold().split()
    found = {
        term: meaning
        for term, meaning in TERMS.items()
        if all(part in f"{term} {meaning}".casefold() for part in wanted)
    }
    if not found:
        st.info("No term holds that. Try one word, or clear the field.")
    st.markdown("\n\n".join(f"**{plain(term)}**  \n{plain(meaning)}" for term, meaning in found.items()))


def _verdicts() -> None:
    st.header("Verdicts", anchor="verdicts")
    st.markdown("The first line that applies decides. A verdict is made by this map and by nobody's hand.")
    table(
        [
            {"Order": order, "What was found": found, "Verdict": str(verdict_reading(code)), "In short": why}
            for order, (found, code, why) in enumerate(VERDICTS, 1)
        ],
        "The map from what was found to the verdict, evaluated from the top.",
    )
    st.caption(
        "At a look before the last, an experiment that has no answer yet goes on: only that no boundary was crossed is said."
    )
    for name, words in decision_rules():
        st.markdown(f"**Rule {name}.** {words}")


def _rights() -> None:
    st.header("States", anchor="states")
    table(
        [{"State": one.state, "What it means": one.meaning, "Possible acts": one.acts} for one in states()],
        "The states of an experiment, what they mean and what may be done in them.",
    )
    st.header("Who may do what", anchor="roles")
    st.caption(
        "These are the rules that the registry enforces on every act, from a page or from the command line."
    )
    table(
        [{"Role": one.role, "May": one.acts} for one in roles()],
        "The roles and what each may do.",
    )
    st.header("Labels", anchor="labels")
    table(
        [{"Label": label, "What it means": words} for label, words in LABEL_WORDS.items()],
        "What is printed on an experiment for ever, and what it means.",
    )


def _check() -> None:
    st.header("Check a readout yourself", anchor="check")
    st.markdown("\n".join(f"{n}. **{what}.** {how}" for n, (what, how) in enumerate(BY_HAND, 1)))
