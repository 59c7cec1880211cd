"""Looks sealed before this one: what the next look builds on, read from their readouts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from experiments.readouts.readout import LookPoint, Readout, SequentialPath

SAME_INFORMATION: Final = 1e-9
"""Looks whose information differs by no more have seen the same units."""


@dataclass(frozen=True, slots=True)
class PastLook:
    """A look sealed before, which went on."""

    k: int
    before_us: int | None
    cut_off: datetime | None
    information: float
    paths: tuple[SequentialPath, ...] = ()

    def point(self, path: SequentialPath) -> LookPoint | None:
        """What this look found of the same metric, treatment and level."""
        same = (one for one in self.paths if _key(one) == _key(path))
        return next((point for one in same for point in one.points if point.k == self.k), None)


def past_of(readout: Readout) -> tuple[PastLook, ...]:
    """The looks before a sealed one, from the paths it holds."""
    if not readout.sequential:
        return ()
    found = []
    for point in readout.sequential[0].points:
        if point.k < readout.look.k:
            found.append(_past_look(point, readout.sequential))
    return tuple(found)


def as_past(readout: Readout) -> PastLook:
    """A sealed look that went on, as what the next one builds on."""
    own = readout.sequential[0].points[-1]
    return _past_look(own, readout.sequential)


def _past_look(point: LookPoint, paths: Sequence[SequentialPath]) -> PastLook:
    before = None if point.cut_off is None else round(point.cut_off.timestamp() * 1_000_000)
    return PastLook(point.k, before, point.cut_off, point.information, tuple(paths))


def _key(path: SequentialPath) -> tuple[str, str, str | None, str | None]:
    return path.label, path.treatment, path.segment, path.segment_level
