"""A second cohort, unit by unit in plain Python: fates, values in each unit's own window, and moments as fractions.

Written from the words of the design (who is out, why, in which order; which rows count), not from the SQL. Times are
whole microseconds; a missing value is None.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

SECOND = 1_000_000


@dataclass(frozen=True)
class Assigned:
    unit: str | None
    arm: str | None
    at: int | None
    delivered: str | None = None
    attribute: str | None = None


@dataclass(frozen=True)
class Exposed:
    unit: str | None
    at: int | None


@dataclass(frozen=True)
class Happened:
    unit: str | None
    event: str
    at: int | None
    value: float | None


@dataclass(frozen=True)
class Rules:
    """What the design says; ``eligible`` takes the attribute."""

    arms: tuple[str, ...]
    several_arms: str = "exclude"
    delivered_differs: str = "keep"
    uses_exposures: bool = False
    has_delivered: bool = False
    eligible: Callable[[str | None], bool] = lambda _: True
    maturity: int = 0  # seconds
    before: int | None = None
    watermark: int | None = None


@dataclass
class Unit:
    """What becomes of one unit."""

    fate: str
    arm: str | None
    exposed: int | None
    rows: list[Assigned] = field(default_factory=list)


def cohort(assigned: Sequence[Assigned], exposed: Sequence[Exposed], rules: Rules) -> dict[str, Unit]:
    """The fate of every unit of the assignment log."""

    def read(at: int | None) -> bool:
        return at is None or rules.watermark is None or at < rules.watermark

    rows_of: dict[str, list[Assigned]] = defaultdict(list)
    for row in assigned:
        if row.unit is not None and read(row.at):
            rows_of[row.unit].append(row)
    first_exposure: dict[str, int] = {}
    for seen in exposed:
        if seen.unit is not None and seen.at is not None and read(seen.at):
            first_exposure[seen.unit] = min(seen.at, first_exposure.get(seen.unit, seen.at))
    return {unit: _unit(unit, rows, first_exposure, rules) for unit, rows in rows_of.items()}


def _unit(unit: str, rows: list[Assigned], first_exposure: dict[str, int], rules: Rules) -> Unit:
    good = [row for row in rows if row.arm in rules.arms and row.at is not None]
    if not good:
        foreign = any(row.arm is not None and row.arm not in rules.arms for row in rows)
        return Unit("unknown" if foreign else "broken", None, None, rows)

    def order(row: Assigned) -> tuple[int, int]:
        return row.at or 0, rules.arms.index(row.arm or "")

    first = min(good, key=order)
    arm, came = first.arm, first.at
    several = len({row.arm for row in good}) > 1
    if several and rules.several_arms == "exclude":
        return Unit("several", arm, None, rows)
    if several and rules.several_arms == "delivered arm":
        agreeing = [row for row in good if row.delivered == row.arm]
        if len({row.arm for row in agreeing}) != 1:
            fallback = min(agreeing, key=order).arm if agreeing else arm
            return Unit("several", fallback, None, rows)
        arm, came = min(agreeing, key=order).arm, min(row.at or 0 for row in agreeing)
    if (
        rules.has_delivered
        and rules.delivered_differs == "exclude"
        and any(row.delivered != row.arm for row in good)
    ):
        return Unit("differs", arm, None, rows)
    exposed = came
    if rules.uses_exposures:
        if unit not in first_exposure:
            return Unit("not exposed", arm, None, rows)
        exposed = first_exposure[unit]
    attribute = _first_attribute(rows)
    if not rules.eligible(attribute):
        return Unit("not eligible", arm, exposed, rows)
    if rules.before is not None and (exposed or 0) >= rules.before:
        return Unit("after", arm, exposed, rows)
    if rules.watermark is not None and (exposed or 0) + rules.maturity * SECOND > rules.watermark:
        return Unit("immature", arm, exposed, rows)
    return Unit("analysed", arm, exposed, rows)


def _first_attribute(rows: list[Assigned]) -> str | None:
    """Of the earliest row; a row without a time comes last, and of two at once the smaller value, none last."""
    far = 1 << 62
    first = min(
        rows, key=lambda row: (far if row.at is None else row.at, row.attribute is None, row.attribute or "")
    )
    return first.attribute


def fates(units: dict[str, Unit]) -> Counter[tuple[str | None, str]]:
    return Counter((unit.arm, unit.fate) for unit in units.values())


def rows_in(
    outcomes: Iterable[Happened], unit: str, event: str, exposed: int, start: int, end: int
) -> list[float | None]:
    """Values of a unit's rows of an event, ``start`` to ``end`` seconds after exposure, the end left out."""
    return [
        row.value
        for row in outcomes
        if row.unit == unit
        and row.event == event
        and row.at is not None
        and exposed + start * SECOND <= row.at < exposed + end * SECOND
    ]


def value_of(kind: str, values: list[float | None], *, no_events: str, null_values: str) -> Fraction | None:
    """A unit's value of a metric from its rows in the window; numbers as the decimal text they print as."""
    if null_values == "missing" and None in values:
        return None
    if not values:
        return Fraction(0) if no_events == "zero" else None
    if kind in {"count", "conversion", "retention"}:
        return Fraction(len(values)) if kind == "count" else Fraction(1)
    if null_values == "zero":
        values = [value or 0.0 for value in values]
    numbers = [Fraction(str(value)) for value in values if value is not None]
    if not numbers:
        return None
    if kind == "proportion":
        return Fraction(int(any(number > 0 for number in numbers)))
    return sum(numbers, Fraction(0)) / (len(numbers) if kind == "mean" else 1)


@dataclass(frozen=True)
class ExactMoments:
    n: int
    mean: Fraction
    m2: Fraction


def moments(values: Iterable[Fraction | None]) -> ExactMoments:
    """Count, mean and centred sum of squares by the textbook's two passes, in fractions."""
    known = [value for value in values if value is not None]
    if not known:
        return ExactMoments(0, Fraction(0), Fraction(0))
    mean = sum(known, Fraction(0)) / len(known)
    return ExactMoments(len(known), mean, sum(((value - mean) ** 2 for value in known), Fraction(0)))
