"""The four candidates climb, act by act: shadow, canary, A/B; only public commands, by people who each may do only their part."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.demo.candidates import (
    CANDIDATES,
    MIRRORED_DAYS,
    Candidate,
    Served,
    canary_of,
    day_of,
    mark_days,
    mirrored,
    predictions_file,
    rollout_of,
    shadow_of,
    write_by_day,
)
from app.demo.stage import Stage
from experiments.assignment.hashing import Assignment, Layer

REASON = "What was declared for this step was met; its sealed readout was read before this was signed."
DAY = timedelta(days=1)
AB_DAYS = 7


@dataclass(frozen=True, slots=True)
class Climbed:
    """How one candidate ended, beside what is true of it."""

    rollout: str
    model: str
    story: str
    truth: str
    expected: str
    ended: str
    as_expected: bool


@dataclass(slots=True)
class Climb:
    """One candidate on its way.

    Attributes:
        served: what of it users got, and from when on.
        sentence: of the last readout.
    """

    candidate: Candidate
    rollout: str = ""
    entry: str = ""
    served: list[Served] = field(default_factory=list)
    verdict: str = ""
    sentence: str = ""


def climb(stage: Stage, start: datetime, candidates: Sequence[Candidate] = CANDIDATES) -> tuple[Climbed, ...]:
    """Play the candidates from a midnight on, in a workspace that has its people.

    Raises:
        Refusal: a command ended with another exit code than it has to.
    """
    climbs = [Climb(one) for one in candidates]
    begun = start + DAY
    _declare(stage, climbs)
    _shadow(stage, climbs, begun)
    up = [one for one in climbs if one.verdict == "PASS"]
    _canary(stage, up, begun + timedelta(days=MIRRORED_DAYS + 2))
    _ab(stage, [one for one in up if one.verdict == "PASS"])
    stage.chapter("What is served of each model now, and why; the record is whole.")
    found = [_ended(stage, one) for one in climbs]
    stage.run("audit", "verify", show=True)
    return tuple(found)


def _declare(stage: Stage, climbs: Sequence[Climb]) -> None:
    stage.chapter(
        "Four candidates: each is declared in the shadow of its champion, before a request is mirrored."
    )
    predictions = stage.folder / "predictions.yaml"
    predictions.write_text(json.dumps(predictions_file(), indent=1), encoding="utf-8")
    stage.run("people", "add", "kim", "--name", "Kim", "--role", "on-call", "--as", "ada")
    for one in climbs:
        model = one.candidate.model
        _write(stage, f"designs/{model}-shadow.yaml", shadow_of(one.candidate))
        one.entry = _registered(stage, f"designs/{model}-shadow.yaml")
        _write(stage, f"designs/{model}-rollout.yaml", rollout_of(one.candidate, one.entry))
        planned = stage.answer("ladder", "plan", f"designs/{model}-rollout.yaml", "--as", "mira")
        one.rollout = planned["rollout"]["id"]
        stage.run("ladder", "advance", one.rollout, "--as", "mira", "--reason", REASON)


def _shadow(stage: Stage, climbs: Sequence[Climb], start: datetime) -> None:
    stage.chapter(f"After {MIRRORED_DAYS} mirrored days and one for the labels: each shadow is read once.")
    until = start + timedelta(days=MIRRORED_DAYS + 2)
    for one in climbs:
        came, folder = (
            mirrored(one.candidate, start),
            stage.folder / "logs" / "mirrored" / one.candidate.model,
        )
        for name, frame, time in (
            ("predictions", came.predictions, "scored_at"),
            ("labels", came.labels, "labelled_at"),
        ):
            write_by_day(frame, folder / name, one.candidate.model, time, until)
            mark_days(folder / name, start, until)
    stage.run("clock", "--set", until.isoformat())
    for one in climbs:
        stage.run("shadow", "check", one.entry)
        _read(one, stage.answer("shadow", "readout", one.entry, "--as", "mira"))
        _say(stage, one)
        if one.verdict == "PASS":
            stage.run("decide", one.entry, "--approve", "--as", "dan", "--reason", REASON)
        else:
            stage.run("decide", one.entry, "--reject", "--as", "dan", "--reason", _because(one))
            stage.run("ladder", "rollback", one.rollout, "--as", "mira", "--reason", _because(one))


def _canary(stage: Stage, climbs: Sequence[Climb], start: datetime) -> None:
    stage.chapter("Canary: a small share of users, against an equal slice from the other end of the hash.")
    for one in climbs:
        model = one.candidate.model
        _write(stage, f"designs/{model}-canary.yaml", canary_of(one.candidate))
        one.entry = _registered(stage, f"designs/{model}-canary.yaml")
        stage.run("ladder", "advance", one.rollout, "--entry", one.entry, "--as", "mira", "--reason", REASON)
        stage.run("ladder", "route", model, show=one is climbs[0])
    left, now = list(climbs), start
    while left:
        for one in left:
            _serve_canary(stage, one)
        now += 2 * DAY
        _let_pass(stage, climbs, start, now)
        left = [one for one in left if _check_step(stage, one)]


def _serve_canary(stage: Stage, one: Climb) -> None:
    """What the router would do: ask what is to be served, and serve it from then on."""
    route = stage.answer("ladder", "route", one.candidate.model)
    if not route["share"]:
        return
    begins = datetime.fromisoformat(
        stage.answer("canary", "status", one.entry)["steps_begun"][-1].replace("Z", "+00:00")
    )
    if one.served:
        last = one.served[-1]
        one.served[-1] = Served(last.experiment, last.begins, begins, last.share, last.salt)
    key = f"{one.candidate.model}-canary"
    one.served.append(Served(key, begins, begins + 90 * DAY, float(route["share"]), route["salt"]))


def _check_step(stage: Stage, one: Climb) -> bool:
    """Take the checks that are due; True if another step follows."""
    while True:
        found = stage.answer_whatever("canary", "step", one.entry, "--as", "mira")["check"]
        action = found["verdict"]["action"]
        if action != "stay":
            break
    _read(one, found)
    if one.verdict == "CONTINUE":
        stage.run("ladder", "advance", one.rollout, "--as", "mira", "--reason", REASON)
        stage.run("ladder", "advance", one.rollout, "--approve", "--as", "dan", "--reason", REASON)
        return True
    _say(stage, one)
    if one.verdict == "PASS":
        stage.run("decide", one.entry, "--approve", "--as", "dan", "--reason", REASON)
    return False


def _ab(stage: Stage, climbs: Sequence[Climb]) -> None:
    stage.chapter("A/B: opened from the rung, among users whom the canary has not met.")
    now = _now(stage)
    for one in climbs:
        draft = stage.answer("ladder", "draft", one.rollout, "--as", "mira")["experiment"]["id"]
        file = f"designs/{one.candidate.model}-ab.yaml"
        _write(stage, file, stage.run("show", draft, "--plan"))
        stage.run("register", file, "--update", draft, "--reviewer", "ola", "--as", "mira")
        stage.run("review", draft, "--approve", "--as", "ola")
        one.entry = draft
        stage.run("ladder", "advance", one.rollout, "--as", "mira", "--reason", REASON)
        plan = stage.answer("show", draft, "--plan")["plan"]
        one.served = [
            Served(
                plan["assignment"]["key"], now + DAY, now + DAY * (AB_DAYS + 8), assignment=_assignment(plan)
            )
        ]
    _let_pass(stage, climbs, now, now + DAY * (AB_DAYS + 4))
    for one in climbs:
        stage.run("health", one.entry)
        _read(one, stage.answer("readout", one.entry, "--as", "mira"))
        _say(stage, one)
        stage.run(
            "readout", one.entry, "--format", "html", "--out", f"readouts/{one.entry}.html", "--as", "mira"
        )
        if one.verdict == "SHIP":
            stage.run("decide", one.entry, "--ship", "--as", "dan", "--reason", REASON)
            stage.run("ladder", "advance", one.rollout, "--as", "mira", "--reason", REASON)
        else:
            stage.run("decide", one.entry, "--do-not-ship", "--as", "dan", "--reason", _because(one))
            stage.run("ladder", "rollback", one.rollout, "--as", "mira", "--reason", _because(one))


def _ended(stage: Stage, one: Climb) -> Climbed:
    shown = stage.answer("ladder", "show", one.rollout)
    route = stage.answer("ladder", "route", one.candidate.model)
    stage.run("ladder", "show", one.rollout)
    candidate, state = one.candidate, shown["rollout"]["state"]
    serves = {"promoted": "v2"}.get(candidate.ends, "v1")
    return Climbed(
        rollout=one.rollout,
        model=candidate.model,
        story=candidate.story,
        truth=candidate.truth,
        expected=f"{candidate.ends.replace('_', ' ')} after {candidate.last_rung}: {candidate.verdict}",
        ended=f"{state.replace('_', ' ')} after {one.entry}: {one.verdict}",
        as_expected=state == candidate.ends
        and one.verdict == candidate.verdict
        and one.entry.startswith({"shadow": "SHD", "canary": "CAN", "ab": "EXP"}[candidate.last_rung])
        and candidate.because in one.sentence
        and route["version"] == serves,
    )


def _let_pass(stage: Stage, climbs: Sequence[Climb], start: datetime, until: datetime) -> None:
    """The clock, and what came in: whoever came before is written again as it was."""
    logs, day = stage.folder / "logs" / "ladder", start
    while day < until:
        for one in climbs:
            assigned, outcomes = day_of(one.candidate, day, one.served)
            name = f"{one.candidate.model}-{one.entry}"
            if len(assigned):
                write_by_day(assigned, logs / "assignments", name, "assigned_at", until)
                write_by_day(outcomes, logs / "outcomes", name, "occurred_at", until)
        day += DAY
    for log in ("assignments", "outcomes"):
        mark_days(logs / log, start, until)
    stage.run("clock", "--set", until.isoformat())


def _registered(stage: Stage, file: str) -> str:
    entry: str = stage.answer("register", file, "--reviewer", "ola", "--as", "mira")["experiment"]["id"]
    stage.run("review", entry, "--approve", "--as", "ola")
    return entry


def _assignment(plan: dict[str, Any]) -> Assignment:
    """As the router that serves the A/B would have it."""
    rule, layer = plan["assignment"], plan["assignment"]["layer"]
    held = None if layer is None else Layer(layer["name"], layer["start"], layer["end"])
    return Assignment(rule["salt"], tuple((arm["name"], arm["share"]) for arm in plan["arms"]), held)


def _read(one: Climb, document: dict[str, Any]) -> None:
    one.verdict, one.sentence = document["verdict"]["code"], document["verdict"]["sentence"]


def _say(stage: Stage, one: Climb) -> None:
    stage.tell(f"    {one.entry} ({one.candidate.story}): {one.verdict}. {one.sentence}")


def _because(one: Climb) -> str:
    return f"{one.entry} ended with {one.verdict}, as declared for this case: {one.sentence}"[:480]


def _now(stage: Stage) -> datetime:
    return datetime.fromisoformat(str(stage.answer("clock")["now"]).replace("Z", "+00:00"))


def _write(stage: Stage, name: str, text: str) -> None:
    file = stage.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
