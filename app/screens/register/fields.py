"""One field of the form: its label, its widget, its help line, and under it in words what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.drafting.answers import chosen, scales, shown, shown_amount
from app.drafting.checking import Checked
from app.drafting.questions import Group, Item, Question, path_of
from app.drafting.summary import metric_at
from app.formats import shortest
from app.readings import Reading
from app.screens.experiment import marks
from app.screens.pieces import plain
from app.screens.register.desk import Desk
from experiments.designs.metrics import Catalogue, Metric
from experiments.forms.problems import Path, Problem
from registry.stewardship import Standing, Verified, standing_of

FEW = 3
"""Alternatives up to which all of them are shown."""

_VOUCHED: dict[Standing, str] = {
    "verified": "✓ by a metric steward",
    "changed": "edited since it was verified; you may use it, and a steward should look again",
    "not verified": "not by a metric steward yet; you may use it, and one should look",
}

TO_MEND = Reading("To mend:", "!", "triangle-up", "warning")


def to_mend(problem: Problem) -> None:
    """What is wrong with a field, as it is said right under it; elsewhere the field's name stands before it."""
    message = problem.message
    marks.notice(TO_MEND, f"this {message}" if message.startswith("is ") else message)


class Form:
    """The fields of one step, drawn from the draft as it is saved."""

    def __init__(
        self,
        desk: Desk,
        checked: Checked,
        catalogue: Catalogue,
        *,
        locked: bool = False,
        known: Mapping[str, Verified] | None = None,
    ) -> None:
        self.desk, self.checked, self.catalogue, self.locked = desk, checked, catalogue, locked
        self.known = known
        self.drawn: list[Path] = []

    def items(self, items: Sequence[Item], *places: int) -> None:
        """Questions as they come; those that have a default behind "more"."""
        more = [item for item in items if item.more]
        for item in items:
            if not item.more:
                self.item(item, *places)
        asked = [item for item in more if isinstance(item, Group) or self._is_asked(item, *places)]
        if not asked:
            return
        wrong = any(self._pointed_at(path_of(item.path, *places)) for item in asked)
        label = "More, each with a default" + (": something to mend" if wrong else "")
        with st.expander(label, expanded=wrong):
            for item in asked:
                self.item(item, *places)

    def item(self, item: Item, *places: int) -> None:
        if isinstance(item, Group):
            self.group(item, *places)
        elif self._is_asked(item, *places):
            self.question(item, *places)

    def question(self, question: Question, *places: int) -> None:
        """One question with its widget."""
        path = path_of(question.path, *places)
        self.drawn.append(path)
        match question.kind:
            case "amount":
                self._amount(question, path)
            case "metric" | "metrics":
                self._metric(question, path)
            case "choice" | "several":
                self._choice(question, path)
            case _:
                self._text(question, path)
        if question.help and places[-1:] in {(), (0,)}:
            st.caption(plain(question.help))
        self.problems(path)

    def group(self, group: Group, *places: int) -> None:
        """A list: its entries, each with the same questions, and a button for one more."""
        path = path_of(group.path, *places)
        self.drawn.append(path)
        count = self.checked.draft.length(path)
        st.markdown(f"**{group.one.capitalize()}s**")
        if group.hint:
            st.caption(plain(group.hint))
        for place in range(count):
            with st.container(border=True):
                self._entry(group, path, place, count, *places)
        for problem in self.checked.at(path):
            if self._is_shown(problem):
                to_mend(problem)
        st.button(
            f"Add {'an' if group.one[0] in 'aeiou' else 'a'} {group.one}",
            key=self.desk.key(path, "add"),
            icon=":material/add:",
            disabled=self.locked or count >= group.most,
            on_click=self.desk.note_entry,
            args=(path, "add", dict(group.first), f"one more {group.one}"),
        )

    def leftovers(self, problems: Sequence[Problem]) -> None:
        """Problems of the step that stand under none of its fields."""
        for problem in problems:
            under = any(problem.path[: len(path)] == path for path in self.drawn)
            if not under and self._is_shown(problem):
                to_mend(problem)

    def problems(self, path: Path) -> None:
        """What is wrong with a field; that it is still open only once its step was left."""
        for problem in self.checked.under(path):
            if self._is_shown(problem):
                to_mend(problem)

    def _entry(self, group: Group, path: Path, place: int, count: int, *places: int) -> None:
        role = " (control)" if group.path == "arms" and place == 0 else ""
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"{group.one.capitalize()} {place + 1}{role}", width="content")
            st.button(
                "Remove",
                key=self.desk.key((*path, place), "remove"),
                disabled=self.locked or count <= group.least,
                help=f"Take {group.one} {place + 1} out",
                on_click=self.desk.note_entry,
                args=(path, "remove", place, f"without {group.one} {place + 1}"),
            )
        for problem in self.checked.at((*path, place)):
            to_mend(problem)
        if group.in_row:
            self._row(group, *places, place)
        else:
            self.items(group.questions, *places, place)

    def _row(self, group: Group, *places: int) -> None:
        """The first questions of an entry side by side, those with a default below."""
        first = [question for question in group.questions if not question.more]
        for column, question in zip(st.columns(len(first)), first, strict=True):
            with column:
                self.question(question, *places)
        self.items([question for question in group.questions if question.more], *places)

    def _text(self, question: Question, path: Path) -> None:
        key = self.desk.key(path)
        value = self.checked.draft.at(path)
        st.session_state.setdefault(key, shown(question.kind, value))
        given: dict[str, Any] = {
            "label": question.label,
            "key": key,
            "disabled": self.locked,
            "on_change": self.desk.note,
            "args": (path, question.kind, key, question.label),
        }
        if question.kind == "flag":
            st.checkbox(**given)
        elif question.prose:
            st.text_area(**given, height=80, placeholder=_example(question))
        else:
            st.text_input(**given, placeholder=_example(question))

    def _choice(self, question: Question, path: Path) -> None:
        key, written = self.desk.key(path), self.checked.draft.at(path)
        several = question.kind == "several"
        options: list[str] = list(question.options)
        default = question.field.default
        words = {name: question.words.get(name, name) for name in question.options}
        if several:
            found: Any = shown(question.kind, written)
            options = list(dict.fromkeys([*options, *found]))
        else:
            found = chosen(question.options, written if written is not None else default)
            if question.path == "stopping.futility.spending" and self.checked.draft.at(path[:-1]) is not None:
                found = found if written is not None else default
            elif question.path == "stopping.futility.spending":
                found, default = None, ""
            if default not in question.options:
                options, found = ["", *options], found or ""
            if written is not None and chosen(question.options, written) is None:
                found = shown(question.kind, written)
                options.append(found)
        st.session_state.setdefault(key, found)
        given: dict[str, Any] = {
            "label": question.label,
            "options": options,
            "key": key,
            "disabled": self.locked,
            "format_func": lambda name: words.get(name, name) or question.blank,
            "on_change": self.desk.note,
            "args": (path, question.kind, key, question.label),
        }
        if several:
            st.multiselect(**given, placeholder="None")
        elif len(options) <= FEW:
            st.radio(**given)
        else:
            st.selectbox(**given)

    def _metric(self, question: Question, path: Path) -> None:
        key, written = self.desk.key(path), self.checked.draft.at(path)
        found = shown(question.kind, written)
        known = verified_first(self.catalogue, self.known)
        named = [metric_at(one, self.catalogue) for one in (found if isinstance(found, list) else [found])]
        extra = [one for one in (found if isinstance(found, list) else [found]) if one and one not in known]
        st.session_state.setdefault(key, found)
        given: dict[str, Any] = {
            "label": question.label,
            "options": [*known, *extra],
            "key": key,
            "disabled": self.locked,
            "format_func": lambda reference: _metric_words(reference, self.catalogue, self.known),
            "on_change": self.desk.note,
            "args": (path, question.kind, key, question.label),
        }
        if question.kind == "metrics":
            st.multiselect(**given, placeholder="Choose metrics of the catalogue")
            return
        st.selectbox(**given, index=None, placeholder="Choose a metric of the catalogue")
        if named[0] is not None:
            marks.facts(about(named[0], self.known))

    def _amount(self, question: Question, path: Path) -> None:
        reference = self.checked.draft.at((*path[:-1], "metric"))
        metric = metric_at(reference, self.catalogue)
        amount = shown_amount(self.checked.draft.at(path), metric)
        # A number of another metric has another unit, so its widgets are others.
        keys = (self.desk.key(path, f"number/{reference}"), self.desk.key(path, f"scale/{reference}"))
        st.session_state.setdefault(keys[0], amount.number)
        st.session_state.setdefault(keys[1], amount.scale)
        number, scale = st.columns([1, 1], vertical_alignment="bottom")
        given: dict[str, Any] = {
            "disabled": self.locked,
            "on_change": self.desk.note_amount,
            "args": (path, keys, metric, question.label),
        }
        number.text_input(question.label, key=keys[0], **given)
        names = scales(metric)
        scale.selectbox(
            f"Unit: {question.label}",
            list(names),
            key=keys[1],
            format_func=lambda one: names[one],
            label_visibility="collapsed",
            **given,
        )

    def _is_asked(self, question: Question, *places: int) -> bool:
        return question.asked(self.checked.draft, path_of(question.path, *places))

    def _is_shown(self, problem: Problem) -> bool:
        """What is wrong is said at once, what is still open once its step was left."""
        return not self.checked.is_open(problem) or self.desk.step in self.desk.left

    def _pointed_at(self, path: Path) -> bool:
        return any(self._is_shown(problem) for problem in self.checked.under(path))


def about(metric: Metric, known: Mapping[str, Verified] | None = None) -> list[tuple[str, str]]:
    """What a metric is, in the catalogue's words, and whether a steward vouches for it where that is known."""
    vouched = [] if known is None else [("Verified", _VOUCHED[standing_of(metric, known)])]
    found = [
        *vouched,
        ("Meaning", metric.meaning or "not said in the catalogue"),
        ("Better", "higher is better" if metric.direction == "higher" else "lower is better"),
        ("Unit", "share of units" if metric.is_binary else metric.unit or "not said in the catalogue"),
    ]
    if metric.baseline is None:
        return [
            *found,
            ("Baseline", "none in the catalogue: give one of your own, or the sample size is unknown"),
        ]
    mean = metric.baseline.mean
    value = f"{shortest(100 * mean)}%" if metric.is_binary else f"{shortest(mean)} {metric.unit}".strip()
    spread = "" if metric.baseline.sd is None else f", standard deviation {shortest(metric.baseline.sd)}"
    return [*found, ("Baseline", f"{value}{spread} ({metric.baseline.source})")]


def verified_first(catalogue: Catalogue, known: Mapping[str, Verified] | None) -> list[str]:
    """The catalogue's metrics, those that a steward vouches for before the others."""
    if known is None:
        return list(catalogue)
    return sorted(catalogue, key=lambda reference: standing_of(catalogue[reference], known) != "verified")


def _metric_words(reference: str, catalogue: Catalogue, known: Mapping[str, Verified] | None) -> str:
    metric = metric_at(reference, catalogue)
    if metric is None:
        return f"{reference} (not in the catalogue)"
    sure = known is not None and standing_of(metric, known) == "verified"
    named = f"✓ {reference}" if sure else reference
    return f"{named}: {metric.meaning}" if metric.meaning else named


def _example(question: Question) -> str | None:
    return f"Example: {question.example}" if question.example else None
