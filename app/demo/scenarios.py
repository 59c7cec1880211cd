"""The demo's experiments: what is true of each, and the verdict that has to come out.

Effects and sample sizes are chosen so far apart that each verdict is all but certain; a test computes how certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from experiments.cohorts.log_checks import assignment_of
from experiments.designs.design import Design, load_design
from experiments.designs.metrics import Catalogue
from experiments.readouts.readout import VerdictCode
from experiments.traffic import (
    Attribute,
    Conversion,
    Effect,
    Fault,
    LabelDelay,
    Latency,
    LostUnits,
    Outcome,
    Scenario,
    truth_of,
)

WORKSPACE = Path(__file__).parent / "workspace"
"""Catalogue, sources and designs of the demo, as files of a workspace."""

CONTROL, TREATMENT = "control", "candidate"
START = date(2026, 11, 2)
ENROLMENT_DAYS = 14
STOPPED_AFTER_DAYS = 9
BEFORE = timedelta(days=1)
PLATFORMS = Attribute("platform", (("android", 0.45), ("ios", 0.35), ("web", 0.20)))

WIN = 0.045
ACCEPTED_WIN = 0.055
FAR_BETTER = 0.08
CRASHES = 0.10
CRASH_RATE = 0.02
SLOWER = 0.25
LOST_SHARE = 0.12
AT_ONCE = LabelDelay()


@dataclass(frozen=True, slots=True)
class Play:
    """One experiment of the demo.

    Attributes:
        name: of its design file, without the ending.
        story: what is true of it, in a few words.
        verdict: what has to come out.
        win: absolute effect on the primary metric.
        slower: relative effect on latency.
        delay: how long until an outcome is recorded.
        crashes: absolute effect on the share of users with a crash, which the design watches as a harm stop.
        stopped: whether it is stopped by hand after ``STOPPED_AFTER_DAYS``.
        early: whether its first declared look comes before the others' only one.
    """

    name: str
    story: str
    verdict: VerdictCode
    units_per_day: float = 1_150
    win: float = WIN
    slower: float = 0.0
    delay: LabelDelay = AT_ONCE
    faults: tuple[Fault, ...] = ()
    crashes: float = 0.0
    stopped: bool = False
    early: bool = False


PLAYS = (
    Play("clear-win", "better, and as fast", "SHIP"),
    Play("no-effect", "no difference at all", "DO NOT SHIP", units_per_day=1_850, win=0.0),
    Play("slow-win", "better, and far too slow", "DO NOT SHIP", slower=SLOWER),
    Play(
        "broken-allocation",
        f"better, but {LOST_SHARE:.0%} of the candidate's units are lost",
        "INVALID",
        faults=(LostUnits(TREATMENT, LOST_SHARE),),
    ),
    Play("read-too-early", "better; somebody asks on day nine", "SHIP"),
    Play(
        "late-labels",
        "better; labels take up to a week",
        "SHIP",
        win=ACCEPTED_WIN,
        delay=LabelDelay(timedelta(days=1), timedelta(days=7)),
    ),
    Play("stopped-by-hand", "better; stopped on day nine", "INCONCLUSIVE", stopped=True),
    Play(
        "early-stop", "far better; two looks declared", "SHIP", units_per_day=700, win=FAR_BETTER, early=True
    ),
    Play("harmful", "better, and it crashes; a harm stop is watched", "DO NOT SHIP", crashes=CRASHES),
)


def design_of(play: Play, catalogue: Catalogue) -> Design:
    """The declared experiment."""
    return load_design(WORKSPACE / "designs" / f"{play.name}.yaml", catalogue)


def traffic_of(play: Play, design: Design, *, seed: int = 1) -> Scenario:
    """The traffic of a play, assigned by its own design."""
    return Scenario(
        experiment=design.key,
        start=START,
        days=STOPPED_AFTER_DAYS if play.stopped or play.crashes else ENROLMENT_DAYS,
        units_per_day=play.units_per_day,
        assignment=assignment_of(design),
        outcomes=_outcomes(play, design),
        attributes=(PLATFORMS,),
        faults=play.faults,
        exposed=0.97,
        seed=seed,
    )


def truth_in_words(scenario: Scenario) -> str:
    """What is true of the traffic, from its declaration: the primary's effect and the latency's."""
    primary, latency, *others = truth_of(scenario).outcomes
    points = 100 * primary.arms[1].effect
    slower = 100 * latency.arms[1].relative_effect
    said = f"{points:+.1f} percentage points" if points else "no effect"
    said += f", latency {slower:+.0f}%" if slower else ""
    return said + "".join(
        f", crashes {100 * other.arms[1].effect:+.0f} percentage points" for other in others
    )


def _outcomes(play: Play, design: Design) -> tuple[Outcome, ...]:
    metric = design.primary.metric
    if metric.event is None or metric.baseline is None:
        raise ValueError(f"{play.name}: the primary metric of a play needs an event and a baseline")
    crash = Conversion(
        event="app_crash",
        probability=CRASH_RATE,
        effects=(Effect(play.crashes, arm=TREATMENT),),
        history=BEFORE,
    )
    return (
        Conversion(
            event=metric.event,
            probability=metric.baseline.mean,
            effects=(Effect(play.win, arm=TREATMENT),) if play.win else (),
            history=BEFORE,
            delay=play.delay,
        ),
        Latency(
            event="request_ms",
            mean=250.0,
            user_sd=0.3,
            request_sd=0.4,
            requests=3.0,
            effects=(Effect(play.slower, relative=True, arm=TREATMENT),) if play.slower else (),
            history=BEFORE,
        ),
        *((crash,) if play.crashes else ()),
    )
