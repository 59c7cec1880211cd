"""Whether requests that only one model logged are like the others: by attribute, and by the champion's score.

Of a million requests every small difference is significant, so that the size decides first: how much more one level misses
than all do. Only where that is beyond the declared gap is it asked whether it could be chance, by unit: the level that misses
most against all others, its p-value times the number of levels it was chosen from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis.multiplicity import adjust
from analysis.paired import compare_categories
from experiments.logs.sql import Step, text
from experiments.shadows.evidence import LevelPlaces, UnitSums
from experiments.shadows.pairing import BOTH
from experiments.shadows.quantities import Quantity
from experiments.shadows.reading import ShadowReading
from experiments.shadows.readout import LevelRequests, MissingAtRandom
from experiments.shadows.sums import Among, over_units_step, unit_sums

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


def by_unit(
    reading: ShadowReading, levels: Sequence[LevelPlaces], level_of: Callable[[str], str], among: Among
) -> tuple[UnitSums, ...]:
    """Of each attribute whose largest gap is beyond the declared one: requests at that level and elsewhere, by unit.

    Args:
        level_of: the SQL of an attribute's level.
    """
    found = []
    for attribute in dict.fromkeys(one.attribute for one in levels):
        worst, gap = largest_gap([one for one in levels if one.attribute == attribute])
        if worst is None or gap is None or gap <= reading.design.written.pairing.largest_gap:
            continue
        there, matched = f"{level_of(attribute)} = {text(worst)}", f"place = {BOTH}"
        values = tuple(
            f"CAST({'' if both else 'NOT '}({matched}) AND {'' if here else 'NOT '}({there}) AS INTEGER)"
            for both in (True, False)
            for here in (True, False)
        )
        quantity = Quantity(attribute, FOUR, values, (1,) * len(FOUR))
        terms = [*values, "1"]
        columns = ", ".join(
            f"sum({term}) AS q0_{i}" if among.by_user else f"{term} AS q0_{i}" for i, term in enumerate(terms)
        )
        known = f"{among.in_time} AND ({level_of(attribute)}) IS NOT NULL"
        group = " GROUP BY unit" if among.by_user else ""
        reading.engine.run(
            Step(
                "missing",
                f"CREATE OR REPLACE TEMP TABLE per_unit AS SELECT {columns} FROM pairs WHERE {known}{group}",
            )
        )
        found.append(unit_sums(quantity, reading.one(over_units_step(quantity, 0))))
    return tuple(found)


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
