"""What a change of shares, layer or salt does to the units already assigned."""

from fractions import Fraction

from experiments.assignment.hashing import POSITIONS, Assignment, Layer, Range


def moved(before: Assignment, after: Assignment) -> dict[tuple[str | None, str | None], Fraction]:
    """Return the exact share of all units that ``after`` answers differently, by (arm before, arm after).

    None stands for "not in the experiment". A ramp that keeps every treated unit where it was moves units
    only from the control, or from None, into a treatment.
    """
    slots_before, slots_after = slots(before.layer), slots(after.layer)
    in_both = joint(layer_name(before), slots_before, layer_name(after), slots_after)
    shares: dict[tuple[str | None, str | None], Fraction] = {}
    for arm, owned in zip(before.names, before.ranges, strict=True):
        shares[arm, None] = (slots_before.share - in_both) * owned.share
        for new_arm, newly_owned in zip(after.names, after.ranges, strict=True):
            shares[arm, new_arm] = in_both * joint(before.salt, owned, after.salt, newly_owned)
    for new_arm, newly_owned in zip(after.names, after.ranges, strict=True):
        shares[None, new_arm] = (slots_after.share - in_both) * newly_owned.share
    return {change: share for change, share in shares.items() if share > 0 and change[0] != change[1]}


def joint(salt: str | None, owned: Range, other_salt: str | None, other: Range) -> Fraction:
    """Return the share of units in both ranges: places under different salts are independent."""
    return owned.shared_with(other) if salt == other_salt else owned.share * other.share


def slots(layer: Layer | None) -> Range:
    return Range(0, POSITIONS) if layer is None else layer.range


def layer_name(assignment: Assignment) -> str | None:
    return None if assignment.layer is None else assignment.layer.name
