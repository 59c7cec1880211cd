"""Units arriving on a day: their ids, arms by the real hash, times and attributes."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.traffic.faults import LostUnits, Misassigned
from experiments.traffic.outcomes import Integers, microseconds
from experiments.traffic.scenario import Scenario

HOUR = 3_600 * 10**6
DAY = 24 * HOUR
NUMBER_DIGITS = 9
FIRST_NUMBERS = 9 * 10**8
REPLICATE_DIGITS = 5
NO_ARM = -1


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The units of one day, in columns of equal length; times in microseconds since 1970 (UTC).

    ``unit`` is the replicate · 10^9 + the unit's number; ``arm`` an index, −1 outside the layer.
    ``reference`` is the exposure, or the assignment of a unit never exposed. ``lost`` units reach no log.
    """

    unit: Integers
    arm: NDArray[np.int8]
    assigned_at: Integers
    reference: Integers
    exposed: NDArray[np.bool_]
    levels: dict[str, NDArray[np.int8]]
    lost: NDArray[np.bool_]

    @property
    def treated_as(self) -> NDArray[np.int8]:
        """The arm whose effects the unit feels: none before and without exposure."""
        return np.where(self.exposed, self.arm, NO_ARM).astype(np.int8)

    @property
    def logged(self) -> NDArray[np.bool_]:
        logged: NDArray[np.bool_] = (self.arm != NO_ARM) & ~self.lost
        return logged


def arrivals(scenario: Scenario) -> Iterator[Arrivals]:
    """Yield the arrivals of each day of enrolment, in order."""
    so_far = np.zeros(scenario.replicates, dtype=np.int64)
    for day in range(scenario.days):
        counts = arriving(scenario, day)
        yield arrivals_on(scenario, day, so_far, counts)
        so_far = so_far + counts


def arriving(scenario: Scenario, day: int) -> Integers:
    expected = scenario.expected_units(day)
    if not scenario.exact:
        return scenario.chance("arriving", day).poisson(expected, scenario.replicates)
    # Rounding the running total keeps the sum over the days.
    total = [sum(scenario.expected_units(d) for d in range(days)) for days in (day, day + 1)]
    return np.full(scenario.replicates, round(total[1]) - round(total[0]), dtype=np.int64)


def arrivals_on(scenario: Scenario, day: int, so_far: Integers, counts: Integers) -> Arrivals:
    n = int(counts.sum())
    replicate = np.repeat(np.arange(scenario.replicates), counts)
    within = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    unit = replicate * 10**NUMBER_DIGITS + first_number(scenario) + so_far[replicate] + within
    hashed = scenario.assignment.arm_indices(unit_ids(scenario, unit).to_pylist())
    arm = misassigned(scenario, day, hashed)
    assigned_at = times_of_day(scenario, day, n)
    exposed = (arm != NO_ARM) & (scenario.chance("exposed", day).random(n) < scenario.exposed)
    wait = scenario.chance("exposure delay", day).integers(
        0, microseconds(scenario.exposure_delay), n, endpoint=True
    )
    return Arrivals(
        unit=unit,
        arm=arm,
        assigned_at=assigned_at,
        reference=np.where(exposed, assigned_at + wait, assigned_at),
        exposed=exposed,
        levels={
            attribute.name: scenario.chance(f"attribute {attribute.name}", day)
            .choice(len(attribute.levels), n, p=attribute.shares / attribute.shares.sum())
            .astype(np.int8)
            for attribute in scenario.attributes
        },
        lost=lost(scenario, day, arm),
    )


def times_of_day(scenario: Scenario, day: int, n: int) -> Integers:
    chance = scenario.chance("times of day", day)
    weights = np.array(scenario.hours) / sum(scenario.hours)
    hours = chance.choice(len(weights), n, p=weights)
    return (day_number(scenario.start) + day) * DAY + hours * HOUR + chance.integers(0, HOUR, n)


def misassigned(scenario: Scenario, day: int, hashed: NDArray[np.int8]) -> NDArray[np.int8]:
    share = next((fault.share for fault in scenario.faults if isinstance(fault, Misassigned)), 0.0)
    chance = scenario.chance("misassigned", day)
    wrong = (hashed != NO_ARM) & (chance.random(len(hashed)) < share)
    return np.where(wrong, another_arm(scenario, hashed, chance), hashed).astype(np.int8)


def another_arm(scenario: Scenario, arm: NDArray[np.int8], chance: np.random.Generator) -> NDArray[np.int8]:
    """Return for each unit an arm that is not its own, all others being equally likely."""
    arms = len(scenario.assignment.names)
    return ((arm + chance.integers(1, arms, len(arm))) % arms).astype(np.int8)


def lost(scenario: Scenario, day: int, arm: NDArray[np.int8]) -> NDArray[np.bool_]:
    gone = np.zeros(len(arm), dtype=bool)
    for number, fault in enumerate(scenario.faults):
        if isinstance(fault, LostUnits) and (fault.days is None or day in fault.days):
            chance = scenario.chance(f"lost {number}", day)
            here = arm == scenario.assignment.names.index(fault.arm)
            gone |= here & (chance.random(len(arm)) < fault.share)
    return gone


def unit_ids(scenario: Scenario, unit: Integers) -> pa.StringArray:
    """Return the units' ids as they stand in the logs; those of two experiments never meet."""
    prefix = f"{scenario.experiment}-" if scenario.unit_prefix is None else scenario.unit_prefix
    number = digits(unit % 10**NUMBER_DIGITS, NUMBER_DIGITS)
    if scenario.replicates == 1:
        return texts([prefix, number], len(unit))
    return texts([prefix, digits(replicate_number(unit), REPLICATE_DIGITS), "-", number], len(unit))


def experiment_ids(scenario: Scenario, unit: Integers) -> pa.StringArray:
    """Return the experiment of each unit: the scenario's own, or its replicate's."""
    if scenario.replicates == 1:
        return texts([scenario.experiment], len(unit))
    return texts([f"{scenario.experiment}-", digits(replicate_number(unit), REPLICATE_DIGITS)], len(unit))


def replicate_number(unit: Integers) -> Integers:
    numbers: Integers = unit // 10**NUMBER_DIGITS + 1
    return numbers


def first_number(scenario: Scenario) -> int:
    """Where numbering begins: it depends on the seed, so that another seed brings other units to the hash."""
    return zlib.crc32(f"{scenario.seed}:{scenario.experiment}".encode()) % FIRST_NUMBERS


def digits(numbers: Integers, width: int) -> NDArray[np.uint8]:
    """Return the decimal digits of each number as a row of ``width`` ASCII characters."""
    places = 10 ** np.arange(width - 1, -1, -1)
    return (numbers[:, None] // places % 10 + ord("0")).astype(np.uint8)


def texts(pieces: list[str | NDArray[np.uint8]], n: int) -> pa.StringArray:
    """Return ``n`` texts of one length: each piece is the same for all, or a row of characters for each."""
    columns = [
        np.tile(np.frombuffer(piece.encode("ascii"), np.uint8), (n, 1)) if isinstance(piece, str) else piece
        for piece in pieces
    ]
    characters = np.hstack(columns)
    offsets = np.arange(n + 1, dtype=np.int32) * characters.shape[1]
    return pa.StringArray.from_buffers(
        n, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters))
    )


def day_number(day: date) -> int:
    """Return the days since 1970."""
    return (day - date(1970, 1, 1)).days
