"""Time that passes in a workspace on a simulated clock: the clock moves, and registered experiments get live-like traffic.

So that somebody can register an experiment of their own in the demo and read its result. What is true of the traffic is
drawn from the plan's hash, so that it is fixed by then and unknown until the readout; it is written beside the logs, in
``truth-KEY.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.demo.scenarios import PLATFORMS
from experiments.cohorts.log_checks import assignment_of
from experiments.designs.design import Design
from experiments.designs.measures import Measure
from experiments.designs.sample import planned_effect
from experiments.forms.durations import DAY
from experiments.traffic import Conversion, Effect, LabelDelay, Latency, Outcome, Scenario, write_traffic
from registry.database import Registry
from registry.plans import locked_design
from registry.records import State
from registry.store import list_experiments, show

UNITS_PER_DAY = 1_000.0
"""Of an experiment that declares no traffic."""
TRUE_SHARES = (0.0, 1.7, 1.7)
"""Of the smallest effect worth shipping: what may be true, one as likely as another."""
LIVE = (State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE)


@dataclass(frozen=True, slots=True)
class Passed:
    """What came in while time passed.

    Attributes:
        until: where the clock stands now.
        with_traffic: experiments that got traffic.
        without: experiments that could not, and why.
    """

    until: datetime
    with_traffic: tuple[str, ...]
    without: tuple[tuple[str, str], ...]


def bring_traffic(folder: Path, registry: Registry, until: datetime) -> Passed:
    """Write what a live system would have logged by ``until`` for every registered experiment of this workspace.

    Experiments that already have logs of their own making (the demo's) are left as they are.
    """
    logs, served, without = folder / "logs", [], []
    own = {file.stem.removeprefix("truth-") for file in logs.glob("truth-*.json")}
    present = {file.stem for file in logs.glob("assignments/dt=*/*.parquet")} - own
    for found in list_experiments(registry, states=LIVE, kind="ab"):
        design, _ = locked_design(show(registry, found.id))
        if design.key in present or found.registered_at is None:
            continue
        try:
            scenario = scenario_of(design, found.registered_at)
            if until > datetime.combine(scenario.first_day, datetime.min.time(), UTC):
                write_traffic(logs, [scenario], until, truth=f"truth-{design.key}.json")
                served.append(found.id)
        except ValueError as error:
            without.append((found.id, str(error)))
    return Passed(until, tuple(served), tuple(without))


def scenario_of(design: Design, registered_at: datetime) -> Scenario:
    """Traffic for a design, from the day after it was locked; what is true of it follows from its hash.

    Raises:
        ValueError: a metric whose events nothing here can draw.
    """
    measures = [design.primary, *design.guardrails, *design.secondary]
    share = TRUE_SHARES[int(design.sha256[:8], 16) % len(TRUE_SHARES)]
    days = -(-design.maximum_duration // DAY)
    outcomes: dict[str, Outcome] = {}
    for measure in measures:
        event = measure.metric.event
        if event is not None and event not in outcomes:
            outcomes[event] = _outcome(design, measure, share if measure is design.primary else 0.0)
        elif event is None:
            raise ValueError(f"{measure.metric.reference} has two events; the demo's traffic draws one")
    return Scenario(
        experiment=design.key,
        start=(registered_at + timedelta(days=1)).date(),
        days=days,
        units_per_day=design.written.power.units_per_day or UNITS_PER_DAY,
        assignment=assignment_of(design),
        outcomes=tuple(outcomes.values()),
        attributes=(PLATFORMS,),
        exposed=0.97,
        seed=int(design.sha256[8:14], 16),
    )


def _outcome(design: Design, measure: Measure, share: float) -> Outcome:
    metric, window = measure.metric, timedelta(seconds=measure.window)
    if metric.event is None or measure.baseline is None:
        raise ValueError(f"{metric.reference} has no event or no baseline to draw from")
    delay = timedelta(seconds=design.written.label_delay)
    labels = LabelDelay(min(delay, timedelta(days=1)), delay)
    if metric.is_binary:
        return Conversion(
            event=metric.event,
            probability=measure.baseline.mean,
            window=window,
            history=timedelta(days=1),
            delay=labels,
            effects=_effects(design, share * planned_effect(measure)),
        )
    if metric.type == "quantile":
        return Latency(
            event=metric.event,
            mean=measure.baseline.mean / 2,
            user_sd=0.3,
            request_sd=0.4,
            requests=3.0,
            window=window,
            history=timedelta(days=1),
        )
    raise ValueError(
        f"{metric.reference} is a {metric.type}; the demo's traffic draws yes/no metrics and latencies"
    )


def _effects(design: Design, size: float) -> tuple[Effect, ...]:
    return tuple(Effect(size, arm=arm.name) for arm in design.treatments) if size else ()
