"""Whether requests that only one model logged are like the others: by attribute, and by the champion's score.

Of a million requests every small difference is significant, so that the size decides first: how much more one level misses
than all do. Only where that is beyond the declared gap is it asked whether it could be chance, by unit: the level that misses
most against all others, its p-value times the number of levels it was chosen from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis.multiplicity import adjust
from analysis.paired import compare_categories
from experiments.logs.sql import text
from experiments.shadows.cells import sums_by_unit, unit_sums
from experiments.shadows.evidence import LevelPlaces
from experiments.shadows.quantities import Quantity
from experiments.shadows.reading import ShadowReading
from experiments.shadows.readout import LevelRequests, MissingAtRandom
from experiments.shadows.unit_sums import UnitSums

FOUR = ("matched there", "matched elsewhere", "unmatched there", "unmatched elsewhere")


def largest_gap(levels: Sequence[LevelPlaces]) -> tuple[str | None, float | None]:
    """The level that misses most over the share of all, and by how much."""
    requests = sum(one.requests for one in levels)
    if requests == 0:
        return None, None
    share = sum(one.requests - one.both for one in levels) / requests
    gaps = {one.level: (one.requests - one.both) / one.requests - share for one in levels if one.requests}
    worst = max(sorted(gaps), key=lambda level: gaps[level])
    return worst, gaps[worst]


def beyond(levels: Sequence[LevelPlaces], largest: float) -> dict[str, str]:
    """The attributes whose largest gap is beyond a declared one, with the level that misses most."""
    found = {}
    for attribute in dict.fromkeys(one.attribute for one in levels):
        worst, gap = largest_gap([one for one in levels if one.attribute == attribute])
        if worst is not None and gap is not None and gap > largest:
            found[attribute] = worst
    return found


def at_worst_level(
    reading: ShadowReading, levels: Sequence[LevelPlaces], by_level: str, level_of: Callable[[str], str]
) -> tuple[UnitSums, ...]:
    """Of each attribute whose largest gap is beyond the declared one: requests at that level and elsewhere, by unit.

    Args:
        by_level: SQL of rows with unit, matched and lone (numbers of requests), and the levels.
        level_of: the SQL of an attribute's level.
    """
    found = []
    for attribute, worst in beyond(levels, reading.design.written.pairing.largest_gap).items():
        quantity = Quantity(attribute, FOUR, FOUR, ())
        if not reading.design.by_user:
            found.append(_of_requests(quantity, [one for one in levels if one.attribute == attribute], worst))
            continue
        there = f"{level_of(attribute)} = {text(worst)}"
        terms = [
            f"sum(CASE WHEN {'' if here else 'NOT '}({there}) THEN {what} ELSE 0 END)"
            for what in ("matched", "lone")
            for here in (True, False)
        ]
        columns = ", ".join(f"{term} AS s{i}" for i, term in enumerate([*terms, "sum(matched + lone)"]))
        by_unit = f"SELECT {columns} FROM ({by_level}) AS by_level WHERE unit IS NOT NULL GROUP BY unit"
        found.append(sums_by_unit(reading, quantity, by_unit))
    return tuple(found)


def _of_requests(quantity: Quantity, levels: Sequence[LevelPlaces], worst: str) -> UnitSums:
    """Where every request is a unit, it is one of the four kinds: products of two kinds are 0."""
    counts = [
        sum(one.both if both else one.requests - one.both for one in levels if (one.level == worst) is here)
        for both in (True, False)
        for here in (True, False)
    ]
    requests = sum(counts)
    products = [
        n if i == j or j == len(FOUR) else 0 for i, n in enumerate(counts) for j in range(i, len(FOUR) + 1)
    ]
    return unit_sums(quantity, (requests, *counts, requests, *products, requests))


def missing_at_random(levels: Sequence[LevelPlaces], tested: Sequence[UnitSums]) -> list[MissingAtRandom]:
    """By attribute: how much more one level misses than all requests do, and whether that is chance."""
    attributes = dict.fromkeys(one.attribute for one in levels)
    of = {name: [one for one in levels if one.attribute == name] for name in attributes}
    p_values = {one.name: _p_value(one, len(of[one.name])) for one in tested}
    adjusted = adjust(p_values, method="holm").members if p_values else {}
    found = []
    for attribute, own in of.items():
        worst, gap = largest_gap(own)
        member = adjusted.get(attribute)
        found.append(
            MissingAtRandom(
                attribute=attribute,
                levels=tuple(
                    LevelRequests(
                        level=one.level,
                        both=one.both,
                        champion_only=one.champion_only,
                        candidate_only=one.candidate_only,
                    )
                    for one in own
                ),
                worst=worst,
                largest_gap=gap,
                p_value=None if member is None else member.adjusted,
                not_computed="no level's gap is beyond the declared one" if member is None else None,
            )
        )
    return found


def _p_value(sums: UnitSums, levels: int) -> float | None:
    """Bonferroni over the levels from which the worst was chosen."""
    found = compare_categories(sums.comoments.select(list(range(len(FOUR))))).p_value
    return None if found is None else min(1.0, found * levels)
