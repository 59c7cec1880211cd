"""A file that was handed in, as the worker found it: which column is which, what is wrong, and then to add or to discard it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from app.formats import count
from app.overview.uploads import Handed, counts_of, schema_of, size_in_words
from app.screens.frame import Here, refusal
from app.screens.pieces import plain, table
from app.screens.sources.ways import ADD, SOURCE, UPLOAD, go_to, under_way, wide_table
from app.spool import discard
from experiments.logs.upload_columns import ROLES
from registry.errors import Refused
from registry.findings import AddedFound, UploadFound
from registry.jobs import JobState, Kind, request

NO_COLUMN: Final = "(none)"
ATTRIBUTE: Final = "attributes."


def looked_over(here: Here, handed: Handed) -> None:
    """Draw what is known of a file."""
    source = handed.check.entity
    if st.button("All data sources", icon=":material/arrow_back:", type="tertiary", key="sources.all"):
        go_to()
    st.title(plain(handed.name))
    st.caption(
        f"Handed in by {plain(handed.check.requested_by)} for {plain(str(handed.check.parameters['log']))} of {plain(source)} · "
        f"{handed.standing}"
    )
    if handed.added is not None:
        _was_added(source, handed.added)
        return
    if handed.check.unfinished:
        under_way(handed.check.id, "Looking the file over")
        return
    if handed.adding is not None and handed.adding.unfinished:
        under_way(handed.adding.id, "Adding the file")
        return
    if handed.check.state is not JobState.DONE:
        st.error(
            f"It could not be looked over: {plain(handed.check.error or 'the worker gave no reason')} Nothing was saved."
        )
    if handed.adding is not None and handed.adding.state is JobState.FAILED:
        st.error(f"It was not added: {plain(handed.adding.error or 'the worker gave no reason')}")
    if not handed.waiting:
        st.info(
            "The file no longer waits here: it was discarded, or cleared away after a day. Nothing of it was saved."
        )
        if st.button("Hand in another", key="sources.add"):
            go_to(ADD, source)
        return
    mine = handed.check.requested_by == here.me.id
    changed = handed.found is not None and _found(here, handed, handed.found, mine=mine)
    _act(here, handed, mine=mine, changed=changed)


def _found(here: Here, handed: Handed, found: UploadFound, *, mine: bool) -> bool:
    """What is in the file; gives whether another mapping was chosen than the one that was looked over."""
    size = size_in_words(found.size)
    begins = "begins a new log" if found.new else "joins the log"
    st.markdown(
        f"{count(found.rows)} rows · {size} · SHA-256 {found.sha256[:12]}… · {begins} **{plain(found.log)}** of "
        f"**{plain(found.source)}**"
    )
    if found.ok:
        st.success("✓ Nothing is wrong with it. Nothing is saved yet.")
    else:
        lines = "\n".join(f"- {plain(problem)}" for problem in found.problems)
        st.error(f"✕ It cannot be added as it is:\n\n{lines}")
    st.header("Which column is which", anchor="columns")
    chosen = _mapping(found, disabled=not mine)
    before = {role: column for role, column in found.mapping.items() if column}
    changed = {role: column for role, column in chosen.items() if column} != before
    if st.button("Look it over with these columns", disabled=not (mine and changed), key="upload.again"):
        _look_again(here, handed, chosen)
    st.header("What is in it", anchor="found")
    table(counts_of(found), f"What was counted in {handed.name}.")
    wide_table(f"The columns of {handed.name}", schema_of(found))
    if found.kind == "outcomes":
        st.caption(
            "Outcomes are closed: of an outcome file no row, no value and no time is shown before a release."
        )
    elif found.preview:
        with st.expander(f"The first {len(found.preview)} rows, unit ids masked"):
            st.caption(
                "Only the columns that the log's contract names: any other column may hold an outcome."
            )
            rows = [dict(zip(found.preview_columns, row, strict=True)) for row in found.preview]
            wide_table(f"The first rows of {handed.name}", rows)
    return changed


def _mapping(found: UploadFound, *, disabled: bool) -> dict[str, str]:
    """A choice of column for each field of the log, and for a new log of assignments its attributes."""
    says = {role.name: role.says for role in ROLES[found.kind]}
    columns = list(found.columns)
    chosen: dict[str, str] = {}
    left, right = st.columns(2)
    for place, role in enumerate(found.wanted):
        if found.new and role.startswith(ATTRIBUTE):
            continue
        now = found.mapping.get(role)
        with (left, right)[place % 2]:
            picked = st.selectbox(
                f"{role}{' (needed)' if role in found.needed else ''}",
                [NO_COLUMN, *columns],
                index=1 + columns.index(now) if now in columns else 0,
                help=says.get(role),
                key=f"upload.{found.sha256[:12]}.{role}",
                disabled=disabled,
            )
        chosen[role] = "" if picked in (None, NO_COLUMN) else str(picked)
    if found.kind == "assignments" and found.new:
        chosen |= _attributes(found, chosen, disabled=disabled)
    return chosen


def _attributes(found: UploadFound, chosen: Mapping[str, str], *, disabled: bool) -> dict[str, str]:
    free = [name for name in found.columns if name not in chosen.values()]
    now = [name for name in free if found.mapping.get(f"{ATTRIBUTE}{name}") == name]
    picked = st.multiselect(
        "Attributes known before the assignment, for eligibility and segments",
        free,
        default=now,
        key=f"upload.{found.sha256[:12]}.attributes",
        disabled=disabled,
        help="Nothing that the change could have changed. Columns that are not chosen are not kept.",
    )
    return {f"{ATTRIBUTE}{name}": name for name in picked}


def _look_again(here: Here, handed: Handed, columns: Mapping[str, str]) -> None:
    asked = {**handed.check.parameters, "columns": dict(columns)}
    try:
        job = request(here.registry, here.me.id, Kind.UPLOAD_CHECK, handed.check.entity, asked)
    except Refused as refused:
        refusal(refused)
    else:
        go_to(UPLOAD, str(job.id))


def _act(here: Here, handed: Handed, *, mine: bool, changed: bool) -> None:
    """Add it, or discard it."""
    source, found = handed.check.entity, handed.found
    why = None
    if not mine:
        why = f"{handed.check.requested_by} handed it in, and alone can add or discard it."
    elif found is None or not found.ok:
        why = "possible once nothing stands in its way."
    elif changed:
        why = "look it over with these columns first."
    with st.container(horizontal=True):
        add = st.button(
            f"Add it to {source}",
            type="primary",
            disabled=why is not None,
            icon=":material/add:",
            key="upload.add",
        )
        away = st.button("Discard it", disabled=not mine, key="upload.discard")
    if why is not None:
        st.caption(f"Add it to {plain(source)}: {plain(why)}")
    if away:
        discard(
            here.settings.folder,
            str(handed.check.parameters["upload"]),
            str(handed.check.parameters["ending"]),
        )
        go_to(SOURCE, source)
    if add:
        try:
            request(here.registry, here.me.id, Kind.UPLOAD_COMMIT, source, {"check": handed.check.id})
        except Refused as refused:
            refusal(refused)
        else:
            st.rerun()


def _was_added(source: str, added: AddedFound) -> None:
    files = f"{count(added.files)} file{'' if added.files == 1 else 's'}"
    st.success(
        f"✓ Added to {plain(added.log)} of {plain(source)}: {count(added.rows)} rows, as {files}. SHA-256 of what was handed in: "
        f"{added.sha256[:12]}…. Who added it is in the audit log."
    )
    if st.button(f"See {source}", type="primary", key="sources.see"):
        go_to(SOURCE, source)
    if st.button("Add another", key="sources.add"):
        go_to(ADD, source)
