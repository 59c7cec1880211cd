"""Intervals over requests where a user has 1 to 500 of them: by user, and as if every request stood alone.

The data and the two kinds of interval are those of ``tests.analysis.test_cluster_coverage``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.analysis.test_cluster_coverage import coverage_of_p95, coverage_of_ratio
from tests.guarantees.measuring import Share

LAWS: Final = {0: "1/m", 1: "1/m²"}
FEWEST_EFFECTIVE: Final = 100
"""Below so many effective users an interval by user is known to be a few points too narrow."""


@dataclass(frozen=True)
class ByUser:
    """Coverage of nominal 95 % intervals.

    Attributes:
        law: how likely a user is to have m requests, up to a factor.
        effective: users that count, all weighed by their requests; None for a quantile.
    """

    metric: str
    law: str
    users: int
    effective: float | None
    by_user: Share
    naive: Share


def coverages(replays: int, seed: int, sizes: tuple[int, ...] = (300, 1_000, 5_000)) -> Iterator[ByUser]:
    """Every metric, law and number of users per arm; the p95 in a fifth of the replays, a twentieth at 5,000 users."""
    for kind in ("mean", "proportion"):
        for tail, law in LAWS.items():
            for users in sizes:
                by_user, naive, effective = coverage_of_ratio(
                    kind, users=users, tail=tail, informative=False, replays=replays, seed=seed
                )
                yield ByUser(kind, law, users, effective, _share(by_user, replays), _share(naive, replays))
    for tail, law in LAWS.items():
        for users in sizes:
            fewer = max(20, replays // (5 if users < 5_000 else 20))
            by_user, naive, computed = coverage_of_p95(users=users, tail=tail, replays=fewer, seed=seed)
            had = round(computed * fewer)
            yield ByUser("p95", law, users, None, _share(by_user, had), _share(naive, fewer))


def _share(share: float, replays: int) -> Share:
    return Share(round(share * replays), replays, 0.95, at_least=True)
