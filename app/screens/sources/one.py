"""One source: its logs as they are mapped, what the worker found of them, how they come in, and the files it was given."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import streamlit as st

from app.charts.sources import freshness, late_arrivals, rows_by_day
from app.formats import instant
from app.overview.logs import MappedLog, MappedSource
from app.overview.quality import arrivals_sentence, quality_sentences
from app.overview.uploads import files_added
from app.screens.experiment import marks
from app.screens.experiment.sheet import picture
from app.screens.frame import Here, refusal
from app.screens.pieces import plain, table
from app.screens.sources.ways import ADD, go_to, under_way, wide_table
from experiments.logs.quality import Quality
from registry.errors import Refused
from registry.jobs import JobState, Kind, jobs_of, latest, request

MOST_CHECKS: Final = 40
"""Jobs that are looked through for past checks."""


def one_source(here: Here, source: MappedSource) -> None:
    """Draw the page of a source."""
    if st.button("All data sources", icon=":material/arrow_back:", type="tertiary", key="sources.all"):
        go_to()
    st.title(f"Data source {plain(source.name)}")
    checked = "" if source.checked_at is None else f" · checked {instant(source.checked_at)}"
    st.markdown(f"{source.standing}{checked} · {plain(source.complete)} · times are UTC")
    if source.problems:
        st.error("\n".join(f"- {plain(problem)}" for problem in source.problems))
    if source.reach:
        st.caption(plain(source.reach))
    with st.container(horizontal=True):
        _check(here, source.name)
        if st.button(f"Add a file to {source.name}", icon=":material/upload_file:", key="sources.add"):
            go_to(ADD, source.name)
    _at_work(here, source.name)
    wide_table(
        f"The logs of {source.name}",
        [
            {"Log": log.name, "What it holds": log.purpose, "Access": log.access, "Where": log.place}
            for log in source.logs
        ],
    )
    for log in source.logs:
        _log(source.name, log)
    _freshness(here, source.name)
    _files(here, source.name)


def _check(here: Here, name: str) -> None:
    last = latest(here.registry, name, Kind.SOURCE_CHECK)
    waiting = last is not None and last.unfinished
    if not st.button(f"Check the logs of {name}", key=f"check-{name}", disabled=waiting):
        return
    try:
        request(here.registry, here.me.id, Kind.SOURCE_CHECK, name)
    except Refused as refused:
        refusal(refused)
    else:
        st.rerun()


def _at_work(here: Here, name: str) -> None:
    last = latest(here.registry, name, Kind.SOURCE_CHECK)
    if last is not None and last.unfinished:
        under_way(last.id, "Checking the logs")
    if last is not None and last.state is JobState.FAILED:
        st.error(f"The last check failed: {plain(last.error or 'the worker gave no reason')}")


def _log(source: str, log: MappedLog) -> None:
    st.header(plain(log.name), anchor=log.name)
    if not log.columns and not log.counts:
        st.caption("Shown after the first check. Pages do not open the outcomes file.")
        return
    if log.quality is not None:
        _comes_in(source, log, log.quality)
    with st.expander(f"{log.name} of {source}: columns{' and counts' if log.counts else ''}"):
        wide_table(
            f"Which column of {log.name} is which",
            [
                {
                    "Field": column.field,
                    "Column of the log": column.column,
                    "Type": column.kind or "known after a check",
                    "Problem": column.problem or "",
                }
                for column in log.columns
            ],
        )
        table([{"What": what, "Found": words} for what, words in log.counts], f"Counts of {log.name}.")
        wide_table(
            f"Events of {log.name}, arms pooled, and when they were seen",
            [{"Event": name, "First": first, "Last": last} for name, first, last in log.events],
        )


def _comes_in(source: str, log: MappedLog, quality: Quality) -> None:
    """Rows by day and late arrivals as pictures, the rest in sentences; of outcomes no value, and nothing by arm."""
    marks.bullets(quality_sentences(quality) or ["Nothing more is known of how it comes in."])
    first, second = st.columns(2)
    with first:
        marks.words("Rows by day", heading=True)
        if quality.days:
            picture(f"Rows by day, {log.name} of {source}", rows_by_day(quality.days))
        else:
            marks.words(f"Not shown: {quality.no_days}.", muted=True)
    if not log.name.startswith("outcomes"):
        return
    with second:
        marks.words("How late rows arrive", heading=True)
        if quality.arrivals.shares:
            picture(f"Late arrivals, {log.name} of {source}", late_arrivals(quality.arrivals))
            marks.words("A plan's label delay has to cover this.", muted=True)
        else:
            marks.words(arrivals_sentence(quality.arrivals), muted=True)


def _freshness(here: Here, name: str) -> None:
    checks = _past_checks(here, name)
    if not any(found for _, found in checks):
        return
    st.header("How fresh the logs were", anchor="fresh")
    picture(f"How far the logs of {name} were behind at each check", freshness(checks))


def _past_checks(here: Here, name: str) -> list[tuple[datetime, dict[str, datetime]]]:
    """The moment of each check that was done, and up to when each log was complete then."""
    done = [
        job
        for job in jobs_of(here.registry, name, MOST_CHECKS)
        if job.kind is Kind.SOURCE_CHECK and job.result is not None and job.finished_at is not None
    ]
    return [
        (
            job.finished_at,
            {
                log["log"]: datetime.fromisoformat(log["watermark"])
                for log in job.result["logs"]
                if log["watermark"] is not None
            },
        )
        for job in reversed(done)
        if job.result is not None and job.finished_at is not None
    ]


def _files(here: Here, name: str) -> None:
    added = files_added(here.registry, name)
    if not added:
        return
    st.header("Files that were added here", anchor="files")
    wide_table(f"The {len(added)} files that were handed in for {name} and added, newest first", added)
