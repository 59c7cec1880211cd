"""One pass over the pairs: everything that is added up, by unit and declared attributes.

A user's requests of one kind are one *cell*; from the cells, which are far fewer than the pairs, follow the counts of the
flow, of every level, of right and wrong, and the exact sums over users, overall and by level. Where the request is the unit
there is nothing to add up before its products are taken: a cell then holds sums and products over the requests of one kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from experiments.logs.sql import Step, ident
from experiments.shadows.evidence import LevelPlaces, UnitSums
from experiments.shadows.pairing import BOTH, CANDIDATE_ONLY, CHAMPION_ONLY
from experiments.shadows.quantities import Quantity
from experiments.shadows.reading import ShadowReading
from experiments.shadows.sums import Among

PACK: Final = 4_611_686_018_427_387_904
"""2**62: two moments in one number, so that of requests at the same moment the same one is first on every thread."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Requests before the cut-off, and what became of them."""

    both: int
    champion_only: int
    candidate_only: int
    duplicated: int
    hashed: int
    other_inputs: int
    far: int
    ownerless: int
    incomplete: int
    answered: int
    labelled: int


COUNTED: Final = tuple(f"n_{name}" for name in Flow.__dataclass_fields__)


class Cells:
    """Table ``cells`` of the pairs of one look.

    Args:
        quantities: what is added up.
        far_us: beyond which a pair was answered too far apart; None without times.
    """

    def __init__(
        self,
        reading: ShadowReading,
        among: Among,
        quantities: Sequence[Quantity],
        far_us: int | None = None,
    ) -> None:
        self.reading, self.among = reading, among
        self.quantities = tuple(quantities)
        self.attributes = reading.design.attributes
        self.timed = far_us is not None
        reading.engine.run(self._step(far_us))

    def _step(self, far_us: int | None) -> Step:
        said, columns = self._counts(far_us)
        for index, one in enumerate(self.quantities):
            own = [f"v{index}_{place}" for place in range(len(one.values))]
            said += [f"{value} AS {column}" for value, column in zip(one.values, own, strict=True)]
            counts = " AND ".join([self._among(one), *(f"{column} IS NOT NULL" for column in own)])
            terms = [f"CASE WHEN {counts} THEN {column} END" for column in (*own, "1")]
            columns += [f"sum({term}) AS s{index}_{place}" for place, term in enumerate(terms)]
            if not self.among.by_user:
                products = _pairs_of([*own, "1"])
                columns += [
                    f"sum(CASE WHEN {counts} THEN CAST({a} AS HUGEINT) * {b} END) AS p{index}_{place}"
                    for place, (a, b) in enumerate(products)
                ]
        keys = [
            *(["unit"] if self.among.by_user else []),
            *(ident("attribute " + name) for name in self.attributes),
        ]
        kept = "".join(f"{key}, " for key in keys)
        group = f" GROUP BY {', '.join(keys)}" if keys else ""
        return Step(
            "cells",
            f"CREATE OR REPLACE TEMP TABLE cells AS SELECT {kept}{', '.join(columns)} FROM (SELECT {kept}{', '.join(said)} "
            f"FROM pairs WHERE {self.among.in_time}) AS said{group}",
        )

    def _among(self, quantity: Quantity) -> str:
        if quantity.failed_too:
            return "is_paired"
        return "is_labelled" if quantity.labelled else "is_answered"

    def _counts(self, far_us: int | None) -> tuple[list[str], list[str]]:
        among = self.among
        said = [
            "place",
            "duplicated",
            "hashed",
            "other_input",
            f"{'FALSE' if far_us is None else f'abs(lag_us) > {far_us}'} AS is_far",
            f"place = {BOTH} AND unit IS NULL AS is_ownerless",
            f"{among.owned} AND NOT ({among.paired}) AS is_incomplete",
            f"{among.paired} AS is_paired",
            f"{among.answered} AS is_answered",
            f"{among.labelled} AS is_labelled",
        ]
        conditions = (
            f"place = {BOTH}",
            f"place = {CHAMPION_ONLY}",
            f"place = {CANDIDATE_ONLY}",
            "duplicated",
            "hashed",
            "other_input",
            "is_far",
            "is_ownerless",
            "is_incomplete",
            "is_answered",
            "is_labelled",
        )
        columns = [
            f"count(CASE WHEN {when} THEN 1 END) AS {name}"
            for when, name in zip(conditions, COUNTED, strict=True)
        ]
        if self.timed and among.by_user:
            said += ["at_us", "at_us + lag_us AS candidate_us"]
            packed = f"CASE WHEN is_paired THEN CAST(at_us AS HUGEINT) * {PACK} + candidate_us END"
            columns += [
                f"min({packed}) AS first_packed",
                f"max({packed}) AS last_packed",
                "min(CASE WHEN is_paired THEN candidate_us END) AS first_by_candidate",
                "max(CASE WHEN is_paired THEN candidate_us END) AS last_by_candidate",
                "count(CASE WHEN is_paired THEN candidate_us END) AS timed",
            ]
        return said, columns

    def flow(self) -> Flow:
        sums = ", ".join(f"sum({name})" for name in COUNTED)
        return Flow(*(int(n or 0) for n in self.reading.one(Step("flow", f"SELECT {sums} FROM cells"))))

    def units(self) -> int:
        """Units with a labelled pair; where the request is the unit, labelled pairs."""
        if not self.among.by_user:
            return self.flow().labelled
        sql = "SELECT count(DISTINCT unit) FROM cells WHERE n_labelled > 0"
        return int(self.reading.one(Step("units", sql))[0])

    def order(self) -> tuple[int, int] | None:
        """Units with two pairs or more, and those whose first or last request is another one by the candidate's clock."""
        if not (self.timed and self.among.by_user):
            return None
        found = self.reading.one(
            Step(
                "order",
                f"SELECT count(*), count(CASE WHEN c1 <> h1 % {PACK} OR c2 <> h2 % {PACK} THEN 1 END) FROM (SELECT unit, "
                "min(first_packed) AS h1, max(last_packed) AS h2, min(first_by_candidate) AS c1, max(last_by_candidate) AS c2 "
                "FROM cells WHERE unit IS NOT NULL GROUP BY unit HAVING sum(timed) > 1) AS by_unit",
            )
        )
        return int(found[0]), int(found[1])

    def places(self) -> tuple[LevelPlaces, ...]:
        """Requests by level of every attribute and by which model logged them."""
        found = []
        for attribute in self.attributes:
            rows = self.reading.engine.run(
                Step(
                    "levels",
                    f"SELECT {level_of(attribute)} AS level, sum(n_both), sum(n_champion_only), sum(n_candidate_only) FROM cells "
                    "GROUP BY level ORDER BY level",
                )
            )
            found += [LevelPlaces(attribute, str(level), int(b), int(h), int(c)) for level, b, h, c in rows]
        return tuple(found)

    def sums(self, quantity: Quantity, segment: str | None = None) -> tuple[UnitSums, ...]:
        """Exact sums and products over units of one quantity: overall, or at every level of an attribute."""
        index = self.quantities.index(quantity)
        width = len(quantity.values) + 1
        columns = [f"s{index}_{place}" for place in range(width)]
        level = "CAST(NULL AS VARCHAR)" if segment is None else level_of(segment)
        if self.among.by_user:
            inner = ", ".join(f"sum({column}) AS {column}" for column in columns)
            products = ", ".join(f"sum(CAST({a} AS HUGEINT) * {b})" for a, b in _pairs_of(columns))
            added = ", ".join(f"sum({column})" for column in columns)
            sql = (
                f"SELECT level, count(*), {added}, {products} FROM (SELECT {level} AS level, {inner} FROM cells "
                f"WHERE unit IS NOT NULL AND {columns[-1]} > 0 GROUP BY level, unit) AS by_unit GROUP BY level ORDER BY level"
            )
        else:
            products = ", ".join(f"sum(p{index}_{place})" for place in range(width * (width + 1) // 2))
            added = ", ".join(f"sum({column})" for column in columns)
            sql = (
                f"SELECT {level} AS level, sum({columns[-1]}), {added}, {products} FROM cells WHERE {columns[-1]} > 0 "
                "GROUP BY level ORDER BY level"
            )
        rows = self.reading.engine.run(Step("over_units", sql))
        found = tuple(unit_sums(quantity, row[1:], segment, row[0]) for row in rows)
        return found or ((unit_sums(quantity, ()),) if segment is None else ())


def sums_by_unit(reading: ShadowReading, quantity: Quantity, by_unit: str) -> UnitSums:
    """Exact sums over the rows of a statement that has ``s0``, ``s1``, … of one quantity, a row a unit."""
    columns = [f"s{place}" for place in range(len(quantity.values) + 1)]
    sums = ", ".join(f"sum(CAST({column} AS HUGEINT))" for column in columns)
    products = ", ".join(f"sum(CAST({a} AS HUGEINT) * {b})" for a, b in _pairs_of(columns))
    sql = f"SELECT count(*), {sums}, {products} FROM ({by_unit}) AS by_unit WHERE {columns[-1]} > 0"
    return unit_sums(quantity, reading.one(Step("over_units", sql)))


def _pairs_of(columns: Sequence[str]) -> list[tuple[str, str]]:
    """The upper triangle of products, by rows."""
    return [(a, b) for i, a in enumerate(columns) for b in columns[i:]]


def unit_sums(
    quantity: Quantity, row: Sequence[Any], segment: str | None = None, level: Any = None
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
        (*quantity.scales, 1),
        units,
        tuple(numbers[:width]),
        tuple(numbers[width:]),
    )


def level_of(attribute: str) -> str:
    return f"coalesce(CAST({ident('attribute ' + attribute)} AS VARCHAR), '(none)')"
