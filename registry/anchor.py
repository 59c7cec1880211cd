"""The anchor: a file outside the database that remembers where the ledger ended after each commit.

Whoever cuts or rewrites the ledger's tail with plain SQL leaves the anchor behind as a witness. Keep it where
the database's users cannot write: another disk, another machine, an append-only bucket.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry.canonical import canonical_json
from registry.errors import AnchorNotWritten
from registry.ledger import Head


@dataclass(frozen=True, slots=True)
class Witness:
    """One line of the anchor: the ledger had `count` records and the last had this hash."""

    line: int
    count: int
    head: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchor file, open at its end."""

    path: Path | None
    descriptor: int | None

    def write(self, head: Head) -> None:
        """Add a line and wait until it is on the disk."""
        if self.descriptor is None:
            return
        line = canonical_json({"at": head.at, "count": head.count, "head": head.hash}) + "\n"
        try:
            os.write(self.descriptor, line.encode())
            os.fsync(self.descriptor)
        except OSError as error:
            raise AnchorNotWritten(
                f"the act is recorded as record {head.count}, but the anchor {self.path} could not be "
                f"written ({error.strerror}); mend that: the next act's line witnesses this one too"
            ) from error


@contextmanager
def anchor_at(path: Path | None) -> Iterator[Anchor]:
    """Open the anchor before the act, so that a missing folder or permission stops it before it is saved."""
    if path is None:
        yield Anchor(None, None)
        return
    # One short write to a file opened for appending lands whole, also when processes write at once.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        yield Anchor(path, descriptor)
    finally:
        os.close(descriptor)


def witnesses(path: Path) -> tuple[list[Witness], list[str]]:
    """The lines of an anchor, and what is wrong with those that cannot be read."""
    good, bad = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
            good.append(Witness(number, int(record["count"]), str(record["head"])))
        except (ValueError, KeyError, TypeError):
            bad.append(f"line {number} of the anchor cannot be read")
    return good, bad
