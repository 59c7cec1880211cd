"""What was read: every file with its size and SHA-256, every table and frame with its rows and a digest of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path as FilePath
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """One file (its path relative to the source's folder), or one table or frame."""

    log: str
    kind: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    parts: tuple[Part, ...]

    def as_list(self) -> list[dict[str, Any]]:
        return [asdict(part) for part in self.parts]

    @classmethod
    def of_list(cls, parts: Sequence[dict[str, Any]]) -> Manifest:
        return cls(tuple(Part(**part) for part in parts))

    def files_of(self, log: str, folder: FilePath) -> tuple[FilePath, ...]:
        return tuple(folder / part.name for part in self.parts if part.log == log and part.kind == "file")

    def changes(self, now: Manifest) -> tuple[str, ...]:
        """What differs in the parts this manifest names; parts that came later are not a change."""
        found = {(part.log, part.name): part for part in now.parts}
        changes = []
        for part in self.parts:
            other = found.get((part.log, part.name))
            if other is None:
                changes.append(f"{part.log}: {part.name} is gone")
            elif other.sha256 != part.sha256:
                changes.append(f"{part.log}: {part.name} has changed")
        return tuple(changes)


def file_part(log: str, file: FilePath, folder: FilePath) -> Part:
    """Size and SHA-256 of a file, read once in blocks.

    Raises:
        FileNotFoundError: it is gone.
    """
    digest = hashlib.sha256()
    size = 0
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return Part(log, "file", _relative(file, folder), size, digest.hexdigest())


def _relative(file: FilePath, folder: FilePath) -> str:
    try:
        return file.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return file.as_posix()
