"""What the serving side is told: which version answers whom, by ranges of the one hash that assigns units everywhere.

The position of a unit is that of `experiments.assignment`. In a canary at share s the candidate has the positions below
s and control as many at the opposite end; a larger s only adds units to both, so that the 1 % are inside the 5 % and
nobody in control is ever given the candidate. Everybody between is served the champion and is not in the canary.

An A/B that excludes the canary's units takes the middle of the same positions. Its layer hashes ``layer:NAME`` and the
unit; with that very text as the canary's salt, a unit's place in the layer *is* its place in the canary, and the part of
the layer from the largest share up to one minus it holds nobody who was ever in the canary's slices. Who is excluded is
decided by the hash alone, before any exposure, so it can depend on nothing that the candidate did.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final, Literal

from experiments.assignment import POSITIONS, Layer, Range, Unit, position
from experiments.assignment.hashing import LAYER_SALT, boundary

LARGEST_SHARE: Final = Fraction(1, 2)
"""At half, candidate and control meet; beyond, somebody in control would be given the candidate."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The positions ``low <= position < high`` that get a version, in an arm of the logs.

    Attributes:
        digits: the boundaries as 13 lower-case hexadecimal digits, for services that compare text; the upper one is
            None where there is none.
    """

    arm: str
    version: str
    low: int
    high: int

    @property
    def share(self) -> Fraction:
        return Range(self.low, self.high).share

    @property
    def digits(self) -> tuple[str, str | None]:
        return f"{self.low:013x}", None if self.high == POSITIONS else f"{self.high:013x}"

    def __contains__(self, place: object) -> bool:
        return isinstance(place, int) and self.low <= place < self.high


@dataclass(frozen=True, slots=True)
class Split:
    """How a share of the units is parted between two versions.

    Attributes:
        key: the experiment in the logs.
        layer: units outside these slots of it are not in it and get the champion; None: everybody is in.
        outside: what the logs call units in neither slice, where a canary names them; None where they are not logged.
    """

    rung: Literal["canary", "ab"]
    key: str
    salt: str
    candidate: Slice
    control: Slice
    layer: Layer | None = None
    outside: str | None = None

    def slice_of(self, unit: Unit) -> Slice | None:
        """The slice that a unit falls into; None where it is in neither.

        Raises:
            ValueError: the unit is empty, or neither text nor an integer.
        """
        if self.layer is not None and not self.layer.holds(unit):
            return None
        place = position(self.salt, unit)
        return next((one for one in (self.candidate, self.control) if place in one), None)


@dataclass(frozen=True, slots=True)
class Route:
    """What is served of a model now.

    Attributes:
        alias: whose version answers everybody who is in no slice: always ``champion``.
        share: of all units that get the candidate now; 0 after a pause, a rollback or INVALID.
        mirror: the version that scores mirrored requests unseen, and the share of the traffic that is mirrored.
        transition: the number of the rollout's last transition, so that a service can tell an old answer.
    """

    model: str
    alias: Literal["champion"]
    version: str
    share: Fraction
    split: Split | None
    mirror: tuple[str, Fraction] | None
    rollout: str | None
    state: str
    step: int | None
    transition: int | None
    since: datetime | None
    reason: str

    def version_for(self, unit: Unit) -> str:
        """The version that answers a unit.

        Raises:
            ValueError: the unit is empty, or neither text nor an integer.
        """
        found = None if self.split is None else self.split.slice_of(unit)
        return self.version if found is None else found.version


def canary_slices(
    share: Fraction, candidate: tuple[str, str], champion: tuple[str, str]
) -> tuple[Slice, Slice]:
    """The slices of a canary's step: the candidate's at the low end, control's as large at the high end.

    Args:
        candidate: arm in the logs and version; ``champion`` likewise.

    Raises:
        ValueError: the share is not above 0 and at most a half.
    """
    if not 0 < share <= LARGEST_SHARE:
        raise ValueError(f"share: {share} is not allowed; give one above 0 and at most 1/2")
    size = boundary(share)
    return Slice(*candidate, 0, size), Slice(*champion, POSITIONS - size, POSITIONS)


def layer_named_by(salt: str) -> str | None:
    """The layer whose places a canary with this salt uses; None where its places are those of no layer."""
    name = salt.removeprefix(LAYER_SALT)
    return name if name and name != salt else None


def outside_the_canary(salt: str, largest_share: Fraction) -> Layer:
    """The slots of the canary's layer that hold nobody of its slices: what an A/B takes that excludes them.

    Raises:
        ValueError: the salt is no layer's, or at a half nobody is left.
    """
    name = layer_named_by(salt)
    if name is None:
        raise ValueError(
            f"salt: {salt!r} is not allowed; a canary whose units are to be kept out of the A/B has a layer's places: "
            f"write assignment.salt: '{LAYER_SALT}{salt}' in the canary's design"
        )
    if largest_share >= LARGEST_SHARE:
        raise ValueError(
            f"share: {largest_share} is not allowed; with half of all units in the canary's slices and as many in control "
            "nobody is left for the A/B; keep them, or end the canary earlier"
        )
    return Layer(name, largest_share, 1 - largest_share)
