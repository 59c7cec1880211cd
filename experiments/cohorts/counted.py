"""What the statements return: counts of units, and exact sums, by arm."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.cohorts.cohort import Fate


@dataclass(frozen=True, slots=True)
class FateCount:
    experiment: str
    arm: int | None
    fate: Fate
    units: int
    assignment_rows: int
    exposure_rows: int


@dataclass(frozen=True, slots=True)
class ArmCount:
    """Units of an arm in one stratum: a step of enrolment, a day, a level of an attribute."""

    experiment: str
    stratum: str
    arm: int
    units: int


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Units of an arm exposed in one whole step of enrolment: those that came, and those that may be analysed."""

    step: int
    arm: int
    came: int
    units: int


@dataclass(frozen=True, slots=True)
class ArmSums:
    """Exact sums of one family of variables in one arm: n, Σd and Σd·d (upper triangle by rows)."""

    experiment: str
    arm: int
    level: str | None
    n: int
    sums: tuple[int, ...]
    products: tuple[int, ...]
