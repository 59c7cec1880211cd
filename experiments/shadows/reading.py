"""Pairs of one shadow's logs, made once for a purpose.

Without ``content`` they hold who answered when, and whether a model failed: never what it said, never a label.
"""

from __future__ import annotations

from experiments.logs.sql import Step, ident
from experiments.shadows.open_predictions import OpenPredictions
from experiments.shadows.pairing import Wanted, long_pairs, pairs_step, whose_step, wide_pairs
from experiments.shadows.sides import OPEN, SAYS, Bounds, side


class ShadowReading(OpenPredictions):
    """The logs of one shadow, and table ``pairs`` made of them.

    Attributes:
        duplicated: whether a request was logged, or labelled, more than once. conflicting: requests with labels that differ.
    """

    duplicated = False
    conflicting = 0

    def rows(self, until_us: int | None) -> tuple[int, int, int]:
        """Rows read of champion and candidate, and rows of any model without a request id or a time."""
        counted = []
        for version in (self.design.champion, self.design.candidate):
            if self.source.wide:
                counted.append(0)
                continue
            rows = side(self.predictions, version, self.typed, Bounds(until_us, self.timed), ())
            counted.append(
                int(self.engine.run(Step("rows", f"SELECT count(*) FROM ({rows}) AS rows_read"))[0][0])
            )
        broken = 0
        for one in self.predictions:
            needed = [
                one.log.columns.request,
                *([one.log.columns.scored_at] if one.log.columns.scored_at else []),
            ]
            missing = " OR ".join(f"{ident(column)} IS NULL" for column in needed)
            sql = f"SELECT count(CASE WHEN {missing} THEN 1 END) FROM {one.opened.sql}"
            broken += int(self.engine.run(Step("broken", sql))[0][0])
        return counted[0], counted[1], broken

    def pair(self, until_us: int | None, *, content: bool, requests: bool = False) -> tuple[int, int, int]:
        """Make table ``pairs`` from the rows before a moment; returns rows of champion and candidate, and broken rows.

        Args:
            requests: whether a pair keeps its request's id.
        """
        champion, candidate, broken = self.rows(until_us)
        self.engine.run(pairs_step(self._query(until_us, self._wanted(content, requests, grouped=False))))
        self.duplicated, self.conflicting = False, 0
        if self._has_duplicates(champion, candidate):
            self.duplicated = True
            self.conflicting = self._conflicting(until_us) if content else 0
            self.engine.run(pairs_step(self._query(until_us, self._wanted(content, requests, grouped=True))))
        self._whose(until_us)
        if self.design.written.window is not None:
            self.engine.run(FIRST_REQUEST)
        if self.source.wide:
            both = self.engine.run(
                Step(
                    "rows",
                    "SELECT count(CASE WHEN place < 2 THEN 1 END), count(CASE WHEN place <> 1 THEN 1 END) FROM pairs",
                )
            )
            champion, candidate = int(both[0][0]), int(both[0][1])
        return champion, candidate, broken

    def _wanted(self, content: bool, requests: bool, *, grouped: bool) -> Wanted:
        """Failures always, whatever else is logged of both models only where it may be read."""
        logged = [name for name, column in SAYS.items() if column in self.columns]
        said = [
            name
            for name in SAYS
            if name in {"failed", "late"} or (name in logged and (content or name in OPEN))
        ]
        return Wanted(tuple(said), self.design.attributes, content, grouped, requests)

    def _query(self, until_us: int | None, wanted: Wanted) -> str:
        design, bounds = self.design, Bounds(until_us, self.timed)
        labels = None
        if self.source.labels is not None:
            labels = self.labels(until_us, content=wanted.content)
            if wanted.grouped:
                labels = _one_label(labels, content=wanted.content)
        if self.source.wide:
            versions = design.champion, design.candidate
            return wide_pairs(self.predictions[0], versions, labels, self.typed, bounds, wanted)
        champion = side(self.predictions, design.champion, self.typed, bounds, wanted.said, design.attributes)
        candidate = side(self.predictions, design.candidate, self.typed, bounds, wanted.said)
        return long_pairs(champion, candidate, labels, wanted)

    def _whose(self, until_us: int | None) -> None:
        """Give the requests that the candidate alone logged their unit and attributes."""
        bounds, design = Bounds(until_us, self.timed), self.design
        rows = side(self.predictions, design.candidate, self.typed, bounds, (), design.attributes)
        if not self.source.wide and self.one(Step("lone", "SELECT count(*) FROM pairs WHERE place = 2"))[0]:
            self.engine.run(whose_step(rows, design.attributes))

    def _has_duplicates(self, champion: int, candidate: int) -> bool:
        """Whether a request or a label met more than one row; told by the numbers of rows, without grouping them all.

        Without duplicates each row of a model is in one pair. A request that one model logged twice makes a pair too many
        for the other; requests that only one model logged, or that a wide log holds, are grouped.
        """
        if self.source.wide:
            return self._wide_duplicates()
        both, lone_champion, lone_candidate = (
            int(n)
            for n in self.engine.run(
                Step(
                    "meeting",
                    "SELECT count(CASE WHEN place = 0 THEN 1 END), count(CASE WHEN place = 1 THEN 1 END), "
                    "count(CASE WHEN place = 2 THEN 1 END) FROM pairs",
                )
            )[0]
        )
        if both + lone_champion != champion or both + lone_candidate != candidate:
            return True
        sql = "SELECT 1 FROM pairs WHERE unmatched IS NOT NULL GROUP BY place, unmatched HAVING count(*) > 1 LIMIT 1"
        return bool(self.engine.run(Step("repeated", sql)))

    def _wide_duplicates(self) -> bool:
        one = self.predictions[0]
        request = ident(one.log.columns.request)
        counted = self.engine.run(
            Step("repeated", f"SELECT count({request}), count(DISTINCT {request}) FROM {one.opened.sql}")
        )[0]
        if int(counted[0]) != int(counted[1]):
            return True
        labels = self.labels(None, content=False)
        counted = self.one(
            Step("repeated", f"SELECT count(request), count(DISTINCT request) FROM ({labels}) AS every_label")
        )
        return int(counted[0]) != int(counted[1])

    def _conflicting(self, until_us: int | None) -> int:
        """Requests with two labels that differ: nobody can tell which is true, so they count as unlabelled."""
        labels = self.labels(until_us, content=True)
        sql = (
            f"SELECT count(*) FROM (SELECT request FROM ({labels}) AS every_label GROUP BY request "
            "HAVING min(label) <> max(label)) AS differing"
        )
        return int(self.engine.run(Step("conflicting", sql))[0][0])


FIRST_REQUEST = Step(
    "first_request",
    "CREATE OR REPLACE TEMP TABLE pairs AS SELECT pairs.*, first_request.first_us FROM pairs LEFT JOIN (SELECT unit, "
    "min(at_us) AS first_us FROM pairs WHERE unit IS NOT NULL GROUP BY unit) AS first_request ON first_request.unit = pairs.unit",
)
"""When a user's window begins."""


def _one_label(labels: str, *, content: bool) -> str:
    """One label a request, known since the first of its rows; where labels differ there is none."""
    value, same = ("", "") if not content else (", min(label) AS label", " HAVING min(label) = max(label)")
    return f"SELECT request, min(labelled_us) AS labelled_us{value} FROM ({labels}) AS every_label GROUP BY request{same}"
