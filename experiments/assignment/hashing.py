"""The arm of a unit: a hash of salt and unit that any service can repeat.

Nothing is stored, so nothing can be lost: the same salt and unit give the same arm after a restart, on
another machine and in another language. The algorithm and its test vectors are in docs/assignment.md; a
change here that moves a single unit is a new algorithm and breaks every running experiment.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from itertools import accumulate, pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

POSITIONS = 2**52
"""Positions are the integers 0 … 2^52 − 1: thirteen hexadecimal digits, each exact in a double."""

Unit: TypeAlias = str | int
Share: TypeAlias = Fraction | Decimal | str | int | float

LAYER_SALT = "layer:"


def position(salt: str, unit: Unit) -> int:
    """Return where ``unit`` falls in 0 … 2^52 − 1: the first 13 hex digits of SHA-256 of ``salt:unit``.

    Raises:
        ValueError: if the unit is empty, or neither text nor an integer.
    """
    digest = sha256(f"{salt}:{unit_text(unit)}".encode()).hexdigest()
    return int(digest[:13], 16)


def positions(salt: str, units: Iterable[Unit]) -> NDArray[np.int64]:
    """Return :func:`position` for every unit, in order.

    Raises:
        ValueError: if any unit is empty, or neither text nor an integer.
    """
    prefix = f"{salt}:".encode()
    first_eight_bytes = b"".join(sha256(prefix + unit_text(unit).encode()).digest()[:8] for unit in units)
    # The top 52 of these 64 bits are the 13 leading hex digits.
    return (np.frombuffer(first_eight_bytes, dtype=">u8") >> np.uint64(12)).astype(np.int64)


def unit_text(unit: object) -> str:
    """Return the text that is hashed for a unit: text as it is, an integer as its decimal digits.

    Raises:
        ValueError: if the unit is missing, empty, or of another type (a float has no single text).
    """
    if isinstance(unit, str) and unit:
        return unit
    if isinstance(unit, int | np.integer) and not isinstance(unit, bool):
        return str(int(unit))
    raise ValueError(
        f"unit: {unit!r} is not allowed; give a non-empty text, or an integer (hashed as its decimal digits)"
    )


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive positions ``low <= position < high``."""

    low: int
    high: int

    def __contains__(self, place: object) -> bool:
        return isinstance(place, int) and self.low <= place < self.high

    @property
    def share(self) -> Fraction:
        return Fraction(self.high - self.low, POSITIONS)

    def shared_with(self, other: "Range") -> Fraction:
        """Return the share of all positions that both ranges hold."""
        return Fraction(max(0, min(self.high, other.high) - max(self.low, other.low)), POSITIONS)


@dataclass(frozen=True, slots=True)
class Layer:
    """The part of a layer an experiment takes: slots from ``start`` up to, not including, ``end``.

    A unit's place in a layer depends on the layer's name alone. Experiments with disjoint slots of one layer
    therefore never share a unit, and the arms of experiments in different layers are independent.

    Raises:
        ValueError: with every problem, unless ``0 <= start < end <= 1`` and the name is printable text.
    """

    name: str
    start: Share
    end: Share

    def __post_init__(self) -> None:
        problems = text_problems("layer.name", self.name)
        start, end = exact(self.start), exact(self.end)
        if start is None or end is None or not 0 <= start < end <= 1:
            problems.append(
                f"layer: slots from {self.start!r} to {self.end!r} are not allowed;"
                " give two decimals with 0 <= start < end <= 1, for example 0 and 0.25"
            )
        elif boundary(start) == boundary(end):
            problems.append(f"layer: slots from {self.start!r} to {self.end!r} hold no position; widen them")
        if problems or start is None or end is None:
            raise ValueError("\n".join(problems))
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", end)

    @property
    def salt(self) -> str:
        return LAYER_SALT + self.name

    @property
    def range(self) -> Range:
        return Range(boundary(Fraction(self.start)), boundary(Fraction(self.end)))

    def holds(self, unit: Unit) -> bool:
        """Return whether the unit is in these slots of the layer."""
        return position(self.salt, unit) in self.range

    def overlaps(self, other: "Layer") -> bool:
        """Return whether some unit can be in both: never in disjoint slots of the same layer."""
        return self.name != other.name or self.range.shared_with(other.range) > 0


@dataclass(frozen=True, slots=True)
class Assignment:
    """The salt, the arms with their shares (control first) and the layer that decide a unit's arm.

    Shares are exact: ``"0.1"``, ``Decimal("0.1")``, ``Fraction(1, 10)`` and ``0.1`` all mean one tenth (a
    float is read as the decimal it prints), ``"1/3"`` is a third. They must add up to exactly 1.

    Raises:
        ValueError: with every problem of the salt, the arms and their shares.
    """

    salt: str
    arms: tuple[tuple[str, Share], ...]
    layer: Layer | None = None

    def __post_init__(self) -> None:
        shares = tuple((name, exact(share)) for name, share in self.arms)
        problems = [*salt_problems(self.salt), *arm_problems(self.arms)]
        if problems:
            raise ValueError("\n".join(problems))
        object.__setattr__(self, "arms", shares)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.arms)

    @property
    def control(self) -> str:
        return self.arms[0][0]

    @property
    def shares(self) -> tuple[Fraction, ...]:
        return tuple(Fraction(share) for _, share in self.arms)

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The positions each arm owns, in the declared order; together they are all positions."""
        return ranges_of(self.shares)

    def arm_of(self, unit: Unit) -> str | None:
        """Return the unit's arm, or None when its layer keeps it out of the experiment.

        Raises:
            ValueError: if the unit is empty, or neither text nor an integer.
        """
        if self.layer is not None and not self.layer.holds(unit):
            return None
        place = position(self.salt, unit)
        return next(name for name, owned in zip(self.names, self.ranges, strict=True) if place in owned)

    def arm_indices(self, units: Sequence[Unit]) -> NDArray[np.int8]:
        """Return each unit's arm as an index into ``names``; −1 where the layer keeps the unit out.

        Raises:
            ValueError: if any unit is empty, or neither text nor an integer.
        """
        upper_boundaries = [owned.high for owned in self.ranges]
        indices = np.searchsorted(upper_boundaries, positions(self.salt, units), side="right")
        if self.layer is not None:
            slots, place = self.layer.range, positions(self.layer.salt, units)
            indices = np.where((place >= slots.low) & (place < slots.high), indices, -1)
        return indices.astype(np.int8)

    def arms_of(self, units: Sequence[Unit]) -> list[str | None]:
        """Return :meth:`arm_of` for every unit, in order."""
        answers: tuple[str | None, ...] = (*self.names, None)
        return [answers[index] for index in self.arm_indices(units).tolist()]


def ranges_of(shares: Iterable[Fraction]) -> tuple[Range, ...]:
    boundaries = [0, *(boundary(cumulative) for cumulative in accumulate(shares))]
    return tuple(Range(low, high) for low, high in pairwise(boundaries))


def boundary(cumulative_share: Fraction) -> int:
    return cumulative_share * POSITIONS // 1


def exact(share: Share) -> Fraction | None:
    """Return the share as an exact fraction, or None when it is no number."""
    if isinstance(share, bool):
        return None
    try:
        # repr gives the shortest decimal that reads back as this float: the decimal somebody wrote.
        return Fraction(repr(float(share)) if isinstance(share, float) else share)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None


def salt_problems(salt: str) -> list[str]:
    problems = text_problems("salt", salt)
    if not problems and (salt + ":").startswith(LAYER_SALT):
        problems.append(
            f'salt: {salt!r} is not allowed; "layer" belongs to the layers,'
            " whose slots must stay independent of the arms: choose another beginning"
        )
    return problems


def arm_problems(arms: Sequence[tuple[str, Share]]) -> list[str]:
    problems: list[str] = []
    shares = [exact(share) for _, share in arms]
    if len(arms) < 2:
        problems.append(f"arms: {len(arms)} is not allowed; give at least two, control first")
    for index, ((name, written), share) in enumerate(zip(arms, shares, strict=True)):
        problems += text_problems(f"arms[{index}].name", name)
        if name in [earlier for earlier, _ in arms[:index]]:
            problems.append(f"arms[{index}].name: {name!r} is used twice; give every arm its own name")
        if share is None or not 0 < share < 1:
            problems.append(
                f"arms[{index}].share: {written!r} is not allowed; give a decimal above 0 and below 1,"
                " and leave out an arm that gets nobody"
            )
    given = [share for share in shares if share is not None]
    if len(given) == len(arms) >= 2 and sum(given) != 1:
        excess = float(sum(given) - 1)
        problems.append(
            f"arms: the shares add up to 1 {excess:+.3g}; make them add up to exactly 1 (a third is '1/3')"
        )
    if not problems and any(owned.low == owned.high for owned in ranges_of(given)):
        problems.append("arms: a share below 2^-52 owns no position; give it at least 0.000001")
    return problems


def text_problems(parameter: str, text: object) -> list[str]:
    if isinstance(text, str) and text and text == text.strip() and text.isprintable():
        return []
    return [f"{parameter}: {text!r} is not allowed; give printable text without spaces at its ends"]
