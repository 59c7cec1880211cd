"""Pydantic's errors in our words: path, what was found, what is allowed, the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from experiments.forms.documents import Document
from experiments.forms.durations import written as written_duration
from experiments.forms.problems import Path, Problem, unknown_name
from experiments.forms.spellings import shown

Finding = tuple[Path, str]
"""A problem that knows its path and not yet its line."""


class Findings(ValueError):  # noqa: N818 - carries several problems, like Invalid
    """Everything that is wrong with one value, each thing at its own path below it."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        super().__init__("; ".join(message for _, message in findings))


def collect(
    error: ValidationError, model: type[BaseModel], document: Document, at: Path = ()
) -> list[Problem]:
    """Every error of a failed validation, as problems with lines; ``at`` is where ``model`` stands."""
    body = value_at(document.body, at)
    found: dict[Finding, None] = {}
    alternatives: dict[Path, list[str]] = {}
    for detail in error.errors(include_url=False):
        path = _written_path(detail, body)
        reason = detail.get("ctx", {}).get("error")
        if detail["type"] == "too_short" and len(value_at(body, path)) >= detail["ctx"]["min_length"]:
            continue  # there are enough, and those that are wrong have been reported
        if isinstance(reason, Findings):
            found.update(dict.fromkeys(((*path, *below), message) for below, message in reason.findings))
        elif detail["type"] in _KINDS:  # several at one path are the alternatives of a union
            alternatives.setdefault(path, []).append(_KINDS[detail["type"]])
        else:
            found[path, _message(detail, path, model, body)] = None
    places = {path for path, _ in found} | alternatives.keys()
    for path, kinds in alternatives.items():
        if not any(
            _below(path, place) for place in places
        ):  # there the alternative meant has its own problem
            found[path, _wrong_kind(path, kinds, model, body)] = None
    return [document.problem((*at, *path), message) for path, message in found]


def value_at(body: Any, path: Path) -> Any:
    """What was written at a path; None where nothing was."""
    for part in path:
        if isinstance(part, int) and isinstance(body, list | tuple) and part < len(body):
            body = body[part]
        elif isinstance(body, Mapping) and part in body:
            body = body[str(part)]
        else:
            return None
    return body


def _written_path(detail: ErrorDetails, body: Any) -> Path:
    """Pydantic's location without the tags it puts in for unions: only what was written, or is missing."""
    path: Path = ()
    *above, last = detail["loc"] or (None,)
    for part in above:
        path = _step(path, part, body)
    if detail["type"] == "missing" and last is not None:
        return (*path, last)
    path = _step(path, last, body)
    if detail["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        path = (*path, detail["ctx"]["discriminator"].strip("'"))
    return path


def _step(path: Path, part: str | int | None, body: Any) -> Path:
    here = value_at(body, path)
    if isinstance(part, int):
        return (*path, part) if isinstance(here, list | tuple) and part < len(here) else path
    return (*path, part) if part is not None and isinstance(here, Mapping) and part in here else path


def _below(path: Path, place: Path) -> bool:
    return len(place) > len(path) and place[: len(path)] == path


def _message(detail: ErrorDetails, path: Path, model: type[BaseModel], body: Any) -> str:
    kind, context, found = detail["type"], detail.get("ctx", {}), value_at(body, path)
    if kind == "extra_forbidden":
        return unknown_name(path[-1], _field_names(_model_at(model, path[:-1], body)), "a field here")
    if kind == "missing":
        return f"is missing{_meaning(model, path, body)}"
    if kind == "literal_error":
        return unknown_name(found, _words(context["expected"]), "allowed here")
    if kind == "union_tag_invalid":
        return unknown_name(found, _words(context["expected_tags"]), "allowed here")
    if kind == "union_tag_not_found":
        return "is missing: it says which fields belong here"
    if kind == "value_error":
        return str(context["error"])
    if kind in _LIMITS:
        before, name, counted = _LIMITS[kind]
        limit = _limit(context[name], found)
        if counted:
            limit = f"{limit} {counted[limit != '1']}"
        length = f"a list of {len(found)}" if isinstance(found, list) else shown(found)
        return f"{length} is not allowed; give {before} {limit}{_meaning(model, path, body)}"
    words = detail["msg"][0].lower() + detail["msg"][1:]
    return f"{shown(found)} is not allowed; {words}{_meaning(model, path, body)}"


_CHARACTERS = ("character", "characters")
_ENTRIES = ("entry", "entries")
_LIMITS: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "greater_than": ("more than", "gt", None),
    "greater_than_equal": ("at least", "ge", None),
    "less_than": ("less than", "lt", None),
    "less_than_equal": ("at most", "le", None),
    "string_too_short": ("at least", "min_length", _CHARACTERS),
    "string_too_long": ("at most", "max_length", _CHARACTERS),
    "too_short": ("at least", "min_length", _ENTRIES),
    "too_long": ("at most", "max_length", _ENTRIES),
}
"""What each limit of pydantic's allows, where its context holds it, and what it counts."""

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "dict_type": "a group of fields",
    "model_type": "a group of fields",
    "model_attributes_type": "a group of fields",
    "datetime_type": "a moment, for example 2026-11-03T10:00:00Z",
    "datetime_parsing": "a moment, for example 2026-11-03T10:00:00Z",
    "datetime_from_date_parsing": "a moment, for example 2026-11-03T10:00:00Z",
}
"""What a value of each of pydantic's types is called here."""


def _wrong_kind(path: Path, kinds: list[str], model: type[BaseModel], body: Any) -> str:
    expected = list(dict.fromkeys(kinds))
    if expected == ["a group of fields"]:
        names = ", ".join(_field_names(_model_at(model, path, body)))
        expected = [f"a group of fields ({names})" if names else expected[0]]
    found = value_at(body, path)
    what = "is empty" if found is None else f"{shown(found)} is not allowed"
    quotes = ", in quotes" if expected == ["text"] and isinstance(found, int | float) else ""
    return f"{what}; give {' or '.join(expected)}{quotes}{_meaning(model, path, body)}"


def _limit(limit: Any, found: Any) -> str:
    """A duration was written with a unit, so its limit has one."""
    if isinstance(limit, int) and isinstance(found, str) and re.search(r"[smhdw]$", found.strip()):
        return written_duration(limit)
    return f"{limit:g}"


def _meaning(model: type[BaseModel], path: Path, body: Any) -> str:
    """What the field is for, to go behind a message."""
    fields = [part for part in path if isinstance(part, str)]
    if not fields or isinstance(path[-1], int):
        return ""
    info = _field(_model_at(model, path[:-1], body), fields[-1])
    return f" ({info.description})" if info is not None and info.description else ""


def _words(expected: str) -> list[str]:
    """The alternatives that pydantic lists: ``'a', 'b' or 'c'``; numbers have no quotes."""
    return re.findall(r"'([^']*)'", expected) or re.findall(r"[0-9.]+", expected)


def _field_names(model: type[BaseModel] | None) -> list[str]:
    if model is None:
        return []
    return sorted(info.alias or name for name, info in model.model_fields.items())


def _field(model: type[BaseModel] | None, written: str | int) -> FieldInfo | None:
    fields = {} if model is None else model.model_fields
    return next((info for name, info in fields.items() if written == (info.alias or name)), None)


def _model_at(model: type[BaseModel], path: Path, body: Any) -> type[BaseModel] | None:
    """The model that reads the value at a path."""
    current: type[BaseModel] | None = model
    annotation: Any = model
    for length, part in enumerate(path, start=1):
        if not isinstance(part, int):  # an item of a list has the annotation of the list
            info = _field(current, part)
            annotation = None if info is None else info.annotation
        current = model_of(annotation, value_at(body, path[:length]))
    return current


def model_of(annotation: Any, written: Any) -> type[BaseModel] | None:
    """The model within an annotation; of several, the one whose tag (a field with one allowed word) was written."""
    models = list(_models_in(annotation))
    for model in models if isinstance(written, Mapping) else ():
        for name, info in model.model_fields.items():
            if get_origin(info.annotation) is Literal and get_args(info.annotation) == (written.get(name),):
                return model
    return models[0] if models else None


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
