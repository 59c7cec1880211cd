"""One pass over the pairs: everything that is added up, by unit and declared attributes.

A user's requests of one kind are one *cell*; from the cells, which are far fewer than the pairs, follow the exact sums over
users, overall and by level. Where the request is the unit there is nothing to add up before products are taken: a cell then
holds sums and products over the requests of one kind.

Conditions are counted several in one number, since what a group-by costs is its states: with half a million users sixty
counters of their own would not fit beside the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from experiments.logs.sql import Step, ident
from experiments.shadows.quantities import Quantity
from experiments.shadows.reading import ShadowReading
from experiments.shadows.sums import Among, level_of
from experiments.shadows.unit_sums import UnitSums

LABELLED: Final = "is_labelled"
FIELDS: Final = (12, 21, None)
"""Bits of a packed counter, five or three of which fill a number; None where even these would not hold a user's requests."""


class Cells:
    """Table ``cells`` of the pairs of one look.

    Args:
        quantities: what is added up.
    """

    def __init__(self, reading: ShadowReading, among: Among, quantities: Sequence[Quantity]) -> None:
        self.reading, self.among = reading, among
        self.quantities = tuple(quantities)
        self.attributes = reading.design.attributes
        present = dict.fromkeys([LABELLED, *(self._present(one) for one in self.quantities)])
        self.present = {condition: f"has{place}" for place, condition in enumerate(present)}
        for bits in FIELDS if among.by_user else (None,):
            reading.engine.run(self._step(bits))
            if bits is None or self._largest() < 1 << bits:
                break
        self.whole = among.by_user and self._whole()

    def _present(self, quantity: Quantity) -> str:
        """When a pair counts for a quantity."""
        return " AND ".join([f"is_{quantity.among}", *(f"{column} IS NOT NULL" for column in quantity.needs)])

    def _counters(self) -> dict[str, str]:
        """What is counted, by the column of ``cells`` that has it: pairs of every kind, and conditions among them."""
        found = {f"n_{name}": name for name in self.present.values()}
        for index, one in enumerate(self.quantities):
            if one.scale is None:
                present = self.present[self._present(one)]
                found |= {
                    f"s{index}_{place}": f"{present} AND ({value})" for place, value in enumerate(one.values)
                }
                if not self.among.by_user:
                    found |= {
                        f"p{index}_{i}_{j}": f"{present} AND ({one.values[i]}) AND ({one.values[j]})"
                        for i in range(len(one.values))
                        for j in range(i + 1, len(one.values))
                    }
        return found

    def _amounts(self) -> dict[str, str]:
        """What is added up, by its column: whole numbers, and where the request is the unit their squares."""
        found = {}
        for index, one in enumerate(self.quantities):
            if one.scale is not None:
                present = self.present[self._present(one)]
                for place, value in enumerate(one.values):
                    found[f"s{index}_{place}"] = f"CASE WHEN {present} THEN {value} END"
                    if not self.among.by_user:
                        square = f"CAST({value} AS HUGEINT) * ({value})"
                        found[f"p{index}_{place}_{place}"] = f"CASE WHEN {present} THEN {square} END"
        return found

    def _step(self, bits: int | None) -> Step:
        keys = [
            *(["unit"] if self.among.by_user else []),
            *(ident("attribute " + name) for name in self.attributes),
        ]
        counters, amounts = self._counters(), self._amounts()
        grouped = [
            "count(*) AS requests",
            *(f"sum({value}) AS {column}" for column, value in amounts.items()),
        ]
        taken = ["requests", *amounts]
        if bits is not None:
            names = list(counters)
            for place in range(0, len(names), 63 // bits):
                fields = list(enumerate(names[place : place + 63 // bits]))
                terms = [
                    f"CASE WHEN {counters[name]} THEN {1 << (bits * field)} ELSE 0 END"
                    for field, name in fields
                ]
                grouped.append(f"CAST(sum({' + '.join(terms)}) AS BIGINT) AS packed{place}")
                taken += [
                    f"(packed{place} >> {bits * field}) & {(1 << bits) - 1} AS {name}"
                    for field, name in fields
                ]
        else:
            grouped += [
                f"count(CASE WHEN {when} THEN 1 END) AS {column}" for column, when in counters.items()
            ]
            taken += list(counters)
        said = [f"{condition} AS {name}" for condition, name in self.present.items()]
        inner = (
            f"SELECT *, {', '.join(said)} FROM (SELECT *, {self.among.paired} AS is_paired, {self.among.answered} AS is_answered, "
            f"{self.among.labelled} AS is_labelled FROM pairs WHERE {self.among.owned}"
        )
        kept = "".join(f"{key}, " for key in keys)
        group = f" GROUP BY {', '.join(keys)}" if keys else ""
        return Step(
            "cells",
            f"CREATE OR REPLACE TEMP TABLE cells AS SELECT {kept}{', '.join(taken)} FROM (SELECT {kept}{', '.join(grouped)} "
            f"FROM ({inner}) AS kinds) AS said{group}) AS grouped",
        )

    def _largest(self) -> int:
        """Of the cells: how many pairs it holds."""
        return int(self.reading.one(Step("largest_cell", "SELECT max(requests) FROM cells"))[0] or 0)

    def _whole(self) -> bool:
        """Whether every user is one cell: attributes that belong to users, and not to requests."""
        found = self.reading.one(Step("cells_a_unit", "SELECT count(*) = count(DISTINCT unit) FROM cells"))
        return bool(found[0])

    def units(self) -> int:
        """Units with a labelled pair."""
        labelled = f"n_{self.present[LABELLED]}"
        if not self.among.by_user:
            return int(self.reading.one(Step("units", f"SELECT sum({labelled}) FROM cells"))[0] or 0)
        counted = "count(*)" if self.whole else "count(DISTINCT unit)"
        return int(self.reading.one(Step("units", f"SELECT {counted} FROM cells WHERE {labelled} > 0"))[0])

    def places(self) -> dict[tuple[str, str], int]:
        """Pairs of somebody by attribute and level."""
        found = {}
        for attribute in self.attributes:
            sql = f"SELECT {level_of(attribute)} AS level, sum(requests) FROM cells GROUP BY level"
            for level, n in self.reading.engine.run(Step("levels", sql)):
                found[attribute, str(level)] = int(n)
        return found

    def sums(self, wanted: Sequence[Quantity], segment: str | None = None) -> list[UnitSums]:
        """Exact sums and products over units of some quantities: overall, or at every level of an attribute."""
        level = "CAST(NULL AS VARCHAR)" if segment is None else level_of(segment)
        columns = {one: self._columns(one) for one in wanted}
        every = dict.fromkeys(column for own in columns.values() for column in own)
        if not every:
            return []
        if self.among.by_user:
            added = ", ".join(f"sum({column}) AS {column}" for column in every)
            rows = f"SELECT {level} AS level, {added} FROM cells GROUP BY level, unit"
            if self.whole:
                rows = f"SELECT {level} AS level, {', '.join(every)} FROM cells"
            asked = [part for own in columns.values() for part in _over_units(own)]
        else:
            rows = f"SELECT {level} AS level, * FROM cells"
            asked = [part for one, own in columns.items() for part in self._over_requests(one, own)]
        sql = f"SELECT level, {', '.join(asked)} FROM ({rows}) AS by_unit GROUP BY level ORDER BY level"
        totals = self._totals([one for one in wanted if one.champion is not None], level)
        found = []
        for at, *numbers in self.reading.engine.run(Step("over_units", sql)):
            for one, own in columns.items():
                width = 1 + len(own) + len(own) * (len(own) + 1) // 2
                row, numbers = numbers[:width], numbers[width:]
                if segment is None or int(row[0] or 0):
                    found.append(unit_sums(one, row, segment, at, totals.get((one.name, at))))
        return found or ([unit_sums(one, ()) for one in wanted] if segment is None else [])

    def _columns(self, quantity: Quantity) -> list[str]:
        index = self.quantities.index(quantity)
        own = [f"s{index}_{place}" for place in range(len(quantity.values))]
        return [*own, f"n_{self.present[self._present(quantity)]}"]

    def _over_requests(self, quantity: Quantity, columns: Sequence[str]) -> list[str]:
        """Where a request is a unit: a condition is its own square, and every product with the number of pairs is the number."""
        index, last = self.quantities.index(quantity), len(columns) - 1
        products = []
        for i in range(len(columns)):
            for j in range(i, len(columns)):
                if j == last or (i == j and quantity.scale is None):
                    products.append(columns[i])
                else:
                    products.append(f"p{index}_{i}_{j}")
        return [f"sum({column})" for column in (columns[-1], *columns, *products)]

    def _totals(self, wanted: Sequence[Quantity], level: str) -> dict[tuple[str, Any], int]:
        """The champion's own numbers, added up over pairs, by quantity and level."""
        if not wanted:
            return {}
        kinds = [f"{self.among.condition(one.among)}" for one in wanted]
        terms = []
        for one, kind in zip(wanted, kinds, strict=True):
            there = " AND ".join([kind, *(f"{column} IS NOT NULL" for column in one.needs)])
            terms.append(f"sum(CASE WHEN {there} THEN {one.champion} END)")
        sql = (
            f"SELECT {level} AS level, {', '.join(terms)} FROM pairs WHERE {self.among.owned} GROUP BY level"
        )
        return {
            (one.name, at): int(total or 0)
            for at, *found in self.reading.engine.run(Step("totals", sql))
            for one, total in zip(wanted, found, strict=True)
        }


def _over_units(columns: Sequence[str]) -> list[str]:
    """How many units have a pair, their sums and the products of these."""
    products = [(a, b) for i, a in enumerate(columns) for b in columns[i:]]
    return [
        f"count(CASE WHEN {columns[-1]} > 0 THEN 1 END)",
        *(f"sum({column})" for column in columns),
        *(f"sum(CAST({a} AS HUGEINT) * {b})" for a, b in products),
    ]


def sums_by_unit(reading: ShadowReading, quantity: Quantity, by_unit: str) -> UnitSums:
    """Exact sums over the rows of a statement that has ``s0``, ``s1``, … of one quantity, a row a unit."""
    asked = _over_units([f"s{place}" for place in range(len(quantity.names) + 1)])
    return unit_sums(
        quantity, reading.one(Step("over_units", f"SELECT {', '.join(asked)} FROM ({by_unit}) AS by_unit"))
    )


def unit_sums(
    quantity: Quantity,
    row: Sequence[Any],
    segment: str | None = None,
    level: Any = None,
    champion_total: int | None = None,
) -> UnitSums:
    """Units, sums and products as one statement returned them; none where it returned no row."""
    width = len(quantity.names) + 1
    units, *numbers = (
        (int(value or 0) for value in row) if row else [0] * (1 + width + width * (width + 1) // 2)
    )
    return UnitSums(
        quantity.name,
        segment,
        None if level is None else str(level),
        (*quantity.names, "pairs"),
        (*[quantity.scale or 1] * len(quantity.names), 1),
        units,
        tuple(numbers[:width]),
        tuple(numbers[width:]),
        champion_total,
    )
