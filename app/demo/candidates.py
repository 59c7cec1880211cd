"""Four candidates whose truth is known, their declared rungs, and the traffic that they meet on each.

A day of a candidate is drawn from its own seed alone, so that a later call writes the same days again; effects are chosen so
far apart that each ending is all but certain (a test computes how certain).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from experiments.assignment.hashing import POSITIONS, Assignment, positions

MIRRORED_DAYS: Final = 7
REQUESTS: Final = 7_000
"""Mirrored in those days, of ``MIRRORED_USERS`` users."""
MIRRORED_USERS: Final = 2_000
RIGHT: Final = 0.80
"""Share of its answers that the champion gets right."""
VISITORS: Final = 4_000
"""Users who come anew each day, all shares together."""
RESOLVED: Final = 0.60
"""Share of users whom the champion helps."""
ANSWER_MS: Final = 220.0
COUNTRIES: Final = {"DE": 0.6, "FR": 0.4}
LAST_VISIT: Final = 85_000
"""Seconds into the day: what a user does falls on the day of the visit."""
STEPS: Final = ("10%", "25%")


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is true of one candidate, and where it has to end.

    Attributes:
        right: added to the champion's share of right answers, by country.
        slower: milliseconds added to an answer.
        helped: added to the share of users who are helped.
        ends: the state of its rollout, and the rung whose readout it rests on.
    """

    model: str
    story: str
    truth: str
    right: tuple[float, float] = (0.03, 0.03)
    slower: float = 2.0
    helped: float = 0.05
    ends: str = "promoted"
    last_rung: str = "ab"
    verdict: str = "SHIP"
    because: str = ""
    seed: int = 0

    @property
    def title(self) -> str:
        return f"The new {self.model} in place of the old"


CANDIDATES: Final = (
    Candidate(
        "helpdesk",
        "better",
        "answers +3 pp right, users +5 pp helped",
        because="declared success rule",
        seed=11,
    ),
    Candidate(
        "billing",
        "equal in total, collapses in a segment",
        "answers +6 pp right in DE, −9 pp in FR",
        right=(0.06, -0.09),
        helped=0.0,
        ends="rolled_back",
        last_rung="shadow",
        verdict="DO NOT PASS",
        because="country = FR",
        seed=12,
    ),
    Candidate(
        "travel",
        "better, and too slow",
        "answers +4 pp right, 80 ms slower",
        right=(0.04, 0.04),
        slower=80.0,
        ends="rolled_back",
        last_rung="canary",
        verdict="DO NOT PASS",
        because="answer_ms",
        seed=13,
    ),
    Candidate(
        "school",
        "better offline and in the shadow, worse on users",
        "answers +3 pp right, users −6 pp helped",
        helped=-0.06,
        ends="rolled_back",
        last_rung="ab",
        verdict="DO NOT SHIP",
        because="resolved",
        seed=14,
    ),
)


def shadow_of(candidate: Candidate) -> str:
    """The shadow's design file."""
    return f"""\
kind: shadow
title: {candidate.title}, in its shadow
hypothesis: the new version answers at least as well, in both countries
model: {candidate.model}
champion: {{version: v1}}
candidate: {{version: v2}}
task: binary
primary: {{margin: 0.02, reason: two wrong answers in a hundred cost a call more in a thousand}}
segments:
  - {{attribute: country, margin: 0.03, reason: no country may pay for the other, levels: [DE, FR]}}
limits:
  - {{measure: error_share, worsening: 0.01, reason: the error budget of the service}}
minimum_labels: 5000
size: {{requests_per_unit: 3}}
label_delay: 1d
stopping: {{minimum_duration: {MIRRORED_DAYS}d}}
source: {candidate.model}
"""


def canary_of(candidate: Candidate) -> str:
    """The canary's design file. Whether users are helped is left to the A/B: a canary asks whether they are harmed."""
    steps = "\n".join(f"  - {{share: {share}, hold: 2d, minimum_units: 200}}" for share in STEPS)
    return f"""\
kind: canary
title: {candidate.title}, for few users
model: {candidate.model}
champion: {{version: v1}}
candidate: {{version: v2}}
steps:
{steps}
guardrails:
  - {{metric: answer_ms, margin: {{absolute: 30}}, reason: thirty milliseconds more are not felt, window: 1h}}
checks: {{every: 1d}}
assignment: {{salt: "layer:{candidate.model}", key: {candidate.model}-canary}}
source: ladder
"""


def rollout_of(candidate: Candidate, shadow: str) -> str:
    """The document over all rungs."""
    return f"""\
title: {candidate.title}
model: {candidate.model}
champion: {{version: v1}}
candidate: {{version: v2}}
rungs:
  shadow: {{registered: {shadow}}}
  canary: {{}}
  ab:
    design:
      primary: {{metric: resolved, mde: {{absolute: 0.03}}}}
      stopping: {{minimum_duration: 7d, maximum_duration: 14d}}
      power: {{units_per_day: {VISITORS // 2}}}
      source: ladder
risk_budget: {{share: 25%, units: 20000, duration: 8w}}
"""


def predictions_file(folder: str = "logs/mirrored") -> dict[str, Any]:
    """The workspace's predictions file: a source a candidate."""
    columns = {"request": "request", "unit": "user", "scored_at": "scored_at", "model": "model"}
    columns |= {"prediction": "answer", "latency_ms": "latency_ms", "error": "error"}

    def source(model: str) -> dict[str, Any]:
        return {
            "logs": [
                {
                    "files": f"{folder}/{model}/predictions/dt=*/*.parquet",
                    "partition": "dt",
                    "columns": columns,
                    "attributes": {"country": "country"},
                }
            ],
            "labels": {
                "files": f"{folder}/{model}/labels/dt=*/*.parquet",
                "partition": "dt",
                "columns": {"request": "request", "label": "label", "labelled_at": "labelled_at"},
            },
        }

    return {"predictions": {one.model: source(one.model) for one in CANDIDATES}}


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What both models answered to the same requests, and what was true."""

    predictions: pd.DataFrame
    labels: pd.DataFrame


def mirrored(candidate: Candidate, start: datetime) -> Mirrored:
    """The requests of the shadow, from a midnight on."""
    draw = np.random.default_rng([candidate.seed, 0])
    n = REQUESTS
    user = draw.integers(0, MIRRORED_USERS, n)
    country = np.where(user % 10 < 10 * COUNTRIES["DE"], "DE", "FR")
    at = np.sort(draw.uniform(0, MIRRORED_DAYS * 86_400 - 60, n))
    truth = draw.random(n) < 0.4
    ease = draw.random(n)
    added = np.where(country == "DE", *candidate.right)
    request = [f"{candidate.model}-r{i}" for i in range(n)]
    rows = []
    for version, share, slower, later in (
        ("v1", RIGHT, 0.0, 0.0),
        ("v2", RIGHT + added, candidate.slower, 0.1),
    ):
        noise = draw.normal(0, 0.12, n)
        right = np.clip(ease + noise, 0, 1) < share
        right = np.where(draw.random(n) < 0.02, ~right, right)
        rows.append(
            pd.DataFrame(
                {
                    "request": request,
                    "user": [f"{candidate.model}-m{one}" for one in user],
                    "country": country,
                    "model": version,
                    "answer": np.where(right, truth, ~truth).astype(int),
                    "latency_ms": np.round((ANSWER_MS + slower) * draw.lognormal(-0.03, 0.25, n), 3),
                    "error": draw.random(n) < 0.004,
                    "scored_at": _moments(start, at + later),
                }
            )
        )
    labelled = at + draw.uniform(600, 80_000, n)
    labels = pd.DataFrame(
        {"request": request, "label": truth.astype(int), "labelled_at": _moments(start, labelled)}
    )
    return Mirrored(pd.concat(rows, ignore_index=True), labels)


@dataclass(frozen=True, slots=True)
class Visits:
    """Users who came on one day."""

    users: list[str]
    at: np.ndarray
    luck: np.ndarray
    noise: np.ndarray


def visits(candidate: Candidate, day: datetime) -> Visits:
    """The same users at the same moments, whoever asks and however often."""
    draw = np.random.default_rng([candidate.seed, 1 + day.toordinal()])
    users = [f"{candidate.model}-u{day:%m%d}-{i}" for i in range(VISITORS)]
    return Visits(
        users,
        np.sort(draw.uniform(0, LAST_VISIT, VISITORS)),
        draw.random(VISITORS),
        draw.normal(0, 1, VISITORS),
    )


@dataclass(frozen=True, slots=True)
class Served:
    """From when on which users get which version: the candidate's slice and the equal one at the other end."""

    experiment: str
    begins: datetime
    ends: datetime
    share: float | None = None
    salt: str | None = None
    assignment: Assignment | None = None

    def arms(self, users: Sequence[str]) -> np.ndarray:
        """``control``, ``candidate`` or nothing, for each user."""
        if self.assignment is not None:
            return np.array([arm or "" for arm in self.assignment.arms_of(list(users))], dtype=object)
        place = positions(self.salt or "", users) / POSITIONS
        share = self.share or 0.0
        return np.where(place < share, "candidate", np.where(place >= 1 - share, "control", "")).astype(
            object
        )


def day_of(
    candidate: Candidate, day: datetime, served: Sequence[Served]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Assignments and outcomes of one day."""
    came = visits(candidate, day)
    assigned, outcomes = [], []
    for one in served:
        begins, ends = ((moment - day).total_seconds() for moment in (one.begins, one.ends))
        arms = one.arms(came.users)
        here = np.flatnonzero((came.at >= begins) & (came.at < ends) & (arms != ""))
        users = np.array(came.users, dtype=object)[here]
        new = arms[here] == "candidate"
        at, helped = came.at[here], came.luck[here] < RESOLVED + candidate.helped * new
        took = np.maximum((ANSWER_MS + candidate.slower * new) + 80 * came.noise[here], 5.0)
        assigned.append(
            pd.DataFrame(
                {
                    "experiment": one.experiment,
                    "unit": users,
                    "arm": arms[here],
                    "assigned_at": _moments(day, at),
                }
            )
        )
        outcomes += [
            pd.DataFrame(
                {
                    "unit": users,
                    "event": "answer_ms",
                    "value": np.round(took, 1),
                    "occurred_at": _moments(day, at + 1),
                }
            ),
            pd.DataFrame(
                {
                    "unit": users[helped],
                    "event": "resolved",
                    "value": 1.0,
                    "occurred_at": _moments(day, at[helped] + 600),
                }
            ),
        ]
    empty = [pd.DataFrame(columns=["experiment", "unit", "arm", "assigned_at"])]
    return pd.concat(assigned or empty, ignore_index=True), pd.concat(
        outcomes or [pd.DataFrame(columns=["unit", "event", "value", "occurred_at"])], ignore_index=True
    )


def write_by_day(frame: pd.DataFrame, folder: Path, name: str, time: str, until: datetime) -> None:
    """A folder a day with what had come by ``until``; days that are over are marked as such."""
    frame = frame[frame[time] < pd.Timestamp(until)]
    for day, rows in frame.groupby(frame[time].dt.date):
        at = folder / f"dt={day}"
        at.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(at / f"{name}.parquet", coerce_timestamps="us", allow_truncated_timestamps=True)


def mark_days(folder: Path, start: datetime, until: datetime) -> None:
    """Every day from ``start`` that was over by ``until`` is complete, also one on which nothing happened."""
    day = start
    while day + timedelta(days=1) <= until:
        at = folder / f"dt={day:%Y-%m-%d}"
        at.mkdir(parents=True, exist_ok=True)
        (at / "_SUCCESS").touch()
        day += timedelta(days=1)


def _moments(start: datetime, seconds: np.ndarray) -> pd.Series:
    return pd.Series(pd.Timestamp(start.astimezone(UTC)) + pd.to_timedelta(np.round(seconds, 3), unit="s"))
