"""What a job may leave behind: closed forms without outcomes, for everybody reads them before the look.

Health and looks' standing are counts and checks; of a look only whether it went on, was refused, or was released; of a
watch whether a harm stop tripped; of exposures the first one; of a shadow its pairs, failures and whether labels have come;
of cases how many were drawn; of a source its schema and counts; a simulation knows the design alone. A number of an outcome
has no field to stand in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field, computed_field, model_validator

from experiments.looks.health import Health
from experiments.looks.stopping import LookStatus
from experiments.readouts.readout import Part
from experiments.shadows.status import ShadowStatus
from registry.asking import Kind
from registry.records import Verdict


class HealthFound(Health):
    """The health of an experiment, with its one word.

    Attributes:
        since: from when on each check has had the result that it has, by the check's name.
    """

    since: dict[str, datetime] = Field(default_factory=dict)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def health(self) -> str:
        return self.word

    @classmethod
    def after(cls, found: Health, before: Mapping[str, Any] | None) -> HealthFound:
        """What was found now, against the finding before."""
        results = {} if before is None else {one["name"]: one["result"] for one in before["checks"]}
        since = {} if before is None else before.get("since", {})
        lasting = {
            check.name: since[check.name]
            for check in found.checks
            if check.name in since and results.get(check.name) == check.result
        }
        begun = {check.name: found.checked_at for check in found.checks}
        return cls.model_validate({**found.model_dump(), "since": begun | lasting})


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


class ShadowStatusFound(ShadowStatus):
    """A shadow while it runs, with its one word: pairing, failures and whether labels have come; no answer, no label."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def health(self) -> str:
        return self.word


class CasesFound(Part):
    """The cases that were drawn for a blinded review, in counts.

    Attributes:
        sha256: of the document that holds them.
        drawn: of each group of pairs, how many, of how many there are.
    """

    sha256: str
    cases: int
    drawn: tuple[tuple[str, int, int], ...]


class SimulationFound(Part):
    """Operating characteristics of a design, as ``fairtrial design simulate --json`` has them; no data were read."""

    design_sha256: str
    replays: int
    seed: int
    data: Literal["parametric"]
    looks: str
    assumptions: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]


class ExposureFound(Part):
    """What the logs say of exposures; see `registry.lifecycle.Exposure`.

    Attributes:
        sha256: of the plan they were asked for.
        begun: whether the logs are there yet.
    """

    sha256: str
    source: str
    key: str
    begun: bool
    first_exposure_at: datetime | None
    data_complete: bool


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


class EventFound(Part):
    """An event of an outcome log, arms pooled. Its rows are not told: over the number of units they would be the outcome."""

    name: str
    first: datetime | None
    last: datetime | None


class DayFound(Part):
    day: datetime
    rows: int


class ArrivalsFound(Part):
    shares: tuple[float, ...]
    before: datetime | None
    not_computed: str | None


class QualityFound(Part):
    """How a log comes in, pooled; see `experiments.logs.quality.Quality`."""

    days: tuple[DayFound, ...]
    no_days: str | None
    arrivals: ArrivalsFound
    matched_share: float | None
    no_match: str | None
    repeated_share: float | None
    early_share: float | None


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
    events: tuple[EventFound, ...]
    further_names: int
    unit_example: str | None
    quality: QualityFound | None


class SourceFound(Part):
    """The logs of a source, and every problem found in them."""

    source: str
    ok: bool
    outcomes_open: bool
    logs: tuple[LogFound, ...]
    watermark: datetime | None
    watermark_why: str
    problems: tuple[str, ...]


class UploadFound(Part):
    """A file that was handed in, in schema and counts; see `experiments.logs.upload.UploadReport`.

    Attributes:
        wanted: the columns of the log it is to join, by role.
        new: whether the log begins with it.
        complete_days: on how many of its days the log is marked as complete already.
    """

    source: str
    log: str
    kind: Literal["assignments", "exposures", "outcomes"]
    new: bool
    wanted: dict[str, str]
    needed: tuple[str, ...]
    sha256: str
    size: int
    rows: int
    columns: dict[str, str]
    hidden_columns: int
    mapping: dict[str, str]
    mapped: tuple[MappedColumnFound, ...]
    without_unit: int
    repeated: int
    days: int | None
    complete_days: int
    arms: tuple[tuple[str, int], ...]
    preview_columns: tuple[str, ...]
    preview: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...]
    ok: bool

    @model_validator(mode="after")
    def _shows_no_row_of_outcomes(self) -> UploadFound:
        if self.kind == "outcomes" and (self.preview or self.arms):
            raise ValueError("preview: rows of outcomes are not shown before a release")
        return self


class AddedFound(Part):
    """A file that was added to a source, and the number of files it became."""

    source: str
    log: str
    name: str
    sha256: str
    rows: int
    files: int


Finding = (
    HealthFound
    | LookStatusFound
    | LookFound
    | WatchFound
    | SimulationFound
    | ExposureFound
    | ShadowStatusFound
    | CasesFound
    | SourceFound
    | UploadFound
    | AddedFound
)

FINDINGS: Final[dict[Kind, type[Finding]]] = {
    Kind.HEALTH: HealthFound,
    Kind.LOOK_STATUS: LookStatusFound,
    Kind.LOOK: LookFound,
    Kind.WATCH: WatchFound,
    Kind.SIMULATE: SimulationFound,
    Kind.EXPOSURE: ExposureFound,
    Kind.SHADOW_STATUS: ShadowStatusFound,
    Kind.CASES: CasesFound,
    Kind.SOURCE_CHECK: SourceFound,
    Kind.UPLOAD_CHECK: UploadFound,
    Kind.UPLOAD_COMMIT: AddedFound,
}
"""What each kind of job finds."""
