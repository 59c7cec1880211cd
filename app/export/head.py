"""The head of a page: what was declared, looked at and released, and when."""

from __future__ import annotations

from collections.abc import Iterator

from app.export.kinds import AnyReadout
from app.formats import count, instant, share, short_hash
from experiments.readouts.readout import Readout, Registration
from experiments.shadows.readout import ShadowReadout


def labels_of(readout: AnyReadout) -> tuple[str, ...]:
    """What is printed on the experiment for ever."""
    simulated = ("simulated",) if readout.simulated else ()
    return tuple(dict.fromkeys((*readout.registration.labels, *simulated)))


def watermark_of(readout: AnyReadout) -> str | None:
    """The word across every page; None on a released readout of real data."""
    if "simulated" in labels_of(readout):
        return "SIMULATED"
    return "INTERIM" if readout.verdict.code == "CONTINUE" else None


def facts_of(readout: Readout | ShadowReadout) -> Iterator[tuple[str, str]]:
    """What was declared, looked at and released, and when."""
    plan, look = readout.registration, readout.look
    which = f"look {look.k} of {look.of}"
    yield "State", "Running" if readout.verdict.code == "CONTINUE" else "Readout released"
    yield "Look", f"Final ({which})" if look.final else which.capitalize()
    if look.of > 1 or readout.sequential or look.decision.startswith("STOP"):
        yield "The look's decision", look.decision
    if look.harm_stop is not None:
        yield "Harm stop", f"{look.harm_stop} tripped"
    if look.watches:
        yield "Harm stops", f"watched {count(look.watches)} time{'' if look.watches == 1 else 's'}"
    yield (
        "Data to",
        f"{instant(look.watermark)} ({look.watermark_why})" if look.watermark else look.watermark_why,
    )
    if look.enrolment_start is not None or look.cut_off is not None:
        what = "Requests mirrored" if isinstance(readout, ShadowReadout) else "Units exposed"
        yield what, f"{instant(look.enrolment_start)} to {instant(look.cut_off)}"
    yield "Information", f"{share(look.information)} of the plan"
    yield "Released", instant(readout.released_at)
    yield from plan_facts(plan)


def plan_facts(plan: Registration) -> Iterator[tuple[str, str]]:
    """Which plan was analysed, and who answers for it."""
    locked = f", locked {instant(plan.locked_at)}" if plan.locked_at else ""
    yield "Plan", f"version {plan.version}{locked}, SHA-256 {short_hash(plan.design_sha256)}…"
    yield "Owner", plan.owner or "nobody named"
    yield "Reviewer", plan.reviewer or "nobody named"
