"""With 1,000 experiments and 100,000 ledger records a page is drawn in well under a second on the server's side."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from registry import membership, store
from registry.actors import Role
from registry.clock import SimulatedClock
from tests.app.browsing import visit
from tests.app.life import METRICS, SOURCES
from tests.registry.conftest import make_plan
from tests.registry.test_size import fill

MOMENT = datetime(2026, 11, 3, 12, tzinfo=UTC)
LIMIT = 1.0
"""Seconds; measured are 0.1 to 0.2 for the slowest, on two busy cores."""


@pytest.mark.slow
def test_pages_of_a_large_registry_are_quick(tmp_path, monkeypatch):
    (tmp_path / ".fairtrial").mkdir()
    (tmp_path / "fairtrial.yaml").write_text(
        f'one_person: uma\nclock: "{MOMENT.isoformat()}"\n', encoding="utf-8"
    )
    (tmp_path / "metrics.yaml").write_text(METRICS, encoding="utf-8")
    (tmp_path / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    with store.open_registry(
        str(tmp_path / ".fairtrial" / "registry.db"), clock=SimulatedClock(MOMENT)
    ) as registry:
        membership.found(registry, "uma", "Uma", one_person=True, also=[Role.ANALYST])
        fill(registry, make_plan)
    monkeypatch.chdir(tmp_path)
    measured = {}
    for address in ("", "experiments", "metrics", "audit"):
        visit(address, "uma")  # the first one imports
        times = []
        for _ in range(3):
            start = time.perf_counter()
            shown = visit(address, "uma")
            times.append(time.perf_counter() - start)
            assert not shown.exception
            assert not shown.error
        measured[address or "home"] = sorted(times)[1]
    print(measured)
    assert max(measured.values()) < LIMIT, measured
