"""What may be seen of a running experiment before a look: counts, checks and times. Of outcomes it knows nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from app.formats import NOTHING, count, decimal, instant, share
from app.stopping_plan import harm_stops
from app.views_experiment.findings import Findings
from experiments.designs.design import Design
from experiments.designs.sequential import planned_looks
from experiments.forms.durations import DAY
from experiments.looks.health import Health
from registry.clock import parse_instant
from registry.ledger import READ_OUTCOMES
from registry.records import Look, State
from registry.sealing import WATCHED, harm_of
from registry.store import Dossier

PACE_DAYS: Final = 7
"""Days over which the pace of enrolment is counted: a whole week has every weekday once."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the next look's information has come, of what it needs."""

    fraction: float
    words: str


@dataclass(frozen=True, slots=True)
class Pace:
    """Units exposed a day, and over which days that was counted."""

    per_day: float
    over: str


@dataclass(frozen=True, slots=True)
class LookRow:
    """A declared look: planned, and what became of it."""

    name: str
    planned: str
    status: str
    at: str


@dataclass(frozen=True, slots=True)
class HarmRow:
    """A declared harm stop; of what it watches only whether it tripped is ever known."""

    metric: str
    rule: str
    state: str
    watched: str


@dataclass(frozen=True, slots=True)
class OutcomeReads:
    """Who has read outcomes of the experiment, by the ledger; before the release only Fairtrial itself does."""

    sentence: str
    rows: tuple[tuple[str, str, str], ...]


def progress_of(findings: Findings) -> Progress | None:
    """Progress to the next look; None before anything was found of it."""
    standing, health = findings.standing, findings.health
    if standing is None:
        return None
    wanted = 1.0 if standing.wanted is None else standing.wanted
    needed = ceil(wanted * sum(standing.planned) - 1e-9)
    came = f"{count(sum(standing.enrolled))} units have come"
    mature = None if health is None else sum(arm.mature for arm in health.arms)
    if mature is not None:
        came += f", {count(mature)} are mature"
    if standing.wanted is None:
        said = f"Look {standing.k} comes at its time, whatever has come. {came}."
    else:
        said = (
            f"Look {standing.k} needs about {count(needed)} mature units ({share(wanted)} of the planned information). "
            f"{came}."
        )
    if standing.due:
        said += " It is due."
    elif standing.expected is not None:
        said += f" Expected about {instant(standing.expected)}."
    if standing.due:
        return Progress(1.0, said)
    return Progress((mature or 0) / needed if needed else 0.0, said)


def numbers_of(
    design: Design, findings: Findings, dossier: Dossier, now: datetime
) -> tuple[tuple[str, str], ...]:
    """Units so far and the pace of enrolment, against the plan."""
    health = findings.health
    if health is None:
        return ()
    numbers = [
        ("Units assigned", count(sum(arm.assigned for arm in health.arms))),
        ("Exposed", count(sum(arm.exposed for arm in health.arms))),
        ("Mature", count(sum(arm.mature for arm in health.arms))),
        ("Planned", count(design.plan.total)),
    ]
    first = dossier.experiment.first_exposure_at
    if first is not None and now >= first:
        planned = design.written.power.units_per_day
        beside = f" (planned {count(round(planned))})" if planned else ""
        pace = pace_of(health)
        if pace is not None:
            numbers.append(("Exposed a day", f"{count(round(pace.per_day))} {pace.over}{beside}"))
        most = design.maximum_duration / DAY
        day = int((now - first).total_seconds() // DAY) + 1
        numbers.append(("Day", f"{day} of at most {decimal(most, 0)} of enrolment"))
    return tuple(numbers)


def pace_of(health: Health) -> Pace | None:
    """Exposed units a day over the last whole days that the logs are complete for; None before the first such day."""
    if not health.days:
        return None
    first, end = health.days[0].on, (health.watermark or health.checked_at).date()
    if health.watermark is None:
        end = health.days[-1].on + timedelta(days=1)
    days = min((end - first).days, PACE_DAYS)
    if days < 1:
        return None
    begin = end - timedelta(days=days)
    came = sum(sum(day.exposed) for day in health.days if begin <= day.on < end)
    return Pace(came / days, f"over the last {days} days" if days > 1 else "on the last day")


def all_mature_at(design: Design, health: Health) -> datetime | None:
    """When the last of the units exposed so far will be mature; None without times, or once all are."""
    if not health.days or not any(week.waiting for week in health.maturing):
        return None
    last = max(day.on for day in health.days if sum(day.exposed))
    midnight = datetime(last.year, last.month, last.day, tzinfo=health.checked_at.tzinfo)
    return midnight + timedelta(days=1, seconds=design.maturity)


def look_rows(dossier: Dossier, design: Design, findings: Findings) -> tuple[LookRow, ...]:
    """Every declared look; of an always-valid design, which looks at every step, those taken and the next."""
    taken = {look.k: look for look in dossier.looks}
    planned = _planned(design)
    of = max(design.look_count, *taken, 0)
    last = of if planned else len(taken) + (not _ended(dossier))
    rows = []
    for k in range(1, max(last, len(taken)) + 1):
        look, standing = taken.get(k), findings.standing
        following = standing if standing is not None and standing.k == k else None
        when = NOTHING
        if look is not None:
            status, when = _of_taken(look), f"cut-off {instant(look.cutoff)}"
        elif _ended(dossier):
            status = "not taken: the experiment ended before"
        elif following is not None and following.due:
            status = "due"
        else:
            status = "to come"
            if following is not None and following.expected is not None:
                when = f"expected about {instant(following.expected)}"
        rows.append(
            LookRow(f"Look {k} of {of}", planned[k - 1] if k <= len(planned) else "next step", status, when)
        )
    return tuple(rows)


def why_no_look(dossier: Dossier, findings: Findings) -> str | None:
    """Why the next look cannot be asked for yet; None when it can. Who may ask is another question."""
    if any(look.status == "open" for look in dossier.looks):
        return "it is open already."
    standing = findings.standing
    if standing is None:
        return "nobody has checked yet whether it is due. Check health now."
    if standing.due:
        return None
    when = f" Available about {instant(standing.expected)}." if standing.expected else ""
    return f"{'; '.join(standing.missing)}.{when}"


def harm_rows(design: Design, dossier: Dossier, findings: Findings) -> tuple[HarmRow, ...]:
    """The declared harm stops: tripped or not tripped, and nothing else."""
    tripped, watch = harm_of(dossier), findings.watch
    watched = sum(entry.action == READ_OUTCOMES and entry.reason == WATCHED for entry in dossier.history)
    times = (
        "not watched yet" if not watched else f"watched {count(watched)} time{'' if watched == 1 else 's'}"
    )
    if watched and findings.watch_at is not None:
        times += f", last {instant(findings.watch_at)}"
    rows = []
    for stop in harm_stops(design):
        name = stop.metric if stop.segment is None else f"{stop.metric} by {stop.segment}"
        by_job = watch is not None and any(name in one for one in watch.tripped_by)
        state = "tripped" if by_job or (tripped is not None and stop.metric in tripped) else "not tripped"
        rule = f"worse by more than {stop.margin}, α {decimal(stop.alpha, 3).rstrip('0')} one-sided"
        rows.append(HarmRow(name, rule, state, times))
    return tuple(rows)


def outcome_reads_of(dossier: Dossier) -> OutcomeReads:
    """Who has read outcomes so far, from the ledger."""
    reads = [entry for entry in dossier.history if entry.action == READ_OUTCOMES]
    if not reads:
        return OutcomeReads("Nobody has seen outcome data (0 reads, by the ledger).", ())
    people = sorted({entry.actor for entry in reads} - {"system"})
    who = f"{', '.join(people)} and Fairtrial itself" if people else "Only Fairtrial itself"
    times = f"{count(len(reads))} time{'' if len(reads) == 1 else 's'}"
    closed = "" if dossier.experiment.released_at else " What it found is closed."
    rows = tuple((_time(entry.at), entry.actor, entry.reason or entry.summary) for entry in reads)
    return OutcomeReads(f"{who} has read outcome data, {times}.{closed}", rows)


def _planned(design: Design) -> list[str]:
    """Each declared look in words: its share of the information, or its time."""
    stopping = design.stopping
    if stopping.at is not None:
        return [f"after {decimal(when / DAY, 0)} days of enrolment" for when in stopping.at]
    return [
        f"{share(wanted)}, {count(ceil(wanted * design.plan.total - 1e-9))} units"
        for wanted in planned_looks(stopping)
    ]


def _of_taken(look: Look) -> str:
    if look.status != "sealed":
        return look.status if look.held_because is None else f"held: {look.held_because}"
    return "taken: no boundary was crossed" if look.outcome == "continue" else f"taken: {look.stop_reason}"


def _ended(dossier: Dossier) -> bool:
    last = dossier.looks[-1] if dossier.looks else None
    over = dossier.experiment.state in {State.ABANDONED, State.INVALID, State.READOUT, State.DECIDED}
    return over or (last is not None and last.outcome == "stop")


def _time(at: str) -> str:
    return instant(parse_instant(at))
