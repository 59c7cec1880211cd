"""How numbers, intervals and times are written: one rule for pages, files and the terminal.

A number is written in the unit people read (percentage points for yes/no metrics), with as many decimals as its
interval deserves, and never so that rounding moves a bound onto zero or onto a margin it does not touch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from experiments.readouts.readout import Comparison, Interval

MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"
NOTHING = "\N{EN DASH}"
"""What stands in a table where there is nothing to say; a number that is missing says why instead."""

BINARY = frozenset({"proportion", "conversion", "retention"})
POINTS = "percentage points"
"""The unit of a share that is no metric of a catalogue: of a shadow's requests."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_LEVELS = (0.001, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 1.0)
_EXTRA_DECIMALS = 4
_SAME = 1e-9


def count(number: int) -> str:
    """``27104`` as 27 104, with a thin space that does not break."""
    return _grouped(f"{number:,d}")


def decimal(number: float, decimals: int) -> str:
    """A number with fixed decimals, thin-space thousands and a true minus sign."""
    return _grouped(f"{number or 0.0:,.{decimals}f}")


def signed(number: float, decimals: int) -> str:
    """As ``decimal``, with a plus sign; exactly zero has none."""
    return ("+" if number > 0 else "") + decimal(number, decimals)


def shortest(number: float) -> str:
    """A declared number as it was written: 0.25 stays 0.25, 20.0 is 20."""
    return _grouped(format(Decimal(f"{number:.12g}"), ",f"))


def significant(number: float, digits: int = 4) -> str:
    """A number to so many significant digits, whole digits always kept."""
    return decimal(number, _decimals_of(number, digits))


def share(fraction: float) -> str:
    """A share of units: 0.5 is 50%, 1/3 is 33.33%."""
    return decimal(100 * fraction, 2).rstrip("0").rstrip(".") + "%"


def p_value(p: float | None) -> str:
    """Four decimals (0.0031), more where rounding would land on a usual level it is not; < 0.0001 below that."""
    if p is None:
        return NOTHING
    if p < 0.0001:
        return "< 0.0001"
    if 0.9999 < p < 1:
        return "> 0.9999"
    decimals = 4
    while decimals < 8 and any(p != level and round(p, decimals) == level for level in _LEVELS):
        decimals += 1
    return "1" if p == 1 else f"{p:.{decimals}f}"


def p_clause(p: float) -> str:
    """``p = 0.0031`` or ``p < 0.0001``."""
    written = p_value(p)
    return f"p {written}" if written[0] in "<>" else f"p = {written}"


def level(confidence: float) -> str:
    """0.95 is 95%; a level spent over looks or treatments keeps its decimals."""
    return f"{100 * confidence:.6g}%"


def instant(moment: datetime | None) -> str:
    """30 Nov 2026, 23:59 UTC."""
    if moment is None:
        return NOTHING
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{utc.day} {MONTHS[utc.month - 1]} {utc.year}, {utc.hour:02d}:{utc.minute:02d} UTC"


def short_hash(sha256: str) -> str:
    return sha256[:12]


@dataclass(frozen=True, slots=True)
class Quantity:
    """How the numbers of one metric are written: the factor into the unit people read, the unit and the decimals.

    Attributes:
        factor: what a number of the readout is multiplied with: 100 for shares and relative effects.
        unit: what follows an effect: "pp", "%", "ms".
        decimals: of effects and their bounds.
        value_factor, value_unit, value_decimals: the same for what one arm shows.
    """

    factor: float
    unit: str
    decimals: int
    value_factor: float
    value_unit: str
    value_decimals: int

    @classmethod
    def of(cls, comparisons: Sequence[Comparison]) -> Quantity:
        """One way of writing for comparisons of one metric on one scale, so that a column has the same decimals.

        Raises:
            ValueError: there is none, or they differ in metric type, unit or scale.
        """
        kinds = {(c.type in BINARY or c.unit == POINTS, c.unit, c.scale) for c in comparisons}
        if len(kinds) != 1:
            raise ValueError(f"comparisons: {sorted(kinds)} is not allowed; give one metric on one scale")
        binary, written_unit, scale = kinds.pop()
        factor = 100.0 if binary or scale == "relative" else 1.0
        decimals = _effect_decimals(comparisons, factor)
        unit = "%" if scale == "relative" else "pp" if binary else written_unit
        value_factor = 100.0 if binary else 1.0
        value_decimals = decimals if scale == "absolute" else _value_decimals(comparisons, value_factor)
        if not any(c.estimate is not None for c in comparisons):
            value_decimals = _value_decimals(comparisons, value_factor)
        return cls(factor, unit, decimals, value_factor, "%" if binary else written_unit, value_decimals)

    @property
    def unit_words(self) -> str:
        return {"pp": "percentage points", "%": "percent of control"}.get(self.unit, self.unit)

    def shown(self, number: float) -> float:
        """The number in the unit people read."""
        return self.factor * number

    def value(self, number: float | None) -> str:
        """What an arm shows: 20.16%, 812.4 ms."""
        if number is None:
            return NOTHING
        return _with_unit(decimal(self.value_factor * number, self.value_decimals), self.value_unit)

    def effect(self, number: float) -> str:
        """+1.14 pp, −6.0 ms."""
        return _with_unit(self.bound(number), self.unit)

    def bound(self, number: float) -> str:
        """An effect without its unit."""
        return signed(self.shown(number), self.decimals)

    def size(self, number: float) -> str:
        """How large an effect is, without its sign."""
        return _with_unit(decimal(abs(self.shown(number)), self.decimals), self.unit)

    def declared(self, number: float) -> str:
        """A margin or planned effect as it was declared, not rounded."""
        return _with_unit(shortest(self.shown(number)), self.unit)

    def declared_effect(self, number: float) -> str:
        """A declared number that has a side: +20 ms."""
        return ("+" if number > 0 else "") + self.declared(number)

    def bounds(self, interval: Interval | None) -> str:
        """+0.18 to +2.11, to stand beside an estimate with its unit; a side without a bound says so."""
        if interval is None:
            return NOTHING
        low, high = finite(interval.low), finite(interval.high)
        if low is not None and high is not None:
            return f"{self.bound(low)} to {self.bound(high)}"
        if low is not None:
            return f"{self.bound(low)} or more"
        return NOTHING if high is None else f"{self.bound(high)} or less"

    def with_interval(self, estimate: float, interval: Interval | None) -> str:
        """+1.14 pp (95% CI +0.18 to +2.11)."""
        if interval is None:
            return self.effect(estimate)
        return f"{self.effect(estimate)} ({level(interval.level)} CI {self.bounds(interval)})"


def quantities(comparisons: Sequence[Comparison]) -> list[Quantity]:
    """How each comparison is written: those of one metric on one scale alike, in the order given."""
    families: dict[tuple[str, str, str, str], list[Comparison]] = {}
    for c in comparisons:
        families.setdefault((c.metric, c.type, c.unit, c.scale), []).append(c)
    written = {family: Quantity.of(members) for family, members in families.items()}
    return [written[(c.metric, c.type, c.unit, c.scale)] for c in comparisons]


def relative_effect(comparison: Comparison) -> str | None:
    """The relative effect that stands beside an absolute one: +5.7% (95% CI +0.9 to +10.8)."""
    if comparison.relative is None:
        return None
    beside = comparison.model_copy(
        update={
            "scale": "relative",
            "estimate": comparison.relative,
            "interval": comparison.relative_interval,
            "mde": None,
            "limit": None,
        }
    )
    return Quantity.of([beside]).with_interval(comparison.relative, comparison.relative_interval)


def planned_effect(comparison: Comparison) -> float | None:
    """The minimum detectable effect on the side that is better; None where none was declared."""
    if comparison.mde is None:
        return None
    return comparison.mde if comparison.direction == "higher" else -comparison.mde


def finite(bound: float | None) -> float | None:
    """A bound, or None for an open side."""
    return bound if bound is not None and math.isfinite(bound) else None


def _effect_decimals(comparisons: Sequence[Comparison], factor: float) -> int:
    """Two significant digits of the narrowest half-width, and more while a number would look like a reference."""
    widths = [factor * width for c in comparisons for width in _half_widths(c)]
    decimals = min(9, max((_decimals_of(width, 2) for width in widths), default=2))
    tolerance = _SAME * min(widths, default=1.0)
    pairs = [
        (factor * number, factor * reference)
        for c in comparisons
        for number in _effects(c)
        for reference in (0.0, c.limit, planned_effect(c))
        if reference is not None
    ]
    last = decimals + _EXTRA_DECIMALS
    while decimals < last and any(
        abs(x - y) > tolerance and round(x, decimals) == round(y, decimals) for x, y in pairs
    ):
        decimals += 1
    return decimals


def _half_widths(comparison: Comparison) -> Iterable[float]:
    for estimate, interval in (
        (comparison.estimate, comparison.interval),
        (comparison.unadjusted_estimate, comparison.unadjusted),
    ):
        if interval is None or estimate is None:
            continue
        low, high = finite(interval.low), finite(interval.high)
        if low is not None and high is not None and high > low:
            yield (high - low) / 2
        elif (low is None) != (high is None):
            bound = high if low is None else low
            if bound is not None and bound != estimate:
                yield abs(bound - estimate)


def _effects(comparison: Comparison) -> Iterable[float]:
    bounds = comparison.interval
    for number in (
        comparison.estimate,
        bounds.low if bounds else None,
        bounds.high if bounds else None,
    ):
        if (known := finite(number)) is not None:
            yield known


def _value_decimals(comparisons: Sequence[Comparison], factor: float) -> int:
    """Of an arm's value beside a relative effect, or without any effect: four significant digits."""
    values = [
        abs(factor * v)
        for c in comparisons
        for v in (c.control_value.value, c.treatment_value.value)
        if v is not None and v != 0
    ]
    return max((_decimals_of(v, 4) for v in values), default=2)


def _decimals_of(number: float, digits: int) -> int:
    if number == 0 or not math.isfinite(number):
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(number))))


def _with_unit(text: str, unit: str) -> str:
    if not unit:
        return text
    return text + unit if unit == "%" else f"{text}\N{NO-BREAK SPACE}{unit}"


def _grouped(text: str) -> str:
    return text.replace(",", THIN).replace("-", MINUS)
