"""Pydantic's errors in our words: path, what was found, what is allowed, the nearest right name."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from experiments.documents import Document
from experiments.problems import Path, Problem, unknown_name


def collect(
    error: ValidationError, model: type[BaseModel], document: Document, at: Path = ()
) -> list[Problem]:
    """Every error of a failed validation, as problems with lines; ``at`` is where ``model`` stands."""
    problems: list[Problem] = []
    seen: set[tuple[Path, str]] = set()
    for detail in error.errors(include_url=False):
        location = _written_path(detail["loc"])
        message = _message(detail, model)
        if (location, message) in seen:
            continue
        seen.add((location, message))
        problems.append(document.problem((*at, *location), message))
    return problems


def _written_path(location: tuple[int | str, ...]) -> Path:
    """Pydantic's location without the tags it adds for unions and validators."""
    return tuple(part for part in location if isinstance(part, int) or ("[" not in part and "(" not in part))


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context, found = detail["type"], detail.get("ctx", {}), detail.get("input")
    if kind == "extra_forbidden":
        owner = _model_at(model, detail["loc"][:-1])
        return unknown_name(detail["loc"][-1], _field_names(owner), "a field here")
    if kind == "missing":
        owner = _model_at(model, detail["loc"][:-1])
        info = owner.model_fields.get(str(detail["loc"][-1])) if owner else None
        what = f": {info.description}" if info is not None and info.description else ""
        return f"is missing{what}"
    if kind == "literal_error":
        allowed = [
            word.strip().strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(",")
        ]
        return unknown_name(found, allowed, "allowed here")
    if kind == "value_error":
        return str(context["error"])
    words = detail["msg"][0].lower() + detail["msg"][1:]
    return f"{found!r} is not allowed; {words}" if _is_scalar(found) else words


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _field_names(model: type[BaseModel] | None) -> list[str]:
    if model is None:
        return []
    return sorted(info.alias or name for name, info in model.model_fields.items())


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int) or current is None:
            continue
        info = next((f for n, f in current.model_fields.items() if part in (n, f.alias)), None)
        if info is None:  # the tag of a union: its name or its discriminator's value
            continue
        models = list(_models_in(info.annotation))
        tags = [str(tag) for tag in location]
        current = next(
            (m for m in models if _tag_of(m) in tags or m.__name__ in tags), models[0] if models else None
        )
    return current


def _tag_of(model: type[BaseModel]) -> str | None:
    for info in model.model_fields.values():
        if get_origin(info.annotation) is not None and str(get_origin(info.annotation)) == "typing.Literal":
            values = get_args(info.annotation)
            if len(values) == 1:
                return str(values[0])
    return None


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, list, tuple, dict) or get_args(annotation):
        for argument in get_args(annotation):
            yield from _models_in(argument)
