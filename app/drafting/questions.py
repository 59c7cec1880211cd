"""What the form asks: nine steps, one question at a time, everything that has a default behind "more".

A question is a field of a design file; what it may hold, its default and its help line are read from the model itself
(``app.fields``), so that form, file and documentation say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from app.drafting.text import DraftText
from app.fields import Field, fields_of
from experiments.designs.written import WrittenDesign
from experiments.forms.problems import Path

Kind = Literal[
    "line", "prose", "choice", "flag", "lines", "several", "metric", "metrics", "amount", "number", "rate", "count",
    "share", "duration", "rates", "durations", "value", "values",
]  # fmt: skip

When = Callable[[DraftText, Path], bool]
"""Whether a question is asked of this draft; the path is the question's own."""


@dataclass(frozen=True, slots=True)
class Question:
    """One field of the design.

    Attributes:
        path: as in the file; ``[]`` stands for an entry of a list.
        label: what is asked.
        more: whether it stands behind "more", since it has a default.
        example: what an answer could be, shown where none is.
        words: how the alternatives of a choice are put.
        when: None where it is always asked. A field that is written is shown all the same.
        prose: whether an answer is a sentence or more.
        hint: the help line, instead of the field's own description; empty where the label says it all.
        blank: what an empty choice means.
    """

    path: str
    label: str
    more: bool = False
    example: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    when: When | None = None
    prose: bool = False
    hint: str | None = None
    blank: str = "Default"

    @property
    def field(self) -> Field:
        return _fields()[self.path]

    @property
    def kind(self) -> Kind:
        if self.prose:
            return "prose"
        allowed = self.field.allowed
        if self.path.endswith((".mde", ".margin")):
            return "amount"
        if allowed in _KINDS:
            return _KINDS[allowed]
        return "several" if allowed.startswith("list of ") else "choice"

    @property
    def options(self) -> tuple[str, ...]:
        """The alternatives of a choice, as they are written."""
        return tuple(self.field.allowed.removeprefix("list of ").split(", "))

    @property
    def help(self) -> str:
        """What the field is for, and what holds where it is left empty."""
        if self.hint is not None:
            return self.hint
        said = self.field.meaning.removesuffix("; not part of the hash")
        said = said[:1].upper() + said[1:]
        default = self.field.default
        if default not in ("", "required") and "efault" not in said and self.kind != "choice":
            said += f". Default: {default}"
        return said if said.endswith(".") else f"{said}."

    @property
    def required(self) -> bool:
        return self.field.default == "required"

    def asked(self, draft: DraftText, path: Path) -> bool:
        return self.when is None or self.when(draft, path) or draft.at(path) is not None


@dataclass(frozen=True, slots=True)
class Group:
    """A list of entries, each with the same questions.

    Attributes:
        one: what an entry is called.
        first: what an entry begins with.
        most, least: entries allowed.
        in_row: whether the questions of an entry stand side by side.
    """

    path: str
    one: str
    questions: tuple[Question, ...]
    first: Mapping[str, Any] = field(default_factory=dict)
    most: int = 10
    more: bool = False
    hint: str = ""
    least: int = 0
    in_row: bool = False


Item = Question | Group


@dataclass(frozen=True, slots=True)
class Step:
    """One page of the form.

    Attributes:
        asks: the question of the whole step, in a sentence.
    """

    number: int
    title: str
    asks: str
    items: tuple[Item, ...]

    def questions(self) -> Iterator[Question]:
        for item in self.items:
            yield from (item,) if isinstance(item, Question) else item.questions


def path_of(pattern: str, *places: int) -> Path:
    """``guardrails[].margin`` of entry 2 as ``("guardrails", 2, "margin")``."""
    found: list[str | int] = []
    left = list(places)
    for part in pattern.split("."):
        found.append(part.removesuffix("[]"))
        if part.endswith("[]"):
            found.append(left.pop(0))
    return tuple(found)


def pattern_of(path: Path) -> str:
    """The path without the places in lists: ``guardrails[].margin``."""
    text = ""
    for part in path:
        text += "[]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


@cache
def _fields() -> dict[str, Field]:
    return {one.path: one for one in fields_of(WrittenDesign)}


_KINDS: Mapping[str, Kind] = {
    "text": "line",
    "name": "line",
    "time": "line",
    "duration": "duration",
    "share": "share",
    "number or %": "rate",
    "number": "number",
    "whole number": "count",
    "metric": "metric",
    "list of metric": "metrics",
    "true or false": "flag",
    "list of text": "lines",
    "list of number or %": "rates",
    "list of duration": "durations",
    "text or number or true or false": "value",
    "list of text or number": "values",
}


def is_written(draft: DraftText, pattern: str) -> bool:
    return draft.at(path_of(pattern)) is not None


def non_inferiority(draft: DraftText, _: Path = ()) -> bool:
    return bool(draft.at(("purpose",)) == "non-inferiority")


def superiority(draft: DraftText, _: Path = ()) -> bool:
    return not non_inferiority(draft)


def several_looks(draft: DraftText, _: Path = ()) -> bool:
    return bool(draft.at(("stopping", "rule")) == "group-sequential")


def always_valid(draft: DraftText, _: Path = ()) -> bool:
    return bool(draft.at(("stopping", "rule")) == "always-valid")


def futile(draft: DraftText, _: Path = ()) -> bool:
    return several_looks(draft) and draft.at(("stopping", "futility")) is not None


def several_treatments(draft: DraftText, _: Path = ()) -> bool:
    return draft.length(("arms",)) > 2


def without_guardrails(draft: DraftText, _: Path = ()) -> bool:
    return draft.length(("guardrails",)) == 0


def harm_stop(draft: DraftText, path: Path) -> bool:
    return bool(draft.at((*path[:-1], "role")) == "harm-stop")


def one_sided(draft: DraftText, _: Path = ()) -> bool:
    return superiority(draft) and draft.at(("primary", "sides")) == 1
