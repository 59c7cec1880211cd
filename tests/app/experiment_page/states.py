"""The workspace in every state that an experiment can be in, each made once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.cli.session import open_workspace_registry
from app.demo.stage import without_settings_from_outside
from app.settings import load_settings
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.database import Registry
from registry.lifecycle.drafting import unfinished
from tests.app import found
from tests.app.life import BROKEN, ID, STAGES, START, Life, quietly
from tests.app.test_cli_sequential import SEQUENTIAL

TITLE = "A small change for everybody"
AGAINST = "It costs more than it gives, which the verdict does not know of: two more servers, and the people to run them at night."


@contextmanager
def registry_of(life: Life) -> Iterator[Registry]:
    with open_workspace_registry(load_settings(life.folder)) as registry:
        yield registry


def half_a_draft(life: Life) -> None:
    with registry_of(life) as registry:
        lifecycle.create_draft(registry, "mira", unfinished(f"title: {TITLE}\n", TITLE))


def draft(life: Life) -> None:
    life.ok("register design.yaml --draft --as mira")


def late(life: Life) -> None:
    life.write_logs(START + timedelta(days=1))
    life.ok(f"clock --set {(START + timedelta(days=1)).isoformat()}")
    life.ok(f"review {ID} --approve --as ola --late", "The logs began a day before the plan was read.")


def checked(life: Life) -> None:
    found.check(life.folder, ID)


def amended(life: Life) -> None:
    changed = (
        (life.folder / "design.yaml").read_text().replace("maximum_duration: 4d", "maximum_duration: 6d")
    )
    (life.folder / "amended.yaml").write_text(changed)
    why = "The traffic is half of what was declared, so that it takes twice as long as planned."
    life.ok(
        f"amend {ID} {life.folder / 'amended.yaml'} --as mira --reason-code missing-information --inference none "
        "--explanation",
        why,
    )


def open_look(life: Life) -> None:
    with registry_of(life) as registry:
        lifecycle.open_look(registry, "mira", ID, 1, 1, registry.clock.now())


def held_look(life: Life) -> None:
    open_look(life)
    with registry_of(life) as registry:
        lifecycle.hold_look(registry, SYSTEM_ID, ID, 1, "Join rate: 0.0% of units have a row.")


def stopped(life: Life) -> None:
    life.ok(f"stop {ID} --as mira --reason", "The candidate filled the disks of two hosts.")


def mature(life: Life) -> None:
    stopped(life)
    with registry_of(life) as registry:
        lifecycle.mature(registry, SYSTEM_ID, ID, registry.clock.now())


def proposed_to_abandon(life: Life) -> None:
    life.ok(f"abandon {ID} --code other --as mira --reason", "Another team has built it already.")


def abandoned(life: Life) -> None:
    proposed_to_abandon(life)
    life.ok(f"abandon {ID} --code other --as ola --reason", "Agreed: there is nothing left to learn.")


def opposed(life: Life) -> None:
    life.ok(f"decide {ID} --do-not-ship --as dan --reason", AGAINST)


def nothing_more(_: Life) -> None:
    return None


@dataclass(frozen=True)
class State:
    """A state of an experiment.

    Attributes:
        of: the stage of a life that it begins at, or the name of one that is lived by itself.
        then: what is done there.
        words: the state, as every tab says it.
        acts: what can be pressed, and by whom; everything else on the page cannot, and says why.
    """

    of: str
    words: str
    acts: dict[str, tuple[str, ...]]
    then: Callable[[Life], None] = nothing_more
    released: bool = False


EVERYBODY = ("mira", "max", "ola", "dan", "eve", "vic", "lou", "ada")
"""Owner, another analyst, reviewer, two deciders, viewer, look committee, admin."""

JOINED = {"max": "analyst", "vic": "viewer", "lou": "look-committee"}

_CLONE = {"Clone it as a new draft": ("mira", "max")}
_AMEND = {"Begin an amendment": ("mira",)}
_WATCHED = {"Check health now": EVERYBODY}
_ABANDON = {"Abandon": ("mira", "ola")}
_RUNNING = _WATCHED | _ABANDON | _AMEND | _CLONE | {"Stop by hand": ("mira",)}
_EXPLORE = {"Note an exploratory analysis": ("mira", "max")}
_DECIDE = {"Sign the decision": ("dan", "eve")}

STATES: dict[str, State] = {
    "unfinished": State("founded", "Draft", _CLONE | {"Withdraw": ("mira",)}, half_a_draft),
    "draft": State("founded", "Draft", _CLONE | {"Withdraw": ("mira",)}, draft),
    "in review": State(
        "in_review",
        "In review",
        _CLONE
        | {
            "Ask the logs": ("ola",),
            "Request changes": ("ola",),
            "Take it back to go on writing": ("mira",),
            "Withdraw": ("mira",),
        },
    ),
    "registered": State(
        "registered", "Registered", _WATCHED | _ABANDON | _AMEND | _CLONE | {"Withdraw": ("mira",)}
    ),
    "late": State("in_review", "Registered", _WATCHED | _ABANDON | _AMEND | _CLONE | {"Withdraw": ()}, late),
    "running": State("running", "Running", _RUNNING),
    "checked": State("running", "Running", _RUNNING, checked),
    "watched": State("watched", "Running", _RUNNING | {"Watch the harm stops now": EVERYBODY}),
    "amendment proposed": State(
        "running",
        "Running",
        _RUNNING | {"Approve the amendment": ("ola",), "Reject the amendment": ("ola",)},
        amended,
    ),
    "abandonment proposed": State(
        "running",
        "Running",
        {name: who for name, who in _RUNNING.items() if name != "Abandon"} | {"Agree and abandon": ("ola",)},
        proposed_to_abandon,
    ),
    "look due": State("due", "Running", _RUNNING | {"Run look 1": ("mira",)}, checked),
    "look open": State("due", "Look 1 of 1 open", _RUNNING | {"Hold look 1": ("mira",)}, open_look),
    "look held": State("due", "Look 1 of 1 held", _RUNNING, held_look),
    "look went on": State("sequential", "Running", _RUNNING),
    "stopped": State("running", "Stopped (maturing)", _WATCHED | _ABANDON | _AMEND | _CLONE, stopped),
    "mature": State("running", "Mature", _WATCHED | _ABANDON | _AMEND | _CLONE, mature),
    "invalid": State("broken", "Invalid", _AMEND | _CLONE | _DECIDE, released=True),
    "read out": State("read_out", "Readout ready", _AMEND | _CLONE | _EXPLORE | _DECIDE, released=True),
    "decision proposed": State(
        "read_out",
        "Readout ready",
        _AMEND
        | _CLONE
        | _EXPLORE
        | {"Approve the decision": ("eve",), "Take it back": ("dan",), "Reject the decision": ("eve",)},
        opposed,
        released=True,
    ),
    "decided": State("decided", "Decided: shipped", _AMEND | _CLONE | _EXPLORE, released=True),
    "abandoned": State("running", "Abandoned", _AMEND | _CLONE, abandoned),
}


class Kept:
    """Every state's workspace, made when it is first wanted."""

    def __init__(self, folder: Path, stages: dict[str, Path]) -> None:
        self._folder, self._stages = folder, dict(stages)
        self._made: dict[str, Path] = {}

    def copy(self, name: str, to: Path) -> Path:
        """A copy of the workspace in a state, with people of every role in it, and without any outcome log."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return shutil.copytree(self._made[name], to)

    def _make(self, name: str) -> Path:
        state = STATES[name]
        begin = self._stages.get(state.of) or self._live(state.of)
        folder = shutil.copytree(begin, self._folder / name.replace(" ", "-"))
        step = STAGES.index(state.of if state.of in STAGES else "running") + 1
        life = Life(folder, quietly(folder), step=step)
        with without_settings_from_outside():
            for person, role in JOINED.items():
                life.ok(f"people add {person} --role {role} --as ada")
            state.then(life)
        shutil.rmtree(folder / "logs" / "outcomes", ignore_errors=True)
        (folder / "outcomes.yaml").unlink()
        return folder

    def _live(self, kind: str) -> Path:
        folder = self._folder / kind
        folder.mkdir()
        with without_settings_from_outside():
            if kind == "sequential":
                life = Life(folder, quietly(folder), design=SEQUENTIAL, lift=0.0, days=6)
                life.running()
                life.pass_to(START + timedelta(days=3))
                life.ok(f"readout {ID} --as mira")
            elif kind == "broken":
                life = Life(folder, quietly(folder), faults=BROKEN)
                life.read_out()
            else:
                raise ValueError(f"{kind}: not a life that is known here; sequential, broken")
        self._stages[kind] = folder
        return folder
