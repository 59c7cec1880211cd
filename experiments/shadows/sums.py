"""The statements that count and add up pairs, exactly: every result is a whole number, whatever the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.cohorts.cohort import CutOff
from experiments.logs.sql import DAY_US, MICROSECONDS, Step, ident, whole
from experiments.shadows.design import ShadowDesign
from experiments.shadows.evidence import UnitSums
from experiments.shadows.pairing import BOTH, CANDIDATE_ONLY, CHAMPION_ONLY
from experiments.shadows.quantities import Quantity


@dataclass(frozen=True, slots=True)
class Among:
    """Which pairs count, as SQL conditions over ``pairs``: those before the cut-off, of somebody, answered by both.

    Attributes:
        until_us: answers of the candidate and labels logged before this count; None for all that were read.
        window_us: only requests so long after their user's first, and only of users for whom that is over; None for all.
    """

    before_us: int | None
    by_user: bool
    until_us: int | None = None
    window_us: int | None = None

    @classmethod
    def of(cls, design: ShadowDesign, cut_off: CutOff) -> Among:
        window = design.written.window
        return cls(
            cut_off.before_us,
            design.by_user,
            cut_off.watermark_us,
            None if window is None else window * MICROSECONDS,
        )

    @property
    def in_time(self) -> str:
        return "TRUE" if self.before_us is None else f"at_us < {self.before_us}"

    @property
    def owned(self) -> str:
        """Logged by both in time, of somebody."""
        owned = " AND unit IS NOT NULL" if self.by_user else ""
        known = "" if self.until_us is None else f" AND coalesce(at_us + lag_us < {self.until_us}, TRUE)"
        return f"place = {BOTH} AND {self.in_time}{owned}{known}"

    @property
    def paired(self) -> str:
        if self.window_us is None:
            return self.owned
        over = "" if self.before_us is None else f" AND first_us + {self.window_us} <= {self.before_us}"
        return f"{self.owned} AND at_us < first_us + {self.window_us}{over}"

    @property
    def answered(self) -> str:
        return (
            f"{self.paired} AND NOT (champion_failed OR champion_late OR candidate_failed OR candidate_late)"
        )

    @property
    def labelled(self) -> str:
        known = "labelled_us IS NOT NULL" if self.until_us is None else f"labelled_us < {self.until_us}"
        return f"{self.answered} AND {known}"

    def counted(self, quantity: Quantity) -> str:
        if quantity.failed_too:
            return self.paired
        return self.labelled if quantity.labelled else self.answered


def places() -> str:
    """Requests by which model logged them: both, the champion alone, the candidate alone."""
    return ", ".join(
        f"count(CASE WHEN place = {place} THEN 1 END)" for place in (BOTH, CHAMPION_ONLY, CANDIDATE_ONLY)
    )


def flow_step(among: Among, far_us: int | None) -> Step:
    """Requests by place, and what the pairs among them can be trusted for."""
    far = "CAST(NULL AS BIGINT)" if far_us is None else f"count(CASE WHEN abs(lag_us) > {far_us} THEN 1 END)"
    units = f"count(DISTINCT CASE WHEN {among.labelled} THEN unit END)" if among.by_user else "0"
    return Step(
        "flow",
        f"SELECT {places()}, count(CASE WHEN duplicated THEN 1 END), "
        f"count(CASE WHEN place = {BOTH} AND champion_input IS NOT NULL AND candidate_input IS NOT NULL THEN 1 END), "
        f"count(CASE WHEN place = {BOTH} AND champion_input <> candidate_input THEN 1 END), {far}, "
        f"count(CASE WHEN place = {BOTH} AND unit IS NULL THEN 1 END), "
        f"count(CASE WHEN {among.owned} AND NOT ({among.paired}) THEN 1 END), "
        f"count(CASE WHEN {among.answered} THEN 1 END), count(CASE WHEN {among.labelled} THEN 1 END), {units} "
        f"FROM pairs WHERE {among.in_time}",
    )


def arrived_step(among: Among) -> Step:
    """Pairs answered, labelled and the units of these, at a cut-off."""
    units = f"count(DISTINCT CASE WHEN {among.labelled} THEN unit END)" if among.by_user else "0"
    return Step(
        "arrived",
        f"SELECT count(CASE WHEN {among.answered} THEN 1 END), count(CASE WHEN {among.labelled} THEN 1 END), {units} FROM pairs",
    )


def order_step(among: Among) -> Step:
    """Units with two pairs or more, and those whose first or last request is another one by the candidate's clock.

    Both clocks are packed into one number, so that of requests at the same moment the same one is first on every thread.
    """
    packed = "CAST(at_us AS HUGEINT) * 4611686018427387904 + (at_us + lag_us)"
    return Step(
        "order",
        "SELECT count(*), count(CASE WHEN first_by_candidate <> first_packed % 4611686018427387904 "
        "OR last_by_candidate <> last_packed % 4611686018427387904 THEN 1 END) FROM (SELECT unit, "
        f"min({packed}) AS first_packed, max({packed}) AS last_packed, min(at_us + lag_us) AS first_by_candidate, "
        f"max(at_us + lag_us) AS last_by_candidate FROM pairs WHERE {among.paired} AND lag_us IS NOT NULL "
        "GROUP BY unit HAVING count(*) > 1) AS by_unit",
    )


def days_step(among: Among) -> Step:
    day = whole("at_us", DAY_US)
    return Step(
        "days",
        f"SELECT {day} AS day, {places()} FROM pairs WHERE {among.in_time} GROUP BY day ORDER BY day",
    )


def levels_step(attribute: str, among: Among) -> Step:
    return Step(
        "levels",
        f"SELECT {level_of(attribute)} AS level, {places()} FROM pairs WHERE {among.in_time} "
        "GROUP BY level ORDER BY level",
    )


def level_of(attribute: str) -> str:
    return f"coalesce(CAST({ident('attribute ' + attribute)} AS VARCHAR), '(none)')"


def per_unit_step(wanted: Sequence[Quantity], among: Among) -> Step:
    """Every quantity's sums and number of pairs by unit; where the request is the unit, by pair.

    Its numbers are made once per pair (``said``), then kept where none of them is missing.
    """
    said, columns = [], []
    for index, one in enumerate(wanted):
        own = [f"v{index}_{place}" for place in range(len(one.values))]
        said += [f"{value} AS {column}" for value, column in zip(one.values, own, strict=True)]
        said.append(f"{among.counted(one)} AS counted{index}")
        counts = " AND ".join([f"counted{index}", *(f"{column} IS NOT NULL" for column in own)])
        for place, column in enumerate([*own, "1"]):
            term = f"CASE WHEN {counts} THEN {column} ELSE 0 END"
            columns.append(
                f"sum({term}) AS q{index}_{place}" if among.by_user else f"{term} AS q{index}_{place}"
            )
    group = " GROUP BY unit" if among.by_user else ""
    return Step(
        "per_unit",
        f"CREATE OR REPLACE TEMP TABLE per_unit AS SELECT {', '.join(columns)} FROM (SELECT unit, {', '.join(said)} FROM pairs "
        f"WHERE {among.paired}) AS said{group}",
    )


def over_units_step(quantity: Quantity, index: int) -> Step:
    """Exact sums and products over units of one quantity."""
    columns = [f"q{index}_{place}" for place in range(len(quantity.values) + 1)]
    return Step("over_units", f"SELECT {_over_units(columns)} FROM per_unit WHERE {columns[-1]} > 0")


def _over_units(columns: Sequence[str]) -> str:
    sums = [f"sum(CAST({column} AS HUGEINT))" for column in columns]
    products = [f"sum(CAST({a} AS HUGEINT) * {b})" for i, a in enumerate(columns) for b in columns[i:]]
    return ", ".join(["count(*)", *sums, *products])


def unit_sums(
    quantity: Quantity, row: Sequence[Any], segment: str | None = None, level: str | None = None
) -> UnitSums:
    """What ``over_units_step`` returned, or a row of ``level_step`` after its level."""
    k = len(quantity.names) + 1
    units, *numbers = (int(value or 0) for value in row)
    return UnitSums(
        quantity.name,
        segment,
        level,
        (*quantity.names, "pairs"),
        (*quantity.scales, 1),
        units,
        tuple(numbers[:k]),
        tuple(numbers[k:]),
    )


def level_step(quantity: Quantity, attribute: str, among: Among) -> Step:
    """The sums of one quantity over units at every level of an attribute."""
    own = [f"v{place}" for place in range(len(quantity.values))]
    said = ", ".join(f"{value} AS {column}" for value, column in zip(quantity.values, own, strict=True))
    columns = [f"q{place}" for place in range(len(own) + 1)]
    terms = zip((*own, "1"), columns, strict=True)
    inner = ", ".join(
        f"sum({term}) AS {column}" if among.by_user else f"{term} AS {column}" for term, column in terms
    )
    group = " GROUP BY level, unit" if among.by_user else ""
    return Step(
        "levels_over_units",
        f"SELECT level, {_over_units(columns)} FROM (SELECT level, {inner} FROM (SELECT unit, {level_of(attribute)} AS level, "
        f"{said} FROM pairs WHERE {among.counted(quantity)}) AS said WHERE {' AND '.join(f'{c} IS NOT NULL' for c in own)}"
        f"{group}) AS by_unit GROUP BY level ORDER BY level",
    )


def table_step(champion: str, candidate: str, attribute: str | None, condition: str) -> Step:
    """Right and wrong by pair, overall or by level."""
    level = "CAST(NULL AS VARCHAR)" if attribute is None else level_of(attribute)
    cells = ", ".join(
        f"count(CASE WHEN h = {h} AND c = {c} THEN 1 END)" for h, c in ((1, 1), (0, 1), (1, 0), (0, 0))
    )
    return Step(
        "right_and_wrong",
        f"SELECT level, {cells} FROM (SELECT {level} AS level, {champion} AS h, {candidate} AS c FROM pairs WHERE {condition}) "
        "AS judged WHERE h IS NOT NULL AND c IS NOT NULL GROUP BY level ORDER BY level",
    )


def answers_step(condition: str) -> Step:
    return Step(
        "answers",
        "SELECT CAST(champion_answer AS VARCHAR) AS champion, CAST(candidate_answer AS VARCHAR) AS candidate, count(*) "
        f"FROM pairs WHERE {condition} AND champion_answer IS NOT NULL AND candidate_answer IS NOT NULL "
        "GROUP BY champion, candidate ORDER BY champion, candidate",
    )
