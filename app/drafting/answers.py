"""How an answer is written in a form, and how what was typed stands in the file.

What cannot be read stays as it was typed: the one check of a design says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from app.drafting.questions import Kind
from experiments.designs.metrics import Metric

_LIST = frozenset({"lines", "several", "metrics", "rates", "durations", "values"})
_PICKED = frozenset({"several", "metrics"})


def shown(kind: Kind, value: Any) -> Any:
    """A written value as the form shows it: text, a choice, a list of choices, or a tick."""
    if kind == "flag":
        return value is True
    if kind in _PICKED:
        return [_text(item) for item in value] if isinstance(value, list) else []
    if kind == "choice":
        return None if value is None else _text(value)
    if kind == "metric":
        return None if value is None else _text(value)
    if kind in _LIST:
        return ", ".join(_item(kind, item) for item in value) if isinstance(value, list) else _text(value)
    if kind == "value":
        return _item(kind, value)
    return _text(value)


def typed(kind: Kind, raw: Any) -> Any:
    """What was typed, as it is written in the file; None where the field is left out."""
    if kind == "flag":
        return True if raw else None
    if kind in _PICKED:
        return list(raw) or None
    if raw is None:
        return None
    text = str(raw).strip()
    if not text:
        return None
    if kind in _LIST:
        items = [item.strip() for item in re.split(r"[,\n]", text) if item.strip()]
        return [_read(kind, item) for item in items] or None
    return _read(kind, text)


@dataclass(frozen=True, slots=True)
class Amount:
    """An effect or margin as people type it: 1.5 percentage points, 20 ms, 5% of control.

    Attributes:
        number: as typed.
        scale: in the metric's own unit, or as a share of control.
    """

    number: str
    scale: Literal["absolute", "relative"]


def shown_amount(value: Any, metric: Metric | None) -> Amount:
    """A written amount as the form shows it; of a yes/no metric in percentage points."""
    if isinstance(value, Mapping):
        scale: Literal["absolute", "relative"] = "relative" if "relative" in value else "absolute"
        number = value.get(scale)
    else:
        scale, number = "absolute", value
    if scale == "relative" or (metric is not None and metric.is_binary):
        return Amount(_times_hundred(number), scale)
    return Amount(_text(number), scale)


def typed_amount(amount: Amount, metric: Metric | None) -> Any:
    """What was typed, as it is written in the file; None where nothing was."""
    text = amount.number.strip().removesuffix("%").strip()
    if not text:
        return None
    hundredths = amount.scale == "relative" or (metric is not None and metric.is_binary)
    number = _decimal(text)
    if number is None:
        return {amount.scale: amount.number.strip()}
    return {amount.scale: _plain(number / 100 if hundredths else number)}


def scales(metric: Metric | None) -> dict[Literal["absolute", "relative"], str]:
    """What the two scales of an amount are called for a metric."""
    if metric is None:
        own = "in the metric's own unit"
    else:
        own = "percentage points" if metric.is_binary else metric.unit or "in the metric's own unit"
    return {"absolute": own, "relative": "% of control"}


def chosen(options: Sequence[str], written: Any) -> Any:
    """The option that stands for a written value of a choice; numbers are options too."""
    return next((option for option in options if option == _text(written)), None)


def _read(kind: Kind, text: str) -> Any:
    if kind in {"number", "count", "rate", "rates", "share"}:
        number = _decimal(text)
        return text if number is None else _plain(number)
    if kind == "choice" and text.isdigit():
        return int(text)
    if kind in {"value", "values"}:
        return _value(text)
    return text


def _value(text: str) -> Any:
    """A value of an attribute: quotes keep a number text."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text in {"true", "false"}:
        return text == "true"
    number = _decimal(text)
    return text if number is None else _plain(number)


def _item(kind: Kind, value: Any) -> str:
    """An item of a list, or a value of an attribute; text that would be read as something else is quoted."""
    if kind in {"value", "values"} and isinstance(value, str) and _value(value) != value:
        return f'"{value}"'
    return _text(value)


def _decimal(text: str) -> Decimal | None:
    if not re.fullmatch(r"[+-]?(?:\d[\d \u202f\u00a0]*)?(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", text):
        return None
    try:
        return Decimal(re.sub(r"[ \u202f\u00a0]", "", text))
    except InvalidOperation:
        return None


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _times_hundred(value: Any) -> str:
    if isinstance(value, str):
        text = value.strip()
        if text.endswith("%"):
            return text.removesuffix("%").strip()
        number = _decimal(text)
        return text if number is None else _short(number * 100)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _text(value)
    return _short(Decimal(str(value)) * 100)


def _short(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _short(Decimal(str(value)))
    return str(value)
