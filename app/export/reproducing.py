"""The last section of every page: hashes, versions, what was read, and the SQL behind the numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator

from app.export.blocks import Block, Code, Words
from app.export.kinds import AnyReadout
from app.export.records import manifest_table, pairs_table
from app.formats import count


def reproduce_blocks(readout: AnyReadout) -> Iterator[Block]:
    """What is needed to make the numbers again."""
    made = readout.reproduce
    pairs = [
        ("Readout, SHA-256", readout.sha256),
        ("Design, SHA-256", made.design_sha256),
        ("Evidence, SHA-256", made.evidence_sha256),
    ]
    if made.ledger_head is not None:
        pairs.append(("Ledger head", made.ledger_head))
    if made.ledger_count is not None:
        pairs.append(("Ledger records", count(made.ledger_count)))
    pairs += [(f"Version of {name}", version) for name, version in made.versions.items()]
    yield pairs_table("Hashes and versions", pairs)
    if made.manifest:
        yield manifest_table(made.manifest)
    yield Words("The exact sums behind every estimate are in the JSON form of this readout.")
    yield Code(
        "The plan as it was locked",
        "json",
        json.dumps(readout.design, indent=2, ensure_ascii=False, sort_keys=True),
    )
    for statement in made.statements:
        yield Code(f"SQL: {statement.step}", "sql", statement.sql)
