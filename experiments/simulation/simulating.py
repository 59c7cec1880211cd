"""Operating characteristics of a design before launch: its whole rule, replayed on parametric data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.designs.design import Design
from experiments.simulation.buckets import BUCKETS, Buckets
from experiments.simulation.characteristics import Characteristics, characteristics_of
from experiments.simulation.drawing import draw
from experiments.simulation.resplitting import resplit
from experiments.simulation.rule import Boundaries, Endings, boundaries_of, endings
from experiments.simulation.samples import drawn_measures, judged_measures
from experiments.simulation.schedule import Schedule, schedule_of
from experiments.simulation.truths import Truth, truths_of

BATCH: int = 2_500
"""Replays drawn at once: what memory holds at 50 looks. Each batch has its own seed, so the numbers depend on nothing else."""
RESPLIT_BATCH: int = 500
LARGEST_REPLAYS = 1_000_000

Progress = Callable[[int, int], None]
"""Told replays done and replays in all."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A/A replays of a past experiment: no difference between the arms, all else as it was.

    Attributes:
        experiment: its key in the logs.
        units: mature units found, all arms together.
        used: of these, in order of enrolment, those in each replay.
        buckets: in which they were re-split.
        looks: how the looks were set, in words.
    """

    design_sha256: str
    experiment: str
    replays: int
    seed: int
    units: int
    used: int
    buckets: int
    looks: str
    assumptions: tuple[str, ...]
    found: Characteristics


@dataclass(frozen=True, slots=True)
class Simulated:
    """One truth and what the rule does under it; ``found`` is None where the truth cannot be (``truth.impossible``)."""

    truth: Truth
    found: Characteristics | None


@dataclass(frozen=True, slots=True)
class Simulation:
    """The table of a design.

    Attributes:
        looks: how the looks were set, in words.
        assumptions: what the replays take for granted, in sentences for people.
    """

    design_sha256: str
    replays: int
    seed: int
    looks: str
    assumptions: tuple[str, ...]
    rows: tuple[Simulated, ...]


def simulate(
    design: Design,
    *,
    replays: int = 10_000,
    seed: int = 1,
    truths: Sequence[Truth] | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Replay the whole rule under every truth. The same design, replays and seed give the same numbers.

    Every truth is tried on the same draws, as far as they go, so that rows differ by less than their errors suggest.

    Args:
        replays: of each truth, 1 to 1,000,000.
        truths: by default ``truths_of(design)``.

    Raises:
        ValueError: replays or seed that are not allowed; a measure without a baseline.
    """
    check(replays, seed)
    wanted = tuple(truths_of(design) if truths is None else truths)
    schedule = schedule_of(design)
    boundaries = boundaries_of(design, schedule)
    possible = [truth for truth in wanted if truth.impossible is None]
    done, total = 0, replays * len(possible)
    rows = []
    for truth in wanted:
        if truth.impossible is not None:
            rows.append(Simulated(truth, None))
            continue
        found = []
        for number, size in enumerate(batches(replays)):
            random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
            found.append(_batch(design, truth, schedule, boundaries, size, random))
            done += size
            if progress is not None:
                progress(done, total)
        rows.append(Simulated(truth, characteristics_of(found, schedule.units, schedule.expected)))
    return Simulation(design.sha256, replays, seed, schedule.words, assumptions_of(design), tuple(rows))


def replay_past(
    design: Design,
    buckets: Buckets,
    *,
    replays: int = 10_000,
    seed: int = 1,
    progress: Progress | None = None,
) -> Replayed:
    """Re-split a past experiment's units into the design's arms, many times, through the whole rule.

    Raises:
        ValueError: replays or seed that are not allowed.
    """
    check(replays, seed)
    schedule = buckets.schedule
    boundaries = boundaries_of(design, schedule)
    found = []
    for number, size in enumerate(batches(replays, RESPLIT_BATCH)):
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        found.append(endings(design, resplit(design, buckets, size, random), boundaries))
        if progress is not None:
            progress(sum(len(batch.look) for batch in found), replays)
    return Replayed(
        design.sha256,
        buckets.experiment,
        replays,
        seed,
        buckets.found,
        schedule.units[-1],
        BUCKETS,
        schedule.words,
        assumptions_of_past(design),
        characteristics_of(found, schedule.units, schedule.expected),
    )


def check(replays: int, seed: int) -> None:
    """Raises ValueError unless both are allowed; all faults at once."""
    faults = []
    if not 1 <= replays <= LARGEST_REPLAYS:
        faults.append(f"replays: {replays} is not allowed; give 1 to {LARGEST_REPLAYS:,}, for example 10000")
    if seed < 0:
        faults.append(f"seed: {seed} is not allowed; give a whole number, 0 or more")
    if faults:
        raise ValueError("; ".join(faults))


def batches(replays: int, batch: int = BATCH) -> list[int]:
    """Sizes of the batches in which so many replays are made."""
    return [min(batch, replays - start) for start in range(0, replays, batch)]


def assumptions_of(design: Design) -> tuple[str, ...]:
    """What parametric replays take for granted."""
    found = [
        "Metrics are drawn at the design's baselines, independently of each other; metrics that improve together ship more often, "
        "metrics that trade off against each other less.",
        "Units fall to the arms by chance in the planned shares; allocation is tested over all units at every look, no outcome is "
        "missing, and every other check passes.",
    ]
    judged = [design.measures[index] for index in drawn_measures(design)]
    left_out = [design.measures[i].label for i in judged_measures(design) if i not in drawn_measures(design)]
    if left_out:
        found.append(
            f"Without a baseline, harm stops cannot be drawn and never trip here: {', '.join(left_out)}."
        )
    if any(not measure.metric.is_binary or measure.covariates for measure in judged):
        found.append(
            "Means, sums, counts, ratios and quantiles are normal with the baseline's standard deviation, estimated anew in each replay."
        )
    if any(covariate.variance_reduction for measure in judged for covariate in measure.covariates):
        found.append("Covariates remove the share of variance that the design declares.")
    if design.written.power.design_effect > 1:
        found.append(
            f"Variances are larger by the declared design effect of {design.written.power.design_effect:g}."
        )
    if any(measure.segment for measure in judged):
        found.append(
            "A guardrail that must hold in every level of a segment is tried over all units together."
        )
    if any(measure.role == "harm-stop" for measure in judged):
        found.append("Harm stops are watched at the looks only; watched between them they stop earlier.")
    if len(design.arms) > 2:
        found.append("Every treatment has the effect named; the verdict is SHIP where any treatment ships.")
    return tuple(found)


def assumptions_of_past(design: Design) -> tuple[str, ...]:
    """What A/A replays of past logs take for granted."""
    found = [
        "Mature units of the past experiment that the design would take, whatever their arm then, in order of enrolment; re-split in "
        f"{BUCKETS:,} hashed buckets, so that the spread of the replays is that of single units to about 2%.",
        "No arm differs from another: what ships is a false alarm, but for a non-inferiority primary, which then should.",
        "Allocation is tested over all units at every look, and missing outcomes by arm; every other check passes.",
    ]
    judged = [design.measures[index] for index in judged_measures(design)]
    if any(measure.metric.type == "quantile" for measure in judged):
        found.append(
            "A quantile moves with the share of requests at or below the pooled one, along the slope that its outer order statistics "
            "imply."
        )
    if any(measure.segment for measure in judged):
        found.append(
            "A guardrail that must hold in every level of a segment is tried over all units together."
        )
    if any(measure.role == "harm-stop" for measure in judged):
        found.append("Harm stops are watched at the looks only; watched between them they stop earlier.")
    return tuple(found)


def _batch(
    design: Design,
    truth: Truth,
    schedule: Schedule,
    boundaries: Boundaries,
    replays: int,
    random: np.random.Generator,
) -> Endings:
    measures = drawn_measures(design)
    sample = draw(design, measures, truth.effects, schedule.units, replays, random)
    return endings(design, sample, boundaries, measures)
