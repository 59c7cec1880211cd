"""What happens in the demo, act by act: only public commands, by people who each may do only their part."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.demo.candidates import CANDIDATES, Candidate
from app.demo.climbing import Climbed, climb
from app.demo.scenarios import (
    ENROLMENT_DAYS,
    PLAYS,
    START,
    STOPPED_AFTER_DAYS,
    WORKSPACE,
    Play,
    design_of,
    traffic_of,
    truth_in_words,
)
from app.demo.stage import Stage, without_settings_from_outside
from experiments.designs.metrics import load_catalogue

DECLARED = datetime(START.year, START.month, START.day, tzinfo=UTC) - timedelta(hours=15)
DAY_NINE = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=STOPPED_AFTER_DAYS)
FIRST_LOOK = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=15)
MATURE = DAY_NINE + timedelta(days=ENROLMENT_DAYS - STOPPED_AFTER_DAYS + 8)
LABELLED = MATURE + timedelta(days=7)

FORMS = {"html": "html", "markdown": "md", "json": "json"}
"""Forms in which each readout is written, and the endings of their files."""

DECISIONS = {
    "SHIP": ("--ship", "The declared rule was met, the guardrail held, and every check passed."),
    "DO NOT SHIP": (
        "--do-not-ship",
        "The declared rule says no; what was learned goes into the next design.",
    ),
    "INCONCLUSIVE": ("--repeat", "Stopped for an operational reason; it starts again once that is mended."),
    "INVALID": ("--repeat", "The redirect is mended first; then it runs again with a new salt."),
}
"""What is signed after each verdict, and why."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one experiment of the demo ended, beside what is true of it."""

    experiment: str
    name: str
    story: str
    truth: str
    expected: str
    verdict: str | None

    @property
    def as_expected(self) -> bool:
        return self.verdict == self.expected


@dataclass(frozen=True, slots=True)
class Played:
    """What the demo leaves behind."""

    folder: Path
    ended: tuple[Ended, ...]
    climbed: tuple[Climbed, ...]
    commands: int
    seconds: float


def play_demo(
    folder: Path,
    tell: Callable[[str], None],
    plays: Sequence[Play] = PLAYS,
    candidates: Sequence[Candidate] = CANDIDATES,
) -> Played:
    """Play the demo in an empty folder: the experiments, then the candidates on their ladder.

    Raises:
        Refusal: a command ended with another exit code than it has to.
    """
    shutil.copytree(WORKSPACE, folder, dirs_exist_ok=True)
    catalogue = load_catalogue(folder / "metrics.yaml")
    scenarios = {play: traffic_of(play, design_of(play, catalogue)) for play in plays}
    stage = Stage(folder, tuple(scenarios.values()), tell)
    ids = {play: f"EXP-{number:04d}" for number, play in enumerate(plays, start=1)}
    with without_settings_from_outside():
        _found(stage)
        _declare(stage, ids)
        _day_nine(stage, ids)
        _first_looks(stage, ids)
        _read_out(stage, ids)
        _read_labels(stage, ids)
        _decide(stage, ids)
        verdicts = _check(stage, ids)
        climbed = climb(stage, LABELLED + timedelta(days=1), candidates) if candidates else ()
    ended = tuple(
        Ended(
            ids[play],
            play.name,
            play.story,
            truth_in_words(scenario),
            play.verdict,
            verdicts.get(ids[play]),
        )
        for play, scenario in scenarios.items()
    )
    return Played(folder, ended, climbed, stage.commands, stage.seconds)


def _found(stage: Stage) -> None:
    stage.chapter("A workspace for a team, on a simulated clock: an analyst, a reviewer and a decider.")
    stage.run("init", ".", "--admin", "Ada", "--simulated-clock", DECLARED.isoformat())
    stage.run("people", "add", "mira", "--name", "Mira", "--role", "analyst", "--as", "ada")
    stage.run("people", "add", "ola", "--name", "Ola", "--role", "reviewer", "--as", "ada")
    stage.run("people", "add", "dan", "--name", "Dan", "--role", "decider", "--as", "ada")


def _declare(stage: Stage, ids: dict[Play, str]) -> None:
    stage.chapter("Before anything runs: Mira declares each experiment, Ola locks it.")
    for play, id in ids.items():
        stage.run("design", "check", f"designs/{play.name}.yaml")
        stage.run("register", f"designs/{play.name}.yaml", "--as", "mira")
        stage.run("review", id, "--approve", "--as", "ola")
    stage.run("assign", next(iter(ids.values())), "user-1", "user-4", "user-5", show=True)


def _day_nine(stage: Stage, ids: dict[Play, str]) -> None:
    stage.chapter(f"Day {STOPPED_AFTER_DAYS}: only health is looked at, and it is blind to outcomes.")
    stage.let_pass(DAY_NINE)
    stage.run("source", "check", "main", "--without-outcomes")
    for play, id in ids.items():
        broken = play.verdict == "INVALID"
        stage.run("health", id, expect=1 if broken else 0)
        if play.name == "read-too-early":
            stage.run("readout", id, "--as", "mira", expect=1, show=True)
            stage.run("audit", "log", "--entity", id, "--action", "open look refused", show=True)
        if play.stopped:
            stage.run(
                "stop", id, "--reason", "The image index ran out of memory on two hosts.", "--as", "mira"
            )
            stage.run("assign", id, "user-1", show=True)
        if play.crashes:
            stage.run("watch", id, "--as", "mira", expect=1, show=True)
            stage.run("assign", id, "user-1", show=True)
            _write_readout(stage, id)


def _first_looks(stage: Stage, ids: dict[Play, str]) -> None:
    early = [id for play, id in ids.items() if play.early]
    if early:
        stage.chapter("Day 15: the first of two declared looks is due; its boundary may end the experiment.")
        stage.let_pass(FIRST_LOOK)
        for id in early:
            stage.run("look", id, show=True)
            _write_readout(stage, id)


def _read_out(stage: Stage, ids: dict[Play, str]) -> None:
    stage.chapter("The last units are mature: each declared look is taken once, sealed and released.")
    stage.let_pass(MATURE)
    for play, id in ids.items():
        if play.early or play.crashes:
            continue
        if play.delay.most:
            stage.run("health", id)
            stage.run("look", id, show=True)
        else:
            _write_readout(stage, id)


def _read_labels(stage: Stage, ids: dict[Play, str]) -> None:
    late = [id for play, id in ids.items() if play.delay.most]
    if late:
        stage.chapter("A week later the last labels are in.")
        stage.let_pass(LABELLED)
        for id in late:
            _write_readout(stage, id)


def _write_readout(stage: Stage, id: str) -> None:
    for form, ending in FORMS.items():
        written = f"readouts/{id}.{ending}"
        stage.run("readout", id, "--format", form, "--out", written, "--as", "mira", show=form == "html")


def _decide(stage: Stage, ids: dict[Play, str]) -> None:
    stage.chapter("Dan, who neither owns nor reviewed them, signs what follows.")
    for play, id in ids.items():
        choice, reason = DECISIONS[play.verdict]
        stage.run("decide", id, choice, "--reason", reason, "--as", "dan")
    stage.run("assign", next(iter(ids.values())), "user-1", show=True)


def _check(stage: Stage, ids: dict[Play, str]) -> dict[str, str | None]:
    """The released verdicts, once the record and a readout have been verified."""
    stage.chapter("Anybody can check it: the ledger is whole, and a readout comes out again.")
    stage.run("audit", "verify", show=True)
    stage.run("readout", next(iter(ids.values())), "--verify", "--as", "ola", show=True)
    stage.run("list")
    found = stage.answer("list")["experiments"]
    return {one["id"]: one["verdict"] for one in found}
