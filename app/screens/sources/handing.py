"""Handing a file in: the pages' process lays it down unread, the worker looks it over, and nothing is saved before it is added.

Streamlit's server takes the bytes into the memory of this process. They are laid down as they come and forgotten in the same
run: nothing here reads, parses, keeps or shows them.
"""

from __future__ import annotations

from typing import Final

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.overview.example_logs import PURPOSES, columns_of, example_log
from app.overview.uploads import handed_in
from app.screens.experiment import marks
from app.screens.frame import Here, refusal
from app.screens.pieces import plain, table
from app.screens.sources.looked_over import looked_over
from app.screens.sources.ways import UPLOAD, go_to
from app.spool import discard, ending_of, receive
from experiments.logs.sources import SOURCE_NAME, load_sources
from experiments.logs.upload_columns import ROLES, LogKind
from registry.errors import Refused, Unknown
from registry.jobs import JobState, Kind, latest, request
from registry.lifecycle.states import WORK
from registry.uploads import MAY_ADD

A_NEW_ONE: Final = "a new source"
_TURN: Final = "sources.turn"
"""Counts the files of a session: each gets an uploader of its own, so that none is kept in the state of a widget."""


def hand_in(here: Here, to: str) -> None:
    """Choose a log and a file."""
    if st.button("All data sources", icon=":material/arrow_back:", type="tertiary", key="sources.all"):
        go_to()
    st.title("Add a file to a source")
    may = any(here.me.person.has(role) for role in WORK[MAY_ADD])
    if not may:
        names = " or ".join(role.value.lower() for role in WORK[MAY_ADD])
        st.info(f"Only somebody with the role {names} may {MAY_ADD}; you are {here.me.id}.")
    source, new = _source(here, to, disabled=not may)
    kind = _log(here, source, disabled=not may, new=new)
    complete = _complete(here, source, kind, new=new, disabled=not may)
    _what_is_needed(_kind_of(kind))
    ready = may and (not new or SOURCE_NAME.fullmatch(source) is not None)
    uploaded = st.file_uploader(
        "The file: CSV or Parquet",
        type=["csv", "gz", "parquet"],
        key=f"sources.file.{st.session_state.get(_TURN, 0)}",
        max_upload_size=here.settings.upload_limit,
        disabled=not ready,
        help="It is handed to the worker as soon as it has arrived, and looked over. Nothing is saved before you add it.",
    )
    st.caption(
        f"At most {here.settings.upload_limit} MB; larger files come in by the command line: `fairtrial source add FILE`. This page "
        "hands the file to the worker unread. Of an outcome file you will see its schema and counts, never a value."
    )
    if uploaded is not None and ready:
        _hand_over(here, uploaded, source, kind, complete=complete)


def look_at(here: Here, which: str) -> None:
    """A file that was handed in, by the job that looked it over."""
    try:
        handed = handed_in(here.registry, here.settings.folder, int(which))
    except (ValueError, Unknown):
        handed = None
    if handed is None:
        st.title("Data sources")
        st.error(f"No file was handed in under {plain(which)}.")
        if st.button("All data sources", key="sources.all"):
            go_to()
        return
    looked_over(here, handed)


def _source(here: Here, to: str, *, disabled: bool) -> tuple[str, bool]:
    file = here.settings.sources
    known = list(load_sources(file).by_name) if file.is_file() else []
    choices = [*known, A_NEW_ONE]
    index = choices.index(to) if to in choices else len(choices) - 1 if not known else 0
    chosen = st.radio(
        "Which source is it for?", choices, index=index, horizontal=True, key="sources.to", disabled=disabled
    )
    if chosen != A_NEW_ONE:
        return chosen, False
    name = st.text_input(
        "Name of the new source",
        key="sources.name",
        disabled=disabled,
        placeholder="small letters, digits, - and _, for example search-logs",
    ).strip()
    if name and SOURCE_NAME.fullmatch(name) is None:
        st.error(
            f"{plain(name)} is not allowed; give a name of small letters, digits, - and _, for example search-logs."
        )
    if name in known:
        st.error(f"There is a source {plain(name)} already; choose it above.")
        return "", True
    return name, True


def _log(here: Here, source: str, *, disabled: bool, new: bool) -> str:
    """Which log of the source; of several outcome logs each."""
    if new:
        marks.words("A new source begins with its assignments.", muted=True)
        return "assignments"
    outcomes = [name for name in _logs_found(here, source) if name.startswith("outcomes")]
    names = ["assignments", "exposures", *(outcomes if len(outcomes) > 1 else ["outcomes"])]
    chosen = st.radio(
        "What does it hold?",
        names,
        format_func=lambda name: f"{name}: {PURPOSES[_kind_of(name)]}",
        key="sources.log",
        disabled=disabled,
    )
    return str(chosen)


def _complete(here: Here, source: str, kind: str, *, new: bool, disabled: bool) -> bool:
    """Asked where the log may begin with this file: whether it also ends with it."""
    begins = new or (
        kind == "outcomes" and not any(one.startswith("outcomes") for one in _logs_found(here, source))
    )
    if not begins:
        return False
    return st.checkbox(
        "If this begins the log: nothing more will come after it (it then needs no times)",
        key="sources.complete",
        disabled=disabled,
    )


def _logs_found(here: Here, source: str) -> list[str]:
    """The logs that the last check of a source saw: this process does not read the outcomes file."""
    last = latest(here.registry, source, Kind.SOURCE_CHECK, (JobState.DONE,)) if source else None
    return [] if last is None or last.result is None else [str(log["log"]) for log in last.result["logs"]]


def _kind_of(name: str) -> LogKind:
    return next(kind for kind in ROLES if name.startswith(kind))


def _what_is_needed(kind: LogKind) -> None:
    with st.expander(f"What a file of {kind} has to hold"):
        table(columns_of(kind), f"The columns of {kind}.")
        st.caption("Columns may be called otherwise: which is which is chosen once the file was looked over.")
        st.download_button(
            f"Download an example of {kind} (CSV)",
            example_log(kind),
            file_name=f"{kind}.csv",
            mime="text/csv",
            on_click="ignore",
            key=f"example-{kind}",
        )


def _hand_over(here: Here, uploaded: UploadedFile, source: str, log: str, *, complete: bool) -> None:
    ending = ending_of(uploaded.name)
    if ending is None:
        _forget(uploaded)
        st.error(f"{plain(uploaded.name)} is no CSV or Parquet file by its name. Nothing of it was kept.")
        return
    try:
        id = receive(here.settings.folder, uploaded, ending, here.settings.upload_limit)
    except ValueError as error:
        st.error(f"Nothing of it was kept: {plain(str(error))}")
        return
    finally:
        _forget(uploaded)
    asked = {"upload": id, "name": uploaded.name[-200:], "ending": ending, "log": log, "complete": complete}
    try:
        job = request(here.registry, here.me.id, Kind.UPLOAD_CHECK, source, asked)
    except Refused as refused:
        discard(here.settings.folder, id, ending)
        refusal(refused)
        return
    go_to(UPLOAD, str(job.id))


def _forget(uploaded: UploadedFile) -> None:
    """Take the bytes out of this process: out of the server's store of files, and out of the state of the widget."""
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    uploaded.seek(0)
    uploaded.truncate()
    context = get_script_run_ctx()
    remove = None if context is None else getattr(context.uploaded_file_mgr, "remove_file", None)
    if context is not None and remove is not None:
        remove(session_id=context.session_id, file_id=uploaded.file_id)
