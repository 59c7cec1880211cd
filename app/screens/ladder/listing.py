"""The list of models: what their aliases name, the rollouts that are open, and those that have ended."""

from __future__ import annotations

import streamlit as st

from app.export.blocks import Cell
from app.export.blocks import table as table_of
from app.screens.experiment import marks
from app.screens.frame import Here
from app.screens.pieces import empty, go_to, table
from registry import ladder
from registry.actors import Role
from registry.kinds import CANARY
from registry.ladder import Rollout
from registry.rollouts.records import CANDIDATE, CHAMPION, CLOSED
from registry.store import list_experiments, words_of

LIMIT = 200


def listing(here: Here) -> None:
    """Every model with its aliases, and every rollout."""
    st.title("Ladder")
    st.caption(
        "A candidate climbs from shadow over canary and A/B to promotion. Each step up rests on sealed evidence and a signature; "
        "rolling back needs a reason and nothing else."
    )
    _new(here)
    found = ladder.list_rollouts(here.registry)
    if not found:
        empty(
            "No model is on the ladder.",
            "Here will be each model's rung (shadow, canary, A/B, promoted), what the next step waits for, and who moved it on "
            "which evidence.",
            "Begin a rollout: it names champion, candidate, rungs and the risk budget.",
        )
    else:
        _rollouts(here, found)
    _canaries(here)


def _new(here: Here) -> None:
    able = here.me.person.has(Role.ANALYST) or here.me.person.has(Role.MODEL_OWNER)
    if st.button("Begin a rollout", type="primary", disabled=not able, icon=":material/add:"):
        st.query_params["new"] = "1"
        st.rerun()
    if not able:
        st.caption("Begin a rollout: only an analyst or a model owner may. Ask an admin for the role.")


def _rollouts(here: Here, found: tuple[Rollout, ...]) -> None:
    titles = {one.id: f"{one.id}  {one.title}" for one in found}
    chosen = st.selectbox(
        "Open a rollout",
        list(titles),
        index=None,
        key="ladder.open",
        format_func=titles.__getitem__,
        placeholder="Choose one of those below",
    )
    if chosen is not None:
        go_to(chosen)
    st.subheader("Models", anchor="models")
    marks.table(table_of("Models, what their aliases name, and what is served", _models(here, found)))
    ordered = sorted(found, key=lambda one: one.state in CLOSED)
    st.subheader("Rollouts", anchor="rollouts")
    rows = [
        {
            "Rollout": one.id,
            "Title": one.title,
            "Model": one.model,
            "Versions": f"{one.champion} → {one.candidate}",
            "Stands at": one.words,
            "Owner": one.owner,
            "Labels": ", ".join(one.labels),
        }
        for one in ordered
    ]
    table(rows, f"{len(rows)} rollouts with model, versions and where they stand.", links="Rollout")


def _models(here: Here, found: tuple[Rollout, ...]) -> list[dict[str, Cell]]:
    records: list[dict[str, Cell]] = []
    for model in sorted({one.model for one in found}):
        aliases = ladder.aliases(here.registry, model)
        champion, candidate = (aliases.get(name) for name in (CHAMPION, CANDIDATE))
        open_now = [one.id for one in found if one.model == model and one.state not in CLOSED]
        records.append(
            {
                "Model": model,
                "Champion": (None if champion is None else champion.version) or "none",
                "Candidate": (None if candidate is None else candidate.version) or "none",
                "Open rollout": ", ".join(open_now) or "none",
                "Served now": ladder.route(here.registry, model).reason,
            }
        )
    return records


def _canaries(here: Here) -> None:
    found = list_experiments(here.registry, kind=CANARY.name, limit=LIMIT)
    if not found:
        return
    st.subheader("Canaries", anchor="canaries")
    words = words_of(here.registry, found)
    rows = [
        {"Canary": one.id, "Title": one.title, "State": words[one.id], "Owner": one.owner} for one in found
    ]
    table(rows, f"{len(rows)} canaries with state and owner.", links="Canary")
