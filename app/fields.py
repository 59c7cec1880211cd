"""Every field of a design file: what may be written, its default, what it means; read from the model itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from experiments.designs.written import ADMINISTRATIVE
from experiments.forms.durations import Duration, written
from experiments.forms.spellings import Count, MetricReference, Moment, Name, Number, Rate, Share

_WORDS: tuple[tuple[Any, str], ...] = (
    (Duration, "duration"),
    (Share, "share"),
    (Rate, "number or %"),
    (Number, "number"),
    (Count, "whole number"),
    (MetricReference, "metric"),
    (Name, "name"),
    (Moment, "time"),
    (float, "number"),
    (int, "whole number"),
    (bool, "true or false"),
    (str, "text"),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field, by its path in the file; ``[]`` stands for the entries of a list."""

    path: str
    allowed: str
    default: str
    meaning: str


def fields_of(model: type[BaseModel], under: str = "") -> Iterator[Field]:
    """The fields of a written model in their order, those of the models inside it in their place."""
    hints = get_type_hints(model, include_extras=True)
    for name, info in model.model_fields.items():
        path = f"{under}{info.alias or name}"
        inner = _models(hints[name])
        if not inner or info.description or info.is_required():
            meaning = info.description or ""
            if not under and name in ADMINISTRATIVE:
                meaning += "; not part of the hash"
            yield Field(path, _allowed(hints[name]), _default(hints[name], info), meaning)
        several = "[]" if _is_list(hints[name]) else ""
        for each in inner:
            yield from fields_of(each, f"{path}{several}.")


def _models(hint: Any) -> tuple[type[BaseModel], ...]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return (hint,)
    return tuple(model for inner in get_args(hint) for model in _models(inner))


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is tuple or any(get_origin(inner) is tuple for inner in get_args(hint))


def _allowed(hint: Any) -> str:
    for known, word in _WORDS:
        if hint == known:
            return word
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(map(str, inner))
    if origin is Annotated:
        return _allowed(inner[0])
    if origin is tuple:
        return f"list of {_allowed(inner[0])}"
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_allowed(one) for one in inner if one is not type(None)))
    return "fields"


def _default(hint: Any, info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default = info.get_default(call_default_factory=True)
    if default in (None, (), ""):
        return ""
    if isinstance(default, int) and not isinstance(default, bool) and "duration" in _allowed(hint):
        return written(default) if default else "0"
    if isinstance(default, BaseModel):
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)
