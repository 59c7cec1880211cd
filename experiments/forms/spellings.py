"""Values as people write them, each with one meaning however it is spelled: ``0.5``, ``50%`` and ``1/2`` are one share."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
REFERENCE = re.compile(r"([a-z][a-z0-9_]{0,62})(?:@([1-9][0-9]{0,8}))?")
_RATE = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?(?:\s*%|\s*/\s*[1-9][0-9]{0,17})?")


class Frozen(BaseModel):
    """A written value: no unknown fields, no changes, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _fraction(value: Any, example: str) -> Fraction:
    """A decimal is taken as written, so that thirds need ``1/3``."""
    if isinstance(value, Fraction):
        return value
    text = "" if isinstance(value, bool) or not isinstance(value, int | float | str) else str(value).strip()
    if _RATE.fullmatch(text) is None:
        raise ValueError(f"{shown(value)} is not allowed; write it like {example}")
    return Fraction(text[:-1].strip()) / 100 if text.endswith("%") else Fraction(text.replace(" ", ""))


def _share(value: Any) -> Fraction:
    return _fraction(value, "0.5, 50% or 1/2")


def _rate(value: Any) -> float:
    return float(_fraction(value, "0.05, 5% or 1/20"))


def _number(value: Any) -> Any:
    """Text is refused: ``2%`` of what would be a guess, and a quoted number is a slip."""
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        raise PydanticCustomError("float_type", "give a number")
    if not math.isfinite(value):
        raise PydanticCustomError("finite_number", "give a finite number")
    return float(value)


def _count(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise PydanticCustomError("int_type", "give a whole number")
    return int(value)


def _name(value: Any) -> Any:
    if isinstance(value, str) and not NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not allowed; use small letters, digits and _, starting with a letter, at most 63"
        )
    return value


def _reference(value: Any) -> Any:
    if not isinstance(value, str) or REFERENCE.fullmatch(value) is None:
        raise ValueError(
            f"{shown(value)} is not a metric reference; write name or name@version, for example revenue@2"
        )
    return value


def _moment(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _one_line(value: str) -> str:
    """White space and the way an accent is encoded are no part of what is said."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", value)).strip()


def shown(value: Any) -> str:
    """A written value as a message shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(value)]
    if isinstance(value, dict):
        return "a group of fields"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value) if isinstance(value, str) else str(value)


Share = Annotated[Fraction, BeforeValidator(_share), PlainSerializer(str, return_type=str)]
"""Kept exactly."""
Rate = Annotated[float, BeforeValidator(_rate)]
"""A level, probability or share that need not be kept exactly."""
Number = Annotated[float, BeforeValidator(_number)]
Count = Annotated[int, BeforeValidator(_count)]
Name = Annotated[str, BeforeValidator(_name)]
MetricReference = Annotated[str, BeforeValidator(_reference)]
Moment = Annotated[datetime, AfterValidator(_moment)]
Prose = Annotated[str, AfterValidator(_one_line)]
Column = Annotated[str, Field(min_length=1, max_length=200)]
