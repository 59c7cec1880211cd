"""The first page: what needs the person here, how many experiments are where, and how well plans are kept.

It shows no effect, no lift and no order by either: of outcomes only verdicts that have been released.
"""

from __future__ import annotations

import streamlit as st

from app.formats import instant, share
from app.overview.home import HomePage, Kept, home_of
from app.overview.needs import Need, since_words
from app.readings import verdict_reading
from app.screens.experiment import marks
from app.screens.frame import Here, page
from app.screens.home_list import experiments
from app.screens.pieces import empty, plain, table, way_to, way_to_page, when
from registry.portfolio import portfolio

FIRST = 8
"""Needs that are shown one by one; further ones are a table."""


@page
def home_page(here: Here) -> None:
    """What the person here sees first."""
    marks.style()
    st.title("Home")
    found = portfolio(here.registry)
    if not found.experiments:
        _nothing_yet()
        return
    shown = home_of(here.me.person, found)
    _needs(shown)
    _counts(shown)
    experiments(here, found)
    _coming(shown)
    _released(shown)
    _quality(shown)


def _nothing_yet() -> None:
    empty(
        "No experiment is registered yet.",
        "Here will be what needs you: reviews, looks that are due, readouts to decide. Below it, how many experiments "
        "are in each state and how well plans are kept. Never an effect before its release.",
        "Register an experiment on the page Register, or with `fairtrial register` on the command line.",
    )
    way_to_page("register", "Register an experiment")
    way_to_page("help", "How an experiment goes here, step by step")


def _needs(shown: HomePage) -> None:
    st.header(f"Needs you ({len(shown.needs)})" if shown.needs else "Needs you", anchor="needs-you")
    if not shown.needs:
        soon = shown.coming[0] if shown.coming else None
        coming = f" Next: {plain(soon.what)}, {soon.experiment}, about {instant(soon.at)}." if soon else ""
        st.success(f"Nothing needs you.{coming}", icon=":material/check:")
        return
    for need in shown.needs[:FIRST]:
        _need(need, shown)
    if len(shown.needs) > FIRST:
        with st.expander(f"{len(shown.needs) - FIRST} more that need you"):
            table(
                [
                    {
                        "Experiment": need.experiment,
                        "Title": need.title,
                        "What": f"{need.icon} {need.what}",
                        "Since": since_words(need, shown.now),
                    }
                    for need in shown.needs[FIRST:]
                ],
                f"{len(shown.needs) - FIRST} more experiments that need you.",
                key="needs",
                links="Experiment",
            )


def _need(need: Need, shown: HomePage) -> None:
    with st.container(border=True, key=f"need-{need.experiment}-{need.do.replace(' ', '-')}"):
        since = since_words(need, shown.now)
        st.markdown(
            f"**{need.icon} {plain(need.what)}**  \n{need.experiment} · {plain(need.title)}"
            + (f" · {since}" if since else "")
        )
        way_to(need.experiment, f"{need.do}: {need.experiment}", need.tab)


def _counts(shown: HomePage) -> None:
    st.header("Experiments by state", anchor="states")
    with st.container(horizontal=True):
        for _, words, n in shown.counts:
            st.metric(words, n, border=True, width=140)
    released = (
        "No readout was"
        if not shown.ended
        else f"{shown.ended} readout{' was' if shown.ended == 1 else 's were'}"
    )
    st.caption(f"{released} released in the last 90 days.")


def _coming(shown: HomePage) -> None:
    st.header("Next events", anchor="next")
    if not shown.coming:
        st.caption(
            "No date is known. The date of a look is estimated when health is checked, from the units enrolled so far."
        )
        return
    table(
        [
            {
                "When": f"about {when(event.at)}",
                "Experiment": event.experiment,
                "Title": event.title,
                "What": event.what,
                "Estimated": "declared" if event.as_of is None else when(event.as_of),
            }
            for event in shown.coming
        ],
        f"{len(shown.coming)} expected events; the next is {shown.coming[0].experiment}.",
        links="Experiment",
    )


def _released(shown: HomePage) -> None:
    if not shown.released:
        return
    st.header("Readouts released", anchor="released")
    table(
        [
            {
                "Released": when(one.at),
                "Experiment": one.experiment,
                "Title": one.title,
                "Verdict": str(verdict_reading(one.verdict)),
            }
            for one in shown.released
        ],
        f"The {len(shown.released)} latest released readouts with their verdicts.",
        links="Experiment",
    )


def _quality(shown: HomePage) -> None:
    st.header("Programme quality, last 90 days", anchor="quality")
    if not shown.ended:
        st.caption(
            "Here will be how many experiments kept to good practice: registered before the start, ended as planned, "
            "checks passed, decided with a reason. None was read out in the last 90 days."
        )
        return
    st.caption(
        "How plans were kept, not what they found: a programme that only counts wins learns to run safe tests."
    )
    table(
        [_kept(one) for one in shown.kept],
        "; ".join(f"{one.rule}: {one.kept} of {one.of}" for one in shown.kept),
    )


def _kept(one: Kept) -> dict[str, str]:
    return {
        "Practice": one.rule,
        "Kept": f"{one.kept} of {one.of}" + (f" ({share(round(one.kept / one.of, 2))})" if one.of else ""),
        "Not kept by": ", ".join(one.broken[:5])
        + (f" and {len(one.broken) - 5} more" if len(one.broken) > 5 else ""),
        "Why it counts": one.why,
    }
