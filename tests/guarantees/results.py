"""Everything measured at once, and which rule offered breaks its bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.guarantees import canary
from tests.guarantees.cases import (
    ONE_SIDED,
    SHIPS,
    Section,
    case,
    equal_looks,
    error_sections,
    group_sequential,
    under_the_effect,
)
from tests.guarantees.measuring import Case, Held, Share, intervals_of, share_of
from tests.guarantees.practices import Practice, harm_stop, harm_stop_cases, practices, walk_harm_stop
from tests.guarantees.requests_per_user import FEWEST_EFFECTIVE, ByUser, coverages
from tests.guarantees.shadow import ShadowGate, shadow_gate
from tests.guarantees.tables import percent
from tests.guarantees.walking import walk

HABITS_PART = 0.4
"""Of the replays, for habits of many looks; the allocation checks, whose errors are a fiftieth of a rule's, take all."""

CANARY_PART = 0.1
"""Of the replays, for canaries, of which each is a walk of its own through steps and checks."""


@dataclass(frozen=True)
class Sizes:
    """How large a run is.

    Attributes:
        replays: of every row (some take a part of it).
        walked: of these, those taken through readout after readout as well.
        by_user: replays of the coverage by user; 0 leaves it out.
    """

    replays: int
    walked: int
    by_user: int
    seed: int


@dataclass(frozen=True)
class Guarantees:
    """Everything that was measured."""

    sizes: Sizes
    errors: tuple[tuple[Section, tuple[Share, ...]], ...]
    harm_stops: tuple[tuple[Case, Share], ...]
    intervals: tuple[tuple[Case, Held], ...]
    after_futility: tuple[Held, Held]
    beside_guardrails: tuple[tuple[Case, Held, Held], ...]
    practices: tuple[Practice, ...]
    by_user: tuple[ByUser, ...]
    shadow: ShadowGate
    canary: canary.Measured

    @property
    def broken(self) -> list[str]:
        """Rules offered that do not keep their bound, in words."""
        found = [
            f"{one.name}: {percent(share)}, bound {100 * share.bound:g} %"
            for section, shares in self.errors
            for one, share in zip(section.cases, shares, strict=True)
            if not share.kept
        ]
        found += [f"{one.name}: {percent(share)}" for one, share in self.harm_stops if not share.kept]
        for one, held in self.intervals:
            stagewise = None if guarded(one) else held.stagewise
            for what, part in (
                ("power", held.ships),
                ("intervals of all looks", held.at_all_looks),
                ("stage-wise interval", stagewise),
            ):
                if part is not None and not part.kept:
                    found.append(f"{one.name}: {what} {percent(part)}, bound {100 * part.bound:g} %")
        counted = self.after_futility[1].stagewise
        if counted is not None and not counted.kept:
            found.append(f"stage-wise interval after non-binding futility: {percent(counted)}, bound 90 %")
        found += [one.name for one in self.practices if one.offered and not one.share.kept]
        found += [f"{one.name}: {percent(one.share)}" for one in self.shadow.broken]
        found += self.canary.broken
        found += [
            f"{one.metric}, {one.law}, {one.users:,} users: {percent(one.by_user)}"
            for one in self.by_user
            if one.effective is not None and one.effective >= FEWEST_EFFECTIVE and not one.by_user.kept
        ]
        return found


Progress = Callable[[str], None]


def measured(sizes: Sizes, progress: Progress = lambda _: None) -> Guarantees:
    """Measure every row.

    Raises:
        DisagreementError: a replay that its readouts end differently.
    """
    errors = []
    for section in error_sections():
        progress(section.title)
        errors.append((section, tuple(_error(one, sizes) for one in section.cases)))
    progress("Harm stops")
    stops = []
    for one, _ in harm_stop_cases():
        walk_harm_stop(one, sizes.walked, sizes.seed)
        stops.append((one, harm_stop(one, sizes.replays, sizes.seed)))
    progress("Power and intervals")
    intervals = []
    for one in under_the_effect():
        walk(one, sizes.walked, sizes.seed)
        intervals.append((one, intervals_of(one, sizes.replays, sizes.seed)))
    after = futility_case()
    by_convention, counted = (
        intervals_of(after, sizes.replays, sizes.seed, counting_futility=counting)
        for counting in (False, True)
    )
    beside = tuple(
        (one, intervals_of(one, sizes.replays, sizes.seed, first_crossing=False), held)
        for one, held in intervals
        if guarded(one) and held.stagewise is not None
    )
    progress("Practices")
    habits = practices(round(HABITS_PART * sizes.replays), sizes.seed, sizes.replays)
    progress("Requests per user")
    by_user = tuple(coverages(sizes.by_user, sizes.seed)) if sizes.by_user else ()
    progress("Shadows")
    shadow = shadow_gate(sizes.replays, sizes.walked, sizes.seed)
    progress("Canaries")
    canaries = canary.measured(round(CANARY_PART * sizes.replays), sizes.walked, sizes.seed)
    return Guarantees(
        sizes,
        tuple(errors),
        tuple(stops),
        tuple(intervals),
        (by_convention, counted),
        beside,
        habits,
        by_user,
        shadow,
        canaries,
    )


def guarded(one: Case) -> bool:
    return any(measure.role == "must-hold" for measure in one.design.measures)


def futility_case() -> Case:
    """The primary at its MDE, with non-binding futility that stops readily, and is obeyed."""
    changes = ONE_SIDED + group_sequential(looks=equal_looks(5), futility="{spending: lan-demets-pocock}")
    one = case(
        "lan-demets-obf, non-binding futility (lan-demets-pocock) obeyed, one-sided", "5 equal", changes
    )
    return replace(one, nominal=0.8, counted=SHIPS, effects={"points": 0.1}, at_least=True)


def _error(one: Case, sizes: Sizes) -> Share:
    walk(one, sizes.walked, sizes.seed)
    return share_of(one, sizes.replays, sizes.seed)
