"""What a job may leave behind: closed forms without outcomes, for everybody reads them before the look.

Health and looks' standing are counts and checks; of a look only whether it went on, was refused, or was released; of a
watch whether a harm stop tripped; of a source its schema and counts; a simulation knows the design alone. A number of an
outcome has no field to stand in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import computed_field, model_validator

from experiments.looks.health import Health
from experiments.looks.stopping import LookStatus
from experiments.readouts.readout import Part
from registry.asking import Kind
from registry.records import Verdict


class HealthFound(Health):
    """The health of an experiment, with its one word."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def health(self) -> str:
        return self.word


class LookStanding(Part):
    """Where the next look stands, in counts; see `experiments.looks.stopping.LookStatus`."""

    k: int
    of: int
    final: bool
    due: bool
    information: float
    wanted: float | None
    short: bool
    enrolled: tuple[int, ...]
    planned: tuple[int, ...]
    start: datetime | None
    mature_at: datetime | None
    expected: datetime | None
    missing: tuple[str, ...]

    @classmethod
    def of_status(cls, status: LookStatus) -> LookStanding:
        return cls.model_validate({name: getattr(status, name) for name in cls.model_fields})


class LookStatusFound(Part):
    """``look`` is None in a state that awaits no look."""

    state: str
    look: LookStanding | None
    watermark: datetime | None
    watermark_why: str


class LookFound(Part):
    """What came of taking a look.

    Attributes:
        outcome: CONTINUE, no boundary was crossed; RELEASED, the readout may be read; REFUSED, not due or held, ``because``.
        verdict: of a released readout.
        following: the look after one that went on.
    """

    outcome: Literal["CONTINUE", "RELEASED", "REFUSED"]
    k: int | None = None
    of: int | None = None
    because: tuple[str, ...] = ()
    verdict: Verdict | None = None
    readout_sha256: str | None = None
    following: LookStanding | None = None

    @model_validator(mode="after")
    def _says_no_more_than_its_outcome(self) -> LookFound:
        if self.because and self.outcome != "REFUSED":
            raise ValueError(f"because: {self.outcome} gives no reasons; only REFUSED does")
        if self.outcome != "RELEASED" and (self.verdict or self.readout_sha256):
            raise ValueError(f"verdict: {self.outcome} has none; only what is RELEASED does")
        return self


class WatchFound(Part):
    """Whether a declared harm stop tripped, which stops the experiment."""

    tripped: bool
    harm_stops: tuple[str, ...]
    tripped_by: tuple[str, ...]
    not_judged: tuple[str, ...]


class SimulationFound(Part):
    """Operating characteristics of a design, as ``fairtrial design simulate --json`` has them; no data were read."""

    design_sha256: str
    replays: int
    seed: int
    data: Literal["parametric"]
    looks: str
    assumptions: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]


class MappedColumnFound(Part):
    role: str
    column: str
    type: str | None
    problem: str | None


class NamedFound(Part):
    name: str
    rows: int
    first: datetime | None
    last: datetime | None


class LogFound(Part):
    """One log: schema, rows, times; see `experiments.logs.inspection.LogReport`."""

    log: str
    place: str
    files: int
    columns: dict[str, str]
    mapped: tuple[MappedColumnFound, ...]
    rows: int | None
    without_unit: int | None
    first: datetime | None
    last: datetime | None
    watermark: datetime | None
    watermark_why: str
    arms: tuple[NamedFound, ...]
    events: tuple[NamedFound, ...]
    further_names: int


class SourceFound(Part):
    """The logs of a source, and every problem found in them."""

    source: str
    ok: bool
    outcomes_open: bool
    logs: tuple[LogFound, ...]
    watermark: datetime | None
    watermark_why: str
    problems: tuple[str, ...]


Finding = HealthFound | LookStatusFound | LookFound | WatchFound | SimulationFound | SourceFound

FINDINGS: Final[dict[Kind, type[Finding]]] = {
    Kind.HEALTH: HealthFound,
    Kind.LOOK_STATUS: LookStatusFound,
    Kind.LOOK: LookFound,
    Kind.WATCH: WatchFound,
    Kind.SIMULATE: SimulationFound,
    Kind.SOURCE_CHECK: SourceFound,
}
"""What each kind of job finds."""
