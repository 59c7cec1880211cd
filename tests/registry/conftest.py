"""A registry on SQLite (and on Postgres where there is one), a team, and the way to any state."""

import os
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from registry import lifecycle, membership, store
from registry.actors import Role
from registry.canonical import sha256_of
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.lifecycle import Choice, Exposure, StopReason
from registry.records import Experiment, Plan, State, Verdict

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
UNSEEN = Exposure(first_exposure_at=None)
REASON = "Because the reason has to be long enough for a stranger to follow."
LONG_REASON = REASON * 2

MATERIAL: dict[str, Any] = {
    "schema": "design/1",
    "hypothesis": {"because": "it ranks better", "expect": "increase", "population": "all eligible units"},
    "purpose": "superiority",
    "units": {"randomisation": "user", "analysis": "user"},
    "arms": [
        {"name": "control", "share": "1/2", "version": "v6"},
        {"name": "treatment", "share": "1/2", "version": "v7"},
    ],
    "assignment": {
        "key": "ranker-7",
        "method": "fairtrial",
        "salt": "ranker-7",
        "layer": None,
        "exposure": "assignment",
    },
    "eligibility": [{"attribute": "country", "is": "NL"}],
    "primary": {
        "metric": {"name": "task_success", "version": 3, "type": "proportion", "direction": "increase"},
        "role": "primary",
        "test": "score",
        "alpha": 0.05,
        "sides": 2,
        "covariates": [],
        "mde": {"kind": "absolute", "value": 0.015},
        "margin": None,
    },
    "guardrails": [
        {
            "metric": {"name": "p95_latency", "version": 1, "type": "quantile", "direction": "decrease"},
            "role": "must-hold",
            "alpha": 0.025,
            "margin": {"kind": "absolute", "value": 20.0},
            "reason": "twenty milliseconds cost less than a thousandth of sessions",
            "segment": None,
        }
    ],
    "secondary": {"metrics": [], "multiplicity": "holm"},
    "segments": [],
    "window": 604800,
    "label_delay": 0,
    "maturity": 604800,
    "power": {"power": 0.8, "n_per_arm": [13480, 13480], "binding": "task_success@3"},
    "stopping": {
        "rule": "fixed",
        "minimum_duration": 1814400,
        "maximum_duration": 3628800,
        "step": 604800,
        "if_short": "read",
    },
    "rules": {"several_arms": "exclude", "missing_outcomes": "as the metric says"},
    "validity": {"alpha": 0.001},
    "multiple_treatments": None,
    "decision_rule": "R-1",
    "source": "main",
}


def make_plan(
    title: str = "Ranker v7 vs v6", *, edit: dict[str, Any] | None = None, **administrative: Any
) -> Plan:
    """A plan; `edit` maps dotted paths of the material document to new values."""
    material = deepcopy(MATERIAL)
    for path, value in (edit or {}).items():
        *parents, last = path.split(".")
        place: Any = material
        for name in parents:
            place = place[int(name) if name.isdigit() else name]
        place[int(last) if last.isdigit() else last] = value
    return Plan(material, administrative, sha256_of(material), f"title: {title}\n", title)


@dataclass
class Team:
    """A registry with people in it, and a counter that keeps titles and salts apart."""

    registry: Registry
    clock: SimulatedClock
    made: int = field(default=0)

    def plan(self, **edit: Any) -> Plan:
        self.made += 1
        own = {"assignment.key": f"key-{self.made}", "assignment.salt": f"salt-{self.made}"}
        return make_plan(f"Experiment number {self.made}", edit=own | edit)

    def draft(self, plan: Plan | None = None) -> Experiment:
        return lifecycle.create_draft(self.registry, "mira", plan or self.plan())

    def in_review(self, plan: Plan | None = None) -> Experiment:
        return lifecycle.submit(self.registry, "mira", self.draft(plan).id, reviewer="ola")

    def registered(self, plan: Plan | None = None) -> Experiment:
        return lifecycle.register(self.registry, "ola", self.in_review(plan).id, UNSEEN)

    def running(self, plan: Plan | None = None) -> Experiment:
        id = self.registered(plan).id
        first = self.clock.advance(timedelta(hours=1))
        return lifecycle.start(self.registry, "system", id, first)

    def stopped(self, verdict: Verdict = Verdict.SHIP) -> Experiment:
        id = self.running().id
        self.sealed(id, 1, of=1, stop=StopReason.FINAL, verdict=verdict)
        return store.show(self.registry, id).experiment

    def mature(self, verdict: Verdict = Verdict.SHIP) -> Experiment:
        return lifecycle.mature(self.registry, "system", self.stopped(verdict).id, self.clock.now())

    def readout(self, verdict: Verdict = Verdict.SHIP) -> Experiment:
        return lifecycle.release(self.registry, "system", self.mature(verdict).id)

    def decided(self) -> Experiment:
        return lifecycle.decide(self.registry, "dan", self.readout().id, Choice.SHIP, REASON)

    def invalid(self) -> Experiment:
        return lifecycle.release(self.registry, "system", self.stopped(Verdict.INVALID).id)

    def abandoned(self) -> Experiment:
        return lifecycle.withdraw(self.registry, "mira", self.registered().id, REASON)

    def sealed(
        self, id: str, k: int, *, of: int, stop: StopReason | None = None, verdict: Verdict | None = None
    ) -> None:
        lifecycle.open_look(self.registry, "system", id, k, of, self.clock.now())
        readout = {"schema": "readout/1", "experiment": id, "look": k, "verdict": verdict}
        lifecycle.seal_look(self.registry, "system", id, k, readout, stop=stop, verdict=verdict)

    def in_state(self, state: State) -> Experiment:
        return getattr(self, state.value)()


PEOPLE = {
    "mira": [Role.ANALYST],
    "max": [Role.ANALYST],
    "ola": [Role.REVIEWER],
    "rob": [Role.REVIEWER, Role.ANALYST],
    "dan": [Role.DECIDER],
    "eve": [Role.DECIDER],
    "lou": [Role.LOOK_COMMITTEE],
    "vic": [Role.VIEWER],
}


def populate(registry: Registry) -> None:
    membership.found(registry, "ada", "Ada")
    for id, roles in PEOPLE.items():
        membership.add_person(registry, "ada", id, id.title(), roles)


def _postgres_schema() -> Iterator[str]:
    """An empty schema of its own: quicker to make than a database."""
    server = os.environ.get("FAIRTRIAL_TEST_POSTGRES")
    if not server:
        pytest.skip("FAIRTRIAL_TEST_POSTGRES names no Postgres server; .ci/postgres.sh starts one")
    name = f"fairtrial_{uuid.uuid4().hex[:12]}"
    url = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    yield url.set(query={"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, on each kind of server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'registry.db'}"
    else:
        yield from _postgres_schema()


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOON)


@pytest.fixture
def registry(url: str, tmp_path: Path, clock: SimulatedClock) -> Iterator[Registry]:
    """A founded registry with people of every role, and an anchor beside it."""
    with store.open_registry(url, clock=clock, anchor=tmp_path / "anchor") as opened:
        populate(opened)
        yield opened


@pytest.fixture
def team(registry: Registry, clock: SimulatedClock) -> Team:
    return Team(registry, clock)


@pytest.fixture
def plan() -> Callable[..., Plan]:
    return make_plan


@pytest.fixture
def behind() -> Iterator[Callable[[Registry], Engine]]:
    """Plain SQL on a registry's database: no append-only triggers, no foreign keys checked."""
    opened = []

    def intrude(registry: Registry) -> Engine:
        url = registry.engine.url
        if url.get_backend_name() == "postgresql":
            replica = f"{url.query['options']} -csession_replication_role=replica"
            engine = create_engine(url.set(query={"options": replica}))
        else:
            engine = create_engine(url)
            with engine.begin() as connection:
                triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
                for name in triggers.scalars().all():
                    connection.execute(text(f"DROP TRIGGER {name}"))
        opened.append(engine)
        return engine

    yield intrude
    for engine in opened:
        engine.dispose()


@pytest.fixture
def behind_its_back(registry: Registry, behind: Callable[[Registry], Engine]) -> Engine:
    return behind(registry)
