"""What waits for one person: the next act of each experiment that state and role give to them, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.formats import count, instant
from app.readings import Tone
from registry.actors import Person
from registry.lifecycle import possible_acts
from registry.portfolio import Portfolio
from registry.records import Experiment, Proposal, State

SECOND_PERSON = {
    "decision": ("approve decision", "A decision against the verdict needs a second decider"),
    "amendment": ("approve amendment", "An amendment waits for your approval"),
    "abandonment": ("abandon", "To abandon it needs a second person"),
}
"""By the kind of proposal: the act that settles it, and what is said of it."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for somebody.

    Attributes:
        tab: of the experiment's page, where it is done.
        do: the act, as the link says it.
        since: from when on it has been waiting, where that is known.
        urgent: whether something is wrong, rather than due.
    """

    experiment: str
    title: str
    what: str
    do: str
    tab: str
    since: datetime | None
    tone: Tone = "plain"

    @property
    def icon(self) -> str:
        return {"warning": "!", "bad": "✕", "good": "✓", "open": "?", "plain": "▷"}[self.tone]


def needs_of(person: Person, found: Portfolio) -> tuple[Need, ...]:
    """All that waits for this person, what is wrong first, then the longest waiting."""
    needs = [need for one in found.experiments for need in _needs(person, one, found)]
    late = datetime.max.replace(tzinfo=found.now.tzinfo)
    return tuple(
        sorted(needs, key=lambda need: (need.tone != "warning", need.since or late, need.experiment))
    )


def ago(since: datetime, now: datetime) -> str:
    """How long ago, in the largest whole unit: 2 days ago."""
    passed = max(now - since, timedelta())
    for unit, size in (
        ("day", timedelta(days=1)),
        ("hour", timedelta(hours=1)),
        ("minute", timedelta(minutes=1)),
    ):
        if passed >= size:
            n = passed // size
            return f"{count(n)} {unit}{'' if n == 1 else 's'} ago"
    return "just now"


def _needs(person: Person, one: Experiment, found: Portfolio) -> Iterator[Need]:
    acts = frozenset(possible_acts(person, one))
    proposed = found.proposals.get(one.id, ())
    for proposal in proposed:
        yield from _second_person(person, one, acts, proposal)
    said = found.reviewing.get(one.id)
    match one.state:
        case State.IN_REVIEW if "register" in acts:
            asked = said.actor if said is not None and said.action == "submit" else one.owner
            yield _need(one, f"{asked} asks for your review", "Review", "plan", said.at if said else None)
        case State.DRAFT if "submit" in acts and said is not None and said.action == "request changes":
            why = f": {said.reason}" if said.reason else ""
            yield _need(
                one, f"{said.actor} requested changes{why}", "Revise the draft", "plan", said.at, "warning"
            )
        case State.RUNNING | State.STOPPED | State.MATURE if person.id == one.owner or person.one_person:
            yield from _owners(one, found)
        case State.READOUT if "decide" in acts and not any(p.kind == "decision" for p in proposed):
            yield _need(
                one, "The readout is released and waits for a decision", "Decide", "readout", one.released_at
            )
        case State.INVALID if one.id not in found.decisions:
            yield from _invalid(person, one, acts, proposed)
        case _:
            pass


def _owners(one: Experiment, found: Portfolio) -> Iterator[Need]:
    held = next((look for look in found.looks.get(one.id, ()) if look.status == "held"), None)
    if held is not None:
        why = f": {held.held_because}" if held.held_because else ""
        yield _need(
            one,
            f"Look {held.k} of {held.of} is held{why}",
            "Open the look",
            "looks",
            held.opened_at,
            "warning",
        )
    standing = found.standing.get(one.id)
    look = standing.result.get("look") if standing else None
    if held is None and look and look.get("due"):
        what = f"Look {look['k']} of at most {look['of']} is due" if look["of"] > 1 else "The look is due"
        yield _need(one, what, "Open the look", "looks", standing.at if standing else None)
    elif held is None and one.state is State.MATURE:
        yield _need(one, "Every unit is mature: the look is due", "Open the look", "looks", one.matured_at)
    health = found.health.get(one.id)
    if health is not None and health.result.get("health") == "Failing":
        wrong = [
            check["name"] for check in health.result.get("checks", ()) if check["result"] in ("fail", "hold")
        ]
        yield _need(one, f"Health fails: {', '.join(wrong)}", "Open the checks", "live", health.at, "warning")


def _invalid(
    person: Person, one: Experiment, acts: frozenset[str], proposed: tuple[Proposal, ...]
) -> Iterator[Need]:
    why = f" ({one.stop_reason})" if one.stop_reason else ""
    if "decide" in acts and not any(proposal.kind == "decision" for proposal in proposed):
        yield _need(one, f"INVALID{why}: sign what follows", "Decide", "readout", one.released_at, "warning")
    elif person.id == one.owner:
        what = f"INVALID{why}: find the cause, mend it, and clone it as a new experiment"
        yield _need(one, what, "See what failed", "readout", one.released_at, "warning")


def _second_person(
    person: Person, one: Experiment, acts: frozenset[str], proposal: Proposal
) -> Iterator[Need]:
    verb, what = SECOND_PERSON.get(proposal.kind, ("", ""))
    if verb in acts and proposal.proposed_by != person.id:
        tab = {"decision": "readout", "abandonment": "live"}.get(proposal.kind, "history")
        yield _need(
            one, f"{what} (proposed by {proposal.proposed_by})", "Answer it", tab, proposal.proposed_at
        )


def _need(
    one: Experiment, what: str, do: str, tab: str, since: datetime | None, tone: Tone = "plain"
) -> Need:
    return Need(one.id, one.title, what, do, tab, since, tone)


def since_words(need: Need, now: datetime) -> str:
    """Since when it has been waiting, for people: the moment, and how long ago that is."""
    return "" if need.since is None else f"since {instant(need.since)}, {ago(need.since, now)}"
