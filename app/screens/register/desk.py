"""What one browser session holds of one draft: what was typed and is not saved yet, and the revision it was typed on.

The draft itself is in the registry. Widgets only note what was typed; it is saved at the top of the next run, by whoever is
here then, on the revision that was seen. Where somebody else was faster nothing is overwritten: it says who, and keeps what
was typed until it is put on top of theirs or given up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import streamlit as st

from app.drafting.answers import Amount, typed, typed_amount
from app.drafting.checking import check, plan_to_save
from app.drafting.questions import Kind
from app.drafting.text import DraftText, Edit
from app.screens.frame import Here
from experiments.designs.metrics import Catalogue, Metric
from experiments.forms.problems import Invalid, Path, dotted
from registry import lifecycle
from registry.errors import Conflict, Refused, RegistryError
from registry.records import Experiment

PREVIEW = 10
"""Stands behind the nine steps: the design preview."""


LATEST = 0
"""Instead of a revision: whatever is there by then."""


@dataclass(slots=True)
class Desk:
    """One session's view of a draft.

    Attributes:
        seen: the revision on the page.
        generation: part of every widget's key; a new one makes the widgets show what is saved now.
        pending: changes that are not saved yet.
        held: changes that could not be saved, kept for the person to decide.
        conflict: why they could not be saved.
        left: steps that were left once; only then is an open question a problem to point at.
    """

    id: str
    seen: int
    step: int = 1
    generation: int = 0
    pending: list[Edit] = field(default_factory=list)
    held: list[Edit] = field(default_factory=list)
    conflict: str | None = None
    saved_at: datetime | None = None
    left: set[int] = field(default_factory=set)

    def key(self, path: Path, part: str = "") -> str:
        """The key of the widget of a field."""
        return f"register/{self.id}/{self.generation}/{dotted(path)}/{part}"

    def renew(self) -> None:
        """Let every widget show what is saved now."""
        self.generation += 1

    def go(self, step: int) -> None:
        self.left.add(self.step)
        self.step = step
        st.query_params["step"] = str(step)

    def put(self, edit: Edit) -> None:
        self.pending.append(edit)

    # What widgets call when something was typed

    def note(self, path: Path, kind: Kind, key: str, label: str) -> None:
        raw = st.session_state.get(key)
        self.put(Edit(path, typed(kind, raw), "put", _words(label, raw)))

    def note_amount(self, path: Path, keys: tuple[str, str], metric: Metric | None, label: str) -> None:
        scale: Literal["absolute", "relative"] = st.session_state[keys[1]]
        amount = Amount(str(st.session_state[keys[0]]), scale)
        self.put(Edit(path, typed_amount(amount, metric), "put", _words(label, amount.number)))

    def note_entry(self, path: Path, does: Literal["add", "remove"], value: Any, words: str) -> None:
        self.put(Edit(path, value, does, words))
        self.renew()

    # Saving

    def save(self, here: Here, current: Experiment, text: str, catalogue: Catalogue) -> None:
        """Save what is pending; what cannot be saved is held, and said."""
        if self.seen == LATEST:
            self.seen = current.revision
        if not self.pending:
            if current.revision != self.seen and not self.held:
                self.seen = current.revision
                self.renew()
            return
        edits, self.pending = self.pending, []
        try:
            changed = DraftText(text).after(edits)
            plan = plan_to_save(check(changed, catalogue))
            saved = lifecycle.save_draft(here.registry, here.me.id, self.id, plan, seen=self.seen)
        except Conflict as conflict:
            when = conflict.at.replace("T", " ")[11:16]
            self._hold(edits, f"{conflict.who} changed this draft at {when} UTC, after you opened it.")
        except (Refused, RegistryError, Invalid) as error:
            self._hold(edits, str(error))
        else:
            self.seen = saved.revision
            self.saved_at = saved.changed_at

    def put_on_top(self) -> None:
        """Take what is saved now, and put what was held on top of it."""
        self.pending, self.held, self.conflict = self.held, [], None
        self.seen = LATEST
        self.renew()

    def give_up(self) -> None:
        """Take what is saved now, and forget what was held."""
        self.held, self.conflict = [], None
        self.renew()

    def _hold(self, edits: list[Edit], why: str) -> None:
        self.held += edits
        self.conflict = why


def desk_of(experiment: Experiment) -> Desk:
    """This session's desk for a draft."""
    key = f"register/desk/{experiment.id}"
    desk: Desk | None = st.session_state.get(key)
    if desk is None:
        desk = Desk(experiment.id, experiment.revision, step=_asked_for(st.query_params.get("step")))
        st.session_state[key] = desk
    return desk


def _asked_for(step: str | None) -> int:
    """The step that the address names; the first where it names none."""
    number = int(step) if step is not None and step.isdecimal() else 1
    return number if 1 <= number <= PREVIEW else 1


def _words(label: str, raw: Any) -> str:
    """What was typed, as it is told to the person who typed it."""
    said = ", ".join(map(str, raw)) if isinstance(raw, list) else "" if raw is None else str(raw)
    return f"{label} {said or 'emptied'}" if label.endswith("?") else f"{label}: {said or 'emptied'}"
