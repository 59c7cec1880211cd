"""Quick with 1,000 experiments and 100,000 records; no slower to append to than an empty one."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry import ledger, lifecycle, membership, store
from registry.actors import Role
from registry.clock import instant
from registry.database import Registry
from registry.tables import ledger as ledger_table
from registry.verification import verify

EXPERIMENTS = 1_000
RECORDS = 100_000


def seconds(doing: Callable[[], Any], repeats: int = 5) -> float:
    """The median time of a few runs: one slow disk write must not decide."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        doing()
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]


def fill(registry: Registry, plan: Callable[..., Any]) -> None:
    """A thousand experiments by the front door's unit of work, and reads of outcomes up to the wanted count."""
    for number in range(EXPERIMENTS):
        own = {"assignment.salt": f"salt {number}", "assignment.key": f"key {number}"}
        lifecycle.create_draft(registry, "uma", plan(f"Experiment number {number}", edit=own))
    with registry.writing() as connection:
        head = ledger.head(connection)
        rows = []
        previous = head.hash
        for seq in range(head.count + 1, RECORDS + 1):
            row = {
                "seq": seq,
                "at": instant(registry.clock.now()),
                "simulated": True,
                "actor": "system",
                "role": "System",
                "action": ledger.READ_OUTCOMES,
                "entity": f"EXP-{seq % EXPERIMENTS + 1:04d}",
                "version": None,
                "summary": "Read 10 rows of outcomes.",
                "reason": "a look",
                "detail": json.dumps({"changes": [], "facts": {"rows": 10}}, separators=(",", ":")),
                "key_id": None,
                "prev_hash": previous,
                "hash": "",
            }
            previous = row["hash"] = ledger.hash_of(ledger.Entry(**row), None)
            rows.append(row)
        connection.execute(ledger_table.insert(), rows)


@pytest.mark.slow
def test_a_large_registry_is_quick(tmp_path: Path, clock: Any, plan: Callable[..., Any]) -> None:
    with store.open_registry(str(tmp_path / "r.db"), clock=clock) as registry:
        membership.found(registry, "uma", "Uma", one_person=True, also=[Role.ANALYST])
        append = seconds(lambda: lifecycle.record_outcome_read(registry, "system", "source", "try", 1), 21)
        fill(registry, plan)
        assert store.head(registry).count == RECORDS
        assert len(store.list_experiments(registry)) == EXPERIMENTS

        measured = {
            "list": seconds(lambda: store.list_experiments(registry)),
            "search": seconds(lambda: store.list_experiments(registry, text="number 77")),
            "show": seconds(lambda: store.show(registry, "EXP-0500")),
            "verify": seconds(lambda: verify(registry), 1),
            "append": seconds(
                lambda: lifecycle.record_outcome_read(registry, "system", "source", "try", 1), 21
            ),
        }
        print({"append when empty": append} | measured)
        assert verify(registry).ok
        assert measured["list"] < 0.1
        assert measured["search"] < 0.1
        assert measured["show"] < 0.1
        assert measured["verify"] < 15
        assert measured["append"] < 3 * append + 0.005
