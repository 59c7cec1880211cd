"""Which pairs count, and what is asked of all of them at once; every result is a whole number, whatever the order of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from experiments.cohorts.cohort import CutOff
from experiments.logs.sql import DAY_US, MICROSECONDS, Step, ident, whole
from experiments.shadows.design import ShadowDesign
from experiments.shadows.pairing import BOTH, CANDIDATE_ONLY, CHAMPION_ONLY
from experiments.shadows.quantities import Counts

MILLISECOND: Final = 1000


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

    def condition(self, kind: Counts) -> str:
        return {"paired": self.paired, "answered": self.answered, "labelled": self.labelled}[kind]


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


def flow_step(among: Among, far_us: int | None) -> Step:
    """Everything of ``Flow``.

    Args:
        far_us: beyond which a pair was answered too far apart; None without times.
    """
    conditions = (
        "duplicated",
        "hashed",
        "other_input",
        "FALSE" if far_us is None else f"abs(lag_us) > {far_us}",
        f"place = {BOTH} AND unit IS NULL",
        f"{among.owned} AND NOT ({among.paired})",
        among.answered,
        among.labelled,
    )
    counts = ", ".join(f"count(CASE WHEN {when} THEN 1 END)" for when in conditions)
    return Step("flow", f"SELECT {places()}, {counts} FROM pairs WHERE {among.in_time}")


def order_step(among: Among, base_us: int, within_us: int) -> Step:
    """Users with two pairs or more, and those whose first or last request is another one by the candidate's clock.

    By milliseconds, of the pairs that were answered together. Both clocks are packed into one number, so that of requests at
    the same moment the same one is first on every thread.

    Args:
        base_us: no request is earlier. within_us: how far apart a pair may be answered.
    """
    within = within_us // MILLISECOND
    width = 2 * within + 1
    at, lag = (
        f"(at_us - {base_us}) // {MILLISECOND}",
        f"((at_us + lag_us - {base_us}) // {MILLISECOND} - at_ms)",
    )
    lagged = f"SELECT unit, at_ms, {lag} AS lag_ms FROM (SELECT unit, at_us, lag_us, {at} AS at_ms FROM pairs WHERE {among.paired} "
    together = f"SELECT unit, at_ms, lag_ms FROM ({lagged} AND lag_us IS NOT NULL) AS timed) AS lagged WHERE abs(lag_ms) <= {within}"
    first, last = (f"{packed} // {width} + {packed} % {width} - {within}" for packed in ("h1", "h2"))
    return Step(
        "order",
        f"SELECT count(*), count(CASE WHEN c1 <> {first} OR c2 <> {last} THEN 1 END) FROM (SELECT unit, "
        f"min(at_ms * {width} + lag_ms + {within}) AS h1, max(at_ms * {width} + lag_ms + {within}) AS h2, "
        f"min(at_ms + lag_ms) AS c1, max(at_ms + lag_ms) AS c2 FROM ({together}) AS together GROUP BY unit HAVING count(*) > 1) "
        "AS by_unit",
    )


def requests_of(among: Among) -> str:
    """Requests before the cut-off, a row each: whose, with their attributes, matched or not."""
    return (
        f"SELECT *, CASE WHEN place = {BOTH} THEN 1 ELSE 0 END AS matched, CASE WHEN place = {BOTH} THEN 0 ELSE 1 END AS lone "
        f"FROM pairs WHERE {among.in_time}"
    )


def other_places_step(attribute: str, among: Among) -> Step:
    """Requests before the cut-off that are no pair of somebody, by level and by which model logged them."""
    return Step(
        "levels",
        f"SELECT {level_of(attribute)} AS level, {places()} FROM pairs WHERE {among.in_time} AND NOT ({among.owned}) "
        "GROUP BY level ORDER BY level",
    )


def level_of(attribute: str) -> str:
    return f"coalesce(CAST({ident('attribute ' + attribute)} AS VARCHAR), '(none)')"


def places() -> str:
    """Requests by which model logged them: both, the champion alone, the candidate alone."""
    return ", ".join(
        f"count(CASE WHEN place = {place} THEN 1 END)" for place in (BOTH, CHAMPION_ONLY, CANDIDATE_ONLY)
    )


def arrived_step(among: Among) -> Step:
    """Pairs answered, labelled and the units of these, at a cut-off."""
    units = f"count(DISTINCT CASE WHEN {among.labelled} THEN unit END)" if among.by_user else "0"
    return Step(
        "arrived",
        f"SELECT count(CASE WHEN {among.answered} THEN 1 END), count(CASE WHEN {among.labelled} THEN 1 END), {units} FROM pairs",
    )


def days_step(among: Among) -> Step:
    day = whole("at_us", DAY_US)
    return Step(
        "days",
        f"SELECT {day} AS day, {places()} FROM pairs WHERE {among.in_time} GROUP BY day ORDER BY day",
    )


def answers_step(among: Among, *, answers: bool, labels: bool) -> Step:
    """What both models said and, of labelled pairs, what was true, by how often."""
    said = (
        "champion_answer AS champion, candidate_answer AS candidate"
        if answers
        else "NULL AS champion, NULL AS candidate"
    )
    label = f"CASE WHEN {among.labelled} THEN label END" if labels else "NULL"
    return Step(
        "answers",
        "SELECT CAST(champion AS VARCHAR), CAST(candidate AS VARCHAR), CAST(truth AS VARCHAR), pairs FROM (SELECT champion, "
        f"candidate, truth, count(*) AS pairs FROM (SELECT {said}, {label} AS truth FROM pairs WHERE {among.answered}) AS said "
        "GROUP BY champion, candidate, truth) AS counted ORDER BY champion, candidate, truth",
    )
