"""What can be read of a document that has errors, so that the meaning of the rest is checked all the same.

A draft looks like the model it was written for. Touching a field that could not be read raises ``Unreadable``, which
ends the one check that needed it and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from experiments.forms.validation import model_of

Model = TypeVar("Model", bound=BaseModel)
Item = TypeVar("Item")


class Unreadable(Exception):  # noqa: N818 - never reaches a person
    """A check needs something that has a problem of its own."""


def as_far_as_readable(items: Iterable[Item]) -> Iterator[Item]:
    """The items up to the first that needs something unreadable."""
    with suppress(Unreadable):
        yield from items


def draft_of(model: type[Model], written: Any) -> Model:
    """The model itself where all is right, else a draft of what can be read."""
    try:
        return model.model_validate(written)
    except ValidationError:
        return cast(Model, _Draft(model, _readable_fields(model, written)))


class _Draft:
    def __init__(self, model: type[BaseModel], fields: dict[str, Any]) -> None:
        self._model, self._fields = model, fields

    def __getattr__(self, name: str) -> Any:
        if name in self._fields:
            return self._fields[name]
        found = self._model.__dict__.get(name)
        if isinstance(found, property) and found.fget is not None:
            return found.fget(self)
        if name in self._model.model_fields:
            raise Unreadable(name)
        raise AttributeError(name)


class _Hole:
    """An item of a list that is one value and could not be read: it can be counted, and nothing else."""

    def _touch(self, *_: object) -> Any:
        raise Unreadable

    __eq__ = __hash__ = __str__ = __format__ = __lt__ = _touch


def _readable_fields(model: type[BaseModel], written: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items() if isinstance(written, Mapping) else ():
        key = info.alias or name
        with suppress(Unreadable):
            if key in written:
                fields[name] = _readable(info, written[key])
            elif not info.is_required():
                fields[name] = info.get_default(call_default_factory=True)
    return fields


def _readable(info: FieldInfo, written: Any) -> Any:
    annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return _value(annotation, written)


def _value(annotation: Any, written: Any) -> Any:
    try:
        return TypeAdapter(annotation).validate_python(written)
    except ValidationError as error:
        of_the_whole = any(not detail["loc"] for detail in error.errors(include_url=False))
    items = next((kind for kind in _parts(annotation) if get_origin(kind) is tuple), None)
    if items is not None:
        if not isinstance(written, list | tuple):
            raise Unreadable
        return tuple(_item(get_args(items)[0], item) for item in written)
    model = model_of(annotation, written)
    if model is None or of_the_whole:  # every field may be right, and what they say together is not
        raise Unreadable
    return _Draft(model, _readable_fields(model, written))


def _item(annotation: Any, written: Any) -> Any:
    try:
        return _value(annotation, written)
    except Unreadable:
        model = model_of(annotation, written)
        return _Hole() if model is None else _Draft(model, {})


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation without ``Annotated``, and the alternatives of a union."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    yield annotation
    if get_origin(annotation) is not tuple:
        for argument in get_args(annotation):
            yield from _parts(argument)
