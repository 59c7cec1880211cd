"""Where a file that comes in by the browser waits for the worker: a folder of the workspace that no source reads.

The pages' process lays the bytes down and never reads them again: it has no function here that opens a file that waits. What
nobody added or discarded within a day the worker clears away.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final

KEPT_FOR: Final = timedelta(days=1)
ENDINGS: Final = (".csv", ".csv.gz", ".parquet")
_BLOCK: Final = 1 << 20


def spool_of(folder: Path) -> Path:
    """The folder of a workspace in which files wait."""
    return folder / ".fairtrial" / "uploads"


def ending_of(name: str) -> str | None:
    """How a file of this name is read; None for one that is not."""
    return next((ending for ending in ENDINGS if name.casefold().endswith(ending)), None)


def receive(folder: Path, stream: BinaryIO, ending: str, limit: int) -> str:
    """Lay a stream down as a file that waits; gives the id by which it is known from then on.

    Args:
        ending: one of `ENDINGS`.
        limit: megabytes.

    Raises:
        ValueError: it is larger; nothing of it is kept.
    """
    id, place = uuid.uuid4().hex, spool_of(folder)
    place.mkdir(parents=True, exist_ok=True)
    beginning, size = place / f".{id}.part", 0
    try:
        with beginning.open("xb") as laid:
            while block := stream.read(_BLOCK):
                size += len(block)
                if size > limit * 1_000_000:
                    raise ValueError(
                        f"the file is larger than {limit} MB, which is what the pages take (setting upload_limit); add it by the "
                        "command line: fairtrial source add FILE"
                    )
                laid.write(block)
        beginning.replace(place / f"{id}{ending}")
    finally:
        beginning.unlink(missing_ok=True)
    return id


def waits(folder: Path, id: str, ending: str) -> bool:
    """Whether a file is still there."""
    return (spool_of(folder) / f"{id}{ending}").is_file()


def discard(folder: Path, id: str, ending: str) -> None:
    """Take a file away; one that is gone already is no fault."""
    (spool_of(folder) / f"{id}{ending}").unlink(missing_ok=True)


def sweep(folder: Path, *, now: float | None = None) -> int:
    """Clear away what has waited too long, by the machine's clock; gives how many files that were."""
    before = (time.time() if now is None else now) - KEPT_FOR.total_seconds()
    cleared = 0
    for file in _files(spool_of(folder)):
        if file.stat().st_mtime < before:
            file.unlink(missing_ok=True)
            cleared += 1
    return cleared


def _files(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from (file for file in place.iterdir() if file.is_file())
