"""What the worker found of a shadow, and what it is at: from the rows of its jobs, which hold no answer and no label."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.formats import count, instant, share
from app.readings import Reading, Tone
from registry.database import Registry
from registry.findings import CasesFound, LookFound, ShadowStatusFound
from registry.jobs import Job, JobState, Kind, jobs_of, latest
from registry.store import Dossier

WATCHED: Final = (Kind.SHADOW_STATUS, Kind.LOOK_STATUS, Kind.LOOK, Kind.CASES)
_RECENT: Final = 12

_WORDS: Final[dict[str, tuple[str, Tone]]] = {
    "Good": ("✓", "good"),
    "Warning": ("!", "warning"),
    "Failing": ("✕", "bad"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest finding of each kind, with the time it was found; None where there is none yet.

    Attributes:
        at_work: jobs that wait or run, oldest first.
        failed: the newest job of its kind, where that failed.
    """

    status: ShadowStatusFound | None
    status_at: datetime | None
    look: LookFound | None
    look_at: datetime | None
    cases: CasesFound | None
    at_work: tuple[Job, ...]
    failed: tuple[Job, ...]

    def is_at(self, *kinds: Kind) -> bool:
        """Whether the worker is at one of these, or will be."""
        return any(job.kind in kinds for job in self.at_work)


def standing_of(registry: Registry, id: str) -> Standing:
    """What is known of a shadow beside its record."""
    recent = [job for job in jobs_of(registry, id, _RECENT) if job.kind in WATCHED]
    newest = {job.kind: job for job in reversed(recent)}
    done = {kind: latest(registry, id, kind, (JobState.DONE,)) for kind in WATCHED}
    status, look, cases = (done[kind] for kind in (Kind.SHADOW_STATUS, Kind.LOOK, Kind.CASES))
    return Standing(
        status=_status(status),
        status_at=None if status is None else status.finished_at,
        look=None if look is None or look.result is None else LookFound.model_validate(look.result),
        look_at=None if look is None else look.finished_at,
        cases=None if cases is None or cases.result is None else CasesFound.model_validate(cases.result),
        at_work=tuple(job for job in reversed(recent) if job.unfinished),
        failed=tuple(job for job in newest.values() if job.state is JobState.FAILED),
    )


def health_reading(standing: Standing) -> Reading:
    """The one word of the last check, or that there was none yet."""
    if standing.status is None:
        return Reading("Not checked yet", "", "circle", "plain")
    icon, tone = _WORDS[standing.status.word]
    return Reading(standing.status.word, icon, "circle", tone)


def numbers_of(status: ShadowStatusFound) -> tuple[tuple[str, str], ...]:
    """Pairing, failures and labels so far, in counts."""
    pairing = status.pairing
    numbers = [
        ("Requests mirrored and mature", count(pairing.requests)),
        ("Answered by both", _of(pairing.both, pairing.matched_share)),
        ("By the champion alone", count(pairing.champion_only)),
        ("By the candidate alone", count(pairing.candidate_only)),
        ("Labels that have come", _of(pairing.labelled, pairing.label_share)),
        ("Maturing", count(status.waiting)),
    ]
    return tuple(numbers)


def progress_words(status: ShadowStatusFound, unit: str) -> tuple[float, str]:
    """How far the look's information has come, of what it needs; a fraction, and the sentence that says it.

    Args:
        unit: what is independent, as the design names it.
    """
    said = f"{count(status.units)} of {count(status.planned_units)} planned {unit}s have a labelled pair."
    if status.look_due:
        return 1.0, f"{said} Look {status.k} is due."
    if status.look_expected is not None:
        said += f" Look {status.k} is expected about {instant(status.look_expected)}."
    return (status.units / status.planned_units if status.planned_units else 0.0), said


def why_no_look(dossier: Dossier, standing: Standing) -> str | None:
    """Why the next look cannot be asked for yet; None when it can. Who may ask is another question."""
    if any(look.status == "open" for look in dossier.looks):
        return "it is open already."
    status = standing.status
    if status is None:
        return "nobody has asked the logs yet whether it is due. Check now."
    if status.k != 1 + sum(look.status == "sealed" for look in dossier.looks):
        return "the logs were asked before the last look. Check now."
    if status.look_due:
        return None
    when = f" Available about {instant(status.look_expected)}." if status.look_expected else ""
    return f"{'; '.join(status.missing)}.{when}"


def next_look(dossier: Dossier, standing: Standing) -> str:
    """Which look comes next, of how many, and when it is expected."""
    waiting = next((look for look in dossier.looks if look.status in {"open", "held"}), None)
    if waiting is not None:
        return f"{waiting.k} of {waiting.of} is {waiting.status}"
    sealed = [look for look in dossier.looks if look.status == "sealed"]
    if sealed and sealed[-1].outcome == "stop":
        return "none: the last look is taken"
    status, k = standing.status, len(sealed) + 1
    if status is None or status.k != k:
        return str(k)
    which = f"{status.k} of {status.of}"
    if status.look_due:
        return f"{which}, due now"
    return (
        which if status.look_expected is None else f"{which}, expected about {instant(status.look_expected)}"
    )


def _of(n: int, fraction: float | None) -> str:
    return count(n) if fraction is None else f"{count(n)} ({share(fraction)})"


def _status(job: Job | None) -> ShadowStatusFound | None:
    if job is None or job.result is None:
        return None
    return ShadowStatusFound.model_validate(
        {name: value for name, value in job.result.items() if name != "health"}
    )
