"""The audit log: who did what, when and why; who read outcomes; and whether the record is whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

import streamlit as st

from app.formats import count
from app.overview.trail import Answer, Reader, answer, as_csv, as_jsonl, changes, told
from app.screens.frame import Here, page
from app.screens.pieces import FEW, plain, table, when
from registry.ledger import Entry
from registry.portfolio import entities_and_acts, outcome_readers
from registry.store import export_ledger, find_ledger, head
from registry.verification import verify

PAGE = 50
"""Records on one page."""

MOST = 5_000
"""Records that are searched; an older one is found by a narrower filter."""


@page
def audit_page(here: Here) -> None:
    """The ledger of every act."""
    st.title("Audit log")
    end = head(here.registry)
    st.caption(
        f"{count(end.count)} records, last hash `{end.hash[:12]}`. Every act, every read of outcomes and every refused attempt is "
        "here. Nobody can edit or delete a record, an admin neither; what is wrong is put right by a further record."
    )
    _whole(here)
    _readers(tuple(Reader(*one) for one in outcome_readers(here.registry)))
    st.header("Records", anchor="records")
    found = _found(here)
    if not found:
        st.info(
            "No record matches these filters. Take one away to see more.", icon=":material/filter_alt_off:"
        )
        return
    _records(found)
    _one(found)


def _whole(here: Here) -> None:
    with st.container(horizontal=True):
        asked = st.button("Verify the chain", help="Recomputes every hash and replays every record.")
        st.download_button(
            "Download the whole ledger (JSONL)",
            lambda: "".join(f"{line}\n" for line in _whole_ledger()).encode(),
            file_name="ledger.jsonl",
            mime="application/jsonl",
            on_click="ignore",
        )
    if asked:
        with st.spinner("Recomputing every hash"):
            _say(answer(verify(here.registry)))


def _whole_ledger() -> list[str]:
    # Called when the button is pressed, which is after the page's registry was closed.
    from app.cli.session import open_workspace_registry
    from app.settings import load_settings

    with open_workspace_registry(load_settings()) as registry:
        return list(export_ledger(registry))


def _say(said: Answer) -> None:
    words = f"{said.headline}\n\n" + "\n".join(f"- {plain(line)}" for line in said.lines)
    if said.ok:
        st.success(words, icon=":material/check:")
    else:
        st.error(words, icon=":material/error:")


def _readers(readers: tuple[Reader, ...]) -> None:
    st.header("Who has read outcomes", anchor="outcomes")
    if not readers:
        st.caption("Nobody: no outcome of any experiment has been read.")
        return
    times = sum(reader.times for reader in readers)
    st.caption(
        f"{count(times)} reads. Before the release only Fairtrial itself reads them, at a declared look, for a declared harm stop "
        "or to verify a sealed readout; each read is recorded before it is done."
    )
    table(
        [
            {
                "Of": reader.entity,
                "Who": reader.who,
                "What for": reader.purpose,
                "Times": count(reader.times) if len(readers) <= FEW else reader.times,
                "Last": when(reader.last) if len(readers) <= FEW else reader.last,
            }
            for reader in readers
        ],
        f"{len(readers)} readers of outcomes, by what they read and what for.",
        key="readers",
    )


def _found(here: Here) -> tuple[Entry, ...]:
    entities, actors, actions = entities_and_acts(here.registry)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        entity = st.selectbox(
            "Of", entities, index=None, key="entity", bind="query-params", placeholder="anything"
        )
        actor = st.selectbox(
            "By", actors, index=None, key="actor", bind="query-params", placeholder="anybody"
        )
        action = st.selectbox(
            "Act", actions, index=None, key="action", bind="query-params", placeholder="any act"
        )
        since = st.date_input("From (UTC)", value=None, key="since", bind="query-params", format="YYYY-MM-DD")
        until = st.date_input(
            "To, included (UTC)", value=None, key="until", bind="query-params", format="YYYY-MM-DD"
        )
    return find_ledger(
        here.registry,
        entity=entity,
        actor=actor,
        action=action,
        since=_midnight(since),
        until=None if until is None else _midnight(until + timedelta(days=1)),
        limit=MOST,
        newest_first=True,
    )


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def _records(found: tuple[Entry, ...]) -> None:
    pages = -(-len(found) // PAGE)
    number = 1
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        cut = f" (the newest {count(MOST)}; narrow the filters for older ones)" if len(found) == MOST else ""
        st.markdown(f"**{count(len(found))}** record{'' if len(found) == 1 else 's'}, newest first{cut}")
        if pages > 1:
            number = st.number_input(
                f"Page (of {pages})", 1, pages, key="page", bind="query-params", width=140
            )
        for label, write, kind in (("CSV", as_csv, "text/csv"), ("JSONL", as_jsonl, "application/jsonl")):
            st.download_button(
                f"Download these ({label})",
                partial(_bytes, write, found),
                file_name=f"audit.{label.lower()}",
                mime=kind,
                on_click="ignore",
            )
    shown = [told(entry) for entry in found[(number - 1) * PAGE : number * PAGE]]
    table(
        [
            {
                "Record": one.record,
                "Time": when(one.at) if len(shown) <= FEW else one.at,
                "Who": one.who,
                "Act": one.did,
                "Of": one.to,
                "What": one.what,
                "Why": one.why,
                "Hash": one.hash,
            }
            for one in shown
        ],
        f"{len(shown)} records of the ledger, newest first.",
        key="records",
        columns={"Time": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm [UTC]", timezone="UTC")},
    )


def _bytes(write: Callable[[tuple[Entry, ...]], str], found: tuple[Entry, ...]) -> bytes:
    return write(found).encode()


def _one(found: tuple[Entry, ...]) -> None:
    st.header("One record", anchor="record")
    by_number = {entry.seq: entry for entry in found}
    number = st.number_input(
        "Record",
        min(by_number),
        max(by_number),
        value=None,
        key="record",
        bind="query-params",
        placeholder="Its number shows what it changed",
        width=320,
    )
    if number is None:
        return
    if number not in by_number:
        st.info(f"Record {count(number)} is not among those the filters want.")
        return
    entry = by_number[number]
    st.markdown(plain(entry.summary))
    if entry.reason:
        st.markdown(f"Reason: {plain(entry.reason)}")
    table(
        [{"Of": of, "Field": field, "Is since": value} for of, field, value in changes(entry)],
        f"What record {number} changed.",
        key="changes",
    )
    st.caption(f"Hash `{entry.hash}`, after `{entry.prev_hash}`.")
